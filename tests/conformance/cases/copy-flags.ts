import { type CaseTable, type FileSpec, linux, scratch } from "../case.ts";

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
      name: "folders made for the target get an octal mode, too",
      context: modes,
      file: [scratch, "COPY --chmod=600 d/plain /x/y", "COPY --chmod=4711 d/plain /x/z/f", "COPY --chmod=750 d /w/v"],
      tree: [
        "750 0:0 dir w",
        "750 0:0 dir w/v",
        ...withMode("750", "750", "750", "750").map((line) => line.replace(/(?<= (?:dir|file|link) )/, "w/v/")),
        "600 0:0 dir x",
        '600 0:0 file x/y = "p"',
        "711 0:0 dir x/z",
        '4711 0:0 file x/z/f = "p"',
      ],
    },
    {
      name: "folders made for the target have 755 where clauses change a mode",
      context: modes,
      file: [scratch, "COPY --chmod=go= d/plain /x/y", "COPY --chmod=a=rX d /w/"],
      tree: [
        "755 0:0 dir w",
        ...withMode("444", "555", "444", "555").map((line) => line.replace(/(?<= (?:dir|file|link) )/, "w/")),
        "755 0:0 dir x",
        '600 0:0 file x/y = "p"',
      ],
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
      tree: ["711 0:0 dir x", '711 0:0 file x/y = "a\\n"'],
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
