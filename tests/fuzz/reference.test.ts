/** References: whatever text comes, parsing ends with its own error or with a form that says the same again. */
import test from "ava";
import fc from "fast-check";
import { isWbuildError } from "../../native/error.ts";
import { formatReference, parseReference } from "../../registry/reference.ts";
import { parseChallenges } from "../../registry/transport/challenge.ts";
import { Redactor } from "../../registry/transport/redact.ts";
import { holds } from "../doubles/holds.ts";

/** Text made of what references are made of, so that many are nearly right. */
const near = fc
  .array(
    fc.constantFrom(
      "a",
      "b0",
      "library",
      "docker.io",
      "localhost",
      ":",
      "/",
      "@",
      ".",
      "..",
      "-",
      "_",
      "__",
      "A",
      "5000",
      "sha256:",
      "f".repeat(64),
      "latest",
      "[::1]",
      "\u0000",
      "é",
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(""));

test("parse never throws anything but REG_REFERENCE, and its result survives printing", (t) => {
  holds(
    t,
    fc.property(fc.oneof(near, fc.string({ maxLength: 600 }), fc.string({ unit: "binary", maxLength: 50 })), (text) => {
      let parsed: ReturnType<typeof parseReference>;
      try {
        parsed = parseReference(text);
      } catch (error) {
        return isWbuildError(error, "REG_REFERENCE");
      }
      for (const familiar of [true, false]) {
        const printed = formatReference(parsed, { familiar });
        if (JSON.stringify(parseReference(printed)) !== JSON.stringify(parsed)) return false;
      }
      // Parts become URLs and file names.
      return !/(^|\/)\.{1,2}(\/|$)|\/\//.test(parsed.repository) && /^[\w.\-:[\]]+$/.test(parsed.registry);
    }),
    { numRuns: 3000 },
  );
});

test("a challenge of any text gives a list, soon", (t) => {
  const parts = fc.constantFrom("Bearer", "Basic", " ", ",", "=", '"', "\\", "realm", "https://x/", "\t", "é");
  const text = fc.oneof(
    fc.string({ maxLength: 2000 }),
    fc.array(parts, { maxLength: 300 }).map((list) => list.join("")),
  );
  holds(
    t,
    fc.property(text, (header) => {
      const start = performance.now();
      const found = parseChallenges(header);
      return Array.isArray(found) && performance.now() - start < 2000;
    }),
    { numRuns: 1500 },
  );
});

test("what the redactor learned is never in what it lets pass", (t) => {
  holds(
    t,
    fc.property(
      fc.string({ minLength: 6, maxLength: 40 }),
      fc.array(fc.string(), { maxLength: 5 }),
      (secret, around) => {
        // A secret inside the very marks that replace it cannot be told from them.
        fc.pre(!"… ".includes(secret) && secret.trim() === secret && !/[\p{Cc}…]/u.test(secret));
        const redactor = new Redactor();
        redactor.learn(secret);
        return !redactor.clean(around.join(secret), 10_000).includes(secret) || around.join("").includes(secret);
      },
    ),
    { numRuns: 1500 },
  );
});
