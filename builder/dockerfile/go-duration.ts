/** Durations as Go writes them (`1h30m`, `1.5s`, `250ms`): HEALTHCHECK's flags, and back to text. Unit: nanoseconds. */

const units: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Nanoseconds, or undefined when the text is no duration or does not fit in 64 bits. Signs are accepted, as Go does. */
export function parseDuration(text: string): number | undefined {
  const match = /^([+-]?)(.*)$/s.exec(text);
  const body = match?.[2] ?? "";
  if (body === "0") return 0;
  if (body.length === 0 || body.length > 100) return undefined;
  let total = 0;
  let at = 0;
  const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;
  while (at < body.length) {
    part.lastIndex = at;
    const found = part.exec(body);
    if (found === null) return undefined;
    total += Number(found[1]) * (units[found[2] ?? ""] ?? 0);
    at = part.lastIndex;
  }
  if (total > 9.2e18) return undefined;
  return match?.[1] === "-" ? -Math.round(total) : Math.round(total);
}

/** As Go's Duration.String: `1h30m0s`, `1.5s`, `250ms`, `0s`. */
export function formatDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return "0s";
  const sign = nanoseconds < 0 ? "-" : "";
  const value = Math.abs(nanoseconds);
  if (value < 1e3) return `${sign}${value}ns`;
  if (value < 1e6) return `${sign}${trimZeros(value, 1e3)}µs`;
  if (value < 1e9) return `${sign}${trimZeros(value, 1e6)}ms`;
  const minutes = Math.floor(value / 60e9);
  const seconds = `${trimZeros(value - minutes * 60e9, 1e9)}s`;
  if (minutes === 0) return sign + seconds;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${sign}${minutes}m${seconds}` : `${sign}${hours}h${minutes % 60}m${seconds}`;
}

function trimZeros(value: number, unit: number): string {
  const whole = Math.floor(value / unit);
  const digits = String(Math.log10(unit) | 0);
  const fraction = String(Math.round(value - whole * unit))
    .padStart(Number(digits), "0")
    .replace(/0+$/, "");
  return fraction === "" ? String(whole) : `${whole}.${fraction}`;
}
