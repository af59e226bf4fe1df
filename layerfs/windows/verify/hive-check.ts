/** The rules about one hive of a layer: whether it can be read, and what a differencing hive may say. */
import { isWbuildError } from "../../../native/error.ts";
import type { HiveKey } from "../../hive/key.ts";
import { readHive, type RegfHive } from "../../hive/regf/read.ts";
import type { HiveRole } from "./known-names.ts";
import type { Tell } from "./metadata-rules.ts";

/** Places that are told of one hive and rule. */
const maxTold = 5;

/** Never throws for what is in the bytes. */
export function checkLayerHive(bytes: Uint8Array, role: HiveRole, tell: Tell): void {
  const broken = role.kind === "base" ? "base-hive-broken" : role.kind === "bcd" ? "utilityvm-bcd" : "delta-unreadable";
  let damages = 0;
  let hive: RegfHive;
  try {
    hive = readHive(bytes, {
      onDamage({ offset, record, what }) {
        if (++damages > maxTold) return;
        const where = `${what} (${record} at offset 0x${offset.toString(16)})`;
        tell(record === "sk" && role.kind === "delta" ? "delta-security" : broken, where);
      },
    });
    if (hive.dirty) tell("hive-dirty", "its last write was not ended");
    walk(hive.root, role.kind === "delta" ? new DeltaCheck(tell) : undefined);
  } catch (error) {
    if (!isWbuildError(error)) throw error;
    tell(broken, error.message);
    return;
  }
  if (role.kind === "base" && hive.differencing) tell("base-hive-layered", "it is a differencing hive");
  if (role.kind !== "delta") return;
  if (hive.minor !== 6 || !hive.differencing) {
    tell("delta-version", `it has version 1.${hive.minor}${hive.differencing ? "" : " and no flag of layered keys"}`);
  }
  if (hive.root.layer !== "merge") tell("delta-root", `its root says ${hive.root.layer}`);
  if (role.hive === "System" && hive.root.subkey("CurrentControlSet") !== undefined) {
    tell("delta-control-set", "it has the key CurrentControlSet");
  }
}

/** Every key and value once, so that all damage is come upon. Keys are at most 512 deep, and no cell belongs to two of them. */
function walk(root: HiveKey, delta: DeltaCheck | undefined): void {
  const waiting: { readonly key: HiveKey; readonly above: HiveKey | undefined; readonly path: string }[] = [
    { key: root, above: undefined, path: "" },
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { key, above, path } = next;
    const values = key.values();
    const subkeys = key.subkeys();
    void key.security;
    void key.className;
    delta?.key(key, above, path, values.length + subkeys.length);
    for (const subkey of subkeys) {
      waiting.push({ key: subkey, above: key, path: delta === undefined ? "" : `${path}\\${subkey.name}` });
    }
  }
}

class DeltaCheck {
  readonly #tell: Tell;
  readonly #told = new Map<string, number>();

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  key(key: HiveKey, above: HiveKey | undefined, path: string, contents: number): void {
    if (key.layer === "tombstone" && (contents > 0 || key.className !== undefined)) {
      this.#once("delta-tombstone", path, "is deleted and has content");
    }
    if (above?.layer === "supersede-tree" && key.layer !== "supersede-tree" && key.layer !== "tombstone") {
      this.#once("delta-supersede", path, `is ${key.layer} below a key that replaces its tree`);
    }
    if (key.security === undefined) this.#once("delta-security", path, "has no security descriptor");
  }

  #once(rule: Parameters<Tell>[0], path: string, what: string): void {
    const count = (this.#told.get(rule) ?? 0) + 1;
    this.#told.set(rule, count);
    if (count <= maxTold) this.#tell(rule, `the key ${JSON.stringify(path.slice(0, 200))} ${what}`);
  }
}
