/** `wbuild verify`: do signatures of images hold, and what do they say. */
import { WbuildError } from "../../native/error.ts";
import type { Trust, VerifiedSignature } from "../../registry/sign/verify-image.ts";
import { type Cli, type Command, collect, flagsOf } from "./command.ts";
import { type ConnectionFlags, connectionOf, defineConnection } from "./flags/flags.ts";
import { badValue, parseChoice } from "./flags/values.ts";
import { openSession } from "./session.ts";
import { findNamed, parseClaims, readGiven, registriesOf } from "./sign-files.ts";

interface VerifyFlags extends ConnectionFlags {
  readonly key?: string;
  readonly annotations?: readonly string[];
  readonly output: string;
  readonly certificateIdentity?: string;
  readonly certificateIdentityRegexp?: string;
  readonly certificateOidcIssuer?: string;
  readonly certificateOidcIssuerRegexp?: string;
  readonly trustedRoot?: string;
  readonly insecureIgnoreSct?: boolean;
}

export const verifyCommand: Command = {
  operands: "IMAGE...",
  about: `
    Checks that images carry a signature that holds: made with the key that is given, or by the identity that a certificate
    names; for this very digest; with the annotations that are asked for. Signatures under cosign's tag and sigstore bundles
    that refer to the image are both found. Prints what the signatures say, and on standard error what was checked; ends
    with 1 when no signature holds.

    Identities, and with --key the transparency log, are checked with --trusted-root, a trusted_root.json from those who run
    the services; it is never fetched.`,
  examples: [
    ["wbuild verify --key cosign.pub registry.example.com/app:1.2", "signed with this key?"],
    ["wbuild verify --key cosign.pub -a commit=4f2a registry.example.com/app", "and for this commit?"],
    [
      "wbuild verify --trusted-root root.json --certificate-identity ci@example.com --certificate-oidc-issuer https://id.example.com registry.example.com/app",
      "signed by whom?",
    ],
  ],
  define(parser) {
    parser
      .argument("<images...>")
      .option("--key <file>", "public key as PEM; env://NAME reads a variable")
      .option("-a, --annotations <name=value>", "the signature must say this; may be repeated", collect)
      .option("-o, --output <form>", "json or text", "json")
      .option("--certificate-identity <name>", "who must have signed")
      .option("--certificate-identity-regexp <pattern>", "the same as a pattern for the whole name")
      .option("--certificate-oidc-issuer <url>", "which service must have known them")
      .option("--certificate-oidc-issuer-regexp <pattern>", "the same as a pattern for the whole URL")
      .option("--trusted-root <file>", "whose certificates and logs are trusted")
      .option("--insecure-ignore-sct", "take certificates that no log of certificates knows of");
    defineConnection(parser);
  },
  async run(parser, cli) {
    const flags = flagsOf<VerifyFlags>(parser);
    const texts = parser.args;
    const output = parseChoice("--output", flags.output, ["json", "text"]);
    const annotations = parseClaims(flags.annotations);
    const registries = await registriesOf(texts);
    const trust = await trustOf(cli, flags);
    const { verifyImage } = await import("../../registry/sign/verify-image.ts");
    const { printable } = await import("../../registry/sign/claim.ts");
    await using session = openSession(cli);
    const client = await session.registry(connectionOf(flags, registries));
    for (const text of texts) {
      const { repository, descriptor } = await findNamed(client, text);
      const verified = await verifyImage(repository, descriptor.digest, { trust, annotations });
      tell(cli, `${repository.registry}/${repository.name}@${descriptor.digest}`, verified, trust, annotations);
      const claims = verified.map(({ claim, identity }) => {
        const printed = printable(claim, text) as { optional: object };
        return identity
          ? { ...printed, optional: { ...printed.optional, Issuer: identity.issuer, Subject: identity.subject } }
          : printed;
      });
      cli.stdout.write(
        output === "json"
          ? `${JSON.stringify(claims)}\n`
          : claims.map((claim) => `${JSON.stringify(claim)}\n`).join(""),
      );
    }
    return 0;
  },
};

/** What was checked, and only that: a reader must not believe more. */
function tell(
  cli: Cli,
  name: string,
  { length }: readonly VerifiedSignature[],
  trust: Trust,
  annotations: Readonly<Record<string, string>>,
): void {
  const isKey = "key" in trust;
  const checks = [
    "they are for this digest",
    ...(Object.keys(annotations).length > 0 ? ["they have the annotations that were asked for"] : []),
    isKey ? "they were made with the key that was given" : "they were made by the identity that was asked for",
    ...(isKey ? [] : ["the trusted root's authorities vouch for the certificate"]),
    ...(trust.root ? ["the transparency log has an entry of them (checked offline)"] : []),
  ];
  const what = length === 1 ? "1 signature holds" : `${length} signatures hold`;
  cli.stderr.write(`${name}: ${what}. Checked of each:\n${checks.map((check) => `  - ${check}\n`).join("")}`);
  if (isKey && !trust.root) cli.stderr.write("  (no transparency log: that needs --trusted-root)\n");
}

async function trustOf(cli: Cli, flags: VerifyFlags): Promise<Trust> {
  const { key, trustedRoot } = flags;
  const subject = wanted("--certificate-identity", flags.certificateIdentity, flags.certificateIdentityRegexp);
  const issuer = wanted("--certificate-oidc-issuer", flags.certificateOidcIssuer, flags.certificateOidcIssuerRegexp);
  const open = async (file: string) => {
    const { openTrustedRoot } = await import("../../registry/sign/trust.ts");
    return openTrustedRoot(await readGiven(cli, "--trusted-root", file));
  };
  if (key !== undefined) {
    if (subject ?? issuer) throw new WbuildError("CLI_USAGE", "--key and --certificate-… exclude each other");
    const { readPublicKey } = await import("../../registry/sign/key-file.ts");
    const root = trustedRoot === undefined ? undefined : await open(trustedRoot);
    return { key: readPublicKey(await readGiven(cli, "--key", key)), ...(root ? { root } : {}) };
  }
  // Attack: without the issuer, any service in the root could name anybody.
  if (subject === undefined || issuer === undefined || trustedRoot === undefined)
    throw new WbuildError(
      "CLI_USAGE",
      "verify needs --key, or --certificate-identity, --certificate-oidc-issuer and --trusted-root together",
    );
  const identity = { subject, issuer, ignoreSct: flags.insecureIgnoreSct === true };
  return { identity, root: await open(trustedRoot) };
}

function wanted(flag: string, text: string | undefined, pattern: string | undefined): string | RegExp | undefined {
  if (text !== undefined && pattern !== undefined)
    throw new WbuildError("CLI_USAGE", `${flag} and ${flag}-regexp exclude each other`);
  if (pattern === undefined) return text === "" ? undefined : text;
  try {
    return new RegExp(`^(?:${pattern})$`, "u");
  } catch {
    throw badValue(`${flag}-regexp`, pattern, "a regular expression");
  }
}
