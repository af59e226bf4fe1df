/** For end-with-us.test.ts: a process with a program of the host that is asked to end with it. */
import { spawn } from "node:child_process";
import { endWithUs } from "../../../builder/base/end-with-us.ts";

const [script = ""] = process.argv.slice(2);
const child = spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "ignore"] });
endWithUs(child);
child.stdout.pipe(process.stdout);
