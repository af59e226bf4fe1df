/**
 * certs.d: a folder HOST[:PORT] with authorities (`*.crt`) and client certificates (`NAME.cert` with `NAME.key`), as docker,
 * podman and containerd look for them. containers-certs.d(5), docker's "Verify repository client with certificates".
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { WbuildError } from "../../native/error.ts";
import { type HostTls, isHost } from "./route.ts";

/** Certificates of one host, from the first of the folders that has some. Undefined: none. Throws REG_TLS. */
export async function certificatesOf(host: string, folders: readonly string[]): Promise<HostTls | undefined> {
  // Attack: a registry named ".." would have certificates of any folder sent to it.
  if (!isHost(host)) return undefined;
  for (const folder of folders) {
    const own = join(folder, host);
    const names = namesIn(own);
    const found = names && (await readFolder(own, names.sort()));
    if (found) return found;
  }
  return undefined;
}

function namesIn(folder: string): string[] | undefined {
  try {
    return readdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw certError(folder, "it cannot be read", error);
  }
}

async function readFolder(folder: string, names: readonly string[]): Promise<HostTls | undefined> {
  const read = (name: string) => readPem(join(folder, name));
  const certs = names.filter((name) => name.endsWith(".cert"));
  const keys = names.filter((name) => name.endsWith(".key"));
  const keyOf = (cert: string) => `${cert.slice(0, -".cert".length)}.key`;
  for (const cert of certs)
    if (!keys.includes(keyOf(cert))) throw certError(join(folder, cert), `its key ${keyOf(cert)} is missing`);
  const alone = keys.find((key) => !certs.some((cert) => keyOf(cert) === key));
  if (alone !== undefined) {
    const hint = `the certificate of a client ends in .cert; .crt is for authorities`;
    throw certError(
      join(folder, alone),
      `its certificate ${alone.slice(0, -".key".length)}.cert is missing`,
      undefined,
      hint,
    );
  }
  const ca = await Promise.all(names.filter((name) => name.endsWith(".crt")).map(read));
  if (ca.length + certs.length === 0) return undefined;
  return {
    ca,
    cert: await Promise.all(certs.map(read)),
    key: await Promise.all(certs.map((cert) => read(keyOf(cert)))),
    skipVerify: false,
  };
}

/** A PEM file's text. Throws REG_TLS. */
export async function readPem(path: string): Promise<string> {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw certError(path, "it cannot be read", error);
  }
}

function certError(path: string, why: string, cause?: unknown, hint?: string): WbuildError {
  return new WbuildError("REG_TLS", `the certificate ${path} cannot be used: ${why}`, {
    facts: { file: path },
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}
