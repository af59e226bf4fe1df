/** Which stages, and whether the context, are looked into besides the image. */
import test from "ava";
import { scanChoice } from "../../../builder/attest/scan-arguments.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";

const S = "BUILDKIT_SBOM_SCAN_STAGE";
const C = "BUILDKIT_SBOM_SCAN_CONTEXT";
const stages = (before: string, inFirst: string) =>
  `${before}\nFROM scratch AS one\n${inFirst}\nFROM scratch AS two\nFROM scratch AS three\n`;

const rows: readonly (readonly [
  title: string,
  text: string,
  args: Record<string, string>,
  stages: readonly number[],
  context: boolean,
])[] = [
  ["nothing asked", stages("", ""), {}, [], false],
  ["one stage asks", stages("", `ARG ${S}=true`), {}, [0], false],
  ["all of them", stages(`ARG ${S}=true`, ""), {}, [0, 1], false],
  ["all but one", stages(`ARG ${S}=true`, `ARG ${S}=false`), {}, [1], false],
  ["by name", stages(`ARG ${S}="two,three"`, ""), {}, [1], false],
  ["switched on from outside", stages(`ARG ${S}`, ""), { [S]: "true" }, [0, 1], false],
  ["without an ARG nothing is switched on", stages("", ""), { [S]: "true" }, [], false],
  ["switched off from outside", stages("", `ARG ${S}=true`), { [S]: "false" }, [], false],
  ["the context", stages("", `ARG ${C}=true`), {}, [], true],
  ["both", stages(`ARG ${C}=1`, `ARG ${S}=1`), {}, [0], true],
];

for (const [title, text, args, wanted, context] of rows)
  test(title, (t) => {
    const dockerfile = parseDockerfile({ name: "Dockerfile", text });
    // Stage three was not built.
    t.deepEqual(scanChoice(dockerfile, args, new Set([0, 1])), { stages: wanted, context });
  });
