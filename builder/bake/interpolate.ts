/** Variables in Compose files: `$NAME`, `${NAME:-default}` and the like (Compose specification, "Interpolation"). */
import { WbuildError } from "../../native/error.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Every string of a value; keys stay. Throws BAKE_VALUE for `${NAME:?…}` without a value, BAKE_SYNTAX for a broken form. */
export function interpolate(value: unknown, env: Environment, file: string, depth = 0): unknown {
  if (depth > 100) throw new WbuildError("BAKE_SYNTAX", `${file} is nested too deeply`, { facts: { file } });
  if (typeof value === "string") return interpolateText(value, env, file);
  if (Array.isArray(value)) return value.map((item) => interpolate(item, env, file, depth + 1));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, interpolate(item, env, file, depth + 1)]));
}

const name = /[A-Za-z_][A-Za-z0-9_]*/y;

function interpolateText(text: string, env: Environment, file: string, depth = 0): string {
  if (depth > 100)
    throw new WbuildError("BAKE_SYNTAX", `${file}: variables are nested too deeply`, { facts: { file } });
  let result = "";
  let at = 0;
  while (at < text.length) {
    const dollar = text.indexOf("$", at);
    if (dollar < 0) return result + text.slice(at);
    result += text.slice(at, dollar);
    const next = text[dollar + 1];
    if (next === "$") {
      result += "$";
      at = dollar + 2;
    } else if (next === "{") {
      const end = closing(text, dollar + 2);
      if (end < 0) throw broken(text, file);
      result += braced(text.slice(dollar + 2, end), env, file, depth);
      at = end + 1;
    } else {
      const found = nameAt(text, dollar + 1);
      if (found === "") throw broken(text, file);
      result += env[found] ?? "";
      at = dollar + 1 + found.length;
    }
  }
  return result;
}

function nameAt(text: string, at: number): string {
  name.lastIndex = at;
  return name.exec(text)?.[0] ?? "";
}

/** The brace that ends an expression; others may lie in it. */
function closing(text: string, from: number): number {
  let open = 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "{" && text[at - 1] === "$") open++;
    else if (text[at] === "}" && --open === 0) return at;
  }
  return -1;
}

function braced(body: string, env: Environment, file: string, depth: number): string {
  const found = nameAt(body, 0);
  const form = /^(:?[-+?]|$)/.exec(body.slice(found.length))?.[0];
  if (found === "" || form === undefined) throw broken(`\${${body}}`, file);
  const value = env[found];
  const isSet = value !== undefined && !(form.startsWith(":") && value === "");
  const word = () => interpolateText(body.slice(found.length + form.length), env, file, depth + 1);
  if (form.endsWith("+")) return isSet ? word() : "";
  if (isSet) return value;
  if (form.endsWith("-")) return word();
  if (form.endsWith("?"))
    throw new WbuildError("BAKE_VALUE", `${file}: ${found}: ${word() || "is not set"}`, {
      facts: { file, name: found },
    });
  return "";
}

function broken(text: string, file: string): WbuildError {
  return new WbuildError("BAKE_SYNTAX", `${file}: ${JSON.stringify(text.slice(0, 80))} is no valid variable`, {
    facts: { file },
    hint: "write $$ for a dollar",
  });
}
