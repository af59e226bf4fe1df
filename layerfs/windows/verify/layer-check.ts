/** The rules about one layer's entries, one after the other, and about the layer as a whole at its end. */
import { showPath } from "../../layer/raw-path.ts";
import { defaultSecurity } from "../metadata.ts";
import { foldPath, nameFault } from "../names.ts";
import type { Findings } from "./findings.ts";
import { type HiveRole, hiveRole, isHostFile, isMachineFolder } from "./known-names.ts";
import { LayerSummary } from "./layer-summary.ts";
import { checkHardLink, checkWhiteout, type Ground } from "./links-and-whiteouts.ts";
import { checkMetadata, checkTarget, describedBy } from "./metadata-rules.ts";
import type { PathTree } from "./path-tree.ts";
import type { RuleId } from "./rules.ts";
import type { TarEntry } from "./tar-entries.ts";

const tops = ["Files", "Hives", "UtilityVM"];
const maxPath = 32_767;
const maxName = 255;

export interface LayerSurroundings {
  /** 1 is the lowest, which is the base. */
  readonly number: number;
  readonly tree: PathTree;
  readonly findings: Findings;
  /** False when a layer below could not be read: what it has is not known then. */
  readonly isComplete: boolean;
}

export class LayerCheck {
  readonly summary: LayerSummary;
  readonly #around: LayerSurroundings;
  readonly #isBase: boolean;
  /** The file before this entry, which alone a stream may follow. */
  #lastFile = "";
  /** False when memory for paths is spent: nothing more is looked at. */
  hasRoom = true;

  constructor(around: LayerSurroundings) {
    this.#around = around;
    this.#isBase = around.number === 1;
    this.summary = new LayerSummary(this.#isBase);
  }

  /** Whether the content of this entry is a hive that is to be looked into. */
  roleOf(entry: TarEntry): HiveRole | undefined {
    return entry.type === "0" ? hiveRole(entry.name.split("/"), this.#isBase) : undefined;
  }

  entry(entry: TarEntry): void {
    const { number, tree, findings, isComplete } = this.#around;
    const tell = (rule: RuleId, what: string) => findings.add(rule, what, { layer: number, path: entry.name });
    const parts = partsOf(entry, tell);
    if (parts === undefined) return;
    const kind = entry.type === "5" ? "directory" : entry.type === "2" ? "link" : "file";
    this.summary.see(parts, kind);
    if (this.#isElsewhere(parts, entry, tell)) return;
    const ground: Ground = { number, isBase: this.#isBase, isComplete, tree, tell };
    const name = parts.at(-1) ?? "";
    if (name.startsWith(".wh.")) {
      this.#checkWay(parts, ground, true);
      this.hasRoom = checkWhiteout(entry, parts, ground) && this.hasRoom;
      return;
    }
    if (!"0125".includes(entry.type)) {
      tell("entry-type", `its typeflag is ${JSON.stringify(entry.type)}`);
      return;
    }
    if (this.#isStream(entry, parts)) {
      tell("stream", "it is an alternate data stream");
      return;
    }
    this.#checkName(name, tell);
    this.#checkPlace(parts, entry, kind, tell);
    this.#checkWay(parts, ground, false);
    if (entry.type === "1") checkHardLink(entry, parts, ground);
    else checkMetadata(entry, tell);
    if (entry.type === "2") checkTarget(entry, tell);
    this.#take(parts, kind, entry, ground);
    if (entry.type === "0") this.#lastFile = parts.join("/");
  }

  /** The rules about the whole layer. `deltasBelow` are those of the layer directly below; undefined when that is the base. */
  end(deltasBelow: ReadonlySet<string> | undefined): void {
    const { number, findings, tree } = this.#around;
    this.summary.end((rule, what, path) => findings.add(rule, what, { layer: number, ...path }), deltasBelow);
    tree.endLayer(number);
  }

  /** Beside the three trees, or by the name of one with other letters: nothing else can be said of it then. */
  #isElsewhere(parts: readonly string[], { type }: TarEntry, tell: (rule: RuleId, what: string) => void): boolean {
    const top = parts[0] ?? "";
    if (tops.includes(top)) {
      if (parts.length === 1 && type !== "5") tell("entry-type", `${top} is no directory`);
      return parts.length === 1 && type !== "5";
    }
    const meant = tops.find((name) => foldPath(name) === foldPath(top));
    if (meant !== undefined) tell("top-case", `it should be ${meant}`);
    else if (parts.at(-1)?.startsWith(".wh.")) tell("whiteout-place", "it deletes something outside of Files");
    else if (this.#isBase && foldPath(parts.join("/")) === "LAYOUT") tell("base-layout", "the base has it");
    else if (isHostFile(parts)) tell("host-file", "it belongs to the host's folder of the layer");
    else tell("top-level", "it is in none of the layer's trees");
    return true;
  }

  #isStream({ type }: TarEntry, parts: readonly string[]): boolean {
    const path = parts.join("/");
    return type === "0" && this.#lastFile !== "" && path.startsWith(`${this.#lastFile}:`);
  }

  #checkName(name: string, tell: (rule: RuleId, what: string) => void): void {
    const fault = nameFault(name);
    if (fault !== undefined) tell("name-illegal", `its name ${fault}`);
  }

  #checkPlace(
    parts: readonly string[],
    { type }: TarEntry,
    kind: string,
    tell: (rule: RuleId, what: string) => void,
  ): void {
    if (isMachineFolder(parts)) tell("never-content", "it belongs to a machine, not to an image");
    const [top, second] = parts;
    const role = hiveRole(parts, this.#isBase);
    if (isHostFile(parts)) tell("host-file", "it belongs to the host's folder of the layer");
    else if (top === "Hives" && this.#isBase) tell("base-hives-folder", "the base has it");
    else if (top === "Hives" && parts.length > 1 && role === undefined) tell("hives-unknown", "it is no delta");
    if (top === "UtilityVM" && !this.#isBase && parts.length > 1 && second !== "Files") {
      tell("utilityvm-place", "it is outside of UtilityVM/Files");
    }
    if (top === "UtilityVM" && !this.#isBase && parts.length === 1) {
      tell("utilityvm-cim", "it changes the utility VM");
      const below = this.#around.tree.find(["UtilityVM"]);
      if (this.#around.isComplete && below?.kind === undefined) tell("utilityvm-parent", "no layer below has one");
    }
    if (role === undefined) return;
    if (type === "2" || type === "5") {
      const rule = { base: "base-hive-broken", delta: "delta-unreadable", bcd: "utilityvm-bcd" } as const;
      tell(rule[role.kind], `it is a ${kind} and no file`);
    }
    this.summary.seeHive(role);
  }

  /** The directories above. Of a whiteout they need no entries of their own: nothing is made there. */
  #checkWay(parts: readonly string[], { tree, number, tell }: Ground, isWhiteout: boolean): void {
    const nodes = tree.walk(parts);
    for (let at = 0; at < parts.length - 1; at++) {
      const node = nodes[at];
      const path = () => JSON.stringify(showPath(parts.slice(0, at + 1).join("/")).slice(0, 300));
      if (node?.kind === "link") tell("under-link", `${path()} is a link`);
      if (isWhiteout) continue;
      if (node?.layer !== number || node.kind === undefined)
        tell("ancestor-missing", `${path()} has no entry before it`);
      else if (node.kind === "file") tell("under-file", `${path()} is a file`);
      if (node?.kind !== undefined && node.name !== parts[at]) {
        tell("directory-spelling", `${path()} was ${JSON.stringify(showPath(node.name))} before`);
      }
    }
  }

  #take(parts: readonly string[], kind: "directory" | "file" | "link", entry: TarEntry, ground: Ground): void {
    const { tree, number, tell } = ground;
    const node = tree.find(parts);
    if (node?.hiddenBy === number) tell("whiteout-beside-entry", "the layer deletes it too");
    if (node?.kind !== undefined && node.layer === number) {
      tell("duplicate", "another entry has this name");
      return;
    }
    if (node?.kind !== undefined && node.name !== parts.at(-1)) {
      const rule = kind === "directory" ? "directory-spelling" : "file-spelling";
      tell(rule, `a lower layer has it as ${JSON.stringify(showPath(node.name))}`);
    }
    const described = kind === "directory" ? describedBy(entry, defaultSecurity("directory")) : undefined;
    if (node?.kind === "directory" && node.described === "own" && described !== undefined && described !== "own") {
      tell(
        "directory-redescribed",
        described === "none" ? "its descriptor is left out" : "it gets the stock descriptor",
      );
    }
    this.hasRoom = tree.set(parts, kind, number) && this.hasRoom;
    const now = tree.find(parts);
    if (now === undefined) return;
    if (described === undefined) delete now.described;
    else now.described = described;
  }
}

/** The components of a clean name; undefined, and told, where it is too far from one to say anything else of it. */
function partsOf({ name, type }: TarEntry, tell: (rule: RuleId, what: string) => void): string[] | undefined {
  if (name.length > maxPath) {
    tell("name-illegal", `its path is longer than ${maxPath} UTF-16 units`);
    return undefined;
  }
  const whole = type === "5" && name.endsWith("/") ? name.slice(0, -1) : name;
  const parts = whole.split("/");
  if (/[\\\0]/.test(name) || parts.some((part) => part === "" || part === "." || part === "..")) {
    tell("entry-name", "it is no clean relative path");
    return undefined;
  }
  if (parts.some((part) => part.length > maxName)) {
    tell("name-illegal", `a name in it is longer than ${maxName} UTF-16 units`);
    return undefined;
  }
  // A part of a long text keeps all of it in memory.
  return name.length > 1024 ? parts.map((part) => Buffer.from(part, "utf16le").toString("utf16le")) : parts;
}
