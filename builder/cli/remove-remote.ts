/** Tags and manifests out of a registry: what `rm` and `manifest rm` do. */
import { WbuildError } from "../../native/error.ts";
import { formatName, formatReference, parseReference, type Reference } from "../../registry/reference.ts";
import type { Cli } from "./command.ts";
import { type ConnectionFlags, connectionOf } from "./flags/flags.ts";
import { openSession } from "./session.ts";

/** Prints what went. Throws CLI_USAGE, REG_NOT_FOUND, REG_UNSUPPORTED. */
export async function removeRemote(
  texts: readonly string[],
  cli: Cli,
  flags: ConnectionFlags & { readonly force: boolean },
): Promise<number> {
  const wanted = texts.map((text): readonly [string, Reference] => [text, parseReference(text)]);
  // What nobody wrote is not removed: `latest` is a default for reading. All are looked at before the first one goes.
  for (const [text, { tag, digest }] of wanted)
    if (digest === undefined && !text.endsWith(`:${tag}`))
      throw new WbuildError("CLI_USAGE", `${JSON.stringify(text.slice(0, 200))} names neither a tag nor a digest`, {
        hint: `to remove the tag latest: wbuild rm ${text}:latest`,
      });
  await using session = openSession(cli);
  const client = await session.registry(
    connectionOf(
      flags,
      wanted.map(([, { registry }]) => registry),
    ),
  );
  for (const [, reference] of wanted) {
    const repository = client.repository(reference, { isTarget: true });
    const { tag = "latest" } = reference;
    const digest = reference.digest ?? (flags.force ? (await repository.resolve(tag)).digest : undefined);
    await repository.deleteManifest(digest ?? tag);
    const name = formatName(reference, { familiar: true });
    if (digest === undefined) cli.stdout.write(`Untagged: ${formatReference(reference, { familiar: true })}\n`);
    else cli.stdout.write(`Deleted: ${name}@${digest}\n`);
  }
  return 0;
}
