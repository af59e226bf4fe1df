/** Started by tied.test.ts, which kills it: a program of the host that would go on for long, and another that it started. */
import { startTied } from "../../../native/core/tied.ts";

const mark = process.argv[2] ?? "";
const script = `trap '' TERM INT HUP PIPE; sleep ${mark} & echo ready; sleep ${mark}; wait`;
startTied("sh", ["-c", script], { cwd: "/", env: { PATH: process.env.PATH ?? "" } }).stdout.pipe(process.stdout);
