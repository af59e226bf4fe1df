/** Bytes of a step, of key files and of CDI files: any of them give an answer or a WbuildError, and nothing is kept without end. */
import { generateKeyPairSync } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import { readCdiSpec } from "../../builder/runtime/cdi/spec.ts";
import { readPrivateKey } from "../../builder/runtime/ssh/private-key.ts";
import { largestMessage, Messages, mpint, Reader, string } from "../../builder/runtime/ssh/wire.ts";
import { isWbuildError } from "../../native/error.ts";

test("messages come out as they went in, in whatever pieces they arrive", (t) => {
  const bodies = fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 10 });
  fc.assert(
    fc.property(bodies, fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (sent, sizes) => {
      const stream = Buffer.concat(sent.map(string));
      const messages = new Messages();
      const found: Buffer[] = [];
      for (let at = 0, i = 0; at < stream.length; i++) {
        const size = sizes[i % sizes.length] ?? 1;
        found.push(...(messages.take(stream.subarray(at, at + size)) ?? []));
        at += size;
      }
      t.deepEqual(
        found.map((body) => [...body]),
        sent.map((body) => [...body]),
      );
    }),
  );
});

test("any bytes are messages within the bound, or the end of it", (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { minLength: 1, maxLength: 20 }), (pieces) => {
      const messages = new Messages();
      for (const piece of pieces) {
        const found = messages.take(piece);
        t.true(found === undefined || found.every((body) => body.length > 0 && body.length <= largestMessage));
        if (found === undefined) return;
      }
    }),
  );
});

test("a number is read back as it was written", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const read = new Reader(mpint(bytes)).string();
      t.true((read[0] ?? 0) < 0x80, "it is not negative");
      t.is(BigInt(`0x0${read.toString("hex")}`), BigInt(`0x0${Buffer.from(bytes).toString("hex")}`));
    }),
  );
});

/** What reads a key: true when it was one. It never throws anything else, and never tells what it read. */
function tries(t: { true(value: boolean, message?: string): void }, text: string): boolean {
  try {
    return readPrivateKey(text, "the key").publicBlob.length > 0;
  } catch (error) {
    t.true(isWbuildError(error, "STEP_SSH"), String(error));
    return false;
  }
}

const opensshKey = (body: Uint8Array) =>
  `-----BEGIN OPENSSH PRIVATE KEY-----\n${Buffer.from(body).toString("base64")}\n-----END OPENSSH PRIVATE KEY-----\n`;

test("private keys: any text, and any fields in OpenSSH's own frame", (t) => {
  const field = fc.oneof(
    fc.constantFrom("none", "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp999", "").map(string),
    fc.uint8Array({ maxLength: 70 }).map(string),
    fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
    fc.constant(Buffer.from([0, 0, 0, 1])),
  );
  const inner = fc.array(field, { maxLength: 10 }).map((parts) => Buffer.concat([Buffer.alloc(8), ...parts]));
  const framed = inner.map((bytes) =>
    Buffer.concat([
      Buffer.from("openssh-key-v1\0"),
      ...[string("none"), string("none"), string("")],
      Buffer.from([0, 0, 0, 1]),
      ...[string(""), string(bytes)],
    ]),
  );
  fc.assert(
    fc.property(fc.oneof(fc.string(), framed.map(opensshKey), fc.uint8Array().map(opensshKey)), (text) => {
      tries(t, text);
    }),
  );
});

test("private keys: a true one with bytes changed", (t) => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  t.true(tries(t, pem));
  fc.assert(
    fc.property(fc.nat(pem.length - 1), fc.string({ minLength: 1, maxLength: 3 }), (at, noise) => {
      tries(t, pem.slice(0, at) + noise + pem.slice(at + noise.length));
    }),
  );
});

test("CDI files: any text, and any JSON of about the right shape", async (t) => {
  const edits = fc.record(
    {
      env: fc.array(fc.string()),
      deviceNodes: fc.array(fc.record({ path: fc.string() }, { requiredKeys: [] })),
      mounts: fc.anything(),
      additionalGids: fc.array(fc.integer()),
    },
    { requiredKeys: [] },
  );
  const spec = fc
    .record(
      {
        cdiVersion: fc.constantFrom("0.6.0", "2.0.0", ""),
        kind: fc.constantFrom("a.com/b", "a", ""),
        devices: fc.array(fc.record({ name: fc.constantFrom("x", "/", ""), containerEdits: edits })),
        containerEdits: edits,
      },
      { requiredKeys: [] },
    )
    .map((value) => JSON.stringify(value) ?? "");
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), spec), async (text) => {
      try {
        for (const { name, edits: found } of await readCdiSpec(text, "the file")) {
          t.true(name.includes("="));
          for (const { deviceNodes, env } of found) {
            t.true(deviceNodes.every(({ path }) => path.startsWith("/")));
            t.true(env.every((pair) => pair.indexOf("=") > 0));
          }
        }
      } catch (error) {
        t.true(isWbuildError(error, "STEP_DEVICE"), String(error));
      }
    }),
  );
});
