/** `wbuild hive`: registry hives as files, without an image. */
import type { Hive, HiveKey } from "../../layerfs/hive/key.ts";
import { WbuildError } from "../../native/error.ts";
import type { Cli, Command } from "./command.ts";
import { flagsOf } from "./command.ts";
import { parseCount } from "./flags/values.ts";
import type { HiveFile } from "./hive-files.ts";
import { runVerb, type Verb } from "./verbs.ts";

interface HiveFlags {
  readonly json?: boolean;
  readonly depth?: string;
  readonly output?: string;
  readonly prefix?: string;
}

/** As deep as keys can be. */
const allLevels = 512;

const verbs: Readonly<Record<string, Verb<HiveFlags>>> = {
  show: { operands: "FILE [KEY]", least: 1, most: 2, flags: ["json", "depth"], run: show },
  diff: { operands: "FILE FILE", least: 2, most: 2, flags: ["json", "output"], run: diff },
  merge: { operands: "BASE DELTA... -o OUT", least: 2, most: 128, flags: ["output"], run: merge },
  export: { operands: "FILE [KEY]", least: 1, most: 2, flags: ["output", "prefix"], run: exportText },
  import: { operands: "FILE REG...", least: 2, most: Infinity, flags: ["output", "prefix"], run: importText },
  check: { operands: "FILE...", least: 1, most: Infinity, flags: ["json"], run: check },
};

export const hiveCommand: Command = {
  operands: "show|diff|merge|export|import|check FILE...",
  about: `
    Looks into registry hives, compares and changes them. A FILE is a hive of Windows (regf) or a registry file of Wine; the
    logs beside a hive that was not closed in order are applied, and that is said.

    show FILE [KEY] lists keys and values; in a differencing hive (*_Delta) it says what is deleted or replaces what lies
    below. diff FILE FILE lists what the second changes in the first, one line a key or value: A added, C changed, D
    deleted; the second may be a differencing hive. With -o it writes the difference as such a hive. merge BASE DELTA...
    writes what the base becomes with the deltas on top of it.

    export FILE [KEY] writes a registry file for regedit; import FILE REG... carries such files out, in FILE or with -o in
    a copy. check FILE... lists all that is wrong with hives, and ends with 1 when something is.`,
  examples: [
    ["wbuild hive show SOFTWARE 'Microsoft\\Windows' --depth 1", "one key and the names below it"],
    ["wbuild hive diff SYSTEM.before SYSTEM -o System_Delta", "what changed, also as a hive for a layer"],
    ["wbuild hive merge SOFTWARE Software_Delta -o SOFTWARE.merged", "a base with a layer's changes"],
    ["wbuild hive export NTUSER.DAT Environment", "one key for regedit"],
    ["wbuild hive import SOFTWARE settings.reg", "carry out a registry file"],
    ["wbuild hive check SYSTEM SOFTWARE", "look for damage"],
  ],
  define(parser) {
    parser
      .argument("<what>")
      .argument("<files...>")
      .option("--json", "show, diff, check: print JSON")
      .option("--depth <levels>", "show: so many levels of subkeys (default: all)")
      .option("-o, --output <file>", "diff, merge, export, import: write there")
      .option(
        "--prefix <path>",
        "export, import: where the hive's root is in the registry (default: by the file's name)",
      );
  },
  run: (parser, cli) => runVerb("hive", verbs, parser.args, flagsOf<HiveFlags>(parser), cli),
};

async function open(path: string, cli: Cli, tolerant = false): Promise<HiveFile> {
  const { openHive } = await import("./hive-files.ts");
  return openHive(path, cli, tolerant);
}

/** Throws HIVE_NO_KEY. */
function findKey(hive: Hive, path: string): HiveKey {
  let key: HiveKey = hive.root;
  for (const name of path.split("\\").filter((part) => part !== "")) {
    const below = key.subkey(name);
    if (below === undefined)
      throw new WbuildError("HIVE_NO_KEY", `the hive has no key ${JSON.stringify(path)}`, {
        facts: { path, missing: name },
        hint: `${JSON.stringify(name)} is not there; paths begin below the hive's root, with a backslash between names`,
      });
    key = below;
  }
  return key;
}

async function show([path = "", keyPath = ""]: readonly string[], flags: HiveFlags, cli: Cli): Promise<number> {
  const { keyJson, treeLines } = await import("./hive-lines.ts");
  const { json } = await import("./table.ts");
  const depth = flags.depth === undefined ? allLevels : parseCount("--depth", flags.depth, 0, allLevels);
  const { hive } = await open(path, cli, true);
  const key = findKey(hive, keyPath);
  if (flags.json) cli.stdout.write(json(keyJson(key, depth, hive.differencing)));
  else {
    const lines = new Lines(cli);
    treeLines(key, depth, lines.add);
    lines.end();
  }
  return 0;
}

/** Many lines in few writes. */
class Lines {
  readonly #cli: Cli;
  #text = "";

  constructor(cli: Cli) {
    this.#cli = cli;
  }

  readonly add = (line: string): void => {
    this.#text += `${line}\n`;
    if (this.#text.length >= 1 << 16) this.end();
  };

  end(): void {
    if (this.#text !== "") this.#cli.stdout.write(this.#text);
    this.#text = "";
  }
}

async function diff([first = "", second = ""]: readonly string[], flags: HiveFlags, cli: Cli): Promise<number> {
  const { changesOf } = await import("../../layerfs/hive/changes.ts");
  const { mergeHives, refuseLayered } = await import("../../layerfs/hive/merge.ts");
  const before = await open(first, cli);
  refuseLayered(before.hive);
  const { hive } = await open(second, cli);
  const after = hive.differencing ? mergeHives([before.hive, hive]) : hive;
  if (flags.output !== undefined) {
    const { diffHives } = await import("../../layerfs/hive/diff.ts");
    const { saveHive } = await import("./hive-files.ts");
    await saveHive(flags.output, diffHives(before.hive, after), before);
  }
  const { changeJson, changeLine } = await import("./hive-lines.ts");
  const { json } = await import("./table.ts");
  const changes = changesOf(before.hive, hive);
  if (flags.json) cli.stdout.write(json([...changes].map(changeJson)));
  else {
    const lines = new Lines(cli);
    for (const change of changes) lines.add(changeLine(change));
    lines.end();
  }
  return 0;
}

async function merge([first = "", ...deltas]: readonly string[], flags: HiveFlags, cli: Cli): Promise<number> {
  if (flags.output === undefined)
    throw new WbuildError("CLI_USAGE", "wbuild hive merge needs -o OUT", { hint: "the base is left as it is" });
  const { mergeHives, refuseLayered } = await import("../../layerfs/hive/merge.ts");
  const { saveHive } = await import("./hive-files.ts");
  const base = await open(first, cli);
  refuseLayered(base.hive);
  const stack = [base.hive];
  for (const path of deltas) {
    const { hive } = await open(path, cli);
    if (!hive.differencing)
      throw new WbuildError(
        "HIVE_WHOLE",
        `${JSON.stringify(path)} is a whole hive, not the difference to another one`,
        {
          hint: "`wbuild hive diff` makes a differencing hive of two whole ones",
        },
      );
    stack.push(hive);
  }
  await saveHive(flags.output, mergeHives(stack), base);
  return 0;
}

async function placeOf(path: string, prefix: string | undefined): Promise<string> {
  const { placeOfFile, registryPath } = await import("../../layerfs/hive/regedit-edits.ts");
  const place = prefix ?? placeOfFile(path.replace(/^.*\//s, ""));
  if (place === undefined || registryPath(place).length === 0)
    throw new WbuildError(
      "CLI_USAGE",
      `the name of ${JSON.stringify(path)} does not tell where its root is in the registry`,
      {
        hint: "say it, for example with --prefix 'HKEY_LOCAL_MACHINE\\SOFTWARE'",
      },
    );
  return registryPath(place).join("\\");
}

async function exportText([path = "", keyPath = ""]: readonly string[], flags: HiveFlags, cli: Cli): Promise<number> {
  const { writeRegeditText } = await import("../../layerfs/hive/regedit-write.ts");
  const { saveBytes } = await import("./hive-files.ts");
  const place = await placeOf(path, flags.prefix);
  const { hive } = await open(path, cli, true);
  const key = findKey(hive, keyPath);
  const names = keyPath.split("\\").filter((part) => part !== "");
  const pieces = writeRegeditText(key, [place, ...names].join("\\"));
  if (flags.output !== undefined && flags.output !== "-") await saveBytes(flags.output, pieces);
  else if (cli.stdout.isTTY) {
    const { harmless } = await import("../progress/harmless.ts");
    for (const piece of pieces) {
      const text = Buffer.from(piece)
        .toString("utf16le")
        .replace(/^\ufeff/, "");
      cli.stdout.write(harmless(text.replaceAll("\r\n", "\n")));
    }
  } else for (const piece of pieces) cli.stdout.write(piece);
  return 0;
}

async function importText([path = "", ...texts]: readonly string[], flags: HiveFlags, cli: Cli): Promise<number> {
  const { applyEdits, placeEdits } = await import("../../layerfs/hive/regedit-edits.ts");
  const { readRegeditText } = await import("../../layerfs/hive/regedit-text.ts");
  const { readBytes, saveHive } = await import("./hive-files.ts");
  const { visible } = await import("./hive-lines.ts");
  const place = await placeOf(path, flags.prefix);
  const file = await open(path, cli);
  let { hive } = file;
  for (const text of texts) {
    const elsewhere: (readonly string[])[] = [];
    const edits = readRegeditText(await readBytes(text));
    hive = applyEdits(
      hive,
      placeEdits(edits, hive, place, (key) => elsewhere.push(key)),
    );
    const [first] = elsewhere;
    if (first === undefined) continue;
    const key = visible(first.join("\\"));
    const left = `${elsewhere.length} of ${edits.length} keys are not below ${place} and were left out, such as ${key}`;
    cli.stderr.write(`warning: ${visible(text)}: ${left}\n`);
  }
  await saveHive(flags.output ?? path, hive, file);
  return 0;
}

async function check(paths: readonly string[], flags: HiveFlags, cli: Cli): Promise<number> {
  const { findingsOf } = await import("./hive-check.ts");
  const { visible } = await import("./hive-lines.ts");
  const { json } = await import("./table.ts");
  const all: object[] = [];
  for (const path of paths)
    for (const { text, ...finding } of await findingsOf(path)) {
      all.push({ file: path, ...finding });
      if (!flags.json) cli.stdout.write(`${visible(`${path}: ${text}`)}\n`);
    }
  if (flags.json) cli.stdout.write(json(all));
  return all.length > 0 ? 1 : 0;
}
