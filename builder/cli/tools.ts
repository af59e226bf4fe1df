/** `wbuild tools`: host-side tools of Windows steps. */
import { WbuildError } from "../../native/error.ts";
import { formatBytes } from "../progress/units.ts";
import { type Command, flagsOf } from "./command.ts";
import { parseChoice } from "./flags/values.ts";
import { homeOf } from "./session.ts";
import { json, table } from "./table.ts";

const operandsOf = { add: 2, list: 0, rm: 1 } as const;

export const toolsCommand: Command = {
  operands: "add NAME ARCHIVE|FOLDER | list | rm NAME",
  about: `
    Keeps programs for Windows that RUN steps may use and no image holds. Each is unpacked once and mounted read-only into
    every step of a Windows image: powershell at C:\\Program Files\\PowerShell\\7, any other at C:\\Tools\\NAME; PATH
    begins with these folders.

    An ARCHIVE is a zip or a tar, also a compressed one. powershell must be a PowerShell 7 for Windows (x64), with
    pwsh.exe in it; it answers to powershell where the image has none of its own.`,
  examples: [
    ["wbuild tools add powershell PowerShell-7.4.6-win-x64.zip", "RUN powershell … works in images without one"],
    ["wbuild tools add seven-zip ./7z", "7z.exe from a folder, found through PATH"],
    ["wbuild tools list", "what there is"],
    ["wbuild tools rm seven-zip", "take it away"],
  ],
  define(parser) {
    parser.argument("<verb>").argument("[name]").argument("[source]").option("--json", "list: print as JSON");
  },
  async run(parser, cli) {
    const { json: asJson } = flagsOf<{ json?: boolean }>(parser);
    const [word = "", ...operands] = parser.args;
    const verb = parseChoice("tools", word, ["add", "list", "rm"]);
    const [name = "", source = ""] = operands;
    if (operands.length !== operandsOf[verb]) {
      throw new WbuildError("CLI_USAGE", `tools ${verb} takes ${operandsOf[verb]} operands, not ${operands.length}`, {
        hint: "see `wbuild tools --help`",
      });
    }
    const { addTool, listTools, removeTool } = await import("../tools/tools.ts");
    const home = homeOf(cli);
    if (verb === "rm") {
      removeTool(home, name);
      return 0;
    }
    if (verb === "add") {
      cli.stdout.write(`${(await addTool(home, name, source)).place}\n`);
      return 0;
    }
    const tools = listTools(home);
    if (asJson) cli.stdout.write(json(tools));
    else {
      const rows = tools.map((tool) => [tool.name, tool.place, formatBytes(tool.bytes)]);
      cli.stdout.write(table(["NAME", "PLACE", "SIZE"], rows));
    }
    return 0;
  },
};
