/**
 * `npm test`: set-up with the tools that tests use, then format, lint, types and every test. Arguments go to ava.
 * The last line is `N passed, N failed, N skipped`. `--golden` rewrites the golden files instead of comparing them.
 */
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { withScratch } from "./scratch.mjs";
import { main, setUp, top } from "./setup.mjs";

/** Runs a tool of node_modules in front of the user; true when it is content. */
function check(tool, ...args) {
  const began = Date.now();
  console.log(`\n$ ${tool} ${args.join(" ")}`.trimEnd());
  const { status } = spawnSync(join(top, "node_modules/.bin", tool), args, {
    cwd: top,
    stdio: ["ignore", "inherit", "inherit"],
  });
  console.log(`${tool}: ${status === 0 ? "fine" : "FAILED"}, ${((Date.now() - began) / 1000).toFixed(1)} s`);
  return status === 0;
}

/**
 * Counts from ava's own report. Its summary names everything but the passed tests of a run with failures, so those
 * are counted line by line, as are files that crash, hang or hold no test.
 */
function countLine(counts, line) {
  if (/^ {2}[✔√] /.test(line)) counts.passed++;
  else if (/^ {2}- \[(skip|todo)\] /.test(line)) counts.skipped++;
  else if (/^ {2}[✘×✖] /.test(line)) counts.failed++;
  const total = /^ {2}(\d+) tests? passed\b/.exec(line);
  if (total) counts.summary = Number(total[1]);
}

/** Fetches the newer programs that tests compare with, beside what else is done; whatever it says is told when awaited. */
function beginPeers() {
  const child = spawn(process.execPath, [join(top, "native/setup/peers.mjs"), "test"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
  return new Promise((done) => {
    child.on("error", (error) => done(error.message));
    child.on("close", () => done(said.trim()));
  });
}

async function ava(args, environment) {
  console.log(`\n$ ava ${args.join(" ")}`.trimEnd());
  const scratch = withScratch([join(top, "node_modules/.bin/ava"), ...args]);
  const [program, ...rest] = scratch.command;
  const child = spawn(program, rest, {
    cwd: top,
    env: { ...process.env, ...scratch.environment, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const counts = { passed: 0, failed: 0, skipped: 0, summary: undefined };
  let unfinished = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    process.stdout.write(text);
    const lines = (unfinished + text).split("\n");
    unfinished = lines.pop();
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters.
    for (const line of lines) countLine(counts, line.replace(/\x1b\[[0-9;]*m/g, ""));
  });
  const status = await new Promise((done) => {
    child.on("error", (error) => done(error.message));
    child.on("close", (code, signal) => done(signal ?? code));
  });
  scratch.remove();
  // Only a run without failures has a total; a test's own output cannot disturb that one.
  if (status === 0 && counts.summary !== undefined) Object.assign(counts, { passed: counts.summary, failed: 0 });
  if (status !== 0 && counts.failed === 0) {
    console.log(`\nava ended with ${status}`);
    counts.failed = 1;
  }
  if (status === 0 && counts.passed === 0) {
    console.log("\nnot one test passed: that is a failure");
    counts.failed = 1;
  }
  return counts;
}

let counts = { passed: 0, failed: 1, skipped: 0 };
await main(async () => {
  const args = process.argv.slice(2);
  const rewrites = args.includes("--golden");
  await setUp(["run", "test"]);
  const peers = beginPeers();
  // A complaint of these two is a failure like a test's, and hides none of the tests' own.
  const complaints = [check("biome", "check", "."), check("tsc")].filter((fine) => !fine).length;
  const said = await peers;
  if (said !== "") console.log(`\nprograms of newer Debian suites, for comparison:\n${said}`);
  counts = await ava(
    args.filter((arg) => arg !== "--golden"),
    { WBUILD_BUNDLE_IS_FRESH: "1", ...(rewrites ? { WBUILD_GOLDEN: "write" } : {}) },
  );
  counts.failed += complaints;
});
if (counts.failed > 0) process.exitCode = 1;
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
