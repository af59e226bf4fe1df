/** Node → canonical bytes → id. What is hashed here is what decides a result; what is left out must not. */
import { type Digest, digestOf } from "../../layerfs/store/digest.ts";
import type { Node, Op } from "./graph.ts";

/** JSON with sorted object keys: equal values give equal text, whatever order they were built in. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`);
    return `{${fields.join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/** Digest of what an op says by itself, without its inputs. Bump the version when steps change what they produce. */
export function opKey(op: Op): Digest {
  return digestOf(`op/1 ${canonical(identity(op))}`);
}

/** Digest over an op and its inputs' ids. */
export function nodeId(op: Op, inputs: readonly Node[]): Digest {
  return digestOf(`node/1 ${opKey(op)} ${inputs.map((input) => input.id).join(" ")}`);
}

function identity(op: Op): unknown {
  switch (op.kind) {
    case "source":
      // By content, not by name: two tags of one image are one source.
      // The system stands beside it, since what is built on `scratch` reads as its system's files. No cache knows this id.
      return {
        kind: op.kind,
        diffIds: op.layers.map((layer) => layer.diffId),
        ...(op.platform.os === "windows" ? { os: "windows" } : {}),
      };
    case "run": {
      const { proxyEnv: _, ...rest } = op;
      return rest;
    }
    case "copy":
      // Before folders above the target got the mode too, and archives kept theirs, the same op made another layer.
      return op.chmod === undefined ? op : { ...op, chmodOf: "made folders, too; no archives" };
    default:
      return op;
  }
}
