/** What a command works with: the store, a progress face, a registry client. Opened when first asked for, closed together. */
import { statSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Store } from "../../layerfs/store/store.ts";
import type { RegistryClient } from "../../registry/client.ts";
import { openFace } from "../progress/choose.ts";
import type { Report } from "../progress/events.ts";
import { version } from "../version.ts";
import type { Cli } from "./command.ts";
import { type Connection, modeOf, type ProgressFlags } from "./flags/flags.ts";

export interface Session extends AsyncDisposable {
  /** Leased: nothing that it finds goes away until the session ends. */
  store(): Promise<Store>;
  /** What was found so far may be collected. */
  endLease(): Promise<void>;
  /** Names that are spoken to over plain http, or else otherwise than others: given with the first call. */
  registry(how?: readonly string[] | Connection): Promise<RegistryClient>;
  /** The face that flags and environment ask for. */
  report(flags?: ProgressFlags): Promise<Report>;
  /** The face says its last words now: something else needs the terminal, and must not be drawn over. */
  endReport(): void;
  warn(text: string): void;
}

/** `--home`, else `$WBUILD_HOME`, else `wbuild` in the XDG data folder. Absolute. */
export function homeOf(cli: Pick<Cli, "home" | "env" | "cwd">): string {
  const given = cli.home || cli.env.WBUILD_HOME;
  if (given) return resolve(cli.cwd, given);
  const data = cli.env.XDG_DATA_HOME;
  // The XDG specification wants relative paths ignored.
  if (data?.startsWith("/")) return join(data, "wbuild");
  return join(cli.env.HOME || homedir(), ".local", "share", "wbuild");
}

/** Where sudo keeps HOME, root would fill a user's store. A container whose root has another's folder means it so. */
function ownerUnderSudo(home: string, env: Cli["env"]): number | undefined {
  if (env.SUDO_UID === undefined || process.getuid?.() !== 0) return undefined;
  const owner = statSync(home, { throwIfNoEntry: false })?.uid;
  return owner === 0 ? undefined : owner;
}

/** What commands share: store, registries, progress. Each is opened by whoever needs it first, and closed with the session. */
export function openSession(cli: Cli): Session {
  const closing: (() => unknown)[] = [];
  const once = <T>(open: () => Promise<T>): (() => Promise<T>) => {
    let opened: Promise<T> | undefined;
    return () => {
      opened ??= open();
      return opened;
    };
  };
  let say: Report | undefined;
  let endFace: (() => void) | undefined;
  const warn = (text: string) => {
    if (say) say({ kind: "warning", text, at: Date.now() });
    else cli.stderr.write(`warning: ${text}\n`);
  };
  let lease: Disposable | undefined;
  const store = once(async () => {
    const { openStore } = await import("../../layerfs/store/store.ts");
    const home = homeOf(cli);
    const owner = ownerUnderSudo(home, cli.env);
    if (owner !== undefined)
      warn(
        `the store ${home} belongs to user ${owner}, who cannot read what root adds to it: \`sudo -H\` uses root's own`,
      );
    const opened = openStore(home);
    lease = opened.lease();
    closing.push(() => {
      lease?.[Symbol.dispose]();
      opened[Symbol.dispose]();
    });
    return opened;
  });
  let client: Promise<RegistryClient> | undefined;
  return {
    store,
    warn,
    endReport() {
      endFace?.();
      // What is warned of later stands below.
      say = undefined;
    },
    async endLease() {
      await store();
      lease?.[Symbol.dispose]();
      lease = undefined;
    },
    registry(how = []) {
      client ??= (async () => {
        const { openRegistry } = await import("../../registry/client.ts");
        const connection = "plainHttp" in how ? how : { plainHttp: how };
        const opened = openRegistry({ userAgent: `wbuild/${version}`, ...connection, warn, signal: cli.signal });
        closing.push(() => opened.close());
        return opened;
      })();
      return client;
    },
    async report(flags = {}) {
      if (say) return say;
      const bare = await openFace(modeOf(flags), cli.stderr, cli.env);
      const { redact } = await import("../progress/redact.ts");
      const face = redact(bare, cli.secrets);
      // A terminal without a cursor is a bad farewell, whatever ends the process.
      const close = () => {
        process.off("exit", close);
        endFace = undefined;
        face.close();
      };
      process.once("exit", close);
      endFace = close;
      closing.push(() => endFace?.());
      say = face.report;
      return say;
    },
    async [Symbol.asyncDispose]() {
      for (const close of closing.splice(0).reverse()) await close();
    },
  };
}
