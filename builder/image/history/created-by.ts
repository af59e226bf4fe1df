/**
 * The text of an image's history entries, in BuildKit's words: `RUN /bin/sh -c make # buildkit`, `CMD ["a" "b"]`.
 * Tools that show or take apart histories (docker history, dive) know those forms, so ours are no different.
 */
import type { ContainerConfig } from "../../../registry/oci/image.ts";
import { withoutUrlSecrets } from "../../diagnose/url-secrets.ts";
import { formatDuration } from "../../dockerfile/go-duration.ts";
import { commandOf } from "../../dockerfile/here-document.ts";
import type { Instruction } from "../../dockerfile/instruction.ts";
import { type Argument, isProxy } from "../../dockerfile/scope.ts";
import { argvOf, exposedPorts, healthcheckOf } from "../config/config.ts";
import { goQuote, goQuoteList, goQuoteNumber } from "../format/go-text.ts";

/** Who wrote an entry. */
export const historyComment = "wbuild.dockerfile.v0";

export interface CreatedByOptions {
  /** The config after the instruction. */
  readonly config: ContainerConfig;
  readonly os: string;
  /** RUN: StageScope.historyArgs(). */
  readonly args?: readonly string[];
  /** ARG: what StageScope.declare() gave. */
  readonly declared?: readonly Argument[];
}

/**
 * The created_by of an instruction whose words are expanded; undefined for FROM and ONBUILD, which leave no entry.
 * Values of proxy arguments are never written.
 */
export function createdBy(instruction: Instruction, options: CreatedByOptions): string | undefined {
  const { config, os, args = [], declared = [] } = options;
  switch (instruction.kind) {
    case "FROM":
    case "ONBUILD":
      return undefined;
    case "RUN": {
      const counted = args.length === 0 ? [] : [`|${args.length}`, ...args.map(withoutUrlSecrets)];
      return `RUN ${[...counted, ...argvOf(commandOf(instruction, os).command, config, os)].join(" ")} # buildkit`;
    }
    case "COPY":
    case "ADD": {
      const flags = (["chown", "chmod"] as const).flatMap((name) => {
        const word = instruction[name];
        return word === undefined ? [] : [`--${name}=${word.text}`];
      });
      if (instruction.parents) flags.unshift("--parents");
      const documents = (instruction.documents ?? []).map(({ name }) => `<<${name}`);
      const paths = [
        ...instruction.sources.map((word) => withoutUrlSecrets(word.text)),
        ...documents,
        instruction.target.text,
      ];
      // BuildKit joins paths with blanks, too; nobody could take `C:\Program Files` apart again.
      const list = paths.some((path) => /\s/.test(path)) ? [JSON.stringify(paths)] : paths;
      return `${[instruction.kind, ...flags, ...list].join(" ")} # buildkit`;
    }
    case "ENV":
    case "LABEL":
      return `${instruction.kind} ${instruction.pairs.map(({ key, value }) => `${key.text}=${value.text}`).join(" ")}`;
    case "ARG":
      return `ARG ${declared.map(argumentText).join(" ")}`;
    case "WORKDIR":
      return `WORKDIR ${config.WorkingDir ?? instruction.path.text}`;
    case "USER":
      return `USER ${instruction.user.text}`;
    case "CMD":
      return `CMD ${goQuoteList(config.Cmd ?? [])}`;
    case "ENTRYPOINT":
      return `ENTRYPOINT ${goQuoteList(config.Entrypoint ?? [])}`;
    case "EXPOSE":
      return `EXPOSE [${exposedPorts(instruction, { name: "Dockerfile", text: "" }).join(" ")}]`;
    case "VOLUME":
      return `VOLUME [${instruction.paths.map((word) => word.text).join(" ")}]`;
    case "STOPSIGNAL":
      return `STOPSIGNAL ${instruction.signal.text}`;
    case "HEALTHCHECK":
      return `HEALTHCHECK ${healthcheckText(healthcheckOf(instruction))}`;
    case "SHELL":
      return `SHELL [${instruction.argv.join(" ")}]`;
    case "MAINTAINER":
      return `MAINTAINER ${instruction.name.text}`;
  }
}

function argumentText({ name, value }: Argument): string {
  return value === undefined || isProxy(name) ? name : `${name}=${withoutUrlSecrets(value)}`;
}

/** As Go prints the structure: `&{["CMD-SHELL" "true"] "30s" "0s" "0s" "0s" '\x03'}`. */
function healthcheckText(health: NonNullable<ContainerConfig["Healthcheck"]>): string {
  const durations = [health.Interval, health.Timeout, health.StartPeriod, health.StartInterval];
  return `&{${[
    goQuoteList(health.Test ?? []),
    ...durations.map((each) => goQuote(formatDuration(each ?? 0))),
    goQuoteNumber(health.Retries ?? 0),
  ].join(" ")}}`;
}
