/** passwd and group files of foreign images: any bytes give sane accounts or a STEP_USER. */
import test from "ava";
import fc from "fast-check";
import { parseAccounts, resolveOwner, resolveUser } from "../../layerfs/tree/accounts.ts";
import { stackTree } from "../../layerfs/tree/stacked.ts";
import { isWbuildError } from "../../native/error.ts";
import { entryOf, layerOf } from "../layerfs/tree/files.ts";

test("parseAccounts takes any text and gives only ids that can be set", (t) => {
  const field = fc.oneof(
    fc.constantFrom("a", "0", "9", "-1", "4294967295", "4294967294", "0x1", "", "1e3", " 5", "/x", "#", "\0", "a,b"),
    fc.string({ maxLength: 6 }),
  );
  const line = fc
    .array(fc.array(field, { maxLength: 8 }).map((fields) => fields.join(":")))
    .map((lines) => lines.join("\n"));
  fc.assert(
    fc.property(line, line, (one, two) => {
      const { users: found, groups } = parseAccounts(one, two);
      for (const id of [...found.flatMap((user) => [user.uid, user.gid]), ...groups.map((each) => each.gid)]) {
        t.true(Number.isInteger(id) && id >= 0 && id < 0xffff_ffff);
      }
      for (const user of found) t.true(user.name !== "" && user.home.startsWith("/"));
    }),
  );
});

test("any spec on any files resolves to ids that can be set, or says STEP_USER", async (t) => {
  const name = fc.constantFrom("root", "0", "1", ":", "a", "4294967295", "-1", "", "9".repeat(30), "\u0000", "\udc80");
  const spec = fc.array(name, { maxLength: 4 }).map((parts) => parts.join(""));
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.string(), spec, async (noise, text, who) => {
      const bytes = Buffer.concat([noise, Buffer.from(`\n${text}\nroot:x:0:0::/root:\na:x:1:2:a`)]);
      const content = { kind: "bytes", bytes } as const;
      const entries = ["etc/passwd", "etc/group"].map((path) => entryOf(path, "file", { size: bytes.length, content }));
      const tree = await stackTree([layerOf(entries.map((entry) => ({ kind: "set", entry })))]);
      for (const resolve of [resolveUser, resolveOwner]) {
        try {
          const { uid, gid } = await resolve(tree, who);
          for (const id of [uid, gid]) t.true(Number.isInteger(id) && id >= 0 && id < 0xffff_ffff);
        } catch (error) {
          t.true(isWbuildError(error, "STEP_USER"), String(error));
        }
      }
    }),
  );
});
