/** Modules in programs of Go, in a file laid out as the linker does it and in one that is on many machines. */
import { existsSync, readFileSync } from "node:fs";
import test from "ava";
import { packageUrl } from "../../../../builder/attest/purl.ts";
import { readGoBuildInfo } from "../../../../builder/attest/scan/go-build-info.ts";
import { scanTree } from "../../../../builder/attest/scan/scan.ts";
import { testUnless } from "../../../doubles/test-unless.ts";
import { treeOf } from "../trees.ts";
import { goProgram } from "./go-program.ts";

const lines = [
  "path\texample.org/app/cmd/app",
  "mod\texample.org/app\t(devel)\t",
  "dep\tgithub.com/Some/Thing\tv1.2.3\th1:x=",
  "dep\texample.org/old\tv0.1.0\th1:x=",
  "=>\texample.org/new\tv0.2.0\th1:x=",
  "dep\texample.org/local\tv0.3.0",
  "=>\t./local\t",
  "build\t-compiler=gc",
];

test("modules, replaced ones by what took their place", (t) => {
  t.deepEqual(readGoBuildInfo(goProgram("go1.22.1 X:exp", lines)), {
    go: "1.22.1",
    main: { path: "example.org/app", version: "" },
    dependencies: [
      { path: "github.com/Some/Thing", version: "v1.2.3" },
      { path: "example.org/new", version: "v0.2.0" },
      { path: "example.org/local", version: "v0.3.0" },
    ],
  });
});

test("programs that a package of the distribution brought are not looked into", async (t) => {
  const program = goProgram("go1.22.1", lines);
  const tree = await treeOf(
    {
      "usr/bin/app": program,
      "usr/bin/owned": program,
      "usr/bin/script": "#!/bin/sh\n",
      "var/lib/dpkg/status": "Package: owned\nStatus: install ok installed\nVersion: 1\n",
      "var/lib/dpkg/info/owned.list": "/usr/bin/owned\n",
    },
    "linux",
    0o755,
  );
  const { packages } = await scanTree({ tree, os: "linux" }, new AbortController().signal);
  t.deepEqual(
    packages.map((one) => [packageUrl(one, undefined), one.files]),
    [
      ["pkg:deb/debian/owned@1", ["usr/bin/owned"]],
      ["pkg:golang/example.org/app", ["usr/bin/app"]],
      ["pkg:golang/example.org/local@v0.3.0", []],
      ["pkg:golang/example.org/new@v0.2.0", []],
      ["pkg:golang/github.com/some/thing@v1.2.3", []],
      ["pkg:golang/stdlib@1.22.1", []],
    ],
  );
});

testUnless(existsSync("/usr/bin/skopeo") ? undefined : "this host has no skopeo")("a real program: skopeo", (t) => {
  t.regex(readGoBuildInfo(readFileSync("/usr/bin/skopeo"))?.go ?? "", /^1\.\d+/);
});
