/** COPY and ADD: what is copied, where to, and the here-documents among the sources. */
import { dockerfileError } from "./errors.ts";
import { type Opening, openings } from "./here-document.ts";
import type { Copy, Word } from "./instruction.ts";
import { keywords } from "./keywords.ts";
import { booleanField, type Common, type Reading, readJson, wordField, wordsField } from "./reading.ts";
import { plainWords, skipBlanks, type Token, wordOf } from "./split.ts";

/** Throws DF_MISSING_ARGUMENT, DF_FROM_VARIABLE, DF_HEREDOC_TARGET and what flags and JSON forms throw. */
export function readCopy(reading: Reading, kind: Copy["kind"], common: Common): Copy {
  const { line } = reading;
  const json = readJson(reading, reading.rest);
  const whole = line.span(skipBlanks(line, reading.rest));
  const opened = json === undefined ? openings(line.text) : [];
  const words = json?.map((text) => ({ text, span: whole })) ?? wordsAround(reading, opened);
  checkTarget(reading, opened);
  const target = words.at(-1);
  if (target === undefined || words.length + opened.length < 2) {
    throw dockerfileError(
      "DF_MISSING_ARGUMENT",
      `${kind} needs at least one source and a target`,
      { span: line.span(), source: line.source },
      { facts: { instruction: kind }, hint: `write ${keywords[kind].usage}` },
    );
  }
  const from = wordField(reading, "from");
  if (from.from?.text.includes("$")) {
    throw dockerfileError(
      "DF_FROM_VARIABLE",
      "COPY --from cannot hold a variable",
      { span: from.from.span, source: line.source },
      { hint: "name a stage for it: FROM $IMAGE AS files, then COPY --from=files" },
    );
  }
  return {
    kind,
    ...common,
    sources: words.slice(0, -1),
    target,
    ...from,
    ...wordField(reading, "chown"),
    ...wordField(reading, "chmod"),
    ...booleanField(reading, "link", "link"),
    ...booleanField(reading, "parents", "parents"),
    ...wordsField(reading, "exclude", "exclude"),
    ...wordField(reading, "checksum"),
    ...booleanField(reading, "keep-git-dir", "keepGitDir"),
    ...booleanField(reading, "unpack", "unpack"),
    ...(opened.length === 0 ? {} : { documents: line.documents }),
  };
}

/** The words that open no here-document. One of those may hold blanks (`<< EOF`, `<<"a b"`), and so be several words. */
function wordsAround({ line, rest }: Reading, opened: readonly Opening[]): Word[] {
  let next = 0;
  const isOpening = ({ from, to }: Token): boolean => {
    // Both are in the order of the line.
    while (opened[next] !== undefined && (opened[next] as Opening).to <= from) next++;
    return (opened[next]?.from ?? Number.POSITIVE_INFINITY) < to;
  };
  return plainWords(line, rest)
    .filter((token) => !isOpening(token))
    .map((token) => wordOf(line, token));
}

function checkTarget({ line, kind }: Reading, opened: readonly Opening[]): void {
  const last = opened.at(-1);
  if (last === undefined || last.to < line.text.length) return;
  throw dockerfileError(
    "DF_HEREDOC_TARGET",
    `a here-document cannot be the target of ${kind}`,
    { span: line.span(last.from, last.to), source: line.source },
    { hint: `put the file's path behind it: ${kind} <<${last.name} /path/of/the/file` },
  );
}
