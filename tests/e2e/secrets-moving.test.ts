/**
 * No secret is printed by the commands that work on images where they are, also with --debug: each is run with a right
 * account, with a wrong one, and against a registry that repeats what it is told.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import type { CliOptions } from "../doubles/cli.ts";
import { startRegistry } from "../doubles/docker-registry.ts";
import { complain, startFake } from "../doubles/fake-registry.ts";
import { startTokenServer } from "../doubles/token-server.ts";
import { scene } from "./scene.ts";

const secrets = {
  password: "right-Passw0rd/+@",
  wrong: "wrong-Passw0rd%23",
  tokenPassword: "token-Account-pw1",
  ofTheList: "of-the-List-pw-3",
  ofTheKey: "of-the-Key-pw-4",
  otherKey: "of-another-Key-5",
  identity: "identity-T0ken-payload",
  signature: "signature-of-a-redirect-3",
  inUrl: "url-Passw0rd-5",
};

/** As it is, in a URL, in base64, and in the base64 of `user:password`. */
function formsOf(secret: string): string[] {
  const pairs = ["me", "somebody", ""].map((user) => Buffer.from(`${user}:${secret}`).toString("base64"));
  return [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64"), ...pairs];
}

test("no secret is printed by copy, sync, tags, manifest, rm, sign, verify, mutate, rebase, doctor and ci-cache", async (t) => {
  // A hundred commands, one after the other.
  t.timeout(600_000);
  const s = await scene(t, { base: false });
  const unexpected: string[] = [];
  const unnamed = new Map<string, string>();
  const walk = async (flow: string, codes: readonly number[], options: CliOptions, ...args: string[]) => {
    const { code, stdout, stderr } = await s.wbuildWith(options, "--debug", ...args);
    const found = [...Object.entries(secrets), ...unnamed]
      .filter(([, secret]) => formsOf(secret).some((form) => `${stdout}\n${stderr}`.includes(form)))
      .map(([name]) => name);
    t.deepEqual(found, [], `${flow}\n${stdout}\n${stderr}`.slice(0, 2000));
    if (!codes.includes(code)) unexpected.push(`${flow}: exit code ${code}\n${stderr}`);
  };
  const accounts = async (auths: Record<string, string>) => {
    await mkdir(s.env.DOCKER_CONFIG, { recursive: true });
    const entries = Object.entries(auths).map(([host, pair]) => [host, { auth: Buffer.from(pair).toString("base64") }]);
    const text = JSON.stringify({ auths: Object.fromEntries(entries) });
    await writeFile(join(s.env.DOCKER_CONFIG, "config.json"), text);
  };
  await s.files("context", { Dockerfile: "FROM scratch\nCOPY Dockerfile /a\n" });
  await s.files("app", { Dockerfile: "FROM base:1\nCOPY Dockerfile /b\n" });
  for (const [name, context] of [
    ["base:1", "context"],
    ["app:1", "app"],
  ] as const)
    t.is((await s.build(join(s.folder, context), "-t", name)).code, 0);
  const withPassword = { env: { COSIGN_PASSWORD: secrets.ofTheKey } };
  await walk("generate-key-pair", [0], withPassword, "sign", "generate-key-pair");
  const claims = Buffer.from(
    JSON.stringify({ sub: "me", email: "me@example.com", email_verified: true, jti: secrets.identity }),
  );
  const token = `eyJhbGciOiJub25lIn0.${claims.toString("base64url")}.${secrets.identity}`;

  unnamed.set("the token", token);
  unnamed.set("the key itself", (await readFile(join(s.folder, "cosign.key"), "utf8")).split("\n")[1] ?? "");

  await using basic = await startRegistry({ auth: { username: "me", password: secrets.password } });
  await using tokens = await startTokenServer({ username: "somebody", password: secrets.tokenPassword });
  await using bearer = await startRegistry({ token: tokens });
  await using echo = await startFake((request, response, { host }) => {
    const { authorization } = request.headers;
    const challenge = {
      "www-authenticate": `Basic realm="http://u:${secrets.inUrl}@${host}/?sig=${secrets.signature}"`,
    };
    if (authorization === undefined) return complain(response, 401, "UNAUTHORIZED", "who?", challenge);
    if (request.method === "GET" && !request.path.includes("?"))
      return response
        .writeHead(307, { location: `http://u:${secrets.inUrl}@${host}${request.path}?sig=${secrets.signature}` })
        .end();
    const form = Buffer.from(authorization.slice("Basic ".length), "base64").toString();
    return complain(response, 400, authorization, `${authorization}, ${form}, http://h/?sig=${secrets.signature}`);
  });

  /** Every command once. `codes`: of those that ask the registry. */
  const round = async (who: string, host: string, codes: readonly number[]) => {
    const at = (name: string) => `${host}/team/${name}`;
    const list = await s.files("lists", {
      [`${who}.yaml`]: `${host}: {images: {team/app: ["1"]}}`,
      [`${who}-own.yaml`]: `${host}: {images: {team/app: []}, credentials: {username: me, password: ${secrets.ofTheList}}}`,
    });
    const flows: [args: string[], options?: CliOptions, codes?: readonly number[]][] = [
      [["copy", "store:base:1", at("base:1")]],
      [["copy", "store:app:1", at("app:1")]],
      [["copy", "--include-referrers", at("app:1"), at("other:1")]],
      [["copy", at("app:1"), `oci:layout-${who}:1`]],
      [["pull", "--all-platforms", at("app:1")]],
      [["tags", at("app")]],
      [["manifest", "show", at("app:1")]],
      [["manifest", "show", "--raw", at("app:1")]],
      [["manifest", "create", at("index:1"), at("app:1")]],
      [["manifest", "create", "--dry-run", at("index:1"), at("app:1")]],
      [["manifest", "annotate", "--annotation", "a=b", at("index:1")]],
      [["manifest", "push", "store:app:1", at("pushed:1")]],
      [["mutate", "--push", at("app:1"), "--label", "a=b", "-t", at("mutated:1")]],
      [["rebase", "--push", at("app:1"), "--old-base", at("base:1"), "--new-base", at("base:1"), "-t", at("moved:1")]],
      [["rebase", "--check", "--push", at("app:1"), "--old-base", at("base:1"), "--new-base", at("base:1")]],
      [["sign", "--key", "cosign.key", at("app:1")], withPassword],
      [["sign", "--key", "cosign.key", "--new-bundle-format", at("app:1")], withPassword],
      [["verify", "--key", "cosign.pub", at("app:1")], withPassword],
      [["sign", "--key", "cosign.key", at("app:1")], { env: { COSIGN_PASSWORD: secrets.otherKey } }, [2]],
      [["sign", "--key", "env://KEY", at("app:1")], { env: { KEY: secrets.otherKey } }, [2]],
      [
        ["sign", "--fulcio-url", `http://${echo.host}`, "--rekor-url", `http://${echo.host}`, at("app:1")],
        { env: { SIGSTORE_ID_TOKEN: token } },
        [3],
      ],
      [["sync", join(list, `${who}.yaml`), at("mirror")]],
      [["sync", "--dry-run", join(list, `${who}.yaml`), at("mirror")], {}, [0]],
      [["sync", join(list, `${who}-own.yaml`), at("mirror")], {}, [3]],
      [["sync", "--keep-going", join(list, `${who}-own.yaml`), at("mirror")], {}, [1]],
      [["doctor", at("app:1")], {}, [0]],
      [["doctor", "--json", at("app:1")], {}, [0]],
      // What the store has of a base is enough.
      [
        ["ci-cache", "warm", "--build-context", `base:1=docker-image://${at("base:1")}`, join(s.folder, "app")],
        {},
        [0, 3],
      ],
      [["ci-cache", "warm", "--cache-from", at("app:cache"), join(s.folder, "app")], {}, [0, 3]],
      [["build", "--cache-to", `type=registry,ref=${at("app:cache")}`, join(s.folder, "app")]],
      [["rm", at("other:1")]],
      [["rm", "--force", at("mutated:1")]],
      [["manifest", "rm", at("moved:1")]],
    ];
    for (const [args, options = {}, own = codes] of flows)
      await walk(`${who}: ${args.join(" ")}`, own, options, ...args);
  };

  await accounts({ [basic.host]: `me:${secrets.password}` });
  await round("basic", basic.host, [0]);
  await accounts({ [bearer.host]: `somebody:${secrets.wrong}`, [echo.host]: `me:${secrets.password}` });
  await round("bearer, wrong", bearer.host, [3]);
  await round("echo", echo.host, [3]);

  t.deepEqual(unexpected, []);
});
