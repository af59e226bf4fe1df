/** Every folder of tests/golden/dockerfile{,-bad}: a Dockerfile and what reading it gives. GOLDEN=update rewrites. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { diagnosticsOf } from "../../../builder/diagnose/diagnostic.ts";
import { renderDiagnostic } from "../../../builder/diagnose/render.ts";
import type { Span } from "../../../builder/diagnose/source.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";
import { isWbuildError } from "../../../native/error.ts";

const golden = join(import.meta.dirname, "../../golden");

function check(path: string, found: string): string {
  if (process.env.GOLDEN === "update") writeFileSync(path, found);
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

/** Spans as `line:column-line:column`, the source left out: short enough to be reviewed. */
function brief(key: string, value: unknown): unknown {
  if (key === "source") return undefined;
  const span = value as Span | undefined;
  if (typeof value !== "object" || span?.start === undefined || span.end === undefined) return value;
  return `${span.start.line}:${span.start.column}-${span.end.line}:${span.end.column}`;
}

for (const name of readdirSync(join(golden, "dockerfile"))) {
  test(`Dockerfile is read: ${name}`, (t) => {
    const folder = join(golden, "dockerfile", name);
    const text = readFileSync(join(folder, "Dockerfile"), "utf8");
    const found = `${JSON.stringify(parseDockerfile({ name: "Dockerfile", text }), brief, 1)}\n`;
    t.is(found, check(join(folder, "expected.json"), found));
  });
}

for (const name of readdirSync(join(golden, "dockerfile-bad"))) {
  test(`Dockerfile is refused: ${name}`, (t) => {
    const folder = join(golden, "dockerfile-bad", name);
    const text = readFileSync(join(folder, "Dockerfile"), "utf8");
    const error = t.throws(() => parseDockerfile({ name: "Dockerfile", text }));
    if (!isWbuildError(error)) throw error;
    const found = diagnosticsOf(error)
      .map((each) => renderDiagnostic(each, { color: false }))
      .join("\n");
    t.is(found, check(join(folder, "expected.txt"), found));
  });
}
