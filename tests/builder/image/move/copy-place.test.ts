import test from "ava";
import fc from "fast-check";
import { formatPlace, type Place, parsePlace, registriesOf } from "../../../../builder/image/move/copy-place.ts";
import { isWbuildError } from "../../../../native/error.ts";
import { holds } from "../../../doubles/holds.ts";

const rows: [text: string, shown: string, kind: Place["kind"]][] = [
  ["alpine", "alpine:latest", "registry"],
  ["docker://localhost:5000/a/b:1", "localhost:5000/a/b:1", "registry"],
  ["oci/thing:1", "oci/thing:1", "registry"],
  ["docker:24-dind", "docker:24-dind", "registry"],
  ["oci:./layout", "oci:./layout", "oci"],
  ["oci:/tmp/x:v1", "oci:/tmp/x:v1", "oci"],
  ["oci:/tmp/x:host.example/a:v1", "oci:/tmp/x:host.example/a:v1", "oci"],
  ["oci-archive:x.tar:", "oci-archive:x.tar", "oci-archive"],
  ["docker-archive:x.tar:app:1", "docker-archive:x.tar:app:1", "docker-archive"],
  ["dir:/a:b", "dir:/a:b", "dir"],
  ["store:app:1", "store:app:1", "store"],
];
for (const [text, shown, kind] of rows)
  test(`${text} is ${kind}`, (t) => {
    const place = parsePlace(text);
    t.is(place.kind, kind);
    t.is(formatPlace(place), shown);
    t.deepEqual(parsePlace(shown), place);
  });

for (const [text, code, words] of [
  ["containers-storage:x", "CLI_VALUE", /go through an archive/],
  ["docker-daemon:x:1", "CLI_VALUE", /go through an archive/],
  ["./layout", "CLI_VALUE", /write oci:PATH/],
  ["/tmp/x.tar", "CLI_VALUE", /write oci:PATH/],
  ["oci:", "CLI_VALUE", /names no path/],
  ["store:", "CLI_VALUE", /names no image/],
  ["Upper/Case", "REG_REFERENCE", /lower case/],
] as const)
  test(`${text} is refused, with what to write instead`, (t) => {
    const error = t.throws(() => parsePlace(text));
    t.true(isWbuildError(error, code), String(error));
    t.regex(`${error?.message} ${(error as { hint?: string }).hint}`, words);
  });

test("registries are told once each", (t) => {
  const places = ["a.example/x", "docker://a.example/y", "oci:z", "b.example/x"].map(parsePlace);
  t.deepEqual(registriesOf(places), ["a.example", "b.example"]);
});

test("any text is a place or is refused by one of our errors", (t) => {
  holds(
    t,
    fc.property(
      fc.oneof(
        fc.string(),
        fc
          .constantFrom("oci:", "docker://", "dir:", "store:")
          .chain((start) => fc.string().map((rest) => start + rest)),
      ),
      (text) => {
        try {
          formatPlace(parsePlace(text));
        } catch (error) {
          if (!isWbuildError(error)) throw error;
        }
      },
    ),
  );
});
