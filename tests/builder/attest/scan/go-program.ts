/** A file that begins as a program for Linux and has what Go's linker writes for `go version -m`. */

export function goProgram(version: string, lines: readonly string[]): Buffer {
  const mark = "0123456789abcdef";
  const modules = `${mark}${lines.join("\n")}\n${mark}`;
  const head = Buffer.alloc(4096);
  head.write("\x7fELF", 0, "latin1");
  const info = Buffer.alloc(32);
  info.write("\xff Go buildinf:", 0, "latin1");
  info[14] = 8;
  info[15] = 2;
  return Buffer.concat([head, info, text(version), text(modules)]);
}

/** Its length as a varint, then the text. */
function text(words: string): Buffer {
  const length: number[] = [];
  let left = words.length;
  for (; left >= 0x80; left = Math.floor(left / 128)) length.push((left % 128) + 128);
  return Buffer.concat([Buffer.from([...length, left]), Buffer.from(words, "latin1")]);
}
