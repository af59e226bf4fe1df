/** Images on a small Windows base, built without RUN: what every test of them starts from, and what their layers hold. */
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { type NaiveEntry, naiveTar } from "../doubles/naive-tar.ts";
import { type WindowsBaseOptions, windowsBaseLayout } from "../doubles/windows-base.ts";
import { savedImage } from "./layouts.ts";
import { type BuildOutcome, type Scene, scene } from "./scene.ts";

/** A scene whose store has the small Windows base as `test.example/windows:1`; its layout is in `layout/`. */
export async function windowsBaseScene(t: ExecutionContext, options: WindowsBaseOptions = {}): Promise<Scene> {
  const s = await scene(t, { base: false });
  await windowsBaseLayout(join(s.folder, "layout"), options);
  await loadLayout(t, s);
  return s;
}

/** Takes the image of `layout/` into the store. */
export async function loadLayout(t: ExecutionContext, s: Scene): Promise<void> {
  const loaded = await s.wbuild("load", "-i", "layout");
  t.is(loaded.code, 0, loaded.stderr);
}

/** The first lines of a Dockerfile on that base. */
export const from = "# escape=`\nFROM test.example/windows:1\n";

/** Builds `app` of a Dockerfile's text and files; fails the test when the exit code is another than 0. */
export async function built(
  t: ExecutionContext,
  s: Scene,
  dockerfile: string,
  files: Readonly<Record<string, string | Uint8Array>> = {},
  ...flags: string[]
): Promise<BuildOutcome> {
  const context = await s.files("context", { Dockerfile: dockerfile, ...files });
  const outcome = await s.build(context, "-t", "app", ...flags);
  t.is(outcome.code, 0, outcome.stderr);
  return outcome;
}

/** A saved image, its layers read as tars. */
export async function saved(s: Scene, name = "app") {
  const image = await savedImage(s, name);
  return { ...image, layers: image.layers.map(({ bytes }) => naiveTar(bytes)) };
}

export const clean = ({ name }: NaiveEntry) => name.replace(/\/$/, "");

/** Everything in a layer but hives, as `name` or `name -> target`. */
export const files = (layer: readonly NaiveEntry[] = []) =>
  layer
    .filter((entry) => !entry.name.startsWith("Hives"))
    .map((entry) => clean(entry) + (entry.type === "2" ? ` -> ${entry.link}` : ""));

export const at = (layer: readonly NaiveEntry[] | undefined, name: string) =>
  layer?.find((entry) => clean(entry) === name);
