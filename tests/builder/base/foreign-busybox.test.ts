import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { foreignBusybox } from "../../../builder/base/foreign-busybox.ts";
import { makeLinuxBase } from "../../../builder/base/linux.ts";
import { imagesIn } from "../../../builder/image/stored/stored-image.ts";
import { openStore } from "../../../layerfs/store/store.ts";
import { isWbuildError } from "../../../native/error.ts";
import { packedTar } from "../../doubles/packed-tar.ts";

const platform = { os: "linux", architecture: "s390x" };

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-foreign-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** The start of an ELF program without an interpreter, which stands for busybox. */
function staticProgram(): Buffer {
  const bytes = Buffer.alloc(120);
  bytes.write("\x7fELF\x02\x01\x01", "latin1");
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(1, 56);
  bytes.writeUInt32LE(1, 64);
  return bytes;
}

/** Programs in place of mmdebstrap, which prints this tar and ends so, and of qemu, which says what busybox would. */
async function stand(t: ExecutionContext, files: Readonly<Record<string, Uint8Array>>, code = 0) {
  const folder = folderOf(t);
  const tar = await packedTar((into) => {
    for (const [name, bytes] of Object.entries(files)) into.entry({ name, mode: 0o755 }, Buffer.from(bytes));
  });
  writeFileSync(join(folder, "tar"), tar);
  const program = (name: string, text: string) => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, name), 0o755);
    return join(folder, name);
  };
  const mmdebstrap = program("mmdebstrap", `echo "$@" >&2; cat ${folder}/tar; exit ${code}`);
  const qemu = program(
    "qemu",
    `[ "$2" = --list-full ] && printf 'bin/sh\\nbin/ls\\n' || echo 'BusyBox v1.35.0 (Debian)'`,
  );
  const said: string[] = [];
  const options = {
    ...{ suite: "bookworm", mmdebstrap, register: folder, onLine: (line: string) => void said.push(line) },
    find: () => qemu,
    ownRegister: async () => true,
  };
  return { options, said };
}

test("busybox comes out of the package, and is asked through the interpreter what it can do", async (t) => {
  const bytes = staticProgram();
  const { options, said } = await stand(t, { "./usr/share/doc/x": Buffer.from("x"), "./bin/busybox": bytes });
  const found = await foreignBusybox(platform, options);
  t.deepEqual(found, { bytes, version: "BusyBox v1.35.0 (Debian)", applets: ["bin/sh", "bin/ls"] });
  t.regex(said.join("\n"), /--architectures=s390x --include=busybox-static bookworm -/);
});

const names: [architecture: string, variant: string | undefined, debian: string][] = [
  ["arm", "v7", "armhf"],
  ["arm", "v6", "armel"],
  ["ppc64le", undefined, "ppc64el"],
  ["arm64", undefined, "arm64"],
];
for (const [architecture, variant, debian] of names)
  test(`${architecture} ${variant ?? ""} is ${debian} to Debian`, async (t) => {
    if (architecture === process.arch) return t.pass("that is this host");
    const { options, said } = await stand(t, { "bin/busybox": staticProgram() });
    await foreignBusybox({ os: "linux", architecture, ...(variant === undefined ? {} : { variant }) }, options);
    t.regex(said.join("\n"), new RegExp(`--architectures=${debian} `));
  });

test("what goes wrong is told: no busybox, no end, no mmdebstrap, no interpreter", async (t) => {
  const code = (work: Promise<unknown>) =>
    work.then(
      () => "none",
      (error: unknown) => (isWbuildError(error) ? error.code : String(error)),
    );
  const none = await stand(t, { "bin/sh": staticProgram() });
  t.is(await code(foreignBusybox(platform, none.options)), "IMG_DEBOOTSTRAP");
  const dynamic = await stand(t, { "bin/busybox": Buffer.from("#!/bin/sh\n") });
  t.is(await code(foreignBusybox(platform, dynamic.options)), "IMG_DEBOOTSTRAP");
  const failed = await stand(t, { "bin/busybox": staticProgram() }, 1);
  t.is(await code(foreignBusybox(platform, failed.options)), "IMG_DEBOOTSTRAP", "a tar that was cut short is not used");
  t.is(await code(foreignBusybox(platform, { ...failed.options, mmdebstrap: "/not/there" })), "IMG_NO_MMDEBSTRAP");
  t.is(await code(foreignBusybox(platform, { ...failed.options, find: () => undefined })), "BOX_EMULATOR");
});

test("bases for several platforms stand under one name, in one order", async (t) => {
  const digests = [];
  for (const order of [0, 1]) {
    using store = openStore(join(folderOf(t), "home"));
    const busybox = { bytes: staticProgram(), version: "BusyBox v1", applets: ["bin/sh"] };
    const make = [
      () => makeLinuxBase(store, { foreign: { platform, busybox } }),
      () => makeLinuxBase(store, { foreign: { platform: { os: "linux", architecture: "mips" }, busybox } }),
    ];
    if (order === 1) make.reverse();
    for (const one of make) await one();
    const ref = store.refs.get("wbuild.local/linux:latest");
    if (!ref) return t.fail();
    const images = await imagesIn(store, ref.descriptor);
    t.deepEqual(
      images.map((image) => image.platform?.architecture),
      ["mips", "s390x"],
    );
    t.true(images.every(({ digest }) => ref.keeps.includes(digest)));
    digests.push(ref.descriptor.digest);
    // The same once more replaces its own, and is not added.
    await make[0]?.();
    t.is(store.refs.get("wbuild.local/linux:latest")?.descriptor.digest, ref.descriptor.digest);
  }
  t.is(digests[0], digests[1]);
});
