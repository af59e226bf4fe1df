/** Whose certificates are trusted: those of this host, as every other registry client there does, and what is added to them. */
import { readFile } from "node:fs/promises";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import { WbuildError } from "../../native/error.ts";
import type { HostTls } from "../hosts/route.ts";

/** Where distributions keep their bundle: Debian and its kin, Fedora and its kin, SUSE, Alpine. */
const hostBundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/**
 * The host's authorities (or those of `$SSL_CERT_FILE` instead), those of `$NODE_EXTRA_CA_CERTS`, `more` (PEM), and those of one
 * host, whose client certificates are presented. Without a bundle, Node's own. Costs some 40 ms, so it is made once and only
 * for TLS. Throws REG_TLS for an unreadable file.
 */
export async function trust(
  more: string | undefined,
  host?: HostTls,
  env: NodeJS.ProcessEnv = process.env,
): Promise<SecureContext> {
  const roots = env.SSL_CERT_FILE ? [await named(env.SSL_CERT_FILE)] : ((await hostBundle()) ?? [...rootCertificates]);
  const extra = env.NODE_EXTRA_CA_CERTS ? [await named(env.NODE_EXTRA_CA_CERTS)] : [];
  // Both variables often name the host's own bundle, and each time it is read takes 20 ms.
  const ca = new Set([...roots, ...extra, ...(more === undefined ? [] : [more]), ...(host?.ca ?? [])]);
  try {
    return createSecureContext({
      ca: [...ca],
      ...(host && host.cert.length > 0 ? { cert: [...host.cert], key: [...host.key] } : {}),
    });
  } catch (cause) {
    throw new WbuildError(
      "REG_TLS",
      "the certificates cannot be read: a file of them is no PEM, or a key is not the certificate's",
      {
        hint: "look at SSL_CERT_FILE, NODE_EXTRA_CA_CERTS and the registry's folder in certs.d",
        cause,
      },
    );
  }
}

async function named(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new WbuildError("REG_TLS", `cannot read the certificates of authorities in ${path}`, {
      hint: "look at SSL_CERT_FILE and NODE_EXTRA_CA_CERTS",
      cause,
    });
  }
}

async function hostBundle(): Promise<string[] | undefined> {
  for (const path of hostBundles) {
    const text = await readFile(path, "utf8").catch(() => "");
    if (text.includes("BEGIN CERTIFICATE")) return [text];
  }
  return undefined;
}
