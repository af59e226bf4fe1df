/**
 * Programs of newer Debian suites, for tests and benchmarks: apt fetches and verifies them with lists of its own, and they
 * are unpacked into the user's cache. Nothing is installed, and the system's sources stay as they are.
 * `node native/setup/peers.mjs test`, or names of peers; `--update` fetches them anew.
 */
import { spawn } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * need: "test" comes with `npm test`, "demand" when somebody asks for it. packages: the first gives the version.
 * Suites are trixie and sid; only programs that run on Debian 12's C library (2.36).
 */
const table = [
  { need: "test", name: "crane", suite: "sid", packages: ["crane"], program: "usr/bin/crane" },
  { need: "test", name: "oras", suite: "sid", packages: ["oras"], program: "usr/bin/oras" },
  { need: "test", name: "cosign", suite: "sid", packages: ["cosign"], program: "usr/bin/cosign" },
  { need: "test", name: "cosign-2", suite: "trixie", packages: ["cosign"], program: "usr/bin/cosign" },
  {
    need: "test",
    name: "docker-buildx",
    suite: "sid",
    packages: ["docker-buildx"],
    program: "usr/libexec/docker/cli-plugins/docker-buildx",
  },
  // runc of these suites needs a newer C library: the daemon runs with the host's.
  {
    need: "demand",
    name: "dockerd",
    suite: "sid",
    packages: ["docker.io", "docker-cli", "containerd", "tini-static"],
    program: "usr/sbin/dockerd",
  },
];

/** Below: NAME/VERSION/ with the packages' files, and NAME/.missing, which says why there are none. */
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "wbuild-peers");
const archive = {
  mirror: "http://deb.debian.org/debian",
  keyring: "/usr/share/keyrings/debian-archive-keyring.gpg",
};

function rowOf(name) {
  const row = table.find((peer) => peer.name === name);
  if (row) return row;
  throw new Error(`no such peer: ${name}; there are ${table.map((peer) => peer.name).join(", ")}`);
}

function versionsOf(row, folder) {
  const home = join(folder, row.name);
  if (!existsSync(home)) return [];
  const versions = readdirSync(home).filter((version) => existsSync(join(home, version, row.program)));
  return versions.sort((a, b) => statSync(join(home, a)).ctimeMs - statSync(join(home, b)).ctimeMs);
}

/**
 * Where a peer lies: { folder, program, version }, or { missing } with the reason in few words. Looks on disk, never further.
 */
export function findPeer(name, { folder = cache } = {}) {
  const row = rowOf(name);
  const version = versionsOf(row, folder).at(-1);
  if (version !== undefined) {
    const at = join(folder, name, version);
    return { folder: at, program: join(at, row.program), version };
  }
  const note = join(folder, name, ".missing");
  const kept = existsSync(note) ? readFileSync(note, "utf8") : undefined;
  const reason = unkept.get(join(folder, name)) ?? kept ?? `run \`node native/setup/peers.mjs ${name}\``;
  return { missing: `no ${name}: ${reason}` };
}

/** Runs a program to its end; its output, or an error with the last lines that it wrote. */
async function run(program, args, cwd) {
  const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => output.push(bytes));
  const ended = await new Promise((done, fail) => {
    child.once("error", (error) => fail(new Error(`cannot run ${program}: ${error.code}`)));
    child.once("close", (code, signal) => done(signal ?? code));
  });
  const text = Buffer.concat(output).toString("utf8").trim();
  if (ended === 0) return text;
  const complaint = text.split("\n").filter((line) => /^[EW]:|rror|not found/.test(line))[0] ?? text.slice(-300);
  throw new Error(`${program}: ${complaint || `ended with ${ended}`}`);
}

/** A state of apt's own for one suite; gives the options that lead there. */
function aptState(folder, suite, { mirror, keyring }) {
  for (const path of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(folder, path), { recursive: true });
  const sources = join(folder, "peers.sources");
  writeFileSync(sources, `Types: deb\nURIs: ${mirror}\nSuites: ${suite}\nComponents: main\nSigned-By: ${keyring}\n`);
  const file = join(folder, "apt.conf");
  const lines = [
    `Dir::Etc::SourceList "${sources}"`,
    'Dir::Etc::SourceParts "/dev/null"',
    `Dir::State "${folder}"`,
    `Dir::State::Lists "${join(folder, "lists")}"`,
    'Dir::State::Status "/dev/null"',
    `Dir::Cache "${join(folder, "cache")}"`,
    'Acquire::Languages "none"',
    'Acquire::Retries "1"',
    'Acquire::http::Timeout "10"',
    'APT::Update::Error-Mode "any"',
    // Mirrors that stand still keep lists past their date. They are signed all the same; the worst is an older judge.
    'Acquire::Check-Valid-Until "false"',
    // The mirror is reached by plain http: whoever sits on the way could put a program of theirs in our tests, as root.
    'Acquire::AllowInsecureRepositories "false"',
    'Acquire::AllowWeakRepositories "false"',
    'Acquire::AllowDowngradeToInsecureRepositories "false"',
    'APT::Get::AllowUnauthenticated "false"',
    // The sandbox's user may not enter root's folders. What is fetched is verified before it is used.
    'APT::Sandbox::User "root"',
    // What hosts do after an update of theirs is not wanted for ours.
    "#clear APT::Update::Pre-Invoke",
    "#clear APT::Update::Post-Invoke",
    "#clear APT::Update::Post-Invoke-Success",
  ];
  writeFileSync(file, lines.map((line) => `${line};\n`).join(""));
  return ["-qq", "-c", file];
}

/** What has to be there besides a network; undefined when it is. */
function whyNotHere({ keyring }) {
  const has = (program) => (process.env.PATH ?? "").split(":").some((folder) => existsSync(join(folder, program)));
  const lacking = ["apt-get", "dpkg-deb"].filter((program) => !has(program));
  if (lacking.length > 0) return `this is no Debian-like system (without ${lacking.join(" and ")})`;
  return existsSync(keyring) ? undefined : "the package debian-archive-keyring is not installed";
}

/** Unpacks what was fetched beside the place where it will be, and moves it there when it is whole and starts. */
async function unpack(row, downloads, folder, temporary) {
  const files = readdirSync(downloads);
  const debs = row.packages.map((name) => {
    const deb = files.find((file) => file.startsWith(`${name}_`) && file.endsWith(".deb"));
    if (deb === undefined) throw new Error(`${row.suite} has no package ${name}`);
    return deb;
  });
  const whole = join(temporary, row.name);
  for (const deb of debs) await run("dpkg-deb", ["-x", join(downloads, deb), whole]);
  await run(join(whole, row.program), ["--help"]);
  const home = join(folder, row.name);
  const version = debs[0].split("_")[1];
  mkdirSync(home, { recursive: true });
  const before = versionsOf(row, folder).filter((old) => old !== version);
  try {
    renameSync(whole, join(home, version));
  } catch (error) {
    // Somebody else was quicker with the same version.
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  }
  for (const old of before) rmSync(join(home, old), { recursive: true, force: true });
  rmSync(join(home, ".missing"), { force: true });
}

/** Reasons that could not be noted, by the folder where they would be. */
const unkept = new Map();

/** Notes for findPeer why there is no such peer. */
function note(row, folder, reason) {
  mkdirSync(join(folder, row.name), { recursive: true });
  writeFileSync(join(folder, row.name, ".missing"), reason.split("\n")[0]);
}

async function fetchSuite(rows, folder, from) {
  // Beside the peers: a folder cannot be renamed onto another file system.
  const temporary = await mkdtemp(join(folder, ".fetch-"));
  try {
    const suite = rows[0].suite;
    const state = aptState(join(temporary, "apt"), suite, from);
    await run("apt-get", [...state, "update"]);
    const downloads = join(temporary, "debs");
    mkdirSync(downloads);
    const names = rows.flatMap((row) => row.packages);
    await run("apt-get", [...state, "download", ...names], downloads);
    for (const row of rows)
      await unpack(row, downloads, folder, temporary).catch((error) => note(row, folder, error.message));
  } catch (error) {
    for (const row of rows) note(row, folder, error.message);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** What a killed run left behind. */
function removeLeftOvers(folder) {
  for (const name of readdirSync(folder).filter((entry) => entry.startsWith(".fetch-"))) {
    const path = join(folder, name);
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > 3600_000) rmSync(path, { recursive: true, force: true });
  }
}

/**
 * Fetches the peers of these names that are not there yet. What a host or its network lacks is no error: findPeer tells it.
 * update: fetches also those that are there. folder, mirror, keyring: for tests.
 */
export async function fetchPeers(names, { update = false, folder = cache, ...from } = {}) {
  const rows = names.map(rowOf).filter((row) => update || versionsOf(row, folder).length === 0);
  if (rows.length === 0) return;
  const source = { ...archive, ...from };
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    for (const row of rows) unkept.set(join(folder, row.name), `${folder} cannot be written (${error.code})`);
    return;
  }
  const reason = whyNotHere(source);
  if (reason !== undefined) {
    for (const row of rows) note(row, folder, reason);
    return;
  }
  removeLeftOvers(folder);
  const suites = [...new Set(rows.map((row) => row.suite))];
  const rowsOf = (suite) => rows.filter((row) => row.suite === suite);
  await Promise.all(suites.map((suite) => fetchSuite(rowsOf(suite), folder, source)));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const args = process.argv.slice(2);
  const words = args.filter((arg) => arg !== "--update");
  const names = words.flatMap((word) =>
    word === "test" ? table.filter((row) => row.need === word).map((row) => row.name) : [rowOf(word).name],
  );
  const before = new Set(names.map((name) => findPeer(name).program));
  await fetchPeers(names, { update: args.includes("--update") });
  for (const name of names) {
    const { program, missing } = findPeer(name);
    if (missing !== undefined) console.log(missing);
    else if (!before.has(program)) console.log(`${name}: ${dirname(program)}`);
  }
}
