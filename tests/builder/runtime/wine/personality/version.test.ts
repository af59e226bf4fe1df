import test from "ava";
import { parseOsVersion, versionValues } from "../../../../../builder/runtime/wine/personality/version.ts";

const versions: [text: string, parsed: readonly number[] | undefined][] = [
  ["10.0.20348.2700", [10, 0, 20348, 2700]],
  ["10.0.20348", [10, 0, 20348, 0]],
  ["10.0", [10, 0, 0, 0]],
  ["10", undefined],
  ["", undefined],
  ["10.0.20348.2700.1", undefined],
  ["10.0.x.1", undefined],
  ["9999999999.0.0.0", undefined],
];

for (const [text, parsed] of versions) {
  test(`os.version ${JSON.stringify(text)}`, (t) => t.deepEqual(parseOsVersion(text), parsed as never));
}

test("the values say the version as text and as numbers, and the revision as UBR", (t) => {
  const told = versionValues("10.0.20348.2700").map(({ key, value }) => {
    t.is(key, "Software\\Microsoft\\Windows NT\\CurrentVersion");
    const data = Buffer.from(value.data);
    return `${value.name}=${value.type === 4 ? data.readUInt32LE() : data.toString("utf16le").replace("\0", "")}`;
  });
  t.deepEqual(told, [
    "CurrentVersion=10.0",
    "CurrentBuild=20348",
    "CurrentBuildNumber=20348",
    "CurrentMajorVersionNumber=10",
    "CurrentMinorVersionNumber=0",
    "UBR=2700",
  ]);
});

test("of what is no version nothing is said", (t) => t.deepEqual(versionValues("latest"), []));
