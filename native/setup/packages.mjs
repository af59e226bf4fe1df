/** The Debian packages that wbuild needs, and why. As root the missing ones are installed; else they are named. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";

/**
 * name: a package of Debian 12 or newer and of Ubuntu. need: what stops without it.
 * optional: older distributions do not have it, and wbuild does with less.
 */
const table = [
  { need: "build", name: "g++", why: "compiles the native parts" },
  { need: "build", name: "make", why: "compiles the npm packages with native code" },
  { need: "build", name: "python3", why: "node-gyp runs on it" },
  { need: "build", name: "libc6-dev", why: "headers, and the C library that the launcher is linked with" },
  { need: "build", name: "libzstd-dev", why: "layer compression" },
  { need: "build", name: "libdeflate-dev", why: "layer compression for docker archives" },
  { need: "build", name: "libseccomp-dev", why: "the filter on a step's system calls" },
  {
    need: "build",
    name: "gcc-mingw-w64-x86-64-win32",
    why: "compiles our programs for Windows images",
    optional: true,
  },
  { need: "run", name: "ca-certificates", why: "https to registries" },
  { need: "run", name: "busybox-static", why: "the offline base image" },
  { need: "run", name: "xz-utils", why: "ADD of .tar.xz" },
  { need: "run", name: "bzip2", why: "ADD of .tar.bz2" },
  { need: "run", name: "git", why: "contexts and ADD from git repositories" },
  { need: "run", name: "openssh-client", why: "those that are reached by ssh", optional: true },
  { need: "run", name: "iproute2", why: "a step's own network" },
  { need: "run", name: "nftables", why: "a step's own network, as root" },
  { need: "run", name: "passt", why: "a step's own network, without root", optional: true },
  { need: "run", name: "uidmap", why: "more than one user id in a build without root" },
  { need: "run", name: "mmdebstrap", why: "`wbuild base debian`" },
  { need: "run", name: "wine64", why: "steps of Windows images", optional: true },
  { need: "run", name: "qemu-user-static", why: "steps for another architecture", optional: true },
  { need: "test", name: "curl", why: "fetches the package of wbuild in pipelines" },
  { need: "test", name: "skopeo", why: "a second opinion on images and registries" },
  { need: "test", name: "umoci", why: "a second opinion on layers" },
  { need: "test", name: "docker-registry", why: "the registry that tests push to" },
  { need: "test", name: "apache2-utils", why: "its htpasswd" },
  { need: "test", name: "openssl", why: "its TLS certificate" },
  { need: "test", name: "libarchive-tools", why: "bsdtar, a second opinion on tar" },
  { need: "test", name: "zstd", why: "a second opinion on compression" },
  { need: "test", name: "attr", why: "extended attributes in tests" },
  { need: "test", name: "libcap2-bin", why: "file capabilities in tests" },
  { need: "test", name: "e2fsprogs", why: "the small file system of the full-disk test" },
  { need: "test", name: "mount", why: "mounting it" },
  { need: "test", name: "util-linux", why: "unshare and setpriv, for steps without root" },
  { need: "test", name: "procps", why: "seeing that no process is left" },
  { need: "test", name: "bsdutils", why: "script, for tests on a terminal" },
  { need: "test", name: "strace", why: "counting what a cached build touches" },
  { need: "test", name: "rpm", why: "rpmbuild and rpm, a second opinion on its database" },
  { need: "test", name: "wixl", why: "makes the installer that a Windows step installs" },
  { need: "test", name: "msitools", why: "msiinfo, a second opinion on installers" },
  { need: "test", name: "libhivex-bin", why: "hivexml, a second opinion on registry hives" },
  { need: "test", name: "libregf-utils", why: "regfinfo and regfexport, a third" },
  { need: "test", name: "reglookup", why: "a fourth, which checks security records" },
  { need: "test", name: "chntpw", why: "reged, which writes hives" },
];

/** The packages of these needs that dpkg does not list as installed. On a system without dpkg: undefined. */
function missing(needs) {
  const wanted = table.filter((row) => needs.includes(row.need));
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders.
  const format = "${Package} ${db:Status-Status}\n";
  const query = spawnSync("dpkg-query", ["-W", "-f", format, ...wanted.map((row) => row.name)], {
    encoding: "utf8",
  });
  if (query.error) return undefined;
  const installed = new Set(
    query.stdout
      .split("\n")
      .filter((line) => line.endsWith(" installed"))
      .map((line) => line.split(" ")[0]),
  );
  return wanted.filter((row) => !installed.has(row.name));
}

function apt(...args) {
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // Without a network its own patience would be minutes for each of its lists.
  const options = ["DPkg::Lock::Timeout=300", "Acquire::Retries=1", "Acquire::http::Timeout=20"];
  return spawnSync("apt-get", ["-qq", ...options.flatMap((option) => ["-o", option]), ...args], {
    env: environment,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 64 << 20,
  });
}

/**
 * Installs what is missing for these needs ("build", "run", "test"). Throws when that is impossible, with the command
 * that an administrator can type. Missing optional packages are told and passed over.
 */
export function installPackages(needs) {
  const lacking = missing(needs);
  if (lacking === undefined) {
    console.log(
      "this is no Debian-like system: the tools must be there already (see native/setup/packages.mjs for the list)",
    );
    return;
  }
  if (lacking.length === 0) return;
  const names = lacking.map((row) => row.name);
  const command = `apt-get install --no-install-recommends ${names.join(" ")}`;
  if (process.getuid() !== 0) {
    const rows = lacking.map((row) => `  ${row.name.padEnd(18)} ${row.why}`).join("\n");
    if (lacking.every((row) => row.optional || row.need === "test")) {
      console.log(
        `some packages are missing and what needs them will be left out:\n${rows}\nto install them: sudo ${command}`,
      );
      return;
    }
    throw new Error(`some packages are missing:\n${rows}\ninstall them, then run this again:\n  sudo ${command}`);
  }
  console.log(`Packages come from this system's sources: that needs the network.\n$ ${command}`);
  const registryWasThere = existsSync("/usr/bin/docker-registry");
  // Sources of third parties may be out of reach: what counts is whether the installation succeeds.
  apt("update");
  const available = (row) => !row.optional || isInArchive(row.name);
  const wanted = lacking.filter(available).map((row) => row.name);
  const result = apt("install", "-y", "--no-install-recommends", ...wanted);
  if (result.status !== 0) {
    throw new Error(
      `${command} failed:\n${(result.stderr || result.stdout || String(result.error)).trim().slice(-4000)}`,
    );
  }
  for (const row of lacking) {
    if (!wanted.includes(row.name))
      console.log(`this distribution has no package ${row.name} (${row.why}): going on without it`);
  }
  // The tests start their own registry; the package's service on port 5000 was not asked for.
  if (!registryWasThere && wanted.includes("docker-registry") && existsSync("/run/systemd/system")) {
    spawnSync("systemctl", ["disable", "--now", "docker-registry"], { stdio: "ignore" });
  }
}

function isInArchive(name) {
  return (spawnSync("apt-cache", ["show", name], { encoding: "utf8" }).stdout ?? "").includes("Package:");
}

/** `node native/setup/packages.mjs build run`: the names of what is missing, on one line, for who installs it otherwise. */
if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const rows = missing(process.argv.slice(2)) ?? [];
  const names = rows.filter((row) => !row.optional || isInArchive(row.name)).map((row) => row.name);
  console.log(names.join(" "));
}
