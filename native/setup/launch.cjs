#!/usr/bin/env -S node --
/**
 * dist/wbuild: starts the bundle beside it. To compile its megabyte takes longer than all else that a start needs, so V8's
 * own caches of compiled code lie beside it. V8 sees for itself whether one fits this Node and this bundle. The -- above keeps
 * Node from words that are ours: it would read the file of `wbuild run --env-file` itself, with a NODE_OPTIONS in it.
 */
"use strict";
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { Script } = require("node:vm");

/**
 * Each kind of command has a cache of what such commands run: to read what others run, too, takes longer than all that an
 * `images` does by itself.
 */
const kinds = {
  images: ["images", "history", "inspect", "tag", "rmi", "du", "prune", "version", "logout", "completion", "help"],
  registry: ["pull", "push", "copy", "sync", "tags", "manifest", "rm", "login"],
};
/** Builds that ask registries for more than their bases. */
const asking = /^--(?:push|lazy|cache-from|cache-to)(?:=|$)/;

const filename = join(__dirname, "wbuild.cjs");
const words = process.argv.slice(2);
const command = words.find((word) => !word.startsWith("-")) ?? "help";
const kind =
  Object.keys(kinds).find((name) => kinds[name].includes(command)) ??
  (words.some((word) => asking.test(word)) ? "build-asking" : "build");
let cachedData;
for (const name of [kind, "build"])
  try {
    cachedData = readFileSync(join(__dirname, `wbuild-${name}.cache`));
    break;
  } catch {
    // Without any the bundle is compiled.
  }
// The bundle is plain ASCII: as latin1 it is read without being decoded, and takes half the memory.
const script = new Script(readFileSync(filename, "latin1"), { filename, cachedData });
const target = process.env.WBUILD_WRITE_CODE_CACHE;
if (target) process.on("exit", () => writeFileSync(target, script.createCachedData()));
script.runInThisContext()(require, module, filename, __dirname);
