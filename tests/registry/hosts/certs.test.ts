/** certs.d: authorities and client certificates of one host, against a registry that lets nobody else in. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import anyTest, { type TestFn } from "ava";
import type { RegistryOptions } from "../../../registry/client.ts";
import { certificatesOf } from "../../../registry/hosts/certs.ts";
import { openHosts } from "../../../registry/hosts/lookup.ts";
import { pullImage } from "../../../registry/pull.ts";
import { pushImage } from "../../../registry/push.ts";
import { parseReference } from "../../../registry/reference.ts";
import { type RunningRegistry, startRegistry } from "../../doubles/docker-registry.ts";
import { makeImage } from "../../doubles/images.ts";
import { MemoryBlobs } from "../../doubles/memory-blobs.ts";
import { anonymousClient } from "../../doubles/registry-client.ts";

const test = anyTest as TestFn<{ folder: string }>;
let guarded: RunningRegistry;
test.before(async () => {
  guarded = await startRegistry({ tls: true, wantsClient: true });
});
test.after.always(() => guarded.close());
test.beforeEach(async (t) => {
  t.context.folder = await mkdtemp(join(tmpdir(), "wbuild-certs-"));
});
test.afterEach.always((t) => rm(t.context.folder, { recursive: true, force: true }));

async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

function clientOf(folder: string, env: NodeJS.ProcessEnv = {}, options: Partial<RegistryOptions> = {}) {
  return anonymousClient({
    retry: { attempts: 1 },
    hosts: openHosts({ root: folder, env: { HOME: join(folder, "home"), ...env } }),
    ...options,
  });
}

const places = {
  docker: "etc/docker/certs.d",
  podman: "etc/containers/certs.d",
  user: "home/.config/containers/certs.d",
  "rootless docker": "home/.config/docker/certs.d",
  containerd: "etc/containerd/certs.d",
  "our own variable": "named",
};
for (const [title, place] of Object.entries(places))
  test(`a client certificate and an authority in the folder of ${title}`, async (t) => {
    const { folder } = t.context;
    await write(join(folder, place, guarded.host), {
      "ca.crt": guarded.ca ?? "",
      "me.cert": guarded.client?.cert ?? "",
      "me.key": guarded.client?.key ?? "",
    });
    await using client = clientOf(folder, { WBUILD_CERTS_D: join(folder, "named") });
    t.deepEqual(
      await client.repository(parseReference(`${guarded.host}/a`)).hasBlob(`sha256:${"0".repeat(64)}`),
      false,
    );
  });

test("push and pull with a client certificate; strangers, and clients without an authority, get nowhere", async (t) => {
  const { folder } = t.context;
  const { cert = "", key = "" } = guarded.client ?? {};
  const reference = parseReference(`${guarded.host}/mutual/app:1`);
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  const at = `etc/docker/certs.d/${guarded.host}`;
  await write(folder, { [`${at}/ca.crt`]: guarded.ca ?? "" });
  await using stranger = clientOf(folder);
  await t.throwsAsync(pushImage(stranger, image, reference, ours));
  await write(folder, { [`${at}/me.cert`]: cert, [`${at}/me.key`]: key });
  await using known = clientOf(folder);
  await pushImage(known, image, reference, ours);
  const pulled = await pullImage(known, reference, new MemoryBlobs(), { choose: () => undefined });
  t.is(pulled.descriptor.digest, image.digest);

  await rm(join(folder, at, "ca.crt"));
  await using doubting = clientOf(folder);
  await t.throwsAsync(doubting.repository(reference).tags(), { code: "REG_TLS" } as object);
  await using careless = clientOf(folder, {}, { insecure: [guarded.host] });
  t.deepEqual(await careless.repository(reference).tags(), ["1"], "no check of its certificate, but ours is shown");
});

test("hosts.toml names the certificates of a mirror", async (t) => {
  const { folder } = t.context;
  const { cert = "", key = "" } = guarded.client ?? {};
  const at = "etc/containerd/certs.d/r.invalid";
  const host = [`[host."https://${guarded.host}"]`, 'ca = "ca.pem"', 'client = [["me.pem", "me.key"]]'];
  await write(folder, {
    [`${at}/hosts.toml`]: host.join("\n"),
    [`${at}/ca.pem`]: guarded.ca ?? "",
    [`${at}/me.pem`]: cert,
    [`${at}/me.key`]: key,
  });
  await using client = clientOf(folder);
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  const reference = parseReference("r.invalid/from-toml:1");
  await pushImage(client, image, reference, ours);
  t.is((await client.repository(reference).manifest("1")).descriptor.digest, image.digest);
});

test("a host's certificates are for this host: another port is another one", async (t) => {
  await using other = await startRegistry({ tls: true });
  const { folder } = t.context;
  await write(folder, { [`etc/docker/certs.d/${guarded.host}/ca.crt`]: other.ca ?? "" });
  await using client = clientOf(folder);
  await t.throwsAsync(client.repository(parseReference(`${other.host}/a`)).tags(), { code: "REG_TLS" } as object);
});

test("insecure registries: TLS without a check where there is TLS, plain http where there is none", async (t) => {
  await using secure = await startRegistry({ tls: true });
  await using plain = await startRegistry();
  for (const { host } of [secure, plain]) {
    const { folder } = t.context;
    await write(folder, { "etc/containers/registries.conf": `[[registry]]\nlocation = "${host}"\ninsecure = true\n` });
    const warnings: string[] = [];
    await using client = clientOf(folder, {}, { warn: (text) => warnings.push(text) });
    t.false(await client.repository(parseReference(`${host}/a`)).hasBlob(`sha256:${"0".repeat(64)}`));
    await t.notThrowsAsync(client.checkLogin(host, { username: "u", password: "p" }));
    t.deepEqual(warnings, [`the certificate of ${host} is not checked`]);
    await write(folder, { "etc/containers/registries.conf": `[[registry]]\nlocation = "${host}"\nblocked = true\n` });
    await using forbidden = clientOf(folder);
    await t.throwsAsync(forbidden.checkLogin(host, { username: "u", password: "p" }), {
      code: "REG_BLOCKED",
    } as object);
  }
});

const folders: [title: string, files: Record<string, string>, message: RegExp][] = [
  ["a certificate without its key", { "me.cert": "x" }, /me\.cert cannot be used: its key me\.key is missing/],
  [
    "a key without its certificate",
    { "me.key": "x", "ca.crt": "y" },
    /me\.key cannot be used: its certificate me\.cert/,
  ],
];
for (const [title, files, message] of folders)
  test(`refused: ${title}`, async (t) => {
    await write(join(t.context.folder, "r.test"), files);
    await t.throwsAsync(certificatesOf("r.test", [t.context.folder]), { code: "REG_TLS", message } as object);
  });

test("names that are no hosts have no folder", async (t) => {
  await write(t.context.folder, { "certs.d/r.test/ca.crt": "x", "ca.crt": "y" });
  for (const host of ["..", ".", "", "r.test/..", "../certs.d/r.test", "a..b"])
    t.is(await certificatesOf(host, [join(t.context.folder, "certs.d")]), undefined, host);
  t.deepEqual((await certificatesOf("r.test", [join(t.context.folder, "certs.d")]))?.ca, ["x"]);
});
