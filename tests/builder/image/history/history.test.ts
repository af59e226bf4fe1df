/** docker history: rows and their printing. */
import test from "ava";
import { alignColumns, compileTemplate, formatRows } from "../../../../builder/image/format/format.ts";
import { goQuote, goQuoteList, humanAge, readQuotedList } from "../../../../builder/image/format/go-text.ts";
import { historyRows, renderHistory } from "../../../../builder/image/history/history.ts";
import { isWbuildError } from "../../../../native/error.ts";
import type { History, Image } from "../../../../registry/oci/image.ts";

const digest = (letter: string) => `sha256:${letter.repeat(64)}` as const;

function imageOf(history: readonly History[], created?: string): Image {
  const descriptor = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: digest("a"), size: 1 };
  return {
    descriptor,
    manifest: {
      schemaVersion: 2,
      mediaType: descriptor.mediaType,
      config: { ...descriptor, digest: digest("c") },
      layers: [],
    },
    config: {
      os: "linux",
      architecture: "amd64",
      rootfs: { type: "layers", diff_ids: [] },
      history,
      ...(created ? { created } : {}),
    },
  };
}

const now = Date.parse("2024-05-10T12:00:00Z");
const image = imageOf([
  {
    created: "2024-05-01T12:00:00.123456789Z",
    created_by: "ADD rootfs.tar / # buildkit",
    comment: "buildkit.dockerfile.v0",
  },
  { created: "2024-05-01T12:00:00Z", created_by: 'CMD ["/bin/sh"]', empty_layer: true },
  {
    created: "2024-05-10T11:59:00Z",
    created_by: `RUN /bin/sh -c ${"long ".repeat(20)}`,
    comment: "wbuild.dockerfile.v0",
  },
]);
const rows = historyRows(image, [7_380_000, 1090]);

test("history rows are newest first, the newest has the id, empty steps have no size", (t) => {
  t.deepEqual(
    rows.map((row) => [row.id, row.size]),
    [
      [digest("c"), 1090],
      [undefined, 0],
      [undefined, 7_380_000],
    ],
  );
});

test("layers without a history get rows of their own", (t) => {
  t.deepEqual(
    historyRows(imageOf([]), [5, 6]).map((row) => row.size),
    [6, 5],
  );
  t.deepEqual(historyRows(imageOf([]), []), []);
});

test("the table of docker history", (t) => {
  const expected = [
    "IMAGE          CREATED              CREATED BY                                      SIZE      COMMENT",
    "cccccccccccc   About a minute ago   RUN /bin/sh -c long long long long long long…   1.09kB    wbuild.dockerfile.v0",
    '<missing>      9 days ago           CMD ["/bin/sh"]                                 0B        ',
    "<missing>      9 days ago           ADD rootfs.tar / # buildkit                     7.38MB    buildkit.dockerfile.v0",
  ];
  t.is(renderHistory(rows, { now }), `${expected.join("\n")}\n`);
});

test("--no-trunc, --human=false, --quiet", (t) => {
  const full = renderHistory(rows, { now, noTrunc: true, human: false });
  t.true(full.includes(digest("c")) && full.includes("long ".repeat(20).trim()));
  t.regex(full, /CREATED AT/);
  t.regex(full, /2024-05-01T12:00:00Z/);
  t.regex(full, / 7380000 /);
  t.is(renderHistory(rows, { now, quiet: true }), "cccccccccccc\n<missing>\n<missing>\n");
});

test("json is one object a line with docker's names, in full", (t) => {
  const lines = renderHistory(rows, { now, format: "json" })
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  t.deepEqual(Object.keys(lines[0]), ["Comment", "CreatedAt", "CreatedBy", "CreatedSince", "ID", "Size"]);
  t.is(lines[0].ID, digest("c"));
  t.is(lines[0].CreatedBy, image.config.history?.[2]?.created_by);
  t.is(lines[2].CreatedAt, "2024-05-01T12:00:00Z");
});

const formats: [format: string, expected: string][] = [
  ["{{.ID}}", "cccccccccccc\n<missing>\n<missing>\n"],
  ["{{.Size}}: {{.Comment}}", "1.09kB: wbuild.dockerfile.v0\n0B: \n7.38MB: buildkit.dockerfile.v0\n"],
  [
    "table {{.ID}}\\t{{.Size}}",
    "IMAGE          SIZE\ncccccccccccc   1.09kB\n<missing>      0B\n<missing>      7.38MB\n",
  ],
  ["table {{upper .Size}}", "SIZE\n1.09KB\n0B\n7.38MB\n"],
  ["{{json .Size}}", '"1.09kB"\n"0B"\n"7.38MB"\n'],
];
for (const [format, expected] of formats)
  test(`history --format ${JSON.stringify(format)}`, (t) => t.is(renderHistory(rows, { now, format }), expected));

test("a wrong field is named with the nearest", (t) => {
  const error = t.throws(() => renderHistory(rows, { now, format: "{{.CreateBy}}" }));
  t.true(isWbuildError(error, "IMG_FORMAT"));
  t.is(isWbuildError(error) ? error.hint : "", "did you mean .CreatedBy?");
});

test("a history cannot write to the terminal", (t) => {
  const evil = imageOf([{ created_by: "RUN a\tb\u001b[2J\u202ec\nd" }]);
  const text = renderHistory(historyRows(evil, [1]), { now });
  for (const character of ["\u001b", "\u202e", "\t"]) t.false(text.includes(character));
  t.is(text.split("\n").length, 3);
  t.regex(text, /N\/A/);
});

const value = {
  Name: "demo",
  Count: 3,
  Empty: "",
  List: ["a", "b"],
  Map: { z: "1", y: ["2"] },
  Nested: { Deep: { Value: true } },
  Nothing: null,
};
/** After Go's text/template. */
const templates: [template: string, expected: string][] = [
  ["plain", "plain"],
  ["{{.Name}}-{{.Count}}", "demo-3"],
  ["{{ .Nested.Deep.Value }}", "true"],
  ["{{$.Name}}", "demo"],
  ["{{.List}} {{.Map}}", "[a b] map[y:[2] z:1]"],
  ["{{.Nothing}} {{.Missing}} {{.Missing.More}}", "<no value> <no value> <no value>"],
  ["{{json .}}", JSON.stringify(value)],
  ["{{json .List}}{{.List | json}}", '["a","b"]["a","b"]'],
  ["{{upper .Name}} {{.Name | upper | lower}} {{title .Name}}", "DEMO demo Demo"],
  ['{{join .List ", "}}', "a, b"],
  ['{{split "a:b" ":"}}', "[a b]"],
  ["{{len .List}} {{len .Name}} {{len .Map}} {{len .Nothing}}", "2 4 2 0"],
  ['{{index .List 1}} {{index .Map "y" 0}} {{index .Map "no"}}', "b 2 <no value>"],
  ["{{slice .Name 1 3}}", "em"],
  ["{{truncate .Name 2}}", "de"],
  ["{{range .List}}<{{.}}>{{end}}", "<a><b>"],
  ["{{range $i, $v := .List}}{{$i}}={{$v}};{{end}}", "0=a;1=b;"],
  ["{{range $v := .List}}{{$v}}{{$.Count}}{{end}}", "a3b3"],
  ["{{range $k, $v := .Map}}{{$k}} {{end}}", "y z "],
  ["{{range .Nothing}}x{{else}}none{{end}}", "none"],
  ["{{if .Empty}}a{{else if .Count}}b{{else}}c{{end}}", "b"],
  ["{{if and .Name .Count}}yes{{end}}{{if or .Empty .Nothing}}no{{end}}{{if not .Empty}}!{{end}}", "yes!"],
  ['{{if eq .Name "x" "demo"}}same{{end}}{{if ne .Count 3}}no{{end}}{{if gt .Count 2}}more{{end}}', "samemore"],
  ["{{with .Nested}}{{.Deep.Value}}{{end}}{{with .Empty}}x{{else}}y{{end}}", "truey"],
  ["{{with $x := .Name}}{{$x}}{{end}}{{$y := 5}}{{$y}}", "demo5"],
  ["a {{- .Name -}} b", "ademob"],
  ["{{/* said */}}x", "x"],
  ['{{(index .Map "y") | json}} {{(print "a" "b")}}', '["2"] a b'],
  ['{{println "x"}}', "x\n"],
  ["{{`raw }}`}}", "raw }}"],
  ['{{"\\t\\u0041"}}', "\tA"],
];
for (const [template, expected] of templates) {
  test(`template ${template}`, (t) => t.is(compileTemplate(template, { isStrict: false }).render(value), expected));
}

const badTemplates: [template: string, message: RegExp][] = [
  ["{{.Name}", /not closed by \}\}/],
  ["{{}}", /empty/],
  ["{{if .A}}x", /not closed by \{\{end\}\}/],
  ["{{end}}", /belongs to nothing/],
  ["{{nope .A}}", /no function nope/],
  ["{{.A .B}}", /only a function takes operands/],
  ["{{$x}}", /\$x is not set/],
  ["{{range .Name}}x{{end}}", /only a list or a map/],
  ["{{index .List 9}}", /no item 9/],
  ["{{(.A}}", /not closed by \)/],
  ["{{.A ; .B}}", /cannot read/],
  [`${"{{if .A}}".repeat(100)}${"{{end}}".repeat(100)}`, /inside each other/],
  [`${"{{range $.List}}".repeat(40)}x${"{{end}}".repeat(40)}`, /too long|larger/],
];
for (const [template, message] of badTemplates) {
  test(`template refused: ${template.slice(0, 30)}`, (t) => {
    const error = t.throws(() => compileTemplate(template, { isStrict: false }).render(value));
    t.true(isWbuildError(error, "IMG_FORMAT"));
    t.regex(error?.message ?? "", message);
  });
}

test("formatRows without fields after table uses all columns", (t) => {
  t.is(formatRows([{ A: "1", B: "2" }], "table", { A: "FIRST", B: "SECOND" }), "FIRST     SECOND\n1         2\n");
  t.is(formatRows([], "table {{.A}}", { A: "FIRST" }), "FIRST\n");
  t.is(alignColumns([["a", "b", "c"]]), "a         b         c\n");
});

const minute = 60_000;
const hour = 60 * minute;
const ages: [ms: number, text: string][] = [
  [0, "Less than a second ago"],
  [-5000, "Less than a second ago"],
  [1000, "1 second ago"],
  [59_000, "59 seconds ago"],
  [minute, "About a minute ago"],
  [59 * minute, "59 minutes ago"],
  [hour, "About an hour ago"],
  [47 * hour, "47 hours ago"],
  [48 * hour, "2 days ago"],
  [24 * 14 * hour, "2 weeks ago"],
  [24 * 60 * hour, "2 months ago"],
  [24 * 365 * 2 * hour, "2 years ago"],
];
for (const [ms, text] of ages) test(`${ms} ms are ${text}`, (t) => t.is(humanAge(now - ms, now), text));

test("Go's quoting, there and back", (t) => {
  t.is(goQuote('a"b\\c\n\u0001\u007f\u00a0é\u200b\u{e0001}'), '"a\\"b\\\\c\\n\\x01\\x7f\\u00a0é\\u200b\\U000e0001"');
  for (const list of [[], ["a"], ["a b", '"', "\\", "\t", "\u{1d4b3}\u200b"]])
    t.deepEqual(readQuotedList(goQuoteList(list)), list);
  t.deepEqual(readQuotedList('["a", "b"]'), ["a", "b"]);
  t.is(readQuotedList('["a" b]'), undefined);
  t.is(readQuotedList("a"), undefined);
});
