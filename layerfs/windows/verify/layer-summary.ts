/** What a layer as a whole must have: its first entries, its hives, its utility VM. */
import { deltaNames, deltaPath } from "../deltas.ts";
import { baseHives, type HiveRole } from "./known-names.ts";
import type { RuleId } from "./rules.ts";

type TellAt = (rule: RuleId, what: string, path: { readonly path?: string }) => void;

export class LayerSummary {
  readonly #isBase: boolean;
  readonly #tops = new Set<string>();
  #first: string | undefined;
  readonly #hives = new Set<string>();
  #hasUtilityVm = false;

  constructor(isBase: boolean) {
    this.#isBase = isBase;
  }

  /** The deltas that this layer has. */
  deltas(): ReadonlySet<string> {
    return this.#hives;
  }

  see(parts: readonly string[], kind: "directory" | "file" | "link"): void {
    const path = kind === "directory" ? parts.join("/") : "";
    this.#first ??= path;
    if (parts.length === 1) this.#tops.add(path);
    if (parts[0] === "UtilityVM" && parts[1] === "Files") this.#hasUtilityVm = true;
  }

  seeHive(role: HiveRole): void {
    this.#hives.add(role.kind === "bcd" ? "BCD" : role.hive);
  }

  end(tell: TellAt, deltasBelow: ReadonlySet<string> | undefined): void {
    if (this.#isBase) this.#endBase(tell);
    else this.#endOther(tell, deltasBelow);
  }

  #endBase(tell: TellAt): void {
    for (const hive of baseHives) {
      if (this.#hives.has(hive)) continue;
      tell("base-hive-missing", "it is missing", { path: `Files/Windows/System32/config/${hive}` });
    }
    if (this.#hasUtilityVm && !this.#hives.has("BCD")) {
      tell("utilityvm-bcd", "it is missing", { path: "UtilityVM/Files/EFI/Microsoft/Boot/BCD" });
    }
  }

  #endOther(tell: TellAt, deltasBelow: ReadonlySet<string> | undefined): void {
    const isFirst = this.#first === "Hives" || this.#first === "Files";
    if (!isFirst || !this.#tops.has("Hives") || !this.#tops.has("Files")) {
      tell(
        "first-entries",
        isFirst ? "it has one of Hives and Files only" : "it begins with neither Hives nor Files",
        {},
      );
    }
    for (const name of deltaNames) {
      const path = { path: deltaPath(name) };
      if (!this.#hives.has(name)) tell("delta-missing", "it is missing", path);
      else if (deltasBelow !== undefined && !deltasBelow.has(name)) {
        tell("delta-gap", "the layer below, which is not the base, has none", path);
      }
    }
  }
}
