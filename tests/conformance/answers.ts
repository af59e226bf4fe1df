/** What docker answers where it builds no image, or beside one: findings of the checks, and the metadata file. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { locationOf } from "../../builder/checks/location.ts";
import { brief, look } from "../builder/checks/look.ts";
import { ruleCases } from "../builder/checks/rule-cases.ts";
import { runCli } from "../doubles/cli.ts";

/** Standard output, whatever the exit code. */
export type Ask = (...args: string[]) => Promise<string>;

interface Location {
  readonly ranges: readonly { readonly start: { readonly line: number } }[];
}

/** Dockerfiles whose findings are known to differ, and why. */
const known: readonly (readonly [text: RegExp, reason: string])[] = [
  [/^FROM (?:--platform\S+ )?(?:win|arm)|=linux\/arm64/m, "docker asks the registry for an image of another platform"],
  [/^# syntax=/, "BuildKit fetches the front end, and there is no network"],
  [/tmp\/x\.log|logs\/y/, "needs an ignore file; BuildKit does not see that ./x is x"],
  [/# far\n\n/, "BuildKit takes a comment for a description over an empty line"],
  [/<<A <<'B'/, "here-documents belong to the instruction; what we compare here knows its own lines only"],
];

const images: Readonly<Record<string, string>> = {
  app: "FROM scratch\nENV HOME=/h\nONBUILD ARG FROM_BASE=1\nONBUILD WORKDIR /srv\n",
  app2: "FROM scratch\nENV A2=b\n",
  shell: 'FROM scratch\nSHELL ["/bin/sh", "-c"]\n',
};

/** Lines of differences, ours first, without the known ones. */
export async function compareAnswers(ask: Ask, folder: string): Promise<string[]> {
  return [...(await compareChecks(ask, join(folder, "checks"))), ...(await compareMetadata(ask, join(folder, "meta")))];
}

async function compareChecks(ask: Ask, folder: string): Promise<string[]> {
  await mkdir(folder);
  const file = join(folder, "Dockerfile");
  for (const [name, text] of Object.entries(images)) {
    await writeFile(file, text);
    await ask("build", "-q", "-t", name, folder);
  }
  const told: string[] = [];
  for (const { text, buildArgs = {} } of Object.values(ruleCases).flat()) {
    if (known.some(([pattern]) => pattern.test(text))) continue;
    await writeFile(file, text);
    const given = Object.entries(buildArgs).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]);
    const all = ["--build-arg", "BUILDKIT_DOCKERFILE_CHECK=experimental=all"];
    const call = ["build", "--call=check,format=json", "--platform", "linux/amd64", ...given, ...all, folder];
    const { warnings }: { warnings: readonly { ruleName: string; location: Location }[] | null } = JSON.parse(
      await ask(...call),
    );
    const lines = ({ ranges }: Location) => ranges.map(({ start }) => start.line).join();
    const theirs = (warnings ?? []).map(({ ruleName, location }) => `${ruleName} ${lines(location)}`).sort();
    const found = await look(text, { buildArgs });
    const ours = found.map(({ rule, span }) => `${rule} ${lines(locationOf(span))}`).sort();
    if (!isDeepStrictEqual(ours, theirs)) told.push(`checks of ${JSON.stringify(text)}: ${brief(found)} / ${theirs}`);
  }
  return told;
}

const builds: readonly (readonly string[])[] = [
  ["-t", "localhost/meta:1", "-t", "localhost/meta:2"],
  ["-t", "meta:3", "--platform", "linux/amd64,linux/arm64"],
  ["-o", "type=oci,dest=out.tar", "-t", "meta:4"],
];

/** Keys and kinds of values, but for what is said of the build itself, which buildx writes without being asked. */
async function compareMetadata(ask: Ask, folder: string): Promise<string[]> {
  await mkdir(folder);
  await writeFile(join(folder, "Dockerfile"), "FROM scratch\nCOPY Dockerfile /x\n");
  const told: string[] = [];
  const env = { WBUILD_HOME: join(folder, "home") };
  for (const flags of builds) {
    const own = flags.map((flag) => flag.replace("dest=", `dest=${folder}/`));
    const shapes = [];
    for (const builder of ["ours", "theirs"]) {
      const file = join(folder, `${builder}.json`);
      const args = ["build", "--metadata-file", file, "--provenance=false", ...own, folder];
      await (builder === "ours" ? runCli(args, { env }) : ask(...args));
      shapes.push(shapeOf(JSON.parse(await readFile(file, "utf8"))));
    }
    const [ours, theirs] = shapes;
    if (!isDeepStrictEqual(ours, theirs))
      told.push(`metadata of ${flags.join(" ")}: ${JSON.stringify(ours)} / ${JSON.stringify(theirs)}`);
  }
  return told;
}

function shapeOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return typeof value;
  const fields = Object.entries(value).filter(([name]) => !name.startsWith("buildx.build.") && name !== "annotations");
  return Object.fromEntries(
    fields
      .map(([name, field]) => [name, name === "image.name" ? field : shapeOf(field)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
