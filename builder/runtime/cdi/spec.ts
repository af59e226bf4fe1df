/** Files of the Container Device Interface (CDI 1.1, "CDI JSON Specification") → devices and what each changes of a container. */
import * as v from "valibot";
import { WbuildError } from "../../../native/error.ts";

const path = v.pipe(v.string(), v.regex(/^\/[^\0]*$/));

/** fileMode, uid, gid and permissions of a node are the host's own here: it is bound, not made. */
const editsShape = v.object({
  env: v.optional(v.array(v.pipe(v.string(), v.regex(/^[^=\0]+=[^\0]*$/))), []),
  deviceNodes: v.optional(v.array(v.object({ path, hostPath: v.optional(path) })), []),
  mounts: v.optional(
    v.array(
      v.object({
        hostPath: v.string(),
        containerPath: path,
        type: v.optional(v.string()),
        options: v.optional(v.array(v.string()), []),
      }),
    ),
    [],
  ),
  hooks: v.optional(v.array(v.unknown()), []),
  additionalGids: v.optional(v.array(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 2))), []),
});

const annotations = v.optional(v.record(v.string(), v.string()), {});
const noEdits: v.InferOutput<typeof editsShape> = {
  env: [],
  deviceNodes: [],
  mounts: [],
  hooks: [],
  additionalGids: [],
};

const specShape = v.object({
  cdiVersion: v.pipe(v.string(), v.regex(/^[01]\.\d+\.\d+$/)),
  kind: v.pipe(v.string(), v.regex(/^[A-Za-z][A-Za-z0-9._-]*\/[A-Za-z0-9][A-Za-z0-9_-]*$/)),
  annotations,
  devices: v.array(
    v.object({
      name: v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9_.:-]*$/)),
      annotations,
      containerEdits: v.optional(editsShape, noEdits),
    }),
  ),
  containerEdits: v.optional(editsShape, noEdits),
});

export type DeviceEdits = v.InferOutput<typeof editsShape>;

export interface CdiDevice {
  /** `vendor.com/class=name`. */
  readonly name: string;
  readonly kind: string;
  /** By which BuildKit finds devices of any vendor. */
  readonly class?: string;
  /** Its own, and those of all devices of its file. */
  readonly edits: readonly DeviceEdits[];
}

const classKey = "org.mobyproject.buildkit.device.class";

/** `file` is for errors. Throws STEP_DEVICE. */
export async function readCdiSpec(text: string, file: string): Promise<CdiDevice[]> {
  const refuse = (why: string) =>
    new WbuildError("STEP_DEVICE", `${file} is no specification of devices: ${why}`, { facts: { path: file } });
  let value: unknown;
  try {
    value = text.trimStart().startsWith("{")
      ? JSON.parse(text)
      : (await import("yaml")).parse(text, { maxAliasCount: 20, logLevel: "error" });
  } catch (error) {
    throw refuse((error as Error).message.split("\n")[0] ?? "");
  }
  const parsed = v.safeParse(specShape, value);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw refuse(`${v.getDotPath(issue) ?? "it"}: ${issue.message.split("\n")[0]}`);
  }
  const { kind, devices, containerEdits, annotations: common } = parsed.output;
  return devices.map(({ name, containerEdits: own, annotations: more }) => {
    const className = more[classKey] ?? common[classKey];
    return {
      name: `${kind}=${name}`,
      kind,
      ...(className === undefined ? {} : { class: className }),
      edits: [own, containerEdits],
    };
  });
}
