/** Started on a terminal by run.test.ts, with its host as JSON: one Windows command on a terminal; its code is passed on. */
import { runWindows, type WineHost } from "./box.ts";

const [, , host = "{}", command = "cmd"] = process.argv;
const { result } = await runWindows(JSON.parse(host) as WineHost, command, { tty: true });
process.exit((result as { exit?: number } | undefined)?.exit ?? 99);
