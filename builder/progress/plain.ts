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
  const steps = new Map<string, PlainStep>();
  const warned = new Set<string>();
  /** What build checks found: told together at the end, where it is not lost among the steps. */
  const findings = new Set<string>();
  const titles = new Map<string, string>();
  /** What `ci` has to say of the findings. */
  const notes = new Set<string>();
  let current: PlainStep | undefined;
  let wrote = false;
  let folds = 0;
  let now = 0;

  /** Opens (or re-opens) a step's block of lines. */
  function block(step: PlainStep): void {
    if (current === step) return;
    if (current) {
      write(`#${current.number} ...\n`);
      leave();
    }
    const title = `#${step.number} ${harmless(step.title)}`;
    write(`${wrote ? "\n" : ""}${ci ? ci.begin(title, ++folds, now) : `${title}\n`}`);
    wrote = true;
    current = step;
  }
  function leave(): void {
    if (current && ci) write(ci.end(folds, now));
    current = undefined;
  }
  function stepOf(id: string, at: number): PlainStep {
    const known = steps.get(id);
    if (known) return known;
    const step = {
      number: steps.size + 1,
      title: titles.get(id) ?? id,
      began: at,
      buffers: new Map(),
      told: new Map(),
    };
    steps.set(id, step);
    return step;
  }
  function line(step: PlainStep, text: string): void {
    block(step);
    const whole = `#${step.number} ${text}`.trimEnd();
    write(`${ci ? ci.line(whole) : whole}\n`);
  }
  function finish(id: string, at: number, text: (step: PlainStep) => string): void {
    const step = stepOf(id, at);
    for (const buffer of step.buffers.values())
      for (const rest of buffer.end()) line(step, `${stamp(step, at)} ${rest}`);
    line(step, text(step));
    leave();
  }

  return {
    report(event: BuildEvent): void {
      if ("at" in event) now = event.at;
      switch (event.kind) {
        case "plan":
          for (const step of event.steps) titles.set(step.id, step.title);
          return;
        case "start":
          titles.set(event.step.id, event.step.title);
          block(stepOf(event.step.id, event.at));
          return;
        case "output": {
          const step = stepOf(event.id, event.at);
          const buffer = step.buffers.get(event.stream) ?? lineBuffer();
          step.buffers.set(event.stream, buffer);
          for (const text of buffer.add(event.text)) line(step, `${stamp(step, event.at)} ${text}`);
          return;
        }
        case "progress": {
          const step = stepOf(event.id, event.at);
          const last = step.told.get(event.label);
          const complete = event.total !== undefined && event.done >= event.total;
          if (last === Number.POSITIVE_INFINITY) return;
          if (!complete && event.at - (last ?? step.began) < progressEveryMs) return;
          step.told.set(event.label, complete ? Number.POSITIVE_INFINITY : event.at);
          const amount = formatAmount(event.done, event.total, event.unit);
          line(step, `${harmless(event.label)} ${amount}${complete ? " done" : ""}`);
          return;
        }
        case "done":
          finish(event.id, event.at, (step) =>
            [event.cached ? "CACHED" : `DONE ${formatSeconds(event.at - step.began)}`, event.note]
              .filter((part) => part !== undefined)
              .map(harmless)
              .join(" "),
          );
          return;
        case "failed":
          finish(event.id, event.at, () => `ERROR: ${harmless(event.message)}`);
          return;
        case "canceled":
          finish(event.id, event.at, () => "CANCELED");
          return;
        case "warning": {
          const place = event.span ? ` (${event.span.file}:${event.span.line})` : "";
          const note = event.span && ci?.note({ kind: "warning", ...event.span, ...saidOf(event) });
          if (note) notes.add(note);
          if (event.rule !== undefined) {
            findings.add(harmless(event.text + place));
            return;
          }
          const text = `WARNING: ${harmless(event.text + place)}`;
          if (warned.has(text)) return;
          warned.add(text);
          if (current) line(current, text);
          else write(`${wrote ? "\n" : ""}${ci ? ci.line(text) : text}\n`);
          wrote = true;
          return;
        }
      }
    },
    close() {
      for (const step of steps.values())
        for (const buffer of step.buffers.values()) for (const rest of buffer.end()) line(step, rest);
      leave();
      if (findings.size > 0) {
        const count = findings.size === 1 ? "1 warning" : `${findings.size} warnings`;
        write(`${wrote ? "\n" : ""}${count} found (build with --check to see the lines):\n`);
        for (const finding of findings) write(` - ${ci ? ci.line(finding) : finding}\n`);
      }
      for (const note of notes) write(note);
    },
  };
}

/** A check's name stands before its words already. */
function saidOf({ rule, text }: { readonly rule?: string; readonly text: string }): { title?: string; text: string } {
  if (rule === undefined) return { text };
  return { title: rule, text: text.startsWith(`${rule}: `) ? text.slice(rule.length + 2) : text };
}

function stamp(step: PlainStep, at: number): string {
  return (Math.max(0, at - step.began) / 1000).toFixed(3);
}
