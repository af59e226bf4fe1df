/** The page of all commands, made from their help. */
import { commands } from "../../builder/cli/commands.ts";
import { overview, page } from "../../builder/cli/help.ts";
import { defineParser } from "../../builder/cli/parse.ts";

/** Markdown. */
export async function commandsPage(): Promise<string> {
  const sections: string[] = [];
  for (const [name, row] of Object.entries(commands)) {
    const command = await row.load();
    const text = page(name, command, defineParser(name, command), 100);
    sections.push(`## wbuild ${name}\n\n${row.summary}.\n\n\`\`\`text\n${text}\`\`\`\n`);
  }
  return `# Commands

This page is made from the commands' own help; \`npm run golden\` writes it anew.

\`\`\`text
${overview("VERSION", 100)}\`\`\`

${sections.join("\n")}`;
}
