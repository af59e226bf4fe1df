/** What each instruction may carry: the keywords and their flags, as data. */
import type { Instruction } from "./instruction.ts";

export type Keyword = Instruction["kind"];

export interface KeywordRules {
  /** Flags that wbuild carries out. */
  readonly flags: readonly string[];
  /** Flags of the language that this version does not carry out: refused by name, never skipped. */
  readonly refused: readonly string[];
  /** Shown when an argument is missing. */
  readonly usage: string;
}

export const keywords: Readonly<Record<Keyword, KeywordRules>> = {
  ADD: {
    flags: ["chown", "chmod"],
    refused: ["link", "keep-git-dir", "checksum", "exclude", "unpack"],
    usage: 'ADD [--chown=user:group] [--chmod=mode] source... target, or ADD ["source", "target"]',
  },
  ARG: { flags: [], refused: [], usage: "ARG name[=default]..." },
  CMD: { flags: [], refused: [], usage: 'CMD ["program", "argument"], or CMD command line' },
  COPY: {
    flags: ["from", "chown", "chmod"],
    refused: ["link", "parents", "exclude"],
    usage: 'COPY [--from=stage] [--chown=user:group] [--chmod=mode] source... target, or COPY ["source", "target"]',
  },
  ENTRYPOINT: { flags: [], refused: [], usage: 'ENTRYPOINT ["program", "argument"], or ENTRYPOINT command line' },
  ENV: { flags: [], refused: [], usage: "ENV name=value..." },
  EXPOSE: { flags: [], refused: [], usage: "EXPOSE port[/protocol]..." },
  FROM: { flags: ["platform"], refused: [], usage: "FROM [--platform=os/architecture] image [AS name]" },
  HEALTHCHECK: {
    flags: ["interval", "timeout", "start-period", "start-interval", "retries"],
    refused: [],
    usage: "HEALTHCHECK [--interval=30s] [--timeout=30s] [--retries=3] CMD command, or HEALTHCHECK NONE",
  },
  LABEL: { flags: [], refused: [], usage: "LABEL name=value..." },
  MAINTAINER: { flags: [], refused: [], usage: "MAINTAINER name" },
  ONBUILD: { flags: [], refused: [], usage: "ONBUILD instruction" },
  RUN: {
    flags: ["network", "security"],
    refused: ["mount", "device"],
    usage: 'RUN command line, or RUN ["program", "argument"]',
  },
  SHELL: { flags: [], refused: [], usage: 'SHELL ["program", "argument"]' },
  STOPSIGNAL: { flags: [], refused: [], usage: "STOPSIGNAL signal" },
  USER: { flags: [], refused: [], usage: "USER user[:group]" },
  VOLUME: { flags: [], refused: [], usage: 'VOLUME path..., or VOLUME ["path"]' },
  WORKDIR: { flags: [], refused: [], usage: "WORKDIR path" },
};

export function isKeyword(text: string): text is Keyword {
  return Object.hasOwn(keywords, text);
}
