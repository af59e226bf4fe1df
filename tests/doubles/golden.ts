/** Compares text with a file below tests/golden/. `WBUILD_GOLDEN=write` writes it instead. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ExecutionContext } from "ava";

const folder = fileURLToPath(new URL("../golden/", import.meta.url));

export function golden(t: ExecutionContext, name: string, actual: string): void {
  const path = join(folder, name);
  if (process.env.WBUILD_GOLDEN === "write") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, actual);
    t.pass();
    return;
  }
  if (!existsSync(path)) {
    t.fail(`tests/golden/${name} is missing: npm run golden writes it`);
    return;
  }
  t.is(
    actual,
    readFileSync(path, "utf8"),
    `tests/golden/${name} differs: npm run golden writes it anew; review the diff`,
  );
}
