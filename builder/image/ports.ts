/** What EXPOSE takes: `80`, `80/udp`, `1000-1005/tcp`; and what the image config keeps: `80/tcp`, one for each port. */

const protocols = new Set(["tcp", "udp", "sctp"]);

/** The ports that one word of EXPOSE means; undefined with a reason when it is none. */
export function parsePorts(text: string): { ports: string[] } | { problem: string } {
  const [range = "", protocol = "tcp", ...more] = text.split("/");
  if (range.includes(":"))
    return { problem: "EXPOSE takes only the container's port; addresses and host ports belong to run" };
  if (more.length > 0 || !protocols.has(protocol.toLowerCase()))
    return { problem: "the protocol must be tcp, udp or sctp" };
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || first > 65535 || last > 65535) return { problem: "a port is a number from 0 to 65535" };
  if (last < first) return { problem: "the range ends before it begins" };
  const ports: string[] = [];
  for (let port = first; port <= last; port++) ports.push(`${port}/${protocol.toLowerCase()}`);
  return { ports };
}
