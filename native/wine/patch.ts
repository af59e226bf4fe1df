/**
 * Small changes to copies of Wine's own files, on bytes: what Wine only pretends to do is led to our programs instead.
 * Another Wine may look different: then nothing is changed, and the error says what was looked for.
 */
import { WbuildError } from "../error.ts";
import { type PeImage, readPe, type Section, sectionOf } from "./pe.ts";

/** Functions of kernelbase that wbuildlnk.dll stands in for, under the same names. */
export const forwardedFunctions: readonly string[] = [
  ...["CreateFileW", "CreateSymbolicLinkW", "DeleteFileA", "DeleteFileW"],
  ...["MoveFileExW", "MoveFileWithProgressW", "RemoveDirectoryA", "RemoveDirectoryW"],
];

/** Commands inside of cmd that programs of ours stand in for. */
export const hiddenCommands: readonly string[] = ["CHOICE", "MKLINK", "MOVE", "RD", "RMDIR"];

/**
 * The DLL with its export `name` forwarded to `target` ("dll.Function"; PE format, "Export Address Table": an address
 * inside of the export directory is a forwarder's text). The text goes behind the directory, into what its section has
 * left, and the function's own address (4 bytes, little-endian) behind its NUL: who stands in can still call it. Throws
 * WIN_PATCH when there is no such export, no room, or something else in the way.
 */
export function forwardExport(dll: Uint8Array, name: string, target: string): Uint8Array {
  const pe = readPe(dll);
  const { rva, size } = pe.exports;
  const section = sectionOf(pe, rva);
  if (!section) throw mismatch("it exports nothing");
  const slot = functionSlot(pe, name);
  const original = pe.view.getUint32(slot, true);
  if (original >= rva && original < rva + size) throw mismatch(`its export ${name} is forwarded already`);
  const text = Buffer.concat([Buffer.from(`${target}\0`, "latin1"), Buffer.alloc(4)]);
  text.writeUInt32LE(original, text.length - 4);
  const place = freeRoom(pe, section, text.length);
  const end = place + text.length;
  refuseInside(pe, rva + size, end);
  const patched = new Uint8Array(dll);
  const view = new DataView(patched.buffer, patched.byteOffset, patched.byteLength);
  patched.set(text, section.file + (place - section.rva));
  view.setUint32(slot, place, true);
  view.setUint32(pe.exportDirectory + 4, end - rva, true);
  view.setUint32(section.header + 8, Math.max(section.virtualSize, end - section.rva), true);
  return patched;
}

/** Address (RVA) of `length` unused bytes behind the section's content. */
function freeRoom(pe: PeImage, section: Section, length: number): number {
  const used = Math.max(section.virtualSize, pe.exports.rva + pe.exports.size - section.rva);
  const place = section.rva + used;
  const isTaken = pe.sections.some(
    (other) => other !== section && other.rva < place + length && other.rva + other.virtualSize > place,
  );
  const at = section.file + used;
  if (used + length > section.fileSize || at + length > pe.bytes.length || isTaken) {
    throw mismatch("its export section has no room left");
  }
  if (pe.bytes.subarray(at, at + length).some((byte) => byte !== 0))
    throw mismatch("the end of its export section is in use");
  return place;
}

/** A function that lies where the directory grows to would become a forwarder as well. */
function refuseInside(pe: PeImage, from: number, to: number): void {
  for (let index = 0; index < pe.functions.count; index++) {
    const address = pe.view.getUint32(pe.functions.at + 4 * index, true);
    if (address >= from && address < to) throw mismatch("a function lies right behind its export directory");
  }
}

/** File offset of the export's address. */
function functionSlot(pe: PeImage, name: string): number {
  const wanted = Buffer.from(`${name}\0`, "latin1");
  for (let index = 0; index < pe.names.count; index++) {
    const at = pe.offset(pe.view.getUint32(pe.names.at + 4 * index, true), wanted.length);
    if (at === undefined || wanted.compare(pe.bytes, at, at + wanted.length) !== 0) continue;
    const ordinal = pe.view.getUint16(pe.ordinals + 2 * index, true);
    if (ordinal >= pe.functions.count) break;
    return pe.functions.at + 4 * ordinal;
  }
  throw mismatch(`it has no export ${name}`);
}

/**
 * The command interpreter without its own command `name`: the entry in its table (UTF-16, NULs around it) becomes a word
 * that nobody can type, so that a program of that name is looked for. Throws WIN_PATCH unless there is exactly one.
 */
export function hideBuiltin(cmd: Uint8Array, name: string): Uint8Array {
  readPe(cmd);
  const entry = Buffer.from(`\0${name}\0`, "utf16le");
  const bytes = Buffer.from(cmd.buffer, cmd.byteOffset, cmd.byteLength);
  const first = bytes.indexOf(entry);
  if (first < 0) throw mismatch(`it has no built-in command ${name}`);
  if (bytes.indexOf(entry, first + 1) >= 0) throw mismatch(`${name} occurs more than once`);
  const hidden = new Uint8Array(cmd);
  // As long as before; a tab ends a word.
  hidden.set(Buffer.from("\t".repeat(name.length), "utf16le"), first + 2);
  return hidden;
}

function mismatch(why: string): WbuildError {
  return new WbuildError("WIN_PATCH", `a file of this host's Wine is not as expected: ${why}`, {
    facts: { why },
    hint: "this Wine is newer or older than those that wbuild knows: `wbuild doctor` names it",
  });
}
