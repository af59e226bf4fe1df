/** `--attest`, `--sbom` and `--provenance`: what they mean, and what is refused. */
import test from "ava";
import { type AttestFlags, attestRequestOf } from "../../../../builder/cli/flags/attest-values.ts";

const usual = {
  mode: "min",
  version: "v1",
  builderId: "",
  reproducible: false,
  inlineOnly: false,
  filename: "provenance.json",
};

const rows: readonly (readonly [flags: AttestFlags, meant: unknown])[] = [
  [{}, undefined],
  [{ sbom: "true" }, { sbom: true }],
  [{ sbom: "false", provenance: "false" }, undefined],
  [{ attest: ["type=sbom"] }, { sbom: true }],
  [{ attest: ["type=sbom,disabled=true"] }, undefined],
  [{ provenance: "true" }, { provenance: usual }],
  [{ provenance: "mode=max" }, { provenance: { ...usual, mode: "max" } }],
  [
    { provenance: "1", sbom: "1" },
    { sbom: true, provenance: usual },
  ],
  [
    {
      attest: [
        "type=provenance,version=v0.2,builder-id=https://x/1,reproducible=true,inline-only=true,filename=p.json",
      ],
    },
    {
      provenance: {
        mode: "min",
        version: "v0.2",
        builderId: "https://x/1",
        reproducible: true,
        inlineOnly: true,
        filename: "p.json",
      },
    },
  ],
  [{ attest: ['type=provenance,"builder-id=a,b"'] }, { provenance: { ...usual, builderId: "a,b" } }],
];
for (const [flags, meant] of rows)
  test(`meant by ${JSON.stringify(flags)}`, (t) => t.deepEqual(attestRequestOf(flags), meant as never));

const refused: readonly (readonly [flags: AttestFlags, message: RegExp])[] = [
  [{ sbom: "generator=docker/scout-sbom-indexer" }, /generator "docker\/scout-sbom-indexer" cannot be used/],
  [{ sbom: "yess" }, /NAME=VALUE/],
  [{ attest: ["type=vsa"] }, /one of sbom, provenance/],
  [{ attest: ["mode=max"] }, /one of sbom, provenance/],
  [{ provenance: "mode=full" }, /one of min, max/],
  [{ provenance: "version=v2" }, /one of v1, v0.2/],
  [{ provenance: "mode=max,mode=min" }, /names mode once/],
  [{ provenance: "colour=red" }, /an attribute of that type/],
  [{ provenance: "filename=../x" }, /a file's name/],
  [{ provenance: "true", attest: ["type=provenance"] }, /the only one of type provenance/],
];
for (const [flags, message] of refused)
  test(`refused: ${JSON.stringify(flags)}`, (t) => {
    t.throws(() => attestRequestOf(flags), { message });
  });
