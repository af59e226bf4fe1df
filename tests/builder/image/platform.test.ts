/** Platforms: spellings, what fits what, and the choice from an index. */
import test from "ava";
import {
  choosePlatform,
  chooseUsual,
  formatPlatform,
  hostPlatform,
  parsePlatform,
  platformMatches,
} from "../../../builder/image/platform.ts";
import type { Descriptor, Platform } from "../../../layerfs/store/descriptor.ts";
import { isWbuildError } from "../../../native/error.ts";

const spellings: [text: string, expected: string][] = [
  ["linux/amd64", "linux/amd64"],
  ["Linux/X86_64", "linux/amd64"],
  ["linux/x86-64", "linux/amd64"],
  ["linux/aarch64", "linux/arm64"],
  ["linux/arm64/v8", "linux/arm64"],
  ["linux/arm64/8", "linux/arm64"],
  ["linux/arm64/v9", "linux/arm64/v9"],
  ["linux/arm", "linux/arm/v7"],
  ["linux/arm/7", "linux/arm/v7"],
  ["linux/arm/v6", "linux/arm/v6"],
  ["linux/armhf", "linux/arm/v7"],
  ["linux/armel", "linux/arm/v6"],
  ["linux/i386", "linux/386"],
  ["linux/amd64/v1", "linux/amd64"],
  ["linux/amd64/v3", "linux/amd64/v3"],
  ["windows/amd64", "windows/amd64"],
  ["macos/arm64", "darwin/arm64"],
  ["arm64", "linux/arm64"],
  ["x86_64", "linux/amd64"],
  ["linux/strange", "linux/strange"],
];
for (const [text, expected] of spellings)
  test(`platform ${text} is ${expected}`, (t) => t.is(formatPlatform(parsePlatform(text)), expected));

test("an os alone takes the host's architecture", (t) => {
  t.deepEqual(parsePlatform("windows"), { ...hostPlatform(), os: "windows" });
});

const versions: [text: string, expected: Platform][] = [
  ["windows(10.0.20348.1)/amd64", { os: "windows", "os.version": "10.0.20348.1", architecture: "amd64" }],
  [
    "windows(10.0.20348.1+win32k)/amd64",
    { os: "windows", "os.version": "10.0.20348.1", "os.features": ["win32k"], architecture: "amd64" },
  ],
  ["windows(+win32k)/arm64", { os: "windows", "os.features": ["win32k"], architecture: "arm64" }],
];
for (const [text, expected] of versions) {
  test(`a Windows version in parentheses: ${text}`, (t) => {
    t.deepEqual(parsePlatform(text), expected);
    t.is(formatPlatform(expected), text);
  });
}

for (const text of [
  "",
  "/",
  "linux/",
  "/amd64",
  "a/b/c/d",
  "li nux/amd64",
  "linx",
  "linux/amd64/..\u0000",
  "windows()/amd64",
  "windows(+)/amd64",
  "windows(10+)/amd64",
  "windows(10.0.1/amd64",
  "windows(1 0)/amd64",
  "x".repeat(100),
]) {
  test(`platform refused: ${JSON.stringify(text.slice(0, 20))}`, (t) => {
    const error = t.throws(() => parsePlatform(text));
    t.true(isWbuildError(error, "IMG_PLATFORM_SYNTAX"));
  });
}

test("a misspelt platform is suggested", (t) => {
  const error = t.throws(() => parsePlatform("linx"));
  t.is(isWbuildError(error) ? error.hint : "", "did you mean linux?");
});

const fits: [found: string, wanted: string, isFit: boolean][] = [
  ["linux/amd64", "linux/amd64", true],
  ["linux/amd64", "linux/arm64", false],
  ["windows/amd64", "linux/amd64", false],
  ["linux/arm/v6", "linux/arm/v7", true],
  ["linux/arm/v7", "linux/arm/v6", false],
  ["linux/arm64", "linux/arm64/v8", true],
  ["linux/arm64/v9", "linux/arm64", false],
  ["linux/amd64", "linux/amd64/v3", true],
  ["linux/amd64/v3", "linux/amd64", false],
  ["linux/arm/v7", "linux/arm64", false],
  ["linux/mips64le/hardfloat", "linux/mips64le/hardfloat", true],
  ["linux/mips64le/hardfloat", "linux/mips64le", false],
];
for (const [found, wanted, isFit] of fits) {
  test(`an image for ${found} ${isFit ? "serves" : "does not serve"} ${wanted}`, (t) => {
    t.is(platformMatches(parsePlatform(found), parsePlatform(wanted)), isFit);
  });
}

const of = (platform: Platform | undefined, size: number): Descriptor => ({
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: `sha256:${"0".repeat(64)}`,
  size,
  ...(platform === undefined ? {} : { platform }),
});
const index = [
  of({ os: "unknown", architecture: "unknown" }, 1),
  of(undefined, 2),
  of({ os: "linux", architecture: "arm", variant: "v6" }, 3),
  of({ os: "linux", architecture: "arm", variant: "v7" }, 4),
  of({ os: "linux", architecture: "amd64" }, 5),
  of({ os: "linux", architecture: "amd64" }, 6),
  of({ os: "windows", architecture: "amd64", "os.version": "10.0.17763.9" }, 7),
  of({ os: "windows", architecture: "amd64", "os.version": "10.0.20348.9" }, 8),
  of({ os: "windows", architecture: "amd64", "os.version": "10.0.20348.10" }, 9),
  of({ os: "windows", architecture: "amd64", "os.version": "10.0.20348.10", "os.features": ["win32k"] }, 10),
  of({ os: "windows", architecture: "amd64" }, 11),
  of({ os: "windows", architecture: "arm64" }, 12),
];
const choices: [wanted: Platform, size: number | undefined][] = [
  [parsePlatform("linux/amd64"), 5],
  [parsePlatform("linux/arm/v7"), 4],
  [parsePlatform("linux/arm/v8"), 4],
  [parsePlatform("linux/arm/v6"), 3],
  [parsePlatform("linux/arm/v5"), undefined],
  [parsePlatform("linux/s390x"), undefined],
  [parsePlatform("windows/amd64"), 9],
  [parsePlatform("windows(10.0.17763.9)/amd64"), 7],
  [parsePlatform("windows(10.0.20348.9)/amd64"), 8],
  [parsePlatform("windows(10.0.20348.500)/amd64"), 9],
  [parsePlatform("windows(10.0.20348)/amd64"), 9],
  [parsePlatform("windows(10.0.20348.10+win32k)/amd64"), 10],
  [parsePlatform("windows(+win32k)/amd64"), 10],
  [parsePlatform("windows(10.0.26100.1)/amd64"), 11],
  [parsePlatform("windows/arm64"), 12],
];
for (const [wanted, size] of choices) {
  test(`from the index for ${formatPlatform(wanted)}: ${size ?? "none"}`, (t) => {
    t.is(choosePlatform(index, wanted)?.size, size);
  });
}

test("who asks for nothing gets this host's, or else Windows", (t) => {
  const { architecture } = hostPlatform();
  const host = of(hostPlatform(), 1);
  const windows = of({ os: "windows", architecture }, 2);
  t.is(chooseUsual([windows, host])?.size, 1);
  t.is(chooseUsual([windows])?.size, 2);
  t.is(chooseUsual([of({ os: "darwin", architecture }, 3)]), undefined);
});

const nodes: [node: string, expected: string][] = [
  ["x64", "linux/amd64"],
  ["arm64", "linux/arm64"],
  ["arm", "linux/arm/v7"],
  ["ia32", "linux/386"],
  ["s390x", "linux/s390x"],
];
for (const [node, expected] of nodes)
  test(`Node's ${node} is ${expected}`, (t) => t.is(formatPlatform(hostPlatform(node)), expected));
