/** What EXPOSE takes: `80`, `80/udp`, `1000-1005/tcp`; and what the image config keeps: `80/tcp`, one for each port. */
import { isIP } from "node:net";

const protocols = new Set(["tcp", "udp", "sctp"]);

/**
 * The ports that one word of EXPOSE means; undefined with a reason when it is none. An address and a port of the host before
 * it (`127.0.0.1:8080:80`) must be well-formed and mean nothing, as in BuildKit; a build check tells of them.
 */
export function parsePorts(text: string): { ports: string[] } | { problem: string } {
  const parts = text.split(":");
  const container = parts.pop() ?? "";
  const host = parts.pop();
  const address = parts.join(":").replace(/^\[(.*)\]$/s, "$1");
  const [range = "", protocol = "tcp", ...more] = container.split("/");
  if (more.length > 0 || !protocols.has(protocol.toLowerCase()))
    return { problem: "the protocol must be tcp, udp or sctp" };
  if (address !== "" && isIP(address) === 0) return { problem: "what stands before two colons is an address" };
  const inside = parseRange(range);
  if ("problem" in inside) return inside;
  const outside = host ? parseRange(host) : inside;
  if ("problem" in outside) return outside;
  const { first, last } = inside;
  if (last !== first && outside.last - outside.first !== last - first)
    return { problem: "the ranges before and behind the colon are not of the same length" };
  const ports: string[] = [];
  for (let port = first; port <= last; port++) ports.push(`${port}/${protocol.toLowerCase()}`);
  return { ports };
}

function parseRange(text: string): { first: number; last: number } | { problem: string } {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || first > 65535 || last > 65535) return { problem: "a port is a number from 0 to 65535" };
  return last < first ? { problem: "the range ends before it begins" } : { first, last };
}
