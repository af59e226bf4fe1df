/** HCL expressions and functions: what a bake file's text comes to. */
/* biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are texts of bake files. */
import test from "ava";
import { readDocuments } from "../../../builder/bake/document.ts";
import { BakeScope } from "../../../builder/bake/scope.ts";
import type { Value } from "../../../builder/bake/value.ts";
import { isWbuildError } from "../../../native/error.ts";

/** The value of `x = EXPRESSION` in a file that also says `before`. */
async function value(expression: string, before = "", env: Record<string, string> = {}): Promise<Value | undefined> {
  const document = await readDocuments([{ name: "docker-bake.hcl", text: `${before}\nx = ${expression}\n` }]);
  return new BakeScope(document, { env, given: {}, builtIn: {} }).variable("x");
}

/** Plain: objects of the language have no prototype. */
const plain = (found: Value | undefined): unknown => JSON.parse(JSON.stringify(found ?? null));

const variables = `
variable "a" { default = "text" }
variable "n" { default = 4 }
variable "list" { default = ["x", "y", "z"] }
variable "map" { default = { one = 1, two = 2 } }
variable "people" { default = [{ name = "Ada", age = 36 }, { name = "Bob", age = 40 }] }
variable "yes" { default = true }
`;

const expressions: readonly (readonly [expression: string, value: unknown])[] = [
  ['"plain"', "plain"],
  ['"a\\tb\\n\\"q\\" \\u00e9"', 'a\tb\n"q" é'],
  ['"pre-${a}-post"', "pre-text-post"],
  ['"${n}"', 4],
  ['"n is ${n}"', "n is 4"],
  ['"$${a}"', "${a}"],
  ['"$${a} ${a}"', "${a} text"],
  ['"cost: $5 ${a}"', "cost: $5 text"],
  ["a", "text"],
  ["null", null],
  ["-n + 2 * 3", 2],
  ["(n + 2) * 3", 18],
  ["n % 3", 1],
  ["n / 8", 0.5],
  ["n >= 4 && n < 5", true],
  ["!yes || n == 5", false],
  ['a == "text" ? "is" : "is not"', "is"],
  ['n == "4"', false],
  ["n != 4", false],
  ["list[1]", "y"],
  ["list[n - 2]", "z"],
  ['map["two"]', 2],
  ["map.one", 1],
  ['{ "k-${a}" = 1, (a) = 2, bare = 3 }', { "k-text": 1, text: 2, bare: 3 }],
  ["people[*].name", ["Ada", "Bob"]],
  ["people.*.age", [36, 40]],
  ["null[*]", []],
  ['[for item in list : upper(item) if item != "y"]', ["X", "Z"]],
  ["[for index, item in list : index]", [0, 1, 2]],
  ["{ for key, item in map : item => key }", { 1: "one", 2: "two" }],
  ["{ for item in [1, 2, 3] : item % 2 => item... }", { 0: [2], 1: [1, 3] }],
  ['"%{ if yes }on%{ else }off%{ endif }"', "on"],
  ['"%{ for item in list }[${item}]%{ endfor }"', "[x][y][z]"],
  ["<<E\n  one ${a}\n  two\nE", "  one text\n  two\n"],
  ["<<-E\n    one\n      two\n  E", "one\n  two\n"],
  ["max([3, 9, 2]...)", 9],
  ["try(list[7], a)", "text"],
  ["can(list[7])", false],
  ["can(list[0])", true],
];

for (const [expression, expected] of expressions) {
  test(`expression: ${expression.replaceAll("\n", "⏎")}`, async (t) => {
    t.deepEqual(plain(await value(expression, variables)), expected);
  });
}

const calls: readonly (readonly [expression: string, value: unknown])[] = [
  ["absolute(-3)", 3],
  ["add(1, 2)", 3],
  ["and(true, false)", false],
  ['base64encode("ü")', "w7w="],
  ['base64decode("w7w=")', "ü"],
  ['basename("/a/b.c")', "b.c"],
  ['byteslen("ü")', 2],
  ['bytesslice("abcd", 1, 2)', "bc"],
  ["ceil(1.2)", 2],
  ['chomp("a\\n\\n")', "a"],
  ["chunklist([1, 2, 3], 2)", [[1, 2], [3]]],
  ['coalesce(null, "x")', "x"],
  ["coalescelist([], [1])", [1]],
  ['compact(["", "a", ""])', ["a"]],
  ["concat([1], [2, 3])", [1, 2, 3]],
  ['contains(["a"], "a")', true],
  ['csvdecode("a,b\\n1,\\"x,y\\"\\n")', [{ a: "1", b: "x,y" }]],
  ['dirname("/a/b.c")', "/a"],
  ["distinct([1, 2, 1])", [1, 2]],
  ["divide(9, 3)", 3],
  ['element(["a", "b"], 3)', "b"],
  ["equal(1, 1)", true],
  ["flatten([1, [2, [3]]])", [1, 2, 3]],
  ["floor(1.8)", 1],
  ['format("%s %d %05.1f %-3s| %q %v %x %%", "a", 7.9, 2.25, "b", "c", true, 255)', 'a 7 002.3 b  | "c" true ff %'],
  ['formatdate("DD MMM YYYY hh:mm:ss ZZZ \'at\'", "2026-01-31T04:05:06Z")', "31 Jan 2026 04:05:06 UTC at"],
  ['formatlist("%s-%d", ["a", "b"], [1, 2])', ["a-1", "b-2"]],
  ["greaterthan(2, 1)", true],
  ["greaterthanorequalto(2, 2)", true],
  ["hasindex([1], 1)", false],
  ['indent(2, "a\\nb")', "a\n  b"],
  ['index({ a = 1 }, "a")', 1],
  ['indexof(["a", "b"], "b")', 1],
  ["int(-1.9)", -1],
  ['join("-", ["a", "b"], ["c"])', "a-b-c"],
  ['jsondecode("{\\"a\\": [1]}")', { a: [1] }],
  ["jsonencode({ a = [1, null] })", '{"a":[1,null]}'],
  ["keys({ b = 1, a = 2 })", ["a", "b"]],
  ["length([1, 2])", 2],
  ["lessthan(2, 1)", false],
  ["lessthanorequalto(2, 2)", true],
  ["log(8, 2)", 3],
  ['lookup({ a = 1 }, "b", 5)', 5],
  ['lower("AbC")', "abc"],
  ["max(1, 3)", 3],
  ['md5("a")', "0cc175b9c0f1b6a831c399e269772661"],
  ["merge({ a = 1 }, { b = 2 })", { a: 1, b: 2 }],
  ["min(1, 3)", 1],
  ["modulo(7, 4)", 3],
  ["multiply(2, 3)", 6],
  ["negate(2)", -2],
  ["not(true)", false],
  ["notequal(1, 2)", true],
  ["or(true, false)", true],
  ['parseint("ff", 16)', 255],
  ["pow(2, 10)", 1024],
  ["range(3)", [0, 1, 2]],
  ["range(4, 0, -2)", [4, 2]],
  ['regex("v(\\\\d+)\\\\.(\\\\d+)", "v1.20")', ["1", "20"]],
  ['regex("(?P<major>\\\\d+)", "v1.20")', { major: "1" }],
  ['regexall("\\\\d+", "1 22")', ["1", "22"]],
  ['regex_replace("a1b2", "([a-z])(\\\\d)", "$2$1")', "1a2b"],
  ['replace("1.2.3", ".", "-")', "1-2-3"],
  ['reverse("añb")', "bña"],
  ["reverselist([1, 2])", [2, 1]],
  ['sanitize("a.b/c")', "a_b_c"],
  ["sethaselement([1], 1)", true],
  ["setintersection([1, 2], [2, 3])", [2]],
  [
    'setproduct(["a", "b"], [1, 2])',
    [
      ["a", 1],
      ["a", 2],
      ["b", 1],
      ["b", 2],
    ],
  ],
  ["setsubtract([1, 2], [2])", [1]],
  ["setsymmetricdifference([1, 2], [2, 3])", [1, 3]],
  ["setunion([1, 2], [2, 3])", [1, 2, 3]],
  ['sha1("a")', "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"],
  ['sha256("a")', "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"],
  ['substr(sha512("a"), 0, 8)', "1f40fc92"],
  ["signum(-9)", -1],
  ["slice([1, 2, 3], 1, 3)", [2, 3]],
  ['sort(["b", "a"])', ["a", "b"]],
  ['split(",", "a,b")', ["a", "b"]],
  ['strlen("🇩🇪a")', 2],
  ['substr("hello", -3, 2)', "ll"],
  ["subtract(5, 2)", 3],
  ['timeadd("2026-01-31T23:30:00Z", "1h30m")', "2026-02-01T01:00:00Z"],
  ['title("hello world")', "Hello World"],
  ['trim("!a!", "!")', "a"],
  ['trimprefix("v1", "v")', "1"],
  ['trimspace(" a ")', "a"],
  ['trimsuffix("a.go", ".go")', "a"],
  ['upper("abc")', "ABC"],
  ['urlencode("a b&c")', "a+b%26c"],
  ['uuidv5("dns", "www.example.com")', "2ed6657d-e927-568b-95e1-2665a8aea6a2"],
  ["values({ b = 1, a = 2 })", [2, 1]],
  ['zipmap(["a", "b"], [1, 2])', { a: 1, b: 2 }],
];

for (const [expression, expected] of calls) {
  test(`function: ${expression}`, async (t) => t.deepEqual(plain(await value(expression)), expected));
}

test("function: those of the moment have the form that they should", async (t) => {
  t.regex(String(await value("timestamp()")), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  t.regex(String(await value("uuidv4()")), /^[0-9a-f-]{36}$/);
});

test("a file's own functions: parameters, the rest, and each other", async (t) => {
  const before = `
function "twice" {
  params = [n]
  result = n * 2
}
function "sum" {
  params = [first]
  variadic_params = rest
  result = first + length(rest) + twice(first)
}`;
  t.is(await value("sum(3, 1, 1)", before), 11);
  t.like(await refusal("twice(1, 2)", before), { code: "BAKE_VALUE" });
});

const environment: readonly (readonly [name: string, block: string, text: string, value: unknown])[] = [
  ["a string", 'default = "a"', "b", "b"],
  ["without a default", "", "b", "b"],
  ["a number", "default = 1", "2", 2],
  ["a bool", "default = true", "0", false],
  ["a declared number without a default", "type = number", "7", 7],
  ["a list, as CSV", "type = list(string)", "a, b", ["a", "b"]],
  ["a list, as JSON", "type = list(number)", "[1,2]", [1, 2]],
  ["a map", "type = map(string)", '{"a":"b"}', { a: "b" }],
];

for (const [name, block, text, expected] of environment) {
  test(`a variable of the environment: ${name}`, async (t) => {
    t.deepEqual(plain(await value("v", `variable "v" {\n${block}\n}`, { v: text })), expected);
  });
}

test("the environment sets no name that the file does not declare", async (t) => {
  t.is(await value("y", 'y = "file"', { y: "environment" }), "file");
});

async function refusal(expression: string, before = "", env: Record<string, string> = {}): Promise<unknown> {
  try {
    await value(expression, before, env);
  } catch (error) {
    if (isWbuildError(error)) return error;
    throw error;
  }
  return undefined;
}

/** f1 calls f0 twice, f2 calls f1 twice … */
function callingTwice(count: number): string {
  const one = (name: string, result: string) => `function "${name}" {\n params = [n]\n result = ${result}\n}\n`;
  const others = Array.from({ length: count }, (_, i) => one(`f${i + 1}`, `f${i}(n) + f${i}(n)`));
  return [one("f0", "n"), ...others].join("");
}

/** v1 is ten times v0, v2 ten times v1 … */
function tenTimes(count: number): string {
  const others = Array.from({ length: count }, (_, i) => `v${i + 1} = "${`\${v${i}}`.repeat(10)}"\n`);
  return ['v0 = "0123456789"\n', ...others].join("");
}

const refused: readonly (readonly [expression: string, code: string, before?: string, env?: Record<string, string>])[] =
  [
    ["nothing", "BAKE_VALUE"],
    ["nofunction(1)", "BAKE_VALUE"],
    ['bcrypt("a")', "BAKE_VALUE"],
    ['1 + "a"', "BAKE_VALUE"],
    ["1 / 0", "BAKE_VALUE"],
    ["[1][3]", "BAKE_VALUE"],
    ["{ a = 1 }.b", "BAKE_VALUE"],
    ['"a ${[1]}"', "BAKE_VALUE"],
    ["range(1000000000)", "BAKE_VALUE"],
    ["setproduct(range(1000), range(1000))", "BAKE_VALUE"],
    ['regex("^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!")', "BAKE_VALUE"],
    ['regex_replace("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "^(a+)+$", "")', "BAKE_VALUE"],
    ['regexall("(a*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")', "BAKE_VALUE"],
    ["f25(1)", "BAKE_VALUE", callingTwice(25)],
    ["v9", "BAKE_VALUE", tenTimes(9)],
    ["y", "BAKE_LOOP", "y = z\nz = y"],
    ["f(1)", "BAKE_LOOP", 'function "f" {\n params = [n]\n result = f(n)\n}'],
    ["1 +", "BAKE_SYNTAX"],
    ["v", "BAKE_VALUE", 'variable "v" { default = 1 }', { v: "many" }],
    ["v", "BAKE_VALUE", 'variable "v" { default = [1] }', { v: "1" }],
  ];

for (const [expression, code, before = "", env = {}] of refused) {
  test(`refused: ${expression}${before === "" ? "" : `, with ${before.replaceAll("\n", "⏎")}`}`, async (t) => {
    t.like(await refusal(expression, before, env), { code });
  });
}

test("validation blocks of a variable", async (t) => {
  const text = 'variable "v" {\n default = 1\n validation {\n condition = v > 1\n error_message = "v is ${v}"\n }\n}';
  const document = await readDocuments([{ name: "docker-bake.hcl", text }]);
  const scope = (env: Record<string, string>) => new BakeScope(document, { env, given: {}, builtIn: {} });
  t.throws(() => scope({}).validate(), { message: "docker-bake.hcl: variable v: v is 1" });
  t.notThrows(() => scope({ v: "2" }).validate());
});
/* biome-ignore-end lint/suspicious/noTemplateCurlyInString: end of file. */
