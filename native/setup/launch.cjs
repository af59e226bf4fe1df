#!/usr/bin/env node
/**
 * dist/wbuild: starts the bundle beside it. To compile its megabyte takes longer than all else that a start needs, so V8's
 * own cache of compiled code lies beside it. V8 sees for itself whether that fits this Node and this bundle.
 */
"use strict";
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { Script } = require("node:vm");

const filename = join(__dirname, "wbuild.cjs");
let cachedData;
try {
  cachedData = readFileSync(join(__dirname, "wbuild.cache"));
} catch {
  // Without it the bundle is compiled.
}
// The bundle is plain ASCII: as latin1 it is read without being decoded, and takes half the memory.
const script = new Script(readFileSync(filename, "latin1"), { filename, cachedData });
const target = process.env.WBUILD_WRITE_CODE_CACHE;
if (target) process.on("exit", () => writeFileSync(target, script.createCachedData()));
script.runInThisContext()(require, module, filename, __dirname);
