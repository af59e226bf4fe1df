/** Archives that cases unpack. */
import { spawnSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import { packedTar } from "../doubles/packed-tar.ts";

const mtime = new Date("2001-02-03T04:05:06Z");

const full = packedTar((tar) => {
  const common = { mtime, uid: 5, gid: 6 };
  tar.entry({ name: "top/", type: "directory", mode: 0o750, ...common });
  tar.entry({ name: "top/file", mode: 0o640, ...common }, "file\n");
  tar.entry({ name: "top/run", mode: 0o755, ...common }, "run\n");
  tar.entry({ name: "top/link", type: "symlink", linkname: "file", mode: 0o777, ...common });
  tar.entry({ name: "top/same", type: "link", linkname: "top/file", mode: 0o640, ...common });
});
const climbing = packedTar((tar) => {
  tar.entry({ name: "../out", mtime }, "out");
});

export const archive = await full;
export const archiveGz = gzipSync(archive);
export const climbingArchive = await climbing;
export const gzippedText = gzipSync("only text\n");

/** With a program of this host; undefined where it is missing. */
export function compressedBy(program: string): Buffer | undefined {
  const { status, stdout } = spawnSync(program, ["-c"], { input: archive });
  return status === 0 ? stdout : undefined;
}
