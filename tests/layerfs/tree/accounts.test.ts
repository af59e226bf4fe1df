/** USER and --chown: who is meant, from the image's own files. */
import test from "ava";
import { resolveOwner, resolveUser } from "../../../layerfs/tree/accounts.ts";
import { stackTree } from "../../../layerfs/tree/stacked.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";
import { isWbuildError } from "../../../native/error.ts";
import { entryOf, layerOf } from "./files.ts";

const passwd = `root:x:0:0:root:/root:/bin/sh
# a comment
daemon:x:1:2:daemon:/usr/sbin:/usr/sbin/nologin
builder:x:1000:1001:,,,:/home/builder:/bin/sh
broken:x:abc:0::/:
negative:x:-1:0::/:
huge:x:4294967295:0::/:
short:x
homeless:x:50:51::relative:
007:x:7:7::/seven:
`;
const group = `root:x:0:
staff:x:50:builder,daemon
docker:x:999:builder
badgid:x:0x10:builder
builder:x:1001:
`;

function image(files: Record<string, string>): Promise<Tree> {
  const entries = Object.entries(files).map(([path, text]) => {
    const bytes = Buffer.from(text);
    return entryOf(path, "file", { size: bytes.length, content: { kind: "bytes", bytes } });
  });
  return stackTree([layerOf(entries.map((entry) => ({ kind: "set", entry })))]);
}
const full = () => image({ "etc/passwd": passwd, "etc/group": group });
const scratch = () => image({});

const users: [spec: string, uid: number, gid: number, groups: number[], home: string, name: string | undefined][] = [
  ["", 0, 0, [], "/root", "root"],
  ["root", 0, 0, [], "/root", "root"],
  ["builder", 1000, 1001, [50, 999], "/home/builder", "builder"],
  ["1000", 1000, 1001, [50, 999], "/home/builder", "builder"],
  ["builder:staff", 1000, 50, [], "/home/builder", "builder"],
  ["builder:77", 1000, 77, [], "/home/builder", "builder"],
  ["1234", 1234, 0, [], "/", undefined],
  ["1234:docker", 1234, 999, [], "/", undefined],
  ["1234:5678", 1234, 5678, [], "/", undefined],
  [":staff", 0, 50, [], "/root", "root"],
  ["builder:", 1000, 1001, [50, 999], "/home/builder", "builder"],
  ["homeless", 50, 51, [], "/", "homeless"],
  ["007", 7, 7, [], "/seven", "007"],
  ["4294967294", 4294967294, 0, [], "/", undefined],
];
for (const [spec, uid, gid, groups, home, name] of users) {
  test(`USER ${JSON.stringify(spec)} is ${uid}:${gid}`, async (t) => {
    const expected = { uid, gid, groups, home, ...(name === undefined ? {} : { name }) };
    t.deepEqual(await resolveUser(await full(), spec), expected);
  });
}

const owners: [spec: string, uid: number, gid: number][] = [
  ["builder", 1000, 1001],
  ["builder:docker", 1000, 999],
  ["1000", 1000, 1000],
  ["55:66", 55, 66],
  ["55:staff", 55, 50],
  ["root", 0, 0],
];
for (const [spec, uid, gid] of owners) {
  test(`--chown=${spec} is ${uid}:${gid}`, async (t) => {
    t.deepEqual(await resolveOwner(await full(), spec), { uid, gid });
  });
}

test("an image without account files knows numbers only", async (t) => {
  t.deepEqual(await resolveUser(await scratch(), ""), { uid: 0, gid: 0, groups: [], home: "/" });
  t.deepEqual(await resolveUser(await scratch(), "7:8"), { uid: 7, gid: 8, groups: [], home: "/" });
  t.deepEqual(await resolveOwner(await scratch(), "7"), { uid: 7, gid: 7 });
  const error = await t.throwsAsync(resolveUser(await scratch(), "app"));
  t.true(isWbuildError(error, "STEP_USER") && error.hint?.includes("no /etc/passwd"), String(error));
});

const unknown: [spec: string, message: string, hint: string | undefined][] = [
  ["bulider", 'the image has no user "bulider"', "did you mean builder?"],
  [
    "nobody-like-this",
    'the image has no user "nobody-like-this"',
    "/etc/passwd of the image has: root, daemon, builder, homeless, 007",
  ],
  ["builder:stuff", 'the image has no group "stuff"', "did you mean staff?"],
  ["broken", 'the image has no user "broken"', undefined],
  ["negative", 'the image has no user "negative"', undefined],
  ["badgid:badgid", 'the image has no user "badgid"', undefined],
  ["root:badgid", 'the image has no group "badgid"', undefined],
  ["4294967295", "user id 4294967295 is too big", undefined],
  ["99999999999999999999", "user id 99999999999999999999 is too big", undefined],
  ["0:4294967295", "group id 4294967295 is too big", undefined],
];
for (const [spec, message, hint] of unknown) {
  test(`an unknown user or group: ${spec}`, async (t) => {
    for (const attempt of [resolveUser(await full(), spec), resolveOwner(await full(), spec)]) {
      const error = await t.throwsAsync(attempt);
      if (!isWbuildError(error, "STEP_USER")) throw error;
      t.is(error.message, message);
      if (hint !== undefined) t.is(error.hint, hint);
    }
  });
}

test("passwd may be a link, but not one to the host's", async (t) => {
  const tree = await stackTree([
    layerOf([
      { kind: "set", entry: entryOf("etc/passwd", "symlink", { target: "/../../usr/lib/passwd" }) },
      {
        kind: "set",
        entry: entryOf("usr/lib/passwd", "file", {
          size: 1,
          content: { kind: "bytes", bytes: Buffer.from("app:x:9:9::/app:") },
        }),
      },
    ]),
  ]);
  t.is((await resolveUser(tree, "app")).uid, 9);
  await t.throwsAsync(resolveUser(tree, "root"));
});
