#!/usr/bin/env node
/**
 * dist/wbuild: starts the bundle beside it. To compile its megabyte takes longer than all else that a start needs, so V8's
 * own caches of compiled code lie beside it. V8 sees for itself whether one fits this Node and this bundle.
 */
"use strict";
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { Script } = require("node:vm");

/** Words of commands that ask registries. They run more code; a cached build is not to read the cache of that. */
const asking = /^(?:pull|push|copy|sync|tags|manifest|rm|login|--push|--lazy|--cache-from|--cache-to)(?:=|$)/;

const filename = join(__dirname, "wbuild.cjs");
const isAsking = process.argv.slice(2).some((word) => asking.test(word));
let cachedData;
for (const name of isAsking ? ["wbuild-registry.cache", "wbuild.cache"] : ["wbuild.cache"])
  try {
    cachedData = readFileSync(join(__dirname, name));
    break;
  } catch {
    // Without any the bundle is compiled.
  }
// The bundle is plain ASCII: as latin1 it is read without being decoded, and takes half the memory.
const script = new Script(readFileSync(filename, "latin1"), { filename, cachedData });
const target = process.env.WBUILD_WRITE_CODE_CACHE;
if (target) process.on("exit", () => writeFileSync(target, script.createCachedData()));
script.runInThisContext()(require, module, filename, __dirname);
