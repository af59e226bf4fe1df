/** WorkdirRelativePath and CopyIgnoredFile: paths that depend on what this file does not decide. */
import { posix } from "node:path";
import type { IgnoreFile } from "../dockerfile/ignore.ts";
import type { Finding } from "./rule.ts";
import type { Moment } from "./walk.ts";

/** Only the first WORKDIR counts: with that one absolute the others are fixed too. */
export function checkWorkdir({ raw, step, before }: Moment): Finding[] {
  if (step.kind !== "WORKDIR" || before.hasWorkdir || isAbsolute(step.path.text, before.platform.os)) return [];
  const message = `${step.path.text} is relative: where it leads depends on the base image`;
  return [{ rule: "WorkdirRelativePath", message, span: raw.span }];
}

function isAbsolute(path: string, os: string): boolean {
  return path.startsWith("/") || (os === "windows" && /^(?:[a-z]:[\\/]|\\)/i.test(path));
}

export function checkIgnored({ raw, step }: Moment, ignore: IgnoreFile | undefined): Finding[] {
  if ((step.kind !== "COPY" && step.kind !== "ADD") || ignore === undefined || step.from !== undefined) return [];
  return step.sources.flatMap(({ text, span }): Finding[] => {
    if (/^(?:[a-z+]+:\/\/|git@)/i.test(text) || text.startsWith("<<")) return [];
    const path = posix.normalize(`/${text.replaceAll("\\", "/")}`).replace(/^\/+|\/+$/g, "");
    const hidden = ignore.which(path);
    // A folder of which an exception brings something back is there.
    if (hidden === undefined || ignore.decide(path, true) === "drop") return [];
    const message = `${text} is left out of the context by line ${hidden.line} of ${ignore.name}`;
    return [{ rule: "CopyIgnoredFile", message, span: raw.span, point: span }];
  });
}
