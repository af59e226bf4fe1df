/**
 * The plain face: numbered lines that only ever grow, in the form that BuildKit made familiar. For logs and CI.
 * Where steps run beside each other their lines come in blocks, and each block opens with the step's title.
 */
import type { CiLog } from "./ci.ts";
import type { BuildEvent, ProgressFace } from "./events.ts";
import { harmless } from "./harmless.ts";
import { type LineBuffer, lineBuffer } from "./lines.ts";
import { formatAmount, formatSeconds } from "./units.ts";

/** A transfer is told about at most once in this many milliseconds. */
const progressEveryMs = 1000;

interface PlainStep {
  readonly number: number;
  readonly title: string;
  readonly began: number;
  readonly buffers: Map<string, LineBuffer>;
  readonly told: Map<string, number>;
}

/** With `ci` each block is a fold, and findings are noted at their lines. */
export function plainFace(write: (text: string) => void, ci?: CiLog): ProgressFace {
  const blocks = new Blocks(write, ci);
  const warnings = new Warnings(blocks, ci);
  const steps = new Map<string, PlainStep>();
  const titles = new Map<string, string>();

  function stepOf(id: string, at: number): PlainStep {
    const known = steps.get(id);
    if (known) return known;
    const title = titles.get(id) ?? id;
    const step = { number: steps.size + 1, title, began: at, buffers: new Map(), told: new Map() };
    steps.set(id, step);
    return step;
  }
  function printed({ id, stream, text, at }: EventOf<"output">): void {
    const step = stepOf(id, at);
    const buffer = step.buffers.get(stream) ?? lineBuffer();
    step.buffers.set(stream, buffer);
    for (const line of buffer.add(text)) blocks.line(step, `${stamp(step, at)} ${line}`);
  }
  function moved({ id, label, done, total, unit, note, at }: EventOf<"progress">): void {
    const step = stepOf(id, at);
    const last = step.told.get(label);
    const complete = total !== undefined && done >= total;
    if (last === Number.POSITIVE_INFINITY) return;
    if (!complete && at - (last ?? step.began) < progressEveryMs) return;
    step.told.set(label, complete ? Number.POSITIVE_INFINITY : at);
    const amount = `${formatAmount(done, total, unit)}${complete ? " done" : ""}`;
    blocks.line(step, `${harmless(label)} ${note === undefined ? amount : harmless(note)}`);
  }
  function ended(id: string, at: number, text: (step: PlainStep) => string): void {
    const step = stepOf(id, at);
    for (const buffer of step.buffers.values())
      for (const rest of buffer.end()) blocks.line(step, `${stamp(step, at)} ${rest}`);
    blocks.line(step, text(step));
    blocks.leave();
  }

  return {
    report(event: BuildEvent): void {
      if ("at" in event) blocks.now = event.at;
      switch (event.kind) {
        case "plan":
          for (const step of event.steps) titles.set(step.id, step.title);
          return;
        case "start":
          titles.set(event.step.id, event.step.title);
          blocks.open(stepOf(event.step.id, event.at));
          return;
        case "output":
          printed(event);
          return;
        case "progress":
          moved(event);
          return;
        case "done":
          ended(event.id, event.at, (step) =>
            [event.cached ? "CACHED" : `DONE ${formatSeconds(event.at - step.began)}`, event.note]
              .filter((part) => part !== undefined)
              .map(harmless)
              .join(" "),
          );
          return;
        case "failed":
          ended(event.id, event.at, () => `ERROR: ${harmless(event.message)}`);
          return;
        case "canceled":
          ended(event.id, event.at, () => "CANCELED");
          return;
        case "warning":
          warnings.add(event);
          return;
      }
    },
    close() {
      for (const step of steps.values())
        for (const buffer of step.buffers.values()) for (const rest of buffer.end()) blocks.line(step, rest);
      blocks.leave();
      warnings.tell();
    },
  };
}

type EventOf<Kind extends BuildEvent["kind"]> = Extract<BuildEvent, { readonly kind: Kind }>;

/** The lines on their way out. */
class Blocks {
  /** When the last event was. */
  now = 0;
  #current: PlainStep | undefined;
  #folds = 0;
  #wrote = false;
  readonly #ci: CiLog | undefined;
  readonly write: (text: string) => void;

  constructor(write: (text: string) => void, ci: CiLog | undefined) {
    this.write = write;
    this.#ci = ci;
  }

  /** Opens (or re-opens) a step's block of lines. */
  open(step: PlainStep): void {
    if (this.#current === step) return;
    if (this.#current) {
      this.write(`#${this.#current.number} ...\n`);
      this.leave();
    }
    const title = `#${step.number} ${harmless(step.title)}`;
    this.apart(this.#ci ? this.#ci.begin(title, ++this.#folds, this.now) : `${title}\n`);
    this.#current = step;
  }

  line(step: PlainStep, text: string): void {
    this.open(step);
    this.write(`${this.#inViewer(`#${step.number} ${text}`.trimEnd())}\n`);
  }

  leave(): void {
    if (this.#current && this.#ci) this.write(this.#ci.end(this.#folds, this.now));
    this.#current = undefined;
  }

  /** A line of no step: in the block that is open, else apart. */
  aside(text: string): void {
    if (this.#current) this.line(this.#current, text);
    else this.apart(`${this.#inViewer(text)}\n`);
  }

  /** A blank line stands before it, when there is anything above. */
  apart(text: string): void {
    this.write(`${this.#wrote ? "\n" : ""}${text}`);
    this.#wrote = true;
  }

  #inViewer(text: string): string {
    return this.#ci ? this.#ci.line(text) : text;
  }
}

/** Warnings come once, at once; what build checks found comes together at the end, where it is not lost among the steps. */
class Warnings {
  readonly #blocks: Blocks;
  readonly #ci: CiLog | undefined;
  readonly #told = new Set<string>();
  readonly #findings = new Set<string>();
  /** What the CI viewer shows at lines of files. */
  readonly #notes = new Set<string>();

  constructor(blocks: Blocks, ci: CiLog | undefined) {
    this.#blocks = blocks;
    this.#ci = ci;
  }

  add(event: EventOf<"warning">): void {
    const place = event.span ? ` (${event.span.file}:${event.span.line})` : "";
    const text = harmless(event.text + place);
    const note = event.span && this.#ci?.note({ kind: "warning", ...event.span, ...saidOf(event) });
    if (note) this.#notes.add(note);
    if (event.rule !== undefined) this.#findings.add(text);
    else if (!this.#told.has(text)) {
      this.#told.add(text);
      this.#blocks.aside(`WARNING: ${text}`);
    }
  }

  tell(): void {
    const count = this.#findings.size === 1 ? "1 warning" : `${this.#findings.size} warnings`;
    if (this.#findings.size > 0) this.#blocks.apart(`${count} found (build with --check to see the lines):\n`);
    for (const finding of this.#findings) this.#blocks.write(` - ${this.#ci ? this.#ci.line(finding) : finding}\n`);
    for (const note of this.#notes) this.#blocks.write(note);
  }
}

/** A check's name stands before its words already. */
function saidOf({ rule, text }: { readonly rule?: string; readonly text: string }): { title?: string; text: string } {
  if (rule === undefined) return { text };
  return { title: rule, text: text.startsWith(`${rule}: `) ? text.slice(rule.length + 2) : text };
}

function stamp(step: PlainStep, at: number): string {
  return (Math.max(0, at - step.began) / 1000).toFixed(3);
}
