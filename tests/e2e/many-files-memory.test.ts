/** Memory of images of many files that are changed or compared without a build: none keeps an object for each file. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { member, tarOf } from "../layerfs/layer/workbench.ts";
import { peakOf } from "./peak-memory.ts";
import { ok } from "./registry-shop.ts";
import { scene } from "./scene.ts";

/** With an object for each of 60,000, most of these commands took 190 to 340 MB; a process that does nothing takes 60. */
const files = 50_000;
const half = files / 2;

/** Files in folders of forty, as package managers lay them. */
function tar(from: number, to: number): Buffer {
  return tarOf(
    ...Array.from({ length: to - from }, (_, i) => {
      const number = from + i;
      const name = `srv/app/node_modules/package-${Math.floor(number / 40)}/lib/module-${number}.js`;
      return member({ name, type: "0", body: `export const v${number} = ${number};\n` });
    }),
  );
}

test("what changes or compares images of many files stays below 150 MB", async (t) => {
  const s = await scene(t, { base: false });
  const [lower, upper] = [join(s.folder, "lower.tar"), join(s.folder, "upper.tar")];
  await writeFile(lower, tar(0, half));
  await writeFile(upper, tar(half - 500, files));
  await ok(t, s, "append", "-f", lower, "-t", "base");
  await ok(t, s, "append", "-b", "base", "-f", upper, "-t", "app");
  for (const args of [
    ["append", "-b", "base", "-f", upper, "--path", "/opt", "-t", "placed"],
    ["flatten", "app", "-t", "flat"],
    ["squash", "app", "--base", "base", "-t", "squashed"],
    ["export", "-o", join(s.folder, "out.tar"), "app"],
    ["diff", "app"],
    ["diff", "base", "app"],
  ]) {
    const most = await peakOf(t, s, ...args);
    t.log(`${args[0]}: ${most.toFixed(0)} MB`);
    t.true(most > 20 && most < 150, `${args[0]} took ${most} MB`);
  }
});
