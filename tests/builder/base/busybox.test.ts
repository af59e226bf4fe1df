import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { findBusybox, isStaticElf } from "../../../builder/base/busybox.ts";

test("a program that needs shared libraries is told from one that does not", async (t) => {
  t.false(isStaticElf(await readFile(process.execPath)));
  t.true(isStaticElf((await findBusybox()).bytes));
});

const broken: [name: string, bytes: Uint8Array][] = [
  ["nothing", new Uint8Array()],
  ["a script", Buffer.from(`#!/bin/sh\n${"#".repeat(100)}`)],
  ["a header alone", Buffer.from(`7f454c46020101${"00".repeat(57)}`, "hex")],
  ["a program table past the end", elf({ table: 1n << 40n, count: 3 })],
  ["a program table that wraps around", elf({ table: (1n << 64n) - 8n, count: 0xffff })],
];
for (const [name, bytes] of broken) test(`no static program: ${name}`, (t) => t.false(isStaticElf(bytes)));

function elf(header: { table: bigint; count: number }): Uint8Array {
  const bytes = Buffer.alloc(128);
  bytes.write("7f454c46020101", "hex");
  bytes.writeBigUInt64LE(header.table, 32);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(header.count, 56);
  return bytes;
}

test("without a static busybox the package is named", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "wbuild-busybox-"));
  try {
    const dynamic = join(folder, "busybox");
    await writeFile(dynamic, await readFile(process.execPath), { mode: 0o755 });
    const none = await t.throwsAsync(findBusybox([join(folder, "nothing")]));
    t.like(none, { code: "IMG_NO_BUSYBOX", message: "the base is made from busybox, and this host has none" });
    const linked = await t.throwsAsync(findBusybox([dynamic]));
    t.like(linked, {
      code: "IMG_NO_BUSYBOX",
      hint: "install the package busybox-static (Debian, Ubuntu), then try again",
    });
    t.true(linked?.message.includes("shared libraries"));
  } finally {
    await rm(folder, { recursive: true });
  }
});
