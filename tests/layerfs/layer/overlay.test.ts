import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, linkSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import test from "ava";
import type { Change } from "../../../layerfs/layer/entry.ts";
import { readUpper as readEach, sweepUpper, type UpperOptions } from "../../../layerfs/layer/overlay.ts";
import { getXattrs, makeNode, setXattr } from "../../../native/addon/addon.ts";
import { noRoot, testUnless } from "../../doubles/test-unless.ts";
import { scratch } from "./workbench.ts";

const rootTest = testUnless(noRoot);
const told = (changes: readonly Change[]) =>
  changes.map((change) =>
    change.kind === "set"
      ? `${change.entry.type} ${change.entry.path}${change.entry.target ? ` > ${change.entry.target}` : ""}`
      : `${change.kind} ${change.path}`,
  );

rootTest("upper: a real overlay's deletions, replaced folders and hard links", async (t) => {
  const top = await scratch(t);
  const [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map((name) => join(top, name)) as [
    string,
    string,
    string,
    string,
  ];
  for (const path of [upper, work, merged, join(lower, "d/sub"), join(lower, "replaced")])
    mkdirSync(path, { recursive: true });
  writeFileSync(join(lower, "d/gone"), "1");
  writeFileSync(join(lower, "d/touched"), "1");
  writeFileSync(join(lower, "replaced/old"), "1");
  try {
    execFileSync(
      "mount",
      [
        "-t",
        "overlay",
        "overlay",
        "-o",
        `lowerdir=${lower},upperdir=${upper},workdir=${work},redirect_dir=off,metacopy=off`,
        merged,
      ],
      { stdio: "pipe" },
    );
  } catch (error) {
    t.log(`skipped: this host cannot mount overlayfs here: ${error}`);
    t.pass();
    return;
  }
  try {
    rmSync(join(merged, "d/gone"));
    rmSync(join(merged, "d/sub"), { recursive: true });
    rmSync(join(merged, "replaced"), { recursive: true });
    mkdirSync(join(merged, "replaced"));
    writeFileSync(join(merged, "replaced/new"), "2");
    chmodSync(join(merged, "d/touched"), 0o600);
    writeFileSync(join(merged, "n1"), "x");
    linkSync(join(merged, "n1"), join(merged, "n2"));
    symlinkSync("n1", join(merged, "s"));
    setXattr(join(merged, "n1"), "user.kept", Buffer.from("1"));
  } finally {
    execFileSync("umount", ["-l", merged]);
  }
  const changes = await readUpper(upper);
  t.deepEqual(told(changes), [
    "directory d",
    "delete d/gone",
    "delete d/sub",
    "file d/touched",
    "file n1",
    "hardlink n2 > n1",
    "directory replaced",
    "clear replaced",
    "file replaced/new",
    "symlink s > n1",
  ]);
  const sets = new Map(
    changes.flatMap((change) => (change.kind === "set" ? [[change.entry.path, change.entry] as const] : [])),
  );
  t.deepEqual([...(sets.get("n1")?.pax?.keys() ?? [])], ["SCHILY.xattr.user.kept"]);
  t.is(sets.get("replaced")?.pax, undefined, "marks of overlayfs stay out");
  t.deepEqual(sets.get("n1")?.content, { kind: "file", path: join(upper, "n1") });
});

rootTest("upper: the forms that rootless overlays use", async (t) => {
  const top = await scratch(t);
  mkdirSync(join(top, "d"));
  setXattr(join(top, "d"), "user.overlay.opaque", Buffer.from("y"));
  writeFileSync(join(top, "d/gone"), "");
  setXattr(join(top, "d/gone"), "user.overlay.whiteout", Buffer.from("y"));
  mkdirSync(join(top, "x"));
  setXattr(join(top, "x"), "user.overlay.opaque", Buffer.from("x"));
  makeNode(join(top, "gone"), "character", 0);
  t.deepEqual(told(await readUpper(top)), ["directory d", "clear d", "delete d/gone", "delete gone", "directory x"]);
});

rootTest("upper: ids go back through the map, file capabilities lose the host's id", async (t) => {
  const top = await scratch(t);
  writeFileSync(join(top, "f"), "");
  execFileSync("chown", ["100033:200005", join(top, "f")]);
  // VFS_CAP_REVISION_3 with effective cap_net_bind_service, root id 100000.
  const revision3 = Buffer.from("0100000300040000000000000000000000000000a0860100", "hex");
  setXattr(join(top, "f"), "security.capability", revision3);
  t.is(getXattrs(join(top, "f")).size, 1);
  const ids = {
    uids: [{ inside: 0, outside: 100_000, count: 65_536 }],
    gids: [
      { inside: 0, outside: 1000, count: 1 },
      { inside: 1, outside: 200_000, count: 65_535 },
    ],
  };
  const [change] = await readUpper(top, { ids });
  const entry = change?.kind === "set" ? change.entry : undefined;
  t.deepEqual([entry?.uid, entry?.gid], [33, 6]);
  t.is(
    Buffer.from(entry?.pax?.get("SCHILY.xattr.security.capability") ?? "").toString("hex"),
    "0100000200040000000000000000000000000000",
  );
});

/** Reads an upper folder both ways, which must agree, and gives what they read. */
async function readUpper(folder: string, options: UpperOptions = {}): Promise<Change[]> {
  const changes = await readEach(folder, options);
  if (options.ids === undefined) assert.deepEqual((await sweepUpper(folder)).changes(), changes);
  return changes;
}

test("upper: sockets are left out", async (t) => {
  const top = await scratch(t);
  const server = createServer().listen(join(top, "socket"));
  await once(server, "listening");
  writeFileSync(join(top, "f"), "");
  t.deepEqual(told(await readUpper(top)), ["file f"]);
  server.close();
});

rootTest("upper: a folder that only refers to a lower one is refused", async (t) => {
  const top = await scratch(t);
  mkdirSync(join(top, "moved"));
  setXattr(join(top, "moved"), "trusted.overlay.redirect", Buffer.from("/old"));
  for (const read of [readEach, sweepUpper])
    await t.throwsAsync(Promise.resolve(read(top)), { code: "LAYER_OVERLAY", message: /moved/ });
  renameSync(join(top, "moved"), join(top, "again"));
  t.true(existsSync(join(top, "again")));
});
