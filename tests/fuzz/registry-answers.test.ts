/** Lists, Link headers and subjects on hostile text: what comes out is well-formed or nothing, and never an exception of another kind. */
import test from "ava";
import fc from "fast-check";
import { isDigest } from "../../layerfs/store/digest.ts";
import { isWbuildError } from "../../native/error.ts";
import { subjectOf } from "../../registry/referrers.ts";
import { nextOf } from "../../registry/transport/pages.ts";
import { startFake } from "../doubles/fake-registry.ts";
import { holds } from "../doubles/holds.ts";
import { anonymousClient } from "../doubles/registry-client.ts";

const numRuns = Number(process.env.FUZZ_RUNS ?? 2000);
const digest = `sha256:${"a".repeat(64)}` as const;

const linkPart = fc.constantFrom("<", ">", ";", ",", "rel", "=", '"', "next", "prev", " ", "/v2/a?n=1", "\\", "é");
test("a Link header of any shape", (t) => {
  fc.assert(
    fc.property(fc.array(linkPart, { maxLength: 30 }), (parts) => {
      const header = parts.join("");
      const next = nextOf(header);
      return next === undefined || (header.includes(`<${next}>`) && header.includes("next"));
    }),
    { numRuns },
  );
  // Backtracking would make this one last for hours.
  t.is(nextOf(`<a>${'; rel="x'.repeat(2000)}`), undefined);
});

const name = fc.constantFrom(
  "subject",
  "digest",
  "manifests",
  "schemaVersion",
  "tags",
  "artifactType",
  "config",
  "size",
);
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom<unknown>(null, 2, -1, "", digest, "sha512:00", "sha256:../x", "../evil", "a", true),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(name, tie("value"), { maxKeys: 5 }),
  ),
})).value;
const body = fc.oneof(
  json.map((value) => JSON.stringify(value)),
  fc.string({ maxLength: 40 }),
);

test("a subject is a digest or none", (t) => {
  fc.assert(
    fc.property(body, (text) => {
      const found = subjectOf(Buffer.from(text));
      return found === undefined || isDigest(found);
    }),
    { numRuns },
  );
  t.is(subjectOf(Buffer.from(JSON.stringify({ subject: { digest } }))), digest);
});

test("tags and referrers from answers of any shape", async (t) => {
  let answer = "";
  await using fake = await startFake((_request, response) => void response.end(answer));
  await using client = anonymousClient({
    retry: { attempts: 1 },
  });
  const repository = client.repository({ registry: fake.host, repository: "team/app" });
  const ofKind = (error: unknown) => {
    if (!isWbuildError(error)) throw error;
    return [];
  };
  await holds(
    t,
    fc.asyncProperty(body, async (text) => {
      answer = text;
      const tags = await repository.tags().catch(ofKind);
      const found = await repository.referrers(digest).catch(ofKind);
      return tags.every((tag) => /^\w[\w.-]*$/.test(tag)) && found.every((one) => isDigest(one.digest));
    }),
    { numRuns: Math.min(numRuns, 200) },
  );
});
