/** The rules about one entry's PAX records and link target (go-winio's backuptar, as importers read them). */
import { isWbuildError } from "../../../native/error.ts";
import { fileAttribute, paxKey } from "../metadata.ts";
import { parseSddl } from "../sddl.ts";
import { decodeSecurity } from "../security.ts";
import type { RuleId } from "./rules.ts";
import type { TarEntry } from "./tar-entries.ts";

export type Tell = (rule: RuleId, what: string) => void;

/** Years 1601 and 30828, where FILETIME begins and Windows' own functions end. */
const firstSecond = -11_644_473_600n;
const lastSecond = 910_670_515_200n;
const timeForm = /^(-?)([0-9]{1,16})(?:\.([0-9]+))?$/;

/** Everything that the records of a file, directory or link must be. */
export function checkMetadata(entry: TarEntry, tell: Tell): void {
  const text = (key: string) => textOf(entry.pax.get(key));
  checkAttributes(entry, text(paxKey.attributes), tell);
  const rawSecurity = text(paxKey.rawSecurity);
  if (rawSecurity !== undefined && !isDescriptor(rawSecurity)) {
    tell("rawsd", "its MSWINDOWS.rawsd is no security descriptor");
  }
  const sddl = text(paxKey.sddl);
  if (sddl !== undefined && !isSddl(sddl)) tell("sd", "its MSWINDOWS.sd is no SDDL");
  if (entry.pax.has(paxKey.mountpoint) && entry.type !== "2") tell("mountpoint", "it is no link");
  checkExtended(entry, tell);
  const created = text(paxKey.creation);
  if (created !== undefined) checkTime("creationtime", "creation time", created, tell);
  for (const key of ["mtime", "atime", "ctime"]) {
    const time = text(key);
    if (time !== undefined && time !== "") checkTime("time", key, time, tell);
  }
}

/** Where a symbolic link or junction leads. */
export function checkTarget({ link, pax }: TarEntry, tell: Tell): void {
  if (link === "") {
    tell("link-target", "its target is empty");
    return;
  }
  if (/^Files[\\/]/.test(link)) tell("link-prefix", `it leads to ${JSON.stringify(link.slice(0, 100))}`);
  if (pax.has(paxKey.mountpoint) && !/^(?:[A-Za-z]:[\\/]|[\\/][\\/?][?.\\/]?)/.test(link)) {
    tell("junction-target", `it leads to ${JSON.stringify(link.slice(0, 100))}`);
  }
}

/** What kind of descriptor a directory brings; for the rule directory-redescribed. */
export function describedBy({ pax }: TarEntry, stock: Uint8Array): "none" | "stock" | "own" {
  const raw = pax.get(paxKey.rawSecurity);
  if (raw === undefined) return pax.has(paxKey.sddl) ? "own" : "none";
  return Buffer.from(textOf(raw) ?? "", "base64").equals(stock) ? "stock" : "own";
}

function checkAttributes({ type }: TarEntry, text: string | undefined, tell: Tell): void {
  if (text === undefined) return;
  const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 0xffffffff)) {
    tell("fileattr", `its MSWINDOWS.fileattr is ${JSON.stringify(text.slice(0, 40))}`);
    return;
  }
  const isDirectory = (value & fileAttribute.directory) !== 0;
  if (type === "5" && !isDirectory) tell("fileattr-type", `a directory has the attributes ${value}`);
  if (type === "0" && isDirectory) tell("fileattr-type", `a file has the attributes ${value}`);
  if ((type === "2") !== ((value & fileAttribute.reparsePoint) !== 0)) {
    tell("fileattr-link", `${type === "2" ? "a link" : "what is no link"} has the attributes ${value}`);
  }
}

function checkExtended({ pax }: TarEntry, tell: Tell): void {
  for (const [key, value] of pax) {
    if (!key.startsWith(paxKey.xattr)) continue;
    const name = key.slice(paxKey.xattr.length);
    const bytes = base64(textOf(value) ?? "");
    if (name === "" || Buffer.byteLength(name) > 255) tell("ea", "an extended attribute has an impossible name");
    else if (bytes === undefined || bytes.length > 65_535) {
      tell("ea", `the extended attribute ${JSON.stringify(name.slice(0, 60))} has an impossible value`);
    }
  }
}

function checkTime(rule: "time" | "creationtime", which: string, text: string, tell: Tell): void {
  const parts = timeForm.exec(text);
  if (parts === null) {
    tell(rule, `its ${which} is ${JSON.stringify(text.slice(0, 40))}`);
    return;
  }
  const seconds = BigInt(`${parts[1]}${parts[2]}`);
  if (seconds < firstSecond || seconds >= lastSecond || (parts[3]?.length ?? 0) > 9) {
    tell("time-range", `its ${which} is ${text.slice(0, 40)}`);
  }
}

/** An image has some hundreds of descriptors, each thousands of times. */
const soundDescriptors = new Set<string>();
const maxRemembered = 1000;
const maxRememberedLength = 4096;

function isDescriptor(text: string): boolean {
  if (soundDescriptors.has(text)) return true;
  const bytes = base64(text);
  if (bytes === undefined || !succeeds(() => decodeSecurity(bytes))) return false;
  if (soundDescriptors.size < maxRemembered && text.length <= maxRememberedLength) soundDescriptors.add(text);
  return true;
}

function isSddl(text: string): boolean {
  return succeeds(() => parseSddl(text));
}

function succeeds(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (isWbuildError(error)) return false;
    throw error;
  }
}

/** Padded, standard alphabet. */
function base64(text: string): Buffer | undefined {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text) ? Buffer.from(text, "base64") : undefined;
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString("latin1");
}
