/** Keeps secrets out of messages: everything that a registry, proxy or library says passes here before a person sees it. */

const patterns: readonly (readonly [RegExp, string])[] = [
  [/(\bhttps?:\/\/)[^\s/@"']*@/gi, "$1"],
  [/\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]{6,}/gi, "$1$2…"],
  [
    /("?(?:access_token|refresh_token|id_token|token|password|secret|auth|authorization)"?\s*[:=]\s*)"[^"]*"/gi,
    '$1"…"',
  ],
  [/\b((?:access_|refresh_|id_)token=)[^&\s"']+/gi, "$1…"],
  // A JSON web token: three base64url parts, the first of which starts with {"
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g, "…"],
];

/** One a client: it learns the secrets that the client handles. */
export class Redactor {
  readonly #secrets = new Set<string>();

  /** From now on this text, as it is, in base64 and in a URL, never leaves. Very short ones would only garble words. */
  learn(secret: string | undefined): void {
    if (secret === undefined || secret.length < 4) return;
    this.#secrets.add(secret);
    this.#secrets.add(encodeURIComponent(secret));
    this.#secrets.add(Buffer.from(secret).toString("base64"));
  }

  /** The text without secrets and control characters (which could rewrite a terminal), at most `limit` characters. */
  clean(text: string, limit = 300): string {
    let result = text;
    // The longest first, so that a secret inside another does not leave the rest of it.
    for (const secret of [...this.#secrets].sort((a, b) => b.length - a.length))
      result = result.replaceAll(secret, "…");
    // Query strings carry signatures of redirects and the state of uploads. Attack: thousands of `http://` in a row, with
    // each of which a pattern would begin anew; so addresses without a query are passed over whole, too.
    result = result.replace(/(\bhttps?:\/\/[^\s?#"']+)(\?[^\s"')]*)?/gi, (_, address: string, query?: string) =>
      query === undefined ? address : `${address}?…`,
    );
    for (const [pattern, replacement] of patterns) result = result.replace(pattern, replacement);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
    result = result.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+/g, " ").trim();
    return result.length > limit ? `${result.slice(0, limit)}…` : result;
  }
}
