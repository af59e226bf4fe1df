/** Reads this host's apt sources, so that a base comes from the mirror that the host itself uses. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
}

/** Sources of binary packages in one file: one-line format (`*.list`) or deb822 (`*.sources`), see sources.list(5). */
export function parseAptSources(name: string, text: string): AptSource[] {
  return name.endsWith(".sources") ? parseDeb822(text) : parseLines(text);
}

function parseLines(text: string): AptSource[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)((?:\s+[^\s#]+)*)/.exec(line);
    if (!match?.[1] || !match[2]) return [];
    return [{ uri: match[1], suite: match[2], components: words(match[3]) }];
  });
}

function parseDeb822(text: string): AptSource[] {
  return text.split(/\n[ \t]*\n/).flatMap((stanza) => {
    const fields = new Map<string, string>();
    let last = "";
    for (const line of stanza.split("\n")) {
      if (line.startsWith("#")) continue;
      const field = /^([\w-]+):(.*)$/.exec(line);
      if (field?.[1]) last = field[1].toLowerCase();
      else if (!/^\s/.test(line)) continue;
      fields.set(last, `${fields.get(last) ?? ""} ${field ? field[2] : line}`);
    }
    if (!words(fields.get("types")).includes("deb") || /^\s*no\b/i.test(fields.get("enabled") ?? "")) return [];
    return words(fields.get("uris")).flatMap((uri) =>
      words(fields.get("suites")).map((suite) => ({ uri, suite, components: words(fields.get("components")) })),
    );
  });
}

function words(text: string | undefined): string[] {
  return (text ?? "").split(/\s+/).filter((word) => word !== "");
}

/** All of the host's source files of apt. What cannot be read is left out. */
export async function readAptSources(): Promise<AptSource[]> {
  const parts = "/etc/apt/sources.list.d";
  const names = await readdir(parts).catch(() => []);
  const files = [
    "/etc/apt/sources.list",
    ...names.filter((name) => /\.(list|sources)$/.test(name)).map((name) => join(parts, name)),
  ];
  const read = async (file: string) => parseAptSources(file, await readFile(file, "utf8").catch(() => ""));
  return (await Promise.all(files.map(read))).flat();
}

/**
 * Lines for one release (itself, updates, security) from the host's sources, main component only; [] when the host has
 * none. Only http and https: a host's file: or cdrom: source means nothing inside an image. Passwords stay on the host.
 */
export function linesFor(suite: string, sources: readonly AptSource[]): string[] {
  const wanted = [suite, `${suite}-updates`, `${suite}-security`];
  const lines = sources
    .filter((source) => wanted.includes(source.suite) && source.components.includes("main"))
    .filter((source) => /^https?:\/\/[^/@\s]+(\/\S*)?$/.test(source.uri))
    .sort((a, b) => wanted.indexOf(a.suite) - wanted.indexOf(b.suite))
    .map((source) => `deb ${source.uri} ${source.suite} main`);
  return lines.some((line) => line.split(" ")[2] === suite) ? [...new Set(lines)] : [];
}
