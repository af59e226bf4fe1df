/**
 * What the Go linker writes into each program (runtime/debug, "BuildInfo"; since Go 1.18 in the file itself): its version of
 * Go and the modules that it was made of. The bytes may be anything: what does not fit is not there.
 */
export interface GoModule {
  readonly path: string;
  readonly version: string;
}

export interface GoBuildInfo {
  /** `1.22.1`. */
  readonly go: string;
  /** The program's own; undefined when it was built without modules. */
  readonly main: GoModule | undefined;
  readonly dependencies: readonly GoModule[];
}

const magic = Buffer.from("\xff Go buildinf:", "latin1");
const alignment = 16;
const headerBytes = 32;
/** Bytes; the list of Kubernetes has 50 000. */
const longest = 4 * 1024 * 1024;

/** Undefined for what is no program of Go, or of one before 1.18. */
export function readGoBuildInfo(bytes: Buffer): GoBuildInfo | undefined {
  for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
    // Bit 1 of the flags: texts follow here, and are not pointed at.
    const isHere = at % alignment === 0 && ((bytes[at + 15] ?? 0) & 2) !== 0;
    const version = isHere ? textAt(bytes, at + headerBytes) : undefined;
    const go = /^go(\d[\w.+-]{0,60})/.exec(version?.text ?? "")?.[1];
    if (version === undefined || go === undefined) continue;
    const modules = textAt(bytes, version.end)?.text ?? "";
    return { go, ...readModules(framed(modules)) };
  }
  return undefined;
}

/** A length as a varint, then the bytes. */
function textAt(bytes: Buffer, from: number): { text: string; end: number } | undefined {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[from + i];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte >= 0x80) continue;
    const start = from + i + 1;
    if (length > longest || start + length > bytes.length) return undefined;
    return { text: bytes.toString("latin1", start, start + length), end: start + length };
  }
  return undefined;
}

/** 16 marks before the text and behind it. */
function framed(text: string): string {
  return text.length >= 33 && text.at(-17) === "\n" ? text.slice(16, -16) : "";
}

function readModules(text: string): Pick<GoBuildInfo, "main" | "dependencies"> {
  let main: GoModule | undefined;
  const dependencies: GoModule[] = [];
  for (const line of text.split("\n")) {
    const [kind, path = "", version = ""] = line.split("\t");
    if (path === "") continue;
    // A program of no release says "(devel)".
    const module = { path, version: version === "(devel)" ? "" : version };
    if (kind === "mod") main = module;
    else if (kind === "dep") dependencies.push(module);
    // The module before was replaced by this one; a folder without a version is no module that others know.
    else if (kind === "=>" && dependencies.length > 0 && version !== "") dependencies[dependencies.length - 1] = module;
  }
  return { main, dependencies };
}
