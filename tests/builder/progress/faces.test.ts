import { createHash } from "node:crypto";
import test from "ava";
import { jsonFace } from "../../../builder/progress/json.ts";
import { plainFace } from "../../../builder/progress/plain.ts";
import { rawJsonFace } from "../../../builder/progress/raw-json.ts";
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

test("rawjson face speaks as BuildKit's", (t) => {
  const lines: { readonly [part: string]: readonly Record<string, unknown>[] }[] = [];
  const face = rawJsonFace((line) => void lines.push(JSON.parse(line)));
  for (const event of [...streams["two-steps"]!, ...streams.failing!]) face.report(event);
  const digest = (id: string) => `sha256:${createHash("sha256").update(id).digest("hex")}`;
  const of = (part: string) => lines.flatMap((line) => line[part] ?? []);

  t.deepEqual(
    lines[0]?.vertexes?.map(({ digest: id, name }) => [id, name]),
    [
      [digest("a"), "[base 1/3] FROM wbuild.local/linux:latest"],
      [digest("b"), "[build 2/3] COPY . /src"],
      [digest("c"), "[build 3/3] RUN make"],
      [digest("d"), "exporting"],
    ],
  );
  t.deepEqual(
    of("vertexes").find(({ cached }) => cached),
    {
      digest: digest("a"),
      name: "[base 1/3] FROM wbuild.local/linux:latest",
      started: "2023-11-14T22:13:20.000Z",
      completed: "2023-11-14T22:13:20.003Z",
      cached: true,
    },
  );
  t.deepEqual(
    of("vertexes").flatMap(({ error }) => error ?? []),
    ["exit code 2", "context canceled"],
  );
  t.deepEqual(of("logs")[2], {
    vertex: digest("c"),
    stream: 2,
    data: Buffer.from("warning: unused\n").toString("base64"),
    timestamp: "2023-11-14T22:13:20.250Z",
  });
  const moved = { id: "transferring", vertex: digest("b"), name: "transferring", total: 2_500_000 };
  const started = "2023-11-14T22:13:20.020Z";
  const ended = "2023-11-14T22:13:20.090Z";
  t.deepEqual(of("statuses"), [
    { ...moved, current: 500_000, timestamp: started, started },
    { ...moved, current: 2_500_000, timestamp: ended, started, completed: ended },
  ]);
  t.deepEqual(of("warnings").at(-1), {
    level: 1,
    short: Buffer.from("MAINTAINER is deprecated").toString("base64"),
    range: [{ start: { line: 3 }, end: { line: 3 } }],
  });
});

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
