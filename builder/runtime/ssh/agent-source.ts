/** Who answers a step's ssh: an agent that runs on this host, or private keys in files. */

export type AgentSource =
  /** Path of the agent's socket, as $SSH_AUTH_SOCK names it. */
  | { readonly kind: "socket"; readonly path: string }
  /** Paths of private keys without a passphrase. */
  | { readonly kind: "keys"; readonly paths: readonly string[] };
