/**
 * The live face: one frame that is drawn over and over, and a summary that stays. Only this file writes cursor movements.
 * Time, terminal and timer come in from outside, so that a recorded stream gives the same frames everywhere.
 */

import type { BuildEvent, ProgressFace } from "./events.ts";
import { type Frame, frame, type TtyStep, type TtyView } from "./frame.ts";
import { harmless } from "./harmless.ts";
import { lineBuffer } from "./lines.ts";

export interface Terminal {
  write(text: string): void;
  /** Columns and rows now. */
  size(): { readonly columns: number; readonly rows: number };
  /** Calls back when the size changed; gives a function that stops it. */
  onResize(changed: () => void): () => void;
  readonly colours: boolean;
}

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back regularly; gives a function that stops it. */
  every(ms: number, call: () => void): () => void;
}

const redrawMs = 100;
/** Output lines remembered of each running step. */
const keptLines = 6;

export function ttyFace(terminal: Terminal, clock: Clock): ProgressFace {
  const steps = new Map<string, TtyStep>();
  const warnings = new Set<string>();
  const began = clock.now();
  let drawn = 0;
  let dirty = true;
  let closed = false;
  const stopResize = terminal.onResize(() => {
    // After a resize the terminal has reflowed our lines: how many rows up our first line is cannot be known. Start anew below.
    drawn = 0;
    dirty = true;
  });
  const stopTimer = clock.every(redrawMs, () => {
    if (dirty || [...steps.values()].some((step) => step.state === "running")) draw(false);
  });
  terminal.write("\x1b[?25l");

  function view(): TtyView {
    return { steps: [...steps.values()], warnings: [...warnings], began, now: clock.now(), colours: terminal.colours };
  }
  function draw(final: boolean): void {
    dirty = false;
    const { columns, rows } = terminal.size();
    const picture: Frame = frame(view(), columns, final ? undefined : rows, final);
    const up = drawn > 0 ? `\x1b[${drawn}A` : "";
    terminal.write(`${up}\r${picture.map((line) => `${line}\x1b[K\n`).join("")}\x1b[J`);
    drawn = picture.length;
  }
  function stepOf(id: string, title?: string): TtyStep {
    let step = steps.get(id);
    if (!step) {
      step = { title: harmless(title ?? id), state: "waiting", lines: [], progress: new Map(), buffers: new Map() };
      steps.set(id, step);
    } else if (title !== undefined) step.title = harmless(title);
    return step;
  }
  function end(id: string, state: TtyStep["state"], at: number, note?: string): void {
    const step = stepOf(id);
    step.state = state;
    step.began ??= at;
    step.ended = at;
    if (note !== undefined) step.note = harmless(note);
    // A failed step keeps its last lines on the screen; the others have nothing more to say.
    for (const buffer of step.buffers.values()) step.lines.push(...buffer.end());
    step.lines = state === "failed" ? step.lines.slice(-keptLines) : [];
    step.progress.clear();
  }

  return {
    report(event: BuildEvent): void {
      dirty = true;
      switch (event.kind) {
        case "plan":
          for (const step of event.steps) stepOf(step.id, step.title);
          return;
        case "start": {
          const step = stepOf(event.step.id, event.step.title);
          step.state = "running";
          step.began = event.at;
          return;
        }
        case "output": {
          const step = stepOf(event.id);
          const buffer = step.buffers.get(event.stream) ?? lineBuffer();
          step.buffers.set(event.stream, buffer);
          const lines = buffer.add(event.text).filter((line) => line !== "");
          step.lines = [...step.lines, ...lines.slice(-keptLines)].slice(-keptLines);
          return;
        }
        case "progress":
          stepOf(event.id).progress.set(harmless(event.label), event);
          return;
        case "done":
          end(event.id, event.cached ? "cached" : "done", event.at, event.note);
          return;
        case "failed":
          end(event.id, "failed", event.at, event.message);
          return;
        case "canceled":
          end(event.id, "canceled", event.at);
          return;
        case "warning":
          warnings.add(harmless(event.text) + (event.span ? ` (${harmless(event.span.file)}:${event.span.line})` : ""));
          return;
      }
    },
    close() {
      if (closed) return;
      closed = true;
      stopTimer();
      stopResize();
      draw(true);
      terminal.write("\x1b[?25h");
    },
  };
}
