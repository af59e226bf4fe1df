/** The workloads. d1 … d6 are build contexts made from one fixed seed, the same bytes on every machine. */
import { createCipheriv } from "node:crypto";
import { closeSync, mkdirSync, openSync, symlinkSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

const builds = {
  d1: "50 small files and RUN echo",
  d2: "six COPY and six RUN",
  d3: "COPY of 20,000 files of 1 to 8 KiB",
  d4: "COPY of two 256 MiB files, one text, one random",
  d5: "RUN that makes 20,000 files and deletes 1,000 of the base's",
  d6: "four stages that each sleep 2",
} as const;

/** What each builder does in turn. */
export type BuildWorkload = keyof typeof builds;

export const descriptions = {
  ...builds,
  hives: "a SYSTEM hive read, written, compared, merged, listed; a million values",
  windows: "RUN, COPY, run and export with Windows images",
  pull: "from a registry on loopback into an empty store",
  push: "into an empty registry on loopback",
  copy: "from one registry on loopback to another",
  memory: "images of many or large files changed, moved and compared without a build",
} as const;

export type Workload = keyof typeof descriptions;

export function isBuild(name: Workload): name is BuildWorkload {
  return name in builds;
}

export const base = "localhost/bench-base:latest";

/** mulberry32: small, fast, and the same everywhere. */
function randomness(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Made-up words, the frequent ones short, as bytes with a space or a line end behind them. */
function vocabulary(random: () => number): Buffer[] {
  const letters = "eeeeettttaaaooiinnsshhrrddllcumwfgypbvk";
  return Array.from({ length: 5000 }, (_, rank) => {
    const length = 2 + Math.floor(random() * (3 + Math.log2(rank + 1)));
    let word = "";
    for (let i = 0; i < length; i++) word += letters[Math.floor(random() * letters.length)];
    return Buffer.from(rank % 11 === 10 ? `${word}\n` : `${word} `);
  });
}

/** Fills a buffer with text: words drawn so that low ranks come often. */
function fillText(into: Buffer, words: readonly Buffer[], random: () => number): void {
  let at = 0;
  while (at < into.length) {
    const draw = random();
    const word = words[Math.floor(draw * draw * draw * words.length)] as Buffer;
    at += word.copy(into, at);
  }
}

/** Writes the context of one workload into an empty folder. */
export function writeWorkload(name: BuildWorkload, folder: string): void {
  const random = randomness(0x5eed0000 + name.charCodeAt(1));
  const words = vocabulary(random);
  const put = (path: string, bytes: Buffer | string) => writeFileSync(join(folder, path), bytes);
  const text = (size: number) => {
    const bytes = Buffer.allocUnsafe(size);
    fillText(bytes, words, random);
    return bytes;
  };
  mkdirSync(folder, { recursive: true });
  put("Dockerfile", dockerfiles[name]);
  if (name === "d1") {
    mkdirSync(join(folder, "files"));
    for (let i = 0; i < 50; i++) put(`files/${i}.txt`, text(200 + Math.floor(random() * 3900)));
  }
  if (name === "d2") for (let i = 1; i <= 6; i++) put(`file${i}`, text(2000));
  if (name === "d3") {
    for (let i = 0; i < 200; i++) {
      mkdirSync(join(folder, `tree/${i}`), { recursive: true });
      for (let j = 0; j < 100; j++) put(`tree/${i}/${j}.txt`, text(1024 + Math.floor(random() * 7169)));
    }
  }
  if (name === "d4") {
    const mebibyte = Buffer.allocUnsafe(1 << 20);
    const write = (path: string, next: () => Uint8Array) => {
      const file = openSync(join(folder, path), "w");
      for (let i = 0; i < 256; i++) writeSync(file, next());
      closeSync(file);
    };
    mkdirSync(join(folder, "big"));
    write("big/text", () => {
      fillText(mebibyte, words, random);
      return mebibyte;
    });
    // The key stream of a cipher with a fixed key: as good as random to any compressor.
    const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, 7), Buffer.alloc(16));
    const zeros = Buffer.alloc(1 << 20);
    write("big/random", () => cipher.update(zeros));
  }
}

/** Writes the context that makes the base: busybox and 2,000 files in /old, so that d5 has something to delete. */
export function writeBase(folder: string, busybox: Buffer): void {
  const random = randomness(0x5eedba5e);
  const words = vocabulary(random);
  mkdirSync(join(folder, "root/bin"), { recursive: true });
  mkdirSync(join(folder, "root/tmp"));
  writeFileSync(join(folder, "root/bin/busybox"), busybox, { mode: 0o755 });
  for (const applet of ["cat", "ls", "mkdir", "rm", "seq", "sh", "sleep", "true"]) {
    symlinkSync("busybox", join(folder, "root/bin", applet));
  }
  for (let i = 0; i < 20; i++) {
    mkdirSync(join(folder, `root/old/${i}`), { recursive: true });
    for (let j = 0; j < 100; j++) {
      const bytes = Buffer.allocUnsafe(500 + Math.floor(random() * 1500));
      fillText(bytes, words, random);
      writeFileSync(join(folder, `root/old/${i}/${String(j).padStart(2, "0")}`), bytes);
    }
  }
  writeFileSync(join(folder, "Dockerfile"), 'FROM scratch\nCOPY root/ /\nENV PATH=/bin\nCMD ["sh"]\n');
}

const dockerfiles: Record<BuildWorkload, string> = {
  d1: `FROM ${base}\nCOPY files/ /files/\nRUN echo hello\n`,
  d2: `FROM ${base}\n${[1, 2, 3, 4, 5, 6].map((i) => `COPY file${i} /work/file${i}\nRUN echo ${i} > /work/made${i}\n`).join("")}`,
  d3: `FROM ${base}\nCOPY tree/ /tree/\n`,
  d4: `FROM ${base}\nCOPY big/ /big/\n`,
  // Three processes and no more: the time is that of making files, and of the layer.
  d5:
    `FROM ${base}\nRUN mkdir /made && cd /made && mkdir $(seq 0 199) && for d in *; do i=0; ` +
    "while [ $i -lt 100 ]; do echo $d/$i > $d/$i; i=$((i+1)); done; done && rm /old/*/[0-4]*\n",
  d6:
    `${["a", "b", "c", "d"].map((name) => `FROM ${base} AS ${name}\nRUN sleep 2; echo ${name} > /${name}\n`).join("")}` +
    `FROM scratch\n${["a", "b", "c", "d"].map((name) => `COPY --from=${name} /${name} /\n`).join("")}`,
};
