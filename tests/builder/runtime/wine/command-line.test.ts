import test from "ava";
import fc from "fast-check";
import { commandLineOf, quoteArgument } from "../../../../builder/runtime/wine/command-line.ts";

const rows: readonly (readonly [argument: string, quoted: string])[] = [
  ["", '""'],
  ["plain", "plain"],
  ["C:\\x\\", "C:\\x\\"],
  ["a b", '"a b"'],
  ["a\tb", '"a\tb"'],
  ['say "hi"', '"say \\"hi\\""'],
  ['a\\"b', '"a\\\\\\"b"'],
  ["C:\\a b\\", '"C:\\a b\\\\"'],
  ["a\\\\b c", '"a\\\\b c"'],
];
for (const [argument, quoted] of rows)
  test(`quoted for a C program: ${JSON.stringify(argument)}`, (t) => {
    t.is(quoteArgument(argument), quoted);
  });

/** How the C runtime takes a line apart, straight from its published rules; the program's own name is not special here. */
function takeApart(line: string): string[] {
  const out: string[] = [];
  let word: string | undefined;
  let quoted = false;
  for (let at = 0; at < line.length; ) {
    const slashes = /^\\*/.exec(line.slice(at))?.[0].length ?? 0;
    const next = line[at + slashes];
    if (slashes > 0) {
      word = (word ?? "") + "\\".repeat(next === '"' ? slashes >> 1 : slashes);
      at += slashes;
      if (next === '"' && slashes % 2 === 1) {
        word += '"';
        at++;
      }
    } else if (next === '"') {
      word ??= "";
      quoted = !quoted;
      at++;
    } else if (!quoted && (next === " " || next === "\t")) {
      if (word !== undefined) out.push(word);
      word = undefined;
      at++;
    } else {
      word = (word ?? "") + next;
      at++;
    }
  }
  if (word !== undefined) out.push(word);
  return out;
}

test("any list of arguments comes back from its command line", (t) => {
  const argument = fc.string({ unit: fc.constantFrom("a", " ", "\t", '"', "\\", "é", "b") });
  fc.assert(
    fc.property(fc.array(argument, { minLength: 1, maxLength: 5 }), (argv) => {
      t.deepEqual(takeApart(commandLineOf(argv)), argv);
    }),
  );
});

test("ArgsEscaped: the first one is a line already", (t) => {
  t.is(commandLineOf(['cmd /S /C echo "a b"', "c d"], { escaped: true }), 'cmd /S /C echo "a b" "c d"');
});
