import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { createLinuxRuntime } from "../../../builder/runtime/linux.ts";
import type { StepHost, StepProcess } from "../../../builder/runtime/runtime.ts";
import type { Change } from "../../../layerfs/layer/entry.ts";
import type { Exit } from "../../../native/core/spec.ts";
import { isWbuildError } from "../../../native/error.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { makePlace, noContainers, putFiles } from "../../native/core/box.ts";

const run = testUnless(noContainers);
const place = noContainers === undefined ? makePlace() : undefined;
test.after.always(() => place?.remove());

const passwd = "root:x:0:0:root:/root:/bin/sh\nana:x:1000:1001:Ana:/home/ana:/bin/sh\n";
const group = "root:x:0:\nana:x:1001:\nwheel:x:10:ana\naudio:x:11:bob,ana\n";

let count = 0;
/** An unpacked layer with these files. */
function layer(files: Readonly<Record<string, string>>): string {
  const folder = join(place!.folder, `layer-${count++}`);
  mkdirSync(folder);
  putFiles(folder, files);
  return folder;
}

interface Done {
  readonly exit: Exit;
  readonly text: string;
  readonly changes: readonly string[];
  readonly upper: string;
  readonly warnings: readonly string[];
}

function show(change: Change): string {
  if (change.kind !== "set") return `${change.kind} ${change.path}`;
  const { path, type, mode, uid, gid } = change.entry;
  return `${type} ${path} ${mode.toString(8)} ${uid}:${gid}`;
}

async function step(
  script: string,
  folders: readonly string[],
  process: Partial<StepProcess> = {},
  host: Partial<StepHost> = {},
): Promise<Done> {
  const { upper, work: scratch } = place!.layer();
  const warnings: string[] = [];
  await using running = await createLinuxRuntime().start(
    { folders: [place!.root, ...folders] },
    upper,
    scratch,
    {
      argv: ["sh", "-c", script],
      env: { PATH: "/bin" },
      cwd: "/",
      user: "",
      tty: false,
      stdin: "null",
      output: "pipe",
      ...process,
    },
    {
      network: "none",
      hostname: "step",
      extraHosts: [],
      limits: { shmBytes: 1 << 20, ulimits: {} },
      security: "default",
      mounts: [],
      ...host,
    },
    (text) => warnings.push(text),
  );
  let text = "";
  for await (const { bytes } of running.output) text += Buffer.from(bytes).toString();
  const exit = await running.exited;
  return { exit, text, changes: ((await running.layer({})).unpacked?.() ?? []).map(show), upper, warnings };
}

run("a step that changes nothing has no changes, whatever was mounted for it", async (t) => {
  const { changes } = await step(
    "cat /etc/resolv.conf /etc/hosts /etc/hostname; ls /proc /sys /dev >/dev/null",
    [layer({ "srv/x": "" })],
    {},
    {
      mounts: [
        { kind: "tmpfs", target: "/srv/cache/deep", readonly: false },
        { kind: "bind", source: place!.root, target: "/opt/tool", readonly: true },
      ],
    },
  );
  t.deepEqual(changes, []);
});

run("a step's changes: added, modified, deleted, replaced, linked, owned", async (t) => {
  const below = layer({ "etc/a": "1", "etc/gone": "2", "var/old/file": "3" });
  const script = `cd /etc; echo new > a; rm gone; chown 7:8 a; chmod 4711 a; ln -s a link; ln a hard; mkfifo fifo
    rm -r /var/old; mkdir /var/old; echo x > /var/old/other`;
  const { changes, exit } = await step(script, [below]);
  t.deepEqual(exit, { code: 0 });
  t.deepEqual(changes, [
    "directory etc 755 0:0",
    "file etc/a 4711 7:8",
    "fifo etc/fifo 644 0:0",
    "delete etc/gone",
    "hardlink etc/hard 4711 7:8",
    "symlink etc/link 777 0:0",
    "directory var 755 0:0",
    "directory var/old 755 0:0",
    "clear var/old",
    "file var/old/other 644 0:0",
  ]);
});

run("the folder of one step is a layer of the next", async (t) => {
  const first = await step("mkdir /made; echo 1 > /made/a; rm /bin/vi", []);
  const second = await step("cat /made/a; ls /bin/vi 2>/dev/null || echo gone; echo 2 > /made/b", [first.upper]);
  t.is(second.text, "1\ngone\n");
  t.deepEqual(second.changes, ["directory made 755 0:0", "file made/b 644 0:0"]);
});

run("an image from nothing", async (t) => {
  const { upper, work: scratch } = place!.layer();
  const tools = { kind: "bind", source: join(place!.root, "bin"), target: "/bin", readonly: true } as const;
  await using running = await createLinuxRuntime().start(
    { folders: [] },
    upper,
    scratch,
    {
      argv: ["sh", "-c", "echo x > /file"],
      env: { PATH: "/bin" },
      cwd: "/",
      user: "",
      tty: false,
      stdin: "null",
      output: "pipe",
    },
    {
      network: "none",
      hostname: "h",
      extraHosts: [],
      limits: { shmBytes: 1 << 20, ulimits: {} },
      security: "default",
      mounts: [tools],
    },
    () => {},
  );
  for await (const _ of running.output);
  t.deepEqual(await running.exited, { code: 0 });
  t.deepEqual(((await running.layer({})).unpacked?.() ?? []).map(show), ["file file 644 0:0"]);
});

run("the same layer twice", async (t) => {
  const same = layer({ x: "same" });
  const { text } = await step("cat /x", [same, layer({ x: "between" }), same]);
  t.is(text, "same");
});

run("/ has the mode of the image's own", async (t) => {
  const top = layer({ x: "" });
  chmodSync(top, 0o555);
  const { text } = await step("stat -c %a /", [top]);
  t.is(text, "555\n");
});

for (const [user, expected] of [
  ["", "0:0:0:/root"],
  ["root", "0:0:0:/root"],
  ["ana", "1000:1001:1001 10 11:/home/ana"],
  ["1000", "1000:1001:1001 10 11:/home/ana"],
  ["ana:wheel", "1000:10:10:/home/ana"],
  ["ana:77", "1000:77:77:/home/ana"],
  ["4242", "4242:0:0:/"],
  ["4242:4343", "4242:4343:4343:/"],
] as const) {
  run(`USER ${JSON.stringify(user)}`, async (t) => {
    const { text } = await step(
      'echo "$(id -u):$(id -g):$(id -G):$HOME"',
      [layer({ "etc/passwd": passwd, "etc/group": group })],
      { user },
    );
    t.is(text, `${expected}\n`);
  });
}

run("HOME that is set stays", async (t) => {
  const { text } = await step("echo $HOME", [], { env: { PATH: "/bin", HOME: "/mine" } });
  t.is(text, "/mine\n");
});

run("an unknown user is STEP_USER", async (t) => {
  const error = await t.throwsAsync(step("true", [layer({ "etc/passwd": passwd })], { user: "anna" }));
  t.true(isWbuildError(error, "STEP_USER"), String(error));
  t.regex((error as { hint?: string }).hint ?? "", /did you mean ana/);
});

run(
  "accounts: the topmost file counts, a deleted one does not, an opaque folder hides, links stay inside",
  async (t) => {
    const below = layer({ "etc/passwd": passwd });
    const other = layer({ "etc/passwd": "ana:x:5:6::/:/bin/sh\n" });
    t.is((await step("id -u", [below, other], { user: "ana" })).text, "5\n");
    t.is((await step("id -u", [other, below], { user: "ana" })).text, "1000\n");

    const deleted = layer({ "etc/x": "" });
    execFileSync("mknod", [join(deleted, "etc/passwd"), "c", "0", "0"]);
    t.true(isWbuildError(await t.throwsAsync(step("true", [below, deleted], { user: "ana" })), "STEP_USER"));

    const opaque = (await step("rm -r /etc; mkdir /etc", [below])).upper;
    t.true(isWbuildError(await t.throwsAsync(step("true", [below, opaque], { user: "ana" })), "STEP_USER"));

    const linked = layer({ "usr/etc/passwd": passwd });
    symlinkSync("/usr/etc", join(linked, "etc"));
    t.is((await step("id -u", [linked], { user: "ana" })).text, "1000\n");

    const outside = join(place!.folder, "outside");
    mkdirSync(outside, { recursive: true });
    putFiles(outside, { passwd: "evil:x:0:0::/:/bin/sh\n" });
    const hostile = layer({});
    symlinkSync(`../../../../../../../../..${outside}`, join(hostile, "etc"));
    t.true(isWbuildError(await t.throwsAsync(step("true", [hostile], { user: "evil" })), "STEP_USER"));
  },
);

run("a working directory that is missing is made, and is a change", async (t) => {
  const { text, changes } = await step("pwd", [], { cwd: "/a/b" });
  t.is(text, "/a/b\n");
  t.deepEqual(changes, ["directory a 755 0:0", "directory a/b 755 0:0"]);
});

run("a read-only root", async (t) => {
  const { text, changes } = await step("touch /x 2>/dev/null || echo refused", [], {}, { readonlyRoot: true });
  t.is(text, "refused\n");
  t.deepEqual(changes, []);
});

run("a failing step has its changes too, and its exit code", async (t) => {
  const { exit, changes } = await step("touch /x; exit 9", []);
  t.deepEqual(exit, { code: 9 });
  t.deepEqual(changes, ["file x 644 0:0"]);
});

run("removing what a step was given works right after it has ended", async (t) => {
  const { upper } = await step("touch /x", []);
  t.true(statSync(join(upper, "x")).isFile());
  rmSync(upper, { recursive: true });
  t.false(existsSync(upper));
  t.false(readFileSync("/proc/self/mountinfo", "utf8").includes(upper));
});

run("more layers than the kernel lays over each other are refused by number", async (t) => {
  const many = Array.from({ length: 500 }, (_, i) => join(place!.folder, `none-${i}`));
  const error = await t.throwsAsync(step("true", many));
  t.true(isWbuildError(error, "BOX_LAYERS") && /501 layers.*499/.test(error.message), String(error));
});
