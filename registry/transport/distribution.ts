/**
 * oci-registry-client's calls over our transport: it knows the protocol's paths, headers and answers; TLS, proxies,
 * authentication, repetition, limits and secrets stay with Session. Its own network code is never reached.
 */
import { RegistryClientV2 } from "oci-registry-client";
import { DockerResponse } from "oci-registry-client/build/docker-json-client.js";
import { WbuildError } from "../../native/error.ts";
import { mediaTypes } from "../oci/image.ts";
import { maxManifestBytes, schemaOne } from "../oci/schema.ts";
import type { Operation } from "./complaint.ts";
import type { Ask, Session } from "./session.ts";
import { askWhole, type WholeAnswer } from "./whole.ts";

/** What the library hands to its transport. */
interface LibraryRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Iterable<[string, string]>;
  readonly body?: Uint8Array;
  readonly expectStatus?: readonly number[];
}

export interface Call {
  readonly session: Session;
  readonly repository: string;
  readonly scopes: readonly string[];
  readonly operation: Omit<Operation, "registry">;
}

/** The library's answers without node-fetch's types, which it does not bring along. */
interface LibraryResponse {
  readonly headers: { get(name: string): string | null };
  decodedBody?: Uint8Array;
}
const LibraryResponse = DockerResponse as unknown as new (
  body: undefined,
  init: { status: number; headers: Readonly<Record<string, string>> },
) => LibraryResponse;

export interface ManifestAnswer {
  /** As they came. */
  readonly bytes: Uint8Array;
  readonly contentType: string;
  /** Docker-Content-Digest, unchecked; empty when the registry does not tell. */
  readonly digest: string;
}

/** What is asked for: every kind that we know, and whatever else lies there; what we do not know is carried all the same. */
export const acceptManifests = [
  mediaTypes.ociManifest,
  mediaTypes.ociIndex,
  mediaTypes.dockerManifest,
  mediaTypes.dockerIndex,
  "*/*;q=0.5",
].join(", ");

/** A manifest and what was said about it. Throws what Session.send throws, REG_MANIFEST. */
export async function getManifest(call: Call, name: string): Promise<ManifestAnswer> {
  try {
    const { resp } = await clientFor(call).getManifest({ ref: name });
    const headers = (resp as unknown as LibraryResponse).headers;
    return {
      bytes: await resp.dockerBody(),
      contentType: headers.get("content-type") ?? "",
      digest: headers.get("docker-content-digest") ?? "",
    };
  } catch (error) {
    if (error instanceof WbuildError) throw error;
    if (error instanceof Error && error.message.startsWith("schemaVersion 1")) throw schemaOne();
    // The library's own complaint is about JSON that is none; its words would quote the answer.
    throw new WbuildError("REG_MANIFEST", `manifest ${name} of ${placeOf(call)} is not valid JSON`);
  }
}

/**
 * Stores a manifest under a tag or digest; says which digest the registry gave it and whose referrer it took it for (the
 * header OCI-Subject), when it tells.
 */
export async function putManifest(
  call: Call,
  name: string,
  bytes: Uint8Array,
  mediaType: string,
): Promise<{ digest: string | null; subject: string | null }> {
  let subject: string | null = null;
  const client = clientFor(call, (headers) => {
    subject = headers["oci-subject"] ?? null;
  });
  const { digest } = await client.putManifest({ manifestData: bytes, ref: name, mediaType });
  return { digest, subject };
}

type Listen = (headers: WholeAnswer["headers"]) => void;

/** The library's client for one call; `listen` hears the headers that it leaves out. */
function clientFor(call: Call, listen?: Listen): RegistryClientV2 {
  const { session, repository } = call;
  const client = new RegistryClientV2({
    repo: {
      // Only paths are built from this; where they lead to is the session's business.
      index: { name: session.registry, official: false, scheme: "https" },
      official: false,
      remoteName: repository,
      localName: repository,
      canonicalName: repository,
    },
    acceptManifestLists: true,
    acceptOCIManifests: true,
  });
  // The session answers challenges. The library's own login prints token answers on stderr, so it must never run.
  client.login = async () => {};
  client.performLogin = async () => ({ type: "None" });
  Object.defineProperty(client, "_api", {
    value: { request: (request: LibraryRequest) => perform(call, request, listen) },
  });
  return client;
}

async function perform(call: Call, request: LibraryRequest, listen?: Listen): Promise<LibraryResponse> {
  const headers: Record<string, string> = {};
  for (const [name, value] of request.headers ?? []) headers[name.toLowerCase()] = value;
  if (request.method === "GET") headers.accept = acceptManifests;
  const ask: Omit<Ask, "isIdempotent"> = {
    method: request.method as Ask["method"],
    path: request.path,
    operation: call.operation,
    scopes: call.scopes,
    headers: { ...headers, ...(request.body ? { "content-length": String(request.body.length) } : {}) },
    ...(request.body ? { body: request.body } : {}),
  };
  const response = await askWhole(call.session, ask, maxManifestBytes);
  const { body } = response;
  if (!body)
    throw new WbuildError(
      "REG_MANIFEST",
      `cannot ${call.operation.doing}: the answer of ${placeOf(call)} has more than ${maxManifestBytes} bytes`,
      { facts: { registry: call.session.registry, repository: call.repository, limit: maxManifestBytes } },
    );
  listen?.(response.headers);
  const answer = new LibraryResponse(undefined, { status: response.status, headers: response.headers });
  // Handing the bytes over as already read keeps them as they came; digests are taken from them.
  answer.decodedBody = body;
  return answer;
}

function placeOf({ session: { registry }, repository }: Call): string {
  return `${registry}/${repository}`;
}
