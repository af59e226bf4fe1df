import { execFileSync } from "node:child_process";
import { chmodSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readUpper } from "../../../layerfs/layer/overlay.ts";
import { writeLayer } from "../../../layerfs/layer/write.ts";
import { digestOf, hexOf } from "../../../layerfs/store/digest.ts";
import { decodeWalk, setMtime, setXattr, walkFolder } from "../../../native/addon/addon.ts";
import { noRoot, testUnless } from "../../doubles/test-unless.ts";
import { folderStore, scratch } from "./workbench.ts";

const rootTest = testUnless(noRoot);

/** What must be the same in both trees. */
async function picture(folder: string) {
  return decodeWalk((await walkFolder(folder, { xattrs: true })).records).map((entry) => ({
    path: entry.path,
    type: entry.type,
    mode: entry.mode,
    owner: `${entry.uid}:${entry.gid}`,
    size: entry.size,
    mtimeNs: entry.mtimeNs,
    target: entry.target,
    nlink: entry.type === "file" ? entry.nlink : undefined,
    xattrs: entry.pax && [...entry.pax.keys()].filter((key) => !key.includes("umoci")),
  }));
}

for (const compression of ["gzip", "none"] as const) {
  rootTest(`umoci unpacks a ${compression} layer to the same tree`, async (t) => {
    const top = await scratch(t);
    const from = join(top, "from");
    mkdirSync(join(from, "d/ü".repeat(3)), { recursive: true });
    writeFileSync(join(from, "d/file"), Buffer.alloc(3_000_000, "content "));
    linkSync(join(from, "d/file"), join(from, "hard"));
    symlinkSync("../out/side", join(from, "d/link"));
    writeFileSync(join(from, "n".repeat(200)), "long name");
    writeFileSync(join(from, "suid"), "x");
    execFileSync("chown", ["1234:5678", join(from, "suid")]);
    chmodSync(join(from, "suid"), 0o4711);
    setXattr(join(from, "suid"), "user.colour", Buffer.from("blue"));
    execFileSync("mkfifo", [join(from, "pipe")]);
    setMtime(join(from, "suid"), 1_600_000_000_123_456_789n);
    setMtime(join(from, "d"), 1_500_000_000_000_000_000n);

    const layout = join(top, "layout");
    const blobs = join(layout, "blobs/sha256");
    mkdirSync(blobs, { recursive: true });
    const { layer } = await writeLayer(await readUpper(from), folderStore(blobs), { compression, mediaTypes: "oci" });
    const put = (value: unknown, mediaType: string) => {
      const bytes = Buffer.from(JSON.stringify(value));
      writeFileSync(join(blobs, hexOf(digestOf(bytes))), bytes);
      return { mediaType, digest: digestOf(bytes), size: bytes.length };
    };
    const config = put(
      {
        architecture: "amd64",
        os: "linux",
        config: {},
        rootfs: { type: "layers", diff_ids: [layer.diffId] },
        history: [{ created_by: "test" }],
      },
      "application/vnd.oci.image.config.v1+json",
    );
    const manifest = put(
      { schemaVersion: 2, config, layers: [layer.blob] },
      "application/vnd.oci.image.manifest.v1+json",
    );
    const named = { ...manifest, annotations: { "org.opencontainers.image.ref.name": "test" } };
    writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
    writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');

    execFileSync("umoci", ["unpack", "--image", `${layout}:test`, join(top, "bundle")], { stdio: "pipe" });
    t.deepEqual(await picture(join(top, "bundle/rootfs")), await picture(from));
  });
}
