import { type CaseTable, type FileSpec, scratch } from "../case.ts";

const project: Readonly<Record<string, FileSpec>> = {
  "package.json": "root",
  "packages/a/package.json": "a",
  "packages/a/src/a.ts": "a",
  "packages/b/package.json": "b",
  "packages/b/node_modules/x/package.json": "x",
  "docs/readme.md": "r",
  "shut/": { folder: true, mode: 0o750 },
  "shut/x": "x",
};

export const copyParentsCases: CaseTable = {
  about: "COPY --parents",
  cases: [
    {
      name: "a file with its folders",
      context: project,
      file: [scratch, "COPY --parents packages/a/package.json /x/"],
      tree: [
        "755 0:0 dir x",
        "755 0:0 dir x/packages",
        "755 0:0 dir x/packages/a",
        '644 0:0 file x/packages/a/package.json = "a"',
      ],
      history: ["COPY --parents packages/a/package.json /x/ # buildkit"],
    },
    {
      name: "a folder with its folders",
      context: project,
      file: [scratch, "COPY --parents packages/a/src /x"],
      tree: [
        "755 0:0 dir x",
        "755 0:0 dir x/packages",
        "755 0:0 dir x/packages/a",
        "755 0:0 dir x/packages/a/src",
        '644 0:0 file x/packages/a/src/a.ts = "a"',
      ],
    },
    {
      name: "a pattern",
      context: project,
      file: [scratch, "COPY --parents packages/*/package.json ."],
      tree: [
        "755 0:0 dir packages",
        "755 0:0 dir packages/a",
        '644 0:0 file packages/a/package.json = "a"',
        "755 0:0 dir packages/b",
        '644 0:0 file packages/b/package.json = "b"',
      ],
    },
    {
      name: "a doubled star",
      context: project,
      file: [scratch, "COPY --parents **/package.json /"],
      tree: [
        '644 0:0 file package.json = "root"',
        "755 0:0 dir packages",
        "755 0:0 dir packages/a",
        '644 0:0 file packages/a/package.json = "a"',
        "755 0:0 dir packages/b",
        "755 0:0 dir packages/b/node_modules",
        "755 0:0 dir packages/b/node_modules/x",
        '644 0:0 file packages/b/node_modules/x/package.json = "x"',
        '644 0:0 file packages/b/package.json = "b"',
      ],
    },
    {
      name: "what stands before a pivot is left out",
      context: project,
      file: [scratch, "COPY --parents packages/./a/src /x/"],
      tree: ["755 0:0 dir x", "755 0:0 dir x/a", "755 0:0 dir x/a/src", '644 0:0 file x/a/src/a.ts = "a"'],
    },
    {
      name: "of two pivots the first counts",
      context: project,
      file: [scratch, "COPY --parents ./packages/./a/./src /x/"],
      tree: ["755 0:0 dir x", "755 0:0 dir x/a", "755 0:0 dir x/a/src", '644 0:0 file x/a/src/a.ts = "a"'],
    },
    {
      name: "a pattern before the pivot",
      context: project,
      file: [scratch, "COPY --parents packages/*/./src /x/"],
      tree: ["755 0:0 dir x", "755 0:0 dir x/src", '644 0:0 file x/src/a.ts = "a"'],
    },
    {
      name: "several sources",
      context: project,
      file: [scratch, "COPY --parents package.json docs/./readme.md /x/"],
      tree: ["755 0:0 dir x", '644 0:0 file x/package.json = "root"', '644 0:0 file x/readme.md = "r"'],
    },
    {
      name: "folders keep their modes",
      context: project,
      file: [scratch, "COPY --parents shut/x /"],
      tree: ["750 0:0 dir shut", '644 0:0 file shut/x = "x"'],
    },
    {
      name: "owner and mode are the folders', too",
      context: project,
      file: [scratch, "COPY --parents --chown=1:2 --chmod=711 shut/x /"],
      tree: ["711 1:2 dir shut", '711 1:2 file shut/x = "x"'],
    },
    {
      name: "a pattern without a match makes the target",
      context: project,
      file: [scratch, "COPY --parents nothing/* /x/"],
      tree: ["755 0:0 dir x"],
    },
    {
      name: "a name that is not there",
      context: project,
      file: [scratch, "COPY --parents nothing/here /x/"],
      error: "CTX_NO_SOURCE",
    },
    {
      name: "from a stage",
      context: project,
      file: [`${scratch} AS one`, "COPY . /w", scratch, "COPY --from=one --parents /w/packages/./*/src /out/"],
      tree: ["755 0:0 dir out", "755 0:0 dir out/a", "755 0:0 dir out/a/src", '644 0:0 file out/a/src/a.ts = "a"'],
    },
    {
      name: "--parents=false is none",
      context: project,
      file: [scratch, "COPY --parents=false docs/readme.md /"],
      tree: ['644 0:0 file readme.md = "r"'],
    },
    {
      name: "with --link",
      context: project,
      file: [scratch, "COPY --link --parents docs/readme.md /"],
      tree: ["755 0:0 dir docs", '644 0:0 file docs/readme.md = "r"'],
    },
  ],
};

export const copyExcludeCases: CaseTable = {
  about: "COPY --exclude",
  cases: [
    {
      name: "files of one kind, at the top of a folder",
      file: [scratch, "COPY --exclude=*.md dir/sub /"],
      tree: ["755 0:0 dir deep", '644 0:0 file deep/five.txt = "5\\n"', '644 0:0 file three.txt = "3\\n"'],
    },
    {
      name: "a star does not go below",
      file: [scratch, "COPY --exclude=*.txt dir/sub /"],
      tree: ["755 0:0 dir deep", '644 0:0 file deep/five.txt = "5\\n"', '644 0:0 file four.md = "4\\n"'],
    },
    {
      name: "a doubled star does",
      file: [scratch, "COPY --exclude=**/*.txt dir/sub /"],
      tree: ["755 0:0 dir deep", '644 0:0 file four.md = "4\\n"'],
    },
    {
      name: "a folder with all that is in it",
      file: [scratch, "COPY --exclude=sub dir /"],
      tree: ["777 0:0 link link -> one.txt", '644 0:0 file one.txt = "1\\n"', '644 0:0 file two.md = "2\\n"'],
    },
    {
      name: "patterns are relative to the source, not the context",
      file: [scratch, "COPY --exclude=dir/sub --exclude=link dir/sub /"],
      tree: [
        "755 0:0 dir deep",
        '644 0:0 file deep/five.txt = "5\\n"',
        '644 0:0 file four.md = "4\\n"',
        '644 0:0 file three.txt = "3\\n"',
      ],
    },
    {
      name: "an exception, and the folders it needs",
      file: [scratch, "COPY --exclude=* --exclude=!sub/deep/five.txt dir /"],
      tree: ["755 0:0 dir sub", "755 0:0 dir sub/deep", '644 0:0 file sub/deep/five.txt = "5\\n"'],
    },
    {
      name: "the last pattern that matches decides",
      file: [scratch, "COPY --exclude=!four.md --exclude=*.md --exclude=deep dir/sub /"],
      tree: ['644 0:0 file three.txt = "3\\n"'],
    },
    {
      name: "everything",
      file: [scratch, "COPY --exclude=* dir /x"],
      tree: ["755 0:0 dir x"],
    },
    {
      name: "files that a wildcard matches",
      file: [scratch, "COPY --exclude=b* ?.txt /d/"],
      tree: ["755 0:0 dir d", '644 0:0 file d/a.txt = "a\\n"'],
    },
    {
      name: "with --parents, relative to the context or the pivot",
      context: project,
      file: [scratch, "COPY --parents --exclude=**/node_modules packages/./**/package.json /x/"],
      tree: [
        "755 0:0 dir x",
        "755 0:0 dir x/a",
        '644 0:0 file x/a/package.json = "a"',
        "755 0:0 dir x/b",
        '644 0:0 file x/b/package.json = "b"',
      ],
    },
    {
      name: "from a stage",
      file: [`${scratch} AS one`, "COPY dir /d", scratch, "COPY --from=one --exclude=sub --exclude=link /d /"],
      tree: ['644 0:0 file one.txt = "1\\n"', '644 0:0 file two.md = "2\\n"'],
    },
    {
      name: "a pattern from a variable",
      file: [scratch, "ARG no=deep", "COPY --exclude=$no --exclude=*.md dir/sub /"],
      tree: ['644 0:0 file three.txt = "3\\n"'],
    },
    {
      name: "with .dockerignore",
      context: { ".dockerignore": "d/a\n", "d/a": "a", "d/b": "b", "d/c": "c" },
      file: [scratch, "COPY --exclude=b d /"],
      tree: ['644 0:0 file c = "c"'],
    },
    { name: "no pattern", file: [scratch, "COPY --exclude=a[ dir /"], error: "DF_EXCLUDE" },
  ],
};
