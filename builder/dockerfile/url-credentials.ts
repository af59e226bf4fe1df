/** URLs in a Dockerfile's text, without the credentials that somebody wrote into them. */

/**
 * The text without what stands before the @ of http(s) and git URLs, and without the password of ssh URLs. A history
 * goes with the image to whoever pulls it, and progress into logs.
 */
export function withoutCredentials(text: string): string {
  return text
    .replace(/\b((?:https?|git):\/\/)[^\s/?#"']*@/gi, "$1")
    .replace(/\b(ssh:\/\/[^\s/?#"'@:]*):[^\s/?#"'@]*@/gi, "$1@");
}
