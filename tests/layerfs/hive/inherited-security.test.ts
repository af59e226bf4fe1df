/** What a new key's descriptor takes from that of the key above it. */
import test from "ava";
import fc from "fast-check";
import { diffHives } from "../../../layerfs/hive/diff.ts";
import { inheritedSecurity } from "../../../layerfs/hive/inherited-security.ts";
import { hiveOf, KeyTree } from "../../../layerfs/hive/tree.ts";
import { formatSddl, parseSddl } from "../../../layerfs/windows/sddl.ts";
import { decodeSecurity, encodeSecurity } from "../../../layerfs/windows/security.ts";

const bytesOf = (sddl: string) => encodeSecurity(parseSddl(sddl));
const inherited = (sddl: string) => {
  const made = inheritedSecurity(bytesOf(sddl));
  return made && formatSddl(decodeSecurity(made));
};

// Rights: 0xf003f is all of a key, 0x20019 reading.
const table: readonly (readonly [title: string, parent: string, child: string | undefined])[] = [
  ["hands on to containers", "O:BAG:SYD:(A;CI;0xf003f;;;SY)", "O:BAG:SYD:AI(A;CIID;0xf003f;;;SY)"],
  [
    "keeps what is not for containers to itself",
    "O:BAG:SYD:(A;;0xf003f;;;SY)(A;CI;0x20019;;;BU)",
    "O:BAG:SYD:AI(A;CIID;0x20019;;;BU)",
  ],
  ["inherit only: counts below", "O:BAG:SYD:(A;CIIO;0x20019;;;BU)", "O:BAG:SYD:AI(A;CIID;0x20019;;;BU)"],
  ["no propagation: for one level", "O:BAG:SYD:(A;CINP;0x20019;;;BU)", "O:BAG:SYD:AI(A;ID;0x20019;;;BU)"],
  ["for objects: only handed on", "O:BAG:SYD:(A;OI;0x20019;;;BU)", "O:BAG:SYD:AI(A;OIIOID;0x20019;;;BU)"],
  ["deny too", "O:BAG:SYD:(D;CI;0x20019;;;BU)", "O:BAG:SYD:AI(D;CIID;0x20019;;;BU)"],
  [
    "creator owner becomes the owner here, and stays itself below",
    "O:BAG:SYD:(A;CIIO;0xf003f;;;CO)",
    "O:BAG:SYD:AI(A;ID;0xf003f;;;BA)(A;CIIOID;0xf003f;;;CO)",
  ],
  [
    "generic rights become those of keys",
    "O:BAG:SYD:(A;CI;0x10000000;;;SY)(A;CI;0x80000000;;;BU)",
    "O:BAG:SYD:AI(A;ID;0xf003f;;;SY)(A;CIIOID;0x10000000;;;SY)(A;ID;0x20019;;;BU)(A;CIIOID;0x80000000;;;BU)",
  ],
  ["nothing to hand on", "O:BAG:SYD:(A;;0xf003f;;;SY)", undefined],
];

for (const [title, parent, child] of table)
  test(title, (t) => {
    t.is(inherited(parent), child === undefined ? undefined : formatSddl(parseSddl(child)));
  });

test("the same bytes give the same object, and what is handed on again is the same", (t) => {
  const parent = bytesOf("O:BAG:SYD:(A;CI;0xf003f;;;SY)");
  const child = inheritedSecurity(parent);
  t.is(inheritedSecurity(parent), child);
  t.is(inheritedSecurity(child), child);
});

test("new keys without a descriptor get it, all the way down; others keep theirs", (t) => {
  const before = new KeyTree("");
  before.security = bytesOf("O:BAG:SYD:(A;CI;0xf003f;;;SY)");
  before.setSubkey(new KeyTree("old")).security = bytesOf("O:BAG:SYD:(A;CI;0x20019;;;BU)");
  const after = new KeyTree("");
  after.setSubkey(new KeyTree("old")).setSubkey(new KeyTree("new")).setSubkey(new KeyTree("below"));
  const { root } = diffHives(hiveOf(before), hiveOf(after));
  const old = root.subkey("old");
  t.is(old?.security, before.subkey("old")?.security);
  for (const key of [old?.subkey("new"), old?.subkey("new")?.subkey("below")])
    t.is(formatSddl(decodeSecurity(key?.security ?? new Uint8Array(0))), "O:BAG:SYD:AI(A;CIID;0x20019;;;BU)");
});

test("any bytes give nothing or a descriptor", (t) => {
  const sample = bytesOf("O:BAG:SYD:(A;CI;0xf003f;;;SY)(A;CIIO;0x10000000;;;CO)S:(AU;CISA;0x20019;;;WD)");
  const spoiled = fc.array(fc.tuple(fc.nat(sample.length - 1), fc.nat(255)), { maxLength: 5 }).map((changes) => {
    const bytes = Uint8Array.from(sample);
    for (const [at, byte] of changes) bytes[at] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(spoiled, fc.uint8Array({ maxLength: 100 })), fc.nat(200), (bytes, length) => {
      const made = inheritedSecurity(bytes.subarray(0, length));
      if (made) decodeSecurity(made);
      return true;
    }),
    { numRuns: 3000 },
  );
  t.truthy(inheritedSecurity(sample));
});
