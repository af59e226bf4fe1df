import test from "ava";
import { applyFileMode, readFileMode } from "../../../builder/graph/file-mode.ts";

const octal = (mode: number) => mode.toString(8).padStart(4, "0");

const rows: [text: string, file644: string, file755: string, folder700: string][] = [
  ["0", "0000", "0000", "0000"],
  ["644", "0644", "0644", "0644"],
  ["07777", "7777", "7777", "7777"],
  ["u=rwX,go=rX", "0644", "0755", "0755"],
  ["a=rX", "0444", "0555", "0555"],
  ["+x", "0755", "0755", "0711"],
  ["+w", "0644", "0755", "0700"],
  ["a+w", "0666", "0777", "0722"],
  ["a-w,g+s", "2444", "2555", "2500"],
  ["-w", "0444", "0555", "0500"],
  ["u+s,o+s", "4644", "4755", "4700"],
  ["+t", "1644", "1755", "1700"],
  ["o+t", "0644", "0755", "0700"],
  ["go=", "0600", "0700", "0700"],
  ["=", "0000", "0000", "0000"],
  ["go=u", "0666", "0777", "0777"],
  ["go=u-w", "0644", "0755", "0755"],
  ["u=g", "0444", "0555", "0000"],
  ["u+x-r", "0344", "0355", "0300"],
  ["u=x,+X", "0144", "0155", "0111"],
];
for (const [text, ...expected] of rows) {
  test(`--chmod=${text}`, (t) => {
    const mode = readFileMode(text);
    if (mode === undefined) return t.fail("it is a mode");
    const seen = [
      applyFileMode(mode, 0o644, false),
      applyFileMode(mode, 0o755, false),
      applyFileMode(mode, 0o700, true),
    ];
    t.deepEqual(seen.map(octal), expected);
  });
}

for (const text of ["", "888", "10000", "0x1", "u", "u=rwz", "u=rw,", ",u=r", "u=gr", "rwxr-xr-x", " 644", "z+x"]) {
  test(`${JSON.stringify(text)} is no mode`, (t) => {
    t.is(readFileMode(text), undefined);
  });
}
