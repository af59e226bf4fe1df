/**
 * Host-side tools of Windows steps, as `wbuild tools add` keeps them in the store: mounted read-only for the step, found
 * through PATH, never part of a layer.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Mount } from "../../../native/core/spec.ts";
import { topmost } from "./layer-files.ts";

/** A folder a tool, called as the tool is. */
export function toolsFolder(home: string): string {
  return join(home, "tools");
}

/** What a tool's name can be: a folder's name for Linux and for Windows. */
export const toolName = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** Where a step sees a tool, below C: with slashes. PowerShell has the place where its own installer puts it. */
export function toolPlace(name: string): string {
  return name === "powershell" ? "Program Files/PowerShell/7" : `Tools/${name}`;
}

export interface ToolMounts {
  readonly mounts: readonly Mount[];
  /** Folders for PATH, as Windows spells them. */
  readonly path: readonly string[];
}

/**
 * For a step on these unpacked layers (bottom first). `home` is $WBUILD_HOME. A PowerShell that the image brings stays
 * what it is: ours would hide it.
 */
export async function toolMounts(home: string, folders: readonly string[] = []): Promise<ToolMounts> {
  const isHidden = (name: string) =>
    name === "powershell" && topmost(folders, `Files/${toolPlace(name)}/pwsh.exe`) !== undefined;
  const names = toolNames(home).filter((name) => !isHidden(name));
  return {
    mounts: names.map((name) => ({
      kind: "bind",
      source: join(toolsFolder(home), name),
      target: `/Files/${toolPlace(name)}`,
      readonly: true,
    })),
    path: names.map((name) => `C:\\${toolPlace(name).replaceAll("/", "\\")}`),
  };
}

/** Sorted. What is not a tool's name is something unfinished. */
export function toolNames(home: string): string[] {
  try {
    return readdirSync(toolsFolder(home))
      .filter((name) => toolName.test(name))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
