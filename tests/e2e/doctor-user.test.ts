/** What doctor tells ordinary users is what their steps then find: tried where a host gives less than usual. */
import type { ExecutionContext } from "ava";
import { type Ids, noUser } from "../doubles/ordinary-user.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { noWindows, type Scene, scene } from "./scene.ts";

interface Finding {
  readonly name: string;
  readonly state: "fine" | "limited" | "missing";
  readonly what: string;
  readonly hint?: string;
}

interface Host {
  readonly title: string;
  /** Usual: root of the test. */
  readonly user?: Ids;
  readonly prefix?: readonly string[];
  readonly code: number;
  /** Name of a finding → its state, what it says, what to do. */
  readonly expected: Readonly<Record<string, readonly [Finding["state"], RegExp?, RegExp?]>>;
  /** What a build with RUN ends with, and what it says on standard error. */
  readonly run: readonly [code: number, RegExp?];
}

const wine: Host["expected"] = noWindows() === undefined ? { wine: ["fine", /^Wine \d/] } : {};
const noStep: Host["expected"] =
  noWindows() === undefined ? { wine: ["limited", /which cannot run here$/, /see above/] } : {};
/** In a mount and a process namespace of the command's own. */
const masked = ["unshare", "--mount", "--pid", "--fork", "sh", "-c"];

const hosts: readonly Host[] = [
  {
    title: "one id, no name",
    user: "one id",
    code: 0,
    expected: { "id-maps": ["limited", /has no name/, /passwd/], overlay: ["fine"], proc: ["fine"], ...wine },
    run: [0, /single-id map/],
  },
  {
    title: "a range",
    user: "range",
    code: 0,
    expected: { "id-maps": ["fine", /^id maps: 65536 ids/], overlay: ["fine"], proc: ["fine"], ...wine },
    run: [0],
  },
  {
    title: "a range, and newuidmap may not use its privilege",
    user: "range",
    prefix: ["setpriv", "--no-new-privs"],
    code: 0,
    expected: { "id-maps": ["limited", /newuidmap/, /no_new_privs/], overlay: ["fine"], ...wine },
    run: [0, /goes on with a single id/],
  },
  {
    title: "a container's /proc",
    user: "one id",
    prefix: [...masked, 'mount -t proc proc /proc && mount --bind /dev/null /proc/keys && exec "$@"', "sh"],
    code: 4,
    expected: { "user-namespaces": ["fine"], proc: ["missing", /EPERM/, /systempaths=unconfined/], ...noStep },
    run: [4, /BOX_MOUNT[\s\S]*systempaths=unconfined/],
  },
  {
    title: "no user namespaces",
    prefix: [
      ...["unshare", "--user", "--map-root-user", "sh", "-c"],
      'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set -all "$@"',
      "sh",
    ],
    code: 4,
    expected: {
      "user-namespaces": ["missing", /max_user_namespaces is 0/, /sysctl user\.max_user_namespaces=/],
      "id-maps": ["limited", /without a user namespace/],
      overlay: ["missing", /without a user namespace/],
      ...noStep,
    },
    run: [4, /max_user_namespaces is 0 \(as root: sysctl[\s\S]*BOX_NO_PRIVILEGE/],
  },
];

async function examine(t: ExecutionContext, s: Scene, host: Host): Promise<void> {
  const told = await s.wbuild("doctor", "--json");
  t.is(told.code, host.code, told.stdout + told.stderr);
  const findings = new Map((JSON.parse(told.stdout) as Finding[]).map((finding) => [finding.name, finding]));
  for (const [name, [state, what, hint]] of Object.entries(host.expected)) {
    const finding = findings.get(name);
    t.is(finding?.state, state, `${name}: ${JSON.stringify(finding)}`);
    if (what) t.regex(finding?.what ?? "", what);
    if (hint) t.regex(finding?.hint ?? "", hint);
  }
  const context = await s.files("c", { Dockerfile: "FROM wbuild.local/linux\nRUN echo ran > /ran\n" });
  const built = await s.build(context, "-t", "app");
  const [code, says] = host.run;
  t.is(built.code, code, built.stderr);
  if (says) t.regex(built.stderr, says);
}

for (const host of hosts) {
  const why = noUser(host.user);
  const run = testUnless(why);
  run(`${host.title}`, async (t) => {
    const { user, prefix = [] } = host;
    await examine(t, await scene(t, { with: { prefix }, ...(user === undefined ? {} : { user }) }), host);
  });
}
