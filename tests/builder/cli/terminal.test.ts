import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ExecutionContext } from "ava";
import { bundled, program, runCli, sandboxOf } from "../../doubles/cli.ts";
import { startRegistry } from "../../doubles/docker-registry.ts";
import { testUnless } from "../../doubles/test-unless.ts";

const hasScript = await promisify(execFile)("script", ["--version"]).then(
  () => true,
  () => false,
);
const withTerminal = testUnless(hasScript ? undefined : "there is no script(1) to make a terminal");

/** Runs the program on a terminal of its own; `typed` are pairs of what to wait for and what to type then. */
async function onTerminal(
  t: ExecutionContext,
  args: readonly string[],
  typed: readonly (readonly [string, string])[] = [],
) {
  await bundled();
  const { folder, env } = t.context as { folder: string; env: Record<string, string> };
  const quoted = [process.execPath, program, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const child = spawn("script", ["-qefc", quoted, "/dev/null"], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, TERM: "xterm", SHELL: "/bin/sh", ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let screen = "";
  let from = 0;
  const waiting = [...typed];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    screen += text;
    const next = waiting[0];
    const at = next ? screen.indexOf(next[0], from) : -1;
    if (!next || at < 0) return;
    from = at + next[0].length;
    waiting.shift();
    child.stdin.write(next[1]);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code, screen };
}

async function linux(t: ExecutionContext, dockerfile: string): Promise<void> {
  t.context = sandboxOf(t);
  const { folder, env } = t.context as { folder: string; env: Record<string, string> };
  mkdirSync(join(folder, "context"));
  writeFileSync(join(folder, "context/Dockerfile"), dockerfile);
  const { code, stderr } = await runCli(["base", "linux"], { env });
  t.is(code, 0, stderr);
}

withTerminal("a build on a terminal shows the live face and leaves a clean one", async (t) => {
  await linux(t, "FROM wbuild.local/linux\nRUN printf 'colour \\033[31mred\\033[0m\\033]0;title\\007\\n'; exit 4\n");
  const { code, screen } = await onTerminal(t, ["context"]);
  t.is(code, 1);
  t.true(screen.startsWith("\x1b[?25l"), "the cursor is hidden");
  const end = screen.lastIndexOf("\x1b[?25h");
  t.true(end > 0, "and shown again");
  t.false(screen.includes("\x1b]0;"), "what a step prints cannot set the title");
  t.regex(screen.slice(end), /error\[STEP_EXIT\]/);
});

withTerminal("ctrl-C on a terminal cancels, and shows the cursor again", async (t) => {
  await linux(t, "FROM wbuild.local/linux\nRUN echo ready; sleep 1000\n");
  const { code, screen } = await onTerminal(t, ["context"], [["# ready", "\x03"]]);
  t.is(code, 130, screen);
  t.regex(screen, /Canceled after/);
  t.true(screen.lastIndexOf("\x1b[?25h") > screen.lastIndexOf("\x1b[?25l"));
});

withTerminal("run -it: a terminal in the container, its size, its input, its exit code", async (t) => {
  await linux(t, "FROM wbuild.local/linux\n");
  const { code, screen } = await onTerminal(
    t,
    ["run", "-it", "wbuild.local/linux", "sh", "-c", "tty; echo $TERM; echo ask; read x; echo got $x; exit 6"],
    [["ask", "answer\r"]],
  );
  t.is(code, 6, screen);
  t.regex(screen, /\/dev\/(pts\/\d+|console)\r\nxterm\r\n/);
  t.regex(screen, /got answer/);
});

withTerminal(
  "what pull, run, diff and sync print stands below the progress, which is not drawn again over it",
  async (t) => {
    await using registry = await startRegistry();
    await linux(t, "FROM wbuild.local/linux\n");
    const { folder, env } = t.context as { folder: string; env: Record<string, string> };
    const name = `${registry.host}/base:1`;
    for (const args of [
      ["tag", "wbuild.local/linux", name],
      ["push", name],
    ])
      t.is((await runCli(args, { env })).code, 0);
    t.context = { folder, env: { ...env, WBUILD_HOME: join(folder, "other") } };
    const list = join(folder, "list.yaml");
    writeFileSync(list, `"${registry.host}":\n  images:\n    base: ["1"]\n`);
    const commands: [args: string[], printed: string][] = [
      [["sync", list, `${registry.host}/mirror`], `${registry.host}/mirror/base:1@sha256:`],
      [["pull", "--lazy", name], `${name}@sha256:`],
      [["diff", "--layer", "1", name], "A /bin"],
      [["rmi", name], name],
      [["run", "--network", "none", name, "echo", "print", "ed"], "print ed"],
    ];
    for (const [args, printed] of commands) {
      const { code, screen } = await onTerminal(t, args);
      t.is(code, 0, screen);
      const at = screen.lastIndexOf(printed);
      t.true(at > 0, screen);
      t.false(screen.slice(at).includes("\x1b["), screen);
    }
  },
);

withTerminal("login asks for name and password, and does not show the password", async (t) => {
  t.context = sandboxOf(t);
  const { code, screen } = await onTerminal(
    t,
    ["login", "127.0.0.1:1"],
    [
      ["User name: ", "somebody\r"],
      ["Password: ", "unseen-word\r"],
    ],
  );
  t.is(code, 3, screen);
  t.regex(screen, /somebody/);
  t.regex(screen, /REG_UNREACHABLE/);
  t.false(screen.includes("unseen-word"));
});

withTerminal("the password of new keys is asked for twice, and not shown", async (t) => {
  const type = (again: string) =>
    onTerminal(
      t,
      ["sign", "generate-key-pair"],
      [
        ["Password of the private key: ", "unseen-word\r"],
        ["Once more: ", `${again}\r`],
      ],
    );
  t.context = sandboxOf(t);
  const { folder } = t.context as { folder: string };
  const differ = await type("unseen-other");
  t.is(differ.code, 2, differ.screen);
  t.regex(differ.screen, /the two passwords differ/);
  t.false(existsSync(join(folder, "cosign.key")));
  const { code, screen } = await type("unseen-word");
  t.is(code, 0, screen);
  t.false((screen + differ.screen).includes("unseen"));
  const { readPrivateKey } = await import("../../../registry/sign/key-file.ts");
  const key = await readPrivateKey(readFileSync(join(folder, "cosign.key")), async () => "unseen-word");
  t.is(key.type, "private");
});

withTerminal("an archive is not written to a terminal", async (t) => {
  await linux(t, "FROM wbuild.local/linux\n");
  for (const command of ["export", "save"]) {
    const { code, screen } = await onTerminal(t, [command, "wbuild.local/linux"]);
    t.is(code, 2);
    t.regex(screen, /not written to a terminal/);
  }
});
