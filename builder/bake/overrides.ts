/** `--set PATTERN.KEY[.NAME]=VALUE`: what the command line changes about targets. */
import { WbuildError } from "../../native/error.ts";
import { type AttributeName, attributes, attributeValue, isAttribute, mergeTargets, type Target } from "./target.ts";

export interface Override {
  /** Of target names, as path.Match has it. */
  readonly pattern: string;
  readonly attribute: AttributeName | "push" | "load";
  /** Of args, labels, contexts, extra-hosts: which one. */
  readonly key?: string;
  readonly value: string;
  /** `+=`. */
  readonly appends: boolean;
}

/** Keys whose names in --set are other than in a file. */
const spelled: Readonly<Record<string, AttributeName>> = { platform: "platforms", secrets: "secret" };

/** Throws BAKE_SET. An argument without a value takes it from `env`, and is left out where that has none. */
export function parseOverride(text: string, env: Readonly<Record<string, string | undefined>>): Override | undefined {
  const at = text.indexOf("=");
  const left = at < 0 ? text : text.slice(0, at);
  const appends = left.endsWith("+");
  const [pattern = "", attribute = "", ...rest] = (appends ? left.slice(0, -1) : left).split(".");
  const key = rest.length === 0 ? undefined : rest.join(".");
  if (pattern === "" || attribute === "")
    throw bad(text, "TARGET.KEY=VALUE is expected, such as *.platform=linux/arm64");
  const name = spelled[attribute] ?? attribute;
  if (name !== "push" && name !== "load" && !isAttribute(name)) throw bad(text, `targets have no ${attribute}`);
  const isMap = isAttribute(name) && attributes[name].kind === "map";
  if (isMap && key === undefined) throw bad(text, `${attribute} needs a name: ${pattern}.${attribute}.NAME=VALUE`);
  if (!isMap && key !== undefined) throw bad(text, `${attribute} has no names in it`);
  const value = at >= 0 ? text.slice(at + 1) : name === "args" ? env[key ?? ""] : undefined;
  if (value === undefined) {
    if (name === "args") return undefined;
    throw bad(text, "a value is missing");
  }
  return { pattern, attribute: name, value, appends, ...(key === undefined ? {} : { key }) };
}

function bad(text: string, why: string): WbuildError {
  return new WbuildError("BAKE_SET", `--set ${JSON.stringify(text.slice(0, 200))}: ${why}`, {
    facts: { value: text.slice(0, 200) },
  });
}

/** The target with its overrides, in the order given. Of a list the first `=` replaces, those after it add. */
export function override(target: Target, overrides: readonly Override[]): Target {
  let made = target;
  const begun = new Set<string>();
  for (const { attribute, key, value, appends } of overrides) {
    if (attribute === "push" || attribute === "load") {
      made =
        attribute === "push" ? withPush(made, boolean(attribute, value)) : withLoad(made, boolean(attribute, value));
      continue;
    }
    const { kind, merge } = attributes[attribute];
    if (kind === "map") made = mergeTargets(made, { [attribute]: { [key as string]: value } });
    else if (kind === "text") made = { ...made, [attribute]: value };
    else if (kind === "flag") made = { ...made, [attribute]: boolean(attribute, value) };
    else {
      const more = attributeValue(attribute, [value]) as readonly string[];
      const keeps = appends || begun.has(attribute) || ["entitlements", "annotations", "attest"].includes(attribute);
      begun.add(attribute);
      if (!keeps) made = { ...made, [attribute]: more };
      else if (merge === "append") made = mergeTargets(made, { [attribute]: more });
      else made = { ...made, [attribute]: [...((made[attribute] as readonly string[] | undefined) ?? []), ...more] };
    }
  }
  return made;
}

function boolean(name: string, value: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw bad(`${name}=${value}`, "true or false is expected");
}

/** As buildx: images are pushed, or one is where nothing but the store gets any. Who asks for files alone gets files. */
function withPush(target: Target, push: boolean): Target {
  const { output = [] } = target;
  if (!push) {
    const kept = output
      .filter((one) => !/(^|,)type=registry(,|$)/.test(one))
      .map((one) => one.replace(/(^|,)push=(true|1)/, "$1push=false"));
    return { ...target, output: kept };
  }
  const isImage = (one: string) => /(^|,)type=(image|registry)(,|$)/.test(one);
  if (!output.some(isImage)) {
    const isForUse = output.every((one) => /(^|,)type=docker(,|$)/.test(one));
    return isForUse ? { ...target, output: [...output, "type=image,push=true"] } : target;
  }
  const pushed = (one: string) =>
    /(^|,)type=image(,|$)/.test(one) ? `${one.replace(/,push=[^,]*/, "")},push=true` : one;
  return { ...target, output: output.map(pushed) };
}

/** The image is in the store afterwards, whatever else it is put out as. */
function withLoad(target: Target, load: boolean): Target {
  const { output = [] } = target;
  const isStored = (one: string) => /(^|,)type=(image|docker)(,|$)/.test(one) && !/(^|,)dest=/.test(one);
  if (!load) return { ...target, output: output.filter((one) => !isStored(one)) };
  return output.some(isStored) ? target : { ...target, output: [...output, "type=image"] };
}
