/**
 * What a bake file may touch. Attack: a file from somebody's repository takes ~/.ssh as its context and pushes it, or writes
 * outside of the folder that it lies in. What it asks for beyond that folder, the caller must have allowed.
 */
import { realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve, sep } from "node:path";
import { WbuildError } from "../../native/error.ts";
import { isElsewhere } from "./elsewhere.ts";
import type { Target } from "./target.ts";

type Access = "read" | "write";

/** `fs.read=PATH`, `fs.write=PATH`, `fs=PATH` (`*` is every path), and entitlements such as network.host, as `--allow` gives them. */
export interface Permissions {
  readonly folder: string;
  readonly allowed: readonly string[];
}

/** Throws BAKE_ALLOW, which names every flag that is missing. */
export function checkPermissions(targets: ReadonlyMap<string, Target>, { folder, allowed }: Permissions): void {
  const missing = new Set<string>();
  const open = (access: Access) => [
    real(folder),
    ...allowed.flatMap((one) => {
      const [, kind, path = ""] = /^fs(?:\.(read|write))?=(.*)$/.exec(one) ?? [];
      return path === "" || (kind !== undefined && kind !== access)
        ? []
        : [path === "*" ? sep : real(resolve(folder, path))];
    }),
  ];
  const within = { read: open("read"), write: open("write") };
  for (const target of targets.values()) {
    for (const [access, path] of pathsOf(target)) {
      const full = real(resolve(folder, path));
      if (!within[access].some((root) => full === root || full.startsWith(root.endsWith(sep) ? root : root + sep)))
        missing.add(`fs.${access}=${full}`);
    }
    for (const entitlement of target.entitlements ?? []) if (!allowed.includes(entitlement)) missing.add(entitlement);
  }
  if (missing.size === 0) return;
  // Who may read a folder may read what is in it: one flag says so.
  for (const one of missing) {
    const [kind, path = ""] = one.split("=");
    for (const other of missing) if (path !== "" && other.startsWith(`${kind}=${path}/`)) missing.delete(other);
  }
  const flags = [...missing].map((one) => `--allow ${one}`).join(" ");
  throw new WbuildError("BAKE_ALLOW", "the bake file asks for more than its own folder", {
    facts: { missing: [...missing] },
    hint: `if that is right, add ${flags}`,
  });
}

/** Where a path really leads; what is not there yet counts from its folder. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const above = dirname(path);
    return above === path ? path : join(real(above), basename(path));
  }
}

const isLocal = (path: string) => !isElsewhere(path) && !/^(docker-image|oci-layout):\/\/|^target:/.test(path);

function* pathsOf(target: Target): Generator<readonly [Access, string]> {
  const context = target.context ?? ".";
  if (isLocal(context)) {
    yield ["read", plain(context)];
    if (target["dockerfile-inline"] === undefined)
      yield ["read", under(plain(context), plain(target.dockerfile ?? "Dockerfile"))];
  }
  // Attack: `cwd://../.ssh/id_rsa` with a context from elsewhere; what cannot be read as a Dockerfile is shown.
  if (target.dockerfile?.startsWith("cwd://")) yield ["read", plain(target.dockerfile)];
  for (const path of Object.values(target.contexts ?? {})) {
    const layout = /^oci-layout:\/\/([^@]*?)(?::[^/:]*)?(@.*)?$/.exec(path)?.[1];
    if (layout !== undefined) yield ["read", layout];
    else if (isLocal(path)) yield ["read", plain(path)];
  }
  for (const text of [...(target.secret ?? []), ...(target["cache-from"] ?? [])]) {
    const path = field(text, "src") ?? field(text, "source");
    if (path !== undefined) yield ["read", path];
  }
  for (const text of target.ssh ?? []) {
    const paths = text.slice(text.indexOf("=") + 1);
    if (text.includes("=")) for (const path of paths.split(",")) yield ["read", path];
  }
  for (const text of [...(target.output ?? []), ...(target["cache-to"] ?? [])]) {
    const path = field(text, "dest") ?? (/[=,]/.test(text) ? undefined : text);
    if (path !== undefined && path !== "-") yield ["write", path];
  }
}

function under(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path);
}

function plain(path: string): string {
  return path.startsWith("cwd://") ? path.slice("cwd://".length) : path;
}

function field(text: string, name: string): string | undefined {
  return text
    .split(",")
    .find((one) => one.startsWith(`${name}=`))
    ?.slice(name.length + 1);
}
