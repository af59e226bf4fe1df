/** `wbuild bake`: many builds, as a file defines them. Each target becomes the command line of one build. */
import type { BakeOperands } from "../bake/elsewhere.ts";
import type { Bake } from "../bake/files.ts";
import type { Resolved } from "../bake/resolve.ts";
import type { BakeElsewhere } from "./bake-elsewhere.ts";
import { type Cli, type Command, collect, flagsOf } from "./command.ts";
import { defineProgressFlags, type ProgressFlags } from "./flags/flags.ts";
import { badValue, parseChoice, parseVariables } from "./flags/values.ts";
import { table } from "./table.ts";

interface BakeFlags extends ProgressFlags {
  readonly file?: readonly string[];
  readonly set?: readonly string[];
  readonly var?: readonly string[];
  readonly allow?: readonly string[];
  readonly print?: boolean;
  readonly list?: string | boolean;
  readonly push?: boolean;
  readonly load?: boolean;
  readonly cache: boolean;
  readonly pull?: boolean;
  readonly lazy?: boolean;
  readonly sbom?: string;
  readonly provenance?: string;
  readonly metadataFile?: string;
  readonly call?: string;
  readonly check?: boolean;
}

export const bakeCommand: Command = {
  operands: "[URL [URL]] [TARGET...]",
  about: `
    Builds the targets that docker-bake.hcl, docker-bake.json or the build sections of a Compose file define: side by side,
    as far as they do not need each other. Without TARGET the group or target \`default\` is built. Variables of the file
    take their values from the environment.

    The file may lie elsewhere: URL names a git repository, a tar or the file itself, and what its targets say of folders is
    within that place; cwd:// is this folder. A second URL becomes its BAKE_CMD_CONTEXT.

    What a file asks for outside of this folder, or beyond the sandbox, must be allowed with --allow.`,
  examples: [
    ["wbuild bake", "build what the file calls default"],
    ["wbuild bake --print app", "show what would be built, as JSON"],
    ["wbuild bake --set '*.platform=linux/arm64' --push", "change an attribute of every target, and push"],
    ["wbuild bake https://github.com/owner/name.git#v1.2 app", "what a repository defines, from its files"],
    ["TAG=1.2 wbuild bake -f release.hcl images", "another file; its variable TAG from the environment"],
  ],
  define(parser) {
    parser
      .argument("[targets...]")
      .option("-f, --file <path>", "a bake or Compose file, - for standard input; may be repeated", collect)
      .option("--set <target.key=value>", "change an attribute of targets, += adds; may be repeated", collect)
      .option("--var <name=value>", "set a variable of the file; may be repeated", collect)
      .option(
        "--allow <what>",
        "network.host, security.insecure, fs.read=PATH, fs.write=PATH, fs=PATH; may be repeated",
        collect,
      )
      .option("--print", "print the targets as JSON, and build nothing")
      .option("--list <what>", "list targets or variables, and build nothing")
      .option("--push", "push the images of every target")
      .option("--load", "keep the image of every target in the store also when it goes elsewhere")
      .option("--no-cache", "carry out every step, whatever is cached")
      .option("--pull", "look for newer base images in their registries")
      .option("--lazy", "download no layer whose files no step reads; it is fetched when somebody needs it")
      .option("--sbom <value>", "short for --set=*.attest=type=sbom")
      .option("--provenance <value>", "short for --set=*.attest=type=provenance")
      .option("--metadata-file <path>", "write what each target came to, as JSON, to this file")
      .option("--call <method>", "check, outline, targets: look at the Dockerfiles, and build nothing")
      .option("--check", "short for --call=check");
    defineProgressFlags(parser, "print nothing but errors");
  },
  async run(parser, cli) {
    const flags = flagsOf<BakeFlags>(parser);
    const { bakeOperands } = await import("../bake/elsewhere.ts");
    const operands = bakeOperands(parser.args);
    const bake = await load(flags, operands, cli);
    if (flags.list !== undefined) {
      const { what, isJson } = listOf(String(flags.list));
      const rows = what === "variables" ? variables(bake) : targets(bake);
      cli.stdout.write(isJson ? `${JSON.stringify(rows, omitEmpty, 2)}\n` : listTable(what, rows));
      return 0;
    }
    const written = await resolveTargets(bake, operands.names, flags, cli);
    const resolved = bake.root === undefined ? written : await movedTo(bake.root, written, cli);
    if (flags.print) {
      const { printResolved } = await import("../bake/print.ts");
      cli.stdout.write(printResolved(resolved));
      return 0;
    }
    const { checkPermissions } = await import("../bake/permissions.ts");
    const everywhere = cli.env.BUILDX_BAKE_ENTITLEMENTS_FS === "0" ? ["fs=*"] : [];
    checkPermissions(resolved.targets, { folder: cli.cwd, allowed: [...(flags.allow ?? []), ...everywhere] });
    const { buildAll } = await import("./bake-build.ts");
    return buildAll(resolved, flags, cli);
  },
};

async function load(
  flags: BakeFlags,
  { url, context }: BakeOperands,
  cli: Cli,
): Promise<Bake & { readonly root?: string }> {
  const { readBake, readFiles } = await import("../bake/files.ts");
  const { formatPlatform, hostPlatform } = await import("../image/platform.ts");
  const read = async (place?: BakeElsewhere) => {
    const elsewhere = place && ((name: string) => place.read(name));
    const files = await readFiles(flags.file ?? place?.names ?? [], {
      folder: cli.cwd,
      stdin: () => cli.stdin,
      ...(elsewhere === undefined ? {} : { elsewhere }),
    });
    const bake = await readBake(files, {
      env: cli.env,
      given: parseVariables("--var", flags.var ?? [], cli.env),
      builtIn: { BAKE_LOCAL_PLATFORM: formatPlatform(hostPlatform()), BAKE_CMD_CONTEXT: context },
    });
    return { ...bake, ...(place?.root === undefined ? {} : { root: place.root }) };
  };
  if (url === undefined) return read();
  const { withElsewhere } = await import("./bake-elsewhere.ts");
  return withElsewhere(url, cli, read);
}

/** What targets of a definition from elsewhere say of folders is said of that place. */
async function movedTo(root: string, resolved: Resolved, cli: Cli): Promise<Resolved> {
  const { relocated } = await import("../bake/elsewhere.ts");
  const { withToken } = await import("./bake-elsewhere.ts");
  const targets = [...resolved.targets].map(
    ([name, target]) => [name, withToken(relocated(target, root), root, cli)] as const,
  );
  return { ...resolved, targets: new Map(targets) };
}

async function resolveTargets(
  { definition }: Bake,
  names: readonly string[],
  flags: BakeFlags,
  cli: Cli,
): Promise<Resolved> {
  const { parseOverride } = await import("../bake/overrides.ts");
  const { resolve } = await import("../bake/resolve.ts");
  const shorthands = [
    ...(flags.cache ? [] : ["*.no-cache=true"]),
    ...(flags.pull ? ["*.pull=true"] : []),
    ...(flags.push ? ["*.push=true"] : []),
    ...(flags.load ? ["*.load=true"] : []),
    ...(flags.sbom === undefined ? [] : [`*.attest=${attestation("sbom", flags.sbom)}`]),
    ...(flags.provenance === undefined ? [] : [`*.attest=${attestation("provenance", flags.provenance)}`]),
    ...(flags.check ? ["*.call=check"] : []),
    ...(flags.call === undefined ? [] : [`*.call=${flags.call}`]),
  ];
  const overrides = [...(flags.set ?? []), ...shorthands].flatMap((text) => parseOverride(text, cli.env) ?? []);
  return resolve(definition, names, overrides);
}

function attestation(type: string, value: string): string {
  if (value === "true") return `type=${type}`;
  return value === "false" ? `type=${type},disabled=true` : `type=${type},${value}`;
}

/** `targets`, or `type=targets,format=json`. Throws CLI_VALUE. */
function listOf(text: string) {
  const wanted = { type: "", format: "table" };
  for (const field of text.split(",")) {
    const [key = "", value] = field.split("=", 2);
    if (value === undefined) wanted.type = key;
    else if (Object.hasOwn(wanted, key)) Object.assign(wanted, { [key]: value });
    else throw badValue("--list", text, "targets, variables, or type=TYPE,format=json");
  }
  const what = parseChoice("--list", wanted.type, ["targets", "variables"]);
  return { what, isJson: parseChoice("--list", wanted.format, ["table", "json"]) === "json" };
}

interface ListRow {
  readonly name: string;
  readonly type?: string | undefined;
  readonly value?: string | undefined;
  readonly description?: string | undefined;
  readonly group?: true;
}

function listTable(what: "targets" | "variables", rows: readonly ListRow[]): string {
  return what === "targets"
    ? table(
        ["TARGET", "DESCRIPTION"],
        rows.map(({ name, description = "" }) => [name, description]),
      )
    : table(
        ["VARIABLE", "TYPE", "VALUE", "DESCRIPTION"],
        rows.map(({ name, type = "", value = "", description = "" }) => [name, type, value, description]),
      );
}

/** As buildx, which leaves out what is empty, but for values. */
function omitEmpty(key: string, value: unknown): unknown {
  return value === "" && key !== "value" ? undefined : value;
}

function variables({ scope }: Bake): ListRow[] {
  return scope.describe().map(({ name, type, value, description }) => {
    const text = typeof value === "string" ? value : value === null ? undefined : JSON.stringify(value);
    return { name, type, value: text, description };
  });
}

function targets({ definition }: Bake): ListRow[] {
  const groups = [...definition.groups].map(([name, { description, targets }]): ListRow => {
    return { name, description: description ?? [...targets].sort().join(", "), group: true };
  });
  const own = [...definition.targets]
    .filter(([name]) => !name.startsWith("_"))
    .map(([name, target]): ListRow => ({ name, description: target.own.description }));
  return [...groups, ...own].sort((a, b) => (a.name < b.name ? -1 : 1));
}
