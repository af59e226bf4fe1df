/**
 * The files of a context that steer its build, Dockerfile and ignore file, as bytes. Whoever wrote the context may have
 * planted something else under their names: nothing here waits for it, reads without end, or follows it out.
 */
import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, realpathSync } from "node:fs";
import { Socket } from "node:net";
import { relative, resolve } from "node:path";
import { addAbortSignal, type Readable } from "node:stream";

/** Bytes. */
export const steeringLimit = 4 * 1024 * 1024;

/** Why such a file was not read, in words that follow "cannot read X: ". What the operating system says is thrown as it is. */
export class SteeringFileError extends Error {}

export interface SteeringFile {
  readonly path: string;
  /** The context's folder. A path below it must not lead out of it; one elsewhere was named by the person who builds. */
  readonly folder: string;
  /** Ends waiting for a pipe. */
  readonly signal?: AbortSignal;
}

/** The file's bytes, at most 4 MiB. A pipe that the person names (`-f <(…)`) is read to its end. Throws SteeringFileError. */
export async function readSteeringFile({ path, folder, signal }: SteeringFile): Promise<Buffer> {
  // Attack: a FIFO as Dockerfile. To open it blocks a thread that no signal ends, unless it is opened like this.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  let isOurs = true;
  try {
    const isInside = isBelow(resolve(folder), resolve(path));
    // Attack: `Dockerfile -> /etc/shadow` in a foreign repository; the error message would show the secret's lines.
    // What was opened is looked at, not the name, which may be another file by now.
    if (isInside && !isBelow(realpathSync(folder), readlinkSync(`/proc/self/fd/${fd}`)))
      throw new SteeringFileError("it is a link that leads out of the build context");
    const kind = fstatSync(fd);
    if (kind.isFIFO() && !isInside) {
      const pipe = new Socket({ fd, readable: true, writable: false });
      isOurs = false;
      return await readSteeringStream(signal ? addAbortSignal(signal, pipe) : pipe);
    }
    // Attack: `Dockerfile -> /dev/zero`.
    if (!kind.isFile()) throw new SteeringFileError(kind.isDirectory() ? "it is a folder" : "it is no file");
    if (kind.size > steeringLimit) throw tooLarge();
    const bytes = Buffer.alloc(kind.size);
    let length = 0;
    for (let count = 1; count > 0 && length < bytes.length; length += count)
      count = readSync(fd, bytes, length, bytes.length - length, null);
    return bytes.subarray(0, length);
  } finally {
    if (isOurs) closeSync(fd);
  }
}

/** All of a stream, at most 4 MiB. Throws SteeringFileError past that. */
export async function readSteeringStream(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of stream) {
    parts.push(Buffer.from(part as Uint8Array));
    length += (part as Uint8Array).length;
    if (length > steeringLimit) throw tooLarge();
  }
  return Buffer.concat(parts);
}

function tooLarge(): SteeringFileError {
  return new SteeringFileError(`it is larger than ${steeringLimit / 1024 / 1024} MiB`);
}

function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== "" && way !== ".." && !way.startsWith("../");
}
