/** `format`: Go's verbs as far as HCL has them. */
import { asBoolean, asNumber, asText, badValue, type Value } from "../value.ts";

const verb = /%(?:%|([-+ #0]*)(\d*)(?:\.(\d+))?(?:\[(\d+)\])?([a-zA-Z]))/g;

/** %v %#v %t %b %d %o %x %X %e %E %f %g %G %s %q, with flags, width, precision and `%[n]v`. Throws BAKE_VALUE. */
export function formatText(form: string, args: readonly Value[]): string {
  let next = 0;
  const text = form.replace(verb, (whole, flags = "", width = "", precision?: string, index?: string, letter = "") => {
    if (whole === "%%") return "%";
    if (index !== undefined) next = Number(index) - 1;
    const value = args[next++];
    if (value === undefined) throw badValue(`format: there is no argument for ${whole}`);
    return padded(
      one(value, letter, flags, precision === undefined ? undefined : Number(precision)),
      flags,
      Math.min(Number(width), 1000),
      letter,
    );
  });
  if (next < args.length && args.length > 0 && !/%\[/.test(form)) throw badValue("format: more arguments than verbs");
  return text;
}

function one(value: Value, letter: string, flags: string, precision: number | undefined): string {
  const number = () => asNumber(value, `what %${letter} prints`);
  const signed = (text: string) => (flags.includes("+") && !text.startsWith("-") ? `+${text}` : text);
  switch (letter) {
    case "v":
      return typeof value === "object" || flags.includes("#") ? JSON.stringify(value) : asText(value, "what %v prints");
    case "s":
      return asText(value, "what %s prints").slice(0, precision);
    case "q":
      return JSON.stringify(asText(value, "what %q prints"));
    case "t":
      return String(asBoolean(value, "what %t prints"));
    case "d":
      return signed(Math.trunc(number()).toFixed(0));
    case "b":
      return number().toString(2);
    case "o":
      return number().toString(8);
    case "x":
      return typeof value === "string" ? Buffer.from(value, "utf8").toString("hex") : number().toString(16);
    case "X":
      return one(value, "x", flags, precision).toUpperCase();
    case "f":
      return signed(number().toFixed(Math.min(precision ?? 6, 100)));
    case "e":
    case "E": {
      const text = number()
        .toExponential(Math.min(precision ?? 6, 100))
        .replace(/e([-+])(\d)$/, "e$10$2");
      return letter === "E" ? text.toUpperCase() : text;
    }
    case "g":
    case "G":
      return String(
        precision === undefined ? number() : Number(number().toPrecision(Math.min(Math.max(precision, 1), 100))),
      );
    default:
      throw badValue(`format does not know %${letter}`);
  }
}

function padded(text: string, flags: string, width: number, letter: string): string {
  if (flags.includes("-")) return text.padEnd(width);
  if (!flags.includes("0") || !/[dbofgexX]/.test(letter)) return text.padStart(width);
  const sign = /^[-+]/.exec(text)?.[0] ?? "";
  return sign + text.slice(sign.length).padStart(width - sign.length, "0");
}
