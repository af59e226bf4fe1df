/** Where a repository is asked for, in which order, and how each place is spoken to: what the readers of files here agree on. */

/** Certificates for one place. PEM; `skipVerify` takes any certificate of the other side. */
export interface HostTls {
  readonly ca: readonly string[];
  /** Pairs, in the same order. */
  readonly cert: readonly string[];
  readonly key: readonly string[];
  readonly skipVerify: boolean;
}

/** One place that can answer for a repository. */
export interface Route {
  /** `host[:port]` as in references. */
  readonly host: string;
  /** Undefined: TLS, and on loopback whatever the place speaks. */
  readonly scheme?: "http" | "https";
  /** Path before the repository, without a slash at its end; `/v2` but for `override_path`. */
  readonly root: string;
  /** The repository's name there. */
  readonly repository: string;
  /** Certificates are not checked, and http will do where there is no TLS. */
  readonly isInsecure: boolean;
  /** Beside those of certs.d. */
  readonly tls?: HostTls;
  readonly headers: Readonly<Record<string, string>>;
  /** The registry that a mirror is to answer for, sent as `?ns=`. */
  readonly namespace?: string;
  readonly isMirror: boolean;
  /** Which manifests it is asked for. */
  readonly serves: { readonly tags: boolean; readonly digests: boolean };
}

export interface Routes {
  /** In the order of asking; the registry itself comes last. */
  readonly pull: readonly Route[];
  /** Undefined: nothing takes a push. */
  readonly push: Route | undefined;
  /** The file that says so. */
  readonly file: string | undefined;
  /** Set when the file forbids this registry. */
  readonly isBlocked: boolean;
}

/** The registry itself, as its name says. */
export function directRoute(host: string, repository: string, isInsecure = false): Route {
  const serves = { tags: true, digests: true };
  return { host, root: "/v2", repository, isInsecure, headers: {}, isMirror: false, serves };
}

/** Routes of somebody who pushes: what is there already is asked where the push goes. */
export function targetOnly(routes: Routes): Routes {
  return { ...routes, pull: routes.push ? [{ ...routes.push, serves: { tags: true, digests: true } }] : [] };
}

const hostPattern = /^(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?$/;

/** May this text be the host of a URL and the name of a folder? */
export function isHost(text: string): boolean {
  return text.length <= 255 && hostPattern.test(text) && !text.includes("..");
}

/** May this text stand between `/v2/` and `/manifests/`? */
export function isPath(text: string): boolean {
  return /^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/.test(text) && !/\.\.|\/[._/-]|[.-]\//.test(text);
}
