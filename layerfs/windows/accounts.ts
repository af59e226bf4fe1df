/**
 * Accounts that every Windows has, by name: what --chown and icacls can mean without asking the image. Accounts that an
 * image made itself (`net user /add`) have a SID of that image and are not known here.
 */

const local = "BUILTIN";
const authority = "NT AUTHORITY";

/** Name (upper case) → domain, SID (Microsoft, "Well-known SIDs"; the two container accounts: docker's documentation). */
const accounts: Readonly<Record<string, readonly [domain: string, sid: string]>> = {
  CONTAINERADMINISTRATOR: ["USER MANAGER", "S-1-5-93-2-1"],
  CONTAINERUSER: ["USER MANAGER", "S-1-5-93-2-2"],
  ADMINISTRATORS: [local, "S-1-5-32-544"],
  USERS: [local, "S-1-5-32-545"],
  GUESTS: [local, "S-1-5-32-546"],
  IIS_IUSRS: [local, "S-1-5-32-568"],
  INTERACTIVE: [authority, "S-1-5-4"],
  "CREATOR OWNER": ["", "S-1-3-0"],
  SYSTEM: [authority, "S-1-5-18"],
  "LOCAL SERVICE": [authority, "S-1-5-19"],
  "NETWORK SERVICE": [authority, "S-1-5-20"],
  "AUTHENTICATED USERS": [authority, "S-1-5-11"],
  EVERYONE: ["", "S-1-1-0"],
  TRUSTEDINSTALLER: ["NT SERVICE", "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"],
};

/** For hints: what people write most. */
export const knownAccounts = "ContainerAdministrator, ContainerUser, Administrators, Users, SYSTEM, Everyone";

/** The SID of `ContainerUser`, `BUILTIN\Users`, `S-1-5-32-545`; undefined for any other text. Names have no letter case. */
export function windowsSid(text: string): string | undefined {
  if (/^S-1-\d{1,15}(-\d{1,10}){1,15}$/i.test(text)) {
    const parts = text.toUpperCase().split("-");
    return parts.slice(3).every((part) => Number(part) <= 0xffff_ffff) ? parts.join("-") : undefined;
  }
  const [, domain, name = ""] = /^(?:([^\\]*)\\)?([^\\]*)$/.exec(text.toUpperCase()) ?? [];
  const found = Object.hasOwn(accounts, name) ? accounts[name] : undefined;
  return found && (domain === undefined || domain === found[0]) ? found[1] : undefined;
}
