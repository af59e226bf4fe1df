/** Puts stars where a secret stood, in everything that a face is told, also where a secret arrives in two pieces. */
import { withoutQuerySecrets } from "../diagnose/url-secrets.ts";
import type { BuildEvent, ProgressFace } from "./events.ts";

const stars = "******";

/** Replaces each secret in a text. Longer secrets first, so that one inside another leaves no tail. */
export function redactText(text: string, secrets: readonly string[]): string {
  let out = text;
  for (const secret of [...secrets].sort((a, b) => b.length - a.length))
    if (secret !== "") out = out.split(secret).join(stars);
  return out;
}

/** Passwords in words such as `https://user:password@host/path` and `user:password@host`: not of names with a digest. */
export function passwordsIn(words: readonly string[]): string[] {
  return words.flatMap((word) => {
    const found = /(?:^|[=/])[^\s:@/=]*:([^\s@/]{4,})@(?!sha256:)/.exec(word)?.[1];
    return found === undefined ? [] : [found];
  });
}

/** Takes user and password out of every URL of a text, and what signs it. */
export function redactUrls(text: string): string {
  return withoutQuerySecrets(text.replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']*:[^\s/@"']*@/gi, `$1${stars}@`));
}

/**
 * The face, but none of `values` reaches it: not in output, titles, labels, messages. A value is looked for without the white
 * space around it: files that hold a secret mostly end with a newline, which its printing may not have and which ends a line.
 * The list may grow: each target of a bake brings secrets of its own.
 */
export function redact(face: ProgressFace, values: readonly string[]): ProgressFace {
  let secrets: string[] = [];
  let seen = 0;
  const refresh = (): void => {
    if (values.length === seen) return;
    seen = values.length;
    secrets = [...new Set(values.map((value) => value.trim()))].filter((value) => value !== "");
  };
  const held = new Map<string, { readonly event: BuildEvent & { kind: "output" }; readonly text: string }>();

  function release(id: string): void {
    for (const stream of ["stdout", "stderr"]) {
      const rest = held.get(`${stream} ${id}`);
      held.delete(`${stream} ${id}`);
      if (rest) face.report({ ...rest.event, text: redactText(rest.text, secrets) });
    }
  }
  return {
    report(event) {
      refresh();
      if (secrets.length === 0) return face.report(event);
      if (event.kind !== "output") {
        if (event.kind === "done" || event.kind === "failed" || event.kind === "canceled") release(event.id);
        face.report(redactEvent(event, secrets));
        return;
      }
      const key = `${event.stream} ${event.id}`;
      const text = redactText((held.get(key)?.text ?? "") + event.text, secrets);
      const keep = startOfSecret(text, secrets);
      if (keep > 0) held.set(key, { event, text: text.slice(text.length - keep) });
      else held.delete(key);
      if (keep < text.length) face.report({ ...event, text: text.slice(0, text.length - keep) });
    },
    close() {
      for (const { event } of [...held.values()]) release(event.id);
      face.close();
    },
  };
}

/** How many characters at the end of the text may be the beginning of a secret. */
function startOfSecret(text: string, secrets: readonly string[]): number {
  let longest = 0;
  for (const secret of secrets)
    for (let length = Math.min(secret.length - 1, text.length); length > longest; length--)
      if (text.endsWith(secret.slice(0, length))) longest = length;
  return longest;
}

/** Names and words of our own stay as they are: a secret that is called "done" must not spoil the stream. */
const ours = new Set(["kind", "id", "stream", "unit"]);

function redactEvent(event: BuildEvent, secrets: readonly string[]): BuildEvent {
  return JSON.parse(JSON.stringify(event), (key, value: unknown) =>
    typeof value === "string" && !ours.has(key) ? redactText(value, secrets) : value,
  ) as BuildEvent;
}
