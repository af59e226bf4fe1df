/** Definitions from elsewhere: which operands name one, and what the paths of its targets become. */
import test from "ava";
import fc from "fast-check";
import { argumentsOf } from "../../../builder/bake/arguments.ts";
import { bakeOperands, relocated } from "../../../builder/bake/elsewhere.ts";
import { checkPermissions } from "../../../builder/bake/permissions.ts";
import type { Target } from "../../../builder/bake/target.ts";
import { withToken } from "../../../builder/cli/bake-elsewhere.ts";
import type { Cli } from "../../../builder/cli/command.ts";
import { holds } from "../../doubles/holds.ts";

const git = "https://h.test/o/n.git#v1";
const operands: [operands: string[], expected: object][] = [
  [[], { context: "cwd://", names: [] }],
  [["app", "tool"], { context: "cwd://", names: ["app", "tool"] }],
  [[git], { url: git, context: "cwd://", names: [] }],
  [[git, "app"], { url: git, context: "cwd://", names: ["app"] }],
  [
    ["git@h.test:n", "ssh://git@h.test/m", "app"],
    { url: "git@h.test:n", context: "ssh://git@h.test/m", names: ["app"] },
  ],
  [["github.com/o/n", "a", git], { url: "github.com/o/n", context: "cwd://", names: ["a", git] }],
];
for (const [words, expected] of operands) {
  test(`operands: ${words.join(" ") || "none"}`, (t) => t.deepEqual(bakeOperands(words), expected as never));
}

const contexts: [url: string, path: string | undefined, expected: string][] = [
  [git, undefined, git],
  [git, ".", git],
  [git, "./sub/../", git],
  [git, "sub/x", "https://h.test/o/n.git#v1:sub/x"],
  [git, "/sub", "https://h.test/o/n.git#v1:sub"],
  [git, "../../../etc", "https://h.test/o/n.git#v1:etc"],
  ["https://h.test/n.git", "sub", "https://h.test/n.git#:sub"],
  ["https://h.test/n.git#v1:in", "sub", "https://h.test/n.git#v1:in/sub"],
  ["https://h.test/n.git#v1:in", "../x", "https://h.test/n.git#v1:in/x"],
  ["https://h.test/n.git?ref=v1&subdir=in", "sub", "https://h.test/n.git?ref=v1&subdir=in/sub"],
  ["git@h.test:n", "sub", "git@h.test:n#:sub"],
  ["https://h.test/x.tar", ".", "https://h.test/x.tar"],
  [git, "cwd://", "cwd://"],
  [git, "cwd://x", "cwd://x"],
  [git, "https://other.test/x.git", "https://other.test/x.git"],
  [git, "target:base", "target:base"],
  [git, "docker-image://alpine", "docker-image://alpine"],
];
for (const [url, path, expected] of contexts) {
  test(`${path ?? "no context"} of ${url} is ${expected}`, (t) => {
    const target = path === undefined ? {} : { context: path };
    t.is(relocated(target, url).context, expected);
    t.deepEqual(relocated({ contexts: { n: path ?? "." } }, url).contexts, { n: expected });
  });
}

test("a folder of a tar cannot be a context", (t) => {
  t.throws(() => relocated({ context: "sub" }, "https://h.test/x.tar"), { code: "BAKE_VALUE" });
});

test("whatever a foreign target calls its contexts, none is a path of this host", (t) => {
  const words = fc.constantFrom("..", ".", "/", "etc", "~", "$HOME", "#", ":", "?subdir=", "%2e%2e", "a", "\\", "C:");
  const path = fc.array(words, { maxLength: 8 }).map((parts) => parts.join(""));
  holds(
    t,
    fc.property(path, fc.constantFrom(git, "git@h.test:n", "https://h.test/n.git?subdir=in"), (text, url) => {
      const { context = "", contexts = {} } = relocated({ context: text, contexts: { n: text } }, url);
      checkPermissions(new Map([["a", { context, contexts }]]), { folder: "/nonexistent", allowed: [] });
      return context.startsWith(url.split(/[#?]/)[0] ?? "");
    }),
  );
});

test("a Dockerfile of this host, or of the file, goes through standard input to a context from elsewhere", (t) => {
  const file = (target: Target) => {
    const { args, input, inline } = argumentsOf(target, "/tmp/inline");
    return { file: args[1], input, inline };
  };
  t.deepEqual(file({ context: git }), { file: "Dockerfile", input: undefined, inline: undefined });
  t.deepEqual(file({ context: git, dockerfile: "cwd://own" }), {
    file: "-",
    input: { path: "own" },
    inline: undefined,
  });
  t.deepEqual(file({ context: git, "dockerfile-inline": "FROM a" }), { file: "-", input: {}, inline: "FROM a" });
  t.deepEqual(file({ "dockerfile-inline": "FROM a" }), { file: "/tmp/inline", input: undefined, inline: "FROM a" });
});

test("a Dockerfile of this host is asked for like any other file", (t) => {
  const target = { context: git, dockerfile: "cwd://../.ssh/id_rsa" };
  t.throws(() => checkPermissions(new Map([["a", target]]), { folder: "/work/project", allowed: [] }), {
    code: "BAKE_ALLOW",
  });
});

test("the token of a definition goes to contexts of its own host alone", (t) => {
  const cli = { env: { BUILDX_BAKE_GIT_AUTH_TOKEN: "t0ken" } } as unknown as Cli;
  const secrets = (context: string, url = git) => withToken({ context, secret: ["id=x"] }, url, cli).secret;
  t.deepEqual(secrets("https://h.test/other.git"), ["id=x", "id=GIT_AUTH_TOKEN.h.test,env=BUILDX_BAKE_GIT_AUTH_TOKEN"]);
  for (const context of ["https://evil.test/o/n.git", "https://h.test.evil.test/n.git", "cwd://", "git@h.test:n"])
    t.deepEqual(secrets(context), ["id=x"], context);
  t.deepEqual(secrets("git@h.test:n", "git@h.test:n"), ["id=x"]);
  t.deepEqual(withToken({ context: git }, git, { env: {} } as unknown as Cli), { context: git });
});
