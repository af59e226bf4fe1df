/**
 * The one place where foreign JSON becomes the types of image.ts: manifest, index, configuration, descriptor.
 * Sizes, counts and depth are bounded; fields that are not known here are tolerated and stay in the stored bytes.
 */
import * as v from "valibot";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { type Digest, isDigest } from "../../layerfs/store/digest.ts";
import { type ErrorCode, WbuildError } from "../../native/error.ts";
import { type ImageConfig, type Index, type Manifest, mediaTypes } from "./image.ts";

/** Bytes. Registries refuse larger manifests themselves (distribution specification, "Pushing Manifests"). */
export const maxManifestBytes = 4 * 1024 * 1024;
/** Bytes. A configuration with a long history and many labels stays far below this. */
export const maxConfigBytes = 8 * 1024 * 1024;
const maxJsonDepth = 64;
const maxLayers = 4096;
const maxChildren = 10_000;

const text = v.pipe(v.string(), v.maxLength(1024 * 1024));
const mediaType = v.pipe(v.string(), v.minLength(1), v.maxLength(255));
const digest = v.custom<Digest>((value) => typeof value === "string" && isDigest(value), "expected a sha256 digest");
const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const annotations = v.record(v.string(), text);
/** What becomes a C string in a container. */
const word = v.pipe(
  text,
  v.check((value) => !value.includes("\0"), "a NUL character"),
);
const strings = v.pipe(v.array(word), v.maxLength(100_000));
const set = v.record(v.string(), v.looseObject({}));

const platformSchema = v.looseObject({
  os: text,
  architecture: text,
  variant: v.exactOptional(text),
  "os.version": v.exactOptional(text),
  "os.features": v.exactOptional(strings),
});

const descriptorSchema = v.looseObject({
  mediaType,
  digest,
  size,
  annotations: v.exactOptional(annotations),
  urls: v.exactOptional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(8192))), v.maxLength(64))),
  platform: v.exactOptional(platformSchema),
  artifactType: v.exactOptional(text),
});

const manifestSchema = v.looseObject({
  schemaVersion: v.literal(2),
  mediaType: v.exactOptional(mediaType),
  artifactType: v.exactOptional(text),
  config: descriptorSchema,
  // Go writes an empty list as null, which is dropped before it gets here.
  layers: v.optional(v.pipe(v.array(descriptorSchema), v.maxLength(maxLayers)), []),
  annotations: v.exactOptional(annotations),
});

const indexSchema = v.looseObject({
  schemaVersion: v.literal(2),
  mediaType: v.exactOptional(mediaType),
  manifests: v.optional(v.pipe(v.array(descriptorSchema), v.maxLength(maxChildren)), []),
  annotations: v.exactOptional(annotations),
});

const historySchema = v.looseObject({
  created: v.exactOptional(text),
  created_by: v.exactOptional(text),
  author: v.exactOptional(text),
  comment: v.exactOptional(text),
  empty_layer: v.exactOptional(v.boolean()),
});

const containerSchema = v.looseObject({
  User: v.exactOptional(word),
  ExposedPorts: v.exactOptional(set),
  Env: v.exactOptional(strings),
  Entrypoint: v.exactOptional(strings),
  Cmd: v.exactOptional(strings),
  Volumes: v.exactOptional(set),
  WorkingDir: v.exactOptional(word),
  Labels: v.exactOptional(annotations),
  StopSignal: v.exactOptional(text),
  ArgsEscaped: v.exactOptional(v.boolean()),
  OnBuild: v.exactOptional(strings),
  Shell: v.exactOptional(strings),
  Healthcheck: v.exactOptional(
    v.looseObject({
      Test: v.exactOptional(strings),
      Interval: v.exactOptional(v.number()),
      Timeout: v.exactOptional(v.number()),
      StartPeriod: v.exactOptional(v.number()),
      StartInterval: v.exactOptional(v.number()),
      Retries: v.exactOptional(v.number()),
    }),
  ),
});

const configSchema = v.looseObject({
  os: v.pipe(text, v.minLength(1)),
  architecture: v.pipe(text, v.minLength(1)),
  variant: v.exactOptional(text),
  "os.version": v.exactOptional(text),
  "os.features": v.exactOptional(strings),
  created: v.exactOptional(text),
  author: v.exactOptional(text),
  config: v.exactOptional(containerSchema),
  rootfs: v.looseObject({
    type: v.optional(v.literal("layers"), "layers"),
    diff_ids: v.optional(v.pipe(v.array(digest), v.maxLength(maxLayers)), []),
  }),
  history: v.exactOptional(v.pipe(v.array(historySchema), v.maxLength(100_000))),
});

/** True for a list of manifests (OCI index, Docker manifest list). */
export function isIndexType(type: string): boolean {
  return type === mediaTypes.ociIndex || type === mediaTypes.dockerIndex;
}

/** True for the manifest of one image. */
export function isManifestType(type: string): boolean {
  return type === mediaTypes.ociManifest || type === mediaTypes.dockerManifest;
}

/**
 * A manifest of one image. `type` is how it was named (descriptor, Content-Type); its own `mediaType` must agree.
 * Throws REG_MANIFEST. OCI image specification, "Image Manifest".
 */
export function parseManifest(bytes: Uint8Array, type: string): Manifest {
  const json = parseJson(bytes, maxManifestBytes, "REG_MANIFEST", "image manifest");
  return {
    ...check(manifestSchema, typed(json, type, "manifests"), "REG_MANIFEST", "image manifest"),
    mediaType: type,
  };
}

/** A list of manifests. Throws REG_MANIFEST. OCI image specification, "Image Index". */
export function parseIndex(bytes: Uint8Array, type: string): Index {
  const json = parseJson(bytes, maxManifestBytes, "REG_MANIFEST", "image index");
  return { ...check(indexSchema, typed(json, type, "layers"), "REG_MANIFEST", "image index"), mediaType: type };
}

/** An image configuration. Throws REG_CONFIG. OCI image specification, "Image Configuration". */
export function parseConfig(bytes: Uint8Array): ImageConfig {
  const json = parseJson(bytes, maxConfigBytes, "REG_CONFIG", "image configuration");
  return check(configSchema, json, "REG_CONFIG", "image configuration");
}

/** One descriptor that is already JSON. Throws REG_MANIFEST. */
export function parseDescriptor(json: unknown): Descriptor {
  return check(descriptorSchema, json, "REG_MANIFEST", "descriptor");
}

/** What a manifest without a trustworthy name is: its own word, else its shape. Throws REG_MANIFEST. */
export function mediaTypeOf(bytes: Uint8Array): string {
  const json = parseJson(bytes, maxManifestBytes, "REG_MANIFEST", "manifest");
  const { schemaVersion, mediaType: own } = json as { schemaVersion?: unknown; mediaType?: unknown };
  if (schemaVersion === 1) throw schemaOne();
  if (typeof own === "string" && own !== "") return own.slice(0, 255);
  return "manifests" in json ? mediaTypes.ociIndex : mediaTypes.ociManifest;
}

/** The answer to images of the registry protocol's first days, which no current tool can pull either. */
export function schemaOne(): WbuildError {
  return new WbuildError("REG_MANIFEST", "the image has a manifest of Docker's schema 1, which is not supported", {
    hint: "push it again with a current tool",
  });
}

/**
 * Bounded JSON whose top is an object; null members are dropped, as they mean "not there" in Go's writers.
 * Throws `code`; the parser's own message is not passed on, it would quote foreign bytes.
 */
export function parseJson(bytes: Uint8Array, limit: number, code: ErrorCode, what: string): object {
  if (bytes.length > limit)
    throw new WbuildError(code, `${what} has ${bytes.length} bytes, more than the ${limit} that are accepted`, {
      facts: { size: bytes.length, limit },
    });
  checkDepth(bytes, code, what);
  let json: unknown;
  try {
    const decoded = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    json = JSON.parse(decoded, (_key, value) => (value === null ? undefined : value));
  } catch {
    throw new WbuildError(code, `${what} is not valid JSON`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new WbuildError(code, `${what} is not a JSON object`);
  return json;
}

/** Attack: `[[[[…` of some megabytes exhausts the stack of whoever walks the result. Brackets in strings do not count. */
function checkDepth(bytes: Uint8Array, code: ErrorCode, what: string): void {
  let depth = 0;
  let isString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (isString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) isString = false;
    } else if (byte === 0x22) isString = true;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > maxJsonDepth)
        throw new WbuildError(code, `${what} is nested more than ${maxJsonDepth} levels deep`);
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
}

/**
 * Attack: one document that is a manifest to one reader and an index to another (CVE-2021-41190) passes a check as the
 * first and runs as the second. So the name it came under, its own name and its members must all tell the same.
 */
function typed(json: object, type: string, foreign: "manifests" | "layers"): object {
  const own = (json as { mediaType?: unknown }).mediaType;
  if ((json as { schemaVersion?: unknown }).schemaVersion === 1) throw schemaOne();
  if (own !== undefined && own !== type)
    throw new WbuildError(
      "REG_MANIFEST",
      `document named ${type} says that it is ${JSON.stringify(own).slice(0, 200)}`,
    );
  if (foreign in json || (foreign === "layers" && "config" in json))
    throw new WbuildError("REG_MANIFEST", `document named ${type} has the members of another kind ("${foreign}")`);
  return json;
}

function check<T extends v.GenericSchema>(schema: T, json: unknown, code: ErrorCode, what: string): v.InferOutput<T> {
  const result = v.safeParse(schema, json, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const path = v.getDotPath(issue) ?? "";
  throw new WbuildError(
    code,
    `${what} is malformed${path === "" ? "" : ` at ${path.slice(0, 100)}`}: expected ${issue.expected?.slice(0, 100) ?? "another value"}`,
    {
      facts: { path: path.slice(0, 200) },
    },
  );
}
