/** The page of all rules of `inspect --verify`, made from their tables. */
import { hiveRules } from "../../layerfs/windows/verify/hive-rules.ts";
import { imageRules } from "../../layerfs/windows/verify/image-rules.ts";
import { layerRules } from "../../layerfs/windows/verify/layer-rules.ts";
import type { Rule } from "../../layerfs/windows/verify/rule.ts";

const sections: readonly (readonly [title: string, rules: Readonly<Record<string, Rule>>])[] = [
  ["Entries of layers", layerRules],
  ["Registry hives", hiveRules],
  ["Configuration and manifest", imageRules],
];

/** Markdown. */
export function verifyPage(): string {
  const tables = sections.map(([title, rules]) => {
    const rows = Object.entries(rules).map(
      ([id, { severity, importers, rule, why, remedy }]) =>
        `| \`${id}\` | ${severity} | ${cell(rule)} | ${cell(why)} | ${cell(remedy)} | ${importers.join(", ")} |`,
    );
    const head =
      "| rule | severity | what must hold | else | what to do | who |\n| --- | --- | --- | --- | --- | --- |";
    return `## ${title}\n\n${head}\n${rows.join("\n")}\n`;
  });
  return `# What \`inspect --verify\` checks

This page is made from the tables in \`layerfs/windows/verify/\`; \`npm run golden\` writes it anew.

\`wbuild inspect --verify IMAGE\` proves an image of the store, ours or anyone's, against the rules of the programs that import
it. Each layer is read once, the lowest first; nothing is unpacked, and no Windows is needed. The
program prints every breach with its layer and path, why it matters and what to do, and exits with 1 when there was an
error. Warnings alone exit with 0: such an image is imported, but not by everyone or not as it was meant.
\`--format json\` gives the same to programs.

- The lowest layer is the base, all others stand on it. Names are compared as Windows compares them, without case.
- Of one rule in one layer the first 50 breaches are listed, and all are counted; of one hive the first five.
- What one layer lacks because it cannot be read is not held against those above it.
- An image for another system is checked for what holds everywhere: digests, numbers of layers and lines of history, media
  types, the platform in the index. Its layers' entries are not looked at.
- Memory is bounded: some three million paths for all layers together, hives up to 1 GiB. What needs more is told
  (\`too-many-entries\`, \`hive-size\`).

Who trips over a breach: \`hcs\` is the import into folders of dockerd and of containerd's \`windows\` snapshotter, \`cimfs\` that
of containerd's \`cimfs\` and \`blockcim\`; \`containerd\` and \`dockerd\` stand for their handling of manifests and
configurations, \`ntfs\` for the file system. The rules come from public sources and documentation of these
programs. None of them ran when this was written: a clean report says that no known rule is broken, not that a Windows
host has imported the image.

${tables.join("\n")}`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll("*", "\\*");
}
