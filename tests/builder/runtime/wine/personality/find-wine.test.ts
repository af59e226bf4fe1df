import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "ava";
import {
  findWine,
  hasFixedAddress,
  type WinePlace,
  wineSurroundings,
} from "../../../../../builder/runtime/wine/personality/find-wine.ts";

const elf = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
const script = Buffer.from("#!/bin/sh\nexec /somewhere/wine64\n");

/** Files below a folder, as the packages of different makers lay them out. */
function installed(top: string, files: Readonly<Record<string, Buffer>>): void {
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(top, path)), { recursive: true });
    writeFileSync(join(top, path), bytes);
    chmodSync(join(top, path), 0o755);
  }
}

const none = Buffer.alloc(0);
const debian = {
  "usr/lib/wine/wine64": elf,
  "usr/lib/wine/wineserver": script,
  "usr/lib/wine/wineserver64": elf,
  "usr/lib/x86_64-linux-gnu/wine/x86_64-windows/ntdll.dll": none,
  "usr/lib/x86_64-linux-gnu/wine/x86_64-unix/ntdll.so": none,
  "usr/share/wine/wine.inf": none,
};
const upstream = {
  "opt/wine-stable/bin/wine": elf,
  "opt/wine-stable/bin/wineserver": elf,
  "opt/wine-stable/lib/wine/x86_64-windows/ntdll.dll": none,
  "opt/wine-stable/lib/wine/x86_64-unix/ntdll.so": none,
  "opt/wine-stable/share/wine/wine.inf": none,
};

function placesIn(top: string): WinePlace[] {
  return [
    {
      programs: `${top}/usr/lib/wine`,
      libraries: [`${top}/usr/lib/x86_64-linux-gnu/wine`],
      data: `${top}/usr/share/wine`,
    },
    {
      programs: `${top}/opt/wine-stable/bin`,
      libraries: [`${top}/opt/wine-stable/lib64/wine`, `${top}/opt/wine-stable/lib/wine`],
      data: `${top}/opt/wine-stable/share/wine`,
    },
  ];
}

const cases: [title: string, files: Readonly<Record<string, Buffer>>, loader: string | undefined][] = [
  ["Debian's layout: scripts are passed over", debian, "usr/lib/wine/wine64"],
  ["the layout of winehq.org: one loader for both widths", upstream, "opt/wine-stable/bin/wine"],
  ["the first that is whole counts", { ...upstream, ...debian }, "usr/lib/wine/wine64"],
  ["without a server there is no Wine", { ...debian, "usr/lib/wine/wineserver64": script }, undefined],
  ["without 64-bit DLLs there is no Wine", { "usr/lib/wine/wine64": elf, "usr/lib/wine/wineserver64": elf }, undefined],
  ["nothing", {}, undefined],
];

for (const [title, files, loader] of cases) {
  test(`found: ${title}`, (t) => {
    const top = mkdtempSync(join(tmpdir(), "wbuild-find-wine-"));
    t.teardown(() => rmSync(top, { recursive: true, force: true }));
    installed(top, files);
    const found = findWine(placesIn(top));
    t.is(found?.loader, loader === undefined ? undefined : join(top, loader));
  });
}

test("a container sees two programs and four folders of the host, read-only, and no path twice", (t) => {
  const top = mkdtempSync(join(tmpdir(), "wbuild-find-wine-"));
  t.teardown(() => rmSync(top, { recursive: true, force: true }));
  installed(top, upstream);
  const wine = findWine(placesIn(top));
  if (!wine) return t.fail("not found");
  const { mounts } = wineSurroundings(wine);
  const targets = mounts.map((mount) => mount.target);
  t.true(mounts.every((mount) => mount.readonly && mount.kind === "bind" && mount.source === mount.target));
  t.deepEqual(
    targets.filter((target) => target.startsWith(top)),
    [
      `${top}/opt/wine-stable/bin/wine`,
      `${top}/opt/wine-stable/bin/wineserver`,
      `${top}/opt/wine-stable/lib/wine`,
      `${top}/opt/wine-stable/share/wine`,
    ],
  );
  t.false(targets.some((target) => targets.some((other) => other !== target && target.startsWith(`${other}/`))));
  t.false(targets.includes("/usr/lib") || targets.includes("/usr") || targets.includes("/"));
});

for (const [title, bytes, expected] of [
  ["linked for one address", Buffer.concat([elf, Buffer.alloc(8), Buffer.from([2, 0])]), true],
  ["for any", Buffer.concat([elf, Buffer.alloc(8), Buffer.from([3, 0])]), false],
  ["too short to say", elf, false],
  ["not there", undefined, false],
] as const) {
  test(`a loader: ${title}`, (t) => {
    const top = mkdtempSync(join(tmpdir(), "wbuild-find-wine-"));
    t.teardown(() => rmSync(top, { recursive: true, force: true }));
    if (bytes) writeFileSync(join(top, "wine64"), bytes);
    t.is(hasFixedAddress(join(top, "wine64")), expected);
  });
}
