/** The rules about one hive of a layer: whether it can be read, and what a differencing hive may say. */
import { isWbuildError } from "../../../native/error.ts";
import type { HiveKey } from "../../hive/key.ts";
import { checkHive } from "../../hive/regf/check.ts";
import { type Damage, type Finding, hex } from "../../hive/regf/damage.ts";
import { type RegfHive, readHive } from "../../hive/regf/read.ts";
import type { HiveRole } from "./known-names.ts";
import type { Tell } from "./metadata-rules.ts";
import type { RuleId } from "./rules.ts";

/** Places of one hive that are told of each rule. */
const maxTold = 5;

const aboutLayers = {
  "layer bits": "delta-layer-bits",
  tombstone: "delta-tombstone",
  supersede: "delta-supersede",
} as const;

/** Never throws for what is in the bytes. */
export function checkLayerHive(bytes: Uint8Array, role: HiveRole, tellAll: Tell): void {
  const tell = sparing(tellAll);
  const broken = role.kind === "base" ? "base-hive-broken" : role.kind === "bcd" ? "utilityvm-bcd" : "delta-unreadable";
  const damages = new Set<string>();
  let isDirty = false;
  try {
    const hive = readHive(bytes, {
      onDamage(damage) {
        damages.add(place(damage));
        const ruined = role.kind === "delta" && damage.record === "sk" ? "delta-security" : broken;
        tell(ruined, place(damage));
      },
    });
    const unsecured = walk(hive.root);
    if (role.kind === "delta" && unsecured > 0) tell("delta-security", `${unsecured} keys have no security descriptor`);
    isDirty = hive.dirty;
    if (isDirty) tell("hive-dirty", "its last write was not ended");
    if (role.kind === "base" && hive.differencing) tell("base-hive-layered", "it is a differencing hive");
    if (role.kind === "delta") checkDelta(hive, role.hive, tell);
  } catch (error) {
    if (!isWbuildError(error)) throw error;
    tell(broken, error.message);
    return;
  }
  for (const finding of checkHive(bytes)) {
    if (damages.has(place(finding))) continue;
    const rule = ruleOf(finding, role);
    // What follows from damage, or was under way, is no finding of its own.
    if (rule === "hive-lint" && (damages.size > 0 || isDirty)) continue;
    const key = finding.key === undefined ? "" : `, key ${JSON.stringify(finding.key.join("\\").slice(-200))}`;
    tell(rule, `${place(finding)}${key}`);
  }
}

function checkDelta(hive: RegfHive, name: string, tell: Tell): void {
  if (hive.minor !== 6 || !hive.differencing) {
    tell("delta-version", `it has version 1.${hive.minor}${hive.differencing ? "" : " and no flag of layered keys"}`);
  }
  if (hive.root.layer !== "merge") tell("delta-root", `its root says ${hive.root.layer}`);
  if (name === "System" && hive.root.subkey("CurrentControlSet") !== undefined) {
    tell("delta-control-set", "it has the key CurrentControlSet");
  }
}

function ruleOf({ record, about }: Finding, role: HiveRole): RuleId {
  if (role.kind !== "delta") return "hive-lint";
  if (about !== undefined) return aboutLayers[about];
  return record === "sk" ? "delta-security" : "hive-lint";
}

/**
 * Every key and value once, so that all damage is come upon; how many have no descriptor. The reader sees to it that keys
 * are at most 512 deep and that no cell belongs to two of them.
 */
function walk(root: HiveKey): number {
  let unsecured = 0;
  const waiting = [root];
  for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
    key.values();
    void key.className;
    if (key.security === undefined) unsecured++;
    for (const subkey of key.subkeys()) waiting.push(subkey);
  }
  return unsecured;
}

function place({ what, record, offset }: Damage): string {
  return `${what} (${record} at offset ${hex(offset)})`;
}

function sparing(tell: Tell): Tell {
  const counts = new Map<RuleId, number>();
  return (rule, what) => {
    const count = (counts.get(rule) ?? 0) + 1;
    counts.set(rule, count);
    if (count <= maxTold) tell(rule, what);
  };
}
