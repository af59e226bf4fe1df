/**
 * UndefinedArgInFrom, InvalidDefaultArgInFrom, RedundantTargetPlatform, FromPlatformFlagConstDisallowed,
 * InvalidBaseImagePlatform: what FROM names, and for which platform.
 */
import type { Platform } from "../../layerfs/store/descriptor.ts";
import { parseReference } from "../../registry/reference.ts";
import { nearest } from "../diagnose/nearest.ts";
import type { Dockerfile, From, Word } from "../dockerfile/instruction.ts";
import { GlobalScope, type ScopeOptions } from "../dockerfile/scope.ts";
import { formatPlatform, parsePlatform } from "../image/platform.ts";
import type { Finding } from "./rule.ts";

/** Arguments that every FROM sees. */
const platformNames = ["BUILD", "TARGET"]
  .flatMap((prefix) => ["PLATFORM", "OS", "ARCH", "VARIANT", "OSVERSION"].map((name) => prefix + name))
  .concat("TARGETSTAGE");

/** A word of FROM expanded, and which names it used; undefined when it cannot be expanded, which the plan tells. */
interface Expanded {
  readonly text: string;
  readonly set: ReadonlySet<string>;
  readonly unset: ReadonlySet<string>;
}

function expand(word: Word, global: GlobalScope): Expanded | undefined {
  const set = new Set<string>();
  const unset = new Set<string>();
  try {
    const text = global.expand(word, (name) => {
      const value = global.lookup(name);
      (value === undefined ? unset : set).add(name);
      return value;
    });
    return { text, set, unset };
  } catch {
    return undefined;
  }
}

/** Unset names for which a set one is suggested: each is compared with all. */
const mostSuggestions = 50;

export function checkFromWords(dockerfile: Dockerfile, global: GlobalScope): Finding[] {
  const declared = dockerfile.globalArgs.flatMap(({ args }) => args.map(({ name }) => name));
  const known = [...new Set([...declared.slice(0, 1000), ...platformNames])];
  const isDeclared = new Set(declared);
  let asked = 0;
  return dockerfile.stages.flatMap(({ from }) => {
    const image = expand(from.image, global);
    const platform = from.platform && expand(from.platform, global);
    const unset = new Set([...(image?.unset ?? []), ...(platform?.unset ?? [])]);
    const found: Finding[] = [...unset]
      .filter((name) => !isDeclared.has(name))
      .map((name) => {
        const close = ++asked > mostSuggestions ? undefined : nearest(name, known);
        const message = `no ARG before the first FROM declares ${name}${close === undefined ? "" : ` (did you mean ${close}?)`}`;
        return { rule: "UndefinedArgInFrom", message, span: from.span };
      });
    return platform === undefined ? found : [...found, ...checkPlatform(from, platform, global)];
  });
}

function checkPlatform(from: From, platform: Expanded, global: GlobalScope): Finding[] {
  const place = { span: from.span, ...(from.platform === undefined ? {} : { point: from.platform.span }) };
  const { text, set, unset } = platform;
  if (set.size === 1 && unset.size === 0 && set.has("TARGETPLATFORM") && text === global.lookup("TARGETPLATFORM")) {
    const message = `--platform=${from.platform?.text} is what FROM does without it: leave it out`;
    return [{ rule: "RedundantTargetPlatform", message, ...place }];
  }
  if (set.size > 0 || unset.size > 0) return [];
  const constant = platformOf(text);
  // A stage that says in its name what it is made for means it.
  if (constant === undefined || [constant.os, constant.architecture].some((part) => from.as?.includes(part))) return [];
  const message = `--platform=${text} is fixed, whatever platform is built for: use a variable such as $BUILDPLATFORM`;
  return [{ rule: "FromPlatformFlagConstDisallowed", message, ...place }];
}

function platformOf(text: string): Platform | undefined {
  try {
    return parsePlatform(text);
  } catch {
    return undefined;
  }
}

/** FROM as it is without any build argument. */
export function checkDefaults(dockerfile: Dockerfile, scope: ScopeOptions): Finding[] {
  let global: GlobalScope;
  try {
    global = new GlobalScope(dockerfile, { ...scope, buildArgs: {} });
  } catch {
    return [];
  }
  return dockerfile.stages.flatMap(({ from }): Finding[] => {
    const image = expand(from.image, global);
    if (image === undefined || isName(image.text)) return [];
    const message = `${from.image.text} names no image unless a build argument is given: give its ARG a default`;
    return [{ rule: "InvalidDefaultArgInFrom", message, span: from.span, point: from.image.span }];
  });
}

function isName(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
}

/** `wanted` is what the FROM or the whole build asks for. */
export function checkBasePlatform(from: From, image: string, found: Platform, wanted: Platform): Finding[] {
  if (found.os === wanted.os && found.architecture === wanted.architecture) return [];
  const message = `the base image ${image} is made for ${formatPlatform(found)}, not for ${formatPlatform(wanted)}`;
  return [{ rule: "InvalidBaseImagePlatform", message, span: from.span, point: from.image.span }];
}
