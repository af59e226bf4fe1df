/** buildx as judge, where it needs no daemon: what we push with statements, and what we make of a bake file. */
import { join } from "node:path";
import { startRegistry } from "../doubles/docker-registry.ts";
import { peer, testWithPeers } from "../doubles/peers.ts";
import { scene } from "./scene.ts";

const buildx = peer("docker-buildx").program ?? "docker-buildx";
const testBuildx = testWithPeers("docker-buildx");

testBuildx("imagetools reads what is said about a pushed image, platform by platform, and copies it", async (t) => {
  await using registry = await startRegistry();
  const s = await scene(t);
  const context = await s.files("context", {
    Dockerfile: "FROM scratch\nCOPY package.json /app/node_modules/tool/package.json\n",
    "package.json": '{"name":"tool","version":"1.0.0","license":"MIT"}',
  });
  const name = `${registry.host}/team/app:1`;
  const flags = ["--sbom=true", "--provenance=mode=max", "--platform", "linux/amd64,linux/arm64"];
  const built = await s.build(context, "-t", name, "--push", ...flags);
  t.is(built.code, 0, built.stderr);
  const inspect = (...args: string[]) => s.tool(buildx, "imagetools", "inspect", ...args);

  const text = await inspect(name);
  t.regex(text, /Platform: +linux\/amd64/);
  t.regex(text, /Platform: +linux\/arm64/);
  t.is(text.split("vnd.docker.reference.type:").length, 3, text);
  t.is((await inspect("--raw", name)).trim(), (await s.wbuild("inspect", "--raw", name)).stdout.trim());
  for (const platform of ["linux/amd64", "linux/arm64"]) {
    const packages = `{{range (index .SBOM "${platform}").SPDX.packages}}{{.name}} {{.versionInfo}},{{end}}`;
    t.regex(await inspect("--format", packages, name), /\btool 1\.0\.0,/);
    const about = JSON.parse(await inspect("--format", `{{json (index .Provenance "${platform}").SLSA}}`, name));
    t.is(about.buildDefinition.externalParameters.request.frontend, "dockerfile.v0");
    t.is(about.buildDefinition.internalParameters.builderPlatform, "linux/amd64");
    t.is(
      JSON.parse(await inspect("--format", `{{json (index .Image "${platform}").Architecture}}`, name)),
      platform.slice(6),
    );
  }

  const copy = `${registry.host}/team/copy:1`;
  await s.tool(buildx, "imagetools", "create", "--progress", "quiet", "-t", copy, "--annotation", "index:a=b", name);
  const raw = JSON.parse(await inspect("--raw", copy));
  t.deepEqual(raw.annotations, { a: "b" });
  t.is(raw.manifests.length, 4);
  t.is((await s.wbuild("pull", "-q", copy)).code, 0);
  t.regex((await s.wbuild("inspect", "--format", "{{index .Config.Env 0}}", copy)).stdout, /^PATH=/);
});

const definition = `
variable "TAG" { default = "v1" }
variable "LIST" { default = ["a", "b"] }
function "named" {
  params = [name]
  result = "reg.example/\${name}:\${TAG}"
}
group "default" { targets = ["matrix", "app"] }
target "_base" {
  labels    = { a = "b" }
  args      = { X = "1", NONE = null }
  platforms = ["linux/amd64", "linux/arm64"]
}
target "app" {
  inherits          = ["_base"]
  context           = "context"
  tags              = [named("app"), TAG != "v1" ? "other" : "local:1"]
  secret            = [{ id = "b", env = "B" }]
  cache-from        = ["type=registry,ref=a/b", "user/app:cache", { type = "local", src = "/c" }]
  cache-to          = ["type=inline", { type = "registry", ref = "x/y", mode = "max" }]
  output            = ["type=docker", { type = "local", dest = "./o" }, "./out", "type=image,name=foo,push=true"]
  attest            = ["type=provenance,mode=max", { type = "sbom" }]
  contexts          = { foo = "target:inline", bar = "docker-image://x" }
  no-cache-filter   = ["one"]
  shm-size          = "128m"
  ulimits           = ["nofile=1024:1024"]
  network           = "host"
  entitlements      = ["network.host"]
  annotations       = ["index,manifest:k=v"]
  extra-hosts       = { a = "1.2.3.4" }
  pull              = true
  no-cache          = false
  description       = "all there is"
  target            = "two"
}
target "inline" { dockerfile-inline = "FROM scratch\\nCOPY . /\\n" }
target "matrix" {
  name   = "m-\${sanitize(v.n)}-\${item}"
  matrix = { v = [{ n = "1.0" }, { n = "2.0" }], item = ["x", "y"] }
  args = {
    V    = v.n
    ALL  = join(",", LIST)
    UP   = upper(item)
    HASH = sha256("x")
    YEAR = formatdate("YYYY", "2020-01-01T00:00:00Z")
    JSON = jsonencode({ a = 1 })
    F    = format("%05.2f", 1.5)
    R    = regex_replace("abc", "b", "x")
  }
}
`;

const asked: readonly (readonly string[])[] = [
  ["--print"],
  ["--print", "matrix"],
  ["--print", "m-1_0-x", "inline"],
  ["--print", "app", "--set", "app.args.X=9", "--set", "*.platform=linux/arm64"],
  ["--print", "inline", "--push"],
  ["--print", "app", "--provenance=false", "--sbom=true"],
  ["--list=type=targets,format=json"],
  ["--list=type=variables,format=json"],
];

/** buildx has no fixed order for what a matrix makes. */
function settled(printed: string): string {
  const found: { readonly group?: Readonly<Record<string, { targets: string[] }>> } = JSON.parse(printed);
  for (const group of Object.values(found.group ?? {})) group.targets.sort();
  return JSON.stringify(found, null, 2);
}

testBuildx("bake makes of a file what buildx makes of it, key by key", async (t) => {
  const s = await scene(t, { base: false });
  const cwd = await s.files("bake", { "docker-bake.hcl": definition, "context/Dockerfile": "FROM scratch\n" });
  const file = join(cwd, "docker-bake.hcl");
  for (const args of asked) {
    const theirs = await s.tool(buildx, "bake", "--progress", "quiet", "-f", file, ...args);
    const ours = await s.wbuildWith({ cwd }, "bake", "-f", file, ...args);
    t.is(settled(ours.stdout), settled(theirs), `${args.join(" ")} ${ours.stderr}`);
  }
});
