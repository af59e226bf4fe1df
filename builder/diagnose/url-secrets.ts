/**
 * What of URLs in any text lets its holder in: what stands before the @, and values of queries that are signatures, tokens or
 * keys, as signed URLs of S3, Google, Azure and CloudFront have them. Histories go with an image to whoever pulls it,
 * provenance is published, progress goes into logs.
 */

const login = /\b((?:https?|git):\/\/)([^\s/?#"']*)@/gi;
/** Of ssh the user is part of the address. */
const sshLogin = /\b(ssh:\/\/[^\s/?#"'@:]*):([^\s/?#"'@]*)@/gi;

/** A URL in a text, as far as one may reach. */
const url = /\bhttps?:\/\/[^\s"'<>`]+/gi;

/** Names of parameters, or the ends of such: `X-Amz-Signature`, `sig`, `private_token`, `AWSAccessKeyId`. */
const names = [
  ...[
    "signature",
    "sign",
    "sig",
    "secret",
    "password",
    "passwd",
    "pwd",
    "credentials?",
    "auth",
    "authorization",
    "jwt",
  ],
  ...["(?:access|auth|id|private|refresh|security|session)?token", "(?:api|access)?key", "key-pair-id"],
  ...["(?:aws|oss)?accesskeyid", "googleaccessid", "policy"],
];
/** A value that is a variable says nothing: `sig=$SIG` stays. */
const parameter = new RegExp(
  `([?&;](?:[^?&;=#\\s]*[^a-z?&;=#\\s])?(?:${names.join("|")})=)(?!\\$[\\w{])([^&;#\\s]+)`,
  "gi",
);

/** The text without logins in URLs, and with `xxxxx` in place of secret values, as Go's URL.Redacted writes it. */
export function withoutUrlSecrets(text: string): string {
  return withoutQuerySecrets(text.replace(login, "$1").replace(sshLogin, "$1@"));
}

/** Each secret as many `x` as it has characters: columns stay what they are. */
export function maskUrlSecrets(text: string): string {
  const mask = (secret: string) => "x".repeat(secret.length);
  const masked = text
    .replace(login, (_, scheme: string, secret: string) => `${scheme}${mask(secret)}@`)
    .replace(sshLogin, (_, user: string, secret: string) => `${user}:${mask(secret)}@`);
  return hideValues(masked, mask);
}

/** The text with `xxxxx` for secret values of queries; logins stay. */
export function withoutQuerySecrets(text: string): string {
  return hideValues(text, () => "xxxxx");
}

function hideValues(text: string, hide: (secret: string) => string): string {
  return text.replace(url, (found) => found.replace(parameter, (_, name: string, value: string) => name + hide(value)));
}
