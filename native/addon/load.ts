/** Finds the compiled parts: beside the bundle when bundled, in dist/ when run from source. */
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { WbuildError } from "../error.ts";

/** Set by the bundler; absent when run from source. */
declare const WBUILD_BUNDLED: boolean | undefined;

/** Folder of the built artefacts: native.node, wbuild-sandbox, better_sqlite3.node. */
export function distFolder(): string {
  if (typeof WBUILD_BUNDLED !== "undefined" && WBUILD_BUNDLED) return __dirname;
  return resolve(dirname(fileURLToPath(import.meta.url)), "../../dist");
}

/** Loads native.node once. Throws BOX_NOT_BUILT with the path that was tried. */
export function loadAddon<T>(): T {
  const path = process.env.WBUILD_ADDON ?? join(distFolder(), "native.node");
  try {
    return createRequire(join(distFolder(), "native.node"))(path) as T;
  } catch (cause) {
    throw new WbuildError("BOX_NOT_BUILT", `cannot load the native part ${path}`, {
      cause,
      hint: "run `npm run setup` in the checkout to compile it",
    });
  }
}
