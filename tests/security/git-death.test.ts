/** A git server that never answers must keep nothing of a build that is gone. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { bundled, program, sandboxOf } from "../doubles/cli.ts";
import { noGit } from "../doubles/git-server.ts";
import { testUnless } from "../doubles/test-unless.ts";

const gitTest = testUnless(noGit());

for (const signal of ["SIGKILL", "SIGTERM"] as const)
  gitTest(`${signal} in a fetch leaves no git behind`, async (t) => {
    await bundled();
    const { env } = sandboxOf(t);
    const server = createServer(() => {});
    const asked = once(server, "request");
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/r.git`;
    const build = spawn(process.execPath, [program, "build", url], {
      env: { ...process.env, ...env },
      stdio: "ignore",
    });
    const ended = once(build, "exit");
    const [{ socket }] = (await asked) as [{ socket: Socket }];
    // It is git that holds the other end, and by itself would do so for a minute.
    const closed = once(socket, "close", { signal: AbortSignal.timeout(20_000) });
    build.kill(signal);
    await ended;
    await t.notThrowsAsync(closed);
  });
