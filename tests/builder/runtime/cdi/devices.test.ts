/** CDI files and what they mean for a container. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { findDevices, type GrantedDevices } from "../../../../builder/runtime/cdi/devices.ts";
import { isWbuildError } from "../../../../native/error.ts";

const files: Readonly<Record<string, string>> = {
  "etc/gpu.json": JSON.stringify({
    cdiVersion: "0.6.0",
    kind: "vendor.com/gpu",
    devices: [
      { name: "0", containerEdits: { deviceNodes: [{ path: "/dev/gpu0", hostPath: "/dev/host0" }] } },
      {
        name: "1",
        annotations: { "org.mobyproject.buildkit.device.class": "fast" },
        containerEdits: { deviceNodes: [{ path: "/dev/gpu1", permissions: "rw" }], env: ["GPU=1"] },
      },
    ],
    containerEdits: {
      env: ["GPUS=yes"],
      mounts: [{ hostPath: "/usr/lib/gpu", containerPath: "/usr/lib/gpu", options: ["ro", "bind"] }],
      hooks: [{ hookName: "createContainer", path: "/bin/hook" }],
    },
  }),
  "etc/other.yaml": `cdiVersion: "1.0.0"
kind: other.org/card
devices:
  - name: a
    containerEdits:
      deviceNodes: [{ path: /dev/card }]
      additionalGids: [44]
      mounts: [{ hostPath: tmpfs, containerPath: /scratch, type: tmpfs }]
`,
  "etc/notes.txt": "not read",
  "run/gpu.json": JSON.stringify({
    cdiVersion: "0.6.0",
    kind: "vendor.com/gpu",
    devices: [{ name: "0", containerEdits: { deviceNodes: [{ path: "/dev/newer" }] } }],
  }),
};

function place(t: ExecutionContext, written: Readonly<Record<string, string>> = files): string[] {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-cdi-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(written)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return ["etc", "run", "nowhere"].map((name) => join(folder, name));
}

const targets = ({ mounts }: GrantedDevices) => mounts.map(({ kind, target }) => `${kind} ${target}`);

for (const [name, expected] of [
  ["vendor.com/gpu=0", ["device /dev/newer"]],
  ["vendor.com/gpu=1", ["device /dev/gpu1", "bind /usr/lib/gpu"]],
  ["vendor.com/gpu", ["device /dev/newer"]],
  ["vendor.com/gpu=*", ["device /dev/newer", "device /dev/gpu1", "bind /usr/lib/gpu"]],
  ["fast", ["device /dev/gpu1", "bind /usr/lib/gpu"]],
  ["other.org/card=a", ["device /dev/card", "tmpfs /scratch"]],
  ["vendor.com/gpu=7", []],
  ["slow", []],
] as const) {
  test(`${name} is ${expected.join(", ") || "nothing"}`, async (t) => {
    const granted = await findDevices([{ name, required: false }], place(t), () => undefined);
    t.deepEqual(targets(granted), [...expected]);
  });
}

test("variables, groups, paths of the host; what a file adds comes once; hooks are told of", async (t) => {
  const warnings: string[] = [];
  const requests = ["vendor.com/gpu=1", "other.org/card=a", "vendor.com/gpu=1"];
  const granted = await findDevices(
    requests.map((name) => ({ name, required: true })),
    place(t),
    (text) => warnings.push(text),
  );
  t.deepEqual(granted.env, { GPU: "1", GPUS: "yes" });
  t.deepEqual(granted.groups, [44]);
  t.deepEqual(granted.mounts[0], { kind: "device", source: "/dev/gpu1", target: "/dev/gpu1", readonly: false });
  t.is(granted.mounts.filter(({ target }) => target === "/usr/lib/gpu").length, 1);
  t.true(granted.mounts.find(({ target }) => target === "/usr/lib/gpu")?.readonly);
  t.regex(warnings.join(), /hooks of vendor\.com\/gpu=1/);
});

for (const [what, text] of [
  ["no JSON", "{"],
  ["no YAML", "a: [b"],
  ["no devices", '{"cdiVersion":"0.6.0","kind":"a.com/b"}'],
  ["a kind without a vendor", '{"cdiVersion":"0.6.0","kind":"b","devices":[]}'],
  ["a newer version", '{"cdiVersion":"9.0.0","kind":"a.com/b","devices":[]}'],
  [
    "a relative path",
    '{"cdiVersion":"0.6.0","kind":"a.com/b","devices":[{"name":"x","containerEdits":{"deviceNodes":[{"path":"dev"}]}}]}',
  ],
  ["a variable without a value", '{"cdiVersion":"0.6.0","kind":"a.com/b","devices":[],"containerEdits":{"env":["A"]}}'],
  ["aliases without end", `a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nd: [*c,*c,*c,*c]\n`],
] as const) {
  test(`a file that is refused: ${what}`, async (t) => {
    const folders = place(t, { "etc/x.yaml": text });
    const error = await t.throwsAsync(findDevices([], folders, () => undefined));
    t.true(isWbuildError(error, "STEP_DEVICE"), String(error));
  });
}

test("one that is required and not here is refused, with those that are", async (t) => {
  const error = await t.throwsAsync(
    findDevices([{ name: "vendor.com/gpu=7", required: true }], place(t), () => undefined),
  );
  t.true(isWbuildError(error, "STEP_DEVICE") && error.hint?.includes("vendor.com/gpu=1"));
});
