/** `wbuild rm`: takes tags and manifests out of a registry. */
import { type Command, flagsOf } from "./command.ts";
import { type ConnectionFlags, defineConnection } from "./flags/flags.ts";

interface RmFlags extends ConnectionFlags {
  readonly force?: boolean;
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
    defineConnection(parser);
  },
  async run(parser, cli) {
    const flags = flagsOf<RmFlags>(parser);
    const { removeRemote } = await import("./remove-remote.ts");
    return removeRemote(parser.args, cli, { ...flags, force: flags.force === true });
  },
};
