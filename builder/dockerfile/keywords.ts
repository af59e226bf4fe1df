/** What each instruction may carry: the keywords and their flags, as data. */
import type { Instruction } from "./instruction.ts";

export type Keyword = Instruction["kind"];

/** How a flag may be written: with a value, with or without `=true` and `=false`, or with a value and any number of times. */
export type FlagForm = "value" | "boolean" | "values";

export interface KeywordRules {
  readonly flags: Readonly<Record<string, FlagForm>>;
  /** Shown when an argument is missing. */
  readonly usage: string;
}

export const keywords: Readonly<Record<Keyword, KeywordRules>> = {
  ADD: {
    flags: {
      chown: "value",
      chmod: "value",
      link: "boolean",
      exclude: "values",
      checksum: "value",
      "keep-git-dir": "boolean",
      unpack: "boolean",
    },
    usage: 'ADD [--chown=user:group] [--chmod=mode] source... target, or ADD ["source", "target"]',
  },
  ARG: { flags: {}, usage: "ARG name[=default]..." },
  CMD: { flags: {}, usage: 'CMD ["program", "argument"], or CMD command line' },
  COPY: {
    flags: {
      from: "value",
      chown: "value",
      chmod: "value",
      link: "boolean",
      parents: "boolean",
      exclude: "values",
    },
    usage: 'COPY [--from=stage] [--chown=user:group] [--chmod=mode] source... target, or COPY ["source", "target"]',
  },
  ENTRYPOINT: { flags: {}, usage: 'ENTRYPOINT ["program", "argument"], or ENTRYPOINT command line' },
  ENV: { flags: {}, usage: "ENV name=value..." },
  EXPOSE: { flags: {}, usage: "EXPOSE port[/protocol]..." },
  FROM: { flags: { platform: "value" }, usage: "FROM [--platform=os/architecture] image [AS name]" },
  HEALTHCHECK: {
    flags: {
      interval: "value",
      timeout: "value",
      "start-period": "value",
      "start-interval": "value",
      retries: "value",
    },
    usage: "HEALTHCHECK [--interval=30s] [--timeout=30s] [--retries=3] CMD command, or HEALTHCHECK NONE",
  },
  LABEL: { flags: {}, usage: "LABEL name=value..." },
  MAINTAINER: { flags: {}, usage: "MAINTAINER name" },
  ONBUILD: { flags: {}, usage: "ONBUILD instruction" },
  RUN: {
    flags: { mount: "values", network: "value", security: "value", device: "values" },
    usage: 'RUN command line, or RUN ["program", "argument"]',
  },
  SHELL: { flags: {}, usage: 'SHELL ["program", "argument"]' },
  STOPSIGNAL: { flags: {}, usage: "STOPSIGNAL signal" },
  USER: { flags: {}, usage: "USER user[:group]" },
  VOLUME: { flags: {}, usage: 'VOLUME path..., or VOLUME ["path"]' },
  WORKDIR: { flags: {}, usage: "WORKDIR path" },
};

export function isKeyword(text: string): text is Keyword {
  return Object.hasOwn(keywords, text);
}
