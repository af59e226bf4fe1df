#!/usr/bin/env -S node --
/**
 * dist/wbuild: starts a bundle beside it. To compile its megabyte takes longer than all else that a start needs, so V8's
 * own caches of compiled code lie beside it. V8 sees for itself whether one fits this Node and this bundle. The -- above keeps
 * Node from words that are ours: it would read the file of `wbuild run --env-file` itself, with a NODE_OPTIONS in it.
 */
"use strict";
const { existsSync, readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { Script } = require("node:vm");

/**
 * These commands have bundles of their own, with nothing that they cannot reach, and a cache of what such commands run: to read
 * what others run, too, takes longer than all that an `images` does by itself. wbuild.cjs has all commands.
 */
const kinds = {
  images: ["images", "history", "inspect", "tag", "rmi", "du", "prune", "version", "logout"],
  registry: ["pull", "push", "copy", "tags", "manifest", "rm", "login"],
};
/** Builds that ask registries for more than their bases. */
const asking = /^--(?:push|lazy|cache-from|cache-to)(?:=|$)/;
/** What the program answers without any command. */
const alone = /^(?:--version|-v|--help|-h)$/;

/** Which kind of command it is that these words mean, as builder/cli/parse.ts reads them; undefined for all others. */
function kindOf(words) {
  if (words.length === 1 && alone.test(words[0])) return "images";
  let at = 0;
  while (/^--(?:debug$|home(?:=|$))/.test(words[at] ?? "")) at += words[at] === "--home" ? 2 : 1;
  return Object.keys(kinds).find((name) => kinds[name].includes(words[at]));
}

function start(words) {
  const kind = kindOf(words);
  const own = kind === undefined ? undefined : join(__dirname, `wbuild-${kind}.cjs`);
  const isOwn = own !== undefined && existsSync(own);
  const filename = isOwn ? own : join(__dirname, "wbuild.cjs");
  const caches = isOwn ? [kind] : words.some((word) => asking.test(word)) ? ["build-asking", "build"] : ["build"];
  let cachedData;
  for (const name of caches)
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
}

if (require.main === module) start(process.argv.slice(2));
else exports.kinds = kinds;
