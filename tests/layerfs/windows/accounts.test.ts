/** Accounts that every Windows has. */
import test from "ava";
import { windowsSid } from "../../../layerfs/windows/accounts.ts";
import { encodeSid } from "../../../layerfs/windows/sid.ts";

const known: [text: string, sid: string][] = [
  ["ContainerAdministrator", "S-1-5-93-2-1"],
  ["containeruser", "S-1-5-93-2-2"],
  ["User Manager\\ContainerUser", "S-1-5-93-2-2"],
  ["Administrators", "S-1-5-32-544"],
  ["BUILTIN\\Users", "S-1-5-32-545"],
  ["NT AUTHORITY\\SYSTEM", "S-1-5-18"],
  ["Everyone", "S-1-1-0"],
  ["S-1-5-21-1-2-3-1001", "S-1-5-21-1-2-3-1001"],
  ["s-1-5-18", "S-1-5-18"],
];
for (const [text, sid] of known) {
  test(`${text} is ${sid}`, (t) => {
    t.is(windowsSid(text), sid);
    t.notThrows(() => encodeSid(sid));
  });
}

for (const text of ["", "me", "Users:Users", "BUILTIN\\SYSTEM", "\\Users", "S-1", "S-1-5-4294967296", "constructor"]) {
  test(`no account: ${JSON.stringify(text)}`, (t) => t.is(windowsSid(text), undefined));
}
