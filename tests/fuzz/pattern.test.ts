/** Wildcards of COPY and ADD come from foreign Dockerfiles; file names from foreign archives. */
import test from "ava";
import fc from "fast-check";
import { matchName } from "../../layerfs/tree/match.ts";
import { resolveUnix } from "../../layerfs/tree/unix-path.ts";
import { isWbuildError } from "../../native/error.ts";

test("match: any pattern answers or says TREE_PATTERN; a name escaped matches itself", (t) => {
  const text = fc.string({
    unit: fc.constantFrom("a", "b", "-", "[", "]", "^", "*", "?", "\\", "☺", "\udc80"),
    maxLength: 12,
  });
  fc.assert(
    fc.property(text, text, (pattern, name) => {
      try {
        matchName(pattern, name);
      } catch (error) {
        t.true(isWbuildError(error, "TREE_PATTERN"), String(error));
      }
      t.true(matchName([...name].map((one) => `\\${one}`).join(""), name));
    }),
  );
});

test("paths of links from foreign layers never leave the root and always come to an end", async (t) => {
  const part = fc.constantFrom("a", "b", "..", ".", "", "c/../..", "/a");
  const target = fc.array(part, { maxLength: 5 }).map((parts) => parts.join("/"));
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.constantFrom("a", "b", "a/a", "a/b"), target), target, async (links, path) => {
      const stat = async (at: string) => {
        t.notRegex(at, /(^|\/)(\.\.?|)(\/|$)/, "only clean paths are asked for");
        const link = Object.hasOwn(links, at) ? links[at] : undefined;
        return link === undefined ? ({ type: "directory" } as const) : ({ type: "symlink", target: link } as const);
      };
      try {
        const found = await resolveUnix(stat, path, true);
        t.notRegex(found ?? "", /(^|\/)\.\.?(\/|$)|^\/|\/$/);
      } catch (error) {
        t.true(isWbuildError(error, "TREE_LOOP"), String(error));
      }
    }),
    { numRuns: 300 },
  );
});
