import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { testUnless } from "../../doubles/test-unless.ts";
import { noContainers } from "./box.ts";

const run = testUnless(noContainers);
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** What the terminal showed, and the exit code in brackets. `steps`: what to wait for, what to type then. */
function onTerminal(script: string, steps: readonly (readonly [string, string])[], uid = 0): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      "python3",
      [here("terminal.py"), process.execPath, "--import=tsx", here("terminal-child.ts"), script, `${uid}`],
      {
        stdio: ["pipe", "pipe", "inherit"],
      },
    );
    let text = "";
    child.stdout.on("data", (bytes: Buffer) => {
      text += bytes;
    });
    child.on("error", reject);
    child.on("close", () => resolve(text));
    child.stdin.end(steps.map((step) => `${step.join("\t")}\n`).join(""));
  });
}

run("a terminal of its own: size, name, controlling terminal, exit code", async (t) => {
  const text = await onTerminal("stty size; tty; test -c /dev/console && echo console; echo x > /dev/tty; exit 5", []);
  t.is(text, "33 77\r\n/dev/pts/0\r\nconsole\r\nx\r\n\n[5]\n");
});

run("keys reach the process, and Ctrl-C interrupts it and not us", async (t) => {
  const text = await onTerminal(
    "echo name; read line; echo got $line; trap 'echo interrupted; exit 3' INT; echo ready; while :; do sleep 0.05; done",
    [
      ["name", "hello\\r"],
      ["ready", "\\x03"],
    ],
  );
  t.regex(text, /got hello\r\nready\r\n\^Cinterrupted\r\n\n\[3\]\n$/);
});

run("a new size reaches the process", async (t) => {
  const text = await onTerminal("trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done", [
    ["ready", "RESIZE"],
  ]);
  t.regex(text, /44 99/);
});

run("the terminal belongs to the user", async (t) => {
  const text = await onTerminal("id -u; echo ok > $(tty)", [], 1234);
  t.regex(text, /1234\r\nok\r\n\n\[0\]/);
});
