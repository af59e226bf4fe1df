import test from "ava";
import { isWbuildError } from "../../../native/error.ts";
import { parseSyncFile } from "../../../registry/sync/file.ts";

const digest = `sha256:${"0".repeat(64)}`;

test("everything that skopeo's form has", async (t) => {
  const list = await parseSyncFile(`
registry.example.com:
    images:
        busybox: []
        redis:
            - 1.0
            - "2.0"
            - "${digest}"
        team/empty:
    images-by-tag-regex:
        nginx: ^1\\.13\\.[12]-alpine-perl$
        other: (?i)LTS
    images-by-semver:
        alpine: ">= 3.12.0"
    credentials:
        username: john
        password: this is a secret
    tls-verify: false
    cert-dir: /home/john/certs
docker.io:
    images:
        alpine: [latest]
`);
  const [first, hub] = list;
  t.deepEqual(
    first?.images.map(({ repository, wanted, rule }) => [repository, wanted, rule !== undefined]),
    [
      ["busybox", [], false],
      ["redis", ["1.0", "2.0", digest], false],
      ["team/empty", [], false],
      ["nginx", [], true],
      ["other", [], true],
      ["alpine", [], true],
    ],
  );
  const rule = (name: string) => first?.images.find(({ repository }) => repository === name)?.rule;
  t.deepEqual(
    ["1.13.1-alpine-perl", "1.13.3-alpine-perl"].map((tag) => rule("nginx")?.(tag)),
    [true, false],
  );
  t.true(rule("other")?.("2024-lts"));
  t.true(rule("alpine")?.("3.20"));
  t.deepEqual(first?.credentials, { username: "john", password: "this is a secret" });
  t.deepEqual([first?.tlsVerify, first?.certDir, hub?.tlsVerify], [false, "/home/john/certs", true]);
  t.is(hub?.images[0]?.repository, "library/alpine");
});

for (const [what, text, words] of [
  ["no YAML", "a: [", /line 1/],
  ["an unknown member", "r.example:\n  image: {}", /r\.example/],
  ["no mapping", "- a", /not as expected/],
  ["a tag that is none", 'r.example: {images: {x: ["a b"]}}', /neither tag nor digest/],
  ["a repository that is none", "r.example: {images: {X: []}}", /no repository/],
  ["a tag in the name", "r.example: {images: {'x:1': []}}", /no repository/],
  ["a pattern that is none", "r.example: {images-by-tag-regex: {x: '['}}", /no regular expression/],
  ["a range that is none", "r.example: {images-by-semver: {x: newest}}", /no range/],
  ["a host that is none", "'a b': {images: {x: []}}", /no repository/],
  ["the same key twice", "r.example: {images: {x: [], x: []}}", /line 1/],
  [
    "a bomb of aliases",
    `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghij"
      .split("")
      .map((c, i) => `${c}: &${c} [${Array(9).fill(`*${"abcdefghi"[i]}`)}]`)
      .join("\n")}`,
    /aliases/,
  ],
] as const)
  test(`refused: ${what}`, async (t) => {
    const error = await t.throwsAsync(parseSyncFile(text));
    t.true(isWbuildError(error, "REG_SYNC_FILE"), String(error));
    t.regex(error?.message ?? "", words);
  });

test("no message quotes a password", async (t) => {
  const text = 'r.example: {images: {x: ["a b"]}, credentials: {username: u, password: hunter2-secret}}';
  const wrong = "r.example: {credentials: hunter2-secret}";
  const name = "'u:hunter2-secret@r.example': {images: {x: ['1']}}";
  for (const each of [text, wrong, name, `${text}\n: [`]) {
    const error = await t.throwsAsync(parseSyncFile(each));
    t.false(JSON.stringify([error?.message, (error as { facts?: object }).facts]).includes("hunter2"));
  }
});
