import { type CaseTable, type FileSpec, linux, scratch } from "../case.ts";

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

const modes: Readonly<Record<string, FileSpec>> = {
  "d/plain": "p",
  "d/program": { text: "#!", mode: 0o755 },
  "d/secret": { text: "s", mode: 0o600 },
  "d/shut": { folder: true, mode: 0o700 },
  "d/l": { to: "plain" },
};

const withMode = (plain: string, program: string, secret: string, shut: string) => [
  "777 0:0 link l -> plain",
  `${plain} 0:0 file plain = "p"`,
  `${program} 0:0 file program = "#!"`,
  `${secret} 0:0 file secret = "s"`,
  `${shut} 0:0 dir shut`,
];

export const copyModeCases: CaseTable = {
  about: "COPY --chmod and --chown",
  cases: [
    {
      name: "an octal mode is every file's and folder's, but no link's",
      context: modes,
      file: [scratch, "COPY --chmod=640 d /"],
      tree: withMode("640", "640", "640", "640"),
      history: ["COPY --chmod=640 d / # buildkit"],
    },
    {
      name: "an octal mode with a leading 0",
      context: modes,
      file: [scratch, "COPY --chmod=0711 d /"],
      tree: withMode("711", "711", "711", "711"),
    },
    {
      name: "special bits",
      context: modes,
      file: [scratch, "COPY --chmod=4755 d /"],
      tree: withMode("4755", "4755", "4755", "4755"),
    },
    { name: "mode 0", context: modes, file: [scratch, "COPY --chmod=0 d/plain /"], tree: ['0 0:0 file plain = "p"'] },
    {
      name: "u=rwX,go=rX makes folders and programs executable",
      context: modes,
      file: [scratch, "COPY --chmod=u=rwX,go=rX d /"],
      tree: withMode("644", "755", "644", "755"),
      history: ["COPY --chmod=u=rwX,go=rX d / # buildkit"],
    },
    { name: "+x", context: modes, file: [scratch, "COPY --chmod=+x d /"], tree: withMode("755", "755", "711", "711") },
    {
      name: "go-rx",
      context: modes,
      file: [scratch, "COPY --chmod=go-rx d /"],
      tree: withMode("600", "700", "600", "700"),
    },
    {
      name: "a-w,g+s",
      context: modes,
      file: [scratch, "COPY --chmod=a-w,g+s d /"],
      tree: withMode("2444", "2555", "2400", "2500"),
    },
    {
      name: "g=u",
      context: modes,
      file: [scratch, "COPY --chmod=g=u d /"],
      tree: withMode("664", "775", "660", "770"),
    },
    {
      name: "a mode from a variable",
      context: modes,
      file: [scratch, "ARG mode=700", "COPY --chmod=$mode d/plain /"],
      tree: ['700 0:0 file plain = "p"'],
    },
    {
      name: "folders made for the target have 755",
      context: modes,
      file: [scratch, "COPY --chmod=600 d/plain /x/y"],
      tree: ["755 0:0 dir x", '600 0:0 file x/y = "p"'],
    },
    { name: "no mode", file: [scratch, "COPY --chmod=888 a.txt /"], error: "DF_CHMOD" },
    { name: "a mode that is too large", file: [scratch, "COPY --chmod=17777 a.txt /"], error: "DF_CHMOD" },
    { name: "clauses that are none", file: [scratch, "COPY --chmod=u=rwz a.txt /"], error: "DF_CHMOD" },
    {
      name: "numbers",
      file: [scratch, "COPY --chown=12:34 a.txt /x/y"],
      tree: ["755 12:34 dir x", '644 12:34 file x/y = "a\\n"'],
      history: ["COPY --chown=12:34 a.txt /x/y # buildkit"],
    },
    {
      name: "a number alone is also the group's",
      file: [scratch, "COPY --chown=12 a.txt /"],
      tree: ['644 12:12 file a.txt = "a\\n"'],
    },
    {
      name: "names of the image's own accounts",
      file: [linux, "COPY --chown=www-data:daemon a.txt /"],
      tree: ['644 33:1 file a.txt = "a\\n"'],
    },
    {
      name: "a name alone brings its group",
      file: [linux, "COPY --chown=www-data a.txt /"],
      tree: ['644 33:33 file a.txt = "a\\n"'],
    },
    {
      name: "a number with a group's name",
      file: [linux, "COPY --chown=5:www-data a.txt /"],
      tree: ['644 5:33 file a.txt = "a\\n"'],
    },
    {
      name: "a name with a group's number",
      file: [linux, "COPY --chown=www-data:7 a.txt /"],
      tree: ['644 33:7 file a.txt = "a\\n"'],
    },
    { name: "a name that nobody has", file: [linux, "COPY --chown=nobody-here a.txt /"], error: "STEP_USER" },
    { name: "a name where there are no accounts", file: [scratch, "COPY --chown=me a.txt /"], error: "STEP_USER" },
    {
      name: "accounts that an earlier COPY brought",
      context: { passwd: "me:x:7:8::/:/bin/sh\n", group: "us:x:9:\n", f: "f" },
      file: [scratch, "COPY passwd group /etc/", "COPY --chown=me:us f /"],
      tree: [
        "755 0:0 dir etc",
        '644 0:0 file etc/group = "us:x:9:\\n"',
        '644 0:0 file etc/passwd = "me:x:7:8::/:/bin/sh\\n"',
        '644 7:9 file f = "f"',
      ],
    },
    {
      name: "an owner from a variable",
      file: [scratch, "ARG who=3:4", "COPY --chown=$who a.txt /"],
      tree: ['644 3:4 file a.txt = "a\\n"'],
    },
    {
      name: "owner and mode together",
      file: [scratch, "COPY --chown=1:2 --chmod=400 a.txt /"],
      tree: ['400 1:2 file a.txt = "a\\n"'],
      history: ["COPY --chown=1:2 --chmod=400 a.txt / # buildkit"],
    },
    {
      name: "a folder that is there keeps its owner",
      file: [scratch, "WORKDIR /w", "COPY --chown=1:2 a.txt /w/"],
      tree: ["755 0:0 dir w", '644 1:2 file w/a.txt = "a\\n"'],
    },
  ],
};

export const copyLinkCases: CaseTable = {
  about: "COPY --link",
  cases: [
    {
      name: "a file",
      file: [scratch, "COPY --link a.txt /x/y"],
      tree: ["755 0:0 dir x", '644 0:0 file x/y = "a\\n"'],
      history: ["COPY a.txt /x/y # buildkit"],
    },
    {
      name: "--link=false is none",
      file: [scratch, "WORKDIR /x", "COPY --link=false a.txt /x"],
      tree: ["755 0:0 dir x", '644 0:0 file x/a.txt = "a\\n"'],
    },
    {
      name: "a folder below is not looked at: the target is a file",
      file: [scratch, "COPY dir/sub /x", "COPY --link a.txt /x"],
      tree: ['644 0:0 file x = "a\\n"'],
    },
    {
      name: "a folder on top of a folder adds to it",
      file: [scratch, "COPY dir/sub/deep /x", "COPY --link a.txt /x/"],
      tree: ["755 0:0 dir x", '644 0:0 file x/a.txt = "a\\n"', '644 0:0 file x/five.txt = "5\\n"'],
    },
    {
      name: "a link below is not followed, but covered",
      context: { "d/l": { to: "real" }, "d/real/x": "x", f: "f" },
      file: [scratch, "COPY d /", "COPY --link f /l/"],
      tree: ["755 0:0 dir l", '644 0:0 file l/f = "f"', "755 0:0 dir real", '644 0:0 file real/x = "x"'],
    },
    {
      name: "folders above are made anew, and have 755",
      context: { "d/s/t": { folder: true, mode: 0o700 }, f: "f" },
      file: [scratch, "COPY d /", "COPY --link f /s/t/"],
      tree: ["755 0:0 dir s", "755 0:0 dir s/t", '644 0:0 file s/t/f = "f"'],
    },
    {
      name: "a file below is replaced by a folder",
      context: { x: "file", "d/y": "y" },
      file: [scratch, "COPY x /x", "COPY --link d /x"],
      tree: ["755 0:0 dir x", '644 0:0 file x/y = "y"'],
    },
    {
      name: "with numbers as owner",
      file: [linux, "COPY --link --chown=5:6 a.txt /"],
      tree: ['644 5:6 file a.txt = "a\\n"'],
    },
    {
      name: "with root as owner",
      file: [linux, "COPY --link --chown=root:root a.txt /"],
      tree: ['644 0:0 file a.txt = "a\\n"'],
    },
    { name: "with a name as owner", file: [linux, "COPY --link --chown=www-data a.txt /"], error: "DF_CHOWN" },
    {
      name: "with a mode",
      file: [scratch, "COPY --link --chmod=711 a.txt /x/y"],
      tree: ["755 0:0 dir x", '711 0:0 file x/y = "a\\n"'],
    },
    {
      name: "from a stage",
      file: [`${scratch} AS one`, "COPY a.txt /a", scratch, "COPY --link --from=one /a /b/"],
      tree: ["755 0:0 dir b", '644 0:0 file b/a = "a\\n"'],
    },
    {
      name: "later steps stand on it",
      file: [scratch, "COPY --link a.txt /x/", "COPY --link b.txt /x/", "WORKDIR /x", "COPY run.sh ."],
      tree: [
        "755 0:0 dir x",
        '644 0:0 file x/a.txt = "a\\n"',
        '644 0:0 file x/b.txt = "b\\n"',
        '755 0:0 file x/run.sh = "#!/bin/sh\\necho run\\n"',
      ],
    },
    {
      name: "a RUN sees what was linked",
      runs: true,
      file: [linux, "COPY --link a.txt /x/y/", "RUN cat /x/y/a.txt > /seen"],
      tree: ['644 0:0 file seen = "a\\n"', "755 0:0 dir x", "755 0:0 dir x/y", '644 0:0 file x/y/a.txt = "a\\n"'],
    },
  ],
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
