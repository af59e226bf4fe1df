/** Sets a checkout up: Debian packages, npm packages, native parts, bundled CLI. What is up to date is left alone. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { installPackages } from "./packages.mjs";

export const top = fileURLToPath(new URL("../..", import.meta.url));

function json(...path) {
  return JSON.parse(readFileSync(join(top, ...path), "utf8"));
}

/** "20.19.1" → 20_019_001, so that versions compare as numbers. */
function versionNumber(text) {
  const [major = 0, minor = 0, patch = 0] = text.split(".").map(Number);
  return (major * 1000 + minor) * 1000 + patch;
}

function checkNode() {
  const needed = json("package.json").engines.node.replace(/^>=/, "");
  if (versionNumber(process.versions.node) >= versionNumber(needed)) return;
  throw new Error(
    `Node.js ${needed} or newer is needed, this is ${process.versions.node}: install one from https://nodejs.org/en/download or your distribution`,
  );
}

/** True when every package of the lock that this platform needs is installed in the locked version. */
function packagesAreFresh() {
  const hidden = join(top, "node_modules/.package-lock.json");
  if (!existsSync(hidden)) return false;
  const installed = JSON.parse(readFileSync(hidden, "utf8")).packages;
  const locked = json("package-lock.json").packages;
  return Object.entries(locked).every(
    ([path, entry]) => path === "" || entry.optional || installed[path]?.version === entry.version,
  );
}

/** True when the packages' native code is compiled and loads in this version of Node. */
function addonsLoad() {
  const program = 'new (require("better-sqlite3"))(":memory:").close(); require("zstd-napi");';
  return spawnSync(process.execPath, ["-e", program], { cwd: top, stdio: "ignore" }).status === 0;
}

/** What npm's own settings would wait for minutes before the first word; who has set them has the last word. */
const patience = {
  npm_config_fetch_retries: "2",
  npm_config_fetch_retry_mintimeout: "1000",
  npm_config_fetch_retry_maxtimeout: "5000",
  npm_config_fetch_timeout: "20000",
};

function npmEnvironment() {
  // Node's own headers spare node-gyp a download from nodejs.org.
  const prefix = resolve(dirname(process.execPath), "..");
  const headers = existsSync(join(prefix, "include/node/node_api.h")) ? { npm_config_nodedir: prefix } : {};
  // The settings of the npm that may have started us are not ours to pass on: they would change what is installed.
  const inherited = Object.entries(process.env).filter(
    ([key]) => !/^npm_config_(omit|include|production|global|ignore_scripts|json|prefix)$/i.test(key),
  );
  return { ...patience, ...Object.fromEntries(inherited), ...headers, npm_config_loglevel: "error" };
}

/** Runs npm with its output shown; throws when it fails, with what may help. */
function npm(args, help = "") {
  console.log(`$ npm ${args.join(" ")}`);
  const options = { cwd: top, env: npmEnvironment(), stdio: ["ignore", "inherit", "inherit"] };
  const result = spawnSync("npm", args, options);
  if (result.error) throw new Error(`cannot run npm: ${result.error.message}`);
  if (result.status !== 0) throw new Error(`npm ${args.join(" ")} failed with exit code ${result.status}${help}`);
}

const noNetwork =
  /\b(EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|E\w*TIMEOUT)\b/;

/**
 * One question, with npm's own settings of registry and proxy: `npm ci` asks for hundreds of packages before it gives up,
 * and looks a name up for each.
 */
function registryIsInReach() {
  const env = { ...npmEnvironment(), npm_config_fetch_retries: "0", npm_config_fetch_timeout: "10000" };
  const { status, stderr } = spawnSync("npm", ["ping"], { cwd: top, env, encoding: "utf8", timeout: 30_000 });
  // A mirror that does not know the question is there, too.
  return status === 0 || (status !== null && !noNetwork.test(stderr));
}

const unreachable = `

The npm registry cannot be reached, and npm's cache lacks some packages. What comes later needs no network.
A mirror or a proxy is set with \`npm config set registry URL\` or HTTPS_PROXY; then run this again.`;

/** needs: which Debian packages to look after, besides those for building ("run", "test"). */
export async function setUp(needs) {
  checkNode();
  if (!existsSync(join(top, "dist/.stamps")))
    console.log("The first time takes some minutes: packages are fetched, and native parts compiled.\n");
  installPackages(["build", ...needs]);
  // NODE_ENV=production would leave out what the build itself is made with.
  if (!packagesAreFresh()) {
    console.log("Packages come from the npm registry, or npm's cache: what is not there needs the network.");
    const isInReach = registryIsInReach();
    if (!isInReach) console.log("The registry cannot be reached: npm's cache may have them all.");
    npm(["ci", "--include=dev", ...(isInReach ? [] : ["--offline"])], isInReach ? "" : unreachable);
  }
  if (!addonsLoad()) {
    npm(["rebuild", "better-sqlite3", "zstd-napi"]);
    if (!addonsLoad())
      throw new Error("better-sqlite3 or zstd-napi does not load; remove node_modules and run this again");
  }
  const { buildAll } = await import("./build.mjs");
  await buildAll();
}

/** Runs the body of a script: an error is one message and exit code 1. */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    console.error(`\n${process.env.WBUILD_DEBUG ? error.stack : error.message}`);
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    await setUp(["run"]);
    console.log("wbuild is ready: dist/wbuild");
  });
}
