/** For commands that read the files of images: layers that were left in a registry come here first. */
import type { Image } from "../../registry/oci/image.ts";
import type { Cli } from "./command.ts";
import { type ConnectionFlags, connectionOf } from "./flags/flags.ts";
import type { Session } from "./session.ts";

/** Makes images of the session's store whole; where they are, nothing is loaded. Ends the session's report. `flags` say how registries are spoken to. */
export function bringing(
  session: Session,
  cli: Cli,
  flags: ConnectionFlags = {},
): (images: readonly Image[]) => Promise<void> {
  return async (images) => {
    const { bringImages } = await import("../image/move/bring-images.ts");
    await bringImages(images, {
      store: await session.store(),
      registry: (registries) => session.registry(connectionOf(flags, registries)),
      report: () => session.report(),
      signal: cli.signal,
    });
    // The command's own output comes next.
    session.endReport();
  };
}
