/** errno numbers in words. The common ones in plain English, the others by name. */
import { constants } from "node:os";

const words: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EBUSY: "it is in use",
  ECHILD: "the helper ended at once",
  EEXIST: "it exists already",
  EINVAL: "the kernel refuses it",
  EISDIR: "it is a folder",
  ELOOP: "too many links",
  ENAMETOOLONG: "the name is too long",
  ENODEV: "this kernel does not have it",
  ENOENT: "no such file or folder",
  ENOEXEC: "not a program for this machine",
  ENOMEM: "not enough memory",
  ENOSPC: "no space left",
  ENOSYS: "this kernel does not have it",
  ENOTDIR: "not a folder",
  EOPNOTSUPP: "this kernel does not have it",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
  ETIMEDOUT: "it took too long",
  EXDEV: "it is outside the container",
  E2BIG: "the arguments and environment are too long",
};

/** "permission denied (EACCES)"; "error 4711" for a number that this system does not know. */
export function errnoText(errno: number): string {
  const name = Object.entries(constants.errno).find(([, value]) => value === errno)?.[0];
  if (name === undefined) return `error ${errno}`;
  return words[name] === undefined ? name : `${words[name]} (${name})`;
}
