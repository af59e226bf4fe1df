/** File modes of --chmod: octal, or symbolic as chmod(1) has it (POSIX, "chmod", operands), applied to what is copied. */

/** Octal digits give a number; everything else is a list of clauses. */
export type FileMode = number | string;

/** Who leaves `u`, `g`, `o` and `a` out means all of them, but not what this mask forbids: it is every image builder's. */
const umask = 0o022;

const all = 0o777;
const setIds = 0o6000;
const sticky = 0o1000;
const shifts = { u: 6, g: 3, o: 0 } as const;
const clause = /^([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)$/;

/** 0 … 07777 for octal text, the text itself for sound clauses, undefined for what is neither. */
export function readFileMode(text: string): FileMode | undefined {
  if (/^[0-7]{1,5}$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    return mode <= 0o7777 ? mode : undefined;
  }
  return text !== "" && text.split(",").every((one) => clause.test(one)) ? text : undefined;
}

/** What a file or folder of mode `before` gets. `mode` must come from readFileMode. */
export function applyFileMode(mode: FileMode, before: number, isFolder: boolean): number {
  if (typeof mode === "number") return mode;
  let now = before;
  for (const one of mode.split(",")) {
    const [, who = "", actions = ""] = clause.exec(one) ?? [];
    for (const [, operator = "", what = ""] of actions.matchAll(/([-+=])([ugo]|[rwxXst]*)/g)) {
      now = change(now, { who, operator, what, hasX: isFolder || (before & 0o111) !== 0 });
    }
  }
  return now;
}

interface Action {
  readonly who: string;
  readonly operator: string;
  readonly what: string;
  /** What X means here: by the mode before the first clause. */
  readonly hasX: boolean;
}

function change(mode: number, { who, operator, what, hasX }: Action): number {
  const affected = bitsOf(who === "" ? "a" : who) & (who === "" ? ~umask : ~0);
  // Sticky belongs to nobody: it is given and taken whoever is named, but never by `o` alone.
  const bits = permissions(mode, what, hasX) & (affected | (/^o+$/.test(who) ? 0 : sticky));
  if (operator === "+") return mode | bits;
  if (operator === "-") return mode & ~bits;
  return (mode & ~bitsOf(who === "" ? "a" : who)) | bits;
}

/** The bits that belong to `u`, `g`, `o`, `a`: set-user-ID is the user's, set-group-ID the group's. */
function bitsOf(who: string): number {
  let bits = 0;
  for (const one of who) {
    if (one === "a") bits |= all | setIds;
    else if (one === "u") bits |= 0o4700;
    else if (one === "g") bits |= 0o2070;
    else bits |= 0o7;
  }
  return bits;
}

/** What is asked for, for everybody. */
function permissions(mode: number, what: string, hasX: boolean): number {
  if (what === "u" || what === "g" || what === "o") return ((mode >> shifts[what]) & 7) * 0o111;
  let bits = 0;
  for (const one of what) {
    if (one === "r") bits |= 0o444;
    else if (one === "w") bits |= 0o222;
    else if (one === "x") bits |= 0o111;
    else if (one === "X") bits |= hasX ? 0o111 : 0;
    else if (one === "s") bits |= setIds;
    else bits |= sticky;
  }
  return bits;
}
