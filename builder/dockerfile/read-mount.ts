/** `RUN --mount=…` and `--device=…` → what they ask for, with BuildKit's defaults (Dockerfile reference, "RUN --mount"). */
import { posix } from "node:path";
import { nearest } from "../diagnose/nearest.ts";
import type { SourceText } from "../diagnose/source.ts";
import { csvFields, type Field } from "./csv-fields.ts";
import { dockerfileError, quoted } from "./errors.ts";
import type { Word } from "./instruction.ts";
import { parseBoolean, parseId, parseMode, parseSize } from "./mount-values.ts";
import { expandWord, type Lookup } from "./words.ts";

interface Common {
  /** The whole flag's value, for errors. */
  readonly word: Word;
}

/** Paths are as written: a target that is relative counts from the working folder, and none at all is that folder. */
export interface BindMount extends Common {
  readonly type: "bind";
  /** A stage, an image or a named context; absent: the build context. */
  readonly from?: Word;
  /** "" is the root of what it comes from. */
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
}

export interface CacheMount extends Common {
  readonly type: "cache";
  /** The target, cleaned, where none is given. */
  readonly id: string;
  readonly target: string;
  readonly sharing: "shared" | "private" | "locked";
  readonly readonly: boolean;
  /** What the folder begins with; absent: nothing. */
  readonly from?: Word;
  readonly source: string;
  /** Of the folder when it is made; absent: 0755, and root's. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

export interface TmpfsMount extends Common {
  readonly type: "tmpfs";
  readonly target: string;
  /** Absent: no limit of its own. */
  readonly sizeBytes?: number;
}

interface Owned extends Common {
  readonly id: string;
  readonly required: boolean;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** As a file, a variable, or both. */
export interface SecretMount extends Owned {
  readonly type: "secret";
  readonly target?: string;
  readonly env?: string;
}

export interface SshMount extends Owned {
  readonly type: "ssh";
  readonly target: string;
}

export type Mount = BindMount | CacheMount | TmpfsMount | SecretMount | SshMount;

export interface MountOptions {
  /** Of the image. On Windows a secret has no usual place. */
  readonly os?: string;
  /** How many ssh mounts the instruction has before this one: it is in the name of the socket. */
  readonly sshIndex?: number;
}

const types = ["bind", "cache", "tmpfs", "secret", "ssh"] as const;
const sharings = ["shared", "private", "locked"] as const;
const aliases: Readonly<Record<string, string>> = {
  src: "source",
  dst: "target",
  destination: "target",
  ro: "readonly",
  rw: "readwrite",
};
const keys = [
  ...["type", "from", "source", "target", "readonly", "readwrite", "id", "sharing", "required", "size", "mode"],
  ...["uid", "gid", "env", ...Object.keys(aliases)],
];

/** What `from` of a mount names, unexpanded; undefined where there is none. Throws DF_FLAG_VALUE, DF_FROM_VARIABLE. */
export function mountFrom(word: Word, source: SourceText): Word | undefined {
  const from = csvFields(word, "RUN --mount", source).findLast(({ key, value }) => key === "from" && value)?.value;
  if (from === undefined || !/\$./s.test(from.text)) return from?.text ? from : undefined;
  throw dockerfileError(
    "DF_FROM_VARIABLE",
    "from of a mount cannot hold a variable",
    { span: from.span, source },
    { hint: "name a stage for it: FROM $IMAGE AS files, then from=files" },
  );
}

/** All mounts of an instruction. Throws like readMount. */
export function readMounts(
  words: readonly Word[],
  lookup: Lookup,
  escapeChar: "\\" | "`",
  source: SourceText,
  os = "linux",
): Mount[] {
  let sshIndex = 0;
  return words.map((word) => {
    const mount = readMount(word, lookup, escapeChar, source, { os, sshIndex });
    if (mount.type === "ssh") sshIndex++;
    return mount;
  });
}

/** One `--mount`, its values expanded with the stage's scope. Throws DF_MOUNT, DF_FLAG_VALUE, DF_FROM_VARIABLE, DF_EXPANSION. */
export function readMount(
  word: Word,
  lookup: Lookup,
  escapeChar: "\\" | "`",
  source: SourceText,
  { os = "linux", sshIndex = 0 }: MountOptions = {},
): Mount {
  const from = mountFrom(word, source);
  const fields = csvFields(word, "RUN --mount", source).map((field) =>
    field.value === undefined || field.key === "from"
      ? field
      : { ...field, value: { ...field.value, text: expandWord(field.value, lookup, escapeChar, source) } },
  );
  const reading = new MountReading(word, fields, source);
  const target = reading.text("target") ?? "";
  const path = reading.text("source") ?? "";
  const named = reading.text("id");
  const origin = from === undefined ? {} : { from };
  switch (reading.type) {
    case "bind":
      reading.refuse(["mode", "uid", "gid", "sharing", "size", "required"]);
      return { type: "bind", word, ...origin, source: path, target, readonly: reading.isReadonly(true) };
    case "tmpfs":
      reading.refuse(["mode", "uid", "gid", "sharing", "required"]);
      return { type: "tmpfs", word, target, ...reading.value("size", "sizeBytes", parseSize) };
    case "cache":
      reading.refuse(["size", "required"]);
      return {
        type: "cache",
        word,
        id: named || cleaned(target),
        target,
        sharing: reading.choice("sharing", sharings) ?? "shared",
        readonly: reading.isReadonly(false),
        ...origin,
        source: path,
        ...reading.value("mode", "mode", parseMode),
        ...reading.value("uid", "uid", parseId),
        ...reading.value("gid", "gid", parseId),
      };
    case "secret": {
      reading.refuse(["sharing", "size", "from"]);
      return { type: "secret", word, ...secretPlace(reading, os), ...owned(reading, 0o400) };
    }
    case "ssh":
      reading.refuse(["sharing", "size", "source"]);
      return {
        type: "ssh",
        word,
        id: named || "default",
        target: target || `/run/buildkit/ssh_agent.${sshIndex}`,
        ...owned(reading, 0o600),
      };
  }
}

function owned(reading: MountReading, mode: number): Pick<Owned, "required" | "mode" | "uid" | "gid"> {
  return {
    required: reading.isRequired(),
    mode,
    uid: 0,
    gid: 0,
    ...reading.value("mode", "mode", parseMode),
    ...reading.value("uid", "uid", parseId),
    ...reading.value("gid", "gid", parseId),
  };
}

function secretPlace(reading: MountReading, os: string): Pick<SecretMount, "id" | "target" | "env"> {
  const [path, named, target, env] = ["source", "id", "target", "env"].map((key) => reading.text(key) || undefined);
  if (path !== undefined && named !== undefined)
    throw reading.problem("has both id and source: they mean the same", "source");
  const id = path ?? named ?? (target === undefined ? undefined : posix.basename(target));
  if (id === undefined) throw reading.problem("needs an id or a target");
  if (env !== undefined) return { id, env, ...(target === undefined ? {} : { target }) };
  if (target !== undefined) return { id, target };
  // /run/secrets means nothing there, and BuildKit asks for a target, too.
  if (os === "windows") throw reading.problem("needs a target on Windows, such as C:/secrets/token");
  return { id, target: `/run/secrets/${posix.basename(id)}` };
}

/** As Go's path.Clean; "" is ".". */
function cleaned(path: string): string {
  const clean = posix.normalize(path);
  return clean.length > 1 ? clean.replace(/\/$/, "") : clean;
}

/** The fields of one mount, checked while they are asked for. Of a key that is given twice the last counts. */
class MountReading {
  readonly type: Mount["type"];
  readonly #word: Word;
  readonly #source: SourceText;
  readonly #fields = new Map<string, Field>();
  /** Behind all of `readonly` and `readwrite` the last one counts, too. */
  #access: Field | undefined;

  constructor(word: Word, fields: readonly Field[], source: SourceText) {
    this.#word = word;
    this.#source = source;
    for (const field of fields) this.#take(field);
    this.type = this.choice("type", types) ?? "bind";
  }

  #take(field: Field): void {
    if (!keys.includes(field.key)) throw this.#unknown(field);
    const key = aliases[field.key] ?? field.key;
    const isFlag = key === "readonly" || key === "readwrite" || key === "required";
    if (field.value === undefined && !isFlag) throw this.problem(`needs a value behind ${key}=`, key, field);
    this.#fields.set(key, { ...field, key });
    if (key === "readonly" || key === "readwrite") this.#access = { ...field, key };
  }

  text(key: string): string | undefined {
    return this.#fields.get(key)?.value?.text;
  }

  /** Throws for the first of these keys that is there: the type has no use for it, and BuildKit refuses it. */
  refuse(others: readonly string[]): void {
    const found = others.find((key) => this.#fields.has(key) && (key !== "source" || this.text(key)));
    if (found !== undefined) throw this.problem(`of type ${this.type} takes no ${found}`, found);
  }

  choice<Choice extends string>(key: string, known: readonly Choice[]): Choice | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const found = known.find((each) => each === text.toLowerCase());
    if (found !== undefined) return found;
    const suggestion = nearest(text, known);
    const hint = suggestion === undefined ? `use ${known.join(", ")}` : `did you mean ${suggestion}?`;
    throw this.problem(`has no ${key} ${quoted(text)}`, key, undefined, hint);
  }

  /** A field with the parsed value of a key, or none. */
  value<Name extends string>(
    key: string,
    name: Name,
    parse: (text: string) => number | undefined,
  ): Partial<Record<Name, number>> {
    const text = this.text(key);
    if (text === undefined) return {};
    const value = parse(text);
    if (value === undefined) throw this.problem(`has no valid ${key}: ${quoted(text)}`, key);
    return { [name]: value } as Record<Name, number>;
  }

  isReadonly(usual: boolean): boolean {
    if (this.#access === undefined) return usual;
    return this.#boolean(this.#access) === (this.#access.key === "readonly");
  }

  isRequired(): boolean {
    const field = this.#fields.get("required");
    return field !== undefined && this.#boolean(field);
  }

  #boolean(field: Field): boolean {
    const value = field.value === undefined ? true : parseBoolean(field.value.text);
    if (value === undefined) throw this.problem(`has no valid ${field.key}: it is true or false`, field.key, field);
    return value;
  }

  #unknown(field: Field): Error {
    const suggestion = nearest(field.key, keys);
    const hint = suggestion === undefined ? `known are ${keys.join(", ")}` : `did you mean ${suggestion}?`;
    return this.problem(`has no option ${quoted(field.key)}`, field.key, field, hint);
  }

  /** DF_MOUNT at the field of that key. */
  problem(text: string, key?: string, field?: Field, hint?: string): Error {
    const at = field ?? (key === undefined ? undefined : this.#fields.get(key));
    return dockerfileError(
      "DF_MOUNT",
      `RUN --mount ${text}`,
      { span: at?.word.span ?? this.#word.span, source: this.#source },
      { facts: { mount: this.#word.text, key }, ...(hint === undefined ? {} : { hint }) },
    );
  }
}
