/** Security descriptors: bytes, text, and what icacls and takeown do to them. */
import test from "ava";
import { defaultSecurity } from "../../../layerfs/windows/metadata.ts";
import { formatSddl, parseSddl, sidOf } from "../../../layerfs/windows/sddl.ts";
import { decodeSecurity, deny, encodeSecurity, grant, revoke, setOwner } from "../../../layerfs/windows/security.ts";
import { decodeSid, encodeSid } from "../../../layerfs/windows/sid.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ""), "hex");

/** The file descriptor that other builders write, byte for byte. */
const fileDescriptor = hex(`
  01 00 04 80  14 00 00 00  24 00 00 00  00 00 00 00  30 00 00 00
  01 02 00 00 00 00 00 05  20 00 00 00  20 02 00 00
  01 01 00 00 00 00 00 05  12 00 00 00
  02 00 4c 00 03 00 00 00
  00 00 18 00 ff 01 1f 00  01 02 00 00 00 00 00 05 20 00 00 00 20 02 00 00
  00 00 14 00 ff 01 1f 00  01 01 00 00 00 00 00 05 12 00 00 00
  00 00 18 00 a9 00 12 00  01 02 00 00 00 00 00 05 20 00 00 00 21 02 00 00`);

test("the default descriptors: the file's byte for byte, the folder's by length and by what it says", (t) => {
  t.deepEqual(Buffer.from(defaultSecurity("file")), fileDescriptor);
  t.is(defaultSecurity("directory").length, 216);
  t.is(
    formatSddl(decodeSecurity(defaultSecurity("directory"))),
    "O:BAG:SYD:(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;;FA;;;BA)(A;OICIIO;GA;;;CO)(A;OICI;0x1200a9;;;BU)(A;CI;0x4;;;BU)(A;CI;0x2;;;BU)",
  );
});

const texts = [
  "O:BAG:SY",
  "O:BUG:BU",
  "D:",
  "D:NO_ACCESS_CONTROL",
  "D:P(A;;GA;;;WD)",
  "D:PAI(D;OICINPIO;0x1;;;AU)(A;ID;FR;;;AC)",
  "O:S-1-5-93-2-1G:S-1-5-21-1-2-4294967295-500D:(A;OICI;0x1301bf;;;S-1-5-93-2-2)",
  "S:AI(AU;OICISAFA;FA;;;WD)",
  "S:(ML;;0x1;;;LW)",
  "O:SYG:SYD:AI(A;ID;FA;;;SY)S:P(AU;SA;FW;;;BA)",
];
for (const text of texts) {
  test(`text, bytes, text: ${text}`, (t) => {
    const descriptor = parseSddl(text);
    t.is(formatSddl(descriptor), text);
    t.deepEqual(decodeSecurity(encodeSecurity(descriptor)), descriptor);
  });
}

test("words for rights are the numbers they stand for", (t) => {
  const mask = (rights: string) => parseSddl(`D:(A;;${rights};;;BA)`).dacl?.aces[0]?.mask;
  t.is(mask("GRGWGXRCWDSD"), 0xe0000000 + 0x70000);
  t.is(mask("KA"), 0xf003f);
  t.is(mask("CCDCLCSWRPWPDTLOCR"), 0x1ff);
  t.is(mask("0X1F01FF"), 0x1f01ff);
  t.is(mask("1179785"), 0x120089);
});

const wrong = [
  "X:BA",
  "O:BAO:BA",
  "O:DA",
  "O:S-1",
  "O:constructor",
  "D:(A;;FA;;;BA",
  "D:(A;;FA;;;BA)x",
  "D:(A;;FAx;;;BA)",
  "D:(A;;ZZ;;;BA)",
  "D:(A;XX;FA;;;BA)",
  "D:(OA;;FA;ab;;BA)",
  "D:(A;;FA;;;BA;(a==1))",
  "D:(constructor;;FA;;;BA)",
  "D:(A;;0x1ffffffff;;;BA)",
  `D:${"(A;;FA;;;BA)".repeat(6000)}`,
];
for (const text of wrong) {
  test(`text that is none: ${text.slice(0, 40)}`, (t) => {
    const error = t.throws(() => parseSddl(text)) as Error & { code?: string };
    t.regex(error.code ?? "", /^WIN_(?:SDDL|SECURITY)$/);
  });
}

test("bytes that lie are refused", (t) => {
  const spoil = (change: (b: Buffer) => void) => {
    const b = Buffer.from(fileDescriptor);
    change(b);
    return b;
  };
  const lies = [
    new Uint8Array(),
    fileDescriptor.subarray(0, 19),
    spoil((b) => b.writeUInt8(2, 0)),
    spoil((b) => b.writeUInt16LE(4, 2)),
    spoil((b) => b.writeUInt32LE(0xffffffff, 4)),
    spoil((b) => b.writeUInt32LE(1, 8)),
    spoil((b) => b.writeUInt32LE(120, 16)),
    spoil((b) => b.writeUInt8(255, 21)),
    spoil((b) => b.writeUInt16LE(0xffff, 50)),
    spoil((b) => b.writeUInt16LE(7, 50)),
    spoil((b) => b.writeUInt16LE(60000, 52)),
    spoil((b) => b.writeUInt16LE(0, 58)),
    spoil((b) => b.writeUInt16LE(3, 58)),
    new Uint8Array(1 << 18),
  ];
  for (const bytes of lies) t.throws(() => decodeSecurity(bytes), { code: "WIN_SECURITY" });
});

test("entries of other forms come back byte for byte", (t) => {
  const objectAce = hex("05 00 18 00 10 00 00 00 00 00 00 00 01 02 00 00 00 00 00 05 20 00 00 00");
  const callbackAce = hex("09 00 18 00 ff 01 1f 00 01 01 00 00 00 00 00 05 12 00 00 00 61 72 74 78");
  const acl = Buffer.concat([hex("04 00 38 00 02 00 00 00"), objectAce, callbackAce]);
  const bytes = Buffer.concat([hex("01 00 04 80 00000000 00000000 00000000 14000000"), acl]);
  const descriptor = decodeSecurity(bytes);
  t.deepEqual(Buffer.from(encodeSecurity(descriptor)), bytes);
  t.throws(() => formatSddl(descriptor), { code: "WIN_SDDL" });
});

test("SIDs: text and bytes", (t) => {
  for (const sid of [
    "S-1-0",
    "S-1-1-0",
    "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
    "S-1-0x0123456789AB-7",
  ]) {
    t.is(decodeSid(encodeSid(sid)).sid, sid);
  }
  for (const text of ["", "S-1", "S-2-5", "S-1-5-x", "S-1-5-4294967296", `S-1-5${"-1".repeat(16)}`]) {
    t.throws(() => encodeSid(text), { code: "WIN_SECURITY" });
  }
  t.is(sidOf("BA"), "S-1-5-32-544");
});

test("grant adds to the account's own entry, or makes one before what is inherited", (t) => {
  const start = parseSddl("O:BAG:SYD:AI(D;;0x1;;;WD)(A;;FR;;;BU)(A;ID;FA;;;SY)");
  const after = (change: (d: typeof start) => typeof start) => formatSddl(change(start)).slice("O:BAG:SY".length);
  t.is(
    after((d) => grant(d, sidOf("BU"), 0x2)),
    "D:AI(D;;0x1;;;WD)(A;;0x12008b;;;BU)(A;ID;FA;;;SY)",
  );
  t.is(
    after((d) => grant(d, sidOf("BU"), 0x2, 3)),
    "D:AI(D;;0x1;;;WD)(A;;FR;;;BU)(A;OICI;0x2;;;BU)(A;ID;FA;;;SY)",
  );
  t.is(
    after((d) => grant(d, sidOf("SY"), 0x80000000)),
    "D:AI(D;;0x1;;;WD)(A;;FR;;;BU)(A;;GR;;;SY)(A;ID;FA;;;SY)",
  );
  t.is(
    after((d) => deny(d, sidOf("BU"), 0x2)),
    "D:AI(D;;0x2;;;BU)(D;;0x1;;;WD)(A;;FR;;;BU)(A;ID;FA;;;SY)",
  );
  t.is(
    after((d) => revoke(d, sidOf("BU"))),
    "D:AI(D;;0x1;;;WD)(A;ID;FA;;;SY)",
  );
  t.is(
    after((d) => revoke(d, sidOf("SY"))),
    "D:AI(D;;0x1;;;WD)(A;;FR;;;BU)(A;ID;FA;;;SY)",
  );
  t.is(formatSddl(setOwner(start, sidOf("SY"))).slice(0, 8), "O:SYG:SY");
});

test("grant where everyone has all rights keeps them; where there is no list it makes one", (t) => {
  t.is(formatSddl(grant(parseSddl("D:NO_ACCESS_CONTROL"), sidOf("BU"), 2)), "D:NO_ACCESS_CONTROL");
  t.is(formatSddl(grant(parseSddl("O:BA"), sidOf("BU"), 2)), "O:BAD:(A;;0x2;;;BU)");
});
