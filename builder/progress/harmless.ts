/** Text of a step made fit for a terminal. What a program prints inside a container is foreign and may be hostile. */

// Attack: a step prints escape sequences that rewrite the screen, set the window's title, paste into the shell
// through a terminal answer-back, or hide what it really did. CSI, OSC, DCS, PM, APC, SOS and two-byte escapes go.
const escapes =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for.
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)|\x1b[ -/]*[0-~]?/g;
// Attack: bidirectional overrides show a line in another order than it has ("Trojan Source").
const controls =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** One line (or several, split by \n) without escape sequences and control characters. Tabs become spaces up to the next eighth column. */
export function harmless(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  const clean = text.replace(escapes, "").replace(controls, "");
  if (!clean.includes("\t")) return clean;
  return clean
    .split("\n")
    .map((line) => {
      let out = "";
      for (const part of line.split(/(\t)/)) out += part === "\t" ? " ".repeat(8 - (out.length % 8)) : part;
      return out;
    })
    .join("\n");
}

/** What a terminal would show of a line in which a progress bar returned to the start several times. */
export function lastOverwrite(line: string): string {
  const end = line.endsWith("\r") ? line.length - 1 : line.length;
  const at = line.lastIndexOf("\r", end - 1);
  return line.slice(at + 1, end);
}

/** Foreign text on standard output: exact where a file or program takes it, harmless where a terminal would obey it. */
export function forReader(stdout: { readonly isTTY?: boolean }, text: string): string {
  return stdout.isTTY === true ? harmless(text) : text;
}
