/** What the caller of a build may grant to its steps beyond the sandbox. */

export interface Entitlements {
  readonly networkHost?: boolean;
  readonly insecure?: boolean;
  /** true: every device; else these, by name or class as the Container Device Interface writes them. */
  readonly devices?: true | readonly string[];
}
