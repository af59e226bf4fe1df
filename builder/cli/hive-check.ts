/** What is wrong with a file of `wbuild hive check`, as data and in words. */
import type { HiveKey } from "../../layerfs/hive/key.ts";
import { checkHive } from "../../layerfs/hive/regf/check.ts";
import { isWineText, readWineText } from "../../layerfs/hive/wine-text.ts";
import { isWbuildError } from "../../native/error.ts";
import { readWithLogs } from "./hive-files.ts";

export interface FileFinding {
  /** For people. */
  readonly text: string;
  /** For programs: offset, record, key … or line. */
  readonly [fact: string]: unknown;
}

/** Throws HIVE_FILE; what is wrong inside is a finding. */
export async function findingsOf(path: string): Promise<readonly FileFinding[]> {
  const { bytes, logs } = await readWithLogs(path);
  if (!isWineText(bytes))
    return checkHive(bytes, logs).map((finding) => {
      const { offset, record, what, key } = finding;
      const where = key === undefined ? "" : `${key.join("\\")}: `;
      return { text: `${where}${what} (${record} at offset 0x${offset.toString(16)})`, ...finding };
    });
  try {
    readAll(readWineText(bytes).root);
    return [];
  } catch (error) {
    if (!isWbuildError(error, "HIVE_WINE_TEXT")) throw error;
    return [{ text: error.message, what: error.message, ...error.facts }];
  }
}

/** The lines of a key are understood when it is asked. */
function readAll(key: HiveKey): void {
  key.values();
  for (const below of key.subkeys()) readAll(below);
}
