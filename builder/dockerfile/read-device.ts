/** `RUN --device=vendor.com/class=name,required` → the name of the device, as the Container Device Interface writes it. */

import type { SourceText } from "../diagnose/source.ts";
import { csvFields } from "./csv-fields.ts";
import { dockerfileError, quoted } from "./errors.ts";
import type { Word } from "./instruction.ts";
import { parseBoolean } from "./mount-values.ts";

export interface Device {
  readonly name: string;
  readonly required: boolean;
  readonly word: Word;
}

/** Nothing in it is expanded. Throws DF_FLAG_VALUE. */
export function readDevice(word: Word, source: SourceText): Device {
  let name: string | undefined;
  let required = false;
  for (const { key, value, word: field } of csvFields(word, "RUN --device", source)) {
    const refuse = (problem: string): Error =>
      dockerfileError(
        "DF_FLAG_VALUE",
        `RUN --device ${problem}`,
        { span: field.span, source },
        { facts: { flag: "device", found: field.text }, hint: "write --device=NAME or --device=name=NAME,required" },
      );
    if (key === "required") {
      const given = value === undefined ? true : parseBoolean(value.text);
      if (given === undefined) throw refuse(`has no valid required: ${quoted(value?.text ?? "")}`);
      required = given;
      continue;
    }
    if (name !== undefined) throw refuse(key === "name" ? "has two names" : `has no option ${quoted(key)}`);
    // A name may hold a `=` itself: `vendor.com/class=card0`.
    name = key === "name" && value !== undefined ? value.text : field.text;
  }
  return { name: name ?? "", required, word };
}
