/** The mounts of RUN for an ordinary user, with one id: the same, but that every file is root's. */
import { join } from "node:path";
import { noUser } from "../doubles/ordinary-user.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { scene } from "./scene.ts";

const why = noUser();
const run = testUnless(why);

run("an ordinary user has every mount", async (t) => {
  const s = await scene(t, { user: "one id" });
  const context = await s.files("c", {
    Dockerfile: `FROM wbuild.local/linux AS made
RUN mkdir /d && echo f > /d/f
FROM wbuild.local/linux
RUN --mount=target=/src,rw echo x >> /src/a && cat /src/a > /got
RUN --mount=from=made,source=d,target=/m cat /m/f >> /got; echo no > /m/f 2>/dev/null || echo refused >> /got
RUN --mount=type=cache,target=/c echo kept >> /c/l; cat /c/l >> /got
RUN --mount=type=secret,id=k,target=/s,mode=0400 wc -c < /s >> /got
RUN --mount=type=tmpfs,target=/t,size=1m stat -c %a /t >> /got
RUN --mount=type=secret,id=k,target=/s,uid=5,gid=6 --mount=type=cache,target=/d,uid=5 stat -c %u:%g /s /d >> /got
`,
    a: "a\n",
    key: "secretvalue\n",
  });
  const args = ["build", "--progress", "plain", "--network", "none", "-o", join(s.folder, "out"), context];
  const done = await s.wbuild(...args, "--secret", `id=k,src=${context}/key`);
  t.is(done.code, 0, done.stderr);
  t.is(await s.tool("cat", "out/got"), "a\nx\nf\nrefused\nkept\n12\n1777\n0:0\n0:0\n");
  const pruned = await s.wbuild("prune", "-f", "--filter", "type=exec.cachemount", "--json");
  t.deepEqual(
    JSON.parse(pruned.stdout).removed.map(({ kind }: { kind: string }) => kind),
    ["cache mount", "cache mount"],
  );
});

run("a user with one id hears of it once, also where the image's root is in many groups", async (t) => {
  const s = await scene(t, { user: "one id" });
  const context = await s.files("c", {
    Dockerfile: "FROM wbuild.local/linux\nRUN echo 'many:x:77:root' >> /etc/group\nRUN id -G > /groups\n",
  });
  const done = await s.build(context);
  t.is(done.code, 0, done.stderr);
  t.is(done.stderr.match(/single-id map/g)?.length, 1);
  t.notRegex(done.stderr, /supplementary groups/);
});
