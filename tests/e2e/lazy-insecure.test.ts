/** Layers that were left in a registry whose certificate is not checked: they come as they were left, and nothing else does. */
import test from "ava";
import { startRegistry } from "../doubles/docker-registry.ts";
import { ok } from "./registry-shop.ts";
import { scene } from "./scene.ts";

test("--insecure of a lazy pull or build counts when the layers are needed, and for nothing else", async (t) => {
  await using registry = await startRegistry({ tls: true });
  const base = `${registry.host}/base:1`;
  const maker = await scene(t);
  await ok(t, maker, "tag", "wbuild.local/linux", base);
  await ok(t, maker, "push", "--insecure", base);

  const puller = await scene(t, { base: false });
  await ok(t, puller, "pull", "--lazy", "--insecure", base);
  await ok(t, puller, "tag", base, "other");
  t.is(await puller.run("other", "echo", "here"), "here\n");
  t.regex((await puller.wbuild("pull", base)).stderr, /REG_TLS/);

  const builder = await scene(t, { base: false });
  const context = await builder.files("context", { Dockerfile: `FROM ${base}\nLABEL a=b\n` });
  await ok(t, builder, "build", "--lazy", "--insecure", "-t", "app", context);
  await ok(t, builder, "mutate", "app", "--env", "a=b", "-t", "mutated");
  t.is(await builder.run("mutated", "echo", "here"), "here\n");

  const next = await scene(t, { base: false });
  await ok(t, next, "pull", "--lazy", "--insecure", base);
  const later = await next.files("context", { Dockerfile: "FROM mine\nRUN echo there >/there\n" });
  await ok(t, next, "tag", base, "mine");
  await ok(t, next, "build", "--lazy", "-t", "app", later);
  t.is(await next.run("app", "cat", "/there"), "there\n");
});
