/** Windows' foreign bytes and texts: descriptors, SDDL, PAX records, paths, link targets. Each ends in a value or an error of ours. */
import test from "ava";
import fc from "fast-check";
import { resolveWindows } from "../../layerfs/tree/windows-path.ts";
import { unixTarget, windowsTarget } from "../../layerfs/windows/link-target.ts";
import { defaultSecurity, metadataPax, readMetadata } from "../../layerfs/windows/metadata.ts";
import { nameFault } from "../../layerfs/windows/names.ts";
import { parseWindowsPath, showWindowsPath } from "../../layerfs/windows/path.ts";
import { formatSddl, parseSddl } from "../../layerfs/windows/sddl.ts";
import { decodeSecurity, encodeSecurity } from "../../layerfs/windows/security.ts";
import { isWbuildError } from "../../native/error.ts";
import { holds } from "../doubles/holds.ts";
import { isFuzzing } from "../seed.ts";
import { orRefused } from "./or-refused.ts";

const numRuns = isFuzzing ? 60_000 : 3000;

/** A good descriptor with some bytes changed, or cut. */
const spoiled = fc
  .tuple(
    fc.constantFrom<"file" | "directory">("file", "directory"),
    fc.array(fc.tuple(fc.nat(215), fc.nat(255)), { maxLength: 6 }),
    fc.nat(216),
  )
  .map(([kind, edits, length]) => {
    const bytes = Uint8Array.from(defaultSecurity(kind));
    for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
    return length < 20 ? bytes.subarray(0, length * 10) : bytes;
  });

test("descriptors: what is read is written so that it is read the same", (t) => {
  holds(
    t,
    fc.property(fc.oneof(spoiled, fc.uint8Array({ maxLength: 300 })), (bytes) => {
      const read = orRefused(() => decodeSecurity(bytes));
      if (read === undefined) return;
      t.deepEqual(decodeSecurity(encodeSecurity(read)), read);
      const text = orRefused(() => formatSddl(read));
      if (text !== undefined) t.is(formatSddl(parseSddl(text)), text);
    }),
    { numRuns },
  );
});

const word = fc.constantFrom(
  ..."O: G: D: S: BA SY S-1-5-32-544 ( ) ; A D AU ML OI CI FA GR 0x1f P AI -1 NO_ACCESS_CONTROL".split(" "),
);
const sddl = fc.oneof(
  fc.array(word, { maxLength: 30 }).map((words) => words.join("")),
  fc.tuple(word, word, word, word).map(([a, b, c, d]) => `O:${d}D:(A;${a};${b};;;${c})`),
  fc.string({ maxLength: 60, unit: "binary" }),
);

test("SDDL: text that is understood survives its bytes", (t) => {
  holds(
    t,
    fc.property(sddl, (text) => {
      const read = orRefused(() => parseSddl(text));
      const bytes = read && orRefused(() => encodeSecurity(read));
      if (bytes) t.deepEqual(encodeSecurity(decodeSecurity(bytes)), bytes);
    }),
    { numRuns },
  );
});

const key = fc.constantFrom("fileattr", "rawsd", "sd", "mountpoint", "xattr.x").map((name) => `MSWINDOWS.${name}`);
const record = fc.tuple(
  fc.oneof(key, fc.constant("LIBARCHIVE.creationtime")),
  fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ maxLength: 30 }).map((text) => Buffer.from(text)),
    fc.bigInt().map((value) => Buffer.from(`${value}.${value}`)),
  ),
);

test("PAX records: never an error, and what was understood is written and read the same", (t) => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 6 }), (records) => {
      const { xattrs: _, ...read } = readMetadata({ pax: new Map(records) });
      t.deepEqual(readMetadata({ pax: metadataPax(read) }), read);
    }),
    { numRuns },
  );
});

const piece = fc.oneof(
  fc.constantFrom(
    "\\",
    "/",
    "..",
    ".",
    "C:",
    "c:",
    "D:",
    "\\\\?\\",
    "\\??\\",
    "\\\\",
    "UNC",
    "a",
    "B",
    "con",
    " ",
    "é",
    "\0",
  ),
  fc.string({ maxLength: 3, unit: "binary" }),
);
const path = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
const clean = /^(?:(?!\.{1,2}(?:\/|$))[^/\0]+(?:\/(?!\.{1,2}(?:\/|$))[^/\0]+)*)?$/s;

test("paths: clean, below C:, and the same when shown and read again", (t) => {
  fc.assert(
    fc.property(path, fc.constantFrom("", "app", "a/b"), (text, workdir) => {
      const read = orRefused(() => parseWindowsPath(text, workdir));
      if (read === undefined) return;
      t.regex(read.path, clean);
      if (read.path.split("/").every((name) => nameFault(name) === undefined)) {
        t.is(parseWindowsPath(showWindowsPath(read.path), "else").path, read.path);
      }
    }),
    { numRuns },
  );
});

test("links: no target on disk leads above C:, whatever Windows' target is", (t) => {
  const names = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(path, names, (target, parts) => {
      const link = unixTarget(target, parts.join("/"));
      t.false(link.startsWith("/"));
      t.not(link, "");
      let depth = parts.length - 1;
      for (const part of link.split("/")) {
        depth += part === ".." ? -1 : part === "." || part === "" ? 0 : 1;
        if (depth < 0) t.fail(`${target} at ${parts.join("/")} became ${link}`);
      }
      t.false(windowsTarget(link, parts.join("/")).includes("/"));
    }),
    { numRuns },
  );
});

test("walks end, whatever links there are", async (t) => {
  const trees = fc.dictionary(fc.constantFrom("a", "b", "c", "a/b", "a/c"), path, { noNullPrototype: true });
  await holds(
    t,
    fc.asyncProperty(trees, path, async (links, start) => {
      const stat = async (at: string) => {
        const target = links[at]?.replaceAll("\0", "");
        return { path: at, type: target === undefined ? "directory" : "symlink", target: target ?? "" } as const;
      };
      try {
        const found = await resolveWindows(stat, start.replaceAll(/\\|\0/g, "/"), true);
        if (found !== undefined) t.regex(found, clean);
      } catch (error) {
        t.true(isWbuildError(error, "TREE_LOOP"));
      }
    }),
    { numRuns: numRuns / 3 },
  );
});
