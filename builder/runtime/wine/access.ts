/** What icacls and takeown noted, carried out on the descriptors of the image: pure, one file at a time. */

import type { Entry } from "../../../layerfs/layer/entry.ts";
import { windowsSid } from "../../../layerfs/windows/accounts.ts";
import { defaultSecurity, readMetadata } from "../../../layerfs/windows/metadata.ts";
import {
  type Acl,
  decodeSecurity,
  deny,
  encodeSecurity,
  grant,
  inherited,
  revoke,
  type SecurityDescriptor,
  setOwner,
} from "../../../layerfs/windows/security.ts";
import { WbuildError } from "../../../native/error.ts";
import type { AclNote, OwnerNote } from "./journal.ts";

/** SE_DACL_PROTECTED: nothing is inherited from above. */
const protectedDacl = 0x1000;
const allow = 0;

/** The entry's descriptor after a change, as bytes. Throws STEP_ACCOUNT for an account that nobody here knows. */
export function changedSecurity(entry: Entry, note: AclNote | OwnerNote): Uint8Array {
  const kind = entry.type === "directory" ? "directory" : "file";
  const bytes = readMetadata(entry).security ?? defaultSecurity(kind);
  return encodeSecurity(changed(decodeSecurity(bytes), note, kind));
}

function changed(descriptor: SecurityDescriptor, note: AclNote | OwnerNote, kind: "file" | "directory") {
  if (note.kind === "owner") return setOwner(descriptor, sidOf(note.principal));
  // Inheritance bits are for folders; on a file icacls leaves them out.
  const flags = kind === "file" ? 0 : note.flags;
  switch (note.verb) {
    case "grant":
      return grant(descriptor, sidOf(note.principal), note.mask, flags);
    case "grant-replace":
      return grant(withoutType(descriptor, sidOf(note.principal), allow), sidOf(note.principal), note.mask, flags);
    case "deny":
      return deny(descriptor, sidOf(note.principal), note.mask, flags);
    case "remove":
      return revoke(descriptor, sidOf(note.principal));
    case "remove-grant":
      return withoutType(descriptor, sidOf(note.principal), allow);
    case "remove-deny":
      return withoutType(descriptor, sidOf(note.principal), 1);
    case "inheritance":
      return inheritance(descriptor, note.principal);
    case "reset":
      return decodeSecurity(defaultSecurity(kind));
  }
}

/** e: inherits again; d: what was inherited becomes its own; r: what was inherited goes. */
function inheritance(descriptor: SecurityDescriptor, how: string): SecurityDescriptor {
  if (how === "e") return { ...descriptor, control: descriptor.control & ~protectedDacl };
  const aces = descriptor.dacl?.aces ?? [];
  const kept =
    how === "r"
      ? aces.filter((ace) => (ace.flags & inherited) === 0)
      : aces.map((ace) => ({ ...ace, flags: ace.flags & ~inherited }));
  const closed = { ...descriptor, control: descriptor.control | protectedDacl };
  return descriptor.dacl ? { ...closed, dacl: { ...descriptor.dacl, aces: kept } } : closed;
}

function withoutType(descriptor: SecurityDescriptor, sid: string, type: number): SecurityDescriptor {
  if (!descriptor.dacl) return descriptor;
  const gone = (ace: Acl["aces"][number]) => ace.type === type && ace.sid === sid && (ace.flags & inherited) === 0;
  return { ...descriptor, dacl: { ...descriptor.dacl, aces: descriptor.dacl.aces.filter((ace) => !gone(ace)) } };
}

/** icacls writes a SID with a star in front. */
function sidOf(principal: string): string {
  const sid = windowsSid(principal.replace(/^\*/, ""));
  if (sid !== undefined) return sid;
  throw new WbuildError("STEP_ACCOUNT", `no account ${JSON.stringify(principal)} is known to this image`, {
    facts: { account: principal },
    hint: "name one of Windows' own accounts (Everyone, Users, ContainerUser …), or a SID as *S-1-5-…",
  });
}
