/** Outputs that cannot be written, and names that no image can have: told before any step. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import type { BuildRequest } from "../../../builder/build-request.ts";
import type { OutputSpec } from "../../../builder/image/output/output-spec.ts";
import { buildWorld } from "../../doubles/builds.ts";

const digest = `sha256:${"0".repeat(64)}`;

const cases: [title: string, asked: (folder: string) => Partial<BuildRequest>, code: string, message: RegExp][] = [
  ["a name in capitals", () => ({ tags: ["app", "Team/App"] }), "REG_REFERENCE", /"Team\/App" is not valid/],
  ["a name with two tags", () => ({ tags: ["a:b:c"] }), "REG_REFERENCE", /"a:b:c" is not valid/],
  ["a name with a digest", () => ({ tags: [`app@${digest}`] }), "REG_REFERENCE", /a digest is no tag/],
  [
    "an output's name in capitals",
    () => ({ outputs: [{ type: "image", names: ["App"], push: false }] }),
    "REG_REFERENCE",
    /"App"/,
  ],
  [
    "a folder where a tar is to go",
    (folder) => ({ outputs: [{ type: "tar", dest: folder }] }),
    "CLI_OUTPUT",
    /^--output type=tar,dest=.* is a folder, where a file is needed$/,
  ],
  [
    "a folder where an archive is to go",
    (folder) => ({ outputs: [archive(folder, false)] }),
    "CLI_OUTPUT",
    /is a folder, where a file is needed$/,
  ],
  [
    "a file where files are to go",
    (folder) => ({ outputs: [{ type: "local", dest: join(folder, "a") }] }),
    "CLI_OUTPUT",
    /is a file, where a folder is needed$/,
  ],
  [
    "a file where a layout is to go",
    (folder) => ({ outputs: [archive(join(folder, "a"), true)] }),
    "CLI_OUTPUT",
    /is a file, where a folder is needed$/,
  ],
  [
    "a file on the way",
    (folder) => ({ outputs: [{ type: "local", dest: join(folder, "a/b/c") }] }),
    "CLI_OUTPUT",
    /\/a is no folder$/,
  ],
  ["a folder as --iidfile", (folder) => ({ iidfile: folder }), "CLI_OUTPUT", /^--iidfile .* is a folder/],
  [
    "a place where nobody may write",
    () => ({ outputs: [{ type: "tar", dest: "/proc/sys/new/x.tar" }] }),
    "CLI_OUTPUT",
    /\/proc\/sys/,
  ],
];

function archive(dest: string, folder: boolean): OutputSpec {
  return { type: "oci", names: [], dest, folder };
}

for (const [title, asked, code, message] of cases)
  test(`${title} is refused before the first step`, async (t) => {
    const world = buildWorld(t);
    world.write("a", "1");
    await t.throwsAsync(world.build(["FROM scratch", "COPY a /"], asked(world.folder)), { code, message });
    t.deepEqual(
      world.events.filter(({ kind }) => kind === "start"),
      [],
    );
  });

test("folders above an output are made, and a folder that is there is written into", async (t) => {
  const world = buildWorld(t);
  world.write("a", "1");
  const out = join(world.folder, "out");
  mkdirSync(join(out, "there"), { recursive: true });
  await world.build(["FROM scratch", "COPY a /"], {
    outputs: [
      { type: "local", dest: join(out, "there") },
      { type: "tar", dest: join(out, "new/x.tar") },
      { type: "tar", dest: "/dev/null" },
    ],
  });
  t.true(existsSync(join(out, "there/a")));
  t.true(existsSync(join(out, "new/x.tar")));
});
