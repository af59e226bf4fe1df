import test from "ava";
import { argvOf } from "../../builder/run.ts";

const image = { Entrypoint: ["/entry", "-x"], Cmd: ["default"] };
const rows: readonly (readonly [
  name: string,
  config: object,
  command: string[],
  entrypoint: string | undefined,
  argv: string,
])[] = [
  ["entrypoint and CMD", image, [], undefined, "/entry -x default"],
  ["a command takes CMD's place", image, ["mine", "1"], undefined, "/entry -x mine 1"],
  ["an entrypoint drops CMD", image, [], "/bin/sh", "/bin/sh"],
  ["an entrypoint with a command", image, ["-c", "x"], "/bin/sh", "/bin/sh -c x"],
  ["no entrypoint", image, ["ls"], "", "ls"],
  ["CMD alone", { Cmd: ["sh"] }, [], undefined, "sh"],
  ["null as Go writes it", { Entrypoint: null, Cmd: null }, ["ls"], undefined, "ls"],
];
for (const [name, config, command, entrypoint, argv] of rows)
  test(`what run runs: ${name}`, (t) => {
    t.is(argvOf(config, { command, ...(entrypoint === undefined ? {} : { entrypoint }) }).join(" "), argv);
  });

test("an image without a command needs one", (t) => {
  t.like(
    t.throws(() => argvOf({}, { command: [] })),
    { code: "IMG_NO_COMMAND" },
  );
});
