/** The folder that a step's Wine calls its prefix: registry, drives, and the files through which we and it speak. */
import { constants, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import type { Hive } from "../../../layerfs/hive/key.ts";
import { readWineText, streamWineText, type WineText } from "../../../layerfs/hive/wine-text.ts";
import { WbuildError } from "../../../native/error.ts";
import { type Note, readJournal } from "./journal.ts";
import type { RegistryTexts } from "./registry/changes.ts";
import type { ImageRegistry } from "./registry/image-hives.ts";
import type { TextMakers } from "./registry/kept-texts.ts";
import type { SessionOptions } from "./registry/session-settings.ts";
import { sessionTrees } from "./registry/session-trees.ts";

/** Host paths of Wine's own registry texts. */
export interface WineRegistry {
  readonly system: string;
  readonly user: string;
  readonly userdef: string;
}

export interface SessionProcess {
  /** As CreateProcess gets it. */
  readonly commandLine: string;
  /** `C:\app`. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Folders in front of PATH, as Windows spells them. */
  readonly path: readonly string[];
}

const names = ["system", "user", "userdef"] as const;
/** Of the three together: as much as readWineText takes. */
const largestText = 512 << 20;

/** The registry that a step begins with, as Wine's texts, which may be large: they are not held in memory. */
export function sessionTexts(wine: WineRegistry, image: ImageRegistry, options: SessionOptions): TextMakers {
  const [system, user, userdef] = names.map((name) => readWineText(readFileSync(wine[name])));
  if (!system || !user || !userdef) throw new TypeError("three texts are read");
  const trees = sessionTrees({ machine: system, user, userdef }, image, options);
  const text = (tree: Hive, like: WineText) => (take: (piece: Uint8Array) => void) =>
    streamWineText(tree, { arch: system.arch ?? "win64", relativeTo: like.relativeTo }, take);
  return {
    system: text(trees.machine, system),
    user: text(trees.user, user),
    userdef: text(trees.userdef, userdef),
  };
}

/** Makes the prefix in an empty folder; `texts` is the folder with the registry that the step begins with. */
export function writeSession(prefix: string, texts: string, process: SessionProcess): void {
  // Copies, as the step can write into them; where the file system can, of what differs only.
  for (const name of names) copyFileSync(join(texts, name), join(prefix, `${name}.reg`), constants.COPYFILE_FICLONE);
  // Wine's own updates of a prefix stay off; and C: is the only drive: any other would be a way out of the image.
  writeFileSync(join(prefix, ".update-timestamp"), "disable\n");
  mkdirSync(join(prefix, "dosdevices"));
  symlinkSync("/Files", join(prefix, "dosdevices/c:"));
  const utf16 = (text: string) => Buffer.from(text, "utf16le");
  // Where no variable of the image says PATH, the registry does, and Wine puts WINEPATH in front of it.
  const path = process.path.map((folder) => `${folder};`).join("");
  writeFileSync(join(prefix, "command"), utf16(process.commandLine));
  writeFileSync(join(prefix, "cwd"), utf16(process.cwd));
  writeFileSync(
    join(prefix, "env"),
    utf16(
      Object.entries(process.env)
        .map(([name, value]) => `${name}=${/^path$/i.test(name) ? path : ""}${value}\0`)
        .join(""),
    ),
  );
  writeFileSync(join(prefix, "journal"), "");
}

/** The registries from a folder of kept texts and from a prefix whose server has ended, side by side. Throws WIN_SESSION. */
export async function readTexts(
  texts: string,
  prefix: string,
): Promise<{ before: RegistryTexts; after: RegistryTexts }> {
  const read = async (path: (name: string) => string): Promise<RegistryTexts> => {
    // Attack: three sparse files, each as large as a text may be.
    const rest = { bytes: largestText };
    const system = await readText(path("system"), rest);
    const user = await readText(path("user"), rest);
    const userdef = await readText(path("userdef"), rest);
    return { system, user, userdef };
  };
  const [before, after] = await Promise.all([
    read((name) => join(texts, name)),
    // What the server did not change it did not write.
    read((name) => join(prefix, `${name}.reg`)),
  ]);
  return { before, after };
}

async function readText(path: string, rest: { bytes: number }): Promise<Buffer> {
  const bytes = await readLeft(path, rest.bytes);
  if (bytes === undefined) throw new WbuildError("WIN_SESSION", "a step left a registry that cannot be read");
  rest.bytes -= bytes.length;
  return bytes;
}

/** A regular file of at most `most` bytes that a step could write; undefined when there is none there. */
async function readLeft(path: string, most: number): Promise<Buffer | undefined> {
  // Attack: the step puts a link to a file of the host there, a device, or a pipe that never ends. In its container /wine is a
  // folder like any other, and a Windows program can speak to Linux.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch(() => undefined);
  try {
    const found = await file?.stat();
    return file && found?.isFile() && found.size <= most ? await file.readFile() : undefined;
  } finally {
    await file?.close();
  }
}

/** Throws WIN_JOURNAL. */
export async function journalOf(prefix: string): Promise<Note[]> {
  const bytes = await readLeft(join(prefix, "journal"), 256 << 20);
  if (bytes === undefined) throw new WbuildError("WIN_JOURNAL", "a step left a journal that cannot be read");
  return readJournal(bytes.toString("utf8"));
}

const unsigned = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff));
const text = v.pipe(v.string(), v.maxLength(32_767));
const resultSchema = v.object({
  exit: v.optional(unsigned),
  error: v.optional(v.picklist(["not-found", "not-program", "denied", "failed"])),
  code: v.optional(unsigned),
  program: v.optional(text),
  missing: v.optional(v.pipe(v.array(v.object({ dll: text, neededBy: text })), v.maxLength(1000))),
});

export type SessionResult = v.InferOutput<typeof resultSchema>;

/**
 * How the step's program ended, as our launcher noted it. Any program of the step could have written the file, which can
 * fool its own step only. Throws WIN_SESSION when there is none, or none that can be read.
 */
export async function resultOf(prefix: string): Promise<SessionResult> {
  let found: unknown;
  try {
    const bytes = await readLeft(join(prefix, "result"), 1 << 20);
    if (bytes === undefined) throw new TypeError("no file that can be read is there");
    found = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new WbuildError("WIN_SESSION", "Wine ended without saying how the program did", {
      cause,
      hint: "`wbuild doctor` says whether Wine works on this host",
    });
  }
  const parsed = v.safeParse(resultSchema, found);
  if (parsed.success && (parsed.output.exit !== undefined || parsed.output.error !== undefined)) return parsed.output;
  throw new WbuildError("WIN_SESSION", "what Wine says of the program's end cannot be understood");
}
