/** `wbuild rmi`: removes names. Content goes with them when nothing else needs it. */
import { type Command, flagsOf } from "./command.ts";
import { openSession, type Session } from "./session.ts";

export const rmiCommand: Command = {
  operands: "IMAGE [IMAGE...]",
  about: `
    Removes names of images. The content of an image whose last name goes is freed, unless another image or the build
    cache needs it. By ID, an image is removed under its one name; under several names only with --force.`,
  examples: [
    ["wbuild rmi app:old", "remove one name"],
    ["wbuild rmi -f 3f2a", "remove an image under all its names"],
  ],
  define(parser) {
    parser
      .argument("<images...>")
      .option("-f, --force", "remove by ID whatever names it has; ignore what is not there");
  },
  async run(parser, cli) {
    const { force = false } = flagsOf<{ force?: boolean }>(parser);
    const { removeImage } = await import("../image/stored/local.ts");
    const { isWbuildError } = await import("../../native/error.ts");
    await using session = openSession(cli);
    const store = await session.store();
    let freed = false;
    for (const text of parser.args) {
      try {
        const { untagged, deleted } = await removeImage(store, text, force);
        for (const name of untagged) cli.stdout.write(`Untagged: ${name}\n`);
        if (deleted) cli.stdout.write(`Deleted: ${deleted}\n`);
        freed ||= deleted !== undefined;
      } catch (error) {
        if (!force || !isWbuildError(error, "IMG_NOT_FOUND")) throw error;
      }
    }
    return freed ? await collectAfter(session) : 0;
  },
};

/** Our own lease would keep what was just found: it must end first. */
async function collectAfter(session: Session): Promise<number> {
  await session.endLease();
  await (await session.store()).collect();
  return 0;
}
