/** Finds a busybox on this host that runs in any root, and asks it what it can do. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { WbuildError } from "../../native/error.ts";

const run = promisify(execFile);

const places = ["/bin/busybox", "/usr/bin/busybox", "/bin/busybox.static", "/usr/lib/busybox/busybox-static"];

export interface Busybox {
  readonly bytes: Uint8Array;
  /** "BusyBox v1.35.0 (…)". */
  readonly version: string;
  readonly applets: readonly string[];
}

/** Throws IMG_NO_BUSYBOX when this host has none, or only one that needs shared libraries. */
export async function findBusybox(candidates: readonly string[] = places): Promise<Busybox> {
  const dynamic: string[] = [];
  for (const path of candidates) {
    const bytes = await readFile(path).catch(() => undefined);
    if (bytes === undefined) continue;
    if (!isStaticElf(bytes)) {
      dynamic.push(path);
      continue;
    }
    const options = { env: {}, timeout: 10_000 };
    const [{ stdout: list }, { stdout: about }] = await Promise.all([
      run(path, ["--list-full"], options),
      run(path, [], options),
    ]);
    const version = /^(BusyBox v\S+(?: \([^)]*\))?)/.exec(about)?.[1] ?? "BusyBox";
    return { bytes, version, applets: list.split("\n").filter((line) => line !== "") };
  }
  throw new WbuildError(
    "IMG_NO_BUSYBOX",
    dynamic.length > 0
      ? `${dynamic[0]} needs shared libraries, the base needs a busybox without any`
      : "the base is made from busybox, and this host has none",
    {
      facts: { tried: candidates, dynamic },
      hint: "install the package busybox-static (Debian, Ubuntu), then try again",
    },
  );
}

/** True for an ELF program that names no interpreter (System V ABI, "Program Header": PT_INTERP is 3). */
export function isStaticElf(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 64 || view.getUint32(0) !== 0x7f454c46) return false;
  const wide = bytes[4] === 2;
  const little = bytes[5] === 1;
  const table = wide ? Number(view.getBigUint64(32, little)) : view.getUint32(28, little);
  const size = view.getUint16(wide ? 54 : 42, little);
  const count = view.getUint16(wide ? 56 : 44, little);
  if (size === 0 || count === 0 || table + size * count > bytes.length) return false;
  for (let i = 0; i < count; i++) if (view.getUint32(table + i * size, little) === 3) return false;
  return true;
}
