import test from "ava";
import { jsonFace } from "../../../builder/progress/json.ts";
import { plainFace } from "../../../builder/progress/plain.ts";
import { ttyFace } from "../../../builder/progress/tty.ts";
import { golden } from "../../doubles/golden.ts";
import { screen, streams } from "./streams.ts";

for (const [name, events] of Object.entries(streams)) {
  test(`plain face: ${name}`, (t) => {
    let text = "";
    const face = plainFace((part) => {
      text += part;
    });
    for (const event of events) face.report(event);
    face.close();
    golden(t, `progress/${name}.plain.txt`, text);
  });

  test(`json face gives the events back: ${name}`, (t) => {
    let text = "";
    const face = jsonFace((part) => {
      text += part;
    });
    for (const event of events) face.report(event);
    const read = text.trimEnd().split("\n");
    t.deepEqual(
      read.map((line) => JSON.parse(line)),
      [...events],
    );
  });

  test(`tty face, a frame after each event and the summary: ${name}`, (t) => {
    const { frames, last } = play(name, { columns: 72, rows: 24 });
    golden(t, `progress/${name}.tty.txt`, [...frames, last].join("\n---\n"));
  });
}

/** Draws after every event, as if a tenth of a second passed between any two. */
function play(name: string, size: { columns: number; rows: number }) {
  const display = screen(size.columns);
  const events = streams[name]!;
  let now = 1_700_000_000_000;
  let tick = () => {};
  let running = 0;
  const face = ttyFace(
    { write: display.write, size: () => size, onResize: () => () => {}, colours: false },
    {
      now: () => now,
      every(ms, call) {
        running++;
        tick = call;
        if (ms < 100) throw new Error("redraws more than ten times a second");
        return () => {
          running--;
        };
      },
    },
  );
  const frames: string[] = [];
  let tallest = 0;
  for (const event of events) {
    if ("at" in event) now = event.at;
    face.report(event);
    tick();
    const rows = display.rows();
    tallest = Math.max(tallest, rows.length);
    const text = rows.join("\n").trimEnd();
    if (frames.at(-1) !== text) frames.push(text);
  }
  const hidden = display.hidden();
  face.close();
  face.close();
  return { frames, last: display.rows().join("\n").trimEnd(), tallest, running, hidden, shown: !display.hidden() };
}

test("tty face never draws more rows than the terminal has", (t) => {
  for (const rows of [3, 4, 6]) {
    const { tallest } = play("two-steps", { columns: 40, rows });
    t.true(tallest <= rows, `${tallest} rows on a terminal of ${rows}`);
  }
});

test("tty face stops its timer and shows the cursor again", (t) => {
  const { running, hidden, shown } = play("failing", { columns: 80, rows: 24 });
  t.is(running, 0);
  t.true(hidden);
  t.true(shown);
});
