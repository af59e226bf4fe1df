/** The values of a mount's options, as Go's strconv and Docker's units read them. undefined: it is none. */

/** `1`, `t`, `true`, `0`, `f`, `false`, as Go spells them. */
export function parseBoolean(text: string): boolean | undefined {
  if (/^(1|[tT]|true|TRUE|True)$/.test(text)) return true;
  return /^(0|[fF]|false|FALSE|False)$/.test(text) ? false : undefined;
}

/** Octal permission bits. */
export function parseMode(text: string): number | undefined {
  const value = /^[0-7]{1,11}$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
  return value <= 0o7777 ? value : undefined;
}

/** A user's or group's number. */
export function parseId(text: string): number | undefined {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return value < 2 ** 32 ? value : undefined;
}

/** Bytes: `64m`, `1.5GiB`, `512 kb`, `1024`; units are powers of 1024. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,16}(?:\.\d{0,16})?) ?(?:([kmgtp])(?:i?b)?|b)?$/i.exec(text);
  if (match === null) return undefined;
  const power = match[2] === undefined ? 0 : "kmgtp".indexOf(match[2].toLowerCase()) + 1;
  const bytes = Math.floor(Number(match[1]) * 1024 ** power);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
