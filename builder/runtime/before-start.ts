/** What every runtime does before a step's container is made. */
import { canMakeContainers } from "../../native/core/userns.ts";
import { WbuildError } from "../../native/error.ts";
import type { RuntimeCore } from "./runtime.ts";

/** What `start` of a runtime is given. */
export type Start = Parameters<RuntimeCore["start"]>;

/** Throws BOX_NO_PRIVILEGE. */
export function checkPrivilege(): void {
  if (canMakeContainers()) return;
  throw new WbuildError("BOX_NO_PRIVILEGE", "running a step needs root, or a user namespace in which we are root", {
    hint: "`wbuild doctor` says what this user needs on this host",
  });
}

/** Passes on each text once. */
export function onceEach(warn: (text: string) => void): (text: string) => void {
  const told = new Set<string>();
  return (text) => {
    if (told.has(text)) return;
    told.add(text);
    warn(text);
  };
}
