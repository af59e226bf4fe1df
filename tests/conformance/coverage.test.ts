/** Every keyword, flag, mount option and error code of the language has a case. */
import { readFileSync } from "node:fs";
import test from "ava";
import { keywords } from "../../builder/dockerfile/keywords.ts";
import { codes } from "../../builder/explain/codes.ts";
import type { Case } from "./case.ts";
import { tables } from "./tables.ts";

const all = tables.flatMap(({ cases }) => cases);
const lines = all.flatMap(({ file }) => file.map((line) => line.trim()));
/** Lines of builds that are to succeed. */
const good = all.filter(({ error }) => error === undefined).flatMap(({ file }) => file.map((line) => line.trim()));

/** Why a code has no case here: no Dockerfile in a folder leads to it. What does is tried in that file of tests. */
const elsewhere: Readonly<Record<string, readonly [why: string, test: string]>> = {
  DF_TOO_LARGE: [
    "a file of that size is refused before it is read; only a program can hand its text over",
    "builder/dockerfile/parse.test.ts",
  ],
  CTX_CHECKSUM: ["needs a server", "e2e/add-remote.test.ts"],
  CTX_GIT: ["needs a server", "e2e/add-remote.test.ts"],
  CTX_GIT_REF: ["needs a server", "e2e/add-remote.test.ts"],
  CTX_TOO_LARGE: ["needs a server", "builder/context/http-fetch.test.ts"],
  CTX_NO_GIT: ["needs a host without git", "e2e/add-remote.test.ts"],
  CTX_NONE: ["needs a lone Dockerfile on standard input", "e2e/contexts.test.ts"],
  CTX_NO_FOLDER: ["the folder is the command's", "e2e/contexts.test.ts"],
  CTX_TAR: ["needs a tar as context", "e2e/contexts.test.ts"],
  STEP_ACCOUNT: ["needs a process of Windows", "builder/runtime/wine/journal.test.ts"],
  TREE_HARDLINK: ["needs a layer that other programs wrote", "layerfs/tree/stacked.test.ts"],
  TREE_NO_CONTENT: ["needs a layer without its blob", "layerfs/tree/stacked.test.ts"],
};

/** Codes that a Dockerfile, or what it is built from, leads to. */
const ofDockerfiles = /^(?:DF|CTX|STEP|TREE)_|^IMG_PLATFORM/;

const beginsWith = (word: string, among: readonly string[]) =>
  among.some((line) => line.toUpperCase().startsWith(word) && /^\W|^$/.test(line.slice(word.length)));

for (const [keyword, { flags }] of Object.entries(keywords)) {
  test(`${keyword} has cases that succeed and that fail`, (t) => {
    t.true(beginsWith(keyword, good), "one that succeeds");
    const fails = (one: Case) => one.error !== undefined && beginsWith(keyword, one.file);
    t.true(keyword === "MAINTAINER" || all.some(fails), "one that fails");
  });
  for (const [flag, form] of Object.entries(flags)) {
    test(`${keyword} --${flag} has a case`, (t) => {
      const has = new RegExp(`^${keyword} (?:--\\S+ )*--${flag}${form === "boolean" ? "[= ]" : "="}`);
      t.true(lines.some((line) => has.test(line)));
    });
  }
}

const mountTypes = ["bind", "cache", "tmpfs", "secret", "ssh"];
const mountOptions = [
  ...["type", "from", "source", "src", "target", "dst", "destination", "readonly", "ro", "readwrite", "rw"],
  ...["id", "sharing", "required", "size", "mode", "uid", "gid", "env"],
];
const mounts = lines.flatMap((line) => line.match(/--mount=\S+/g) ?? []).map((flag) => flag.slice("--mount=".length));
for (const type of mountTypes) {
  test(`RUN --mount=type=${type} has a case`, (t) => {
    t.true(mounts.some((mount) => mount.split(",").includes(`type=${type}`)));
  });
}
for (const option of mountOptions) {
  test(`RUN --mount has a case with ${option}`, (t) => {
    t.true(mounts.some((mount) => mount.split(",").some((field) => field.split("=")[0] === option)));
  });
}

for (const code of Object.keys(codes).filter((name) => ofDockerfiles.test(name))) {
  test(`${code} has a case`, (t) => {
    const [why, file] = elsewhere[code] ?? [];
    const isHere = all.some(({ error }) => error === code);
    t.is(isHere, file === undefined, why);
    if (file !== undefined) t.true(readFileSync(new URL(`../${file}`, import.meta.url), "utf8").includes(code), file);
  });
}

test("no two cases of a table have one name, and there are many", (t) => {
  const names = tables.flatMap(({ about, cases }) => cases.map(({ name }) => `${about}: ${name}`));
  t.deepEqual(
    names.filter((name, i) => names.indexOf(name) !== i),
    [],
  );
  t.true(names.length >= 250, String(names.length));
});
