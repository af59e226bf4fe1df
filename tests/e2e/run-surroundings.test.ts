/** What a RUN step may ask of its surroundings, with the real program: entitlements, devices, networks. */
import { join } from "node:path";
import test from "ava";
import { scene } from "./scene.ts";
import { base, built } from "./step-scene.ts";

test("a step cannot ask for more than it was allowed", async (t) => {
  const s = await scene(t);
  const file = (flag: string) => ({ Dockerfile: `${base}\nRUN ${flag} grep CapEff /proc/self/status > /got\n` });
  for (const [flag, allow] of [
    ["--network=host", "network.host"],
    ["--security=insecure", "security.insecure"],
    ["--device=vendor.com/class=none", "device=vendor.com/class=none"],
  ] as const) {
    const context = await s.files(allow, file(flag));
    const { code, stderr } = await s.build(context);
    t.is(code, 2);
    t.true(stderr.includes("DF_NOT_ALLOWED") && stderr.includes(`--allow ${allow}`), stderr);
    if (!flag.startsWith("--device")) await built(t, s, context, "--allow", allow);
  }
  t.regex(await s.run("out", "cat", "/got"), /CapEff:\s*0*[1-9a-f]/);
});

test("a device that the host describes is there, when it is allowed", async (t) => {
  const s = await scene(t);
  const cdi = await s.files("cdi", {
    "x.json": JSON.stringify({
      cdiVersion: "0.6.0",
      kind: "test.com/null",
      devices: [
        {
          name: "one",
          containerEdits: {
            deviceNodes: [{ path: "/dev/one", hostPath: "/dev/zero" }],
            env: ["ONE=1"],
            additionalGids: [77],
            mounts: [{ hostPath: "/etc/hostname", containerPath: "/of-host", options: ["ro"] }],
          },
        },
      ],
    }),
  });
  const context = await s.files("c", {
    Dockerfile: `${base}
RUN --device=test.com/null=one head -c 2 /dev/one | od -An -tx1 > /got; echo $ONE $(id -G) >> /got; test -s /of-host && echo y >> /got
RUN --device=test.com/null=two ls /dev/one 2>/dev/null || echo none >> /got
`,
    need: `${base}\nRUN --device=name=test.com/null=two,required true\n`,
  });
  const build = (...flags: string[]) =>
    s.wbuildWith(
      { env: { WBUILD_CDI_DIRS: cdi } },
      ...["build", "--progress", "plain", "--network", "none", "-t", "out", ...flags, context],
    );
  t.is((await build("--allow", "device=test.com/null=one")).code, 2, "the other one is not allowed");
  const done = await build("--allow", "device=test.com/null");
  t.is(done.code, 0, done.stderr);
  t.regex(await s.run("out", "cat", "/got"), /^ 00 00\n1 0.* 77\ny\nnone\n$/);
  const lacking = await build("--allow", "device", "-f", join(context, "need"));
  t.is(lacking.code, 1);
  t.regex(lacking.stderr, /STEP_DEVICE/);
});

test("--network and BUILDKIT_SANDBOX_HOSTNAME are what the step sees", async (t) => {
  const s = await scene(t);
  const context = await s.files("c", {
    Dockerfile: `${base}\nRUN --network=none ls /sys/class/net > /got; hostname >> /got; cat /etc/hostname >> /got\n`,
  });
  await built(t, s, context, "--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=box");
  t.is(await s.run("out", "cat", "/got"), "lo\nbox\nbox\n");
  await built(t, s, context);
  t.is(await s.run("out", "cat", "/got"), "lo\nbuildkitsandbox\nbuildkitsandbox\n");
});
