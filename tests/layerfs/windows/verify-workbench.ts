/** Small Windows layers as lists of tar members, whole and spoilt, for the tests of the verifier. */
import { checksum } from "../../../layerfs/hive/regf/base-block.ts";
import { writeHive } from "../../../layerfs/hive/regf/write.ts";
import { hiveOf, KeyTree } from "../../../layerfs/hive/tree.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { deltaNames, deltaPath, emptyDelta } from "../../../layerfs/windows/deltas.ts";
import { defaultSecurity } from "../../../layerfs/windows/metadata.ts";
import { parseSddl } from "../../../layerfs/windows/sddl.ts";
import { encodeSecurity } from "../../../layerfs/windows/security.ts";
import { Findings } from "../../../layerfs/windows/verify/findings.ts";
import { type VerifyLimits, verifyWindowsLayers } from "../../../layerfs/windows/verify.ts";
import { inPieces, type Member, tarOf } from "../layer/workbench.ts";

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
export const stockFolder = base64(defaultSecurity("directory"));
export const ownFolder = base64(encodeSecurity(parseSddl("O:SYG:SYD:(A;OICI;FA;;;SY)")));

export const folder = (name: string, pax: Record<string, string> = {}): Member => ({
  name,
  type: "5",
  pax: { "MSWINDOWS.fileattr": "16", "MSWINDOWS.rawsd": ownFolder, ...pax },
});
export const file = (name: string, body: Buffer | string = "x", pax: Record<string, string> = {}): Member => ({
  name,
  type: "0",
  body,
  pax: { "MSWINDOWS.fileattr": "32", "LIBARCHIVE.creationtime": "1600000000.5", ...pax },
});
export const hardLink = (name: string, link: string): Member => ({ name, type: "1", link });
export const symlink = (name: string, link: string, pax: Record<string, string> = {}): Member => ({
  name,
  type: "2",
  link,
  pax: { "MSWINDOWS.fileattr": "1024", ...pax },
});
export const junction = (name: string, link: string): Member =>
  symlink(name, link, { "MSWINDOWS.fileattr": "1040", "MSWINDOWS.mountpoint": "1" });
export const whiteout = (name: string): Member => ({ name, type: "0", mode: "0000000\0" });

const emptyHive = writeHive(hiveOf(new KeyTree("ROOT")));

/** Hives by what is wrong with them. */
export const hives = {
  whole: Buffer.from(emptyHive),
  delta: Buffer.from(emptyDelta()),
  none: Buffer.from("this is no hive"),
  empty: Buffer.alloc(0),
  cut: Buffer.from(emptyHive).subarray(0, 4096),
  cutDelta: Buffer.from(emptyDelta()).subarray(0, 4100),
  /** The free cell behind the last one is in use, and nothing leads to it. */
  leftover: patched(emptyHive, (view) => {
    let at = 0x1020;
    while (view.getInt32(at, true) < 0) at -= view.getInt32(at, true);
    view.setInt32(at, -view.getInt32(at, true), true);
  }),
  dirty: patched(emptyHive, (view) => view.setUint32(4, 9, true)),
  oldDelta: deltaWith((root) => void root.setValue({ name: "a", type: 1, data: Buffer.alloc(2) }), false),
  rootReplaces: patched(emptyDelta(), (view) => view.setUint8(0x1020 + 4 + 13, 3)),
  unknownBits: patched(emptyDelta(), (view) => view.setUint8(0x1020 + 4 + 13, 4)),
  noSecurity: patched(emptyDelta(), (view) => view.setUint32(0x1020 + 4 + 44, 0xffff_ffff, true)),
  wrongUses: patched(emptyDelta(), (view, bytes) => view.setUint32(bytes.indexOf("sk\0\0", 0x1020) + 12, 7, true)),
  controlSet: deltaWith((root) => void root.setSubkey(new KeyTree("CurrentControlSet"))),
  fullTombstone: patched(
    deltaWith(
      (root) => void root.setSubkey(new KeyTree("Gone").setValue({ name: "a", type: 1, data: Buffer.alloc(2) })),
    ),
    (view, bytes) => view.setUint8(bytes.indexOf("Gone") - 76 + 13, 1),
  ),
  mergeInReplaced: patched(
    deltaWith((root) => void root.setSubkey(new KeyTree("Over")).setSubkey(new KeyTree("Under"))),
    (view, bytes) => view.setUint8(bytes.indexOf("Over") - 76 + 13, 3),
  ),
} as const;

function deltaWith(fill: (root: KeyTree) => void, differencing = true): Buffer {
  const root = new KeyTree("ROOT");
  fill(root);
  return Buffer.from(writeHive(hiveOf(root, { differencing })));
}

/** The same bytes, something changed, with a right checksum. */
function patched(hive: Uint8Array, change: (view: DataView, bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(hive);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  change(view, bytes);
  view.setUint32(508, checksum(view), true);
  return bytes;
}

export const configFolder = "Files/Windows/System32/config";

/** A base as it should be. */
export function baseLayer(): Member[] {
  return [
    folder("Files"),
    folder("Files/Windows"),
    folder("Files/Windows/System32"),
    file("Files/Windows/System32/cmd.exe", "MZ"),
    folder(configFolder),
    ...["DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM"].map((name) => file(`${configFolder}/${name}`, hives.whole)),
    folder("Files/Users"),
    file("Files/Users/old.txt"),
    hardLink("Files/Users/hard.txt", "Files/Users/old.txt"),
    junction("Files/Settings", "C:\\Users"),
  ];
}

/** A base with a utility VM. */
export function baseWithVm(): Member[] {
  return [
    ...baseLayer(),
    folder("UtilityVM"),
    folder("UtilityVM/Files"),
    file("UtilityVM/Files/vm.exe"),
    folder("UtilityVM/Files/EFI"),
    folder("UtilityVM/Files/EFI/Microsoft"),
    folder("UtilityVM/Files/EFI/Microsoft/Boot"),
    file("UtilityVM/Files/EFI/Microsoft/Boot/BCD", hives.whole),
  ];
}

/** What every layer above begins with. */
export function head(): Member[] {
  return [folder("Hives"), ...deltaNames.map((name) => file(deltaPath(name), hives.delta)), folder("Files")];
}

/** A layer above, as it should be. */
export function childLayer(): Member[] {
  return [
    ...head(),
    folder("Files/Users"),
    whiteout("Files/Users/.wh.old.txt"),
    file("Files/Users/new.txt"),
    hardLink("Files/Users/linked.txt", "Files/Users/new.txt"),
    hardLink("Files/Users/cmd.exe", "Files/Windows/System32/cmd.exe"),
    symlink("Files/Users/sym.txt", "..\\Users\\new.txt"),
    junction("Files/Users/Link", "C:\\Windows"),
  ];
}

export async function verify(tars: readonly Uint8Array[], limits: VerifyLimits = {}): Promise<Findings> {
  const findings = new Findings();
  const layers = tars.map((tar) => ({ open: () => inPieces(tar, 1500), diffId: digestOf(tar) }));
  await verifyWindowsLayers(layers, findings, limits);
  return findings;
}

/** `rule@layer`, each once, sorted. */
export function rulesOf(findings: Findings): string[] {
  return [...new Set(findings.list().map(({ rule, layer }) => `${rule}@${layer}`))].sort();
}

export const tarsOf = (...layers: readonly Member[][]): Buffer[] => layers.map((members) => tarOf(...members));
