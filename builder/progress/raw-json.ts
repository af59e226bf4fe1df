/** The rawjson face: events as BuildKit's `--progress=rawjson` has them (its SolveStatus), one object a line. */
import { createHash } from "node:crypto";
import type { BuildEvent, ProgressFace } from "./events.ts";

/** What is told of a step each time anew. */
interface Vertex {
  readonly digest: string;
  readonly name: string;
  readonly started?: string;
  readonly completed?: string;
  readonly cached?: true;
  readonly error?: string;
}

/** BuildKit's words for one event; undefined for what it has none for. */
type Translate<Kind extends BuildEvent["kind"]> = (event: Extract<BuildEvent, { kind: Kind }>) => object | undefined;

export function rawJsonFace(write: (text: string) => void): ProgressFace {
  const vertexes = new Map<string, Vertex>();
  const vertex = (id: string, change: Partial<Vertex>): object => {
    const now = { ...(vertexes.get(id) ?? { digest: digestOf(id), name: id }), ...change };
    vertexes.set(id, now);
    return { vertexes: [now] };
  };
  const begun = new Map<string, string>();
  const translate: { readonly [Kind in BuildEvent["kind"]]: Translate<Kind> } = {
    plan({ steps }) {
      for (const { id, title } of steps) vertex(id, { name: title });
      return { vertexes: steps.map(({ id }) => vertexes.get(id)) };
    },
    start: ({ step, at }) => vertex(step.id, { name: step.title, started: timeOf(at) }),
    output: ({ id, stream, text, at }) => {
      const data = base64(text);
      return { logs: [{ vertex: digestOf(id), stream: stream === "stdout" ? 1 : 2, data, timestamp: timeOf(at) }] };
    },
    progress: ({ id, label, done, total, at }) => {
      const timestamp = timeOf(at);
      const key = `${id} ${label}`;
      const started = begun.get(key) ?? timestamp;
      begun.set(key, started);
      const ends = total !== undefined && done >= total;
      const amount = { current: done, ...(total === undefined ? {} : { total }) };
      const status = { id: label, vertex: digestOf(id), name: label, ...amount, timestamp, started };
      return { statuses: [ends ? { ...status, completed: timestamp } : status] };
    },
    done: ({ id, cached, at }) => vertex(id, { completed: timeOf(at), ...(cached ? { cached } : {}) }),
    failed: ({ id, message, at }) => vertex(id, { completed: timeOf(at), error: message }),
    canceled: ({ id, at }) => vertex(id, { completed: timeOf(at), error: "context canceled" }),
    warning: ({ text, span, url }) => {
      const line = span && { line: span.line };
      const place = line && { range: [{ start: line, end: line }] };
      return { warnings: [{ level: 1, short: base64(text), ...(url === undefined ? {} : { url }), ...place }] };
    },
  };
  return {
    report: (event) => {
      const told = (translate[event.kind] as Translate<typeof event.kind>)(event as never);
      if (told !== undefined) write(`${JSON.stringify(told)}\n`);
    },
    close() {},
  };
}

/** Work that is no step of a Dockerfile has a name only. */
function digestOf(id: string): string {
  return /^sha256:[0-9a-f]{64}$/.test(id) ? id : `sha256:${createHash("sha256").update(id).digest("hex")}`;
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}
