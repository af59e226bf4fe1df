/** Users and groups as an image knows them: from its own /etc/passwd and /etc/group, never from the host's. */
import { WbuildError } from "../../native/error.ts";
import type { Tree } from "./tree.ts";

/** What is needed of a tree to look accounts up in it. */
export type AccountsTree = Pick<Tree, "resolve" | "stat" | "read">;

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

export interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

export interface Accounts {
  readonly users: readonly User[];
  readonly groups: readonly Group[];
}

/** Who a process runs as. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  /** Absolute; "/" when the image does not say. */
  readonly home: string;
  /** Undefined for a number that the image has no name for. */
  readonly name?: string;
}

/** (uid_t) -1 means "leave it" to chown(2) and setresuid(2), so it is nobody's number. */
const highestId = 0xffff_fffe;
/** No honest account file is bigger; the image's author chooses its size, our memory pays for it. */
const maxBytes = 16 << 20;

/** Lines of passwd(5) and group(5). Lines that make no sense are left out: an id that is no number must not become 0. */
export function parseAccounts(passwd: string, group: string): Accounts {
  const users: User[] = [];
  for (const fields of rowsOf(passwd)) {
    const [name, , uid, gid, , home] = fields;
    const ids = [idOf(uid), idOf(gid)] as const;
    if (!name || ids[0] === undefined || ids[1] === undefined) continue;
    users.push({ name, uid: ids[0], gid: ids[1], home: home?.startsWith("/") ? home : "/" });
  }
  const groups: Group[] = [];
  for (const [name, , gid, members] of rowsOf(group)) {
    const id = idOf(gid);
    if (!name || id === undefined) continue;
    groups.push({ name, gid: id, members: (members ?? "").split(",").filter((member) => member !== "") });
  }
  return { users, groups };
}

function rowsOf(text: string): string[][] {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => line.split(":"));
}

function idOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= highestId ? id : undefined;
}

async function readText(tree: AccountsTree, path: string): Promise<string> {
  const real = await tree.resolve(path, true);
  const entry = real === undefined ? undefined : await tree.stat(real);
  if (entry === undefined || entry.type !== "file" || entry.size === 0) return "";
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of tree.read(entry)) {
    size += chunk.length;
    if (size > maxBytes) {
      throw new WbuildError("STEP_USER", `/${path} of the image is bigger than ${maxBytes} bytes`, { facts: { path } });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The accounts of a tree; none where it has no such files. */
async function readAccounts(tree: AccountsTree): Promise<Accounts> {
  return parseAccounts(await readText(tree, "etc/passwd"), await readText(tree, "etc/group"));
}

/**
 * Who runs a step (OCI image configuration, "User"): "", "name", "uid", with ":group" or ":gid" behind it. All digits are
 * always a number. Without a group the user's own groups apply; a number without a name gets group 0 and no others.
 * Throws STEP_USER with the names that are nearest.
 */
export async function resolveUser(tree: AccountsTree, spec: string): Promise<ResolvedUser> {
  const { user, group } = split(spec);
  const accounts = await readAccounts(tree);
  const found = findUser(accounts, user === "" ? "0" : user, spec);
  const name = found.user?.name;
  const base = { uid: found.id, home: found.user?.home ?? "/", ...(name === undefined ? {} : { name }) };
  if (group !== undefined) return { ...base, gid: findGroup(accounts, group, spec), groups: [] };
  const groups = accounts.groups.filter((one) => name !== undefined && one.members.includes(name));
  return { ...base, gid: found.user?.gid ?? 0, groups: [...new Set(groups.map((one) => one.gid))] };
}

/**
 * Whom copied files belong to (`--chown`): a name alone brings its own group, a number alone is also the group's number;
 * `root` is 0, also where there are no account files. Throws STEP_USER.
 */
export async function resolveOwner(tree: AccountsTree, spec: string): Promise<{ uid: number; gid: number }> {
  const { user, group } = split(
    spec
      .split(":")
      .map((name) => (name === "root" ? "0" : name))
      .join(":"),
  );
  const isPlain = idOf(user) !== undefined && (group === undefined || idOf(group) !== undefined);
  const accounts = isPlain ? { users: [], groups: [] } : await readAccounts(tree);
  const found = findUser(accounts, user === "" ? "0" : user, spec);
  if (group !== undefined) return { uid: found.id, gid: findGroup(accounts, group, spec) };
  return { uid: found.id, gid: idOf(user) ?? found.user?.gid ?? found.id };
}

function split(spec: string): { user: string; group: string | undefined } {
  const colon = spec.indexOf(":");
  if (colon < 0) return { user: spec, group: undefined };
  const group = spec.slice(colon + 1);
  return { user: spec.slice(0, colon), group: group === "" ? undefined : group };
}

function findUser(accounts: Accounts, wanted: string, spec: string): { id: number; user: User | undefined } {
  if (/^\d+$/.test(wanted)) {
    const id = idOf(wanted);
    if (id === undefined) throw unknown("user", wanted, spec, []);
    return { id, user: accounts.users.find((user) => user.uid === id) };
  }
  const user = accounts.users.find((one) => one.name === wanted);
  if (user === undefined) throw unknown("user", wanted, spec, accounts.users);
  return { id: user.uid, user };
}

function findGroup(accounts: Accounts, wanted: string, spec: string): number {
  if (/^\d+$/.test(wanted)) {
    const id = idOf(wanted);
    if (id === undefined) throw unknown("group", wanted, spec, []);
    return id;
  }
  const group = accounts.groups.find((one) => one.name === wanted);
  if (group === undefined) throw unknown("group", wanted, spec, accounts.groups);
  return group.gid;
}

function unknown(what: string, wanted: string, spec: string, known: readonly { name: string }[]): WbuildError {
  const names = known.map((one) => one.name);
  const near = names
    .map((name) => ({ name, distance: distance(name, wanted) }))
    .filter((one) => one.distance <= Math.max(1, Math.floor(wanted.length / 3)))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map((one) => one.name);
  const file = what === "user" ? "/etc/passwd" : "/etc/group";
  const hint =
    near.length > 0
      ? `did you mean ${near.join(" or ")}?`
      : names.length > 0
        ? `${file} of the image has: ${names.slice(0, 20).join(", ")}`
        : `the image has no ${file} with names in it: use a number, or make the ${what} in a step before`;
  const isNumber = /^\d+$/.test(wanted);
  const message = isNumber
    ? `${what} id ${wanted.slice(0, 40)} is too big`
    : `the image has no ${what} ${JSON.stringify(wanted.slice(0, 100))}`;
  return new WbuildError("STEP_USER", message, {
    facts: { [what]: wanted.slice(0, 100), spec: spec.slice(0, 200), near },
    ...(isNumber ? {} : { hint }),
  });
}

/** Edits (insert, delete, replace, swap of neighbours) from one name to the other. */
function distance(from: string, to: string): number {
  const a = from.slice(0, 40);
  const b = to.slice(0, 40);
  let older: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (older[j - 2] ?? 0) + 1);
      row.push(best);
    }
    older = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
