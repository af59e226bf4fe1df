/** The descriptor of a hive's root when nothing else is known. */

/**
 * O:BAG:BAD:(A;CI;KA;;;SY)(A;CI;KA;;;BA)(A;CI;KR;;;WD)(A;CI;KR;;;RC), self-relative: what Windows' offline registry
 * library gives to a new hive. KA is 0xF003F, KR 0x20019.
 */
export const defaultSecurity: Uint8Array = Uint8Array.from(
  Buffer.from(
    [
      // Revision 1, self-relative with DACL; owner at 0x70, group at 0x80, no SACL, DACL at 0x14.
      "01000480 70000000 80000000 00000000 14000000",
      // DACL: revision 2, 92 bytes, 4 entries.
      "02005c00 04000000",
      "00021400 3f000f00 010100000000000512000000", // SYSTEM: all
      "00021800 3f000f00 01020000000000052000000020020000", // Administrators: all
      "00021400 19000200 010100000000000100000000", // Everyone: read
      "00021400 19000200 01010000000000050c000000", // Restricted: read
      "01020000000000052000000020020000", // owner: Administrators
      "01020000000000052000000020020000", // group: Administrators
    ]
      .join("")
      .replaceAll(" ", ""),
    "hex",
  ),
);
