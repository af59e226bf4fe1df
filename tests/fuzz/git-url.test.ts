/** URLs on hostile text: a repository that is taken never gives git an option, a control character or a way out. */
import test from "ava";
import fc from "fast-check";
import { parseGitUrl } from "../../builder/context/git/url.ts";
import { fileNameOf, parseHttpUrl } from "../../builder/context/remote-sources.ts";
import { withoutUrlSecrets } from "../../builder/diagnose/url-secrets.ts";
import { isWbuildError } from "../../native/error.ts";
import { holds } from "../doubles/holds.ts";

const runs = Number(process.env.FUZZ_RUNS ?? 2000);
const pieces = fc.constantFrom(
  "https://",
  "http://",
  "git://",
  "ssh://",
  "git@",
  "github.com/",
  "host",
  "-o",
  ":",
  "/",
  "..",
  ".git",
  "#",
  "?",
  "&",
  "=",
  "ref",
  "subdir",
  "checksum",
  "abcdef0",
  "%2e",
  "%2F",
  "%00",
  "%0a",
  "\n",
  "\u001b",
  " ",
  "user:pass@",
  "é",
  "--",
  "refs/",
);
const text = fc.oneof(
  fc.array(pieces, { maxLength: 14 }).map((parts) => parts.join("")),
  fc.string({ maxLength: 60 }),
);

test("a git URL is taken whole, refused, or none", (t) => {
  holds(
    t,
    fc.property(text, fc.boolean(), (url, bare) => {
      try {
        const found = parseGitUrl(url, { bare });
        if (!found) return;
        t.regex(found.remote, /^(https?|git|ssh):\/\/[^-]|^[\w-]+@[^-]/);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
        t.notRegex(`${found.remote}${found.ref ?? ""}${found.subdir ?? ""}`, /[\u0000-\u001f]/);
        t.notRegex(found.ref ?? "", /^-|\.\.|[*?[\\^~: ]/);
        t.false((found.subdir ?? "").split("/").includes(".."));
        if (/^(https?|git):/.test(found.shown))
          t.false(found.shown.includes("@") && new URL(found.shown).username !== "");
      } catch (error) {
        t.true(isWbuildError(error, "CTX_GIT_URL"), `${JSON.stringify(url)}: ${error}`);
      }
    }),
    { numRuns: runs },
  );
});

test("a file's name is one name", (t) => {
  holds(
    t,
    fc.property(text, (url) => {
      try {
        const found = parseHttpUrl(url);
        if (!found) return;
        const name = fileNameOf(found);
        t.false(name === "" || name === "." || name === ".." || /[/\0]/.test(name));
      } catch (error) {
        t.true(isWbuildError(error, "CTX_FETCH"));
      }
    }),
    { numRuns: runs },
  );
});

test("a password of a URL leaves no text", (t) => {
  holds(
    t,
    fc.property(
      fc.stringMatching(/^[a-z0-9:%!$&*+,;=._~-]{1,20}$/),
      fc.constantFrom("http", "https", "git"),
      (pass, scheme) => {
        const secret = `S3CRET${pass}`;
        t.is(withoutUrlSecrets(`ADD ${scheme}://u:${secret}@host/x /`), `ADD ${scheme}://host/x /`);
      },
    ),
    { numRuns: 200 },
  );
});
