/**
 * Puts chain.S into a copy of Wine's cmd.exe: without it `a && b` runs b whether a succeeded or not, and so does `a || b`. The
 * places are found by cmd's own symbols and the instructions around them; where they look different nothing is changed.
 */
import { WbuildError } from "../error.ts";
import { type PeImage, readPe } from "./pe.ts";

/** Numbers are bytes; undefined is any byte. */
type Pattern = readonly (number | undefined)[];

const any = undefined;
/** test rbx,rbx; je; mov rcx,[rbx]; test esi,esi; jne */
const listLoop: Pattern = [0x48, 0x85, 0xdb, 0x74, any, 0x48, 0x8b, 0x0b, 0x85, 0xf6, 0x75];
/** mov rbx,[rbx+0x10]; mov [rsp+0x70],rbx; jmp */
const listStep: Pattern = [0x48, 0x8b, 0x5b, 0x10, 0x48, 0x89, 0x5c, 0x24, 0x70, 0xeb];
/** test rbx,rbx; je; test byte [r14],8; jne; mov rcx,[r15]; mov eax,[rcx+0x18]; sub eax,1; cmp eax,1; jbe */
const partLoop: Pattern = [
  ...[0x48, 0x85, 0xdb, 0x0f, 0x84, any, any, any, any, 0x41, 0xf6, 0x06, 0x08, 0x75, any],
  ...[0x49, 0x8b, 0x0f, 0x8b, 0x41, 0x18, 0x83, 0xe8, 0x01, 0x83, 0xf8, 0x01, 0x76],
];
/** Where in these the hooks go: instead of `mov rcx,[rbx]; test esi,esi` and `mov eax,[rcx+0x18]; sub eax,1`. */
const listHook = 5;
const partHook = 18;
/** Of chain.S: three distances to be filled in, and where its two hooks are. */
const header = 20;
const call = 0xe8;
const nop = 0x90;

/** `code` is chain.S, compiled. Throws WIN_PATCH where cmd has no symbols or other code. */
export function chainCommands(cmd: Uint8Array, code: Uint8Array): Uint8Array {
  const pe = readPe(cmd);
  const symbols = readSymbols(pe);
  const list = find(pe, symbols.get("WCMD_process_commands"), listLoop);
  const part = find(pe, symbols.get("WCMD_part_execute"), partLoop);
  find(pe, symbols.get("WCMD_process_commands"), listStep);
  const errorlevel = symbols.get("errorlevel");
  if (errorlevel === undefined || code.length < header) throw mismatch("it has no errorlevel");
  const place = makeRoom(pe, list, code.length);
  const patched = new Uint8Array(cmd);
  const view = new DataView(patched.buffer, patched.byteOffset, patched.byteLength);
  patched.set(code, place.at);
  for (const [index, target] of [errorlevel, list, part].entries()) {
    view.setInt32(place.at + 4 * index, target - place.rva, true);
  }
  const hook = (from: number, slot: number) => {
    const at = pe.offset(from, 5) ?? 0;
    patched[at] = call;
    view.setInt32(at + 1, place.rva + view.getUint32(place.at + slot, true) - (from + 5), true);
    return at + 5;
  };
  hook(list + listHook, 12);
  // The second place is a byte longer than a call.
  patched[hook(part + partHook, 16)] = nop;
  view.setUint32(place.section.header + 8, place.rva + code.length - place.section.rva, true);
  return patched;
}

/** Name → address of the functions and variables in the symbol table (PE format, "COFF Symbol Table"). */
function readSymbols(pe: PeImage): Map<string, number> {
  const { view, bytes } = pe;
  const [table, count] = [view.getUint32(pe.header + 12, true), view.getUint32(pe.header + 16, true)];
  const texts = table + count * 18;
  const symbols = new Map<string, number>();
  if (table === 0 || texts > bytes.length) throw mismatch("it has no symbols");
  for (let index = 0; index < count; index++) {
    const at = table + index * 18;
    const section = pe.sections[view.getInt16(at + 12, true) - 1];
    if (section) symbols.set(nameAt(pe, at, texts), section.rva + view.getUint32(at + 8, true));
    index += view.getUint8(at + 17);
  }
  return symbols;
}

function nameAt({ view, bytes }: PeImage, at: number, texts: number): string {
  const isShort = view.getUint32(at, true) !== 0;
  const from = isShort ? at : texts + view.getUint32(at + 4, true);
  // As long as the longest of those that are looked for, and then some.
  const text = Buffer.from(bytes.subarray(from, isShort ? at + 8 : from + 64)).toString("latin1");
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/** Address of the only place with these bytes at the begin of a function. */
function find(pe: PeImage, start: number | undefined, pattern: Pattern): number {
  const reach = 0x200;
  const at = start === undefined ? undefined : pe.offset(start, reach + pattern.length);
  if (start === undefined || at === undefined) throw mismatch("a function of it is missing");
  const found: number[] = [];
  for (let from = 0; from < reach; from++) {
    if (pattern.every((byte, index) => byte === undefined || pe.bytes[at + from + index] === byte)) found.push(from);
  }
  if (found.length !== 1 || found[0] === undefined) throw mismatch("its code is not what is known");
  return start + found[0];
}

/** Behind the section's content, in what the file has of it: unused, and executable as the rest is. */
function makeRoom(pe: PeImage, inside: number, length: number) {
  const section = pe.sections.find(({ rva, fileSize }) => inside >= rva && inside - rva < fileSize);
  const used = section ? Math.ceil(section.virtualSize / 16) * 16 : 0;
  const at = section ? section.file + used : 0;
  const isTaken = pe.sections.some(
    (other) => section && other !== section && other.rva < section.rva + used + length && other.rva > section.rva,
  );
  if (!section || used + length > section.fileSize || at + length > pe.bytes.length || isTaken) {
    throw mismatch("its code section has no room left");
  }
  if (pe.bytes.subarray(at, at + length).some((byte) => byte !== 0)) throw mismatch("the end of its code is in use");
  return { section, at, rva: section.rva + used };
}

function mismatch(why: string): WbuildError {
  return new WbuildError("WIN_PATCH", `this host's cmd.exe is not as expected: ${why}`, {
    facts: { why },
    hint: "this Wine is newer or older than those that wbuild knows: `wbuild doctor` names it",
  });
}
