/** How native parts are compiled: only what changed since the last time, two files at a time, into names of their own first. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const run = promisify(execFile);
export const top = fileURLToPath(new URL("../..", import.meta.url));
export const dist = join(top, "dist");
export const strict = ["-Wall", "-Wextra", "-Werror", "-O2", "-g1"];

/** Files below a folder (relative to the top) with one of the endings, sorted. */
export function sources(folder, ...endings) {
  return readdirSync(join(top, folder), { recursive: true })
    .map((name) => join(top, folder, String(name)))
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .sort();
}

/** Runs `make` only when the inputs' bytes or the recipe differ from those of the last success. */
export async function unlessFresh(name, inputs, make) {
  const hash = createHash("sha256").update(make.toString()).update(process.version);
  for (const input of inputs) hash.update(relative(top, input)).update("\0").update(readFileSync(input));
  const stamp = join(dist, ".stamps", name);
  const now = hash.digest("hex");
  try {
    if (readFileSync(stamp, "utf8") === now) return;
  } catch {
    // No stamp: build.
  }
  const began = Date.now();
  await make();
  mkdirSync(join(dist, ".stamps"), { recursive: true });
  writeFileSync(stamp, now);
  console.log(`built ${name} in ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

export async function compile(tool, args) {
  try {
    await run(tool, args, { cwd: top, maxBuffer: 16 << 20 });
  } catch (error) {
    throw new Error(`${tool} failed:\n${error.stderr || error.message}`);
  }
}

/** Does something with each item, two at a time. */
export async function eachOfTwo(items, act) {
  let next = 0;
  const worker = async () => {
    while (next < items.length) await act(items[next++]);
  };
  await Promise.all([worker(), worker()]);
}

/** Where a source's object is, in a folder for objects. */
export function objectOf(folder, file) {
  return join(folder, `${basename(file)}.o`);
}

/** Compiles each file to an object, two at a time, and links them. */
export async function compileAll(tool, files, flags, link, output) {
  const folder = join(dist, "obj", basename(output));
  mkdirSync(folder, { recursive: true });
  const objects = files.map((file) => join(folder, `${relative(top, file).replaceAll("/", "_")}.o`));
  const indices = files.map((_, i) => i);
  await eachOfTwo(indices, (i) => compile(tool, [...flags, "-c", files[i], "-o", objects[i]]));
  // A new name, then a rename: the old file may be in use by a running process.
  await compile(tool, [...objects, ...link, "-o", `${output}.new`]);
  renameSync(`${output}.new`, output);
}
