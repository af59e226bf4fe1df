/** Which flags of COPY and ADD a Windows image can have: --chown for accounts that are known, --chmod never. */

import { knownAccounts, windowsSid } from "../../layerfs/windows/accounts.ts";
import type { SourceText } from "../diagnose/source.ts";
import { dockerfileError, quoted } from "../dockerfile/errors.ts";
import type { Copy } from "../dockerfile/instruction.ts";

/** Throws DF_UNSUPPORTED_FLAG for --chmod, DF_CHOWN for an account whose SID only the image's own Windows could tell. */
export function checkWindowsFlags({ kind, chown, chmod }: Copy, source: SourceText): void {
  if (chmod !== undefined) {
    throw dockerfileError(
      "DF_UNSUPPORTED_FLAG",
      `${kind} --chmod has no meaning for a Windows image`,
      { span: chmod.span, source },
      { facts: { flag: "chmod" }, hint: "Windows has access lists instead: use --chown, or icacls in a RUN" },
    );
  }
  if (chown === undefined || windowsSid(chown.text) !== undefined) return;
  throw dockerfileError(
    "DF_CHOWN",
    `${kind} --chown does not know the Windows account ${quoted(chown.text)}`,
    { span: chown.span, source },
    { facts: { found: chown.text }, hint: `give a SID such as S-1-5-32-545, or one of ${knownAccounts}` },
  );
}
