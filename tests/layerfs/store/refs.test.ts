/** Names for descriptors. */
import test from "ava";
import { makeHome, mediaType, named } from "./home.ts";

const descriptor = (text: string) => ({ mediaType, digest: named(text), size: text.length });

test("a ref is set, found, moved, listed in order and deleted", (t) => {
  using home = makeHome();
  const { refs } = home.store;
  t.is(refs.get("a"), undefined);
  refs.set("docker.io/library/b:1", descriptor("b"), [named("layer"), named("layer")]);
  refs.set("a", { ...descriptor("a"), annotations: { x: "y" } }, []);
  t.deepEqual(
    refs.list().map((ref) => ref.name),
    ["a", "docker.io/library/b:1"],
  );
  t.deepEqual(refs.get("docker.io/library/b:1"), {
    name: "docker.io/library/b:1",
    descriptor: descriptor("b"),
    keeps: [named("b"), named("layer")],
    createdMs: home.clock.ms,
    updatedMs: home.clock.ms,
  });
  home.clock.ms += 5;
  refs.set("a", { ...descriptor("a"), annotations: { x: "y" } }, []);
  t.is(refs.get("a")?.updatedMs, home.clock.ms - 5, "the same again is no change");
  refs.set("a", descriptor("other"), []);
  t.deepEqual([refs.get("a")?.createdMs, refs.get("a")?.updatedMs], [home.clock.ms - 5, home.clock.ms]);
  t.deepEqual(home.again().refs.get("a"), refs.get("a"));
  t.deepEqual([refs.delete("a"), refs.delete("a"), refs.list().length], [true, false, 1]);
});

const hostile = ["", "'; DROP TABLE refs; --", "../../x", "a\nb", "ünï", "\u0000"];
for (const name of hostile) {
  test(`any text is a name: ${JSON.stringify(name)}`, (t) => {
    using home = makeHome();
    home.store.refs.set(name, descriptor("x"), []);
    t.deepEqual(
      home.store.refs.list().map((ref) => ref.name),
      [name],
    );
    t.true(home.store.refs.delete(name));
  });
}
