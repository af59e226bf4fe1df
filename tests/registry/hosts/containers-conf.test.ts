/** registries.conf: which places a name leads to, in podman's order and by podman's rules. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "ava";
import { containersRoutes, parseContainersConf, readContainersConf } from "../../../registry/hosts/containers-conf.ts";
import type { Routes } from "../../../registry/hosts/route.ts";

/** One line for each place: what it is for, where, and how. */
function told(routes: Routes | undefined): string[] | undefined {
  if (!routes) return undefined;
  if (routes.isBlocked) return ["blocked"];
  const line = (use: string, { host, repository, isInsecure, serves: { tags, digests } }: Routes["pull"][number]) =>
    [
      use,
      `${host}/${repository}`,
      ...(isInsecure ? ["insecure"] : []),
      ...(tags ? [] : ["digests"]),
      ...(digests ? [] : ["tags"]),
    ].join(" ");
  return [
    ...routes.pull.map((route) => line(route.isMirror ? "mirror" : "pull", route)),
    ...(routes.push ? [line("push", routes.push)] : []),
  ];
}

const rows: [title: string, conf: string, name: string, expected: string[] | undefined][] = [
  [
    "a mirror that is blocked itself is left out",
    '[[registry]]\nlocation = "r.test"\n[[registry.mirror]]\nlocation = "m.test"\n[[registry]]\nlocation = "m.test"\nblocked = true',
    "r.test/a",
    ["pull r.test/a", "push r.test/a"],
  ],
  [
    "a location that is blocked itself",
    '[[registry]]\nprefix = "r.test"\nlocation = "l.test"\n[[registry]]\nlocation = "l.test"\nblocked = true',
    "r.test/a",
    ["blocked"],
  ],
  [
    "a file without registries",
    'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "enforcing"',
    "docker.io/library/a",
    undefined,
  ],
  ["another registry", '[[registry]]\nlocation = "quay.io"', "docker.io/library/a", undefined],
  [
    "an insecure one",
    '[[registry]]\nlocation = "r.test:5000"\ninsecure = true',
    "r.test:5000/a",
    ["pull r.test:5000/a insecure", "push r.test:5000/a insecure"],
  ],
  ["a blocked one", '[[registry]]\nlocation = "r.test"\nblocked = true', "r.test/a/b", ["blocked"]],
  [
    "a blocked namespace, name inside",
    '[[registry]]\nprefix = "r.test/bad"\nlocation = "r.test/bad"\nblocked = true',
    "r.test/bad/app",
    ["blocked"],
  ],
  [
    "a blocked namespace, name that begins alike",
    '[[registry]]\nprefix = "r.test/bad"\nlocation = "r.test/bad"\nblocked = true',
    "r.test/badly/app",
    undefined,
  ],
  [
    "mirrors, in their order, before the registry; pushes go to none",
    '[[registry]]\nlocation = "docker.io"\n[[registry.mirror]]\nlocation = "m1.test"\n[[registry.mirror]]\nlocation = "m2.test:5000/hub/"\ninsecure = true',
    "docker.io/library/a",
    [
      "mirror m1.test/library/a",
      "mirror m2.test:5000/hub/library/a insecure",
      "pull docker.io/library/a",
      "push docker.io/library/a",
    ],
  ],
  [
    "mirrors for digests alone",
    '[[registry]]\nlocation = "r.test"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.test"',
    "r.test/a",
    ["mirror m.test/a digests", "pull r.test/a", "push r.test/a"],
  ],
  [
    "mirrors that say what they are for",
    '[[registry]]\nlocation = "r.test"\n[[registry.mirror]]\nlocation = "m1.test"\npull-from-mirror = "tag-only"\n[[registry.mirror]]\nlocation = "m2.test"\npull-from-mirror = "digest-only"\n[[registry.mirror]]\nlocation = "m3.test"\npull-from-mirror = "all"',
    "r.test/a",
    ["mirror m1.test/a tags", "mirror m2.test/a digests", "mirror m3.test/a", "pull r.test/a", "push r.test/a"],
  ],
  [
    "another location: pulls go there, pushes to the name",
    '[[registry]]\nprefix = "r.test/team"\nlocation = "other.test/moved"',
    "r.test/team/app",
    ["pull other.test/moved/app", "push r.test/team/app"],
  ],
  [
    "the longest prefix counts",
    '[[registry]]\nprefix = "r.test"\nlocation = "one.test"\n[[registry]]\nprefix = "r.test/team"\nlocation = "two.test"',
    "r.test/team/app",
    ["pull two.test/app", "push r.test/team/app"],
  ],
  [
    "a prefix for all hosts of a domain",
    '[[registry]]\nprefix = "*.r.test"\nblocked = true',
    "deep.in.r.test/a",
    ["blocked"],
  ],
  ["... but not for the domain itself", '[[registry]]\nprefix = "*.r.test"\nblocked = true', "r.test/a", undefined],
  [
    "... which may lead elsewhere",
    '[[registry]]\nprefix = "*.r.test"\nlocation = "all.test/x"',
    "a.r.test/app",
    ["pull all.test/x/app", "push a.r.test/app"],
  ],
  ["another port is another registry", '[[registry]]\nlocation = "r.test"\nblocked = true', "r.test:5000/a", undefined],
  [
    "format 1: insecure",
    '[registries.search]\nregistries = ["docker.io"]\n[registries.insecure]\nregistries = ["r.test"]',
    "r.test/a",
    ["pull r.test/a insecure", "push r.test/a insecure"],
  ],
  ["format 1: blocked", '[registries.block]\nregistries = ["r.test"]', "r.test/a", ["blocked"]],
];
for (const [title, conf, name, expected] of rows)
  test(title, async (t) => {
    const slash = name.indexOf("/");
    const entries = await parseContainersConf("registries.conf", conf);
    t.deepEqual(told(containersRoutes(entries, name.slice(0, slash), name.slice(slash + 1))), expected);
  });

const wrong: [title: string, conf: string, message: RegExp][] = [
  ["no TOML", '[[registry]]\nlocation = "secret-token', /no valid TOML \(line 2, column \d+\)$/],
  ["a location of another type", "[[registry]]\nlocation = 5", /registry\.0\.location is not what is expected there/],
  ["a location with a scheme", '[[registry]]\nlocation = "https://r.test"', /is no location/],
  ["a location that leaves its place", '[[registry]]\nlocation = "r.test/a/../b"', /is no location/],
  [
    "a mirror without a location",
    '[[registry]]\nlocation = "r.test"\n[[registry.mirror]]\nlocation = ""',
    /is no location|""/,
  ],
  ["neither prefix nor location", "[[registry]]\nblocked = true", /neither prefix nor location/],
  ["a prefix without a location", '[[registry]]\nprefix = "r.test"', /has no location/],
  [
    "two ways to say what mirrors are for",
    '[[registry]]\nlocation = "r.test"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.test"\npull-from-mirror = "all"',
    /mirror-by-digest-only and pull-from-mirror/,
  ],
  ["both formats", '[[registry]]\nlocation = "r.test"\n[registries.block]\nregistries = ["a.test"]', /formats 1 and 2/],
];
for (const [title, conf, message] of wrong)
  test(`refused: ${title}`, async (t) => {
    const error = await t.throwsAsync(parseContainersConf("/etc/registries.conf", conf), {
      code: "REG_HOSTS",
      message,
    } as object);
    t.notRegex(`${error?.stack} ${JSON.stringify(error)}`, /secret-token/);
  });

test("drop-ins replace entries of the same prefix; a user's own file hides the host's; a named one both", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "wbuild-registries-conf-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  const places = { named: undefined, user: join(folder, "user"), host: join(folder, "host") };
  const at = async (more: object = {}) => {
    const found = await readContainersConf({ ...places, ...more });
    return found.map(({ prefix, location }) => `${prefix} → ${location}`);
  };
  t.deepEqual(await at(), []);
  await write(
    "host/registries.conf",
    '[[registry]]\nprefix = "a.test"\nlocation = "host.test"\n[[registry]]\nlocation = "b.test"',
  );
  await write("host/registries.conf.d/20.conf", '[[registry]]\nprefix = "a.test"\nlocation = "drop20.test"');
  await write("host/registries.conf.d/10.conf", '[[registry]]\nprefix = "a.test"\nlocation = "drop10.test"');
  await write("host/registries.conf.d/30.conf.bak", "not TOML at all");
  t.deepEqual(await at(), ["a.test → drop20.test", "b.test → b.test"]);
  await write("user/registries.conf.d/05.conf", '[[registry]]\nprefix = "b.test"\nlocation = "user5.test"');
  t.deepEqual(await at(), ["a.test → drop20.test", "b.test → user5.test"]);
  await write("user/registries.conf", '[[registry]]\nprefix = "a.test"\nlocation = "user.test"');
  t.deepEqual(await at(), ["a.test → user.test", "b.test → user5.test"]);
  await write("named.conf", '[[registry]]\nprefix = "c.test"\nlocation = "named.test"');
  t.deepEqual(await at({ named: join(folder, "named.conf") }), [
    "c.test → named.test",
    "a.test → drop20.test",
    "b.test → user5.test",
  ]);
  await t.throwsAsync(at({ named: join(folder, "nowhere.conf") }), {
    code: "REG_HOSTS",
    message: /it is not there/,
  } as object);
});
