/** A rebased image's configuration: the new base's, with everything in it that the image itself had changed in the old one's. Pure. */
import type { ContainerConfig, History, ImageConfig } from "../../registry/oci/image.ts";
import { fullHistory } from "./edited.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Settings that are sets by name: each name is looked at by itself. */
const byName = new Set(["Labels", "ExposedPorts", "Volumes"]);
/** What a base says to builds on it, which is not inherited, and so the image's own. */
const ownOnly = new Set(["OnBuild"]);

/**
 * Three ways: what the image has as the old base had it comes from the new base; what differs is the image's and stays,
 * also where it was taken away. System, architecture and version are the new base's; author is the image's.
 */
export function mergeConfigs(old: ImageConfig, image: ImageConfig, base: ImageConfig): ImageConfig {
  const { variant: _, "os.version": __, "os.features": ___, ...own } = image;
  const { os, architecture } = base;
  const [variant, version, features] = [base.variant, base["os.version"], base["os.features"]];
  return {
    ...own,
    os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { "os.version": version }),
    ...(features === undefined ? {} : { "os.features": features }),
    config: mergeContainer(fields(old.config), fields(image.config), fields(base.config), base.os),
  };
}

function mergeContainer(old: Fields, image: Fields, base: Fields, os: string): ContainerConfig {
  const merged: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(base), ...Object.keys(image)])) {
    const value = ownOnly.has(key) ? image[key] : mergeField(key, old[key], image[key], base[key], os);
    if (value !== undefined) merged[key] = value;
  }
  return commandTogether(old, image, merged);
}

function mergeField(key: string, old: unknown, image: unknown, base: unknown, os: string): unknown {
  if (key === "Env") return mergeEnv(strings(old), strings(image), strings(base), os);
  if (byName.has(key)) return mergeNames(fields(old), fields(image), fields(base));
  return same(old, image) ? base : image;
}

/** The mark belongs to the command: it comes from where the command comes from. */
function commandTogether(old: Fields, image: Fields, merged: Record<string, unknown>): ContainerConfig {
  const isOwn = ["Entrypoint", "Cmd"].some((key) => !same(old[key], image[key]));
  if (!isOwn) return merged;
  const { ArgsEscaped: _, ...rest } = merged;
  return image.ArgsEscaped === undefined ? rest : { ...rest, ArgsEscaped: image.ArgsEscaped as boolean };
}

function mergeNames(old: Fields, image: Fields, base: Fields): Fields | undefined {
  const merged = new Map<string, unknown>();
  for (const key of [...new Set([...Object.keys(base), ...Object.keys(image)])].sort()) {
    const value = same(old[key], image[key]) ? base[key] : image[key];
    if (value !== undefined) merged.set(key, value);
  }
  return merged.size === 0 ? undefined : Object.fromEntries(merged);
}

/** The new base's order first, then what the image added, in its order. */
function mergeEnv(old: readonly string[], image: readonly string[], base: readonly string[], os: string) {
  const nameOf = (each: string) => {
    const name = each.split("=", 1)[0] ?? "";
    return os === "windows" ? name.toUpperCase() : name;
  };
  const mapOf = (all: readonly string[]) => new Map(all.map((each) => [nameOf(each), each]));
  const [was, now, next] = [mapOf(old), mapOf(image), mapOf(base)];
  const merged: string[] = [];
  for (const name of new Set([...next.keys(), ...now.keys()])) {
    const value = was.get(name) === now.get(name) ? next.get(name) : now.get(name);
    if (value !== undefined) merged.push(value);
  }
  return merged.length === 0 ? undefined : merged;
}

/** The new base's lines, then those of the image that are not the old base's. */
export function mergeHistories(old: ImageConfig, image: ImageConfig, base: ImageConfig): readonly History[] {
  return [...fullHistory(base), ...ownHistory(old, image)];
}

/** Lines are told apart by the layers that they stand for; of those without, by what they say. */
function ownHistory(old: ImageConfig, image: ImageConfig): readonly History[] {
  const all = fullHistory(image);
  const below = fullHistory(old);
  const isPrefix = below.every((line, at) => same(line, all[at]));
  if (isPrefix) return all.slice(below.length);
  let layers = old.rootfs.diff_ids.length;
  let at = 0;
  for (; at < all.length && layers > 0; at++) if (all[at]?.empty_layer !== true) layers--;
  return all.slice(at);
}

function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}
