/** The verifier of Windows layers: each rule broken alone. A second checker must agree. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { checkLayerHive } from "../../../layerfs/windows/verify/hive-check.ts";
import { hiveRules } from "../../../layerfs/windows/verify/hive-rules.ts";
import type { HiveRole } from "../../../layerfs/windows/verify/known-names.ts";
import { layerRules } from "../../../layerfs/windows/verify/layer-rules.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { type Member, member, tarOf } from "../layer/workbench.ts";
import { naiveCheck } from "./naive-checker.ts";
import {
  baseLayer,
  baseWithVm,
  childLayer,
  configFolder,
  file,
  folder,
  hardLink,
  head,
  hives,
  junction,
  rulesOf,
  stockFolder,
  symlink,
  tarsOf,
  verify,
  whiteout,
} from "./verify-workbench.ts";

test("images as they should be have no findings", async (t) => {
  const images: Member[][][] = [
    [baseLayer()],
    [baseWithVm()],
    [baseLayer(), childLayer()],
    [baseLayer(), head(), childLayer(), head()],
    [
      baseLayer(),
      childLayer(),
      [...head(), folder("Files/Users"), file("Files/Users/old.txt"), whiteout("Files/Users/.wh.new.txt")],
    ],
    // In Windows' own order.
    [baseLayer(), [folder("Files"), file("Files/x"), ...head().slice(0, -1)]],
    // Attributes and descriptors may be left out.
    [baseLayer(), [...head(), { name: "Files/plain", type: "0", body: "x" }, { name: "Files/new/", type: "5" }]],
  ];
  for (const image of images) {
    const tars = tarsOf(...image);
    const findings = await verify(tars);
    t.deepEqual(findings.list(), []);
    t.deepEqual(naiveCheck(tars, stockFolder), []);
  }
});

const without = (members: Member[], name: string) => members.filter((each) => each.name !== name);
const withBody = (members: Member[], name: string, body: Buffer) =>
  members.map((each) => (each.name === name ? { ...each, body } : each));
const child = (...more: Member[]) => [baseLayer(), [...head(), ...more]];
const delta = (body: Buffer) => [baseLayer(), withBody(head(), "Hives/System_Delta", body)];
const vm = (...more: Member[]) => [baseWithVm(), [...head(), folder("UtilityVM"), folder("UtilityVM/Files"), ...more]];
const users = folder("Files/Users");
/** Layers above the base that touch the utility VM have these in any case. */
const cim = ["utilityvm-cim@2"];

/** Rules that are broken, and an image that breaks just them. The first is what the row is about. */
const bad: readonly (readonly [rules: string[], image: Member[][]])[] = [
  [["entry-type@2"], child({ name: "Files/pipe", type: "6" })],
  [["entry-type@2"], [baseLayer(), [...without(head(), "Files"), file("Files"), folder("Files")]]],
  [["entry-name@2"], child({ name: "./Files/x", type: "0" })],
  [["entry-name@2"], child({ name: "/Files/x", type: "0" })],
  [["entry-name@2"], child({ name: "Files\\x", type: "0" })],
  [["entry-name@2"], child({ name: "Files/../x", type: "0" })],
  [["entry-name@2"], child({ name: "Files//x", type: "0" })],
  [["top-case@2"], child(file("files/x"))],
  [["top-level@2"], child(file("readme.txt"))],
  [["host-file@2"], child(file("tombstones.txt"))],
  [["host-file@2"], child(file("Hives/System_Base"))],
  [["host-file@2"], child(file("Files/x.$wcidirs$"))],
  [["host-file@2"], child(file("SystemTemplateBase.vhdx"))],
  [["never-content@2"], child(folder("Files/$Recycle.Bin"))],
  [["never-content@2"], child(folder("Files/wcsandboxstate"))],
  [
    ["first-entries@2", "top-level@2"],
    [baseLayer(), [file("x.txt"), ...head()]],
  ],
  [
    ["first-entries@2", "delta-missing@2"],
    [baseLayer(), [folder("Files")]],
  ],
  [["ancestor-missing@2"], child(file("Files/Users/x"))],
  [["ancestor-missing@1"], [[...baseLayer(), file("Files/New/x")]]],
  [["ancestor-missing@2"], child(file("Files/Late/x"), folder("Files/Late"))],
  [["under-file@2"], child(file("Files/a"), file("Files/a/b"))],
  [["under-link@2"], child(junction("Files/j", "C:\\x"), file("Files/j/b"))],
  [["ancestor-missing@2", "under-link@2"], child(file("Files/Settings/b"))],
  [["under-link@2"], child(whiteout("Files/Settings/.wh.b"))],
  [["directory-spelling@2"], child(folder("Files/users"))],
  [["directory-spelling@2"], child(folder("Files/New"), file("Files/new/a"))],
  [["file-spelling@2"], child(users, file("Files/Users/OLD.txt"))],
  [["duplicate@2"], child(file("Files/a"), file("Files/A"))],
  [["duplicate@2"], child(folder("Files/ä"), folder("Files/Ä"))],
  [["name-illegal@2"], child(file("Files/a|b"))],
  [["name-illegal@2"], child(file("Files/a."))],
  [["name-illegal@2"], child(file("Files/a "))],
  [["name-illegal@2"], child(file("Files/a\u0001"))],
  [["name-illegal@2"], child(file("Files/nul"))],
  [["name-illegal@2"], child(file("Files/Com1.txt"))],
  [["name-illegal@2"], child(file("Files/a:b"))],
  [["name-illegal@2"], child({ name: "x", type: "0", pax: { path: `Files/${"x".repeat(256)}` } })],
  [["name-illegal@2"], child({ name: "x", type: "0", pax: { path: `Files/${"x/".repeat(17_000)}y` } })],
  [["stream@2"], child(file("Files/a"), file("Files/a:Zone.Identifier"))],
  [["stream@2"], child(file("Files/a"), file("Files/a:Zone.Identifier:$DATA"))],
  [["whiteout-base@1"], [[...baseLayer(), whiteout("Files/.wh.x")]]],
  [["whiteout-place@2"], child(whiteout(".wh.Files"))],
  [["whiteout-place@2"], child(whiteout("Hives/.wh.System_Delta"))],
  [["whiteout-name@2"], child(whiteout("Files/.wh."))],
  [["whiteout-name@2"], child(whiteout("Files/.wh..."))],
  [["whiteout-name@2"], child(whiteout("Files/.wh..wh.plnk"))],
  [["whiteout-opaque@2"], child(users, whiteout("Files/Users/.wh..wh..opq"))],
  [["whiteout-form@2"], child({ ...whiteout("Files/Users/.wh.old.txt"), body: "x" })],
  [["whiteout-form@2"], child({ name: "Files/Users/.wh.old.txt", type: "5" })],
  [["whiteout-beside-entry@2"], child(users, file("Files/Users/old.txt"), whiteout("Files/Users/.wh.old.txt"))],
  [["whiteout-beside-entry@2"], child(users, whiteout("Files/Users/.wh.OLD.txt"), file("Files/Users/old.txt"))],
  [["whiteout-victim@2", ...cim], vm(whiteout("UtilityVM/Files/.wh.none"))],
  [["hardlink-place@2", "hives-unknown@2"], child(hardLink("Hives/x", "Files/Windows/System32/cmd.exe"))],
  [["hardlink-place@2"], child(hardLink("Files/x", "Hives/System_Delta"))],
  [["hardlink-target@2"], child(hardLink("Files/x", "Files/none"))],
  [["hardlink-target@2"], child(hardLink("Files/x", "Files/X"))],
  [["hardlink-target@2"], child(hardLink("Files/x", "Files/Windows"))],
  [["hardlink-target@1"], [[...baseLayer(), hardLink("Files/x", "Files/y"), file("Files/y")]]],
  [["hardlink-spelling@2"], child(file("Files/a"), hardLink("Files/x", "Files/A"))],
  [["link-target@2"], child(symlink("Files/l", ""))],
  [["link-prefix@2"], child(symlink("Files/l", "Files/Windows/x"))],
  [["junction-target@2"], child(junction("Files/l", "Windows\\x"))],
  [["junction-target@2"], child(junction("Files/l", "\\Windows"))],
  [["mountpoint@2"], child(file("Files/f", "", { "MSWINDOWS.mountpoint": "1" }))],
  [["fileattr@2"], child(file("Files/f", "", { "MSWINDOWS.fileattr": "0x20" }))],
  [["fileattr@2"], child(file("Files/f", "", { "MSWINDOWS.fileattr": "4294967296" }))],
  [["fileattr-type@2"], child(file("Files/f", "", { "MSWINDOWS.fileattr": "16" }))],
  [["fileattr-type@2"], child(folder("Files/d", { "MSWINDOWS.fileattr": "32" }))],
  [["fileattr-link@2"], child(symlink("Files/l", "x", { "MSWINDOWS.fileattr": "32" }))],
  [["fileattr-link@2"], child(file("Files/f", "", { "MSWINDOWS.fileattr": "1056" }))],
  [["rawsd@2"], child(file("Files/f", "", { "MSWINDOWS.rawsd": "not base64!" }))],
  [["rawsd@2"], child(file("Files/f", "", { "MSWINDOWS.rawsd": stockFolder.slice(0, 100) }))],
  [["rawsd@2"], child(file("Files/f", "", { "MSWINDOWS.rawsd": "AAAA" }))],
  [["sd@2"], child(file("Files/f", "", { "MSWINDOWS.sd": "everyone may" }))],
  [["ea@2"], child(file("Files/f", "", { "MSWINDOWS.xattr.X": "-" }))],
  [["ea@2"], child(file("Files/f", "", { "MSWINDOWS.xattr.X": Buffer.alloc(65_536).toString("base64") }))],
  [["ea@2"], child(file("Files/f", "", { [`MSWINDOWS.xattr.${"x".repeat(256)}`]: "AAAA" }))],
  [["creationtime@2"], child(file("Files/f", "", { "LIBARCHIVE.creationtime": "yesterday" }))],
  [["creationtime@2"], child(file("Files/f", "", { "LIBARCHIVE.creationtime": "1." }))],
  [["creationtime@2"], child(file("Files/f", "", { "LIBARCHIVE.creationtime": "1.-5" }))],
  [["time@2"], child(file("Files/f", "", { atime: "1,5" }))],
  [["time-range@2"], child(file("Files/f", "", { mtime: "-11644473601" }))],
  [["time-range@2"], child(file("Files/f", "", { "LIBARCHIVE.creationtime": "1.0123456789" }))],
  [["directory-redescribed@2"], child(folder("Files/Users", { "MSWINDOWS.rawsd": stockFolder }))],
  [["directory-redescribed@2"], child({ name: "Files/Users/", type: "5" })],
  [["utilityvm-place@2", ...cim], vm(file("UtilityVM/x"))],
  [
    ["utilityvm-parent@2", ...cim],
    [baseLayer(), [...head(), folder("UtilityVM")]],
  ],
  [["utilityvm-cim@2"], vm(file("UtilityVM/Files/x"), whiteout("UtilityVM/Files/.wh.vm.exe"))],
  [["base-hives-folder@1"], [[...baseLayer(), folder("Hives")]]],
  [["base-layout@1"], [[...baseLayer(), file("layout", "vhd-with-hives\n")]]],
  [["base-hive-missing@1"], [without(baseLayer(), `${configFolder}/SAM`)]],
  [["base-hive-broken@1"], [withBody(baseLayer(), `${configFolder}/SAM`, hives.none)]],
  [["base-hive-broken@1"], [withBody(baseLayer(), `${configFolder}/SAM`, hives.empty)]],
  [["base-hive-broken@1"], [withBody(baseLayer(), `${configFolder}/SAM`, hives.cut)]],
  [["base-hive-broken@1"], [[...without(baseLayer(), `${configFolder}/SAM`), folder(`${configFolder}/SAM`)]]],
  [["base-hive-layered@1"], [withBody(baseLayer(), `${configFolder}/SAM`, hives.delta)]],
  [["hive-dirty@1"], [withBody(baseLayer(), `${configFolder}/SAM`, hives.dirty)]],
  [["utilityvm-bcd@1"], [without(baseWithVm(), "UtilityVM/Files/EFI/Microsoft/Boot/BCD")]],
  [["utilityvm-bcd@1"], [withBody(baseWithVm(), "UtilityVM/Files/EFI/Microsoft/Boot/BCD", hives.none)]],
  [["delta-missing@2"], [baseLayer(), without(head(), "Hives/Sam_Delta")]],
  [
    ["delta-gap@3", "delta-missing@2"],
    [baseLayer(), without(head(), "Hives/Sam_Delta"), head()],
  ],
  [["hives-unknown@2"], child(file("Hives/notes.txt"))],
  [["delta-unreadable@2"], delta(hives.none)],
  [["delta-unreadable@2"], delta(hives.empty)],
  [["delta-unreadable@2"], delta(hives.cutDelta)],
  [["delta-unreadable@2"], [baseLayer(), [...without(head(), "Hives/Sam_Delta"), folder("Hives/SAM_DELTA")]]],
  [["delta-version@2"], delta(hives.oldDelta)],
  [["delta-root@2"], delta(hives.rootReplaces)],
  [["delta-layer-bits@2"], delta(hives.unknownBits)],
  [["delta-tombstone@2"], delta(hives.fullTombstone)],
  [["delta-supersede@2"], delta(hives.mergeInReplaced)],
  [["delta-security@2"], delta(hives.noSecurity)],
  [["delta-security@2"], delta(hives.wrongUses)],
  [["delta-control-set@2"], delta(hives.controlSet)],
];

for (const [index, [wanted, image]] of bad.entries())
  test(`breaks ${wanted.join(", ")} and nothing else (${index})`, async (t) => {
    const tars = tarsOf(...image);
    const findings = await verify(tars);
    t.deepEqual(
      rulesOf(findings).filter((rule) => !rule.startsWith("hive-lint")),
      [...wanted].sort(),
      JSON.stringify(findings.list()),
    );
    t.deepEqual(naiveCheck(tars, stockFolder), [...wanted].sort());
    for (const { what } of findings.list()) t.regex(what, /^\S.*[^.]$/);
  });

test("a layer that cannot be read is told once, and nothing is held against those above", async (t) => {
  const [base, one, two] = tarsOf(baseLayer(), childLayer(), [...head(), hardLink("Files/x", "Files/unknown")]);
  const cut = (one as Buffer).subarray(0, 3000);
  const tars = [base as Buffer, cut, two as Buffer];
  t.deepEqual(rulesOf(await verify(tars)), ["tar-unreadable@2"]);
  t.deepEqual(naiveCheck(tars, stockFolder), ["tar-unreadable@2"]);
  t.deepEqual(rulesOf(await verify([Buffer.from("no tar")])), ["tar-unreadable@1"]);
});

test("names longer than a header, in POSIX's and GNU's forms, are whole", async (t) => {
  const long = `Files/${"d".repeat(90)}`;
  const prefixed = member({ name: "y".repeat(80), type: "0", body: "x" });
  prefixed.write(long, 345, "latin1");
  prefixed.write("        ", 148, "latin1");
  const sum = prefixed.subarray(0, 512).reduce((a, b) => a + b, 0);
  prefixed.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  const gnu = [
    member({ name: "././@LongLink", type: "L", body: `${long}/${"z".repeat(90)}\0` }),
    member({ name: "short", type: "0", body: "x" }),
  ];
  const tar = tarOf(...head(), folder(long), prefixed, ...gnu);
  const again = tarOf(...head(), folder(long), ...gnu, ...gnu);
  t.deepEqual((await verify([...tarsOf(baseLayer()), tar])).list(), []);
  t.deepEqual(rulesOf(await verify([...tarsOf(baseLayer()), again])), ["duplicate@2"]);
});

test("what costs more memory than allowed ends the check, and says so", async (t) => {
  const many = Array.from({ length: 200 }, (_, i) => file(`Files/f${i}`));
  const tars = tarsOf(baseLayer(), [...head(), ...many], head());
  t.deepEqual(rulesOf(await verify(tars, { pathBytes: 10_000 })), ["too-many-entries@2"]);
  const tar = { maxBytes: 2 ** 20, maxEntries: 20 };
  t.deepEqual(rulesOf(await verify(tarsOf(baseLayer(), [...head(), ...many]), { tar })), ["tar-unreadable@2"]);
  t.deepEqual(rulesOf(await verify(tarsOf(baseLayer()), { hiveBytes: 100 })), ["hive-size@1"]);
});

test("memory of deleted paths is given back: a thousand layers that make and delete stay within the budget", async (t) => {
  const names = Array.from({ length: 50 }, (_, i) => `f${i}`);
  const make = [...head(), folder("Files/d"), ...names.map((name) => file(`Files/d/${name}`))];
  const remove = [...head(), whiteout("Files/.wh.d")];
  const layers = Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? make : remove));
  t.deepEqual((await verify(tarsOf(baseLayer(), ...layers), { pathBytes: 16_000 })).list(), []);
});

test("many breaches of one rule are counted, the first ones told", async (t) => {
  const many = Array.from({ length: 70 }, (_, i) => file(`Files/none/f${i}`));
  const findings = await verify(tarsOf(baseLayer(), [...head(), ...many]));
  t.is(findings.list().length, 50);
  t.is(findings.count("error"), 70);
  t.is(findings.count("warning"), 0);
  t.deepEqual(findings.omitted(), [{ rule: "ancestor-missing", layer: 2, count: 20 }]);
});

test("a hive's untidiness is a warning, and damage hides it", async (t) => {
  const spare = withBody(baseLayer(), `${configFolder}/SAM`, hives.leftover);
  t.deepEqual(rulesOf(await verify(tarsOf(spare))), ["hive-lint@1"]);
});

const samples = fileURLToPath(new URL("../../../../shared/testdata/hives/", import.meta.url));
const overSamples = testUnless(existsSync(join(samples, "System_Delta")) ? undefined : "the samples are not here");

overSamples("hives that Windows wrote have no findings, damaged ones do", (t) => {
  const found = (name: string, role: HiveRole) => {
    const seen = new Set<string>();
    checkLayerHive(readFileSync(join(samples, name)), role, (rule) => seen.add(rule));
    return [...seen];
  };
  t.deepEqual(found("System_Delta", { kind: "delta", hive: "System" }), []);
  const base = { kind: "base", hive: "SOFTWARE" } as const;
  for (const name of [
    "BigDataHive",
    "EmptyHive",
    "ExtendedASCIIHive",
    "ManySubkeysHive",
    "OldDirtyHive/RecoveredHive_Windows7",
  ])
    t.deepEqual(found(name, base), [], name);
  t.deepEqual(found("System_Delta", { kind: "base", hive: "SYSTEM" }), ["base-hive-layered"]);
  t.deepEqual(found("OldDirtyHive/OldDirtyHive", base), ["hive-dirty"]);
  for (const name of ["BadListHive", "TruncatedHive"]) t.deepEqual(found(name, base), ["base-hive-broken"], name);
});

test("every rule about layers and hives has a row", (t) => {
  const covered = new Set(bad.flatMap(([wanted]) => wanted.map((rule) => rule.split("@")[0])));
  const elsewhere = ["tar-unreadable", "too-many-entries", "hive-size", "hive-lint"];
  const missing = Object.keys({ ...layerRules, ...hiveRules }).filter(
    (rule) => !covered.has(rule) && !elsewhere.includes(rule),
  );
  t.deepEqual(missing, []);
});
