/** crane as judge: what we push it reads and finds whole, what it makes of an image is compared with what we make of it. */
import { join } from "node:path";
import { startRegistry } from "../doubles/docker-registry.ts";
import { peer, testWithPeers } from "../doubles/peers.ts";
import { scene } from "./scene.ts";

const crane = peer("crane").program ?? "crane";
const testCrane = testWithPeers("crane");

testCrane("crane finds whole what we push, in every compression", async (t) => {
  await using registry = await startRegistry();
  const s = await scene(t);
  const context = await s.files("context", {
    Dockerfile: "FROM wbuild.local/linux\nCOPY a /a\nCOPY --link b /b\n",
    a: "a",
    b: "b",
  });
  for (const compression of ["gzip", "zstd"]) {
    const name = `${registry.host}/team/app:${compression}`;
    const built = await s.build(context, "-t", name, "--push", "--compression", compression);
    t.is(built.code, 0, built.stderr);
    // Layers are only looked into where they are gzip: this crane knows no other in its validation.
    const depth = compression === "gzip" ? [] : ["--fast"];
    t.regex(await s.tool(crane, "validate", ...depth, "--remote", name), /^PASS/);
    await s.tool(crane, "pull", "--format", "oci", name, join(s.folder, compression));
    t.regex((await s.tool(crane, "digest", name)).trim(), /^sha256:[0-9a-f]{64}$/);
  }
  t.is(await s.tool(crane, "ls", `${registry.host}/team/app`), "gzip\nzstd\n");
});
