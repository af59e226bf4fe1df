import test from "ava";
import { testUnless } from "../../doubles/test-unless.ts";
import { makePlace, noContainers, type Options, runScript } from "./box.ts";

const run = testUnless(noContainers);
const place = noContainers === undefined ? makePlace() : undefined;
test.after.always(() => place?.remove());

type Row = readonly [title: string, script: string, expected: string | RegExp, options?: Options];

const rows: readonly Row[] = [
  ["root is root", "id -u; id -g", "0\n0\n"],
  [
    "a user has their ids and groups",
    "id -u; id -g; id -G",
    "1000\n1001\n1001 7 8\n",
    { process: { uid: 1000, gid: 1001, groups: [7, 8] } },
  ],
  ["process 1 is the init, the command is 2", "echo $$; tr '\\0' ' ' < /proc/1/cmdline", /^2\nwbuild-sandbox run /],
  ["no other process is visible", "ls -d /proc/[0-9]* | wc -l", /^[345]\n$/],
  ["the host name is its own", "hostname; cat /etc/hostname", "boxy\nboxy\n"],
  ["the host name can be looked up", "grep boxy /etc/hosts", "127.0.1.1\tboxy\n"],
  ["extra hosts", "grep db /etc/hosts", "10.1.2.3\tdb\n", { extraHosts: [["db", "10.1.2.3"]] }],
  [
    "Docker's fourteen capabilities",
    "grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | cut -f2 | tr '\\n' ' '",
    "0000000000000000 00000000a80425fb 00000000a80425fb 00000000a80425fb 0000000000000000 ",
  ],
  [
    "a user has none, but may gain those by setuid",
    "grep -E 'Cap(Prm|Eff|Bnd)' /proc/self/status | cut -f2 | tr '\\n' ' '",
    "0000000000000000 0000000000000000 00000000a80425fb ",
    { process: { uid: 5, gid: 5 } },
  ],
  ["a system call filter", "grep -E '^Seccomp:' /proc/self/status | cut -f2", "2\n"],
  ["no_new_privs is not set, as in Docker", "grep NoNewPrivs /proc/self/status | cut -f2", "0\n"],
  [
    "insecure: no filter, all that the caller has",
    "grep -E '^Seccomp:' /proc/self/status | cut -f2; grep CapBnd /proc/self/status | cut -f2",
    /^0\n000001f/,
    { security: "insecure" },
  ],
  ["only loopback without a network", "cat /proc/net/dev | tail -n +3 | cut -d: -f1", "    lo\n"],
  ["loopback is up", "ip a show lo | grep -c 'UP.*\\|127.0.0.1/8'", "2\n"],
  ["the host's network on request", "test $(wc -l < /proc/net/dev) -gt 3 && echo more", "more\n", { network: "host" }],
  ["masked files are empty", "cat /proc/keys /proc/timer_list /proc/kcore 2>/dev/null | wc -c", "0\n"],
  ["masked folders are empty", "ls /sys/firmware /proc/acpi 2>/dev/null | grep -v : | wc -w", "0\n"],
  ["kernel settings are read-only", "echo 1 > /proc/sys/kernel/panic || echo no", "no\n"],
  ["sysrq is read-only", "echo h > /proc/sysrq-trigger || echo no", "no\n"],
  ["/sys is read-only", "mkdir /sys/fs/x || echo no", "no\n"],
  [
    "devices work",
    "head -c 4 /dev/zero | wc -c; echo x > /dev/null; head -c 3 /dev/urandom | wc -c; ls /dev | tr '\\n' ' '",
    "4\n3\ncore fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ",
  ],
  [
    "/dev/shm has the size asked for",
    "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2",
    "1024\n",
    { limits: { shmBytes: 1 << 20, ulimits: {} } },
  ],
  ["/dev/stdout can be opened", "echo a > /dev/stdout; echo b >> /proc/self/fd/1", "a\nb\n"],
  ["/dev/stdout can be opened by a user", "echo a > /dev/stdout", "a\n", { process: { uid: 77, gid: 77 } }],
  [
    "only the three streams are open",
    // The shell looks itself, with the folder as descriptor 3: a pipe to another program would be one more for a moment.
    'for fd in /proc/$$/fd/*; do printf "%s " "${fd##*/}"; done',
    /^0 1 (10 )?2 3 $/,
  ],
  [
    "the environment is what was given",
    "env | sort",
    "A=1\nPATH=/bin\nPWD=/\nSHLVL=1\n",
    { process: { env: { PATH: "/bin", A: "1" } } },
  ],
  ["mask of new files", "umask", "0022\n"],
  ["a session of its own", "cut -d' ' -f6 /proc/self/stat", "2\n"],
  ["the root can be read-only", "touch /x || echo no", "no\n", { root: { readonly: true } }],
  ["ports below 1024 need no root in a network of its own", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start", "0\n"],
  [
    "a folder to start in is made",
    "pwd; stat -c %a /new",
    "/new/er\n755\n",
    { process: { cwd: "/new/er", makeCwd: true } },
  ],
];

for (const [title, script, expected, options] of rows) {
  run(`inside: ${title}`, async (t) => {
    const { stdout, stderr } = await runScript(place!, script, options);
    if (typeof expected === "string") t.is(stdout, expected, stderr);
    else t.regex(stdout, expected, stderr);
  });
}

run("mounts: bind, read-only bind, tmpfs, a single file, and one below another", async (t) => {
  const { stdout } = await runScript(
    place!,
    "cat /data/a; echo new > /data/b; echo no > /ro/b 2>/dev/null || echo refused; cat /one; df -k /t | tail -1 | tr -s ' ' | cut -d' ' -f2; ls /data/deep; cat /etc/deep/er",
    {
      mounts: [
        { kind: "bind", source: place!.folder, target: "/ro", readonly: true },
        { kind: "bind", source: place!.layer().upper, target: "/data", readonly: false },
        { kind: "tmpfs", target: "/data/deep", readonly: false },
        { kind: "bind", source: "/etc/hostname", target: "/one", readonly: true },
        { kind: "bind", source: "/etc/hostname", target: "/etc/deep/er", readonly: true },
        { kind: "tmpfs", target: "/t", readonly: false, sizeBytes: 1 << 20 },
      ].map((mount) => ({ ...mount, kind: mount.kind as "bind" })),
    },
  );
  const { readFileSync } = await import("node:fs");
  const host = readFileSync("/etc/hostname", "utf8");
  t.is(stdout, `refused\n${host}1024\n${host}`);
});

run("an overlay mount can be written, and forgets", async (t) => {
  const source = place!.layer().upper;
  const { writeFileSync, readdirSync } = await import("node:fs");
  writeFileSync(`${source}/kept`, "kept\n");
  const script = "cat /o/kept; rm /o/kept; echo x > /o/new; ls /o";
  const { stdout } = await runScript(place!, script, {
    mounts: [{ kind: "overlay", source, target: "/o", readonly: false }],
  });
  t.is(stdout, "kept\nnew\n");
  t.deepEqual(readdirSync(source), ["kept"]);
});
