/**
 * `npm run conformance [-- --judge docker@sid,docker,buildah] [PART OF A NAME… answers]`: every case with wbuild and with other
 * builders, compared point by point; answers: what docker says of checks and in metadata files. Ends with 1 when something differs that known.ts does not explain.
 */
import { parseArgs } from "node:util";
import { startBuildah } from "./buildah.ts";
import { CaseBuilder } from "./builder.ts";
import { startDocker } from "./docker.ts";
import { reasonOf } from "./known.ts";
import { differences, type Peer } from "./peer.ts";
import { tables } from "./tables.ts";

const judges = ["docker@sid", "docker", "buildah"] as const;
const { values, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { judge: { type: "string", default: judges.join() } },
});
const asked = judges.filter((name) => values.judge.split(",").includes(name));
if (asked.length !== values.judge.split(",").length) throw new Error(`--judge takes ${judges.join(", ")}`);
await using builder = await CaseBuilder.open();
const started: (Peer | string)[] = [];
for (const name of asked)
  started.push(name === "buildah" ? await startBuildah(name, builder) : await startDocker(name, builder));
const peers: Peer[] = [];
for (const one of started) {
  if (typeof one !== "string") peers.push(one);
  else console.log(`left out: ${one}`);
}

// A daemon must not outlive who started it.
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.once(signal, () => {
    const stopped = [...peers, builder].map((one) => one[Symbol.asyncDispose]());
    void Promise.allSettled(stopped).then(() => process.exit(code));
  });
}

let differing = 0;
try {
  for (const peer of peers) {
    const counts = { same: 0, known: 0, other: 0 };
    console.log(`wbuild / ${peer.name} ${peer.version}`);
    for (const { about, cases } of tables) {
      for (const one of cases) {
        const title = `${about}: ${one.name}`;
        if (about === "Windows" || (wanted.length > 0 && !wanted.some((part) => title.includes(part)))) continue;
        const found = differences(await builder.build(one), await peer.build(one, builder));
        const explained = found.length > 0 ? reasonOf(peer, about, one, found) : undefined;
        counts[found.length === 0 ? "same" : explained ? "known" : "other"]++;
        if (explained) console.log(`  known  ${title}: ${explained}`);
        else if (found.length > 0) console.log(`  OTHER  ${[title, ...found].join("\n           ")}`);
      }
    }
    if (peer.compareAnswers && (wanted.length === 0 || wanted.includes("answers"))) {
      const found = await peer.compareAnswers();
      for (const line of found) console.log(`  OTHER  ${line}`);
      counts.other += found.length;
    }
    differing += counts.other;
    console.log(`${peer.name}: ${counts.same} the same, ${counts.known} known to differ, ${counts.other} others`);
  }
} finally {
  for (const peer of peers) await peer[Symbol.asyncDispose]();
}
process.exitCode = differing > 0 ? 1 : 0;
