import test from "ava";
import { findImage } from "../../builder/image/stored/local.ts";
import { runImage } from "../../builder/run.ts";
import type { Execution, RuntimeCore } from "../../builder/runtime/runtime.ts";
import { makeImage } from "../doubles/images.ts";
import { scratchStore } from "../doubles/scratch.ts";

for (const when of ["before it is known to run", "while it runs"] as const)
  test(`a signal ${when} reaches the process, and is no interruption of ours`, async (t) => {
    const store = scratchStore(t);
    store.refs.set("docker.io/library/app:latest", await makeImage(store.blobs), []);

    let send: (name: NodeJS.Signals) => void = () => t.fail("nobody listens");
    let listening = 0;
    const runtime: RuntimeCore = {
      kind: "linux",
      async start() {
        let end: (code: number) => void = () => {};
        const exited = new Promise<{ code: number }>((resolve) => {
          end = (code) => resolve({ code });
        });
        const early = when === "before it is known to run";
        if (early) send("SIGTERM");
        else setImmediate(() => send("SIGTERM"));
        const signal = (name: NodeJS.Signals) => end(name === "SIGTERM" ? 9 : 1);
        return { exited, signal, async [Symbol.asyncDispose]() {} } as unknown as Execution;
      },
    };
    const request = {
      command: ["sh"],
      env: {},
      mounts: [],
      network: "none",
      addHosts: [],
      limits: { shmBytes: 1 << 20, ulimits: {} },
      readonlyRoot: false,
      interactive: false,
      tty: false,
    } as const;
    const exit = await runImage(await findImage(store, "app"), request, {
      store,
      runtime,
      warn: (text) => t.fail(text),
      signal: new AbortController().signal,
      onSignals(handler) {
        listening++;
        send = handler;
        return () => listening--;
      },
    });
    t.deepEqual(exit, { code: 9 });
    t.is(listening, 0, "nobody listens any more");
  });
