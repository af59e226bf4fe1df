/** Recorded event streams, and a screen that understands the few sequences that the live face writes. */
import type { BuildEvent } from "../../../builder/progress/events.ts";

const t0 = 1_700_000_000_000;
const step = (id: string, title: string) => ({ id, title });
const base = step("a", "[base 1/3] FROM wbuild.local/linux:latest");
const copy = step("b", "[build 2/3] COPY . /src");
const make = step("c", "[build 3/3] RUN make");
const last = step("d", "exporting");

export const streams: Readonly<Record<string, readonly BuildEvent[]>> = {
  "two-steps": [
    { kind: "plan", steps: [base, copy, make, last] },
    { kind: "start", step: base, at: t0 },
    { kind: "done", id: "a", cached: true, at: t0 + 3 },
    { kind: "start", step: copy, at: t0 + 5 },
    { kind: "progress", id: "b", label: "transferring", done: 500_000, total: 2_500_000, unit: "bytes", at: t0 + 20 },
    { kind: "progress", id: "b", label: "transferring", done: 2_500_000, total: 2_500_000, unit: "bytes", at: t0 + 90 },
    { kind: "done", id: "b", cached: false, at: t0 + 105 },
    { kind: "start", step: make, at: t0 + 110 },
    { kind: "output", id: "c", stream: "stdout", text: "cc -o hel", at: t0 + 233 },
    { kind: "output", id: "c", stream: "stdout", text: "lo hello.c\nld\n", at: t0 + 240 },
    { kind: "output", id: "c", stream: "stderr", text: "warning: unused\n", at: t0 + 250 },
    { kind: "output", id: "c", stream: "stdout", text: "no newline at the end", at: t0 + 260 },
    { kind: "done", id: "c", cached: false, at: t0 + 510 },
    { kind: "start", step: last, at: t0 + 511 },
    { kind: "warning", text: "no network helper", at: t0 + 512 },
    { kind: "warning", text: "no network helper", at: t0 + 513 },
    { kind: "done", id: "d", cached: false, at: t0 + 600, note: "sha256:abc" },
  ],
  failing: [
    { kind: "plan", steps: [copy, make] },
    { kind: "start", step: copy, at: t0 },
    { kind: "start", step: make, at: t0 + 1 },
    { kind: "output", id: "c", stream: "stderr", text: "make: *** No rule\n", at: t0 + 100 },
    { kind: "warning", text: "MAINTAINER is deprecated", span: { file: "Dockerfile", line: 3 }, at: t0 + 101 },
    { kind: "failed", id: "c", message: "exit code 2", at: t0 + 150 },
    { kind: "canceled", id: "b", at: t0 + 160 },
  ],
  checked: [
    {
      kind: "warning",
      text: "JSONArgsRecommended: CMD is no JSON array",
      span: { file: "Dockerfile", line: 3 },
      rule: "JSONArgsRecommended",
      url: "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/",
      at: t0,
    },
    { kind: "start", step: make, at: t0 + 1 },
    { kind: "done", id: "c", cached: false, at: t0 + 50 },
  ],
  "side-by-side": [
    { kind: "start", step: copy, at: t0 },
    { kind: "start", step: make, at: t0 + 1 },
    { kind: "output", id: "b", stream: "stdout", text: "one\n", at: t0 + 10 },
    { kind: "output", id: "c", stream: "stdout", text: "two\n", at: t0 + 20 },
    { kind: "output", id: "c", stream: "stdout", text: "three\n", at: t0 + 21 },
    { kind: "output", id: "b", stream: "stdout", text: "four\n", at: t0 + 30 },
    { kind: "done", id: "b", cached: false, at: t0 + 40 },
    { kind: "done", id: "c", cached: false, at: t0 + 50 },
  ],
  "without-bytes": [
    { kind: "start", step: last, at: t0 },
    ...["mounted from team/base", "already there", "mounted from \u001b[2Jnowhere"].map(
      (note, at): BuildEvent => ({
        kind: "progress",
        id: "d",
        label: `layer${at}`,
        done: 7000,
        total: 7000,
        unit: "bytes",
        note,
        at: t0 + at,
      }),
    ),
    { kind: "done", id: "d", cached: false, at: t0 + 90 },
  ],
  hostile: [
    { kind: "start", step: make, at: t0 },
    {
      kind: "output",
      id: "c",
      stream: "stdout",
      text: "\x1b[2J\x1b]0;owned\x07red \x1b[31mtext\x1b[0m\r\n10%\r50%\r100%\n\x07bell\tb\u202eevil\n",
      at: t0 + 10,
    },
    { kind: "output", id: "c", stream: "stdout", text: `${"宽".repeat(60)}\n`, at: t0 + 20 },
    { kind: "done", id: "c", cached: false, at: t0 + 50 },
  ],
};

const csi = "\x1b\\[";
const parts = new RegExp(`${csi}[?0-9;]*[A-Za-z]|[\\s\\S]`, "gu");
const up = new RegExp(`^${csi}\\d+A$`);
const colour = new RegExp(`^${csi}[0-9;]*m$`);

/** Rows and a cursor: prints, CR, LF, cursor up, erase to the end of line and screen. Anything else is an error. */
export function screen(columns: number): { write(text: string): void; rows(): string[]; hidden(): boolean } {
  const rows: string[][] = [[]];
  let row = 0;
  let column = 0;
  let hidden = false;
  return {
    write(text) {
      for (const [part] of text.matchAll(parts)) {
        if (part === "\n") {
          row++;
          column = 0;
          rows[row] ??= [];
        } else if (part === "\r") column = 0;
        else if (part === "\x1b[K") rows[row]!.length = column;
        else if (part === "\x1b[J") {
          rows[row]!.length = column;
          rows.length = row + 1;
        } else if (part === "\x1b[?25l") hidden = true;
        else if (part === "\x1b[?25h") hidden = false;
        else if (up.test(part)) row = Math.max(0, row - Number(part.slice(2, -1)));
        else if (colour.test(part)) continue;
        else if (part < " ") throw new Error(`unexpected ${JSON.stringify(part)}`);
        else {
          rows[row]![column++] = part;
          if (column > columns) throw new Error(`a line is longer than ${columns}: ${rows[row]!.join("")}`);
        }
      }
    },
    rows: () =>
      rows.map((cells) =>
        Array.from(cells, (cell) => cell ?? " ")
          .join("")
          .trimEnd(),
      ),
    hidden: () => hidden,
  };
}
