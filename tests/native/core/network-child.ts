/** Run by network-host.sh inside its made-up host: two steps with private networks; one fetches, and cannot reach the other. */
import { startSandbox } from "../../../native/core/sandbox.ts";
import { collect, makePlace, specFor } from "./box.ts";

const place = makePlace();
const warn = (text: string) => process.stderr.write(`warning: ${text}\n`);
await using server = await startSandbox(
  specFor(place, ["sh", "-c", "ip -4 addr show eth0 | grep -o 'inet [0-9.]*'; nc -l -p 9090 -e echo open"], {
    network: "private",
  }),
  warn,
);
const chunk = await server.output[Symbol.asyncIterator]().next();
const address = Buffer.from(chunk.value?.bytes ?? [])
  .toString()
  .slice(5)
  .trim();
const script = `page=$(timeout 5 wget -qO- http://198.51.100.2:8080/) && echo fetched; echo "$page"
  nc -w 1 ${address} 9090 </dev/null | grep open || echo neighbour unreachable`;
await using client = await startSandbox(specFor(place, ["sh", "-c", script], { network: "private" }), warn);
const { stdout, stderr } = await collect(client);
process.stdout.write(stdout);
process.stderr.write(stderr);
await client.exited;
await server[Symbol.asyncDispose]();
place.remove();
