import { digestOf } from "../../../layerfs/store/digest.ts";
import { archive, archiveGz, climbingArchive, compressedBy, gzippedText } from "../archives.ts";
import { type Case, type CaseTable, type FileSpec, linux, scratch } from "../case.ts";

const short = (bytes: Uint8Array) => digestOf(bytes).slice(0, 19);
const archiveDigest = short(archive);

const context: Readonly<Record<string, FileSpec>> = {
  "x.tar": { bytes: archive },
  "x.tar.gz": { bytes: archiveGz },
  "odd-name": { bytes: archiveGz },
  "text.gz": { bytes: gzippedText },
  "climb.tar": { bytes: climbingArchive },
  "not.tar": "no archive\n",
  "d/f": "f\n",
};

const unpacked = (at: string, owner = "5:6") => [
  ...(at === "" ? [] : [`755 ${owner === "5:6" ? "0:0" : owner} dir ${at.replace(/\/$/, "")}`]),
  `750 ${owner} dir ${at}top`,
  `640 ${owner} file ${at}top/file = "file\\n"`,
  `777 ${owner} link ${at}top/link -> file`,
  `755 ${owner} file ${at}top/run = "run\\n"`,
  `640 ${owner} hard ${at}top/same -> ${at}top/file`,
];

function compressed(program: string, end: string): Case[] {
  const bytes = compressedBy(program);
  if (bytes === undefined) return [];
  return [
    {
      name: `an archive packed with ${program}`,
      context: { [`x.tar.${end}`]: { bytes } },
      file: [scratch, `ADD x.tar.${end} /`],
      tree: unpacked(""),
    },
  ];
}

export const addCases: CaseTable = {
  about: "ADD",
  cases: [
    {
      name: "a file, as COPY",
      file: [scratch, "ADD a.txt /x/"],
      tree: ["755 0:0 dir x", '644 0:0 file x/a.txt = "a\\n"'],
      history: ["ADD a.txt /x/ # buildkit"],
    },
    {
      name: "a folder, as COPY",
      context,
      file: [scratch, "ADD d /x"],
      tree: ["755 0:0 dir x", '644 0:0 file x/f = "f\\n"'],
    },
    { name: "the JSON form", file: [scratch, 'ADD ["with space.txt", "/x"]'], tree: ['644 0:0 file x = "space\\n"'] },
    {
      name: "an archive is unpacked, with owners and modes",
      context,
      file: [scratch, "ADD x.tar /"],
      tree: unpacked(""),
    },
    { name: "a compressed archive", context, file: [scratch, "ADD x.tar.gz /x/"], tree: unpacked("x/") },
    ...compressed("xz", "xz"),
    ...compressed("bzip2", "bz2"),
    ...compressed("zstd", "zst"),
    {
      name: "an archive is known by its bytes, not by its name",
      context,
      file: [scratch, "ADD odd-name /"],
      tree: unpacked(""),
    },
    {
      name: "nor is one by its name alone",
      context,
      file: [scratch, "ADD not.tar /"],
      tree: ['644 0:0 file not.tar = "no archive\\n"'],
    },
    {
      name: "a compressed file that is no archive is copied",
      context,
      file: [scratch, "ADD --chmod=600 text.gz /x.gz"],
      tree: [`600 0:0 file x.gz ${short(gzippedText)}`],
    },
    {
      name: "a target without a slash is a folder all the same",
      context,
      file: [scratch, "ADD x.tar /x"],
      tree: unpacked("x/"),
    },
    {
      name: "archives in a folder stay archives",
      context: { "d/x.tar": { bytes: archive } },
      file: [scratch, "ADD d /d", "ADD --unpack=false d/x.tar /e/"],
      tree: [
        "755 0:0 dir d",
        `644 0:0 file d/x.tar ${archiveDigest}`,
        "755 0:0 dir e",
        `644 0:0 file e/x.tar ${archiveDigest}`,
      ],
    },
    {
      name: "--unpack=false",
      context,
      file: [scratch, "ADD --unpack=false x.tar /"],
      tree: [`644 0:0 file x.tar ${archiveDigest}`],
    },
    { name: "--unpack=true", context, file: [scratch, "ADD --unpack=true x.tar /"], tree: unpacked("") },
    { name: "--unpack", context, file: [scratch, "ADD --unpack x.tar /"], tree: unpacked("") },
    {
      name: "--chown is everything's in the archive",
      context,
      file: [scratch, "ADD --chown=1:2 x.tar /x/"],
      tree: unpacked("x/", "1:2"),
    },
    {
      name: "--chmod is for what is no archive",
      context,
      file: [scratch, "ADD --chmod=600 --chown=1:2 x.tar /x/"],
      tree: unpacked("x/", "1:2"),
    },
    {
      name: "--chown of a file",
      file: [linux, "ADD --chown=www-data a.txt /"],
      tree: ['644 33:33 file a.txt = "a\\n"'],
    },
    {
      name: "--chmod of a file",
      file: [scratch, "ADD --chmod=u=rw,go= a.txt /"],
      tree: ['600 0:0 file a.txt = "a\\n"'],
    },
    { name: "--link", context, file: [scratch, "ADD --link x.tar /x/"], tree: unpacked("x/") },
    {
      name: "--exclude",
      file: [scratch, "ADD --exclude=*.md --exclude=deep dir/sub /"],
      tree: ['644 0:0 file three.txt = "3\\n"'],
    },
    {
      name: "COPY leaves archives as they are",
      context,
      file: [scratch, "COPY x.tar /"],
      tree: [`644 0:0 file x.tar ${archiveDigest}`],
    },
    {
      name: "onto a file that is there",
      context: { "x.tar": { bytes: archive }, top: "file" },
      file: [scratch, "ADD top /top", "ADD x.tar /"],
      tree: unpacked(""),
    },
    {
      name: "an archive that climbs out is refused",
      context,
      file: [scratch, "ADD climb.tar /x/"],
      error: "STEP_ARCHIVE",
    },
    {
      name: "an archive that is cut short",
      context: { "x.tar": { bytes: archive.subarray(0, 700) } },
      file: [scratch, "ADD x.tar /"],
      error: "STEP_ARCHIVE",
    },
    { name: "what is not there", file: [scratch, "ADD nothing /"], error: "CTX_NO_SOURCE" },
    {
      name: "--checksum of a file of the context",
      file: [scratch, "ADD --checksum=sha256:00 a.txt /"],
      error: "DF_REMOTE_SOURCE",
    },
    {
      name: "--keep-git-dir without a repository",
      file: [scratch, "ADD --keep-git-dir=true a.txt /"],
      tree: ['644 0:0 file a.txt = "a\\n"'],
    },
    {
      name: "a checksum that is none",
      file: [scratch, "ADD --checksum=md5:0 http://a.invalid/x /"],
      error: "DF_REMOTE_SOURCE",
    },
    { name: "a URL that is none", file: [scratch, "ADD https://[x /"], error: "CTX_FETCH" },
    {
      name: "a repository's ref that git would take as an option",
      file: [scratch, "ADD https://a.invalid/x.git#--upload-pack=x /"],
      error: "CTX_GIT_URL",
    },
    {
      name: "a checksum of a repository that is no commit",
      file: [scratch, "ADD --checksum=sha256:00 https://a.invalid/x.git /"],
      error: "CTX_GIT_URL",
    },
    { name: "COPY's flags", file: [scratch, "ADD --from=one a.txt /"], error: "DF_UNKNOWN_FLAG" },
    { name: "--unpack with another value", file: [scratch, "ADD --unpack=maybe a.txt /"], error: "DF_FLAG_VALUE" },
    { name: "one word is too few", file: [scratch, "ADD a.txt"], error: "DF_MISSING_ARGUMENT" },
  ],
};
