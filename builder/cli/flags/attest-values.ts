/** `--attest`, `--sbom` and `--provenance`, as buildx spells them → AttestRequest. Pure; every refusal is CLI_VALUE. */
import type { Command as Parser } from "commander";
import { WbuildError } from "../../../native/error.ts";
import type { AttestRequest } from "../../build-request.ts";
import { collect } from "../command.ts";
import { badValue, parseBoolean, parseChoice, parsePair, splitCsv } from "./values.ts";

export interface AttestFlags {
  readonly attest?: readonly string[];
  readonly sbom?: string;
  readonly provenance?: string;
}

export function defineAttestFlags(parser: Parser): void {
  parser
    .option(
      "--attest <spec>",
      "say something about the image: type=sbom or type=provenance,mode=max; may be repeated",
      collect,
    )
    .option("--sbom <value>", "true: list what the image holds, beside it (--attest type=sbom)")
    .option("--provenance <value>", "true or mode=min|max: say how the image was made (--attest type=provenance)");
}

type Attributes = ReadonlyMap<string, string>;

/** Undefined when nothing is to be said. Throws CLI_VALUE. */
export function attestRequestOf({ attest = [], sbom, provenance }: AttestFlags): AttestRequest | undefined {
  const found = new Map<"sbom" | "provenance", Attributes>();
  const add = (flag: string, text: string) => {
    const attributes = attributesOf(flag, text);
    const type = parseChoice(`${flag} type`, attributes.get("type") ?? "", ["sbom", "provenance"]);
    if (found.has(type)) throw badValue(flag, text, `the only one of type ${type}`);
    found.set(type, attributes);
  };
  for (const text of attest) add("--attest", text);
  if (sbom !== undefined) add("--sbom", shorthand("sbom", sbom));
  if (provenance !== undefined) add("--provenance", shorthand("provenance", provenance));
  const [list, made] = [found.get("sbom"), found.get("provenance")];
  const isListed = list !== undefined && sbomOf(list);
  const how = made && provenanceOf(made);
  if (!isListed && how === undefined) return undefined;
  return { ...(isListed ? { sbom: true } : {}), ...(how === undefined ? {} : { provenance: how }) };
}

/** `true`, `false` or attributes. */
function shorthand(type: string, text: string): string {
  if (/^(?:1|t|true)$/i.test(text)) return `type=${type}`;
  if (/^(?:0|f|false)$/i.test(text)) return `type=${type},disabled=true`;
  return `type=${type},${text}`;
}

function attributesOf(flag: string, text: string): Attributes {
  const found = new Map<string, string>();
  for (const field of splitCsv(flag, text)) {
    const [name, value] = parsePair(flag, field);
    if (value === undefined) throw badValue(flag, field, "of the form NAME=VALUE");
    if (found.has(name.toLowerCase())) throw badValue(flag, text, `a list that names ${name.toLowerCase()} once`);
    found.set(name.toLowerCase(), value);
  }
  return found;
}

function refuseOthers(flag: string, given: Attributes, known: readonly string[]): void {
  for (const name of given.keys())
    if (!["type", "disabled", ...known].includes(name))
      throw badValue(flag, name, `an attribute of that type (${known.join(", ")})`);
}

const isDisabled = (flag: string, given: Attributes) =>
  parseBoolean(`${flag} disabled`, given.get("disabled") ?? "false");

function sbomOf(given: Attributes): boolean {
  const flag = "--attest type=sbom";
  if (isDisabled(flag, given)) return false;
  const generator = given.get("generator");
  if (generator !== undefined && generator !== "")
    throw new WbuildError(
      "CLI_VALUE",
      `${flag}: the generator ${JSON.stringify(generator.slice(0, 200))} cannot be used`,
      {
        facts: { flag, value: generator.slice(0, 200) },
        hint: "wbuild lists the packages itself and runs no scanner image; leave out generator=",
      },
    );
  // BuildKit hands unknown ones to the generator, and ours takes none.
  refuseOthers(flag, given, ["generator"]);
  return true;
}

function provenanceOf(given: Attributes): AttestRequest["provenance"] {
  const flag = "--attest type=provenance";
  if (isDisabled(flag, given)) return undefined;
  refuseOthers(flag, given, ["mode", "version", "builder-id", "reproducible", "inline-only", "filename"]);
  const filename = given.get("filename") ?? "provenance.json";
  // The attack: filename=../../etc/passwd writes outside of the output.
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,200}$/.test(filename))
    throw badValue(`${flag} filename`, filename, "a file's name");
  const yes = (name: string) => parseBoolean(`${flag} ${name}`, given.get(name) ?? "false");
  return {
    mode: parseChoice(`${flag} mode`, given.get("mode") ?? "min", ["min", "max"]),
    version: parseChoice(`${flag} version`, given.get("version") ?? "v1", ["v1", "v0.2"]),
    builderId: given.get("builder-id") ?? "",
    reproducible: yes("reproducible"),
    inlineOnly: yes("inline-only"),
    filename,
  };
}
