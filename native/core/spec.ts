/** SandboxSpec: all that the launcher must know of one container, as plain data. Paths are absolute host paths unless said otherwise. */

export interface Mount {
  /**
   * `overlay`: the source's files, with what the process writes kept in memory and forgotten. `layers`: a file or folder
   * inside stacked layers. `file`: bytes of ours, kept in memory only; can be executed when its mode says so. `device`: a
   * bind of a device node, which can be opened; nodes in all other mounts cannot.
   */
  readonly kind: "bind" | "tmpfs" | "overlay" | "layers" | "file" | "device";
  /** Host path of a bind, a device or an overlay; of layers the path inside them, whose links are followed there. */
  readonly source?: string;
  /** Path inside the container; created when missing. */
  readonly target: string;
  readonly readonly: boolean;
  /** tmpfs: bytes. */
  readonly sizeBytes?: number;
  /** tmpfs, usually 0755, and file, usually 0644. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Layers: absolute folders in overlayfs form, topmost first; with `upper` and `work` (empty folders) they can be written to. */
  readonly lower?: readonly string[];
  readonly upper?: string;
  readonly work?: string;
  /** File: what is in it. */
  readonly bytes?: Uint8Array;
}

export interface SandboxRoot {
  /** Topmost first, as overlayfs takes them. With no `upper` and one folder it is bind-mounted. */
  readonly lower: readonly string[];
  readonly upper?: string;
  readonly work?: string;
  readonly readonly?: boolean;
}

export interface SandboxProcess {
  /** argv[0] is looked up in the container's PATH when it has no slash. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Absolute, inside the container; must exist unless `makeCwd`. */
  readonly cwd: string;
  /** Makes the folders of `cwd` that are missing, as root with mode 0755. */
  readonly makeCwd?: boolean;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** A new terminal for the process, relayed to ours. */
  readonly tty: boolean;
  /** `null`: /dev/null; `inherit`: the CLI's own descriptors; `pipe`: given back as streams. */
  readonly stdin: "null" | "inherit";
  readonly output: "pipe" | "inherit";
  /** With `inherit`: the process gets real pipes all the same, and what comes through them is copied. */
  readonly relay?: boolean;
}

export interface SandboxLimits {
  readonly memoryBytes?: number;
  /** CPUs, 1.5 means one and a half. */
  readonly cpus?: number;
  readonly pids?: number;
  /** The control group that the container's is made in: a path below the topmost one, or a slice of systemd's. */
  readonly cgroupParent?: string;
  readonly shmBytes: number;
  /** One of `ulimitNames` → [soft, hard]; -1 is unlimited. */
  readonly ulimits: Readonly<Record<string, readonly [number, number]>>;
}

/** As `docker build --ulimit` has them: setrlimit(2) without RLIMIT_, in small letters. */
export const ulimitNames: readonly string[] =
  "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(" ");

export interface SandboxSpec {
  readonly root: SandboxRoot;
  readonly mounts: readonly Mount[];
  readonly process: SandboxProcess;
  readonly hostname: string;
  /** `private`: an own namespace with outbound access where a helper makes that possible; `none`: loopback only; `host`. */
  readonly network: "private" | "none" | "host";
  /** Lines for /etc/hosts, name → address. */
  readonly extraHosts: readonly (readonly [name: string, address: string])[];
  readonly limits: SandboxLimits;
  /** `default`: Docker's default capabilities and seccomp filter; `insecure`: all that the caller has. */
  readonly security: "default" | "insecure";
  /**
   * Lines for binfmt_misc's `register`, for programs of other architectures: the process gets a user namespace with a
   * register of its own, so that nothing of the host changes. Interpreters are host paths, opened beforehand (flag F).
   */
  readonly interpreters?: readonly string[];
}

export interface OutputChunk {
  readonly stream: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}

/** How the process ended: exactly one of the two is set. */
export interface Exit {
  readonly code?: number;
  readonly signal?: string;
  /** True when the kernel killed it for memory, as far as the cgroup tells. */
  readonly outOfMemory?: boolean;
}

export interface Running extends AsyncDisposable {
  /** Ends when the process and everything it started have closed their output. Empty for `inherit`. */
  readonly output: AsyncIterable<OutputChunk>;
  readonly exited: Promise<Exit>;
  /** Sends to the container's first process; SIGKILL ends every process in it. */
  signal(name: NodeJS.Signals): void;
}
