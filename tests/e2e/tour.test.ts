/** Runs docs/tour.md: every line that begins with `$ `, in one shell's place, and looks for what the page says it prints. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { bundled, program, top } from "../doubles/cli.ts";
import { startRegistry } from "../doubles/docker-registry.ts";
import { scene } from "./scene.ts";

interface Command {
  readonly line: string;
  readonly shows: readonly string[];
}

function commandsOf(page: string): Command[] {
  const commands: { line: string; shows: string[] }[] = [];
  for (const [, block = ""] of page.matchAll(/^```console\n([\s\S]*?)^```$/gm)) {
    for (const line of block.split("\n")) {
      if (line.startsWith("$ ")) commands.push({ line: line.slice(2), shows: [] });
      else if (line !== "" && line !== "…") commands.at(-1)?.shows.push(line);
    }
  }
  return commands;
}

test("the tour works as it is written", async (t) => {
  t.timeout(120_000);
  await bundled();
  await using registry = await startRegistry();
  const s = await scene(t, { base: false });
  const page = await readFile(join(top, "docs/tour.md"), "utf8");
  const commands = commandsOf(page);
  t.true(commands.length > 20);
  let cwd = s.folder;
  for (const { line, shows } of commands) {
    const real = line.replaceAll("localhost:5000", registry.host);
    // The folder is kept from line to line, as in a terminal.
    const script = `set -e -o pipefail\n${real}\npwd > ${s.folder}/.cwd`;
    const env = { HOME: s.folder, ...s.env, PATH: `${dirname(program)}:${process.env.PATH}` };
    const ran = await promisify(execFile)("bash", ["-c", script], { cwd, env }).catch((error) => error);
    t.is(ran.code ?? 0, 0, `${line}\n${ran.stdout}${ran.stderr}`);
    for (const text of shows) t.true(ran.stdout.includes(text), `${line}\nshows no ${text}, but:\n${ran.stdout}`);
    cwd = (await readFile(join(s.folder, ".cwd"), "utf8")).trim();
  }
});
