/** Who may import whom. A room is a folder; the longest name that a file's path begins with counts. */

/** Rooms of builder, lowest first: a room may import itself and those in its list. */
const builder: Readonly<Record<string, readonly string[]>> = {
  "builder/diagnose": [],
  "builder/progress": ["builder/diagnose"],
  "builder/dockerfile": ["builder/diagnose", "layerfs/store"],
  "builder/context": [
    "builder/context/folder",
    "builder/context/git",
    "builder/diagnose",
    "builder/dockerfile",
    "layerfs",
    "registry",
  ],
  "builder/context/folder": [
    "builder/context/context",
    "builder/context/select",
    "builder/diagnose",
    "builder/dockerfile",
    "layerfs",
  ],
  "builder/context/git": [
    "builder/context/kept-folder",
    "builder/context/limit",
    "builder/diagnose",
    "builder/dockerfile",
    "layerfs/store",
    "native/core",
  ],
  // An image, from what it says of itself to where it goes.
  "builder/image": ["builder/progress", "registry"],
  "builder/image/platform": ["builder/diagnose", "layerfs/store"],
  "builder/image/config": ["builder/diagnose", "builder/dockerfile", "layerfs", "registry"],
  // Templates and Go's spellings: they know no image.
  "builder/image/format": ["builder/diagnose"],
  "builder/image/history": [
    "builder/diagnose",
    "builder/dockerfile",
    "builder/image/config",
    "builder/image/format",
    "builder/progress",
    "registry",
  ],
  "builder/image/stored": [
    "builder/diagnose",
    "builder/image/config",
    "builder/image/format",
    "builder/image/history",
    "builder/image/platform",
    "builder/progress",
    "layerfs",
    "registry",
  ],
  "builder/image/inspect": ["builder/image/platform", "builder/image/stored", "layerfs", "registry"],
  // Types alone: a request names them.
  "builder/image/output/output-spec": ["layerfs/store"],
  "builder/image/output": ["builder/image/output/output-spec", "builder/image/platform", "layerfs", "registry"],
  "builder/image/move": [
    "builder/image/format",
    "builder/image/output",
    "builder/image/platform",
    "builder/image/stored",
    "builder/image/told-step",
    "builder/progress",
    "layerfs",
    "registry",
  ],
  "builder/checks": [
    "builder/build-request",
    "builder/diagnose",
    "builder/dockerfile",
    "builder/image",
    "builder/progress",
    "layerfs/store",
    "registry",
  ],
  "builder/graph": [
    // How URLs are read, and what contexts are called.
    "builder/context",
    "builder/diagnose",
    "builder/dockerfile",
    "builder/image",
    "builder/runtime",
    "layerfs",
    "registry",
  ],
  // The addon's walk tells it of whiteouts and opaque marks in unpacked folders.
  // native/wine changes copies of Wine's files.
  "builder/runtime": ["builder/runtime/wine/personality", "layerfs", "native/core", "native/addon", "native/wine"],
  "builder/runtime/wine/personality": ["layerfs", "native/core", "native/addon", "native/wine"],
  "builder/steps": [
    "builder/runtime",
    "builder/context",
    "builder/graph",
    "builder/image",
    "builder/progress",
    "layerfs",
    "native/core",
    "registry",
  ],
  "builder/solve": [
    "builder/graph",
    "builder/steps",
    "builder/progress",
    "builder/diagnose",
    "builder/image",
    "layerfs",
    "registry",
  ],
  // A definition, not a build: its targets become command lines.
  "builder/bake": ["builder/diagnose"],
  // What other machines built: it speaks the solver's words.
  "builder/cache": ["builder/solve", "builder/steps", "builder/image", "builder/progress", "layerfs", "registry"],
  // What is said about an image: from its files and from the graph that made it.
  "builder/attest/scan": ["builder/attest/package", "layerfs"],
  "builder/attest": [
    "builder/attest/scan",
    "builder/diagnose",
    "builder/dockerfile",
    "builder/graph",
    "builder/image",
    "layerfs",
    "registry",
  ],
  "builder/failed": ["builder/steps", "builder/graph", "builder/image", "builder/runtime", "layerfs", "registry"],
  // Images made of images, without a build.
  "builder/mutate": ["builder/image", "layerfs", "registry"],
  "builder/base": ["builder/image", "builder/runtime", "layerfs", "registry"],
  // A lock, so that two who add a tool wait for each other.
  "builder/tools": ["builder/runtime", "layerfs", "native/addon"],
  "builder/build-request": [
    "builder/cache/spec",
    "builder/image/output/output-spec",
    "builder/runtime",
    "layerfs",
    "native/core",
  ],
  // The walk of one build: from the solver's word to layers that are at hand.
  "builder/walk": [
    "builder/build-request",
    "builder/cache",
    "builder/graph",
    "builder/runtime",
    "builder/solve",
    "builder/steps",
    "layerfs",
    "registry",
  ],
  // What becomes of the result.
  "builder/deliver": [
    "builder/attestations",
    "builder/build-request",
    "builder/checks",
    "builder/diagnose",
    "builder/graph",
    "builder/image",
    "builder/progress",
    "builder/steps",
    "layerfs",
    "registry",
  ],
  "builder/explain": ["builder/diagnose", "builder/progress"],
};

/** The doors of builder: files that programs import, beside the rooms. */
const door = Object.keys(builder).concat("layerfs", "registry", "native/core");

const allowed: Readonly<Record<string, readonly string[]>> = {
  ...builder,
  "builder/cli": [...door, "builder", "builder/cli/flags"],
  // What was typed → plain data.
  "builder/cli/flags": [...door, "builder", "builder/cli/command"],
  builder: [...door],
  registry: ["layerfs/store"],
  layerfs: ["native/addon"],
  "native/addon": [],
  "native/wine": [],
  "native/core": ["native/addon/load"],
  native: [],
};

/** Everyone may throw the one error. */
const everyone = "native/error.ts";

/** The room of a file: the longest key of the table that is its folder, a folder above it, or itself without ending. */
export function roomOf(file: string): string | undefined {
  return Object.keys(allowed)
    .filter((room) => file.startsWith(`${room}/`) || file === `${room}.ts`)
    .sort((a, b) => b.length - a.length)[0];
}

export function mayImport(from: string, to: string): boolean {
  if (to === everyone) return true;
  const room = roomOf(from);
  if (room === undefined) return false;
  if (roomOf(to) === room) return true;
  return (allowed[room] ?? []).some((other) =>
    other === "builder" ? roomOf(to) === "builder" : to.startsWith(`${other}/`) || to === `${other}.ts`,
  );
}
