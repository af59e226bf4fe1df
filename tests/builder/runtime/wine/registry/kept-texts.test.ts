/** Registries that steps began with: made once, and never lost for a step that has one. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { keptTexts } from "../../../../../builder/runtime/wine/registry/kept-texts.ts";

const pieces =
  (...texts: string[]) =>
  (take: (piece: Uint8Array) => void) => {
    // Each lasts as long as its call.
    const piece = Buffer.alloc(20);
    for (const text of texts) take(piece.subarray(0, piece.write(text)));
  };

/** `begin(stamp)` gives what a step that begins with it finds, `made` how often something was made. */
function scene(t: ExecutionContext) {
  const top = mkdtempSync(join(tmpdir(), "wbuild-texts-"));
  t.teardown(() => rmSync(top, { recursive: true, force: true }));
  const folder = join(top, "sessions");
  let steps = 0;
  const s = {
    folder,
    made: 0,
    begin(stamp: string) {
      const into = join(top, `step${steps++}`);
      keptTexts(folder, stamp, into, () => {
        s.made++;
        return { system: pieces(stamp, " ", "system"), user: pieces("user"), userdef: pieces("user", "def") };
      });
      return () => ["system", "user", "userdef"].map((name) => readFileSync(join(into, name), "latin1"));
    },
  };
  return s;
}

test("the second step of a stamp gets what the first had made", (t) => {
  const s = scene(t);
  for (const stamp of ["a", "b", "a", "b"]) t.deepEqual(s.begin(stamp)(), [`${stamp} system`, "user", "userdef"]);
  t.is(s.made, 2);
});

test("eight are kept, the latest used; a step keeps its own", (t) => {
  const s = scene(t);
  const first = s.begin("0");
  for (let i = 1; i <= 12; i++) s.begin(String(i));
  t.is(readdirSync(s.folder).length, 8);
  t.deepEqual(first(), ["0 system", "user", "userdef"]);
  t.is(s.made, 13);
});

test("what was kept in part is made anew", (t) => {
  const s = scene(t);
  s.begin("a");
  const [kept = ""] = readdirSync(s.folder);
  rmSync(join(s.folder, kept, "userdef"));
  for (let i = 0; i < 2; i++) t.deepEqual(s.begin("a")(), ["a system", "user", "userdef"]);
  t.is(s.made, 2);
});
