/** `wbuild rm`: takes tags and manifests out of a registry. */
import { WbuildError } from "../../native/error.ts";
import type { Reference } from "../../registry/reference.ts";
import { type Cli, type Command, flagsOf } from "./command.ts";
import { definePlainHttp } from "./flags.ts";
import { openSession } from "./session.ts";

interface RmFlags {
  readonly force?: boolean;
  readonly plainHttp?: boolean;
}

export const rmCommand: Command = {
  operands: "REF [REF...]",
  about: `
    Removes images from a registry. NAME:TAG takes away that tag alone: its manifest, and other tags of it, stay. With
    --force, or by NAME@sha256:…, the manifest itself goes, and with it every tag that means it. A registry keeps the
    blobs until its own collection frees them. Many registries allow none of this unless those who run them say so.

    For images of the store there is \`wbuild rmi\`.`,
  examples: [
    ["wbuild rm registry.example.com/team/app:old", "one tag"],
    ["wbuild rm registry.example.com/team/app@sha256:3f2a…", "a manifest, with all its tags"],
    ["wbuild rm --force registry.example.com/team/app:bad", "what the tag means, under all its names"],
  ],
  define(parser) {
    parser.argument("<refs...>").option("-f, --force", "remove the manifest that a tag means, with all its other tags");
    definePlainHttp(parser);
  },
  async run(parser, cli) {
    const { force = false, plainHttp = false } = flagsOf<RmFlags>(parser);
    return removeRemote(parser.args, cli, { force, plainHttp });
  },
};

async function removeRemote(
  texts: readonly string[],
  cli: Cli,
  flags: { readonly force: boolean; readonly plainHttp: boolean },
): Promise<number> {
  const { formatName, formatReference, parseReference } = await import("../../registry/reference.ts");
  const wanted = texts.map((text): readonly [string, Reference] => [text, parseReference(text)]);
  // What nobody wrote is not removed: `latest` is a default for reading. All are looked at before the first one goes.
  for (const [text, { tag, digest }] of wanted)
    if (digest === undefined && !text.endsWith(`:${tag}`))
      throw new WbuildError("CLI_USAGE", `${JSON.stringify(text.slice(0, 200))} names neither a tag nor a digest`, {
        hint: `to remove the tag latest: wbuild rm ${text}:latest`,
      });
  await using session = openSession(cli);
  const client = await session.registry(flags.plainHttp ? wanted.map(([, { registry }]) => registry) : []);
  for (const [, reference] of wanted) {
    const repository = client.repository(reference);
    const { tag = "latest" } = reference;
    const digest = reference.digest ?? (flags.force ? (await repository.resolve(tag)).digest : undefined);
    await repository.deleteManifest(digest ?? tag);
    const name = formatName(reference, { familiar: true });
    if (digest === undefined) cli.stdout.write(`Untagged: ${formatReference(reference, { familiar: true })}\n`);
    else cli.stdout.write(`Deleted: ${name}@${digest}\n`);
  }
  return 0;
}
