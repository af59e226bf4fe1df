/**
 * SDDL, the text of security descriptors (MS-DTYP 2.5.1), both ways. Abbreviations that need a domain, entries with object
 * ids and conditions are refused: no file of an image has them from us.
 */
import { WbuildError } from "../../native/error.ts";
import { type Ace, type Acl, isPlainAce, type SecurityDescriptor } from "./security.ts";
import { encodeSid } from "./sid.ts";

const maxText = 64 * 1024;

/** Accounts that are the same on every Windows. */
const accounts = new Map(
  Object.entries({
    WD: "S-1-1-0",
    CO: "S-1-3-0",
    CG: "S-1-3-1",
    OW: "S-1-3-4",
    NU: "S-1-5-2",
    IU: "S-1-5-4",
    SU: "S-1-5-6",
    AN: "S-1-5-7",
    ED: "S-1-5-9",
    PS: "S-1-5-10",
    AU: "S-1-5-11",
    RC: "S-1-5-12",
    SY: "S-1-5-18",
    LS: "S-1-5-19",
    NS: "S-1-5-20",
    BA: "S-1-5-32-544",
    BU: "S-1-5-32-545",
    BG: "S-1-5-32-546",
    PU: "S-1-5-32-547",
    AO: "S-1-5-32-548",
    SO: "S-1-5-32-549",
    PO: "S-1-5-32-550",
    BO: "S-1-5-32-551",
    RE: "S-1-5-32-552",
    RU: "S-1-5-32-554",
    RD: "S-1-5-32-555",
    NO: "S-1-5-32-556",
    MU: "S-1-5-32-558",
    LU: "S-1-5-32-559",
    AC: "S-1-15-2-1",
    WR: "S-1-5-33",
    LW: "S-1-16-4096",
    ME: "S-1-16-8192",
    HI: "S-1-16-12288",
    SI: "S-1-16-16384",
  }),
);
const accountNames = new Map([...accounts].map(([name, sid]) => [sid, name]));

const rights: Readonly<Record<string, number>> = {
  GA: 0x10000000,
  GX: 0x20000000,
  GW: 0x40000000,
  GR: 0x80000000,
  FA: 0x1f01ff,
  FR: 0x120089,
  FW: 0x120116,
  FX: 0x1200a0,
  KA: 0xf003f,
  KR: 0x20019,
  KW: 0x20006,
  KX: 0x20019,
  SD: 0x10000,
  RC: 0x20000,
  WD: 0x40000,
  WO: 0x80000,
  CC: 0x1,
  DC: 0x2,
  LC: 0x4,
  SW: 0x8,
  RP: 0x10,
  WP: 0x20,
  DT: 0x40,
  LO: 0x80,
  CR: 0x100,
};
/** Labels have rights of their own, with the same numbers as others. */
const labelRights: Readonly<Record<string, number>> = { NW: 1, NR: 2, NX: 4 };
const wholes = ["FA", "FR", "FW", "FX", "GA", "GR", "GW", "GX"] as const;

const types = new Map(Object.entries({ A: 0, D: 1, AU: 2, AL: 3, ML: 0x11 }));
const typeNames = new Map([...types].map(([name, type]) => [type, name]));
const flagBits = { OI: 1, CI: 2, NP: 4, IO: 8, ID: 0x10, SA: 0x40, FA: 0x80 } as const;
/** Control bits of an ACL: protected, to be inherited, inherited. */
const daclBits = { P: 0x1000, AR: 0x100, AI: 0x400 } as const;
const saclBits = { P: 0x2000, AR: 0x200, AI: 0x800 } as const;
const openDacl = 0x0004;

/** Throws WIN_SDDL, with what was not understood. */
export function parseSddl(text: string): SecurityDescriptor {
  if (text.length > maxText) throw bad(text, "is too long");
  const out: { -readonly [K in keyof SecurityDescriptor]: SecurityDescriptor[K] } = { control: 0 };
  const seen = new Set<string>();
  let rest = text.trim();
  while (rest !== "") {
    const part = /^([OGDS]):/.exec(rest)?.[1];
    if (part === undefined || seen.has(part)) throw bad(rest, "is not expected here");
    seen.add(part);
    rest = rest.slice(2);
    if (part === "O" || part === "G") {
      // A SID ends where the next part begins: two letters, or digits and dashes.
      const account = /^(?:S-1(?:-0x[0-9A-Fa-f]+)?[-0-9]*|[A-Z]{2})/.exec(rest)?.[0] ?? "";
      if (part === "O") out.owner = sidOf(account);
      else out.group = sidOf(account);
      rest = rest.slice(account.length);
    } else {
      const { flags, open, acl, length } = parseAcl(rest, part === "D" ? daclBits : saclBits);
      out.control |= flags;
      if (part === "D" && open) out.control |= openDacl;
      else if (part === "D") out.dacl = acl;
      else out.sacl = acl;
      rest = rest.slice(length);
    }
  }
  return out;
}

/** Text that parseSddl reads back. Throws WIN_SDDL for entries that have no text here (object ids, conditions). */
export function formatSddl(descriptor: SecurityDescriptor): string {
  const { control, owner, group, dacl, sacl } = descriptor;
  let out = "";
  if (owner !== undefined) out += `O:${accountNames.get(owner) ?? owner}`;
  if (group !== undefined) out += `G:${accountNames.get(group) ?? group}`;
  if (dacl !== undefined) out += `D:${flagsText(control, daclBits)}${dacl.aces.map(formatAce).join("")}`;
  else if (control & openDacl) out += `D:${flagsText(control, daclBits)}NO_ACCESS_CONTROL`;
  if (sacl !== undefined) out += `S:${flagsText(control, saclBits)}${sacl.aces.map(formatAce).join("")}`;
  return out;
}

/** The SID of an abbreviation, or of a SID's text itself. Throws WIN_SDDL, WIN_SECURITY. */
export function sidOf(account: string): string {
  const sid = accounts.get(account);
  if (sid !== undefined) return sid;
  if (!account.startsWith("S-")) throw bad(account, "is no account that every Windows has");
  encodeSid(account);
  return account;
}

function parseAcl(text: string, bits: Readonly<Record<"P" | "AR" | "AI", number>>) {
  const head = /^((?:P|AR|AI)*)(NO_ACCESS_CONTROL)?/.exec(text);
  let flags = 0;
  for (const [flag] of (head?.[1] ?? "").matchAll(/P|AR|AI/g)) flags |= bits[flag as "P" | "AR" | "AI"];
  let length = head?.[0].length ?? 0;
  const aces: Ace[] = [];
  while (text[length] === "(") {
    const end = text.indexOf(")", length);
    if (end < 0) throw bad(text.slice(length), "is never closed");
    aces.push(parseAce(text.slice(length + 1, end)));
    length = end + 1;
  }
  const acl: Acl = { revision: 2, aces };
  return { flags, open: head?.[2] !== undefined, acl, length };
}

function parseAce(text: string): Ace {
  const fields = text.split(";").map((field) => field.trim());
  const [typeName = "", flagNames = "", mask = "", object, inheritedObject, account = ""] = fields;
  const type = types.get(typeName);
  if (type === undefined || fields.length !== 6) throw bad(`(${text})`, "is an entry of a form that is not supported");
  if (object !== "" || inheritedObject !== "") throw bad(`(${text})`, "has object ids, which files do not have");
  let flags = 0;
  for (const name of pairs(flagNames)) flags |= bitOf(flagBits, name);
  return { type, flags, mask: maskOf(mask, type), sid: sidOf(account) };
}

function maskOf(text: string, type: number): number {
  if (/^(?:0[xX][0-9a-fA-F]{1,8}|\d{1,10})$/.test(text) && Number(text) <= 0xffffffff) return Number(text);
  let mask = 0;
  for (const name of pairs(text)) mask |= bitOf(type === 0x11 ? labelRights : rights, name);
  return mask >>> 0;
}

function pairs(text: string): string[] {
  if (text.length % 2 !== 0) throw bad(text, "is no row of two-letter words");
  return text.match(/../gs) ?? [];
}

function bitOf(table: Readonly<Record<string, number>>, name: string): number {
  const bit = Object.hasOwn(table, name) ? table[name] : undefined;
  if (bit === undefined) throw bad(name, "is not known");
  return bit;
}

function formatAce(ace: Ace): string {
  const { flags, sid, type } = ace;
  const name = typeNames.get(type);
  const unknown = flags & ~Object.values(flagBits).reduce((a, b) => a | b, 0);
  if (name === undefined || !isPlainAce(type) || ace.rest !== undefined || unknown !== 0) {
    throw bad(`an entry of type ${type}`, "has no text here");
  }
  return `(${name};${flagsText(flags, flagBits)};${maskText(ace)};;;${accountNames.get(sid) ?? sid})`;
}

function flagsText(value: number, bits: Readonly<Record<string, number>>): string {
  const names = Object.entries(bits).filter(([, bit]) => value & bit);
  return names.map(([name]) => name).join("");
}

function maskText({ mask, type }: Ace): string {
  const whole = type === 0x11 ? undefined : wholes.find((name) => rights[name] === mask);
  return whole ?? `0x${mask.toString(16)}`;
}

function bad(text: string, why: string): WbuildError {
  return new WbuildError("WIN_SDDL", `in a security descriptor's text, ${JSON.stringify(text.slice(0, 100))} ${why}`, {
    hint: "the form is O:BAG:SYD:(A;;FA;;;BA)",
  });
}
