/** The account a Windows step runs as: by name, for its profile. Wine has one real user; who it is called is ours to say. */
import { upcase } from "../../../layerfs/hive/upcase.ts";
import { WbuildError } from "../../../native/error.ts";

export interface Account {
  readonly name: string;
  /** In a string; undefined for accounts that only the image's own SAM could number. */
  readonly sid: string | undefined;
}

const known: readonly Account[] = [
  { name: "ContainerAdministrator", sid: "S-1-5-93-2-1" },
  { name: "ContainerUser", sid: "S-1-5-93-2-2" },
];

/**
 * The account of a config's USER: `name`, `domain\name` or "" for ContainerAdministrator. Known ones keep their own
 * spelling. Throws STEP_USER for what can be no account's name and so no profile's folder.
 */
export function accountOf(user: string): Account {
  const name = user.slice(user.lastIndexOf("\\") + 1) || "ContainerAdministrator";
  const same = known.find((account) => upcase(account.name) === upcase(name));
  if (same) return same;
  // Attack: the name becomes a folder below C:\Users and a line of a passwd file.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be in a name.
  if (/[\x00-\x1f"/\\[\]:;|=,+*?<>]/.test(name) || /^\.*$/.test(name) || /[. ]$/.test(name) || name.length > 64) {
    throw new WbuildError("STEP_USER", `${JSON.stringify(user)} is no name of a Windows account`, {
      facts: { user },
      hint: "the images know ContainerAdministrator and ContainerUser",
    });
  }
  return { name, sid: undefined };
}
