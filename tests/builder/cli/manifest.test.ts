/** `manifest`: indexes made where the images are; skopeo reads what came of it. */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { runCli, sandboxOf } from "../../doubles/cli.ts";
import { type RunningRegistry, startRegistry } from "../../doubles/docker-registry.ts";
import { startFaultProxy } from "../../doubles/fault-proxy.ts";

const run = promisify(execFile);
let registry: RunningRegistry;

test.before(async () => {
  registry = await startRegistry();
});
test.after.always(() => registry?.close());

interface Index {
  readonly mediaType: string;
  readonly annotations?: Record<string, string>;
  readonly manifests: readonly {
    readonly digest: string;
    readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
    readonly annotations?: Record<string, string>;
  }[];
}

/** A store with `amd:1` and `arm:1`. */
async function scene(t: ExecutionContext) {
  const { folder, env } = sandboxOf(t);
  const cli = (...args: string[]) => runCli(args, { cwd: folder, env });
  mkdirSync(join(folder, "context"));
  writeFileSync(join(folder, "context/Dockerfile"), `FROM scratch\nCOPY . /\nLABEL t="${t.title}"\n`);
  for (const [name, platform] of [
    ["amd:1", "linux/amd64"],
    ["arm:1", "linux/arm64"],
  ] as const) {
    const built = await cli("build", "-q", "--platform", platform, "-t", name, "context");
    t.is(built.code, 0, built.stderr);
  }
  return { folder, cli };
}

async function rawBySkopeo(name: string): Promise<Index> {
  const { stdout } = await run("skopeo", ["inspect", "--raw", "--tls-verify=false", name]);
  return JSON.parse(stdout) as Index;
}
const platformsOf = ({ manifests }: Index) =>
  manifests.map(({ platform }) => `${platform?.os}/${platform?.architecture}`);

test("create, in a registry that has the images: only the index is sent; annotate; append; show", async (t) => {
  const { cli } = await scene(t);
  await using proxy = await startFaultProxy(registry.host);
  const name = `${proxy.host}/make/app`;
  for (const one of ["amd", "arm"]) t.is((await cli("copy", "-q", `store:${one}:1`, `${name}:${one}`)).code, 0);
  proxy.requests.splice(0);
  const dry = await cli("manifest", "create", "--dry-run", `${name}:1`, `${name}:amd`, `${name}:arm`);
  t.deepEqual(platformsOf(JSON.parse(dry.stdout) as Index), ["linux/amd64", "linux/arm64"], dry.stderr);
  t.deepEqual(
    proxy.requests.filter((line) => !line.startsWith("GET")),
    [],
  );
  proxy.requests.splice(0);
  const made = await cli("manifest", "create", "--annotation", "a.b=c", `${name}:1`, `${name}:amd`, `${name}:arm`);
  t.is(made.code, 0, made.stderr);
  t.deepEqual(
    proxy.requests.filter((line) => /^(PUT|POST|PATCH)/.test(line)),
    ["PUT /v2/make/app/manifests/1"],
  );
  const index = await rawBySkopeo(`docker://${name}:1`);
  t.deepEqual(platformsOf(index), ["linux/amd64", "linux/arm64"]);
  t.deepEqual(index.annotations, { "a.b": "c" });
  t.true(made.stdout.startsWith(`${name}:1@sha256:`));

  const more = ["--annotation", "x=y", "--annotation", "manifest-descriptor[linux/arm64]:for=arm"];
  const variant = ["--platform", `${index.manifests[0]?.digest}=linux/amd64/v2`];
  const changed = await cli("manifest", "annotate", ...more, ...variant, `${name}:1`);
  t.is(changed.code, 0, changed.stderr);
  const after = await rawBySkopeo(`docker://${name}:1`);
  t.deepEqual(after.annotations, { "a.b": "c", x: "y" });
  t.deepEqual(
    after.manifests.map(({ annotations, platform }) => [platform?.variant, annotations]),
    [
      ["v2", undefined],
      [undefined, { for: "arm" }],
    ],
  );
  t.deepEqual(
    after.manifests.map(({ digest }) => digest),
    index.manifests.map(({ digest }) => digest),
  );

  const appended = await cli(
    "manifest",
    "create",
    "--append",
    "--platform",
    `${name}:amd=linux/riscv64`,
    `${name}:1`,
    `${name}:amd`,
  );
  t.is(appended.code, 0, appended.stderr);

  const shown = await cli("manifest", "show", `${name}:1`);
  t.regex(
    shown.stdout,
    /Type:\s+application\/vnd\.oci\.image\.index[\s\S]*PLATFORM[\s\S]*linux\/arm64\s+sha256:[\s\S]*for=arm/,
  );
  const raw = await cli("manifest", "show", "--raw", `${name}:1`);
  const fields = JSON.parse((await cli("manifest", "show", "--json", `${name}:1`)).stdout) as {
    descriptor: { digest: string };
  };
  t.is(digestOf(raw.stdout), fields.descriptor.digest as never);
  const one = await cli("manifest", "show", "--platform", "linux/arm64", `${name}:1`);
  t.regex(one.stdout, /BLOB[\s\S]*config/);
  t.is((await cli("manifest", "show", "--platform", "linux/s390x", `${name}:1`)).code, 2);
});

test("create: from store, layout and another repository; what the target lacks is copied", async (t) => {
  const { cli, folder } = await scene(t);
  t.is((await cli("copy", "-q", "store:arm:1", "oci:layout:arm")).code, 0);
  const name = `${registry.host}/made/of`;
  const made = await cli("manifest", "create", `${name}:all`, "store:amd:1", "oci:layout:arm");
  t.is(made.code, 0, made.stderr);
  await run("skopeo", ["copy", "--all", "--src-tls-verify=false", `docker://${name}:all`, `dir:${folder}/seen`]);
  const taken = await cli("manifest", "create", `${registry.host}/made/again:1`, `${name}:all`);
  t.is(taken.stdout.split("@")[1], made.stdout.split("@")[1], "an index is taken apart and put together again");

  const local = await cli("manifest", "create", "store:both:1", "store:amd:1", "store:arm:1");
  t.is(local.code, 0, local.stderr);
  const pushed = await cli("manifest", "push", "both:1", `${name}:pushed`);
  t.is(pushed.code, 0, pushed.stderr);
  t.deepEqual(platformsOf(await rawBySkopeo(`docker://${name}:pushed`)), ["linux/amd64", "linux/arm64"]);
  t.is((await cli("manifest", "rm", `${name}:pushed`)).stdout, `Untagged: ${name}:pushed\n`);
});

test("create and annotate refuse what would mislead", async (t) => {
  const { cli } = await scene(t);
  const cases: [string[], RegExp][] = [
    [
      ["create", "oci:x:1", "store:amd:1", "store:arm:1", "--platform", "store:arm:1=linux/amd64"],
      /two of the images are for linux\/amd64/,
    ],
    [["create", "oci:x:1", "store:amd:1", "--platform", "store:other=linux/amd64"], /for an image of this command/],
    [["create", "oci:x:1", "store:amd:1", "--annotation", "manifest:a=b"], /images keep their digests/],
    [["annotate", "store:amd:1", "--annotation", "a=b"], /one image and no index/],
    [["annotate", "store:amd:1"], /nothing to change/],
    [["show", "store:amd:1", "--append"], /no use for --append/],
    [["create", "oci:x:1"], /needs NAME IMAGE/],
  ];
  for (const [args, words] of cases) {
    const { code, stderr } = await cli("manifest", ...args);
    t.true(code === 2 || code === 3, args.join(" "));
    t.regex(stderr, words);
  }
});
