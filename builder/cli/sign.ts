/** `wbuild sign`: signatures beside images in their registry, as cosign stores them. */
import { WbuildError } from "../../native/error.ts";
import type { SignOptions } from "../../registry/sign/sign-image.ts";
import { version } from "../version.ts";
import { type Cli, type Command, collect, flagsOf } from "./command.ts";
import { type ConnectionFlags, connectionOf, defineConnection } from "./flags/flags.ts";
import { parseChoice } from "./flags/values.ts";
import { openSession } from "./session.ts";
import { findNamed, parseClaims, passwordFor, readGiven, registriesOf } from "./sign-files.ts";

interface SignFlags extends ConnectionFlags {
  readonly key?: string;
  readonly annotations?: readonly string[];
  readonly recursive?: boolean;
  readonly newBundleFormat?: boolean;
  readonly registryReferrersMode?: string;
  readonly signContainerIdentity?: string;
  readonly tlogUpload?: boolean;
  readonly rekorUrl: string;
  readonly fulcioUrl: string;
  readonly identityToken?: string;
  readonly outputKeyPrefix: string;
}

const newKeys = "generate-key-pair";

export const signCommand: Command = {
  operands: `IMAGE... | ${newKeys}`,
  about: `
    Signs images where they are, in their registry, and keeps the signatures beside them as cosign does: under the tag
    sha256-DIGEST.sig, or with --new-bundle-format as a sigstore bundle that refers to the image. What is signed is a digest;
    a tag is looked up first. Of an image for several platforms the index is signed, with --recursive each image in it too.

    With --key nothing is sent anywhere else, so whoever verifies needs the public key; --tlog-upload makes the signature
    public in the transparency log. Without --key, a certificate service vouches for a key that exists for this run alone:
    it needs an identity token, and name and signature are in the log for ever.

    ${newKeys} makes cosign.key, encrypted with the password in $COSIGN_PASSWORD or one that is asked for, and cosign.pub.`,
  examples: [
    [`wbuild sign ${newKeys}`, "a pair of keys for signing"],
    ["wbuild sign --key cosign.key registry.example.com/app@sha256:…", "sign what was pushed"],
    ["wbuild sign --key cosign.key -a commit=4f2a registry.example.com/app:1.2", "with something said about it"],
    ["wbuild sign --key env://COSIGN_PRIVATE_KEY --recursive registry.example.com/app", "in CI, all platforms"],
  ],
  define(parser) {
    parser
      .argument("<images...>")
      .option("--key <file>", "private key: of cosign, or PEM (EC, RSA, Ed25519); env://NAME reads a variable")
      .option("-a, --annotations <name=value>", "say this in the signature, too; may be repeated", collect)
      .option("-r, --recursive", "sign the images of an index, too")
      .option("--new-bundle-format", "keep a sigstore bundle that refers to the image, as cosign 3 does")
      .option("--registry-referrers-mode <mode>", "legacy: the tag; oci-1-1: a manifest that refers to the image")
      .option("--sign-container-identity <name>", "the image's name in the signature (default: registry/repository)")
      .option("--tlog-upload", "with --key: make the signature public in the transparency log")
      .option("--rekor-url <url>", "the transparency log", "https://rekor.sigstore.dev")
      .option("--fulcio-url <url>", "without --key: the certificate service", "https://fulcio.sigstore.dev")
      .option("--identity-token <file>", "without --key: who signs, a file or env://NAME (default: $SIGSTORE_ID_TOKEN)")
      .option("--output-key-prefix <name>", `${newKeys}: names the two files`, "cosign");
    defineConnection(parser);
  },
  async run(parser, cli) {
    const flags = flagsOf<SignFlags>(parser);
    const texts = parser.args;
    if (texts[0] === newKeys) return makeKeys(cli, texts, flags);
    const mode = parseChoice("--registry-referrers-mode", flags.registryReferrersMode ?? "legacy", [
      "legacy",
      "oci-1-1",
    ]);
    const annotations = parseClaims(flags.annotations);
    const registries = await registriesOf(texts);
    const options: SignOptions = {
      ...(await signerOf(cli, flags)),
      annotations,
      asBundle: flags.newBundleFormat === true,
      asReferrer: mode === "oci-1-1",
      ...(flags.signContainerIdentity === undefined ? {} : { identity: flags.signContainerIdentity }),
    };
    const { signImage, withChildren } = await import("../../registry/sign/sign-image.ts");
    await using session = openSession(cli);
    const client = await session.registry(connectionOf(flags, registries));
    for (const text of texts) {
      const { repository, descriptor, isByTag } = await findNamed(client, text, true);
      const name = `${repository.registry}/${repository.name}`;
      if (isByTag) session.warn(`${text} is a tag, which may move: what is signed is ${name}@${descriptor.digest}`);
      const subjects = flags.recursive ? await withChildren(repository, descriptor) : [descriptor];
      for (const subject of subjects) {
        const { place, wasThere } = await signImage(repository, subject, options);
        const at = `${name}${place.startsWith("sha256:") ? "@" : ":"}${place}`;
        cli.stderr.write(wasThere ? `This key has signed it before: ${at}\n` : `Signature: ${at}\n`);
        cli.stdout.write(`${name}@${subject.digest}\n`);
      }
    }
    return 0;
  },
};

/** Key, certificate and log that the flags ask for. */
async function signerOf(cli: Cli, flags: SignFlags): Promise<Pick<SignOptions, "key" | "certificate" | "log">> {
  const service = (url: string) => ({ url, userAgent: `wbuild/${version}`, signal: cli.signal });
  if (flags.key !== undefined) {
    const { readPrivateKey } = await import("../../registry/sign/key-file.ts");
    const file = await readGiven(cli, "--key", flags.key);
    const key = await readPrivateKey(file, () => passwordFor(cli));
    if (!flags.tlogUpload) return { key };
    const { openLog } = await import("../../registry/sign/rekor.ts");
    tellOfLog(cli, flags);
    return { key, log: openLog(service(flags.rekorUrl)) };
  }
  const token = await identityToken(cli, flags);
  const { requestCertificate } = await import("../../registry/sign/fulcio.ts");
  const { openLog } = await import("../../registry/sign/rekor.ts");
  tellOfLog(cli, flags);
  return { ...(await requestCertificate(service(flags.fulcioUrl), token)), log: openLog(service(flags.rekorUrl)) };
}

function tellOfLog(cli: Cli, { rekorUrl }: SignFlags): void {
  cli.stderr.write(`note: ${rekorUrl} makes the signature and who made it public, for ever\n`);
}

async function identityToken(cli: Cli, { identityToken: given }: SignFlags): Promise<string> {
  const token =
    given === undefined ? cli.env.SIGSTORE_ID_TOKEN : String(await readGiven(cli, "--identity-token", given));
  if (!token?.trim())
    throw new WbuildError("CLI_USAGE", "without --key, signing needs an identity token", {
      hint: "give --key FILE, or --identity-token FILE from your identity service",
    });
  cli.keepSecret(token.trim());
  return token.trim();
}

async function makeKeys(cli: Cli, texts: readonly string[], { outputKeyPrefix: prefix }: SignFlags): Promise<number> {
  if (texts.length > 1) throw new WbuildError("CLI_USAGE", `${newKeys} takes no images`);
  const { writeFile } = await import("node:fs/promises");
  const { resolve } = await import("node:path");
  const { makeKeyPair } = await import("../../registry/sign/key-file.ts");
  const { existsSync } = await import("node:fs");
  const files = [`${prefix}.key`, `${prefix}.pub`] as const;
  const there = files.find((file) => existsSync(resolve(cli.cwd, file)));
  if (there !== undefined) throw kept(there);
  const { privateKey, publicKey } = await makeKeyPair({ password: await passwordFor(cli, true) });
  const write = (file: string, text: string, mode: number) =>
    writeFile(resolve(cli.cwd, file), text, { mode, flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
      throw error.code === "EEXIST"
        ? kept(file)
        : new WbuildError("CLI_VALUE", `${file} cannot be written (${error.code})`);
    });
  await write(files[0], privateKey, 0o600);
  await write(files[1], publicKey, 0o644);
  cli.stdout.write(`${files.join("\n")}\n`);
  return 0;
}

/** Keys are worth more than a command that went through. */
function kept(file: string): WbuildError {
  return new WbuildError("CLI_USAGE", `${file} exists and is left as it is`, { hint: "give --output-key-prefix NAME" });
}
