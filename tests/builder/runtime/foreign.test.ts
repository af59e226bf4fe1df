import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { interpreterFor, isNative } from "../../../builder/runtime/foreign.ts";
import { isWbuildError } from "../../../native/error.ts";

/** What binfmt_misc would show: name → text. */
function register(t: ExecutionContext, entries: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-binfmt-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries({ status: "enabled\n", register: "", ...entries }))
    writeFileSync(join(folder, name), text);
  return folder;
}

const magic = "7f454c460201010000000000000000000200f300";
const mask = "ffffffffffffff00fffffffffffffffffeffffff";
const entry = (more: { state?: string; flags?: string; magic?: string; mask?: string; offset?: number } = {}) =>
  `${more.state ?? "enabled"}\ninterpreter /usr/bin/q\nflags: ${more.flags ?? "OCF"}\noffset ${more.offset ?? 0}\n` +
  `magic ${more.magic ?? magic}\n${more.mask === "" ? "" : `mask ${more.mask ?? mask}\n`}`;
/** An error as one line; "" when there is none. */
async function told(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "",
    (error: unknown) =>
      isWbuildError(error) ? `${error.code}: ${error.message}, help: ${error.hint ?? ""}` : String(error),
  );
}

const nothing = { find: () => undefined, ownRegister: async () => false };

test("what the CPU executes itself needs no interpreter", (t) => {
  const rows: [string, string, boolean][] = [
    ["amd64", "amd64", true],
    ["386", "amd64", true],
    ["arm64", "amd64", false],
    ["amd64", "arm64", false],
    ["amd64", "386", false],
  ];
  for (const [architecture, host, expected] of rows)
    t.is(isNative(architecture, host), expected, `${architecture} on ${host}`);
});

const registered: [what: string, entries: Readonly<Record<string, string>>, name: string | undefined][] = [
  ["an entry whose magic fits", { "qemu-riscv64": entry() }, "qemu-riscv64"],
  ["an entry under any name", { "my own": entry() }, "my own"],
  ["a magic without a mask", { q: entry({ mask: "", magic }) }, "q"],
  ["a shorter magic", { q: entry({ magic: "7f454c4602", mask: "ffffffffff" }) }, "q"],
  ["an entry for another machine", { q: entry({ magic: magic.replace("f300", "b700") }) }, undefined],
  ["an entry that is switched off", { q: entry({ state: "disabled" }) }, undefined],
  ["an entry without F: the container does not have its file", { q: entry({ flags: "OC" }) }, undefined],
  ["an entry for bytes elsewhere", { q: entry({ offset: 4 }) }, undefined],
  ["an entry by extension", { q: "enabled\ninterpreter /usr/bin/q\nflags: F\nextension .x\n" }, undefined],
  ["a register that is switched off", { status: "disabled\n", q: entry() }, undefined],
];
for (const [what, entries, name] of registered)
  test(`the host's register: ${what} ${name === undefined ? "does not serve" : "serves"}`, async (t) => {
    const found = interpreterFor("riscv64", { register: register(t, entries), ...nothing });
    if (name !== undefined) t.deepEqual(await found, { how: "host", name });
    else t.regex(await told(found), /^BOX_EMULATOR: .*qemu-riscv64-static, help: apt-get install qemu-user-static/);
  });

test("without the host's register a step gets a line for its own", async (t) => {
  const find = (name: string) => `/opt/${name}`;
  const found = await interpreterFor("riscv64", { register: register(t, {}), find, ownRegister: async () => true });
  const escaped = (hex: string) => hex.replace(/../g, "\\x$&");
  t.deepEqual(found, {
    how: "own",
    path: "/opt/qemu-riscv64-static",
    line: `:wbuild-riscv64:M::${escaped(magic)}:${escaped(mask)}:/opt/qemu-riscv64-static:POCF`,
  });
});

test("a big-endian machine's line has its bytes in that order", async (t) => {
  const options = { register: register(t, {}), find: (name: string) => `/${name}`, ownRegister: async () => true };
  const found = await interpreterFor("s390x", options);
  t.true(found?.how === "own" && found.line.includes("\\x7f\\x45\\x4c\\x46\\x02\\x02\\x01"));
  t.true(found?.how === "own" && found.line.includes("\\x00\\x02\\x00\\x16:"));
  t.true(found?.how === "own" && found.line.includes("\\xff\\xfe\\xff\\xff:"));
});

test("what is missing is told: the program, the kernel's part, or all knowledge of the machine", async (t) => {
  const none = register(t, {});
  const without = (architecture: string, more = {}) =>
    told(interpreterFor(architecture, { register: none, ...nothing, ...more }));
  t.regex(await without("riscv64"), /neither registered.*qemu-riscv64-static, help: apt-get install/);
  t.regex(await without("riscv64", { find: () => "/q" }), /no register of its own.*help: Linux 6\.7/);
  t.regex(await without("pdp11"), /^BOX_EMULATOR: programs for pdp11 cannot run here/);
  t.regex(await without("riscv64", { register: join(none, "not there") }), /^BOX_EMULATOR/);
});
