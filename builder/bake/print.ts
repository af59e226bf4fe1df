/** `bake --print`: the resolved definition as the JSON that buildx prints, which is a bake file itself. */
import { entryObject } from "./entries.ts";
import type { Resolved } from "./resolve.ts";
import { type AttributeName, attributes, type Target } from "./target.ts";

/** Two spaces, what only others need is put out nowhere, groups before targets, names in order. */
export function printResolved({ groups, targets, linked }: Resolved): string {
  const byName = <T>(entries: ReadonlyMap<string, T>) => [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  const shown = {
    group: Object.fromEntries(byName(groups).map(([name, list]) => [name, { targets: listed(name, list) }])),
    target: Object.fromEntries(
      byName(targets).map(([name, target]) => [
        name,
        inOrder(linked.has(name) ? { ...target, output: ["type=cacheonly"] } : target),
      ]),
    ),
  };
  return `${JSON.stringify(shown, null, 2)}\n`;
}

/** buildx sorts what is to be built, and leaves groups that a file defines as they are. */
function listed(name: string, targets: readonly string[]): readonly string[] {
  return name === "default" ? [...targets].sort() : targets;
}

/** Read as a bake file again, these texts would be taken for templates. */
const escaped: readonly AttributeName[] = ["annotations", "dockerfile-inline", "labels", "args", "extra-hosts"];

function inOrder(target: Target): object {
  const names = Object.keys(attributes) as AttributeName[];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = target[name];
      if (value === undefined || (Array.isArray(value) && value.length === 0)) return [];
      if (isEmptyMap(value)) return [];
      return [[name, sorted(escaped.includes(name) ? escapeAll(value) : asPrinted(name, value))]];
    }),
  );
}

function asPrinted(name: AttributeName, value: unknown): unknown {
  const isRecords = attributes[name].kind === "entries" && Array.isArray(value);
  return isRecords ? value.map((text: string) => entryObject(name, text)) : value;
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isEmptyMap(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function escapeAll(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/[$%](?=\{)/g, (sign) => sign + sign);
  if (Array.isArray(value)) return value.map(escapeAll);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escapeAll(item)]));
}
