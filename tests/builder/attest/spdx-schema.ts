/** What the JSON schema of SPDX 2.3 and the specification's sections 6 to 11 demand of the members that we write. */
import * as v from "valibot";

const id = v.pipe(v.string(), v.regex(/^SPDXRef-[A-Za-z0-9.-]+$/));
const filled = v.pipe(v.string(), v.minLength(1));
const hex = (digits: number) => v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-f]{${digits}}$`)));
const checksum = v.variant("algorithm", [
  v.strictObject({ algorithm: v.literal("SHA1"), checksumValue: hex(40) }),
  v.strictObject({ algorithm: v.literal("SHA256"), checksumValue: hex(64) }),
]);
/** Annex D: operands and operators take turns. */
const operand = "(?:LicenseRef-[A-Za-z0-9.-]+|[A-Za-z0-9.-]+\\+?(?: WITH [A-Za-z0-9.-]+)?)";
const licence = v.pipe(
  v.string(),
  v.check((text) => new RegExp(`^${operand}(?: (?:AND|OR) ${operand})*$`).test(text.replace(/[()]/g, ""))),
  v.check((text) => [...text].reduce((depth, one) => depth + (one === "(" ? 1 : one === ")" ? -1 : 0), 0) === 0),
);
const agent = v.union([v.literal("NOASSERTION"), v.pipe(v.string(), v.regex(/^(?:Person|Organization): \S/))]);

const packageShape = v.strictObject({
  SPDXID: id,
  name: filled,
  versionInfo: v.optional(filled),
  downloadLocation: filled,
  filesAnalyzed: v.boolean(),
  packageVerificationCode: v.optional(v.strictObject({ packageVerificationCodeValue: hex(40) })),
  checksums: v.optional(v.array(checksum)),
  externalRefs: v.optional(
    v.array(
      v.strictObject({
        referenceCategory: v.literal("PACKAGE-MANAGER"),
        referenceType: v.literal("purl"),
        referenceLocator: v.pipe(
          v.string(),
          v.regex(
            /^pkg:[a-z]+(?:\/[A-Za-z0-9%._~:-]+)+(?:@[A-Za-z0-9%._~:-]+)?(?:\?[a-z_]+=[A-Za-z0-9%._~:-]+(?:&[a-z_]+=[A-Za-z0-9%._~:-]+)*)?$/,
          ),
        ),
      }),
    ),
  ),
  licenseConcluded: licence,
  licenseDeclared: licence,
  copyrightText: filled,
  supplier: v.optional(agent),
  homepage: v.optional(v.pipe(v.string(), v.url())),
  description: v.optional(filled),
  sourceInfo: v.optional(filled),
  comment: v.optional(filled),
  primaryPackagePurpose: v.optional(v.picklist(["CONTAINER", "OPERATING-SYSTEM", "SOURCE"])),
});

const shape = v.strictObject({
  spdxVersion: v.literal("SPDX-2.3"),
  dataLicense: v.literal("CC0-1.0"),
  SPDXID: v.literal("SPDXRef-DOCUMENT"),
  name: filled,
  documentNamespace: v.pipe(
    v.string(),
    v.url(),
    v.check((text) => !text.includes("#")),
  ),
  creationInfo: v.strictObject({
    created: v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)),
    creators: v.pipe(v.array(v.pipe(v.string(), v.regex(/^Tool: \S+$/))), v.minLength(1)),
  }),
  comment: v.optional(filled),
  packages: v.pipe(v.array(packageShape), v.minLength(1)),
  files: v.optional(
    v.array(
      v.strictObject({
        SPDXID: id,
        fileName: v.pipe(v.string(), v.regex(/^\.\//)),
        checksums: v.pipe(
          v.array(checksum),
          v.check((all) => all.some(({ algorithm }) => algorithm === "SHA1")),
        ),
        licenseConcluded: licence,
        copyrightText: filled,
      }),
    ),
  ),
  hasExtractedLicensingInfos: v.optional(
    v.array(
      v.strictObject({ licenseId: v.pipe(v.string(), v.regex(/^LicenseRef-[A-Za-z0-9.-]+$/)), extractedText: filled }),
    ),
  ),
  relationships: v.array(
    v.strictObject({
      spdxElementId: id,
      relationshipType: v.picklist(["DESCRIBES", "CONTAINS"]),
      relatedSpdxElement: id,
    }),
  ),
});

export type Spdx = v.InferOutput<typeof shape>;

/** Throws for what no reader of SPDX 2.3 must accept; gives the document with types. */
export function readSpdx(json: unknown): Spdx {
  const document = v.parse(shape, JSON.parse(JSON.stringify(json)));
  const { packages, files = [], relationships, hasExtractedLicensingInfos = [] } = document;
  const ids = [document.SPDXID, ...packages.map((one) => one.SPDXID), ...files.map((one) => one.SPDXID)];
  if (new Set(ids).size !== ids.length) throw new Error("an identifier is there twice");
  for (const { spdxElementId, relatedSpdxElement } of relationships)
    for (const end of [spdxElementId, relatedSpdxElement]) if (!ids.includes(end)) throw new Error(`no element ${end}`);
  if (!relationships.some(({ relationshipType }) => relationshipType === "DESCRIBES"))
    throw new Error("it describes nothing");
  const refs = new Set(
    packages.flatMap(({ licenseDeclared }) => licenseDeclared.match(/LicenseRef-[A-Za-z0-9.-]+/g) ?? []),
  );
  const texts = new Set(hasExtractedLicensingInfos.map(({ licenseId }) => licenseId));
  for (const ref of refs) if (!texts.has(ref)) throw new Error(`no text for ${ref}`);
  for (const one of packages) {
    const owned = relationships.filter(
      (each) => each.spdxElementId === one.SPDXID && each.relatedSpdxElement.startsWith("SPDXRef-File-"),
    );
    if (one.filesAnalyzed !== owned.length > 0) throw new Error(`${one.name}: files and filesAnalyzed disagree`);
    if (one.filesAnalyzed !== (one.packageVerificationCode !== undefined))
      throw new Error(`${one.name}: no verification code`);
  }
  return document;
}
