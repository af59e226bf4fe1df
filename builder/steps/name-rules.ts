/** How the system of an image finds and compares names: what Placement must know of it. */
import type { Entry } from "../../layerfs/layer/entry.ts";
import { resolveUnix } from "../../layerfs/tree/unix-path.ts";
import { resolveWindows } from "../../layerfs/tree/windows-path.ts";
import { checkWindowsPath, foldPath } from "../../layerfs/windows/names.ts";
import { WbuildError } from "../../native/error.ts";

export interface NameRules {
  /** Equal for paths that are one. */
  key(path: string): string;
  /** As Placement.locate. */
  locate(stat: (path: string) => Promise<Entry | undefined>, path: string, lastToo: boolean): Promise<string>;
  /** Refuses a path that cannot be; `shown` is where the file comes from. Throws WIN_NAME. */
  check(path: string, shown: string): void;
  /** A copied folder gives one that is there its attributes. */
  readonly dressesFolders: boolean;
}

export const linuxRules: NameRules = {
  key: (path) => path,
  locate: async (stat, path, lastToo) => (await resolveUnix(stat, path, lastToo, { missing: "keep" })) ?? "",
  check() {},
  dressesFolders: true,
};

/** Folders that are there stay as they are: a copy to C:\ must not give Windows' own folders other owners and rights. */
export const windowsRules: NameRules = {
  key: foldPath,
  async locate(stat, path, lastToo) {
    const found = await resolveWindows(stat, path, lastToo, { missing: "keep" });
    if (found !== undefined) return found;
    throw new WbuildError("WIN_PATH", `${JSON.stringify(path)} leads through a link to another drive or share`, {
      facts: { path },
      hint: "an image holds drive C: only",
    });
  },
  check: checkWindowsPath,
  dressesFolders: false,
};
