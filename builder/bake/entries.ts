/** Records such as `type=registry,ref=x` as the objects that buildx prints for them since 0.20. Knows no attribute's meaning. */
import type { AttributeName } from "./target.ts";

/** The text itself where it is no record: what is wrong with it is told by the build. */
export function entryObject(name: AttributeName, text: string): object | string {
  if (name === "ssh") return agentObject(text);
  const fields = fieldsOf(text);
  if (fields === undefined) return text;
  const [first = ["", undefined]] = fields;
  if (fields.length === 1 && first[1] === undefined) return lone(name, first[0]);
  if (fields.some(([key, value]) => key === "" || value === undefined)) return text;
  const found = new Map(fields as readonly [string, string][]);
  if (name === "secret") {
    const [id, src, env] = [found.get("id"), found.get("src") ?? found.get("source"), found.get("env")];
    for (const key of ["id", "src", "source", "env", "type"]) found.delete(key);
    const known = Object.entries({ id, src, env }).filter(([, value]) => value !== undefined);
    return Object.fromEntries([...known, ...found]);
  }
  const isOff = name === "attest" && found.get("disabled") === "true";
  const sorted = [...found].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([key, value]) => [key, isOff && key === "disabled" ? true : value]));
}

/** What a record without any `=` stands for. */
function lone(name: AttributeName, text: string): object | string {
  if (name === "cache-from" || name === "cache-to") return { ref: text, type: "registry" };
  if (name === "output") return text === "-" ? { dest: "-", type: "tar" } : { dest: text, type: "local" };
  return text;
}

function agentObject(text: string): object {
  const [id = "", ...rest] = text.split("=");
  const paths = rest.join("=").split(",");
  return rest.length === 0 ? { id } : { id, paths };
}

/** The fields of one line of CSV as `key=value`; undefined where its quotes do not fit. */
function fieldsOf(text: string): [key: string, value: string | undefined][] | undefined {
  const fields = text.match(/(?:^|,)(?:"(?:[^"]|"")*"|[^",]*)/g) ?? [];
  if (fields.join("") !== text) return undefined;
  return fields.map((field, index) => {
    const bare = index === 0 ? field : field.slice(1);
    const plain = bare.startsWith('"') ? bare.slice(1, -1).replaceAll('""', '"') : bare;
    const at = plain.indexOf("=");
    return at < 0 ? [plain, undefined] : [plain.slice(0, at), plain.slice(at + 1)];
  });
}
