/** ExposeProtoCasing and ExposeInvalidFormat: the words of EXPOSE. */
import type { Finding } from "./rule.ts";
import type { Moment } from "./walk.ts";

export function checkPorts({ raw, step }: Moment): Finding[] {
  if (step.kind !== "EXPOSE") return [];
  return step.ports.flatMap(({ text, span }) => {
    const found: Finding[] = [];
    const container = text.slice(text.lastIndexOf(":") + 1);
    const protocol = container.split("/")[1] ?? "";
    const place = { span: raw.span, point: span };
    if (protocol !== protocol.toLowerCase())
      found.push({ rule: "ExposeProtoCasing", message: `the protocol of ${text} is not in lower case`, ...place });
    if (text.includes(":"))
      found.push({
        rule: "ExposeInvalidFormat",
        message: `${text} has an address or a port of the host, which EXPOSE leaves to whoever runs the image`,
        ...place,
      });
    return found;
  });
}
