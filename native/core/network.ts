/** How a container gets to the network: a veth pair that the host masquerades (root), pasta (everybody else), or the host's own. */
import { spawn } from "node:child_process";
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs";
import { findProgram } from "./programs.ts";
import { insideUserNamespace } from "./userns.ts";

export type NetworkPlan =
  | { readonly kind: "host" | "none" }
  /** `ready` rejects when the host cannot be made to masquerade. */
  | { readonly kind: "veth"; readonly range: string; readonly mtu: number; readonly ready: Promise<void> }
  | { readonly kind: "pasta"; readonly program: string };

/** One table of our own, written whole in one transaction: any number of builds may do so at the same time, and again. */
const table = `
add table ip wbuild
flush table ip wbuild
add chain ip wbuild postrouting { type nat hook postrouting priority srcnat; policy accept; }
add rule ip wbuild postrouting iifname "wbld*" masquerade
add chain ip wbuild forward { type filter hook forward priority filter; policy accept; }
add rule ip wbuild forward oifname "wbld*" ct state established,related accept
add rule ip wbuild forward oifname "wbld*" drop
`;

/** /16s to choose from; the first one that this host has no route into. */
const ranges = ["10.213.0.0", "10.214.0.0", "172.29.0.0", "172.30.0.0", "10.77.0.0", "192.168.0.0"];

interface Route {
  readonly device: string;
  readonly address: number;
  readonly mask: number;
}

function ipv4(text: string): number {
  return text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** /proc/net/route: addresses and masks as the machine's (little-endian) hexadecimal words. */
export function parseRoutes(text: string): Route[] {
  const routes: Route[] = [];
  for (const line of text.split("\n").slice(1)) {
    const fields = line.split("\t");
    const [device, address, mask] = [fields[0], fields[1], fields[7]];
    if (device === undefined || address === undefined || mask === undefined) continue;
    const swap = (hex: string) => Buffer.from(hex, "hex").reverse().readUInt32BE();
    if (!/^[0-9A-F]{8}$/.test(address) || !/^[0-9A-F]{8}$/.test(mask)) continue;
    routes.push({ device, address: swap(address), mask: swap(mask) });
  }
  return routes;
}

/** The first range that overlaps no route (but the default one and those of other containers) and holds none of `avoid`. */
export function chooseRange(routes: readonly Route[], avoid: readonly string[]): string | undefined {
  const taken = [
    ...routes.filter((route) => route.mask !== 0 && !route.device.startsWith("wbld")),
    ...avoid.map((address) => ({ address: ipv4(address), mask: 0xffffffff })),
  ];
  return ranges.find((range) => {
    const start = ipv4(range);
    return !taken.some(({ address, mask }) => {
      const common = (mask & 0xffff0000) >>> 0;
      return (start & common) >>> 0 === (address & common) >>> 0;
    });
  });
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function nft(
  program: string,
  args: readonly string[],
  input: string,
): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], env: { LC_ALL: "C" } });
    let out = "";
    let err = "";
    child.stdout.on("data", (bytes: Buffer) => {
      out += bytes;
    });
    child.stderr.on("data", (bytes: Buffer) => {
      err += bytes;
    });
    child.stdin.on("error", () => {});
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, out, err }));
    child.stdin.end(input);
  });
}

/** Docker and others drop forwarded packets in iptables' own chain, where no table of ours can overrule them: say yes there too. */
async function passForwardChain(program: string): Promise<void> {
  const listed = await nft(program, ["list", "chain", "ip", "filter", "FORWARD"], "");
  if (listed.code !== 0 || !/policy drop/.test(listed.out) || listed.out.includes('"wbld*"')) return;
  const rules = ["iifname", "oifname"].map((end) => `insert rule ip filter FORWARD ${end} "wbld*" counter accept`);
  await nft(program, ["-f", "-"], `${rules.join("\n")}\n`);
}

async function masquerade(program: string): Promise<void> {
  const forward = "/proc/sys/net/ipv4/ip_forward";
  if (readOrEmpty(forward).trim() !== "1") writeFileSync(forward, "1");
  const [result] = await Promise.all([nft(program, ["-f", "-"], table), passForwardChain(program)]);
  if (result.code !== 0) throw new Error(result.err.split("\n")[0] ?? "nft failed");
}

/** Once for each process is enough. */
let masqueraded: Promise<void> | undefined;

const advice = "the step uses this host's network";

/**
 * What `private` can be here; tells through `warn` when it is the host's network after all.
 * `resolvers` are the name servers that the container will ask.
 */
export function planPrivateNetwork(resolvers: readonly string[], warn: (text: string) => void): NetworkPlan {
  if (process.geteuid?.() === 0 && !insideUserNamespace()) {
    const program = findProgram("nft");
    if (program === undefined) {
      warn(`no private network without nftables (apt-get install nftables): ${advice}`);
      return { kind: "host" };
    }
    const routes = parseRoutes(readOrEmpty("/proc/net/route"));
    const range = chooseRange(
      routes,
      resolvers.filter((address) => /^[0-9.]+$/.test(address)),
    );
    if (range === undefined) {
      warn(`no private address range is free on this host: ${advice}`);
      return { kind: "host" };
    }
    const device = routes.find((route) => route.mask === 0 && route.address === 0)?.device;
    const mtu = device === undefined ? 0 : Number(readOrEmpty(`/sys/class/net/${device}/mtu`)) || 0;
    masqueraded ??= masquerade(program);
    masqueraded.catch(() => {
      masqueraded = undefined;
    });
    return { kind: "veth", range, mtu: Math.min(mtu, 65535), ready: masqueraded };
  }
  const program = findProgram("pasta");
  if (program === undefined) {
    warn(`no private network without pasta (apt-get install passt): ${advice}`);
    return { kind: "host" };
  }
  try {
    accessSync("/dev/net/tun", constants.R_OK | constants.W_OK);
  } catch {
    warn(`no private network without access to /dev/net/tun (as root: chmod 666 /dev/net/tun): ${advice}`);
    return { kind: "host" };
  }
  return { kind: "pasta", program };
}
