/** The parts of a PE file that exports are made of (Microsoft, "PE Format"). The bytes may be anything: every offset is checked. */
import { WbuildError } from "../error.ts";

/** Addresses (`rva`) count from where the file is loaded, the others from the file's start. */
export interface Section {
  /** Of its entry in the section table. */
  readonly header: number;
  readonly rva: number;
  readonly virtualSize: number;
  readonly file: number;
  readonly fileSize: number;
}

export interface PeImage {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** File offset of the PE header. */
  readonly header: number;
  readonly sections: readonly Section[];
  /** File offset of the export entry among the data directories. */
  readonly exportDirectory: number;
  /** Size 0 when nothing is exported. */
  readonly exports: { readonly rva: number; readonly size: number };
  /** File offsets of the tables; what they hold is not checked. */
  readonly functions: { readonly at: number; readonly count: number };
  readonly names: { readonly at: number; readonly count: number };
  readonly ordinals: number;
  /** File offset of `length` bytes at an address; undefined when the file does not have them. */
  offset(rva: number, length: number): number | undefined;
}

const dosHeader = 64;
const fileHeader = 24;
const sectionHeader = 40;
const exportHeader = 40;

/** Throws WIN_PATCH for what is no 64-bit PE file with whole headers and export tables. */
export function readPe(bytes: Uint8Array): PeImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < dosHeader || view.getUint16(0, true) !== 0x5a4d) throw damaged("it is no program");
  const header = view.getUint32(0x3c, true);
  if (header + fileHeader > bytes.length || view.getUint32(header, true) !== 0x4550) throw damaged("it is no program");
  const optional = header + fileHeader;
  const table = optional + view.getUint16(header + 20, true);
  const count = view.getUint16(header + 6, true);
  if (table + count * sectionHeader > bytes.length || optional + 120 > table) throw damaged("its headers are cut off");
  if (view.getUint16(optional, true) !== 0x20b) throw damaged("it is no 64-bit program");
  const sections = Array.from({ length: count }, (_, index) => readSection(view, table + index * sectionHeader));
  const exportDirectory = optional + 112;
  const hasExports = view.getUint32(optional + 108, true) > 0;
  const rva = hasExports ? view.getUint32(exportDirectory, true) : 0;
  const size = hasExports && rva !== 0 ? view.getUint32(exportDirectory + 4, true) : 0;
  const offset = (at: number, length: number) => offsetOf(bytes, sections, at, length);
  const tables = size === 0 ? noTables : readTables(view, rva, offset);
  return { bytes, view, header, sections, exportDirectory, exports: { rva, size }, ...tables, offset };
}

const noTables = { functions: { at: 0, count: 0 }, names: { at: 0, count: 0 }, ordinals: 0 };

/** The section that an address lies in. */
export function sectionOf(pe: PeImage, rva: number): Section | undefined {
  return pe.exports.size === 0 ? undefined : pe.sections.find((section) => isInside(section, rva));
}

function isInside(section: Section, rva: number): boolean {
  return rva >= section.rva && rva - section.rva < section.fileSize;
}

function readSection(view: DataView, header: number): Section {
  const word = (at: number) => view.getUint32(header + at, true);
  return { header, virtualSize: word(8), rva: word(12), fileSize: word(16), file: word(20) };
}

function offsetOf(bytes: Uint8Array, sections: readonly Section[], rva: number, length: number): number | undefined {
  const section = sections.find((each) => isInside(each, rva));
  if (!section || rva - section.rva + length > section.fileSize) return undefined;
  const at = section.file + (rva - section.rva);
  return at + length > bytes.length ? undefined : at;
}

function readTables(view: DataView, rva: number, offset: PeImage["offset"]) {
  const at = offset(rva, exportHeader);
  if (at === undefined) throw damaged("its exports are outside of the file");
  const word = (place: number) => view.getUint32(at + place, true);
  const [functions, names] = [word(20), word(24)];
  const tables = [offset(word(28), functions * 4), offset(word(32), names * 4), offset(word(36), names * 2)] as const;
  const [functionsAt, namesAt, ordinals] = tables;
  if (functionsAt === undefined || namesAt === undefined || ordinals === undefined) {
    throw damaged("its exports are outside of the file");
  }
  return { functions: { at: functionsAt, count: functions }, names: { at: namesAt, count: names }, ordinals };
}

function damaged(why: string): WbuildError {
  return new WbuildError("WIN_PATCH", `a file of this host's Wine cannot be read: ${why}`, {
    facts: { why },
    hint: "install Wine anew, or one that wbuild knows: `wbuild doctor` names the one found",
  });
}
