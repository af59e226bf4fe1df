/** Which runtime core runs the steps of an image: linux for Linux, wine for Windows. Each is loaded when it is first needed. */
import { WbuildError } from "../../native/error.ts";
import type { RuntimeCore } from "./runtime.ts";

/** `home` is the store's folder: the wine core keeps its personality there. Throws IMG_PLATFORM for another system. */
export function runtimes(home: string): (os: string) => Promise<RuntimeCore> {
  const made = new Map<string, Promise<RuntimeCore>>();
  const make = async (os: string): Promise<RuntimeCore> => {
    if (os === "linux") return (await import("./linux.ts")).createLinuxRuntime();
    if (os === "windows") return (await import("./wine/wine.ts")).createWineRuntime(home);
    throw new WbuildError("IMG_PLATFORM", `a process of an image for ${os} cannot run here`, { facts: { os } });
  };
  return (os) => {
    const known = made.get(os) ?? make(os);
    made.set(os, known);
    return known;
  };
}
