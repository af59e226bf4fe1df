/** Compares text with a file below tests/golden/. `WBUILD_GOLDEN=write` writes it instead. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ExecutionContext } from "ava";

const top = fileURLToPath(new URL("../../", import.meta.url));

/** `name` is relative to tests/golden/. */
export function golden(t: ExecutionContext, name: string, actual: string): void {
  goldenFile(t, `tests/golden/${name}`, actual);
}

/** The same for a file elsewhere in the checkout, such as a page of docs/ that is generated. */
export function goldenFile(t: ExecutionContext, name: string, actual: string): void {
  const path = join(top, name);
  if (process.env.WBUILD_GOLDEN === "write") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, actual);
    t.pass();
    return;
  }
  if (!existsSync(path)) {
    t.fail(`${name} is missing: npm run golden writes it`);
    return;
  }
  t.is(actual, readFileSync(path, "utf8"), `${name} differs: npm run golden writes it anew; review the diff`);
}
