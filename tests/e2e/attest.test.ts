/** Attestations from end to end: made by a build, found where BuildKit's readers look, and in nobody's way. */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { readDpkg } from "../../builder/attest/scan/deb.ts";
import { writeHive } from "../../layerfs/hive/regf/write.ts";
import { hiveOf, KeyTree } from "../../layerfs/hive/tree.ts";
import { readSpdx } from "../builder/attest/spdx-schema.ts";
import { startRegistry } from "../doubles/docker-registry.ts";
import { fileServer } from "../doubles/file-server.ts";
import { gitDaemon, gitFolder, gitRepository, noGit } from "../doubles/git-server.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { noWindows, type Scene, scene } from "./scene.ts";

const files = {
  Dockerfile: `ARG BUILDKIT_SBOM_SCAN_CONTEXT=true
FROM wbuild.local/linux AS build
ARG BUILDKIT_SBOM_SCAN_STAGE=true
COPY tool /opt/node_modules/tool
RUN --mount=type=secret,id=token echo built > /out
FROM wbuild.local/linux
ARG TOKEN
COPY --from=build /out /out
COPY app /app/node_modules/app
CMD ["cat", "/out"]
`,
  "tool/package.json": '{"name":"tool","version":"1.0.0","license":"MIT"}',
  "app/package.json": '{"name":"app","version":"2.0.0","license":"ISC"}',
};

interface Index {
  readonly manifests: readonly {
    readonly digest: string;
    readonly mediaType: string;
    readonly platform: object;
    readonly annotations?: Record<string, string>;
  }[];
}
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const json = async (s: Scene, ...args: string[]) => JSON.parse((await s.wbuild(...args)).stdout);
const named = (found: unknown) => readSpdx(found).packages.map(({ name }) => name);

test("a pushed image has its statements beside it, where skopeo and registries see them", async (t) => {
  await using registry = await startRegistry();
  const s = await scene(t);
  const name = `${registry.host}/team/app:1`;
  const flags = ["--sbom=true", "--provenance=mode=max", "--build-arg", "TOKEN=x"];
  const built = await s.build(await s.files("context", files), "-t", name, "--push", ...flags);
  t.is(built.code, 0, built.stderr);

  const raw: Index = JSON.parse(await s.tool("skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${name}`));
  const [image, said] = raw.manifests;
  t.is(raw.manifests.length, 2);
  t.deepEqual(said?.platform, { architecture: "unknown", os: "unknown" });
  t.deepEqual(said?.annotations, {
    "vnd.docker.reference.digest": image?.digest,
    "vnd.docker.reference.type": "attestation-manifest",
  });

  const repository = `${registry.host}/team/app`;
  const manifest = JSON.parse(
    await s.tool("skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${repository}@${said?.digest}`),
  );
  t.is(manifest.config.mediaType, "application/vnd.oci.image.config.v1+json");
  t.deepEqual(
    manifest.layers.map((layer: { mediaType: string; annotations: object }) => [
      layer.mediaType,
      Object.values(layer.annotations)[0],
    ]),
    [
      ...Array(3).fill(["application/vnd.in-toto+json", "https://spdx.dev/Document"]),
      ["application/vnd.in-toto+json", "https://slsa.dev/provenance/v1"],
    ],
  );
  const statements = [];
  for (const { digest } of manifest.layers) {
    const answer = await fetch(`${registry.url}/v2/team/app/blobs/${digest}`);
    statements.push(await answer.json());
  }
  for (const statement of statements)
    t.deepEqual(statement.subject, [
      {
        name: `pkg:docker/${registry.host}/team/app@1?platform=linux%2Famd64`,
        digest: { sha256: image?.digest.slice(7) },
      },
    ]);
  // The image, the stage that asks for it, the context.
  t.deepEqual(
    statements.slice(0, 3).map(({ predicate }) => readSpdx(predicate).name),
    [name, "build", "context"],
  );
  t.true(named(statements[0].predicate).includes("app"));
  t.false(named(statements[0].predicate).includes("tool"));
  t.true(named(statements[1].predicate).includes("tool"));
  const { buildDefinition } = statements[3].predicate;
  t.is(buildDefinition.externalParameters.request.args["build-arg:TOKEN"], "x");
  t.deepEqual(buildDefinition.externalParameters.request.secrets, [{ id: "token", optional: true }]);
  t.regex(buildDefinition.resolvedDependencies[0].uri, /^pkg:docker\/wbuild.local\/linux@latest\?/);

  // Whoever wants the image gets the image.
  t.is(await s.run(name), "built\n");
  await s.tool("skopeo", "copy", "-q", "--src-tls-verify=false", `docker://${name}`, "oci:layout:1");
  const again = await scene(t, { base: false });
  t.is((await again.wbuild("pull", name)).code, 0);
  t.is(await again.run(name), "built\n");
});

test("the store shows them, by template and by command, and keeps them", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", files);
  t.is(
    (await s.build(context, "-t", "app:1", "--sbom=true", "--provenance=true", "--build-arg", "TOKEN=hush")).code,
    0,
  );
  t.is((await s.wbuild("prune", "--force", "--all")).code, 0);
  const spdx = await json(s, "inspect", "--format", "{{json .SBOM.SPDX}}", "app:1");
  t.true(named(spdx).includes("app"));
  t.deepEqual(await json(s, "sbom", "app:1"), spdx);
  t.deepEqual(await json(s, "sbom", "--scan", "app:1"), spdx);
  const provenance = (await s.wbuild("inspect", "--format", "{{json .Provenance.SLSA}}", "app:1")).stdout;
  t.regex(provenance, /"buildType"/);
  t.notRegex(provenance, /hush/);
  // The usual output is as large as it was.
  t.false((await s.wbuild("inspect", "app:1")).stdout.includes("SPDX"));
});

test("nothing is said that nobody asked for; a list alone is the same in the next build", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", files);
  const digestOf = async (...flags: string[]) => {
    const built = await s.build(context, "-t", "app:1", "--metadata-file", "meta.json", ...flags);
    t.is(built.code, 0, built.stderr);
    return JSON.parse(await readFile(join(s.folder, "meta.json"), "utf8"));
  };
  const plain = await digestOf();
  t.regex(plain["containerimage.descriptor"].mediaType, /manifest\.v1/);
  const [one, two] = [await digestOf("--sbom=true"), await digestOf("--sbom=true")];
  t.regex(one["containerimage.descriptor"].mediaType, /index\.v1/);
  t.is(one["containerimage.digest"], two["containerimage.digest"]);
  t.is(one["containerimage.config.digest"], plain["containerimage.config.digest"]);
});

test("among files they are files; a docker archive has no place for them", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", files);
  const flags = ["--sbom=true", "--attest", "type=provenance,filename=how.json"];
  t.is((await s.build(context, "-o", "out", ...flags)).code, 0);
  const read = async (name: string) => JSON.parse(await readFile(join(s.folder, "out", name), "utf8"));
  const list = await read("sbom.spdx.json");
  t.true(named(list.predicate).includes("app"));
  t.true(list.subject.some(({ name }: { name: string }) => name === "out"));
  t.is((await read("how.json")).predicateType, "https://slsa.dev/provenance/v1");
  t.true(existsSync(join(s.folder, "out/sbom-build.spdx.json")));
  t.true(existsSync(join(s.folder, "out/sbom-context.spdx.json")));

  t.is((await s.build(context, "-o", "type=tar,dest=out.tar", "--provenance=inline-only=true")).code, 0);
  t.notRegex(await s.tool("tar", "-tf", "out.tar"), /provenance/);
  t.is((await s.build(context, "-o", "type=docker,dest=docker.tar", ...flags)).code, 0);
  t.notRegex(await s.tool("tar", "-tf", "docker.tar"), /index.*attest/);
  t.is((await s.build(context, "-t", "app:1", "-o", "type=oci,dest=oci.tar", ...flags)).code, 0);
  t.is((await s.wbuild("load", "-i", "oci.tar")).code, 0);
  t.is(await s.run("app:1"), "built\n");
});

test("two platforms have statements each, about their own image", async (t) => {
  const s = await scene(t);
  const context = await s.files("many", {
    Dockerfile: "FROM scratch\nCOPY app /node_modules/app\n",
    "app/package.json": files["app/package.json"],
  });
  t.is((await s.build(context, "-t", "app:1", "--platform", "linux/amd64,linux/arm64", "--sbom=true")).code, 0);
  const { manifests }: Index = await json(s, "inspect", "--raw", "app:1");
  const images = manifests.slice(0, 2).map(({ digest }) => digest);
  t.deepEqual(
    manifests.slice(2).map(({ annotations }) => annotations?.["vnd.docker.reference.digest"]),
    images,
  );
  const both = ["--platform", "linux/amd64,linux/arm64", "--sbom=true"];
  t.is((await s.build(context, "-o", "split", ...both)).code, 0);
  t.true(existsSync(join(s.folder, "split/linux_arm64/sbom.spdx.json")));
  const copies = await s.files("apart", { Dockerfile: "FROM scratch\nARG TARGETARCH\nCOPY x /$TARGETARCH\n", x: "x" });
  t.is((await s.build(copies, "-o", "type=local,dest=flat,platform-split=false", ...both)).code, 0);
  t.true(existsSync(join(s.folder, "flat/sbom.spdx.linux_arm64.json")));
  const arm = await json(s, "sbom", "--platform", "linux/arm64", "app:1");
  t.is(readSpdx(arm).packages[0]?.versionInfo, images[1]);
});

test("a folder with a name is a folder of this host; what ADD fetches is named with its digest, without a password", async (t) => {
  const s = await scene(t);
  const server = await fileServer(t);
  server.files.set("/x.txt", { bytes: Buffer.from("x") });
  server.files.set("/y.txt", { bytes: Buffer.from("x") });
  await s.files("named", { y: "y" });
  const address = server.url.replace("http://", "http://user:hush@");
  const context = await s.files("context", {
    Dockerfile: `FROM scratch\nARG URL\nADD ${address}/x.txt?sig=hush2&v=1 $URL /\nCOPY --from=more y /\n`,
  });
  const built = await s.build(
    context,
    "-t",
    "app:1",
    "--provenance=mode=max",
    "--build-context",
    `more=${s.folder}/named`,
    "--build-arg",
    `URL=${server.url}/y.txt?X-Amz-Signature=hush3`,
  );
  t.is(built.code, 0, built.stderr);
  const text = (await s.wbuild("inspect", "--format", "{{json .Provenance.SLSA}}", "app:1")).stdout;
  const { buildDefinition, runDetails } = JSON.parse(text);
  t.deepEqual(buildDefinition.resolvedDependencies, [
    { uri: `${server.url}/x.txt?…`, digest: { sha256: sha256("x") } },
    { uri: `${server.url}/y.txt?…`, digest: { sha256: sha256("x") } },
  ]);
  t.deepEqual(buildDefinition.externalParameters.request.locals, [
    { name: "context" },
    { name: "dockerfile" },
    { name: "more" },
  ]);
  t.false(runDetails.metadata.buildkit_completeness.resolvedDependencies);
  const source = Buffer.from(runDetails.metadata.buildkit_metadata.source.infos[0].data, "base64").toString();
  t.is(source.split("\n")[2], `ADD ${server.url}/x.txt?sig=xxxxx&v=1 $URL /`);
  t.notRegex(source, /hush/);
  t.notRegex(text, /hush/);
  t.notRegex(text, new RegExp(s.folder));
});

const gitTest = testUnless(noGit());

gitTest("a context from a repository is known by its commit, and is all that there was", async (t) => {
  const s = await scene(t);
  const folder = await gitFolder(t);
  const repository = await gitRepository(folder, "r");
  const commit = await repository.commit({ Dockerfile: "FROM wbuild.local/linux\nCOPY x /\n", x: "x" });
  const url = `${await gitDaemon(t, folder)}/r`;
  const built = await s.build(url, "-t", "app:1", "--provenance=true");
  t.is(built.code, 0, built.stderr);
  const { buildDefinition, runDetails } = await json(s, "inspect", "--format", "{{json .Provenance.SLSA}}", "app:1");
  const { configSource, request } = buildDefinition.externalParameters;
  t.deepEqual(configSource, { uri: url, digest: { sha1: commit }, path: "Dockerfile" });
  t.is(request.locals, undefined);
  t.deepEqual(
    buildDefinition.resolvedDependencies.map(({ uri }: { uri: string }) => uri.split("?")[0]),
    [url, "pkg:docker/wbuild.local/linux@latest"],
  );
  t.like(runDetails.metadata, {
    buildkit_hermetic: true,
    buildkit_completeness: { request: true, resolvedDependencies: true },
  });
});

test("an output can ask for OCI artifacts", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", files);
  t.is(
    (await s.build(context, "-o", "type=oci,dest=layout,tar=false,name=app:1,oci-artifact=true", "--sbom=true")).code,
    0,
  );
  const blob = async (digest: string) =>
    JSON.parse(await readFile(join(s.folder, "layout/blobs/sha256", digest.slice(7)), "utf8"));
  const [top] = JSON.parse(await readFile(join(s.folder, "layout/index.json"), "utf8")).manifests;
  const { manifests }: Index = await blob(top.digest);
  const manifest = await blob(manifests[1]?.digest ?? "");
  t.is(manifest.artifactType, "application/vnd.docker.attestation.manifest.v1+json");
  t.is(manifest.subject.digest, manifests[0]?.digest);
});

test("another scanner's image is refused, and why is said", async (t) => {
  const s = await scene(t, { base: false });
  const { code, stderr } = await s.build(
    await s.files("context", files),
    "--sbom=generator=docker/buildkit-syft-scanner",
  );
  t.is(code, 2);
  t.regex(stderr, /runs no scanner image/);
});

const status = "/var/lib/dpkg/status";
testUnless(existsSync(status) ? undefined : "this host has no dpkg")(
  "dpkg lists of this host what our reader lists",
  (t) => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders.
    const format = "${Package} ${Version} ${Architecture} ${db:Status-Status}\n";
    const listed = execFileSync("dpkg-query", ["-W", "-f", format], { encoding: "utf8" })
      .split("\n")
      .filter((line) => line.endsWith(" installed"));
    const found = readDpkg(readFileSync(status, "utf8"), status).map(
      (one) => `${one.name} ${one.version} ${one.architecture} installed`,
    );
    t.deepEqual(found.sort(), listed.sort());
  },
);

const windows = testUnless(noWindows());

windows("Windows: what an installer wrote to the registry is in the list", async (t) => {
  const s = await scene(t, { base: "windows" });
  const key = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\Big";
  const context = await s.files("context", {
    Dockerfile: `# escape=\`\nFROM wbuild.local/windows\nRUN reg add ${key} /v DisplayName /d "Big Tool" && reg add ${key} /v DisplayVersion /d 4.2\n`,
  });
  const built = await s.build(context, "-t", "app:1", "--sbom=true");
  t.is(built.code, 0, built.stderr);
  const { packages } = readSpdx(await json(s, "sbom", "app:1"));
  t.is(
    packages.find(({ primaryPackagePurpose }) => primaryPackagePurpose === "OPERATING-SYSTEM")?.name.slice(0, 7),
    "Windows",
  );
  t.is(packages.find(({ name }) => name === "Big Tool")?.versionInfo, "4.2");
});

/** A hive with the key Microsoft, whose record begins with other letters than every record does. */
function damagedHive(): Buffer {
  const root = new KeyTree("ROOT");
  root.setSubkey(new KeyTree("Microsoft"));
  const bytes = Buffer.from(writeHive(hiveOf(root)));
  const name = bytes.indexOf("Microsoft");
  bytes.write("xx", bytes.lastIndexOf("nk", name));
  return bytes;
}

for (const [what, hive, said] of [
  ["is no registry", Buffer.from("no hive at all"), /the SBOM may lack something: the registry cannot be read/],
  ["is damaged", damagedHive(), /the SBOM may lack something: .*\/SOFTWARE is damaged and read as far as it can be/],
] as const)
  test(`Windows: that a registry ${what} is told beside the list and in it`, async (t) => {
    const s = await scene(t, { base: false });
    const context = await s.files("context", {
      Dockerfile: "FROM scratch\nCOPY hive /Windows/System32/config/SOFTWARE\n",
      hive,
    });
    const built = await s.build(context, "--platform", "windows/amd64", "-t", "app:1", "--sbom=true");
    t.is(built.code, 0, built.stderr);
    t.regex(built.stderr, said);
    const listed = await s.wbuild("sbom", "--scan", "app:1");
    t.regex(listed.stderr, said);
    t.truthy(readSpdx(JSON.parse(listed.stdout)).comment);
  });
