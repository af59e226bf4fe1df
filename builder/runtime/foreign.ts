/**
 * Programs of Linux images for another architecture: whether they can run here, and by which interpreter. Either the host
 * has registered one (binfmt_misc), or a step gets a register of its own with the host's qemu-user in it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "../../native/core/programs.ts";
import { WbuildError } from "../../native/error.ts";

interface Machine {
  /** As qemu calls it: qemu-NAME-static. */
  readonly qemu: string;
  /** ELF header (System V ABI): bits, byte order and e_machine. */
  readonly bits: 32 | 64;
  readonly order: "little" | "big";
  readonly machine: number;
}

const machines: Readonly<Record<string, Machine>> = {
  386: { qemu: "i386", bits: 32, order: "little", machine: 3 },
  amd64: { qemu: "x86_64", bits: 64, order: "little", machine: 62 },
  arm: { qemu: "arm", bits: 32, order: "little", machine: 40 },
  arm64: { qemu: "aarch64", bits: 64, order: "little", machine: 183 },
  loong64: { qemu: "loongarch64", bits: 64, order: "little", machine: 258 },
  mips: { qemu: "mips", bits: 32, order: "big", machine: 8 },
  mipsle: { qemu: "mipsel", bits: 32, order: "little", machine: 8 },
  mips64: { qemu: "mips64", bits: 64, order: "big", machine: 8 },
  mips64le: { qemu: "mips64el", bits: 64, order: "little", machine: 8 },
  ppc64: { qemu: "ppc64", bits: 64, order: "big", machine: 21 },
  ppc64le: { qemu: "ppc64le", bits: 64, order: "little", machine: 21 },
  riscv64: { qemu: "riscv64", bits: 64, order: "little", machine: 243 },
  s390x: { qemu: "s390x", bits: 64, order: "big", machine: 22 },
};

/** Of Node's names only these differ from OCI's. */
const ofNode: Readonly<Record<string, string>> = { ia32: "386", x64: "amd64", mipsel: "mipsle" };
const hostArchitecture = ofNode[process.arch] ?? process.arch;

/** Architectures that a host of the first kind executes by itself. */
const alsoNative: Readonly<Record<string, readonly string[]>> = { amd64: ["386"] };

/** How a foreign program runs: `host` by the host's register; `own` by a line for a step's own register. */
export type Interpreter =
  | { readonly how: "host"; readonly name: string }
  | { readonly how: "own"; readonly path: string; readonly line: string };

export interface ForeignOptions {
  /** The host's register; usual: /proc/sys/fs/binfmt_misc. */
  readonly register?: string;
  /** Finds a program of the host. */
  readonly find?: (name: string) => string | undefined;
  /** Can a step have a register of its own? Usual: the launcher tries it. */
  readonly ownRegister?: () => Promise<boolean>;
}

/** Does the CPU execute programs of this architecture? */
export function isNative(architecture: string, host: string = hostArchitecture): boolean {
  return architecture === host || (alsoNative[host] ?? []).includes(architecture);
}

/** Architectures that an interpreter may be found for. */
export function foreignArchitectures(): string[] {
  return Object.keys(machines).filter((name) => !isNative(name));
}

/**
 * The interpreter for a foreign architecture; undefined for a native one. Throws BOX_EMULATOR, with what to install, when
 * there is none.
 */
export async function interpreterFor(
  architecture: string,
  options: ForeignOptions = {},
): Promise<Interpreter | undefined> {
  if (isNative(architecture)) return undefined;
  const machine = machines[architecture];
  if (!machine) throw cannotRun(architecture, "no interpreter for it is known");
  const name = registered(machine, options.register ?? "/proc/sys/fs/binfmt_misc");
  if (name !== undefined) return { how: "host", name };
  const find = options.find ?? findProgram;
  const path = find(`qemu-${machine.qemu}-static`);
  if (path === undefined)
    throw cannotRun(
      architecture,
      `this host has neither registered an interpreter for it nor a qemu-${machine.qemu}-static`,
      "apt-get install qemu-user-static (Debian, Ubuntu)",
    );
  if (!(await (options.ownRegister ?? ownRegister)()))
    throw cannotRun(
      architecture,
      `${path} is there, but this kernel gives a step no register of its own for it`,
      "Linux 6.7 does; before, as root: systemctl restart systemd-binfmt, or apt-get install binfmt-support, registers it for the host",
    );
  return { how: "own", path, line: registerLine(machine, path) };
}

function cannotRun(architecture: string, why: string, hint?: string): WbuildError {
  return new WbuildError("BOX_EMULATOR", `programs for ${architecture} cannot run here: ${why}`, {
    facts: { architecture, host: hostArchitecture },
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The first twenty bytes of an ELF program for it, and which bits of them must be so: libraries that run are programs, too. */
function pattern({ bits, order, machine }: Machine): { magic: Buffer; mask: Buffer } {
  const magic = Buffer.alloc(20);
  magic.write("\x7fELF", "latin1");
  magic[4] = bits === 64 ? 2 : 1;
  magic[5] = order === "little" ? 1 : 2;
  magic[6] = 1;
  // Any ABI in byte 7 (Linux and none are both used); e_type 2 or 3.
  const mask = Buffer.alloc(20, 0xff);
  mask[7] = 0;
  const write = (value: number, at: number) =>
    order === "little" ? magic.writeUInt16LE(value, at) : magic.writeUInt16BE(value, at);
  write(2, 16);
  mask[order === "little" ? 16 : 17] = 0xfe;
  write(machine, 18);
  return { magic, mask };
}

/**
 * A line for binfmt_misc's `register` (Linux, Documentation/admin-guide/binfmt-misc.rst). P keeps argv[0], O and C open the
 * program with its own rights (setuid), F opens the interpreter now: the container's root does not have it.
 */
function registerLine(machine: Machine, path: string): string {
  const { magic, mask } = pattern(machine);
  const escaped = (bytes: Buffer) => [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
  return `:wbuild-${machine.qemu}:M::${escaped(magic)}:${escaped(mask)}:${path}:POCF`;
}

/** The name of the host's entry that such a program would be run by; one without F needs its file inside the container. */
function registered(machine: Machine, folder: string): string | undefined {
  const read = (name: string) => {
    try {
      return readFileSync(join(folder, name), "latin1");
    } catch {
      return "";
    }
  };
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name !== "register" && name !== "status");
  } catch {
    return undefined;
  }
  if (!read("status").startsWith("enabled")) return undefined;
  const program = pattern(machine).magic;
  return names.find((name) => {
    const text = read(name);
    const value = (key: string) => new RegExp(`^${key} ([0-9a-f]+)$`, "m").exec(text)?.[1] ?? "";
    if (!text.startsWith("enabled\n") || !/^flags: \S*F/m.test(text)) return false;
    const magic = Buffer.from(value("magic"), "hex");
    const mask = value("mask") === "" ? Buffer.alloc(magic.length, 0xff) : Buffer.from(value("mask"), "hex");
    const offset = Number(/^offset (\d+)$/m.exec(text)?.[1] ?? 0);
    if (magic.length === 0 || offset !== 0 || magic.length > program.length) return false;
    return magic.every((byte, i) => (((program[i] ?? 0) ^ byte) & (mask[i] ?? 0xff)) === 0);
  });
}

let tried: Promise<boolean> | undefined;

/** Asked once: the kernel stays the same. */
function ownRegister(): Promise<boolean> {
  tried ??= import("../../native/core/probe.ts").then(({ canRegisterInterpreters }) => canRegisterInterpreters());
  return tried;
}
