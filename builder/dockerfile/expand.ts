/** Which words of which instruction are expanded: an instruction → the same instruction with its final words. */
import type { SourceText } from "../diagnose/source.ts";
import { textOf } from "./here-document.ts";
import type { HereDocument, Instruction, KeyValue, Word } from "./instruction.ts";
import { expandText, expandWord, expandWords, type Lookup } from "./words.ts";

export interface ExpandOptions {
  readonly escape: "\\" | "`";
  readonly source: SourceText;
}

/**
 * Expands ADD, COPY, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME and WORKDIR, flags and here-documents included. FROM's image
 * and platform too: give it the global scope. The others stay as written: a RUN's mounts are expanded by read-mount.ts, an ARG
 * by the scope that it changes. Within one instruction all words see the values from before it. Throws DF_EXPANSION.
 */
export function expandInstruction<I extends Instruction>(instruction: I, scope: Lookup, options: ExpandOptions): I;
export function expandInstruction(instruction: Instruction, scope: Lookup, options: ExpandOptions): Instruction {
  const { escape: escapeChar, source } = options;
  const word = (each: Word): Word => ({ ...each, text: expandWord(each, scope, escapeChar, source) });
  const pair = (each: KeyValue): KeyValue => ({ key: word(each.key), value: word(each.value) });
  const document = (each: HereDocument): HereDocument => {
    const text = textOf(each);
    const final = each.expands ? expandText({ text, span: each.textSpan }, scope, source) : text;
    return { ...each, text: final, expands: false, stripsTabs: false };
  };
  const flag = <Name extends string>(name: Name, each: Word | undefined): Partial<Record<Name, Word>> =>
    each === undefined ? {} : ({ [name]: word(each) } as Record<Name, Word>);
  switch (instruction.kind) {
    case "FROM":
      return { ...instruction, image: word(instruction.image), ...flag("platform", instruction.platform) };
    case "ENV":
    case "LABEL":
      return { ...instruction, pairs: instruction.pairs.map(pair) };
    case "COPY":
    case "ADD":
      return {
        ...instruction,
        sources: instruction.sources.map(word),
        target: word(instruction.target),
        ...flag("chown", instruction.chown),
        ...flag("chmod", instruction.chmod),
        ...flag("checksum", instruction.checksum),
        ...(instruction.exclude === undefined ? {} : { exclude: instruction.exclude.map(word) }),
        ...(instruction.documents === undefined ? {} : { documents: instruction.documents.map(document) }),
      };
    case "WORKDIR":
      return { ...instruction, path: word(instruction.path) };
    case "USER":
      return { ...instruction, user: word(instruction.user) };
    case "STOPSIGNAL":
      return { ...instruction, signal: word(instruction.signal) };
    case "VOLUME":
      return { ...instruction, paths: instruction.paths.map(word) };
    case "EXPOSE":
      return {
        ...instruction,
        ports: instruction.ports.flatMap((each) =>
          expandWords(each, scope, escapeChar, source).map((text) => ({ ...each, text })),
        ),
      };
    case "ARG":
    case "RUN":
    case "CMD":
    case "ENTRYPOINT":
    case "HEALTHCHECK":
    case "SHELL":
    case "ONBUILD":
    case "MAINTAINER":
      return instruction;
  }
}
