/** Plans of Dockerfiles, on bases that are a configuration and one layer's digest. */
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";
import type { BuildGraph } from "../../../builder/graph/graph.ts";
import { planBuild } from "../../../builder/graph/plan.ts";
import type { PlanOptions } from "../../../builder/graph/plan-world.ts";
import type { BaseImage } from "../../../builder/image/stored/base-image.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import type { ContainerConfig } from "../../../registry/oci/image.ts";

const linux = { os: "linux", architecture: "amd64" };
export const windows = {
  os: "windows",
  architecture: "amd64",
  "os.version": "10.0.20348.2700",
  "os.features": ["win32k"],
};

/** Of Windows where the name begins so. */
export function baseImage(name: string, config: ContainerConfig): BaseImage {
  const diffId = digestOf(name);
  const blob = { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: diffId, size: 1 };
  const platform = name.startsWith("win") ? windows : linux;
  return {
    reference: `registry.test/${name}:latest`,
    layers: [{ blob, diffId }],
    config: { ...platform, config, rootfs: { type: "layers", diff_ids: [diffId] } },
  };
}

const bases: Record<string, ContainerConfig> = {
  busy: { Env: ["PATH=/bin"], Cmd: ["sh"] },
  win: { Env: ["Path=C:\\x"], User: "ContainerAdministrator", WorkingDir: "C:\\" },
  app: { Env: ["PATH=/bin", "HOME=/h"], WorkingDir: "/srv", User: "app", OnBuild: ["COPY . /src", "RUN make"] },
  child: { OnBuild: ["COPY --from=tools /t /t", "RUN --mount=from=tools,target=/m <<EOF cat\nx\nEOF"] },
  broken: { OnBuild: ["ENV A=b", "COPY --from=tools --chown=${A /a /b"] },
};

/** Undefined where there is no such base. */
export function baseOf(name: string): BaseImage | undefined {
  const config = bases[name];
  return config && baseImage(name, config);
}

export interface Planned {
  readonly graph: BuildGraph;
  /** Bases that were looked up. */
  readonly asked: string[];
  readonly warnings: string[];
}

/** The plan of a Dockerfile's lines; its bases are `busy`, `win`, and three with triggers: `app`, `child`, `broken`. */
export async function plan(lines: readonly string[], more: Partial<PlanOptions> = {}): Promise<Planned> {
  const asked: string[] = [];
  const warnings: string[] = [];
  const graph = await planBuild(parseDockerfile({ name: "Dockerfile", text: lines.join("\n") }), {
    buildArgs: {},
    labels: {},
    buildPlatform: linux,
    targetPlatform: linux,
    network: "default",
    extraHosts: [],
    findBase: async (name) => {
      asked.push(name);
      const base = baseOf(name);
      if (!base) throw new Error(`no base ${name}`);
      return base;
    },
    warn: (text) => warnings.push(text),
    ...more,
  });
  return { graph, asked, warnings };
}
