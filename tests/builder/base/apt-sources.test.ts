import test from "ava";
import { linesFor, parseAptSources } from "../../../builder/base/apt-sources.ts";

const deb822 = `# the distribution
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
 contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://source.example/debian
Suites: bookworm
Components: main
`;

const cases: [name: string, file: string, text: string, lines: string[]][] = [
  [
    "deb822",
    "debian.sources",
    deb822,
    [
      "deb http://mirror.example/debian bookworm main",
      "deb http://mirror.example/debian bookworm-updates main",
      "deb http://mirror.example/security bookworm-security main",
    ],
  ],
  [
    "one line each, with options and a comment",
    "sources.list",
    "# deb http://old.example/debian bookworm main\ndeb [arch=amd64 signed-by=/x] https://m.example/debian bookworm main contrib # mine\ndeb-src https://m.example/debian bookworm main\n",
    ["deb https://m.example/debian bookworm main"],
  ],
  ["another release", "sources.list", "deb http://m.example/debian trixie main\n", []],
  ["updates without the release itself", "sources.list", "deb http://m.example/debian bookworm-updates main\n", []],
  ["third parties without main", "sources.list", "deb http://m.example/x bookworm stable\n", []],
  ["a source of this host alone", "sources.list", "deb file:/srv/mirror bookworm main\n", []],
  ["a mirror with a password", "sources.list", "deb https://me:secret@m.example/debian bookworm main\n", []],
  ["nothing", "sources.list", "", []],
];
for (const [name, file, text, lines] of cases) {
  test(`apt sources: ${name}`, (t) => t.deepEqual(linesFor("bookworm", parseAptSources(file, text)), lines));
}
