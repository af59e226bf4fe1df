/** `--build-context NAME=VALUE`: what FROM, --from and mounts find under a name in place of a stage or image. */
import { statSync } from "node:fs";
import type { Store } from "../../layerfs/store/store.ts";
import { WbuildError } from "../../native/error.ts";
import { formatReference, parseReference } from "../../registry/reference.ts";
import { findIgnoreFile } from "../dockerfile/ignore.ts";
import { openFolder } from "./folder/folder.ts";
import { parseGitUrl } from "./git/url.ts";
import { shownUrl } from "./http-fetch.ts";
import { parseHttpUrl, type RemoteSources } from "./remote-sources.ts";

export interface NamedContext {
  readonly name: string;
  /** As typed. */
  readonly value: string;
}

/** What a name stands for. */
export type Named =
  | { readonly kind: "image"; readonly reference: string }
  /** An OCI layout on this host, and which of its images: a tag, a digest, or the only one. */
  | { readonly kind: "layout"; readonly path: string; readonly image?: string }
  /** Files without a config: a label of RemoteSources, and what people call it. */
  | { readonly kind: "files"; readonly label: string; readonly title: string };

/**
 * Gives the look-up. Names are compared as references (`x` is `docker.io/library/x:latest`), the last one given counts.
 * Throws CTX_NAMED, CTX_GIT_URL, and REG_REFERENCE for a name that can be none.
 */
export function namedContexts(
  contexts: readonly NamedContext[],
  remote: RemoteSources,
  store: Store,
): (name: string) => Named | undefined {
  const known = new Map(contexts.map((one) => [normal(one.name), meant(one, remote, store)]));
  if (known.size === 0) return () => undefined;
  return (name) => {
    try {
      return known.get(normal(name));
    } catch {
      // Names of stages need not be such that an image could have them.
      return undefined;
    }
  };
}

function normal(name: string): string {
  return formatReference(parseReference(name));
}

function meant({ name, value }: NamedContext, remote: RemoteSources, store: Store): Named {
  const after = (prefix: string) => (value.startsWith(prefix) ? value.slice(prefix.length) : undefined);
  const image = after("docker-image://");
  if (image !== undefined) return { kind: "image", reference: image };
  const layout = after("oci-layout://");
  if (layout !== undefined) return { kind: "layout", ...layoutOf(layout) };
  if (value.startsWith("target:")) {
    throw new WbuildError("CTX_NAMED", `${JSON.stringify(name)} cannot be a target: one build knows no others`, {
      facts: { name, kind: "target" },
      hint: "stages of the same Dockerfile are known by their names; targets of several files belong into `wbuild bake`",
    });
  }
  const git = parseGitUrl(value);
  if (git) {
    const label = remote.git(git, { keepGitDir: git.keepGitDir === true });
    return { kind: "files", label, title: git.shown };
  }
  const url = parseHttpUrl(value);
  if (url) return { kind: "files", label: remote.tar(url), title: shownUrl(url) };
  const scheme = /^([a-z][a-z0-9+-]*):\/\//i.exec(value)?.[1];
  if (scheme !== undefined || value.startsWith("input:")) {
    throw new WbuildError(
      "CTX_NAMED",
      `${scheme ?? "input"} is no kind of context that ${JSON.stringify(name)} can be`,
      {
        facts: { name, kind: scheme ?? "input" },
        hint: "write a folder, a URL, docker-image://REFERENCE or oci-layout://PATH:TAG",
      },
    );
  }
  if (statSync(value, { throwIfNoEntry: false })?.isDirectory() || /^(\.{1,2}|~)?\/|^\.{1,2}$/.test(value)) {
    const open = async () => openFolder(value, await findIgnoreFile(value), store.facts);
    // The name alone: what another machine calls the folder is no part of a key.
    return { kind: "files", label: remote.folder(`folder ${name}`, open), title: value };
  }
  return { kind: "image", reference: value };
}

/** `path`, `path:tag`, `path@sha256:…`. */
function layoutOf(text: string): { path: string; image?: string } {
  const found = /^(.+)(?:@(sha256:[0-9a-f]{64})|:([A-Za-z0-9_][\w.-]{0,127}))$/.exec(text);
  const image = found?.[2] ?? found?.[3];
  return found?.[1] !== undefined && image !== undefined ? { path: found[1], image } : { path: text };
}
