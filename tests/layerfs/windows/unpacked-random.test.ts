/** The tree of unpacked Windows layers is what overlayfs makes of their folders, whatever the layers hold. */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { folderTree } from "../../../layerfs/tree/folder.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";
import { isWbuildError } from "../../../native/error.ts";
import { gather } from "../../contracts/blob-store.ts";
import { noRoot, testUnless } from "../../doubles/test-unless.ts";
import { isFuzzing } from "../../seed.ts";
import { type Member, scratch } from "../layer/workbench.ts";
import { file, folder, treeOf, type Unpacked, unpack } from "./unpacked-workbench.ts";

/** Few names, several spellings, in any order: what no exporter writes. */
const name = fc.constantFrom("a", "A", "b", "B");
const below = fc.array(name, { maxLength: 2 }).map((parts) => ["Files", ...parts].join("/"));
const anyMember: fc.Arbitrary<Member[]> = fc.oneof(
  fc.tuple(below, name).map(([at, last]) => [folder(`${at}/${last}`)]),
  fc.tuple(below, name, fc.nat(99)).map(([at, last, body]) => [file(`${at}/${last}`, `${body}`)]),
  // A whiteout alone would leave open whether its folder is there.
  fc.tuple(below, name).map(([at, last]) => [...foldersTo(at), file(`${at}/.wh.${last}`, "")]),
);

/** Deletions, of what lies higher first, then the rest. */
function rank(members: readonly Member[]): number {
  const path = String(members.at(-1)?.name);
  return path.includes(".wh.") ? path.split("/").length : 100;
}

function foldersTo(path: string): Member[] {
  const parts = path.split("/");
  return parts.map((_, i) => folder(parts.slice(0, i + 1).join("/")));
}

testUnless(noRoot)("random layers: the tree is what overlayfs mounts of the folders", async (t) => {
  const layers = fc.array(fc.array(anyMember, { maxLength: 7 }), { minLength: 1, maxLength: 3 });
  let seen = 0;
  await fc.assert(
    fc.asyncProperty(layers, async (all) => {
      const top = await scratch(t);
      const made: Unpacked[] = [];
      for (const members of all) {
        // Deletions first: the unpacker takes them in the tar's order, the tree before all else.
        members.sort((a, b) => rank(a) - rank(b));
        try {
          made.push(await unpack(t, made, [folder("Files"), ...members.flat()]));
        } catch (error) {
          // A file below a file, in one spelling.
          if (isWbuildError(error)) return;
          throw error;
        }
      }
      seen++;
      const [mounted, nothing] = [join(top, "mounted"), join(top, "nothing")];
      mkdirSync(mounted);
      mkdirSync(nothing);
      const lower = [...made.map((one) => one.folder).reverse(), nothing].join(":");
      execFileSync("mount", ["-t", "overlay", "overlay", "-o", `lowerdir=${lower}`, mounted]);
      try {
        const model = async (tree: Tree) => {
          const lines: string[] = [];
          for (const entry of await tree.walk("")) {
            const body = entry.type === "file" ? String(await gather(tree.read(entry))) : "";
            lines.push(`${entry.type} ${entry.path} ${body}`);
          }
          return lines;
        };
        const [shown, there] = [await model(await treeOf(made)), await model(folderTree(mounted))];
        if (shown.join("\n") !== there.join("\n")) throw new Error(`tree: ${shown}\nmounted: ${there}`);
      } finally {
        execFileSync("umount", ["-l", mounted]);
      }
    }),
    { numRuns: isFuzzing ? 600 : 40 },
  );
  t.true(seen > 20);
});
