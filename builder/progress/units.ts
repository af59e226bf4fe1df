/** Numbers as the faces and tables show them. Pure. */

const decimal = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/** Bytes as Docker prints them: powers of 1000, at most three digits that count: 5.57MB, 124kB, 0B. */
export function formatBytes(bytes: number): string {
  let value = Math.abs(bytes);
  let unit = 0;
  while (value >= 1000 && unit < decimal.length - 1) {
    value /= 1000;
    unit++;
  }
  let text = String(Number(value.toPrecision(3)));
  if (Number(text) >= 1000 && unit < decimal.length - 1) {
    text = String(Number(text) / 1000);
    unit++;
  }
  return `${bytes < 0 ? "-" : ""}${text}${decimal[unit]}`;
}

/** Milliseconds as seconds with one decimal: 0.4s. */
export function formatSeconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(1)}s`;
}

/** Done and total of a transfer: `1.2MB / 3.4MB`, `120 / 400`. */
export function formatAmount(done: number, total: number | undefined, unit: "bytes" | "items"): string {
  const show = unit === "bytes" ? formatBytes : String;
  return total === undefined ? show(done) : `${show(done)} / ${show(total)}`;
}
