/** The verifier of Windows layers and a second checker agree on images with faults that nobody thought of. */
import test from "ava";
import fc from "fast-check";
import type { Member } from "../layer/workbench.ts";
import { naiveCheck } from "./naive-checker.ts";
import {
  baseLayer,
  baseWithVm,
  childLayer,
  folder,
  head,
  hives,
  ownFolder,
  rulesOf,
  stockFolder,
  tarsOf,
  verify,
  whiteout,
} from "./verify-workbench.ts";

const names = [
  "Files",
  "files",
  "Files/Users",
  "Files/users",
  "Files/Users/new.txt",
  "Files/Users/NEW.txt",
  "Files/Users/old.txt",
  "Files/Users/.wh.old.txt",
  "Files/Users/.wh.new.txt",
  "Files/.wh.Users",
  "Files/Users/sub/",
  "Files/Users/sub/x",
  "Files/Settings",
  "Files/Settings/x",
  "Files/.wh.Settings",
  "Files/Windows/System32/config/SAM",
  "Files/a:b",
  "Hives",
  "Hives/Sam_Delta",
  "Hives/System_Base",
  "Hives/.wh.Sam_Delta",
  "UtilityVM",
  "UtilityVM/Files",
  "UtilityVM/x",
  "UtilityVM/Files/.wh.vm.exe",
  "UtilityVM/Files/EFI/Microsoft/Boot/BCD",
  "layout",
  "x",
  ".wh.Files",
  "./x",
  "Files/nul",
  "Files/Users/new.txt:s",
  "Files/Users/.wh..wh..opq",
  "Files/Windows",
  "Files/Windows/System32/cmd.exe",
  "",
];
const paxOf = fc.constantFrom(
  ...Object.entries({
    "MSWINDOWS.fileattr": ["16", "32", "1024", "1040", "x", "99999999999"],
    "MSWINDOWS.rawsd": [stockFolder, ownFolder, "AAAA", "?", stockFolder.slice(0, 80)],
    "MSWINDOWS.sd": ["O:BAG:SY", "rubbish"],
    "MSWINDOWS.mountpoint": ["1"],
    "MSWINDOWS.xattr.A": ["AAAA", "A"],
    "LIBARCHIVE.creationtime": ["1", "1.5", "-1.5", ".5", "99999999999999", "1.0000000001"],
    mtime: ["1", "x", "-99999999999"],
    path: names.filter((name) => name !== ""),
  }).flatMap(([key, values]) => values.map((value) => [key, value] as const)),
);
const bodies = fc.constantFrom(...Object.values(hives));
type Mutation = (members: Member[]) => void;
const at = (members: Member[], position: number) => Math.floor(position * members.length);
const position = fc.double({ min: 0, max: 0.999, noNaN: true });
const changed =
  (change: (one: Member) => Member) =>
  (where: number): Mutation =>
  (members) => {
    const index = at(members, where);
    const one = members[index];
    if (one) members[index] = change(one);
  };
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  position.map(
    (where): Mutation =>
      (members) =>
        void members.splice(at(members, where), 1),
  ),
  fc.tuple(position, position).map(
    ([from, to]): Mutation =>
      (members) => {
        members.splice(at(members, to), 0, { ...(members[at(members, from)] as Member) });
      },
  ),
  fc.tuple(position, position).map(
    ([from, to]): Mutation =>
      (members) => {
        const [one] = members.splice(at(members, from), 1);
        if (one) members.splice(at(members, to), 0, one);
      },
  ),
  fc.tuple(position, fc.constantFrom(...names)).map(([where, name]) => changed((one) => ({ ...one, name }))(where)),
  fc
    .tuple(position, fc.constantFrom("0", "1", "2", "5", "6", "\0"))
    .map(([where, type]) => changed((one) => ({ ...one, type, ...("0\0".includes(type) ? {} : { body: "" }) }))(where)),
  fc
    .tuple(position, fc.constantFrom(...names, "C:\\x", "..\\x", "\\x", "\\\\?\\C:\\x"))
    .map(([where, link]) => changed((one) => ({ ...one, link }))(where)),
  fc
    .tuple(position, paxOf)
    .map(([where, [key, value]]) => changed((one) => ({ ...one, pax: { ...one.pax, [key]: value } }))(where)),
  position.map((where) => changed(({ pax: _, ...one }) => one)(where)),
  fc
    .tuple(position, bodies)
    .map(([where, body]) => changed((one) => (one.type === "0" ? { ...one, body } : one))(where)),
);

test("the naive checker agrees on images with random faults", async (t) => {
  const seen = new Set<string>();
  const layers = fc.constantFrom(
    () => [baseLayer(), childLayer(), childLayer()],
    () => [
      baseWithVm(),
      [...head(), folder("UtilityVM"), folder("UtilityVM/Files"), whiteout("UtilityVM/Files/.wh.vm.exe")],
    ],
    () => [baseLayer(), childLayer(), head(), childLayer()],
  );
  await fc.assert(
    fc.asyncProperty(
      layers,
      fc.array(fc.tuple(fc.nat(3), mutation), { minLength: 1, maxLength: 8 }),
      async (make, faults) => {
        const image = make();
        for (const [layer, mutate] of faults) mutate(image[layer % image.length] as Member[]);
        const tars = tarsOf(...image.map((members) => members.map(oneSpelling)));
        const found = rulesOf(await verify(tars)).filter((rule) => !rule.startsWith("hive-lint"));
        for (const rule of found) seen.add(rule.split("@")[0] ?? "");
        t.deepEqual(found, naiveCheck(tars, stockFolder));
      },
    ),
    { numRuns: 1500 },
  );
  // The law would hold as well if nothing ever happened.
  t.true(seen.size > 40, [...seen].join(" "));
});

/** The old form of a file's type; the naive reader takes it for a file, whatever its name ends in. */
function oneSpelling(one: Member): Member {
  return one.type === "\0" && `${one.name}${one.pax?.path ?? ""}`.includes("/sub/") ? { ...one, type: "0" } : one;
}
