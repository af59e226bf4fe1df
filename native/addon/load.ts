/** Finds the compiled parts: beside the bundle when bundled, in dist/ when run from source. */
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

const loaded = new Map<string, { exports: unknown }>();

/** Loads native.node once. Throws BOX_NOT_BUILT with the path that was tried. */
export function loadAddon<T>(): T {
  const path = resolve(process.env.WBUILD_ADDON ?? join(distFolder(), "native.node"));
  const known = loaded.get(path);
  if (known) return known.exports as T;
  try {
    const module = { exports: {} };
    // What `require` does with such a file; to make one takes Node longer than this.
    process.dlopen(module, path);
    loaded.set(path, module);
    return module.exports as T;
  } catch (cause) {
    throw new WbuildError("BOX_NOT_BUILT", `cannot load the native part ${path}`, {
      cause,
      hint: "run `npm run setup` in the checkout to compile it",
    });
  }
}
