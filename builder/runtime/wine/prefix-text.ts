/** What a fresh prefix's registry says of paths, put as Windows has it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Text for text: spelling of folders, and the place of temporary files. */
const rewrites: readonly (readonly [RegExp, string])[] = [
  [/\b([Cc]):\\\\windows\b/g, "C:\\\\Windows"],
  [/\b([Cc]):\\\\users\b/g, "C:\\\\Users"],
  [/(C:\\\\Windows)\\\\system32\b/g, "$1\\\\System32"],
];

/** In the three files of a prefix. */
export function tidyTexts(prefix: string, account: string): void {
  for (const name of ["system.reg", "user.reg", "userdef.reg"]) {
    const path = join(prefix, name);
    let text = readFileSync(path, "latin1");
    for (const [what, instead] of rewrites) text = text.replace(what, instead);
    text = text.replaceAll(
      new RegExp(`^"(TE?MP)"="C:\\\\\\\\Users\\\\\\\\${account}\\\\\\\\Temp"$`, "gm"),
      '"$1"=str(2):"%USERPROFILE%\\\\AppData\\\\Local\\\\Temp"',
    );
    writeFileSync(path, text, "latin1");
  }
}
