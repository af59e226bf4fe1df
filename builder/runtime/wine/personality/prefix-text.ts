/** What a fresh prefix's registry says of paths and of Windows' version, put as the Windows of an image has it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defaultOsVersion, parseOsVersion } from "./version.ts";

const [major, minor, build] = parseOsVersion(defaultOsVersion) ?? [10, 0, 0];

/** Text for text. In these files a backslash of a value is two. */
const rewrites: readonly (readonly [RegExp, string])[] = [
  [/\b([Cc]):\\\\windows\b/g, "C:\\\\Windows"],
  [/\b([Cc]):\\\\users\b/g, "C:\\\\Users"],
  [/(C:\\\\Windows)\\\\system32\b/g, "$1\\\\System32"],
  // A prefix begins as Windows 7 with its service pack, that of Wine 10 as Windows 10: a version's own values alone would be
  // a mixture.
  [/^"CSDVersion"=(".*"|dword:.*)\n/gm, ""],
  [/^"CurrentVersion"="6\.[13]"$/gm, `"CurrentVersion"="${major}.${minor}"`],
  [/^"(CurrentBuild|CurrentBuildNumber)"="(?:7601|19043)"$/gm, `"$1"="${build}"`],
  [/^"ProductName"="(?:Microsoft Windows 7|Windows 10 Pro)"$/gm, '"ProductName"="Microsoft Windows"'],
];

/**
 * Services that every start of Wine would start: those for devices which no container has never, those which hardly a program
 * asks for when one does. That saves a tenth of a second, and processes that Wine's server has to end.
 */
const services: Readonly<Record<string, number>> = {
  winebus: 4,
  winehid: 4,
  wineusb: 4,
  winebth: 4,
  PlugPlay: 3,
  Eventlog: 3,
};

/** Up to Wine 8 a key CurrentControlSet; later that is a link. */
const controlSet = String.raw`^\[System\\\\(?:CurrentControlSet|ControlSet001)`;
const service = new RegExp(String.raw`${controlSet}\\\\Services\\\\(\w+)\] [^[]*`, "gm");
const device = new RegExp(String.raw`${controlSet}\\\\Enum\\\\ROOT\\\\WINE\\\\`);

function withServices(text: string): string {
  return text.replace(service, (section: string, name: string) => {
    const start = services[name];
    return start === undefined ? section : section.replace(/^"Start"=dword:\d+$/m, `"Start"=dword:0000000${start}`);
  });
}

/** Devices that Wine makes up, whatever their services say: each start would install their mice and keyboards, if time allows. */
function withoutDevices(text: string): string {
  const sections = text.split(/^(?=\[)/m);
  return sections.filter((section) => !device.test(section)).join("");
}

/** In the three files of a prefix. */
export function tidyTexts(prefix: string, account: string): void {
  const temp = `C:\\\\Users\\\\${account}\\\\Temp`;
  for (const name of ["system.reg", "user.reg", "userdef.reg"]) {
    const path = join(prefix, name);
    let text = readFileSync(path, "latin1");
    for (const [what, instead] of rewrites) text = text.replace(what, instead);
    for (const variable of ["TEMP", "TMP"]) {
      const windows = `"${variable}"=str(2):"%USERPROFILE%\\\\AppData\\\\Local\\\\Temp"`;
      text = text.replaceAll(`"${variable}"="${temp}"\n`, `${windows}\n`);
    }
    writeFileSync(path, withoutDevices(withServices(text)), "latin1");
  }
}
