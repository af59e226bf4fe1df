/** The build checks that Docker publishes: their names, what each looks at, and where it is explained. */
import type { Span } from "../diagnose/source.ts";

interface Rule {
  readonly description: string;
  /** Last part of the address of its page; some checks have none. */
  readonly page?: string;
  /** Looked for only where the check directive asks for it. */
  readonly experimental?: true;
}

const table = {
  StageNameCasing: { description: "Names of stages are written in lower case", page: "stage-name-casing" },
  FromAsCasing: { description: "AS is written in the case of its FROM", page: "from-as-casing" },
  NoEmptyContinuation: { description: "No empty line continues an instruction", page: "no-empty-continuation" },
  ConsistentInstructionCasing: {
    description: "All instructions are written in the same case",
    page: "consistent-instruction-casing",
  },
  DuplicateStageName: { description: "Every stage has a name of its own", page: "duplicate-stage-name" },
  ReservedStageName: { description: "No stage has a reserved name", page: "reserved-stage-name" },
  JSONArgsRecommended: {
    description: "CMD and ENTRYPOINT are JSON arrays, so that signals reach the program",
    page: "json-args-recommended",
  },
  MaintainerDeprecated: { description: "A label names the author, not MAINTAINER", page: "maintainer-deprecated" },
  UndefinedArgInFrom: { description: "FROM uses only arguments that are declared", page: "undefined-arg-in-from" },
  WorkdirRelativePath: {
    description: "The first WORKDIR is absolute, so that it does not depend on the base image",
    page: "workdir-relative-path",
  },
  UndefinedVar: { description: "Variables are set before they are used", page: "undefined-var" },
  MultipleInstructionsDisallowed: {
    description: "A stage has each of CMD, ENTRYPOINT and HEALTHCHECK only once",
    page: "multiple-instructions-disallowed",
  },
  LegacyKeyValueFormat: { description: "ENV and LABEL are written with =", page: "legacy-key-value-format" },
  InvalidBaseImagePlatform: { description: "The base image is made for the platform that is built for" },
  RedundantTargetPlatform: {
    description: "FROM does not ask for the platform that it gets anyway",
    page: "redundant-target-platform",
  },
  SecretsUsedInArgOrEnv: {
    description: "No secret is given by ARG or ENV, which the image shows to everybody",
    page: "secrets-used-in-arg-or-env",
  },
  InvalidDefaultArgInFrom: {
    description: "FROM names an image also when no build argument is given",
    page: "invalid-default-arg-in-from",
  },
  FromPlatformFlagConstDisallowed: {
    description: "The platform of a FROM is not fixed",
    page: "from-platform-flag-const-disallowed",
  },
  CopyIgnoredFile: {
    description: "COPY and ADD name no file that the ignore file leaves out",
    page: "copy-ignored-file",
    experimental: true,
  },
  InvalidDefinitionDescription: {
    description: "A comment right above FROM or ARG begins with the name that it describes",
    page: "invalid-definition-description",
    experimental: true,
  },
  ExposeProtoCasing: { description: "EXPOSE has its protocol in lower case", page: "expose-proto-casing" },
  ExposeInvalidFormat: {
    description: "EXPOSE has neither an address nor a port of the host",
    page: "expose-invalid-format",
  },
} as const satisfies Readonly<Record<string, Rule>>;

export type RuleName = keyof typeof table;

export const rules: Readonly<Record<RuleName, Rule>> = table;

/** In the order of Docker's list. */
export const ruleNames = Object.keys(table) as readonly RuleName[];

/** Docker's page of a check; undefined where there is none. */
export function ruleUrl(name: RuleName): string | undefined {
  const { page } = rules[name];
  return page === undefined ? undefined : `https://docs.docker.com/go/dockerfile/rule/${page}/`;
}

/** One place of a Dockerfile that a check does not like. */
export interface Finding {
  readonly rule: RuleName;
  readonly message: string;
  /** The whole instruction: what is told by line numbers. */
  readonly span: Span;
  /** What of it is meant, for drawing; absent: all. */
  readonly point?: Span;
}
