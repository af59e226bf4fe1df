/** The page of all error codes, made from the table. */
import { codes } from "../../builder/explain/codes.ts";

const rooms: readonly (readonly [prefix: string, title: string])[] = [
  ["CLI", "Command line"],
  ["DF", "Dockerfile"],
  ["CTX", "Build context"],
  ["STEP", "Steps"],
  ["IMG", "Images"],
  ["REG", "Registries and archives"],
  ["STORE", "Store"],
  ["LAYER", "Layers"],
  ["TREE", "File trees"],
  ["HIVE", "Registry hives"],
  ["WIN", "Windows layers"],
  ["BOX", "Containers"],
  ["BAKE", "Bake files"],
  ["CACHE", "Build caches of other machines"],
];

/** Markdown. */
export function codesPage(): string {
  const sections = rooms.map(([prefix, title]) => {
    const rows = Object.entries(codes)
      .filter(([code]) => code.startsWith(`${prefix}_`))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([code, row]) => `| \`${code}\` | ${row.exit} | ${cell(row.title)} | ${cell(row.hint ?? "")} |`);
    return `## ${title}\n\n| code | exit | what happened | what to do |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`;
  });
  return `# Errors

This page is made from \`builder/explain/codes.ts\`; \`npm run golden\` writes it anew.

Every failure of wbuild has a code that stays the same for ever. It stands behind \`error\`, before the message:
\`error[CTX_NO_SOURCE]: …\`. What the message says about the very case goes before what this page says in general. Exit codes:

| exit | meaning |
| --- | --- |
| 0 | done |
| 1 | a step failed, the files of an image are at fault, or what was to be checked does not hold |
| 2 | the command line or the Dockerfile is at fault |
| 3 | a registry cannot be reached, or refuses |
| 4 | this host (its disk is full, for example), or wbuild itself, is at fault |
| 125, 126, 127 | \`wbuild run\`: wbuild failed; the command cannot be carried out; there is no such command |
| 130, 143 | interrupted by SIGINT, SIGTERM |

${sections.join("\n")}`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
