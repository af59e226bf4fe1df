/** What ignore rules leave of a folder on disk. Folders are read side by side, and never those that are pruned. */
import { decodeHeads } from "../../native/addon/records.ts";
import type { Entry } from "../layer/entry.ts";
import { joinPath } from "./names.ts";

/**
 * keep: it is there. drop: it is not, but what lies below may be (a folder with a kept child is there, too).
 * prune: neither it nor anything below. Asked with a clean path; everything above it was not pruned.
 */
export type IgnoreRule = (path: string, isDirectory: boolean) => "keep" | "drop" | "prune";

/** No record begins like this or like a folder's mark (four zeros): its length stands there. So what is where stays clear. */
const endOfFolder = Buffer.from([1, 0, 0, 0]);

/** Folders that are read at the same time: each costs a thread for a moment. */
const sideBySide = 4;

/** Lets so many calls run at once; the others wait for their turn. */
function takingTurns<A, R>(call: (argument: A) => Promise<R>): (argument: A) => Promise<R> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (argument) => {
    if (running >= sideBySide) await new Promise<void>((go) => waiting.push(go));
    else running++;
    try {
      return await call(argument);
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}

/** An entry that is kept itself, and all below it, parents first. `children` gives a folder's entries in order. */
export async function siftEntries<E extends Entry>(
  top: E,
  ignore: IgnoreRule,
  children: (path: string) => Promise<readonly E[]>,
): Promise<E[]> {
  const list = takingTurns(children);
  const sift = async (entry: E): Promise<E[]> => {
    const rule = entry.path === "" ? "keep" : ignore(entry.path, entry.type === "directory");
    if (rule === "prune") return [];
    if (entry.type !== "directory") return rule === "keep" ? [entry] : [];
    const below = await Promise.all((await list(entry.path)).map((child) => sift(child)));
    const isHere = rule === "keep" || below.some((one) => one.length > 0);
    return isHere ? [entry, ...below.flat()] : [];
  };
  return sift(top);
}

/**
 * The same as bytes for a digest: the records of what is kept below a folder, with the folders' paths between them.
 * No entry is made of them: a warm build asks this of every file of its context. `read` gives a folder's records.
 */
export async function siftRecords(
  top: string,
  ignore: IgnoreRule,
  read: (path: string) => Promise<Buffer>,
): Promise<Uint8Array[]> {
  const records = takingTurns(read);
  const sift = async (folder: string): Promise<Uint8Array[]> => {
    const bytes = await records(folder);
    const parts: (Uint8Array | Promise<Uint8Array[]>)[] = [];
    // What lies side by side and is kept is one piece.
    let from = 0;
    let to = 0;
    const flush = () => {
      if (to > from) parts.push(bytes.subarray(from, to));
    };
    for (const head of decodeHeads(bytes)) {
      const path = joinPath(folder, head.path);
      const rule = ignore(path, head.type === "directory");
      if (rule === "keep" && head.start === to) to = head.end;
      else if (rule === "keep") {
        flush();
        from = head.start;
        to = head.end;
      }
      if (head.type !== "directory" || rule === "prune") continue;
      const below = sift(path);
      const own = bytes.subarray(head.start, head.end);
      parts.push(rule === "keep" ? below : below.then((some) => (some.length > 0 ? [own, ...some] : [])));
    }
    flush();
    const gathered = (await Promise.all(parts)).flat();
    return gathered.length > 0 ? [Buffer.from(`\0\0\0\0${JSON.stringify(folder)}`), ...gathered, endOfFolder] : [];
  };
  return sift(top);
}
