/**
 * Host-side tools of Windows steps: `wbuild tools add` unpacks or copies one into the store's home, once; a step sees it
 * read-only (runtime/wine/tools.ts). No layer ever holds one.
 */
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { lockFileSync } from "../../native/addon/addon.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { toolName, toolNames, toolPlace, toolsFolder } from "../runtime/wine/tools.ts";

export interface Tool {
  readonly name: string;
  /** Host path. */
  readonly folder: string;
  /** Where steps find it: `C:\Tools\x`. */
  readonly place: string;
  readonly bytes: number;
}

/**
 * Takes an archive (zip, tar, also compressed) or a folder in; one of that name is replaced. A single folder at the top of
 * an archive is left out of the paths. Throws CLI_VALUE for a name or source that cannot be, WIN_ARCHIVE and LAYER_* for
 * archives, also hostile ones, WIN_TOOL for a PowerShell without pwsh.exe and for names that Windows cannot have.
 */
export async function addTool(home: string, name: string, source: string): Promise<Tool> {
  checkName(name);
  const info = statSync(source, { throwIfNoEntry: false });
  if (!info) throw new WbuildError("CLI_VALUE", `there is no ${source}`, { facts: { source } });
  const top = toolsFolder(home);
  mkdirSync(top, { recursive: true, mode: 0o700 });
  // Not a tool's name, so nobody sees what is unfinished.
  const making = join(top, `.making-${randomBytes(6).toString("hex")}`);
  const lock = lockFileSync(join(top, ".lock"), "exclusive");
  try {
    sweep(top);
    mkdirSync(making);
    if (info.isDirectory()) copyFolder(source, making);
    else await unpack(source, making);
    await checkNames(making);
    const content = stripTop(making);
    checkPowershell(name, content, source);
    const folder = join(top, name);
    rmSync(folder, { recursive: true, force: true });
    renameSync(content, folder);
    rmSync(making, { recursive: true, force: true });
    return describe(home, name);
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    throw error;
  } finally {
    lock.release();
  }
}

export function listTools(home: string): Tool[] {
  return toolNames(home).map((name) => describe(home, name));
}

/** Throws CLI_VALUE when there is none of that name. */
export function removeTool(home: string, name: string): void {
  checkName(name);
  const folder = join(toolsFolder(home), name);
  if (!existsSync(folder)) {
    throw new WbuildError("CLI_VALUE", `there is no tool ${name}`, { hint: "`wbuild tools list` lists them" });
  }
  rmSync(folder, { recursive: true, force: true });
}

function checkName(name: string): void {
  if (toolName.test(name)) return;
  throw new WbuildError("CLI_VALUE", `${JSON.stringify(name.slice(0, 100))} cannot be a tool's name`, {
    hint: "lower-case letters, digits, - and _, as powershell or seven-zip",
  });
}

/** What a killed process left: we hold the lock that it had. */
function sweep(top: string): void {
  for (const name of readdirSync(top)) {
    if (name.startsWith(".making-")) rmSync(join(top, name), { recursive: true, force: true });
  }
}

function describe(home: string, name: string): Tool {
  const folder = join(toolsFolder(home), name);
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += lstatSync(join(entry.parentPath, entry.name)).size;
  }
  return { name, folder, place: `C:\\${toolPlace(name).replaceAll("/", "\\")}`, bytes };
}

/** Files and folders; a link could lead to anything of the host, which the step would then see. */
function copyFolder(from: string, to: string): void {
  cpSync(from, to, {
    recursive: true,
    filter(path) {
      const info = lstatSync(path);
      if (info.isFile() || info.isDirectory()) return true;
      throw new WbuildError("WIN_TOOL", `${path} is no plain file: a tool for Windows has files and folders only`, {
        facts: { path },
      });
    },
  });
}

async function unpack(source: string, folder: string): Promise<void> {
  const { unpackLayer } = await import("../../layerfs/layer/unpack.ts");
  await using file = await open(source, "r");
  const head = Buffer.alloc(4);
  await file.read(head, 0, 4, 0);
  if (head.readUInt16LE(0) !== 0x4b50) {
    const options = { form: "plain", absoluteNames: "strip", privileged: false } as const;
    await unpackLayer({ path: source }, folder, options).catch((cause: unknown) => {
      if (!isWbuildError(cause, "LAYER_TRUNCATED") && !isWbuildError(cause, "LAYER_HEADER")) throw cause;
      throw new WbuildError("WIN_ARCHIVE", `${source} is neither a zip nor a whole tar`, { facts: { source }, cause });
    });
    return;
  }
  // As a tar: what refuses hostile names in layers refuses them here.
  const { zipAsTar } = await import("./zip-as-tar.ts");
  await unpackLayer({ bytes: zipAsTar(file) }, folder, { form: "plain", privileged: false });
}

/** The folder whose files are the tool's. */
function stripTop(folder: string): string {
  const names = readdirSync(folder);
  const [only] = names;
  return names.length === 1 && only !== undefined && lstatSync(join(folder, only)).isDirectory()
    ? stripTop(join(folder, only))
    : folder;
}

async function checkNames(folder: string): Promise<void> {
  const { foldPath, nameFault } = await import("../../layerfs/windows/names.ts");
  const seen = new Set<string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(folder.length + 1);
    const folded = foldPath(path);
    const fault =
      (entry.isFile() || entry.isDirectory() ? nameFault(entry.name) : "it is no plain file") ??
      (seen.has(folded) ? "another file has that name, but for its case" : undefined);
    seen.add(folded);
    if (fault === undefined) continue;
    throw new WbuildError("WIN_TOOL", `${JSON.stringify(path)} cannot be part of a tool for Windows: ${fault}`, {
      facts: { path },
    });
  }
  if (seen.size === 0) throw new WbuildError("WIN_TOOL", "it holds no files");
}

function checkPowershell(name: string, folder: string, source: string): void {
  if (name !== "powershell" || existsSync(join(folder, "pwsh.exe"))) return;
  throw new WbuildError("WIN_TOOL", `there is no pwsh.exe in ${source}`, {
    hint: "take the zip archive of PowerShell 7 for win-x64 (PowerShell-7.x.y-win-x64.zip)",
  });
}
