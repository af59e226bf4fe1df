/** The folders and small files of the offline Linux base: what programs expect to find, and nothing else. */
import type { Change, Entry } from "../../layerfs/layer/entry.ts";

/** path, mode. Parents first. */
const folders: readonly (readonly [path: string, mode: number])[] = [
  ["bin", 0o755],
  ["dev", 0o755],
  ["etc", 0o755],
  ["etc/ssl", 0o755],
  ["etc/ssl/certs", 0o755],
  ["home", 0o755],
  ["mnt", 0o755],
  ["opt", 0o755],
  ["proc", 0o555],
  ["root", 0o700],
  ["run", 0o755],
  ["sbin", 0o755],
  ["srv", 0o755],
  ["sys", 0o555],
  ["tmp", 0o1777],
  ["usr", 0o755],
  ["usr/bin", 0o755],
  ["usr/lib", 0o755],
  ["usr/local", 0o755],
  ["usr/local/bin", 0o755],
  ["usr/local/lib", 0o755],
  ["usr/local/sbin", 0o755],
  ["usr/sbin", 0o755],
  ["usr/share", 0o755],
  ["var", 0o755],
  ["var/cache", 0o755],
  ["var/lib", 0o755],
  ["var/log", 0o755],
  ["var/spool", 0o755],
  ["var/tmp", 0o1777],
];

// There is no shadow file: `x` without one means that nobody can log in with a password.
const passwd = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
sys:x:3:3:sys:/dev:/bin/false
sync:x:4:100:sync:/bin:/bin/sync
mail:x:8:8:mail:/var/spool/mail:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
operator:x:37:37:Operator:/var:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
`;

const group = `root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
wheel:x:10:root
mail:x:8:
utmp:x:43:
www-data:x:33:
audio:x:29:
cdrom:x:24:
dialout:x:18:
floppy:x:19:
video:x:28:
staff:x:50:
users:x:100:
nogroup:x:65534:
`;

/** What the base is made of besides its skeleton. */
export interface Ingredients {
  /** Bytes of a busybox without dynamic linking. */
  readonly busybox: Uint8Array;
  /** Its own words about itself: "BusyBox v1.35.0 (…)". */
  readonly version: string;
  /** Paths of its commands as `busybox --list-full` gives them: "usr/bin/awk". */
  readonly applets: readonly string[];
  /** Certificates of authorities, PEM, when the host has them. */
  readonly certificates?: Uint8Array;
  /** Seconds since 1970: the time of every file. */
  readonly epochSeconds: number;
}

/** The one layer of the base, parents first and siblings in byte order, the same for the same ingredients. */
export function skeleton(made: Ingredients): Change[] {
  const entries = new Map<string, Entry>();
  const add = (path: string, type: Entry["type"], mode: number, rest: Partial<Entry> = {}) => {
    const mtimeNs = BigInt(made.epochSeconds) * 1_000_000_000n;
    entries.set(path, { path, type, mode, uid: 0, gid: 0, size: 0, mtimeNs, ...rest });
  };
  const file = (path: string, mode: number, content: string | Uint8Array) => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    add(path, "file", mode, { size: bytes.length, content: { kind: "bytes", bytes } });
  };

  for (const [path, mode] of folders) add(path, "directory", mode);
  file("bin/busybox", 0o755, made.busybox);
  for (const applet of made.applets) {
    // Only where the skeleton has a folder: `linuxrc` belongs to a boot disk.
    const folder = applet.slice(0, Math.max(0, applet.lastIndexOf("/")));
    if (entries.get(folder)?.type !== "directory" || entries.has(applet)) continue;
    add(applet, "symlink", 0o777, {
      target: folder === "bin" ? "busybox" : `${"../".repeat(folder.split("/").length)}bin/busybox`,
    });
  }
  file("etc/passwd", 0o644, passwd);
  file("etc/group", 0o644, group);
  file("etc/shells", 0o644, "/bin/sh\n/bin/ash\n");
  file("etc/nsswitch.conf", 0o644, "passwd: files\ngroup: files\nhosts: files dns\n");
  file("etc/profile", 0o644, "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
  file(
    "etc/os-release",
    0o644,
    `NAME="wbuild base"\nID=wbuild\nPRETTY_NAME="wbuild base (${made.version.replace(/["\\$`\n]/g, "")})"\n`,
  );
  if (made.certificates) file("etc/ssl/certs/ca-certificates.crt", 0o644, made.certificates);
  add("var/run", "symlink", 0o777, { target: "../run" });

  return [...entries.values()]
    .sort((a, b) => compareByParts(a.path, b.path))
    .map((entry): Change => ({ kind: "set", entry }));
}

/** Depth-first order: all names here are ASCII, so comparing the parts compares bytes. */
function compareByParts(a: string, b: string): number {
  const left = a.split("/");
  const right = b.split("/");
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [l, r] = [left[i] ?? "", right[i] ?? ""];
    if (l !== r) return l < r ? -1 : 1;
  }
  return left.length - right.length;
}
