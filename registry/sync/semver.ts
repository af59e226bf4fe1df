/**
 * Ranges of semantic versions, as `images-by-semver` of a sync file has them: `>= 1.2, < 3`, `~1.4`, `^2`, `1.x || 3.0 - 3.4`.
 * Tags that are no versions fit nothing; pre-releases fit only ranges that name one.
 */

interface Version {
  readonly numbers: readonly [number, number, number];
  readonly pre: readonly string[];
}

type Test = (version: Version) => boolean;

const maxText = 1024;
const versionText = /^v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;
const partText =
  /^(=|==|!=|>=|=>|<=|=<|>|<|~>|~|\^)?\s*v?(\d{1,9}|[xX*])(?:\.(\d{1,9}|[xX*]))?(?:\.(\d{1,9}|[xX*]))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

/** The test that a range is; undefined when the text is none. */
export function parseRange(text: string): ((tag: string) => boolean) | undefined {
  if (text.length > maxText || text.trim() === "") return undefined;
  const alternatives: Test[][] = [];
  for (const alternative of text.split("||")) {
    const tests = testsOf(alternative);
    if (!tests || tests.length === 0) return undefined;
    alternatives.push(tests);
  }
  return (tag) => {
    const version = parseVersion(tag);
    return version !== undefined && alternatives.some((tests) => tests.every((test) => test(version)));
  };
}

function parseVersion(text: string): Version | undefined {
  const [whole, major, minor, patch, pre] = versionText.exec(text.slice(0, 128)) ?? [];
  if (whole === undefined) return undefined;
  return { numbers: [Number(major), Number(minor ?? 0), Number(patch ?? 0)], pre: pre?.split(".") ?? [] };
}

/** Parts with commas or spaces between them must all fit. `1.2 - 1.4` is a part of its own. */
function testsOf(alternative: string): Test[] | undefined {
  const hyphens = alternative.trim().replace(/(\S+)\s+-\s+(\S+)/g, ">=$1 <=$2");
  // An operator may stand apart from its version.
  const parts = hyphens.replace(/([=!<>~^])\s+(?=[v\dxX*])/g, "$1").split(/[\s,]+/);
  const tests: Test[] = [];
  for (const part of parts.filter((each) => each !== "")) {
    const test = testOf(part);
    if (!test) return undefined;
    tests.push(test);
  }
  return tests;
}

function testOf(part: string): Test | undefined {
  const [whole, operator = "=", ...rest] = partText.exec(part) ?? [];
  if (whole === undefined) return undefined;
  const [major, minor, patch, pre] = rest;
  const numbers = [major, minor, patch].map((each) =>
    each === undefined || /[xX*]/.test(each) ? undefined : Number(each),
  );
  // What stands behind a wildcard does not count.
  const end = numbers.indexOf(undefined);
  const given = end < 0 ? 3 : end;
  const at = (index: number) => (index < given ? (numbers[index] ?? 0) : 0);
  const low: Version = { numbers: [at(0), at(1), at(2)], pre: pre?.split(".") ?? [] };
  const next = (kept: number): Version => ({
    numbers: [0, 1, 2]
      .map((i) => (i < kept ? at(i) : 0))
      .map((n, i) => (i === kept - 1 ? n + 1 : n)) as unknown as Version["numbers"],
    pre: [],
  });
  const within = (kept: number): Test =>
    kept === 0 ? () => true : (version) => compare(version, low) >= 0 && compareNumbers(version, next(kept)) < 0;
  const equal = given === 3 ? (version: Version) => compare(version, low) === 0 : within(given);
  const tests: Readonly<Record<string, Test>> = {
    "=": equal,
    "!=": (version) => !equal(version),
    ">":
      given === 3 || given === 0
        ? (version) => compare(version, low) > 0
        : (version) => compareNumbers(version, next(given)) >= 0,
    ">=": (version) => compare(version, low) >= 0,
    "<": (version) => compare(version, low) < 0,
    "<=":
      given === 3
        ? (version) => compare(version, low) <= 0
        : (version) => given === 0 || compareNumbers(version, next(given)) < 0,
    "~": within(Math.min(given, 2)),
    // The first number that is not zero must stay.
    "^": within(at(0) > 0 || given <= 1 ? Math.min(given, 1) : at(1) > 0 || given === 2 ? 2 : 3),
  };
  const alias: Readonly<Record<string, string>> = { "==": "=", "=>": ">=", "=<": "<=", "~>": "~" };
  const test = tests[alias[operator] ?? operator];
  return test && ((version) => (version.pre.length === 0 || low.pre.length > 0) && test(version));
}

function compareNumbers(a: Version, b: Version): number {
  for (const [i, number] of a.numbers.entries()) {
    const difference = number - (b.numbers[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Semantic versioning 2.0.0, section 11. */
function compare(a: Version, b: Version): number {
  const numbers = compareNumbers(a, b);
  if (numbers !== 0) return numbers;
  if (a.pre.length === 0 || b.pre.length === 0) return b.pre.length - a.pre.length;
  for (let i = 0; i < Math.max(a.pre.length, b.pre.length); i++) {
    const [x, y] = [a.pre[i], b.pre[i]];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    if (x === y) continue;
    const [p, q] = [x, y].map((each) => (/^\d{1,15}$/.test(each) ? Number(each) : undefined));
    if (p !== undefined && q !== undefined) return p - q;
    if (p !== undefined || q !== undefined) return p !== undefined ? -1 : 1;
    return x < y ? -1 : 1;
  }
  return 0;
}
