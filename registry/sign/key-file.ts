/**
 * Key files: those of `cosign generate-key-pair` (a JSON box of scrypt and NaCl's secretbox around PKCS#8), plain PEM
 * private keys, and PEM public keys.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  scrypt as scryptCallback,
} from "node:crypto";
import { promisify } from "node:util";
import * as v from "valibot";
import { WbuildError } from "../../native/error.ts";
import { parseJson } from "../oci/schema.ts";

const scrypt = promisify<Buffer, Buffer, number, object, Buffer>(scryptCallback);

/** Bytes. The largest RSA keys stay far below this. */
const maxKeyFileBytes = 64 * 1024;
/** Bytes that deriving a key may take: cosign's own files need 64 MiB. */
const maxScryptBytes = 256 * 1024 * 1024;
const boxLabels = ["ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"];
const plainLabels = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"];
const saltBytes = 32;
const nonceBytes = 24;
const keyBytes = 32;

const base64 = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9+/]*={0,2}$/),
  v.transform((text) => Buffer.from(text, "base64")),
);
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const boxSchema = v.object({
  kdf: v.object({
    name: v.literal("scrypt"),
    params: v.object({
      N: v.pipe(
        count,
        v.check((n) => n > 1 && Number.isInteger(Math.log2(n)), "a power of two"),
      ),
      r: count,
      p: v.pipe(count, v.maxValue(16)),
    }),
    salt: v.pipe(
      base64,
      v.check((salt) => salt.length >= 8 && salt.length <= 256, "a salt"),
    ),
  }),
  cipher: v.object({
    name: v.literal("nacl/secretbox"),
    nonce: v.pipe(
      base64,
      v.check((nonce) => nonce.length === nonceBytes, "a nonce"),
    ),
  }),
  ciphertext: base64,
});

/** What goes into a box, and how much work opening it is. */
export interface BoxOptions {
  readonly password: string;
  /** scrypt's N, a power of two; 65,536 as cosign has it. */
  readonly cost?: number;
}

/**
 * The private key of a file. `password` is asked only when the file is encrypted.
 * Throws REG_SIGN_KEY; neither the file's content nor the password is part of any message.
 */
export async function readPrivateKey(file: Uint8Array, password: () => Promise<string>): Promise<KeyObject> {
  const { label, bytes, text } = pemOf(file, "private key");
  if (boxLabels.includes(label)) {
    const der = await openBox(bytes, await password());
    return supported(parse(() => createPrivateKey({ key: der, format: "der", type: "pkcs8" }), "private key"));
  }
  if (!plainLabels.includes(label))
    throw badKey(`the file holds ${quoted(label)}, not a private key for signing`, {
      hint:
        label === "ENCRYPTED PRIVATE KEY"
          ? "decrypt it with `openssl pkey`, or make a key with `wbuild sign generate-key-pair`"
          : "cosign's key files and PEM keys (EC, RSA, Ed25519) are understood",
    });
  return supported(parse(() => createPrivateKey(text), "private key"));
}

/** The public key of a PEM file; of a private key that is not encrypted, its public half. Throws REG_SIGN_KEY. */
export function readPublicKey(file: Uint8Array): KeyObject {
  const { label, text } = pemOf(file, "public key");
  if (boxLabels.includes(label))
    throw badKey("the file holds a private key, not a public one", { hint: "give cosign.pub, not cosign.key" });
  if (label !== "PUBLIC KEY" && label !== "RSA PUBLIC KEY" && !plainLabels.includes(label))
    throw badKey(`the file holds ${quoted(label)}, not a public key`);
  return supported(parse(() => createPublicKey(text), "public key"));
}

/** A new P-256 key as two files: cosign.key, encrypted, and cosign.pub. */
export async function makeKeyPair(options: BoxOptions): Promise<{ privateKey: string; publicKey: string }> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    privateKey: await writePrivateKey(privateKey, options),
    publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
}

/** A private key as `cosign generate-key-pair` writes it. */
export async function writePrivateKey(key: KeyObject, { password, cost = 65_536 }: BoxOptions): Promise<string> {
  const salt = randomBytes(saltBytes);
  const nonce = randomBytes(nonceBytes);
  const params = { N: cost, r: 8, p: 1 };
  const { xsalsa20poly1305 } = await import("@noble/ciphers/salsa.js");
  const box = xsalsa20poly1305(await derive(password, salt, params), nonce);
  const sealed = box.encrypt(key.export({ type: "pkcs8", format: "der" }));
  const text = JSON.stringify({
    kdf: { name: "scrypt", params, salt: salt.toString("base64") },
    cipher: { name: "nacl/secretbox", nonce: nonce.toString("base64") },
    ciphertext: Buffer.from(sealed).toString("base64"),
  });
  const lines =
    Buffer.from(text)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${boxLabels[0]}-----`, ...lines, `-----END ${boxLabels[0]}-----`, ""].join("\n");
}

async function openBox(bytes: Uint8Array, password: string): Promise<Buffer> {
  const json = parseJson(bytes, maxKeyFileBytes, "REG_SIGN_KEY", "the encrypted key");
  const found = v.safeParse(boxSchema, json, { abortEarly: true });
  if (!found.success) throw badKey("the encrypted key is not one that cosign writes (scrypt and nacl/secretbox)");
  const { kdf, cipher, ciphertext } = found.output;
  // Attack: a key file whose parameters make whoever opens it take all memory.
  if (128 * kdf.params.N * kdf.params.r > maxScryptBytes)
    throw badKey(`opening the encrypted key would take more than ${maxScryptBytes} bytes of memory`);
  const { xsalsa20poly1305 } = await import("@noble/ciphers/salsa.js");
  const key = await derive(password, kdf.salt, kdf.params);
  try {
    return Buffer.from(xsalsa20poly1305(key, cipher.nonce).decrypt(ciphertext));
  } catch {
    throw badKey("the password does not open the private key", { hint: "$COSIGN_PASSWORD holds it in scripts" });
  }
}

function derive(password: string, salt: Buffer, { N, r, p }: { N: number; r: number; p: number }): Promise<Buffer> {
  return scrypt(Buffer.from(password), salt, keyBytes, { N, r, p, maxmem: 2 * maxScryptBytes });
}

/** The first PEM block of a file that can be a key. Throws REG_SIGN_KEY. */
function pemOf(file: Uint8Array, what: string): { label: string; bytes: Buffer; text: string } {
  if (file.length > maxKeyFileBytes) throw badKey(`the file has ${file.length} bytes, too many for a ${what}`);
  const text = Buffer.from(file).toString("latin1");
  // OpenSSL writes the curve in a block of its own before an EC key.
  const start = /-----BEGIN (?!EC PARAMETERS)([A-Z0-9 ]{1,60})-----\r?\n/.exec(text);
  const end = start === null ? -1 : text.indexOf(`-----END ${start[1]}-----`, start.index + start[0].length);
  if (start?.[1] === undefined || end < 0) throw badKey(`the file holds no ${what} in PEM form`);
  const body = text.slice(start.index + start[0].length, end);
  return {
    label: start[1],
    bytes: Buffer.from(body, "base64"),
    text: `${text.slice(start.index, end)}-----END ${start[1]}-----\n`,
  };
}

/** OpenSSL's own complaints tell nothing that helps, and may quote what they read. */
function parse(read: () => KeyObject, what: string): KeyObject {
  try {
    return read();
  } catch {
    throw badKey(`the ${what} is damaged, or of a kind that is not known`);
  }
}

function supported(key: KeyObject): KeyObject {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "ed25519") return key;
  if (type === "ec" && ["prime256v1", "secp384r1", "secp521r1"].includes(details?.namedCurve ?? "")) return key;
  if (type === "rsa" && (details?.modulusLength ?? 0) >= 2048) return key;
  throw badKey("keys for signing are EC (P-256, P-384, P-521), RSA of 2048 bits and more, or Ed25519");
}

function badKey(message: string, details: { hint?: string } = {}): WbuildError {
  return new WbuildError("REG_SIGN_KEY", message, details);
}

function quoted(label: string): string {
  return JSON.stringify(label.slice(0, 60));
}
