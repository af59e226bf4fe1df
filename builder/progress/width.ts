/** How many columns a text takes on a terminal. Needed to cut lines, so that one line of ours is one line of the screen. */

const zero = /^[\p{Mn}\p{Me}\p{Cf}\u200b]$/u;
const emoji = /^\p{Emoji_Presentation}$/u;

/** Blocks that Unicode's East Asian Width calls Wide or Fullwidth. */
const wide: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x17000, 0x18cff],
  [0x1b000, 0x1b2ff],
  [0x1f200, 0x1f2ff],
  [0x20000, 0x3fffd],
];

function columnsOf(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x300) return code < 0x20 ? 0 : 1;
  if (zero.test(character)) return 0;
  if (emoji.test(character) || wide.some(([from, to]) => code >= from && code <= to)) return 2;
  return 1;
}

/** Columns of a text without control characters. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

/** The text's start that fits; a cut is shown by "…". */
export function cutToWidth(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let width = 0;
  let out = "";
  for (const character of text) {
    const next = columnsOf(character);
    if (width + next > columns - 1) break;
    width += next;
    out += character;
  }
  return columns > 0 ? `${out}…` : "";
}
