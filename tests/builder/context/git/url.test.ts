import test from "ava";
import { type GitSource, parseGitUrl } from "../../../../builder/context/git/url.ts";
import { isWbuildError } from "../../../../native/error.ts";

const sound: [text: string, expected: Partial<GitSource>][] = [
  ["https://host/x.git", { remote: "https://host/x.git" }],
  ["http://host:8080/a/x.git#v1", { remote: "http://host:8080/a/x.git", ref: "v1" }],
  ["git://host/x", { remote: "git://host/x" }],
  ["ssh://git@host:22/a/x.git#main:sub", { remote: "ssh://git@host:22/a/x.git", ref: "main", subdir: "sub" }],
  ["git@host:a/x.git#refs/pull/1/head", { remote: "git@host:a/x.git", ref: "refs/pull/1/head" }],
  ["other@host.test:x#:sub/dir/", { remote: "other@host.test:x", subdir: "sub/dir" }],
  ["https://host/x.git#:../../etc", { subdir: "etc" }],
  ["https://host/x.git#main:a%20b", { ref: "main", subdir: "a b" }],
  ["https://user:secret@host/x.git", { remote: "https://user:secret@host/x.git", shown: "https://host/x.git" }],
  ["ssh://git:secret@host/x.git", { shown: "ssh://git@host/x.git" }],
  ["https://host/x.git?branch=dev&subdir=a", { remote: "https://host/x.git", ref: "refs/heads/dev", subdir: "a" }],
  ["https://host/x.git?tag=v1&keep-git-dir=1", { ref: "refs/tags/v1", keepGitDir: true }],
  ["https://host/x.git?keep-git-dir&submodules=false", { keepGitDir: true, submodules: false }],
  ["https://host/x.git?checksum=0123456789ABCDEF", { checksum: "0123456789abcdef", ref: "0123456789abcdef" }],
  ["https://host/x.git?ref=main#main", { ref: "main" }],
  ["git@host:x.git?ref=main", { remote: "git@host:x.git", ref: "main" }],
];
for (const [text, expected] of sound) test(`${text} is a repository`, (t) => void t.like(parseGitUrl(text), expected));

for (const text of [
  "",
  ".",
  "./x.git",
  "https://host/x.tar.gz",
  "https://host/x.git/more",
  "http://host/?x.git",
  "file:///x.git",
  "ext::sh -c x",
  "github.com/a/b",
  "host:x.git",
  "C:\\x.git",
])
  test(`${JSON.stringify(text)} is no repository`, (t) => t.is(parseGitUrl(text), undefined));

test("github.com/… is a repository where a context is meant", (t) => {
  t.like(parseGitUrl("github.com/a/b#main", { bare: true }), { remote: "https://github.com/a/b", ref: "main" });
});

for (const text of [
  "https://host/x.git#--upload-pack=touch",
  "https://host/x.git?ref=--output=x",
  "ssh://-oProxyCommand=x/y.git",
  "git@-oProxyCommand:y",
  "git@host:-x",
  "https://host/x.git#a..b",
  "https://host/x.git#a b",
  "https://host/x.git#a*",
  "https://host/x.git#main:a%00b",
  "https://host/x.git?what=1",
  "https://host/x.git?ref=",
  "https://host/x.git?ref=a&ref=b",
  "https://host/x.git?ref=a#b",
  "https://host/x.git?tag=a&branch=b",
  "https://host/x.git?keep-git-dir=perhaps",
  "https://host/x.git?checksum=main",
  "https://user:secret@ho st/x.git",
])
  test(`${text} is refused`, (t) => {
    const error = t.throws(() => parseGitUrl(text));
    t.true(isWbuildError(error, "CTX_GIT_URL"), String(error));
    t.false(`${error.message} ${JSON.stringify((error as { facts?: object }).facts)}`.includes("secret"));
  });
