/**
 * Starts Debian's docker-registry on loopback: plain, with htpasswd, with token authentication, with TLS of a self-made CA.
 * The kernel chooses the port, so any number of tests run side by side.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Those that still run: one listener for all, however many a test starts. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export interface RegistryOptions {
  /** htpasswd authentication with this one account. */
  readonly auth?: { readonly username: string; readonly password: string };
  /** Token authentication: who issues tokens, and the PEM of the certificate whose key signs them. */
  readonly token?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly certificate: string;
  };
  readonly tls?: boolean;
  /** Only clients with a certificate of the same CA are let in; needs tls. */
  readonly wantsClient?: boolean;
  /** Takes manifests whose layers name addresses of their own, which this registry refuses unless told. */
  readonly allowUrls?: boolean;
}

export interface RunningRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`, to be used as the registry part of a reference. */
  readonly host: string;
  /** Base URL, for tests that look at the registry from outside. */
  readonly url: string;
  /** PEM of the CA that signed the server's certificate, and a file with it; only with tls. */
  readonly ca: string | undefined;
  readonly caFile: string | undefined;
  /** PEM of a client's certificate and key that this CA signed; only with tls. */
  readonly client: { readonly cert: string; readonly key: string } | undefined;
  /** Where the registry keeps its content. */
  readonly storage: string;
  /** The last lines that the registry logged. */
  log(): string;
  close(): Promise<void>;
}

/** Resolves when the registry listens. Throws with the registry's own last words when it ends before that. */
export async function startRegistry(options: RegistryOptions = {}): Promise<RunningRegistry> {
  const folder = await mkdtemp(join(tmpdir(), "wbuild-registry-"));
  try {
    return await launch(folder, options);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function launch(folder: string, options: RegistryOptions): Promise<RunningRegistry> {
  const storage = join(folder, "storage");
  const tls = options.tls === true ? await makeCertificates(folder) : undefined;
  // JSON is YAML, so no quoting rules are needed here.
  const config = {
    version: "0.1",
    log: { level: "info", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
    http: {
      addr: "127.0.0.1:0",
      secret: "for-tests",
      ...(tls && {
        tls: {
          certificate: tls.certificate,
          key: tls.key,
          ...(options.wantsClient && { clientcas: [tls.caFile] }),
        },
      }),
    },
    ...(await authOf(folder, options)),
    ...(options.allowUrls && { validation: { manifests: { urls: { allow: [".*"] } } } }),
  };
  const file = join(folder, "config.yml");
  await writeFile(file, JSON.stringify(config));
  const child = spawn("docker-registry", ["serve", file], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: process.env.PATH ?? "", OTEL_TRACES_EXPORTER: "none" },
  });
  running.add(child);
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  const lines: string[] = [];
  const port = await new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`docker-registry ended with ${code}:\n${lines.join("\n")}`)));
    createInterface({ input: child.stderr }).on("line", (line) => {
      lines.push(line);
      if (lines.length > 2000) lines.shift();
      const listening = /listening on 127\.0\.0\.1:(\d+)/.exec(line);
      if (listening?.[1] !== undefined) resolve(listening[1]);
    });
  });
  const close = async () => {
    running.delete(child);
    child.kill("SIGKILL");
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const host = `127.0.0.1:${port}`;
  return {
    host,
    url: `${tls ? "https" : "http"}://${host}`,
    ca: tls?.ca,
    caFile: tls?.caFile,
    client: tls?.client,
    storage,
    log: () => lines.join("\n"),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function authOf(folder: string, options: RegistryOptions): Promise<object> {
  if (options.auth) {
    const { username, password } = options.auth;
    const { stdout } = await run("htpasswd", ["-Bbn", "-C", "4", username, password]);
    const path = join(folder, "htpasswd");
    await writeFile(path, stdout);
    return { auth: { htpasswd: { realm: "test", path } } };
  }
  if (options.token) {
    const { realm, service, issuer, certificate } = options.token;
    const rootcertbundle = join(folder, "token.pem");
    await writeFile(rootcertbundle, certificate);
    return { auth: { token: { realm, service, issuer, rootcertbundle } } };
  }
  return {};
}

/** A CA of its own and a certificate for 127.0.0.1 and localhost. */
async function makeCertificates(folder: string) {
  const at = (name: string) => join(folder, name);
  const keys = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const ca = ["-subj", "/CN=wbuild test CA", "-addext", "basicConstraints=critical,CA:TRUE"];
  await run("openssl", ["req", "-x509", ...keys, "-keyout", at("ca.key"), "-out", at("ca.pem"), ...ca]);
  const request = ["req", ...keys.slice(0, -2), "-keyout", at("server.key"), "-out", at("server.csr")];
  await run("openssl", [...request, "-subj", "/CN=127.0.0.1"]);
  await writeFile(at("san"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  const authority = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial", "-days", "2"];
  const sign = (name: string, ...more: string[]) =>
    run("openssl", ["x509", "-req", "-in", at(`${name}.csr`), ...authority, ...more, "-out", at(`${name}.pem`)]);
  await sign("server", "-extfile", at("san"));
  const client = ["req", ...keys.slice(0, -2), "-keyout", at("client.key"), "-out", at("client.csr")];
  await run("openssl", [...client, "-subj", "/CN=a client"]);
  await sign("client");
  return {
    ca: await readFile(at("ca.pem"), "utf8"),
    caFile: at("ca.pem"),
    certificate: at("server.pem"),
    key: at("server.key"),
    client: { cert: await readFile(at("client.pem"), "utf8"), key: await readFile(at("client.key"), "utf8") },
  };
}
