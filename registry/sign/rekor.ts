/** Makes signatures public in a transparency log (Rekor's API, version 1). What is sent there stays there for ever. */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { WbuildError } from "../../native/error.ts";
import { ask, type Service } from "./service.ts";
import type { LogEntry } from "./signature-tag.ts";
import { kindOf } from "./trust.ts";

export interface TransparencyLog {
  /** A signature over bytes. `verifier` is the PEM of the key or of its certificate. */
  addSignature(bytes: Uint8Array, signature: Buffer, verifier: string): Promise<LogEntry>;
  /** A signed statement; the entry is JSON as a bundle holds it. */
  addStatement(statement: Buffer, type: string, signature: Buffer, verifier: string): Promise<object>;
}

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const hex = v.pipe(v.string(), v.regex(/^[0-9a-f]{1,128}$/));
const entrySchema = v.object({
  body: v.string(),
  integratedTime: whole,
  logID: hex,
  logIndex: whole,
  verification: v.object({
    signedEntryTimestamp: v.string(),
    inclusionProof: v.optional(
      v.object({ logIndex: whole, rootHash: hex, treeSize: whole, hashes: v.array(hex), checkpoint: v.string() }),
    ),
  }),
});

export function openLog(service: Service): TransparencyLog {
  const add = async (kind: string, spec: object) => {
    const answer = await ask(service, "/api/v1/log/entries", { apiVersion: "0.0.1", kind, spec });
    const found = v.safeParse(entrySchema, Object.values(answer)[0]);
    if (!found.success) throw new WbuildError("REG_SIGN_SERVICE", "the transparency log answered without an entry");
    return found.output;
  };
  return {
    async addSignature(bytes, signature, verifier) {
      const { body, integratedTime, logID, logIndex, verification } = await add("hashedrekord", {
        data: { hash: { algorithm: "sha256", value: createHash("sha256").update(bytes).digest("hex") } },
        signature: {
          content: signature.toString("base64"),
          publicKey: { content: Buffer.from(verifier).toString("base64") },
        },
      });
      return { body, integratedTime, logID, logIndex, signedEntryTimestamp: verification.signedEntryTimestamp };
    },
    async addStatement(statement, type, signature, verifier) {
      const envelope = {
        payload: statement.toString("base64"),
        payloadType: type,
        signatures: [{ sig: signature.toString("base64") }],
      };
      const { body, integratedTime, logID, logIndex, verification } = await add("dsse", {
        proposedContent: {
          envelope: JSON.stringify(envelope),
          verifiers: [Buffer.from(verifier).toString("base64")],
        },
      });
      const { inclusionProof: proof, signedEntryTimestamp } = verification;
      // Bundles of this version hold a proof; a log that gives none cannot be used for them.
      if (!proof) throw new WbuildError("REG_SIGN_SERVICE", "the transparency log answered without a proof");
      const { kind, apiVersion } = kindOf(body);
      return {
        logIndex: String(logIndex),
        logId: { keyId: base64Of(logID) },
        kindVersion: { kind, version: apiVersion },
        integratedTime: String(integratedTime),
        inclusionPromise: { signedEntryTimestamp },
        inclusionProof: {
          logIndex: String(proof.logIndex),
          rootHash: base64Of(proof.rootHash),
          treeSize: String(proof.treeSize),
          hashes: proof.hashes.map(base64Of),
          checkpoint: { envelope: proof.checkpoint },
        },
        canonicalizedBody: body,
      };
    },
  };
}

function base64Of(text: string): string {
  return Buffer.from(text, "hex").toString("base64");
}
