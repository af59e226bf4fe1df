/** `-o/--output` and the compression flags: comma-separated attributes, as buildx spells them → OutputSpec. */
import { WbuildError } from "../../../native/error.ts";
import type {
  Annotation,
  Compression,
  CompressionChoice,
  ImageAttributes,
  OutputSpec,
} from "../../image/output/output-spec.ts";
import { annotationAttribute } from "./annotation-values.ts";
import { badValue, parseBoolean, parseChoice, parseCount, parsePair, splitCsv } from "./values.ts";

const types = ["oci", "docker", "tar", "local", "image", "registry", "cacheonly"] as const;

const image = [
  ...["name", "compression", "compression-level", "force-compression", "oci-mediatypes", "oci-artifact"],
  ...["rewrite-timestamp"],
];
const pushed = ["push", "push-by-digest", "registry.insecure"];
const stored = ["store", "unpack", "dangling-name-prefix", "name-canonical"];
/** What each type knows besides `type` (and annotations, where it writes images). */
const attributes: Readonly<Record<(typeof types)[number], readonly string[]>> = {
  oci: [...image, "dest", "tar"],
  docker: [...image, "dest", "tar"],
  tar: ["dest", "platform-split"],
  local: ["dest", "platform-split"],
  image: [...image, ...pushed, ...stored],
  registry: [...image, ...pushed, ...stored],
  cacheonly: [],
};

/** `uncompressed` is BuildKit's word for our `none`. */
export function parseCompression(flag: string, text: string): Compression {
  const name = parseChoice(flag, text, ["zstd", "gzip", "none", "uncompressed"]);
  return name === "uncompressed" ? "none" : name;
}

/** Level on the compressor's own scale; without a compressor named, zstd's is the widest. */
export function parseLevel(flag: string, text: string, compression: Compression | undefined): number {
  return parseCount(flag, text, compression === "gzip" ? 0 : 1, compression === "gzip" ? 9 : 22);
}

/**
 * `type=oci,dest=image.tar`, `type=local,dest=out`, `type=image,name=a,push=true`, a lone `DIR` (local) or `-` (tar on stdout).
 * Throws CLI_VALUE for an unknown attribute or type, and CLI_OUTPUT when a destination is missing.
 */
export function parseOutput(flag: string, text: string): OutputSpec {
  if (text === "") throw badValue(flag, text, "an output such as type=oci,dest=image.tar");
  if (!text.includes("=")) return text === "-" ? { type: "tar", dest: "-" } : { type: "local", dest: text };
  const given = new Map<string, string>();
  const annotations: Annotation[] = [];
  for (const field of splitCsv(flag, text)) {
    const [key, value] = parsePair(flag, field);
    if (value === undefined) throw badValue(flag, field, "of the form NAME=VALUE");
    const annotation = annotationAttribute(flag, key, value);
    if (annotation) annotations.push(annotation);
    else given.set(key.toLowerCase(), value);
  }
  return new Reader(flag, text, given, annotations).read();
}

class Reader {
  readonly #flag: string;
  readonly #text: string;
  readonly #given: ReadonlyMap<string, string>;
  readonly #annotations: readonly Annotation[];

  constructor(flag: string, text: string, given: ReadonlyMap<string, string>, annotations: readonly Annotation[]) {
    this.#flag = flag;
    this.#text = text;
    this.#given = given;
    this.#annotations = annotations;
  }

  read(): OutputSpec {
    const type = parseChoice(`${this.#flag} type`, this.#given.get("type") ?? "", types);
    this.#check(type);
    switch (type) {
      case "cacheonly":
        return { type };
      case "image":
        return this.#image();
      case "registry":
        // BuildKit's own name for an image that is pushed.
        if (this.#flagOf("push") === false || this.#flagOf("store") === true)
          return { ...this.#image(), push: this.#flagOf("push") ?? true };
        return { type, ...this.#imageAttributes(), ...this.#pushAttributes() };
      case "tar":
      case "local":
        return { type, dest: this.#dest(type), ...this.#optional("platformSplit", this.#flagOf("platform-split")) };
      default:
        return this.#archive(type);
    }
  }

  #check(type: (typeof types)[number]): void {
    const known = attributes[type];
    const expected = `an attribute of an output of type ${type} (${["type", ...known].join(", ")})`;
    for (const name of this.#given.keys())
      if (name !== "type" && !known.includes(name)) throw badValue(this.#flag, name, expected);
    const [annotation] = this.#annotations;
    if (annotation && !known.includes("name")) throw badValue(this.#flag, `annotation.${annotation.key}`, expected);
  }

  #image(): OutputSpec & { type: "image" } {
    const prefix = this.#given.get("dangling-name-prefix");
    return {
      type: "image",
      ...this.#imageAttributes(),
      push: this.#flagOf("push") ?? false,
      ...this.#pushAttributes(),
      ...this.#optional("store", this.#flagOf("store")),
      ...this.#optional("unpack", this.#flagOf("unpack")),
      ...this.#optional("nameCanonical", this.#flagOf("name-canonical")),
      ...(prefix === undefined ? {} : { danglingNamePrefix: prefix }),
    };
  }

  #archive(type: "oci" | "docker"): OutputSpec {
    const dest = this.#dest(type);
    const folder = this.#flagOf("tar") === false;
    if (folder && dest === "-")
      throw new WbuildError(
        "CLI_OUTPUT",
        `${this.#flag} ${this.#text}: a folder cannot be written to standard output`,
        {
          hint: "leave out tar=false, or give dest=FOLDER",
        },
      );
    return { type, ...this.#imageAttributes(), dest, folder };
  }

  #dest(type: "tar" | "local" | "oci" | "docker"): string {
    const dest = this.#given.get("dest") ?? (type === "local" ? "" : "-");
    if (dest === "")
      throw new WbuildError(
        "CLI_OUTPUT",
        `${this.#flag} ${this.#text}: an output of type ${type} needs a destination`,
        {
          hint: `say where it goes: ${this.#flag} type=${type},dest=PATH`,
        },
      );
    if (type === "local" && dest === "-")
      throw new WbuildError(
        "CLI_OUTPUT",
        `${this.#flag} ${this.#text}: a folder cannot be written to standard output`,
        {
          hint: `use ${this.#flag} type=tar,dest=-`,
        },
      );
    return dest;
  }

  #imageAttributes(): ImageAttributes {
    return {
      names: (this.#given.get("name") ?? "").split(",").filter((name) => name !== ""),
      ...this.#compression(),
      ...this.#optional("forceCompression", this.#flagOf("force-compression")),
      ...this.#optional("ociMediaTypes", this.#flagOf("oci-mediatypes")),
      ...this.#optional("ociArtifact", this.#flagOf("oci-artifact")),
      ...this.#optional("rewriteTimestamp", this.#flagOf("rewrite-timestamp")),
      ...(this.#annotations.length > 0 ? { annotations: this.#annotations } : {}),
    };
  }

  #pushAttributes() {
    return {
      ...this.#optional("pushByDigest", this.#flagOf("push-by-digest")),
      ...this.#optional("insecure", this.#flagOf("registry.insecure")),
    };
  }

  #compression(): CompressionChoice {
    const named = this.#given.get("compression");
    const level = this.#given.get("compression-level");
    const compression = named === undefined ? undefined : parseCompression(`${this.#flag} compression`, named);
    const levelFlag = `${this.#flag} compression-level`;
    return {
      ...(compression === undefined ? {} : { compression }),
      ...(level === undefined ? {} : { compressionLevel: parseLevel(levelFlag, level, compression) }),
    };
  }

  /** undefined when it was not given. */
  #flagOf(name: string): boolean | undefined {
    const value = this.#given.get(name);
    return value === undefined ? undefined : parseBoolean(`${this.#flag} ${name}`, value);
  }

  #optional<const Name extends string>(name: Name, value: boolean | undefined): { [name in Name]?: boolean } {
    return value === undefined ? {} : ({ [name]: value } as { [name in Name]?: boolean });
  }
}
