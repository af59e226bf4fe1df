/** Checks a Dockerfile as tests write it: every rule, all stages, no registry. */
import { type CheckOptions, checkDockerfile } from "../../../builder/checks/check.ts";
import type { Finding } from "../../../builder/checks/rule.ts";
import { parseSettings } from "../../../builder/checks/settings.ts";
import type { BaseFacts } from "../../../builder/checks/walk.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";

export const platform = { os: "linux", architecture: "amd64" };

const bases: Readonly<Record<string, BaseFacts>> = {
  app: { platform, env: ["HOME=/h"], hasShell: false, triggers: ["ARG FROM_BASE=1", "WORKDIR /srv"] },
  shell: { platform, env: [], hasShell: true, triggers: [] },
  arm: { platform: { os: "linux", architecture: "arm64" }, env: [], hasShell: false, triggers: [] },
  win: { platform: { os: "windows", architecture: "amd64" }, env: ["Path=C:\\x"], hasShell: false, triggers: [] },
};

export async function look(
  text: string,
  more: Partial<CheckOptions> & { readonly buildArgs?: Readonly<Record<string, string>>; readonly check?: string } = {},
): Promise<Finding[]> {
  const source = { name: "Dockerfile", text };
  const dockerfile = parseDockerfile(source);
  const start = { line: 1, column: 1 };
  const { buildArgs = {}, check = "experimental=all", ...options } = more;
  return checkDockerfile(dockerfile, {
    settings: parseSettings(check, { span: { start, end: start }, source }),
    scope: { buildArgs, buildPlatform: platform, targetPlatform: platform },
    stages: dockerfile.stages,
    isPlatformChosen: true,
    baseOf: async (image) => bases[image],
    ...options,
  });
}

/** `Rule first-last` for each finding. */
export function brief(findings: readonly Finding[]): string[] {
  return findings.map(({ rule, span: { start, end } }) =>
    start.line === end.line ? `${rule} ${start.line}` : `${rule} ${start.line}-${end.line}`,
  );
}
