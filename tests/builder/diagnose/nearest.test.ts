/** The word that a misspelt one most likely meant. */
import test from "ava";
import { nearest } from "../../../builder/diagnose/nearest.ts";

const words = [
  "COPY",
  "CMD",
  "ENV",
  "ENTRYPOINT",
  "EXPOSE",
  "FROM",
  "HEALTHCHECK",
  "RUN",
  "STOPSIGNAL",
  "USER",
  "VOLUME",
];
const cases: [word: string, expected: string | undefined][] = [
  ["CPOY", "COPY"],
  ["copy", "COPY"],
  ["COPYY", "COPY"],
  ["FORM", "FROM"],
  ["RNU", "RUN"],
  ["ENTRYPIONT", "ENTRYPOINT"],
  ["ENTYPONT", "ENTRYPOINT"],
  ["HELTCHECK", "HEALTHCHECK"],
  ["EXPOS", "EXPOSE"],
  ["XYZ", undefined],
  ["APT", undefined],
  ["", undefined],
  ["R".repeat(1000), undefined],
];
for (const [word, expected] of cases) {
  test(`${JSON.stringify(word.slice(0, 20))} means ${expected ?? "nothing known"}`, (t) =>
    t.is(nearest(word, words), expected));
}
