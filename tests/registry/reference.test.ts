/** Image references: docker's normal forms, and what is refused. */
import test from "ava";
import { isWbuildError } from "../../native/error.ts";
import { formatReference, isLocalOnly, parseReference } from "../../registry/reference.ts";

const hex = "0123456789abcdef".repeat(4);

const cases: [text: string, normal: string, familiar: string][] = [
  ["alpine", "docker.io/library/alpine:latest", "alpine:latest"],
  ["alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"],
  ["library/alpine", "docker.io/library/alpine:latest", "alpine:latest"],
  ["docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"],
  ["index.docker.io/team/app:1", "docker.io/team/app:1", "team/app:1"],
  ["a/b", "docker.io/a/b:latest", "a/b:latest"],
  ["localhost/app", "localhost/app:latest", "localhost/app:latest"],
  ["localhost:5000/app:1", "localhost:5000/app:1", "localhost:5000/app:1"],
  ["127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c:latest", "127.0.0.1:5000/a/b/c:latest"],
  ["[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"],
  ["Registry/app", "Registry/app:latest", "Registry/app:latest"],
  [`alpine@sha256:${hex}`, `docker.io/library/alpine@sha256:${hex}`, `alpine@sha256:${hex}`],
  [`ghcr.io/o/n:1@sha256:${hex}`, `ghcr.io/o/n:1@sha256:${hex}`, `ghcr.io/o/n:1@sha256:${hex}`],
  [
    "mcr.microsoft.com/windows/nanoserver:ltsc2022",
    "mcr.microsoft.com/windows/nanoserver:ltsc2022",
    "mcr.microsoft.com/windows/nanoserver:ltsc2022",
  ],
  ["a__b/c.d-e---f", "docker.io/a__b/c.d-e---f:latest", "a__b/c.d-e---f:latest"],
  ["wbuild.local/linux", "wbuild.local/linux:latest", "wbuild.local/linux:latest"],
  ["docker.io/library/localhost/x", "docker.io/library/localhost/x:latest", "docker.io/library/localhost/x:latest"],
];
for (const [text, normal, familiar] of cases)
  test(`reference ${text}`, (t) => {
    const reference = parseReference(text);
    t.is(formatReference(reference), normal);
    t.is(formatReference(reference, { familiar: true }), familiar);
    t.deepEqual(parseReference(normal), reference);
    t.deepEqual(parseReference(familiar), reference);
  });

const refused: [text: string, message: RegExp][] = [
  ["", /it is empty/],
  ["Alpine", /repository names are lower case/],
  ["team/App", /repository names are lower case/],
  ["a//b", /empty part/],
  ["a/../b", /"\.\." is not part of a repository name/],
  ["../../etc/passwd", /is not a host name/],
  ["-a", /not part of a repository name/],
  ["a_-b", /not part of a repository name/],
  ["a:", /is not a tag/],
  ["a:-x", /is not a tag/],
  [`a:${"x".repeat(129)}`, /is not a tag/],
  ["a@sha256:abc", /64 lower-case hexadecimal digits/],
  [`a@sha512:${hex}${hex}`, /64 lower-case hexadecimal digits/],
  ["host:99999/a", /is not a host name/],
  ["host..name/a", /is not a host name/],
  ["user@host.test/a", /64 lower-case hexadecimal digits/],
  ["https://host.test/a", /is not a host name/],
  [hex, /is an image id|are an image id/],
  ["host.test/", /names no repository/],
  [`${"a".repeat(300)}`, /longer than 255/],
  ["x".repeat(1000), /longer than 512/],
  ["a\u001b[2jb", /is not part of a repository name/],
];
for (const [text, message] of refused)
  test(`refused reference ${JSON.stringify(text.slice(0, 40))}`, (t) => {
    const error = t.throws(() => parseReference(text), { message });
    t.true(isWbuildError(error, "REG_REFERENCE"));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not reach a terminal
    t.notRegex(String(error), /[\u0000-\u001f]/);
  });

test("wbuild.local is for this host only", (t) => {
  t.true(isLocalOnly(parseReference("wbuild.local/linux")));
  t.false(isLocalOnly(parseReference("wbuild.local.example.org/linux")));
});
