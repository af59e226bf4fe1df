/** The listing of a commit, in whatever pieces it comes: counted alike, and bounded whatever it holds. */
import test from "ava";
import fc from "fast-check";
import { entryCounter } from "../../builder/context/git/bounds.ts";
import { isWbuildError } from "../../native/error.ts";
import { holds } from "../doubles/holds.ts";

const runs = Number(process.env.FUZZ_RUNS ?? 500);
const name = fc.stringMatching(/^[ -~\t]{1,20}$/);
const size = fc.oneof(fc.constant("-"), fc.nat({ max: 100_000 }).map(String));

function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, i) => bytes.subarray(from, at[i]));
}

test("the sum of sizes decides, wherever the pieces end", (t) => {
  holds(
    t,
    fc.property(
      fc.array(fc.tuple(name, size)),
      fc.array(fc.nat({ max: 5000 })),
      fc.nat({ max: 500_000 }),
      (entries, cuts, most) => {
        const listing = entries
          .map(([path, bytes]) => `100644 blob ${"0".repeat(40)} ${bytes.padStart(7)}\t${path}\0`)
          .join("");
        const sum = entries.reduce((all, [, bytes]) => all + (Number(bytes) || 0), 0);
        const take = entryCounter("it", most);
        try {
          for (const piece of pieces(Buffer.from(listing), cuts)) take(piece);
          return sum <= most;
        } catch (error) {
          return sum > most && isWbuildError(error, "CTX_TOO_LARGE");
        }
      },
    ),
    { numRuns: runs },
  );
});

test("any bytes are taken or refused with a code", (t) => {
  holds(
    t,
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (parts) => {
      const take = entryCounter("it", 1000);
      try {
        for (const part of parts) take(Buffer.from(part));
      } catch (error) {
        return isWbuildError(error, "CTX_TOO_LARGE") || isWbuildError(error, "CTX_GIT");
      }
      return true;
    }),
    { numRuns: runs },
  );
});
