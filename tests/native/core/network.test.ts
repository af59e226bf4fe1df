import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import test from "ava";
import { hostsFile, nameServers, resolvConf } from "../../../native/core/etc-files.ts";
import { chooseRange, parseRoutes } from "../../../native/core/network.ts";
import { findProgram } from "../../../native/core/programs.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { makePlace, noContainers, runScript } from "./box.ts";

const reason =
  noContainers ??
  (findProgram("nft") === undefined || findProgram("ip") === undefined ? "needs nftables, iproute2" : undefined);
const run = testUnless(reason);
const place = noContainers === undefined ? makePlace() : undefined;
test.after.always(() => place?.remove());

const routes = `Iface	Destination	Gateway	Flags	RefCnt	Use	Metric	Mask	MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
tun0	0000D50A	00000000	0001	0	0	0	0000FFFF	0	0	0
wbld0ad60001	0400D60A	00000000	0001	0	0	0	FCFFFFFF	0	0	0
`;

test("routes are read", (t) => {
  t.deepEqual(parseRoutes(routes)[1], { device: "eth0", address: 0xc0000200, mask: 0xffffff00 });
});

for (const [title, table, avoid, expected] of [
  ["nothing taken", "", [], "10.213.0.0"],
  ["the default route takes nothing, other containers neither", routes, [], "10.214.0.0"],
  [
    "a route to a larger network takes what lies in it",
    "h\nvpn\t0000000A\t0\t1\t0\t0\t0\t000000FF\t0\t0\t0\n",
    [],
    "172.29.0.0",
  ],
  [
    "a route to a smaller network takes the range around it",
    "h\nvpn\t0107D50A\t0\t1\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n",
    [],
    "10.214.0.0",
  ],
  ["a name server's range is left alone", "", ["10.213.9.9"], "10.214.0.0"],
] as const) {
  test(`range: ${title}`, (t) => {
    t.is(chooseRange(parseRoutes(table), avoid), expected);
  });
}

const stub = "nameserver 127.0.0.53\noptions edns0\n";
const real = "nameserver 192.0.2.1\nnameserver 2001:db8::1\nsearch example.org\n";
for (const [title, network, host, upstream, expected, warned] of [
  ["the host's network keeps the host's file", "host", stub, real, stub, 0],
  ["no network keeps it too", "none", stub, real, stub, 0],
  [
    "a reachable server stays, IPv6 goes where only IPv4 is",
    "veth",
    real,
    "",
    "nameserver 192.0.2.1\nsearch example.org\n",
    0,
  ],
  ["pasta carries both", "pasta", real, "", real, 0],
  [
    "systemd's stub is replaced by the servers behind it",
    "veth",
    stub,
    real,
    "nameserver 192.0.2.1\nsearch example.org\n",
    0,
  ],
  [
    "one of two on loopback is left out",
    "veth",
    `${stub}nameserver 192.0.2.7\n`,
    "",
    "options edns0\nnameserver 192.0.2.7\n",
    0,
  ],
  ["a loopback resolver alone is told", "veth", "nameserver 127.0.0.1\n", "", "nameserver 127.0.0.1\n", 1],
  ["no resolver at all is told", "pasta", "", "", "", 1],
] as const) {
  test(`resolv.conf: ${title}`, (t) => {
    const warnings: string[] = [];
    t.is(
      resolvConf(network, { host, upstream }, (text) => warnings.push(text)),
      expected,
    );
    t.is(warnings.length, warned, warnings.join());
  });
}

test("hosts: host-gateway is an address of this host", (t) => {
  const text = hostsFile(
    "h",
    [
      ["gate", "host-gateway"],
      ["db", "10.0.0.1"],
    ],
    false,
  );
  t.regex(text, /^\d+\.\d+\.\d+\.\d+\tgate\n10\.0\.0\.1\tdb\n/m);
  t.regex(text, /^127\.0\.0\.1\tlocalhost$/m);
  t.deepEqual(nameServers("# nameserver 1.1.1.1\n nameserver 2.2.2.2\n"), ["2.2.2.2"]);
});

run("many private networks at once: each has an address of its own, and nothing stays", async (t) => {
  const script = "ip -4 addr show eth0 | grep -o 'inet [0-9./]*'; ip route | grep -c ^default; sleep 0.3";
  const results = await Promise.all(
    Array.from({ length: 10 }, () => runScript(place!, script, { network: "private" })),
  );
  for (const { warnings } of results) t.deepEqual(warnings, []);
  const addresses = results.map(({ stdout }) => stdout);
  t.is(new Set(addresses).size, 10, addresses.join(""));
  for (const text of addresses) t.regex(text, /^inet \d+\.\d+\.\d+\.\d+\/30\n1\n$/);
});

run(
  "the way out of a private network: masqueraded, forwarded past Docker's chain, no way in, no way to other steps",
  async (t) => {
    // In namespaces of its own, which play this host and a machine on the internet that has no route back to the step.
    const script = fileURLToPath(new URL("network-host.sh", import.meta.url));
    const child = fileURLToPath(new URL("network-child.ts", import.meta.url));
    const { stdout, stderr, status } = spawnSync(
      "unshare",
      ["--net", "--mount", "--pid", "--fork", "--kill-child", "sh", script, process.execPath, "--import=tsx", child],
      { encoding: "utf8", timeout: 60_000 },
    );
    t.is(status, 0, stderr + stdout);
    t.is(stdout, "fetched\nseen from 198.51.100.1\nneighbour unreachable\n", stderr);
  },
);

test("helpers come from the system's folders, whatever PATH has before them", (t) => {
  t.is(findProgram("sh"), "/usr/bin/sh");
  t.is(findProgram("no-such-program"), undefined);
  t.is(findProgram(""), undefined);
});
