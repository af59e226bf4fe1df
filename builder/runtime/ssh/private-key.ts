/**
 * Private keys without a passphrase, from PEM or from OpenSSH's own format (PROTOCOL.key of OpenSSH), as what an agent
 * needs of them: the public half as ssh writes it, and signatures.
 */
import { constants, createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject, sign } from "node:crypto";
import { WbuildError } from "../../../native/error.ts";
import { mpint, Reader, string } from "./wire.ts";

export interface PrivateKey {
  /** `string type …`, as in a line of authorized_keys. */
  readonly publicBlob: Buffer;
  readonly comment: string;
  /** `flags`: 2 asks RSA for SHA-256, 4 for SHA-512. Gives `string algorithm, string signature`. */
  sign(data: Uint8Array, flags: number): Buffer;
}

/** Curves by ssh's names: JSON Web Key's name, bytes of a coordinate, digest. */
const curves = {
  nistp256: { crv: "P-256", size: 32, hash: "sha256" },
  nistp384: { crv: "P-384", size: 48, hash: "sha384" },
  nistp521: { crv: "P-521", size: 66, hash: "sha512" },
} as const;

const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");
const unbase64url = (text: string | undefined) => Buffer.from(text ?? "", "base64url");

/** `name` is for errors and, where the file has none, the comment. Throws STEP_SSH; never with anything of the key in it. */
export function readPrivateKey(text: string, name: string): PrivateKey {
  const refuse = (why: string, hint: string) =>
    new WbuildError("STEP_SSH", `${name} cannot be used: ${why}`, { facts: { path: name }, hint });
  const locked = () =>
    refuse("it has a passphrase", "load it into an agent with ssh-add, and give the agent: --ssh default");
  const openssh = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END OPENSSH PRIVATE KEY-----/.exec(text);
  try {
    if (openssh) {
      const found = readOpenssh(Buffer.from(openssh[1] ?? "", "base64"));
      if (found === "locked") throw locked();
      return keyOf(createPrivateKey({ key: found.jwk, format: "jwk" }), found.comment || name);
    }
    if (/ENCRYPTED/.test(text)) throw locked();
    return keyOf(createPrivateKey(text), name);
  } catch (error) {
    if (error instanceof WbuildError) throw error;
    // What Node says of a key may quote it.
    throw refuse(
      "it is no private key that wbuild knows",
      "RSA, ECDSA and Ed25519 keys are known, as ssh-keygen makes them",
    );
  }
}

function readOpenssh(bytes: Buffer): { jwk: JsonWebKey; comment: string } | "locked" {
  const magic = "openssh-key-v1\0";
  const outer = new Reader(bytes);
  if (outer.bytes(magic.length).toString("latin1") !== magic) throw new RangeError("not the format");
  const cipher = outer.text();
  outer.string();
  outer.string();
  if (outer.uint32() !== 1) throw new RangeError("not one key");
  outer.string();
  if (cipher !== "none") return "locked";
  const inner = new Reader(outer.string());
  const check = inner.uint32();
  if (inner.uint32() !== check) throw new RangeError("the two check numbers differ");
  const jwk = readFields(inner);
  return { jwk, comment: inner.text() };
}

function readFields(inner: Reader): JsonWebKey {
  const type = inner.text();
  if (type === "ssh-ed25519") {
    const x = inner.string();
    return { kty: "OKP", crv: "Ed25519", x: base64url(x), d: base64url(inner.string().subarray(0, 32)) };
  }
  if (type === "ssh-rsa") {
    const [n, e, d, qi, p, q] = Array.from({ length: 6 }, () => unsigned(inner.string()));
    if (!n || !e || !d || !qi || !p || !q) throw new RangeError("a number is missing");
    const [dn, pn, qn] = [d, p, q].map((part) => BigInt(`0x${part.toString("hex") || "0"}`)) as [
      bigint,
      bigint,
      bigint,
    ];
    const [dp, dq] = [dn % (pn - 1n), dn % (qn - 1n)].map((part) => hexBytes(part));
    const all = { n, e, d, p, q, dp: dp as Buffer, dq: dq as Buffer, qi };
    return { kty: "RSA", ...Object.fromEntries(Object.entries(all).map(([key, value]) => [key, base64url(value)])) };
  }
  const curve = /^ecdsa-sha2-(nistp\d+)$/.exec(type)?.[1];
  if (curve === undefined || !(curve in curves)) throw new RangeError("an unknown type of key");
  const { crv, size } = curves[curve as keyof typeof curves];
  inner.string();
  const point = inner.string();
  if (point[0] !== 4 || point.length !== 1 + 2 * size) throw new RangeError("a point that is not written out");
  const secret = unsigned(inner.string());
  const d = Buffer.concat([Buffer.alloc(Math.max(0, size - secret.length)), secret]);
  return {
    kty: "EC",
    crv,
    x: base64url(point.subarray(1, 1 + size)),
    y: base64url(point.subarray(1 + size)),
    d: base64url(d),
  };
}

/** An mpint without the zero that keeps it from being negative. */
function unsigned(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length && bytes[start] === 0) start++;
  return bytes.subarray(start);
}

function hexBytes(value: bigint): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 ? `0${hex}` : hex, "hex");
}

function keyOf(key: KeyObject, comment: string): PrivateKey {
  const jwk = createPublicKey(key).export({ format: "jwk" });
  if (jwk.kty === "OKP" && jwk.crv === "Ed25519") {
    const type = string("ssh-ed25519");
    return {
      comment,
      publicBlob: Buffer.concat([type, string(unbase64url(jwk.x))]),
      sign: (data) => Buffer.concat([type, string(sign(null, data, key))]),
    };
  }
  if (jwk.kty === "RSA") {
    return {
      comment,
      publicBlob: Buffer.concat([string("ssh-rsa"), mpint(unbase64url(jwk.e)), mpint(unbase64url(jwk.n))]),
      sign(data, flags) {
        const [name, hash] =
          flags & 4 ? ["rsa-sha2-512", "sha512"] : flags & 2 ? ["rsa-sha2-256", "sha256"] : ["ssh-rsa", "sha1"];
        const bytes = sign(hash, data, { key, padding: constants.RSA_PKCS1_PADDING });
        return Buffer.concat([string(name), string(bytes)]);
      },
    };
  }
  const found = Object.entries(curves).find(([, { crv }]) => jwk.kty === "EC" && crv === jwk.crv);
  if (!found) throw new RangeError("an unknown type of key");
  const [curve, { size, hash }] = found;
  const point = Buffer.concat([Buffer.from([4]), unbase64url(jwk.x), unbase64url(jwk.y)]);
  const type = string(`ecdsa-sha2-${curve}`);
  return {
    comment,
    publicBlob: Buffer.concat([type, string(curve), string(point)]),
    sign(data) {
      const pair = sign(hash, data, { key, dsaEncoding: "ieee-p1363" });
      return Buffer.concat([type, string(Buffer.concat([mpint(pair.subarray(0, size)), mpint(pair.subarray(size))]))]);
    },
  };
}
