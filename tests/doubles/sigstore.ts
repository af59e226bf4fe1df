/**
 * A certificate service and a transparency log on loopback that speak as Fulcio and Rekor do, and the trusted root that
 * knows them. Certificates are openssl's; there is no log of certificates.
 */
import { execFile } from "node:child_process";
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
  sign as signWith,
  verify as verifyWith,
  X509Certificate,
} from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type FakeRequest, startFake } from "./fake-registry.ts";

const run = promisify(execFile);

export interface SigstoreDouble extends AsyncDisposable {
  /** Both services have this base URL. */
  readonly url: string;
  /** trusted_root.json. */
  readonly root: Buffer;
  /** What was asked, in order. */
  readonly requests: readonly FakeRequest[];
  /** What the log has. */
  readonly entries: readonly object[];
}

/** An identity token as the services believe it: unsigned, the test is the identity service. */
export function tokenFor(claims: object): string {
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString("base64url");
  return `${part({ alg: "none" })}.${part(claims)}.c2lnbmF0dXJl`;
}

/** `issuer` is who the certificates say that identities come from; empty, they do not say. */
export async function startSigstore(issuer: string): Promise<SigstoreDouble> {
  const folder = await mkdtemp(join(tmpdir(), "wbuild-sigstore-"));
  const at = (name: string) => join(folder, name);
  const ca = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout", at("ca.key")];
  const use = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"];
  await run("openssl", ["req", "-x509", ...ca, "-out", at("ca.pem"), "-subj", "/O=wbuild/CN=test", ...use]);
  const authority = new X509Certificate(await readFile(at("ca.pem")));
  const log = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const logKey = log.publicKey.export({ type: "spki", format: "der" });
  const logId = createHash("sha256").update(logKey).digest();
  const entries: object[] = [];

  const certify = async ({ headers, body }: FakeRequest): Promise<object | undefined> => {
    const question = JSON.parse(body.toString());
    // We name the token beside the key and prove that we have it; cosign sends a request of PKCS#10 in which both are.
    const token: string =
      question.credentials?.oidcIdentityToken ?? headers.authorization?.replace(/^Bearer /, "") ?? "";
    const { email, sub } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    const leaf = `leaf-${randomUUID()}`;
    if (question.certificateSigningRequest) {
      await writeFile(at(`${leaf}.csr`), Buffer.from(question.certificateSigningRequest, "base64"));
      await run("openssl", [
        "req",
        "-verify",
        "-in",
        at(`${leaf}.csr`),
        "-noout",
        "-pubkey",
        "-out",
        at(`${leaf}.pub`),
      ]);
    } else {
      const pem: string = question.publicKeyRequest.publicKey.content;
      const proof = Buffer.from(question.publicKeyRequest.proofOfPossession, "base64");
      if (!verifyWith("sha256", Buffer.from(email ?? sub), createPublicKey(pem), proof)) return undefined;
      await writeFile(at(`${leaf}.pub`), pem);
    }
    const name = email === undefined ? `URI:${sub}` : `email:${email}`;
    const lines = [
      "keyUsage=critical,digitalSignature",
      "extendedKeyUsage=codeSigning",
      `subjectAltName=critical,${name}`,
      // The issuer twice, as Fulcio has it: cosign reads the older form beside a tag, where the text has no type.
      ...(issuer === "" ? [] : [`1.3.6.1.4.1.57264.1.1=DER:${Buffer.from(issuer).toString("hex")}`]),
      ...(issuer === "" ? [] : [`1.3.6.1.4.1.57264.1.8=ASN1:UTF8String:${issuer}`]),
    ];
    await writeFile(at(`${leaf}.ext`), lines.join("\n"));
    const from = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-days", "1", "-extfile", at(`${leaf}.ext`)];
    await run("openssl", [
      ...["x509", "-new", "-force_pubkey", at(`${leaf}.pub`), "-subj", "/", ...from, "-out", at(`${leaf}.pem`)],
    ]);
    const certificates = [await readFile(at(`${leaf}.pem`), "utf8"), authority.toString()];
    return { signedCertificateEmbeddedSct: { chain: { certificates } } };
  };

  const record = (proposed: { apiVersion: string; kind: string; spec: DsseSpec }): object => {
    const spec = proposed.kind === "dsse" ? dsseSpec(proposed.spec) : proposed.spec;
    const bytes = Buffer.from(JSON.stringify({ apiVersion: proposed.apiVersion, kind: proposed.kind, spec }));
    const integratedTime = Math.floor(Date.now() / 1000);
    // Keys in the order that canonical JSON has.
    const promised = { body: bytes.toString("base64"), integratedTime, logID: logId.toString("hex"), logIndex: 0 };
    const rootHash = createHash("sha256")
      .update(Buffer.from([0]))
      .update(bytes)
      .digest();
    // The number of the tree behind the name: by that cosign knows a log of Rekor's version 1.
    const note = `127.0.0.1 - 1\n1\n${rootHash.toString("base64")}\n`;
    const signed = Buffer.concat([logId.subarray(0, 4), signWith("sha256", Buffer.from(note), log.privateKey)]);
    const entry = {
      ...promised,
      verification: {
        signedEntryTimestamp: signWith("sha256", Buffer.from(JSON.stringify(promised)), log.privateKey).toString(
          "base64",
        ),
        inclusionProof: {
          logIndex: 0,
          treeSize: 1,
          hashes: [],
          rootHash: rootHash.toString("hex"),
          checkpoint: `${note}\n\u2014 127.0.0.1 ${signed.toString("base64")}\n`,
        },
      },
    };
    entries.push(entry);
    return { [rootHash.toString("hex")]: entry };
  };

  const answer = async (request: FakeRequest, response: ServerResponse) => {
    const { path, body } = request;
    const isLog = path === "/api/v1/log/entries";
    const found = isLog
      ? record(JSON.parse(body.toString()))
      : path === "/api/v2/signingCert"
        ? await certify(request)
        : undefined;
    response.writeHead(found ? (isLog ? 201 : 200) : 403, {
      "content-type": "application/json",
      // cosign finds its entry in the answer by this.
      ...(isLog && found ? { etag: Object.keys(found)[0] } : {}),
    });
    response.end(JSON.stringify(found ?? { code: 403, message: "refused", body: body.toString() }));
  };
  const server = await startFake((request, response) => void answer(request, response));
  const start = "2020-01-01T00:00:00Z";
  const url = `http://${server.host}`;
  const root = {
    mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    tlogs: [
      {
        baseUrl: url,
        hashAlgorithm: "SHA2_256",
        publicKey: {
          rawBytes: logKey.toString("base64"),
          keyDetails: "PKIX_ECDSA_P256_SHA_256",
          validFor: { start },
        },
        logId: { keyId: logId.toString("base64") },
      },
    ],
    certificateAuthorities: [
      {
        subject: { organization: "wbuild", commonName: "test" },
        uri: url,
        certChain: { certificates: [{ rawBytes: authority.raw.toString("base64") }] },
        validFor: { start },
      },
    ],
    ctlogs: [],
    timestampAuthorities: [],
  };
  return {
    url,
    root: Buffer.from(JSON.stringify(root)),
    requests: server.requests,
    entries,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface DsseSpec {
  readonly proposedContent: { readonly envelope: string; readonly verifiers: readonly string[] };
}

/** What the log keeps of an envelope: hashes and signatures, not the content. */
function dsseSpec({ proposedContent: { envelope, verifiers } }: DsseSpec): object {
  const { payload, signatures } = JSON.parse(envelope);
  const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");
  return {
    envelopeHash: { algorithm: "sha256", value: sha256(envelope) },
    payloadHash: { algorithm: "sha256", value: sha256(Buffer.from(payload, "base64")) },
    signatures: [{ signature: signatures[0].sig, verifier: verifiers[0] }],
  };
}
