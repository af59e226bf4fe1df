/** The syntax of --format: a subset of Go's text/template, parsed into a tree. format.ts evaluates it. */
import { WbuildError } from "../../../native/error.ts";

export type Operand =
  | { readonly kind: "literal"; readonly value: string | number | boolean | undefined }
  /** `.A.B`, `$.A`, `$name.A`; `root` is "." or the variable's name. */
  | { readonly kind: "field"; readonly root: string; readonly path: readonly string[] }
  | { readonly kind: "call"; readonly pipe: Pipe; readonly path: readonly string[] };

/** Commands joined by `|`; each is a function with operands, or one operand. */
export type Pipe = readonly { readonly name?: string; readonly operands: readonly Operand[] }[];

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "value"; readonly pipe: Pipe }
  | { readonly kind: "let"; readonly name: string; readonly pipe: Pipe }
  | {
      readonly kind: "if" | "with" | "range";
      readonly pipe: Pipe;
      /** range: names for index and element. */
      readonly names: readonly string[];
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

const longest = 64 * 1024;
const deepest = 50;

export function templateError(message: string, hint?: string): WbuildError {
  return new WbuildError("IMG_FORMAT", `--format: ${message}`, hint === undefined ? {} : { hint });
}

interface Action {
  readonly text: string;
  readonly isText: boolean;
}

/** Throws IMG_FORMAT. */
export function parseTemplate(text: string): Node[] {
  if (text.length > longest) throw templateError("the template is longer than 64 KiB");
  const actions = split(text);
  const reader = { actions, at: 0 };
  const { nodes, end } = readNodes(reader, 0);
  if (end !== undefined) throw templateError(`{{${end}}} belongs to nothing`);
  return nodes;
}

/** Text and `{{…}}` in turn; `{{-` and `-}}` trim the text beside them; comments vanish. */
function split(text: string): Action[] {
  const actions: Action[] = [];
  let at = 0;
  let trimNext = false;
  const push = (piece: string): void => {
    if (piece !== "") actions.push({ text: piece, isText: true });
  };
  while (at < text.length) {
    const open = text.indexOf("{{", at);
    let plain = text.slice(at, open < 0 ? undefined : open);
    if (trimNext) plain = plain.trimStart();
    trimNext = false;
    if (open < 0) {
      push(plain);
      break;
    }
    const close = closing(text, open + 2);
    let inside = text.slice(open + 2, close);
    if (/^-\s/.test(inside)) {
      inside = inside.slice(1);
      plain = plain.trimEnd();
    }
    if (/\s-$/.test(inside)) {
      inside = inside.slice(0, -1);
      trimNext = true;
    }
    push(plain);
    inside = inside.trim();
    if (!/^\/\*.*\*\/$/s.test(inside)) actions.push({ text: inside, isText: false });
    at = close + 2;
  }
  return actions;
}

/** Where `}}` closes an action that began before `from`, quotes respected. */
function closing(text: string, from: number): number {
  const part = /"(?:[^"\\\n]|\\.)*"|`[^`]*`|\}\}|[^"`}]+|[\s\S]/y;
  part.lastIndex = from;
  for (let found = part.exec(text); found !== null; found = part.exec(text)) {
    if (found[0] === "}}") return found.index;
  }
  throw templateError("a {{ is not closed by }}");
}

interface Reader {
  readonly actions: readonly Action[];
  at: number;
}

/** Nodes up to `{{end}}` or `{{else…}}`, which is given back. */
function readNodes(reader: Reader, depth: number): { nodes: Node[]; end?: string } {
  if (depth > deepest) throw templateError("too many blocks inside each other");
  const nodes: Node[] = [];
  while (reader.at < reader.actions.length) {
    const action = reader.actions[reader.at++];
    if (action === undefined) break;
    if (action.isText) {
      nodes.push({ kind: "text", text: action.text });
      continue;
    }
    const word = /^[a-z]+(?![\w])/.exec(action.text)?.[0];
    if (word === "end" || word === "else") return { nodes, end: action.text };
    if (word === "if" || word === "with" || word === "range") nodes.push(readBlock(reader, word, action.text, depth));
    else nodes.push(readValue(action.text));
  }
  return { nodes };
}

function readValue(text: string): Node {
  const assignment = /^\$(\w+)\s*:?=\s*(.*)$/s.exec(text);
  if (assignment?.[1] !== undefined) return { kind: "let", name: assignment[1], pipe: readPipe(assignment[2] ?? "") };
  return { kind: "value", pipe: readPipe(text) };
}

function readBlock(reader: Reader, kind: "if" | "with" | "range", text: string, depth: number): Node {
  const rest = text.slice(kind.length).trim();
  const names = /^\$(\w+)\s*(?:,\s*\$(\w+)\s*)?:=\s*(.*)$/s.exec(rest);
  const body = readNodes(reader, depth + 1);
  let otherwise: Node[] = [];
  let end = body.end;
  if (end?.startsWith("else")) {
    const chained = end.slice(4).trim();
    if (chained !== "") {
      // `{{else if …}}` is one block inside the other, closed by the same `{{end}}`.
      if (!/^(if|with)\b/.test(chained)) throw templateError(`{{${end}}} is not known`);
      otherwise = [readBlock(reader, chained.startsWith("if") ? "if" : "with", chained, depth + 1)];
      end = "end";
    } else {
      const other = readNodes(reader, depth + 1);
      otherwise = other.nodes;
      end = other.end;
    }
  }
  if (end !== "end") throw templateError(`{{${kind}}} is not closed by {{end}}`);
  const named = [names?.[1], names?.[2]].filter((name) => name !== undefined);
  return { kind, pipe: readPipe(names?.[3] ?? rest), names: named, body: body.nodes, otherwise };
}

const token =
  /\s*("(?:[^"\\\n]|\\.)*"|`[^`]*`|\$?(?:\.[A-Za-z_][\w-]*)+|\$\w*(?:\.[A-Za-z_][\w-]*)*|-?\d+(?:\.\d+)?|[A-Za-z_]\w*|[.|()])/y;

interface Tokens {
  readonly list: readonly string[];
  at: number;
}

function readPipe(text: string): Pipe {
  const list: string[] = [];
  let at = 0;
  while (text.slice(at).trim() !== "") {
    token.lastIndex = at;
    const found = token.exec(text);
    if (found?.[1] === undefined) throw templateError(`cannot read ${JSON.stringify(text.slice(at, at + 40))}`);
    list.push(found[1]);
    at = token.lastIndex;
  }
  const tokens = { list, at: 0 };
  const pipe = readCommands(tokens, 0);
  if (tokens.at < list.length) throw templateError(`unexpected ${list[tokens.at]}`);
  return pipe;
}

function readCommands(tokens: Tokens, depth: number): Pipe {
  if (depth > deepest) throw templateError("too many parentheses inside each other");
  const commands: { name?: string; operands: Operand[] }[] = [{ operands: [] }];
  while (tokens.at < tokens.list.length) {
    const text = tokens.list[tokens.at];
    const command = commands.at(-1);
    if (text === undefined || command === undefined || text === ")") break;
    tokens.at++;
    if (text === "|") commands.push({ operands: [] });
    else if (text === "(") {
      const pipe = readCommands(tokens, depth + 1);
      if (tokens.list[tokens.at++] !== ")") throw templateError("a ( is not closed by )");
      const after = tokens.list[tokens.at] ?? "";
      const path = /^\.[A-Za-z_]/.test(after) ? after.slice(1).split(".") : [];
      if (path.length > 0) tokens.at++;
      command.operands.push({ kind: "call", pipe, path });
    } else if (/^[A-Za-z_]/.test(text) && !["true", "false", "nil"].includes(text)) {
      if (command.name !== undefined || command.operands.length > 0) throw templateError(`unexpected ${text}`);
      command.name = text;
    } else command.operands.push(readOperand(text));
  }
  commands.forEach((command, index) => {
    if (command.name !== undefined) return;
    if (command.operands.length === 0) throw templateError("an action is empty", "write a field, such as {{.ID}}");
    if (command.operands.length > 1 || index > 0) throw templateError("only a function takes operands");
  });
  return commands;
}

function readOperand(text: string): Operand {
  if (text.startsWith('"')) {
    try {
      return { kind: "literal", value: JSON.parse(text) as string };
    } catch {
      throw templateError(`cannot read the string ${text.slice(0, 80)}`);
    }
  }
  if (text.startsWith("`")) return { kind: "literal", value: text.slice(1, -1) };
  if (text === "true" || text === "false") return { kind: "literal", value: text === "true" };
  if (text === "nil") return { kind: "literal", value: undefined };
  if (/^-?\d/.test(text)) return { kind: "literal", value: Number(text) };
  const [root = "", ...path] = text.split(".");
  return { kind: "field", root: root === "" ? "." : root.slice(1), path: path.filter((name) => name !== "") };
}
