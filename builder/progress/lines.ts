/** Chunks of output → whole lines, for each step and stream apart. */
import { harmless, lastOverwrite } from "./harmless.ts";

/** A line longer than this (UTF-16 units) comes out in pieces: a step that never ends its line must not fill the memory. */
const longestLine = 64 * 1024;

export interface LineBuffer {
  /** The lines that this chunk completed, harmless, without their ends. */
  add(text: string): string[];
  /** What is left when the stream ends. */
  end(): string[];
}

export function lineBuffer(): LineBuffer {
  let rest = "";
  return {
    add(text) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      while (rest.length > longestLine) {
        lines.push(rest.slice(0, longestLine));
        rest = rest.slice(longestLine);
      }
      return lines.map((line) => harmless(lastOverwrite(line)));
    },
    end() {
      const line = harmless(lastOverwrite(rest));
      rest = "";
      return line === "" ? [] : [line];
    },
  };
}
