/** How a container with a personality is started: what it sees of the host, its environment, its main process. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Mount } from "../../../../native/core/spec.ts";
import { hostBind, type Wine, wineSurroundings } from "./find-wine.ts";
import { loader, standIns } from "./programs.ts";

export interface Container {
  /** Host path of what the container sees as /wbuild. */
  readonly programs: string;
  /** Everything but the prefix (/wine) and /etc/passwd, in an order that launchers can take. */
  readonly mounts: readonly Mount[];
  /** Of the Linux side; nothing of the host's. */
  readonly env: Readonly<Record<string, string>>;
  /** The container's main process, which reads the command from /wine. */
  readonly argv: readonly string[];
}

/**
 * `folder` is the personality's; `replaced` names files of Wine that are those in its programs instead. Undefined: Wine is
 * to set itself up, with all that it has.
 */
export function containerOf(folder: string, wine: Wine, replaced: readonly string[] | undefined): Container {
  const isComplete = replaced !== undefined;
  const programs = join(folder, "programs");
  return {
    programs,
    mounts: [
      ...wineSurroundings(wine).mounts,
      ...(existsSync(join(programs, loader)) ? [hostBind(join(programs, loader), wine.loader)] : []),
      ...(replaced ?? []).map((name) => hostBind(join(programs, standIns, name), join(wine.windows, name))),
      hostBind(programs, "/wbuild"),
      { kind: "tmpfs", target: "/tmp", readonly: false, mode: 0o1777 },
    ],
    env: {
      WINEPREFIX: "/wine",
      WINEDEBUG: "-all",
      // While Wine is set up it has its own files only, and no window to tell people about it.
      ...(isComplete ? { WINEDLLPATH: `/wbuild/${dirname(standIns)}` } : { WINEBOOT_HIDE_DIALOG: "1" }),
      // No downloads of Mono and Gecko, no menus of a desktop. No drivers for devices while Wine is set up: they install
      // mice and the like in the background, and how much of it is done when Wine ends is chance.
      WINEDLLOVERRIDES: `mscoree=;mshtml=;winemenubuilder.exe=${isComplete ? "" : ";*winebus.sys=;*winehid.sys=;*wineusb.sys=;*winebth.sys="}`,
      // Names of files are UTF-8; in the C locale, Wine would take them for ASCII.
      LC_ALL: "C.UTF-8",
    },
    argv: ["/wbuild/session", wine.server, wine.loader, "/wbuild/run.exe"],
  };
}
