/** `-o/--output` and the compression flags: comma-separated attributes, as buildx spells them → OutputSpec. */
import { WbuildError } from "../../native/error.ts";
import type { Compression, CompressionChoice, OutputSpec } from "../build-request.ts";
import { badValue, parseBoolean, parseChoice, parseCount, parsePair, splitCsv } from "./values.ts";

const attributes = ["type", "dest", "name", "push", "tar", "compression", "compression-level"];

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
  for (const field of splitCsv(flag, text)) {
    const [key, value] = parsePair(flag, field);
    const name = key.toLowerCase();
    if (!attributes.includes(name)) throw badValue(flag, field, `an attribute of an output (${attributes.join(", ")})`);
    if (value === undefined) throw badValue(flag, field, "of the form NAME=VALUE");
    given.set(name, value);
  }
  const type = parseChoice(`${flag} type`, given.get("type") ?? "", [
    "oci",
    "docker",
    "tar",
    "local",
    "image",
    "registry",
  ]);
  const names = (given.get("name") ?? "").split(",").filter((name) => name !== "");
  if (type === "image") return { type, names, push: flagOf("push", false), ...compressed() };
  if (type === "registry") return { type, names, ...compressed() };
  const dest = given.get("dest") ?? (type === "local" ? "" : "-");
  if (dest === "")
    throw new WbuildError("CLI_OUTPUT", `${flag} ${text}: an output of type ${type} needs a destination`, {
      hint: `say where it goes: ${flag} type=${type},dest=PATH`,
    });
  if (type === "tar" || type === "local") {
    if (type === "local" && dest === "-")
      throw new WbuildError("CLI_OUTPUT", `${flag} ${text}: a folder cannot be written to standard output`, {
        hint: `use ${flag} type=tar,dest=-`,
      });
    return { type, dest };
  }
  const folder = !flagOf("tar", true);
  if (folder && dest === "-")
    throw new WbuildError("CLI_OUTPUT", `${flag} ${text}: a folder cannot be written to standard output`, {
      hint: "leave out tar=false, or give dest=FOLDER",
    });
  return { type, names, dest, folder, ...compressed() };

  function flagOf(name: string, otherwise: boolean): boolean {
    const value = given.get(name);
    return value === undefined ? otherwise : parseBoolean(`${flag} ${name}`, value);
  }
  function compressed(): CompressionChoice {
    const named = given.get("compression");
    const level = given.get("compression-level");
    const compression = named === undefined ? undefined : parseCompression(`${flag} compression`, named);
    return {
      ...(compression === undefined ? {} : { compression }),
      ...(level === undefined ? {} : { compressionLevel: parseLevel(`${flag} compression-level`, level, compression) }),
    };
  }
}
