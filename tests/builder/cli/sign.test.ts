import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { type CliOptions, type CliResult, runCli, sandboxOf } from "../../doubles/cli.ts";
import { type RunningRegistry, startRegistry } from "../../doubles/docker-registry.ts";
import { startSigstore, tokenFor } from "../../doubles/sigstore.ts";

const password = "key-password-of-the-test";
let registry: RunningRegistry;
test.before(async () => {
  registry = await startRegistry();
});
test.after.always(() => registry?.close());

interface Scene {
  readonly folder: string;
  /** Every word that the program said goes by here: no secret may be among them. */
  cli(args: readonly string[], options?: CliOptions): Promise<CliResult>;
  readonly name: string;
  readonly digest: string;
}

async function scene(t: ExecutionContext, repository: string, secrets: readonly string[]): Promise<Scene> {
  const { folder, env } = sandboxOf(t);
  const cli = async (args: readonly string[], options: CliOptions = {}) => {
    const result = await runCli(args, {
      cwd: folder,
      ...options,
      env: { ...env, COSIGN_PASSWORD: password, ...options.env },
    });
    for (const secret of secrets) t.false((result.stdout + result.stderr).includes(secret));
    return result;
  };
  mkdirSync(join(folder, "context"));
  writeFileSync(join(folder, "context/Dockerfile"), "FROM scratch\nCOPY . /\n");
  const name = `${registry.host}/${repository}`;
  const built = await cli(["--push", "-t", `${name}:1`, "--metadata-file", "meta.json", "context"]);
  t.is(built.code, 0, built.stderr);
  const digest = JSON.parse(readFileSync(join(folder, "meta.json"), "utf8"))["containerimage.digest"];
  return { folder, cli, name, digest };
}

test("keys are made, an image is signed by its tag, and verified", async (t) => {
  const { folder, cli, name, digest } = await scene(t, "cli/key", [password]);
  const made = await cli(["sign", "generate-key-pair"]);
  t.is(made.stdout, "cosign.key\ncosign.pub\n", made.stderr);
  t.is(statSync(join(folder, "cosign.key")).mode & 0o777, 0o600);
  t.regex(readFileSync(join(folder, "cosign.pub"), "utf8"), /^-----BEGIN PUBLIC KEY-----/);
  const again = await cli(["sign", "generate-key-pair"]);
  t.is(again.code, 2);
  t.regex(again.stderr, /cosign\.key exists and is left as it is/);

  const unsigned = await cli(["verify", "--key", "cosign.pub", `${name}:1`]);
  t.is(unsigned.code, 1);
  t.regex(unsigned.stderr, /error\[REG_UNSIGNED\]/);

  const signed = await cli(["sign", "--key", "cosign.key", "-a", "commit=4f2a", "-a", "empty=", `${name}:1`]);
  t.is(signed.stdout, `${name}@${digest}\n`, signed.stderr);
  t.regex(signed.stderr, /:1 is a tag, which may move: what is signed is .*@sha256:/);
  t.regex(signed.stderr, /Signature: .*:sha256-[0-9a-f]{64}\.sig\n/);
  const twice = await cli(["sign", "--key", "cosign.key", "-a", "commit=4f2a", "-a", "empty=", `${name}@${digest}`]);
  t.regex(twice.stderr, /^This key has signed it before/, "by digest there is no warning");

  const verified = await cli(["verify", "--key", "cosign.pub", "-a", "commit=4f2a", `${name}:1`]);
  t.is(verified.code, 0, verified.stderr);
  const claim = {
    critical: {
      identity: { "docker-reference": name },
      image: { "docker-manifest-digest": digest },
      type: "cosign container image signature",
    },
    optional: { commit: "4f2a", empty: "" },
  };
  t.deepEqual(JSON.parse(verified.stdout), [claim]);
  t.regex(verified.stderr, /1 signature holds[\s\S]*made with the key[\s\S]*no transparency log/);
  const text = await cli(["verify", "--key", "cosign.pub", "-o", "text", `${name}:1`]);
  t.deepEqual(JSON.parse(text.stdout), claim);

  await cli(["sign", "--key", "cosign.key", "--new-bundle-format", `${name}@${digest}`]);
  const copied = await cli(["copy", "--include-referrers", `${name}:1`, `${name}-copy:1`]);
  t.is(copied.code, 0, copied.stderr);
  const there = await cli(["verify", "--key", "cosign.pub", `${name}-copy:1`]);
  t.is(JSON.parse(there.stdout).length, 2, "signatures in both forms travel with the image");

  const other = await cli(["verify", "--key", "cosign.pub", "-a", "commit=other", `${name}:1`]);
  t.is(other.code, 1);
  t.is(other.stdout, "");
  t.regex(other.stderr, /error\[REG_SIGNATURE\]/);
});

test("keys out of variables, as bundle, of a key that openssl made; a wrong password", async (t) => {
  const { folder, cli, name, digest } = await scene(t, "cli/env", [password, "not-the-password"]);
  const run = promisify(execFile);
  const { stdout: key } = await run("openssl", ["genpkey", "-algorithm", "ed25519"]);
  writeFileSync(join(folder, "key.pem"), key);
  const { stdout: pub } = await run("openssl", ["pkey", "-in", join(folder, "key.pem"), "-pubout"]);
  const env = { SIGN_KEY: key, SIGN_PUB: pub };
  const image = `${name}@${digest}`;
  const signed = await cli(["sign", "--key", "env://SIGN_KEY", "--new-bundle-format", image], { env });
  t.is(signed.code, 0, signed.stderr);
  t.regex(signed.stderr, /^Signature: .*@sha256:/);
  const verified = await cli(["verify", "--key", "env://SIGN_PUB", image], { env });
  t.like(JSON.parse(verified.stdout), [{ critical: { type: "https://sigstore.dev/cosign/sign/v1" } }], verified.stderr);

  t.is((await cli(["sign", "generate-key-pair", "--output-key-prefix", "other"])).code, 0);
  const wrong = await cli(["sign", "--key", "other.key", image], { env: { COSIGN_PASSWORD: "not-the-password" } });
  t.is(wrong.code, 2);
  t.regex(wrong.stderr, /error\[REG_SIGN_KEY\]: the password does not open the private key/);
  const none = await cli(["sign", "--key", "other.key", image], { env: { COSIGN_PASSWORD: undefined } });
  t.is(none.code, 2);
  t.regex(none.stderr, /no terminal to ask for the private key's password on/);
});

test("keyless: an identity token signs, the trusted root verifies", async (t) => {
  const issuer = "https://id.example.com";
  await using sigstore = await startSigstore(issuer);
  const token = tokenFor({ email: "ci@example.com", email_verified: true });
  const { folder, cli, name } = await scene(t, "cli/keyless", [token, token.split(".")[1] ?? ""]);
  writeFileSync(join(folder, "root.json"), sigstore.root);
  const services = ["--fulcio-url", sigstore.url, "--rekor-url", sigstore.url];
  const signed = await cli(["sign", ...services, `${name}:1`], { env: { SIGSTORE_ID_TOKEN: token } });
  t.is(signed.code, 0, signed.stderr);
  t.regex(signed.stderr, /note: http:.* makes the signature and who made it public, for ever/);
  const identity = ["--certificate-identity", "ci@example.com", "--certificate-oidc-issuer", issuer];
  const flags = ["--trusted-root", "root.json", "--insecure-ignore-sct"];
  const verified = await cli(["verify", ...identity, ...flags, `${name}:1`]);
  t.like(JSON.parse(verified.stdout), [{ optional: { Subject: "ci@example.com", Issuer: issuer } }], verified.stderr);
  const strict = await cli(["verify", ...identity, ...flags.slice(0, 2), `${name}:1`]);
  t.is(strict.code, 1);
  t.regex(strict.stderr, /SCT/);
});

const wrong: [what: string, args: string[], message: RegExp][] = [
  ["verify without anybody", ["verify", "x.example.com/a"], /verify needs --key, or --certificate-identity/],
  [
    "an identity without an issuer",
    ["verify", "--certificate-identity", "a", "--trusted-root", "r", "x.example.com/a"],
    /needs/,
  ],
  [
    "a key and an identity",
    ["verify", "--key", "k", "--certificate-identity", "a", "x.example.com/a"],
    /exclude each other/,
  ],
  ["an annotation without value", ["sign", "--key", "k", "-a", "commit", "x.example.com/a"], /NAME=VALUE/],
  ["a key that is not there", ["sign", "--key", "none.key", "x.example.com/a"], /none\.key cannot be read \(ENOENT\)/],
  ["a variable that is not set", ["sign", "--key", "env://NO_KEY", "x.example.com/a"], /NO_KEY, which is not set/],
  ["no key and no token", ["sign", "x.example.com/a"], /signing needs an identity token/],
  ["a form that is none", ["verify", "--key", "k", "-o", "xml", "x.example.com/a"], /one of json, text/],
];
for (const [what, args, message] of wrong)
  test(`refused before any registry is asked: ${what}`, async (t) => {
    const { folder, env } = sandboxOf(t);
    mkdirSync(join(folder, "empty"));
    const { code, stderr } = await runCli(args, { cwd: join(folder, "empty"), env });
    t.is(code, 2, stderr);
    t.regex(stderr, message);
  });
