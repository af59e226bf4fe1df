/** What a scan found → an SPDX 2.3 document (https://spdx.github.io/spdx-spec/v2.3/). The same input gives the same bytes. */
import { createHash } from "node:crypto";
import { type LicenceText, licenceExpression } from "./licence.ts";
import { type Package, present, type System } from "./package.ts";
import { packageUrl } from "./purl.ts";
import type { FoundFile, Scanned } from "./scan/scan.ts";

/** What the document is about. */
export interface SpdxSubject {
  /** As people call it: a name with its tag, "context", a stage's name. */
  readonly name: string;
  /** Hexadecimal sha256 of the manifest; undefined for what has none. */
  readonly sha256?: string;
  readonly purl?: string;
  readonly purpose: "CONTAINER" | "SOURCE" | "OPERATING-SYSTEM";
  /** ISO 8601. */
  readonly created: string;
  /** `wbuild-1.2.3`. */
  readonly tool: string;
}

export type SpdxDocument = Readonly<Record<string, unknown>>;

const root = "SPDXRef-DocumentRoot";
const none = "NOASSERTION";

interface Relationship {
  readonly spdxElementId: string;
  readonly relationshipType: "DESCRIBES" | "CONTAINS";
  readonly relatedSpdxElement: string;
}

/** What an image holds, as an SPDX 2.3 document: the packages that were found, their files and licences. */
export function spdxDocument(scanned: Scanned, subject: SpdxSubject): SpdxDocument {
  const { system, packages, files, notes } = scanned;
  const relationships: Relationship[] = [contains("SPDXRef-DOCUMENT", root, "DESCRIBES")];
  const licences = new Map<string, LicenceText>();
  const listed: object[] = [rootPackage(subject)];
  const add = (one: { readonly SPDXID: string }) => {
    listed.push(one);
    relationships.push(contains(root, one.SPDXID));
  };
  if (system) add(systemPackage(system));
  const ids = new Set<string>();
  for (const one of packages) {
    const own = filesOf(one, files);
    const entry = packageEntry(one, system, own, licences);
    // Two databases of one image may tell of the same package.
    if (ids.has(entry.SPDXID)) continue;
    ids.add(entry.SPDXID);
    add(entry);
    for (const file of own) relationships.push(contains(entry.SPDXID, fileId(file)));
  }
  const distinct = new Map([...files.values()].map((file) => [file.path, file]));
  const fileEntries = [...distinct.values()].sort((a, b) => (a.path < b.path ? -1 : 1)).map(fileEntry);
  const document = {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: subject.name,
    documentNamespace: "",
    creationInfo: { created: seconds(subject.created), creators: [`Tool: ${subject.tool}`] },
    ...(notes.length === 0 ? {} : { comment: `Not complete: ${notes.join("; ")}.` }),
    packages: listed,
    ...(fileEntries.length === 0 ? {} : { files: fileEntries }),
    ...(licences.size === 0 ? {} : { hasExtractedLicensingInfos: [...licences.values()].sort(byId) }),
    relationships,
  };
  const content = createHash("sha256").update(JSON.stringify(document)).digest("hex");
  const place = [subject.sha256, content.slice(0, 32)].filter(Boolean).join("-");
  return { ...document, documentNamespace: `https://spdx.org/spdxdocs/wbuild-${place}` };
}

function contains(from: string, to: string, how: Relationship["relationshipType"] = "CONTAINS"): Relationship {
  return { spdxElementId: from, relationshipType: how, relatedSpdxElement: to };
}

/** SPDX knows no fractions of a second (section 6.9). */
function seconds(created: string): string {
  const at = Date.parse(created);
  return `${new Date(Number.isFinite(at) ? at : 0).toISOString().slice(0, 19)}Z`;
}

function byId(a: LicenceText, b: LicenceText): number {
  return a.licenseId < b.licenseId ? -1 : 1;
}

function rootPackage({ name, sha256, purl, purpose }: SpdxSubject) {
  return {
    SPDXID: root,
    name,
    ...(sha256 === undefined ? {} : { versionInfo: `sha256:${sha256}` }),
    downloadLocation: none,
    filesAnalyzed: false,
    ...(sha256 === undefined ? {} : { checksums: [{ algorithm: "SHA256", checksumValue: sha256 }] }),
    ...(purl === undefined ? {} : { externalRefs: [purlRef(purl)] }),
    licenseConcluded: none,
    licenseDeclared: none,
    copyrightText: none,
    primaryPackagePurpose: purpose,
  };
}

function systemPackage({ id, name, version, foundIn }: System) {
  return {
    SPDXID: "SPDXRef-OperatingSystem",
    name,
    ...(version === "" ? {} : { versionInfo: version }),
    downloadLocation: none,
    filesAnalyzed: false,
    sourceInfo: `from ${foundIn}`,
    comment: id,
    licenseConcluded: none,
    licenseDeclared: none,
    copyrightText: none,
    primaryPackagePurpose: "OPERATING-SYSTEM",
  };
}

function packageEntry(
  one: Package,
  system: System | undefined,
  files: readonly FoundFile[],
  licences: Map<string, LicenceText>,
) {
  const licence = one.licence === undefined ? undefined : licenceExpression(one.licence);
  for (const text of licence?.extracted ?? []) licences.set(text.licenseId, text);
  const { ecosystem, name, version, supplier, description, homepage, foundIn } = one;
  const url = packageUrl(one, system);
  const place = createHash("sha256")
    .update(JSON.stringify([url, foundIn]))
    .digest("hex")
    .slice(0, 16);
  return {
    SPDXID: `SPDXRef-Package-${ecosystem}-${idPart(name)}-${place}`,
    name,
    ...(version === "" ? {} : { versionInfo: version }),
    ...present({
      supplier:
        supplier === undefined ? undefined : `${/[<@]/.test(supplier) ? "Person" : "Organization"}: ${supplier}`,
      homepage: homepage !== undefined && /^https?:\/\/[^\s"<>\\^`{|}]+$/.test(homepage) ? homepage : undefined,
      description,
    }),
    downloadLocation: none,
    sourceInfo: `from ${foundIn}`,
    filesAnalyzed: files.length > 0,
    ...(files.length > 0 ? { packageVerificationCode: { packageVerificationCodeValue: verificationCode(files) } } : {}),
    licenseConcluded: none,
    licenseDeclared: licence?.expression ?? none,
    copyrightText: none,
    externalRefs: [purlRef(url)],
  };
}

function idPart(name: string): string {
  return name.replace(/[^A-Za-z0-9.-]+/g, "-").slice(0, 80);
}

function purlRef(referenceLocator: string) {
  return { referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator };
}

/** Section 7.9: the sorted SHA1 sums of the files, hashed again. */
function verificationCode(files: readonly FoundFile[]): string {
  const sums = files.map(({ sha1 }) => sha1).sort();
  return createHash("sha1").update(sums.join("")).digest("hex");
}

/** Each once, by path. */
function filesOf({ files: wanted }: Package, files: Scanned["files"]): FoundFile[] {
  const own = new Map<string, FoundFile>();
  for (const path of wanted) {
    const file = files.get(path);
    if (file) own.set(file.path, file);
  }
  return [...own.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function fileId({ path }: FoundFile): string {
  return `SPDXRef-File-${createHash("sha256").update(JSON.stringify(path)).digest("hex").slice(0, 32)}`;
}

function fileEntry(file: FoundFile) {
  return {
    SPDXID: fileId(file),
    fileName: `./${file.path}`,
    checksums: [
      { algorithm: "SHA1", checksumValue: file.sha1 },
      { algorithm: "SHA256", checksumValue: file.sha256 },
    ],
    licenseConcluded: none,
    copyrightText: none,
  };
}
