/** One Dockerfile, several platforms: one walk, an index, and what the store and others do with it. */
import { existsSync, readFileSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { startRegistry } from "../doubles/docker-registry.ts";
import { windowsBaseLayout } from "../doubles/windows-base.ts";
import { outcome, type Scene, scene } from "./scene.ts";

interface Entry {
  readonly digest: string;
  readonly platform: { readonly os: string; readonly architecture: string; readonly "os.version"?: string };
}

const shown = ({ platform }: Entry) => Object.values(platform).join("/");

/** The host is whatever runs the tests; the other one need not run. */
const host = process.arch === "arm64" ? "arm64" : "amd64";
const other = host === "arm64" ? "amd64" : "arm64";
const both = `linux/${host},linux/${other}`;

const simple = {
  Dockerfile: `FROM --platform=$BUILDPLATFORM wbuild.local/linux AS tools
ARG TARGETARCH
RUN echo "made on $(uname -m) for $TARGETARCH" > /made
FROM scratch AS common
COPY shared /shared
FROM common
ARG TARGETPLATFORM
ARG BUILDPLATFORM
ENV TARGET=$TARGETPLATFORM BUILD=$BUILDPLATFORM
COPY --from=tools /made /made
`,
  shared: "the same\n",
};

async function indexOf(s: Scene, name: string): Promise<{ mediaType: string; manifests: Entry[] }> {
  return JSON.parse((await s.wbuild("inspect", "--raw", name)).stdout);
}

test("two platforms: an index, cross built, with what they share done once", async (t) => {
  const s = await scene(t);
  const context = await s.files("c", simple);
  const built = await s.build(context, "--platform", both, "-t", "app", "--metadata-file", "m.json", "--iidfile", "id");
  t.is(built.code, 0, built.stderr);
  const titles = [...built.steps.keys()].map((title) => title.replaceAll(host, "HOST").replaceAll(other, "OTHER"));
  t.true(
    titles.includes('[linux/HOST tools 2/2] RUN echo "made on $(uname -m) for $TARGETARCH" > /made'),
    titles.join("\n"),
  );
  t.true(titles.includes('[linux/HOST->OTHER tools 2/2] RUN echo "made on $(uname -m) for $TARGETARCH" > /made'));
  t.is(titles.filter((title) => title.endsWith("COPY shared /shared")).length, 1);
  const index = await indexOf(s, "app");
  t.is(index.mediaType, "application/vnd.oci.image.index.v1+json");
  t.deepEqual(index.manifests.map(shown), [`linux/${host}`, `linux/${other}`]);
  for (const [architecture] of [[host], [other]]) {
    const said = await s.wbuild("inspect", "--platform", `linux/${architecture}`, "-f", "{{json .Config.Env}}", "app");
    t.true(
      said.stdout.includes(`TARGET=linux/${architecture}`) && said.stdout.includes(`BUILD=linux/${host}`),
      said.stdout,
    );
    const history = await s.wbuild("history", "--no-trunc", "--platform", `linux/${architecture}`, "app");
    t.regex(history.stdout, new RegExp(`TARGETPLATFORM=linux/${architecture}`));
  }
  const metadata = JSON.parse(await readFile(join(s.folder, "m.json"), "utf8"));
  t.is(metadata["containerimage.descriptor"].mediaType, index.mediaType);
  t.is(metadata["containerimage.config.digest"], undefined, "several images have no one configuration");
  t.is(await readFile(join(s.folder, "id"), "utf8"), metadata["containerimage.digest"]);
  const again = await s.build(context, "--platform", both, "-t", "app");
  t.is(outcome(again, "RUN"), "CACHED");
  t.deepEqual((await indexOf(s, "app")).manifests, index.manifests, "a cached build gives the same index");
});

test("the flag may be repeated, names a platform once, and knows local", async (t) => {
  const s = await scene(t, { base: false });
  const context = await s.files("c", { Dockerfile: "FROM scratch\nCOPY f /\n", f: "" });
  const flags = ["--platform", `linux/${other}`, "--platform", `local,linux/${other}`, "-t", "app"];
  t.is((await s.build(context, ...flags)).code, 0);
  t.deepEqual((await indexOf(s, "app")).manifests.map(shown), [`linux/${other}`, `linux/${host}`]);
  const plan = JSON.parse((await s.wbuild("plan", "--json", ...flags.slice(0, 4), context)).stdout);
  t.deepEqual(plan.targets.map(shown), [`linux/${other}`, `linux/${host}`]);
  t.is(plan.nodes.length, 2, "scratch and one COPY, which both have in common");
  const wrong = await s.build(context, "--platform", "linux/amd64,");
  t.regex(wrong.stderr, /IMG_PLATFORM_SYNTAX/);
});

test("BUILDKIT_MULTI_PLATFORM makes an index of one", async (t) => {
  const s = await scene(t, { base: false });
  const context = await s.files("c", { Dockerfile: "FROM scratch\nCOPY f /\n", f: "" });
  const built = await s.build(
    context,
    "--build-arg",
    "BUILDKIT_MULTI_PLATFORM=1",
    "-t",
    "app",
    "-o",
    "type=image",
    "-o",
    "out",
  );
  t.is(built.code, 0, built.stderr);
  t.notRegex(built.stderr, /is not used/);
  t.deepEqual((await indexOf(s, "app")).manifests.map(shown), [`linux/${host}`]);
  t.true(existsSync(join(s.folder, `out/linux_${host}/f`)));
});

test("Windows and Linux from one Dockerfile, with os.version in the index", async (t) => {
  const s = await scene(t);
  await windowsBaseLayout(join(s.folder, "win"), { version: "10.0.20348.169" });
  t.is((await s.wbuild("load", "-i", "win")).code, 0);
  const context = await s.files("c", {
    Dockerfile: `FROM scratch AS base-linux
FROM test.example/windows:1 AS base-windows
FROM base-$TARGETOS
ARG TARGETOS
COPY app /app/
LABEL os=$TARGETOS
`,
    app: "app\n",
  });
  const built = await s.build(
    context,
    "--platform",
    `linux/amd64,linux/arm64,windows/amd64`,
    "-t",
    "app",
    "-o",
    "type=oci,dest=a.tar",
    "--load",
  );
  t.is(built.code, 0, built.stderr);
  const expected = ["linux/amd64", "linux/arm64", "windows/amd64/10.0.20348.169"];
  t.deepEqual((await indexOf(s, "app")).manifests.map(shown), expected);
  // skopeo's opinion: it chooses by platform, and finds every blob that it copies.
  for (const [os, file] of [
    ["linux", "app/app"],
    ["windows", "Files/app/app"],
  ] as const) {
    await s.tool(
      "skopeo",
      "--override-os",
      os,
      "--override-arch",
      "amd64",
      "copy",
      "-q",
      "oci-archive:a.tar",
      `dir:${os}`,
    );
    const manifest = JSON.parse(readFileSync(join(s.folder, os, "manifest.json"), "utf8"));
    const last = manifest.layers.at(-1).digest.replace("sha256:", "");
    const list = await s.tool("bsdtar", "-tf", `${os}/${last}`);
    t.true(list.includes(file), `${os}: ${list}`);
  }
});

test("scratch is not the same for Windows and Linux", async (t) => {
  const s = await scene(t, { base: false });
  const context = await s.files("c", { Dockerfile: "FROM scratch\nCOPY f /f\n", f: "f\n" });
  const built = await s.build(context, "--platform", "linux/amd64,windows/amd64", "-o", "type=oci,dest=l,tar=false");
  t.is(built.code, 0, built.stderr);
  for (const [os, file] of [
    ["linux", "f"],
    ["windows", "Files/f"],
  ] as const) {
    await s.tool("skopeo", "--override-os", os, "--override-arch", "amd64", "copy", "-q", "oci:l", `dir:${os}`);
    const manifest = JSON.parse(readFileSync(join(s.folder, os, "manifest.json"), "utf8"));
    const list = await s.tool("bsdtar", "-tf", `${os}/${manifest.layers[0].digest.slice(7)}`);
    t.true(list.split("\n").includes(file), `${os}: ${list}`);
  }
});

test("a Windows step for an architecture that Wine does not run is told first", async (t) => {
  const s = await scene(t, { base: false });
  const context = await s.files("c", { Dockerfile: "FROM scratch\nRUN echo hello\n" });
  const built = await s.build(context, "--platform", `windows/${other}`);
  t.is(built.code, 4);
  t.regex(built.stderr, /BOX_EMULATOR.*Windows programs for/);
});

test("files of several platforms go to folders of their own", async (t) => {
  const s = await scene(t, { base: false });
  const context = await s.files("c", {
    Dockerfile: "FROM scratch\nARG TARGETARCH\nCOPY f-$TARGETARCH* /f\nCOPY s /s\nCOPY d /$TARGETARCH/\n",
    "f-amd64": "amd64\n",
    "f-arm64": "arm64\n",
    s: "s\n",
    d: "d\n",
  });
  const flags = ["--platform", "linux/amd64,linux/arm64"];
  const built = await s.build(context, ...flags, "-o", "out", "-o", "type=tar,dest=out.tar");
  t.is(built.code, 0, built.stderr);
  for (const name of ["amd64", "arm64"]) {
    t.is(await readFile(join(s.folder, `out/linux_${name}/f`), "utf8"), `${name}\n`);
    t.is(await s.tool("tar", "-xOf", "out.tar", `linux_${name}/${name}/d`), "d\n");
  }
  const mixed = await s.build(context, ...flags, "-o", "type=local,dest=mixed,platform-split=false");
  t.is(mixed.code, 2);
  t.regex(mixed.stderr, /two platforms of the export have a file "f"/);
  const only = await s.files("d", { Dockerfile: "FROM scratch\nARG TARGETARCH\nCOPY d /$TARGETARCH/\n", d: "d\n" });
  t.is((await s.build(only, ...flags, "-o", "type=local,dest=merged,platform-split=false")).code, 0);
  for (const name of ["amd64", "arm64"]) t.true(existsSync(join(s.folder, `merged/${name}/d`)));
});

test("a docker archive of several is refused before any step", async (t) => {
  const s = await scene(t);
  const context = await s.files("c", { Dockerfile: "FROM wbuild.local/linux\nRUN echo hello\n" });
  const refused = await s.build(context, "--platform", both, "-o", "type=docker,dest=a.tar");
  t.is(refused.code, 2);
  t.regex(refused.stderr, /REG_ARCHIVE_FORMAT.*a docker archive holds one platform/);
  t.notRegex(refused.stderr, /hello/);
});

test("the store knows an index by its name, its ID and those of its images", async (t) => {
  await using registry = await startRegistry();
  const s = await scene(t);
  const context = await s.files("c", {
    Dockerfile: `FROM wbuild.local/linux AS here-${host}\nFROM scratch AS here-${other}\nFROM here-$TARGETARCH\nARG TARGETARCH\nENV A=$TARGETARCH\nCOPY f /f\nCMD ["cat", "/f"]\n`,
    f: "f\n",
  });
  const name = `${registry.host}/app:1`;
  t.is((await s.build(context, "--platform", both, "-t", name, "--push")).code, 0);
  const index = await indexOf(s, name);
  t.is(await s.run(name), "f\n", "the image for this host runs");
  const rows = (await s.wbuild("images", "--json", "--no-trunc", `${registry.host}/app`)).stdout;
  t.is(JSON.parse(rows).Platforms, `linux/${host}, linux/${other}`);
  const { ID: id } = JSON.parse(rows) as { ID: string };
  t.is((await s.wbuild("inspect", "--raw", id)).stdout, JSON.stringify(index));
  // The registry has all of it, as skopeo sees it.
  const raw = await s.tool("skopeo", "inspect", "--tls-verify=false", "--raw", `docker://${name}`);
  t.deepEqual(JSON.parse(raw), index);
  await s.tool("skopeo", "copy", "-q", "--all", "--src-tls-verify=false", `docker://${name}`, "dir:all");
  // One of its images by itself.
  const one = index.manifests[1]?.digest ?? "";
  t.is((await s.wbuild("tag", one, "other")).code, 0);
  t.regex((await s.wbuild("inspect", "-f", "{{json .Config.Env}}", "other")).stdout, new RegExp(`A=${other}`));
  const alone = await s.wbuild("rmi", one.slice(7, 19));
  t.is(alone.code, 0, "it has a name of its own");
  t.regex((await s.wbuild("rmi", one.slice(7, 19))).stderr, /is one image of several/);
  // To an archive and back, whole and in part.
  t.is((await s.wbuild("save", "-o", "all.tar", name)).code, 0);
  t.is((await s.wbuild("save", "-o", "one.tar", "--platform", `linux/${other}`, name)).code, 0);
  t.is((await s.wbuild("rmi", name)).code, 0);
  t.is((await s.wbuild("load", "-i", "one.tar")).code, 0);
  t.regex((await s.wbuild("inspect", "--raw", name)).stdout, /manifest\.v1\+json/);
  t.is((await s.wbuild("load", "-i", "all.tar")).code, 0);
  t.deepEqual(await indexOf(s, name), index);
  t.regex((await s.wbuild("inspect", "--platform", "linux/s390x", name)).stderr, /IMG_PLATFORM.*s390x/);
  // A base of several platforms serves each target.
  const above = await s.files("above", { Dockerfile: `FROM ${name}\nCOPY g /g\n`, g: "" });
  t.is((await s.build(above, "--platform", both, "-t", "above")).code, 0);
  t.is((await s.wbuild("inspect", "--verify", "above")).code, 0);
  t.deepEqual((await indexOf(s, "above")).manifests.map(shown), [`linux/${host}`, `linux/${other}`]);
  // Nothing of it goes while it has a name, and all of it with its last one.
  t.is((await s.wbuild("prune", "-f")).code, 0);
  t.is(await s.run(name), "f\n");
  t.is((await s.wbuild("push", "--platform", `linux/${other}`, name)).code, 0);
  await rm(join(s.folder, "all"), { recursive: true });
  const single = await s.tool("skopeo", "inspect", "--tls-verify=false", "--raw", `docker://${name}`);
  t.is(JSON.parse(single).manifests, undefined);
});
