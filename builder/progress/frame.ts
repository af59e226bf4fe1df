/** One picture of a running build: state in, lines of the right width out. Pure; knows nothing of cursors. */
import type { BuildEvent } from "./events.ts";
import { harmless } from "./harmless.ts";
import type { LineBuffer } from "./lines.ts";
import { formatAmount, formatSeconds } from "./units.ts";
import { cutToWidth, displayWidth } from "./width.ts";

export interface TtyStep {
  title: string;
  state: "waiting" | "running" | "done" | "cached" | "failed" | "canceled";
  began?: number;
  ended?: number;
  note?: string;
  lines: string[];
  readonly progress: Map<string, BuildEvent & { readonly kind: "progress" }>;
  readonly buffers: Map<string, LineBuffer>;
}

export interface TtyView {
  readonly steps: readonly TtyStep[];
  readonly warnings: readonly string[];
  readonly began: number;
  readonly now: number;
  readonly colours: boolean;
}

export type Frame = readonly string[];

type Paint = "blue" | "red" | "dim" | "cyan" | "none";
const sgr: Readonly<Record<Paint, string>> = { blue: "34", red: "31", dim: "2", cyan: "36", none: "" };

/**
 * Lines for a terminal of so many columns and (while live) rows. Steps that wait are not shown, only counted.
 * When rows are few, finished steps give way first, then the running steps' output.
 */
export function frame(view: TtyView, columns: number, rows: number | undefined, final: boolean): Frame {
  const paint = (text: string, colour: Paint) =>
    view.colours && colour !== "none" ? `\x1b[${sgr[colour]}m${text}\x1b[0m` : text;
  // One column less: a line that fills the last column wraps on some terminals.
  const width = Math.max(20, columns - 1);
  const over = view.steps.filter((step) => step.state !== "waiting" && step.state !== "running").length;
  const failed = view.steps.some((step) => step.state === "failed");
  const canceled = view.steps.some((step) => step.state === "canceled");
  const shown = view.steps.filter((step) => step.state !== "waiting");
  const finished = shown.filter((step) => step.state !== "running").map((step) => stepLines(step, final));
  const running = shown.filter((step) => step.state === "running").map((step) => stepLines(step, final));
  const tail = final ? view.warnings.map((text) => [paint(cutToWidth(`warning: ${text}`, width * 3), "cyan")]) : [];

  const room = rows === undefined ? Number.POSITIVE_INFINITY : Math.max(1, rows - 2);
  const heads = running.map((lines) => lines.slice(0, 1));
  let body = running;
  if (running.flat().length > room) body = heads;
  const left = room - body.flat().length;
  const kept = left > 0 ? finished.flat().slice(left === Number.POSITIVE_INFINITY ? 0 : -left) : [];

  const verb = !final
    ? "Building"
    : failed
      ? "Failed after"
      : over < view.steps.length || canceled
        ? "Canceled after"
        : "Done in";
  const head = `[+] ${verb} ${formatSeconds(view.now - view.began)} (${over}/${view.steps.length})`;
  const all = [...kept, ...body.flat()];
  return [
    paint(cutToWidth(head, width), failed ? "red" : "none"),
    ...(rows === undefined ? all : all.slice(0, room)),
    ...tail.flat(),
  ];

  function stepLines(step: TtyStep, last: boolean): string[] {
    const began = step.began ?? view.now;
    const time = formatSeconds((step.ended ?? view.now) - began);
    const word = { cached: "CACHED ", failed: "ERROR ", canceled: "CANCELED ", done: "", running: "", waiting: "" };
    const colour: Paint =
      step.state === "running" ? "none" : step.state === "failed" ? "red" : step.state === "canceled" ? "dim" : "blue";
    const title = cutToWidth(` => ${word[step.state]}${step.title}`, width - time.length - 1);
    const gap = " ".repeat(Math.max(1, width - displayWidth(title) - time.length));
    const lines = [paint(title + gap + time, colour)];
    if (!last)
      for (const transfer of step.progress.values())
        lines.push(cutToWidth(` => => ${transfer.label} ${amountOf(transfer)}`, width));
    if (step.state === "running" && !last)
      for (const text of step.lines) lines.push(paint(cutToWidth(` => => # ${text}`, width), "dim"));
    // The summary leaves it to the error, which stands right below.
    if (step.state === "failed" && !last)
      for (const text of step.lines) lines.push(cutToWidth(` => => # ${text}`, width));
    return lines;
  }
}

function amountOf({ done, total, unit, note }: BuildEvent & { readonly kind: "progress" }): string {
  return note === undefined ? formatAmount(done, total, unit) : harmless(note);
}
