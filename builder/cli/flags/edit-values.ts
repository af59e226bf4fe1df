/** Values of the flags that change a configuration: `K=V` sets, `K-` takes away, `-` takes all away. Pure. */
import type { CommandEdit, EntryEdit } from "../../mutate/config-edit.ts";
import { badValue } from "./values.ts";

/** `KEY=VALUE`, `KEY-`, `-`. Throws CLI_VALUE. */
export function parseEntry(flag: string, text: string): EntryEdit {
  if (text === "-") return {};
  const at = text.indexOf("=");
  if (at > 0) return { name: text.slice(0, at), value: text.slice(at + 1) };
  if (at < 0 && text.length > 1 && text.endsWith("-")) return { name: text.slice(0, -1) };
  throw badValue(flag, text, "of the form KEY=VALUE, KEY- or -");
}

/** `NAME`, `NAME-`, `-`. Throws CLI_VALUE. */
export function parseMember(flag: string, text: string): EntryEdit {
  if (text === "") throw badValue(flag, text, "a name, NAME- or -");
  if (text === "-") return {};
  return text.endsWith("-") ? { name: text.slice(0, -1) } : { name: text, value: "" };
}

/** A JSON array is the exec form, other text the shell form, as in a Dockerfile; nothing or [] takes it away. Throws CLI_VALUE. */
export function parseCommand(flag: string, text: string): CommandEdit {
  if (text.trim() === "") return [];
  if (!text.trimStart().startsWith("[")) return text;
  const words = wordsOf(text);
  if (words === undefined) throw badValue(flag, text, 'a JSON array of strings such as ["app","--serve"]');
  return words;
}

function wordsOf(text: string): readonly string[] | undefined {
  try {
    const words: unknown = JSON.parse(text);
    return Array.isArray(words) && words.every((word) => typeof word === "string" && !word.includes("\0"))
      ? words
      : undefined;
  } catch {
    return undefined;
  }
}
