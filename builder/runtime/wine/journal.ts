/**
 * What our Windows programs noted during a step because Wine cannot keep it: links as Windows knows them, and changes of
 * owners and access. Any program of the step can write this file, so nothing of it is believed before it is checked.
 */
import { WbuildError } from "../../../native/error.ts";

export interface LinkNote {
  readonly kind: "link";
  readonly type: "file" | "directory" | "junction";
  /** Below C:, with slashes. */
  readonly path: string;
  /** As it was given, with backslashes. */
  readonly target: string;
}

export type AclVerb =
  | "grant"
  | "grant-replace"
  | "deny"
  | "remove"
  | "remove-grant"
  | "remove-deny"
  | "inheritance"
  | "reset";

export interface AclNote {
  readonly kind: "acl";
  readonly verb: AclVerb;
  readonly path: string;
  readonly tree: boolean;
  /** SID or account name; of `inheritance` e(nable), d(isable) or r(emove); of `reset` empty. */
  readonly principal: string;
  readonly mask: number;
  /** ACE flags. */
  readonly flags: number;
}

export interface OwnerNote {
  readonly kind: "owner";
  readonly path: string;
  readonly tree: boolean;
  readonly principal: string;
}

/** A change that Wine does not keep, and that nobody asks for twice: it is told. */
export interface LostNote {
  readonly kind: "lost";
  /** `HKU\\S-1-5-19`. */
  readonly key: string;
}

export type Note = LinkNote | AclNote | OwnerNote | LostNote;

const verbs: ReadonlySet<string> = new Set<AclVerb>([
  ...(["grant", "grant-replace", "deny", "remove"] as const),
  ...(["remove-grant", "remove-deny", "inheritance", "reset"] as const),
]);
const linkTypes: ReadonlySet<string> = new Set(["file", "directory", "junction"]);
const mostNotes = 1_000_000;
const longestField = 32_767 * 3;

/** Reads the journal of a step: UTF-8 lines, fields between tabs, percent escapes. Throws WIN_JOURNAL with the line. */
export function readJournal(text: string): Note[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  if (lines.length > mostNotes) throw bad(mostNotes + 1, "it has more lines than any step needs");
  return lines.map((line, index) => noteOf(line.replace(/\r$/, "").split("\t"), index + 1));
}

function noteOf(raw: readonly string[], line: number): Note {
  const fields = raw.map((field) => decode(field, line));
  const [kind = "", second = "", third = "", fourth = "", fifth = "", mask = "", flags = ""] = fields;
  switch (kind) {
    case "link":
      if (fields.length !== 4 || !linkTypes.has(second) || fourth === "") throw bad(line, "it is no link");
      return { kind, type: second as LinkNote["type"], path: pathOf(third, line), target: fourth };
    case "acl":
      if (fields.length !== 7 || !verbs.has(second)) throw bad(line, "it is no change of access");
      return {
        ...{ kind, verb: second as AclVerb, path: pathOf(third, line), tree: treeOf(fourth, line), principal: fifth },
        ...{ mask: numberOf(mask, line), flags: numberOf(flags, line) & 0xff },
      };
    case "owner":
      if (fields.length !== 4 || fourth === "") throw bad(line, "it is no change of an owner");
      return { kind, path: pathOf(second, line), tree: treeOf(third, line), principal: fourth };
    case "lost":
      if (fields.length !== 2 || second === "") throw bad(line, "it names no key");
      return { kind, key: second };
    default:
      throw bad(line, "it is of no known kind");
  }
}

/** `C:\a\b` → `a/b`. Attack: a path with `..` would name files outside of the image. */
function pathOf(text: string, line: number): string {
  const match = /^(?:\\\\\?\\|\\\?\?\\)?[Cc]:[\\/](.*)$/s.exec(text);
  const parts = (match?.[1] ?? "").split(/[\\/]+/).filter((part) => part !== "" && part !== ".");
  if (!match || parts.some((part) => part === ".." || part.includes("\0"))) throw bad(line, "its path is not on C:");
  return parts.join("/");
}

function treeOf(text: string, line: number): boolean {
  if (text !== "tree" && text !== "one") throw bad(line, "it says neither tree nor one");
  return text === "tree";
}

function numberOf(text: string, line: number): number {
  if (!/^(?:0x)?[0-9a-f]{1,8}$/i.test(text)) throw bad(line, "a number is none");
  return Number.parseInt(text.replace(/^0x/i, ""), 16);
}

function decode(field: string, line: number): string {
  if (field.length > longestField) throw bad(line, "a field is too long");
  return field.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function bad(line: number, why: string): WbuildError {
  return new WbuildError("WIN_JOURNAL", `line ${line} of the step's journal cannot be used: ${why}`, {
    facts: { line },
    hint: "a program of the step has written to the journal of wbuild's own programs",
  });
}
