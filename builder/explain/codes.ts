/**
 * Every error code: the exit code it leads to, what it means, and what to do when the error itself does not say.
 * Codes are for ever. A house test compares this table with the codes in the sources and with docs/errors, both ways.
 */

/** 1: a step failed. 2: usage, or the Dockerfile. 3: cannot reach or authenticate. 4: this host, or wbuild itself. */
export type ExitCode = 1 | 2 | 3 | 4;

export interface CodeRow {
  readonly exit: ExitCode;
  readonly title: string;
  readonly hint?: string;
}

const row = (exit: ExitCode, title: string, hint?: string): CodeRow =>
  hint === undefined ? { exit, title } : { exit, title, hint };

const upstream = "the registry or something between it and this host is at fault; try again, then ask who runs it";
const damaged = "the image is damaged or was made wrongly: ask who made it, or build it again";
const rebuild = "run `npm run setup` in the checkout";

export const codes: Readonly<Record<string, CodeRow>> = {
  CLI_COMMAND: row(2, "there is no such command", "`wbuild --help` lists the commands"),
  CLI_FLAG: row(2, "the command has no such flag", "`wbuild COMMAND --help` lists its flags"),
  CLI_OUTPUT: row(
    2,
    "an output lacks its destination, or has one that cannot be",
    "`wbuild build --help` shows the forms",
  ),
  CLI_USAGE: row(2, "the command line does not fit the command", "`wbuild COMMAND --help` shows how it is used"),
  CLI_VALUE: row(2, "a flag's value has the wrong form"),

  DF_ARG_NAME: row(2, "an ARG has no valid name"),
  DF_BEFORE_FROM: row(2, "an instruction stands before the first FROM", "only ARG may stand before the first FROM"),
  DF_BLANK_NAME: row(2, "a name is empty once its variables are expanded", "look at the variables in that word"),
  DF_DUPLICATE_DIRECTIVE: row(2, "a parser directive is given twice"),
  DF_DUPLICATE_FLAG: row(2, "an instruction has the same flag twice"),
  DF_DUPLICATE_STAGE: row(2, "two stages have the same name", "give each stage a name of its own"),
  DF_DURATION: row(2, "a duration has the wrong form", "write it as 30s, 1m30s or 2h"),
  DF_EMPTY: row(2, "the Dockerfile has no instruction"),
  DF_ESCAPE: row(2, "the escape directive names no valid character", "it is either \\ or `"),
  DF_EXPANSION: row(
    2,
    "a variable cannot be expanded",
    "the forms are $NAME, ${NAME}, ${NAME:-else} and ${NAME:+then}",
  ),
  DF_FLAG_VALUE: row(2, "an instruction's flag has a value of the wrong form"),
  DF_FROM_FORM: row(2, "a FROM has the wrong form", "write FROM [--platform=OS/ARCH] IMAGE [AS NAME]"),
  DF_FROM_VARIABLE: row(
    2,
    "a variable in FROM has no value",
    "give the ARG before the first FROM a default, or use --build-arg",
  ),
  DF_HEALTHCHECK: row(
    2,
    "a HEALTHCHECK has the wrong form",
    "write HEALTHCHECK [--interval=30s …] CMD COMMAND, or HEALTHCHECK NONE",
  ),
  DF_JSON_STRINGS: row(2, "a JSON array holds something that is no string"),
  DF_MISSING_ARGUMENT: row(2, "an instruction lacks its arguments"),
  DF_MISSING_EQUALS: row(2, "a name has no value", "write NAME=VALUE"),
  DF_NO_FROM: row(2, "the Dockerfile has no FROM", "begin a stage with FROM IMAGE or FROM scratch"),
  DF_ONBUILD_TRIGGER: row(2, "ONBUILD cannot hold this instruction"),
  DF_PLATFORM: row(2, "a platform has the wrong form", "write it as linux/amd64 or linux/arm64/v8"),
  DF_PORT: row(2, "EXPOSE has no valid port", "write 80, 80/udp or 8000-8010"),
  DF_SHELL_JSON: row(2, "SHELL needs a JSON array of strings", 'for example SHELL ["/bin/sh", "-c"]'),
  DF_SIGNAL: row(2, "STOPSIGNAL names no signal", "write a name such as SIGTERM, or a number"),
  DF_STAGE_CYCLE: row(2, "stages need each other in a circle"),
  DF_STAGE_INDEX: row(
    2,
    "a stage's number is out of range",
    "stages are counted from 0, and only earlier ones can be used",
  ),
  DF_STAGE_NAME: row(2, "a stage's name is not valid", "names have lower-case letters, digits and _ . -"),
  DF_TARGET: row(2, "the Dockerfile has no stage of that name", "look at the names behind AS"),
  DF_TOO_LARGE: row(2, "the Dockerfile is too large to be one"),
  DF_UNKNOWN_FLAG: row(2, "an instruction has no such flag"),
  DF_UNKNOWN_INSTRUCTION: row(2, "there is no such instruction"),
  DF_UNSUPPORTED_FLAG: row(2, "wbuild does not support this flag of an instruction yet"),
  DF_UNSUPPORTED_HEREDOC: row(
    2,
    "wbuild does not support here-documents yet",
    "put the text into a file of the context",
  ),
  DF_VOLUME: row(2, "VOLUME has no valid path"),

  CTX_NONE: row(2, "the build has no context to take files from", "give a folder: `wbuild build -f Dockerfile FOLDER`"),
  CTX_NO_FOLDER: row(2, "the context is no folder that can be read", "look at the spelling of the last operand"),
  CTX_NO_SOURCE: row(2, "what is to be copied is not there"),

  STEP_ARCHIVE: row(1, "ADD cannot unpack an archive", "use COPY to keep the archive as it is"),
  STEP_EXIT: row(1, "a RUN did not succeed"),
  STEP_IS_A_DIRECTORY: row(
    1,
    "a file cannot take the place of a directory",
    "end the target with / to copy into the directory",
  ),
  STEP_NOT_A_DIRECTORY: row(1, "a part of the target's path is no directory"),
  STEP_USER: row(1, "the user or group is not in the image", "create it in an earlier step, or use a number"),

  STORE_BUSY: row(
    4,
    "another process kept the store locked for too long",
    "look for a wbuild process that hangs, then try again",
  ),
  STORE_CORRUPT: row(
    4,
    "something in the store is damaged",
    "pull or build the image again; `wbuild prune -a` drops what is damaged",
  ),
  STORE_DENIED: row(4, "the store may not be read or written", "set $WBUILD_HOME to a folder that you may write"),
  STORE_DIGEST_MISMATCH: row(4, "content is not what its digest says", damaged),
  STORE_DIGEST_SYNTAX: row(2, "a digest has the wrong form", "it is sha256: and 64 hexadecimal digits"),
  STORE_FULL: row(4, "there is no room left on the store's disk", "free some room, for example with `wbuild prune`"),
  STORE_IO: row(4, "the store's disk failed", "look into the kernel's log"),
  STORE_NO_BLOB: row(4, "the store does not have this content", "pull or build the image again"),
  STORE_SIZE_MISMATCH: row(4, "content has another size than was said", damaged),
  STORE_VERSION: row(
    4,
    "the store was written by a newer wbuild",
    "use that wbuild, or set $WBUILD_HOME to another folder",
  ),

  LAYER_DEVICE: row(4, "a layer holds a device that cannot be made here"),
  LAYER_IO: row(4, "a layer's files cannot be read or written"),
  LAYER_NAME: row(1, "a layer holds a path that cannot be", damaged),
  LAYER_PAX: row(1, "a layer's extended header is damaged", damaged),
  LAYER_RECORD: row(4, "a layer's index is damaged", "`wbuild prune -a`, then build again"),
  TREE_LOOP: row(1, "a path in the image is a circle of symbolic links"),
  TREE_NO_CONTENT: row(4, "a file's content is not at hand", "pull or build the image again"),

  IMG_LAYERS: row(1, "an image's configuration and its layers do not fit each other", damaged),
  IMG_NO_BUSYBOX: row(4, "there is no static busybox on this host", "install Debian's busybox-static"),
  IMG_PLATFORM: row(2, "the image does not exist for this platform", "name one that it has with --platform"),
  IMG_TOO_LARGE: row(1, "a manifest or configuration is too large to be one", damaged),

  REG_CONFIG: row(
    2,
    "Docker's configuration file cannot be read",
    "look at config.json in $DOCKER_CONFIG or ~/.docker",
  ),
  REG_CREDENTIALS: row(
    3,
    "the credentials cannot be read or kept",
    "look at the credential helper that config.json names",
  ),
  REG_DENIED: row(3, "the registry does not allow it", "`wbuild login REGISTRY` with an account that may"),
  REG_DIGEST_MISMATCH: row(3, "the registry sent other content than its digest says", upstream),
  REG_ENDED_EARLY: row(3, "a transfer ended too early", upstream),
  REG_FETCH: row(3, "a transfer failed", upstream),
  REG_INSECURE: row(3, "the registry speaks plain http", "use --plain-http if you trust the network between"),
  REG_LOCAL_ONLY: row(2, "images under wbuild.local exist only in this store", "make them with `wbuild base`"),
  REG_MANIFEST: row(3, "what the registry has under this name is no image manifest", upstream),
  REG_NOT_FOUND: row(3, "the registry has no such image", "look at the spelling, or `wbuild login` if it is private"),
  REG_PROTOCOL: row(3, "the registry's answer is not one of the protocol", upstream),
  REG_RATE_LIMITED: row(3, "the registry asks to wait", "try again later, or `wbuild login` for a higher limit"),
  REG_REFERENCE: row(2, "an image's name is not valid", "write it as NAME:TAG or HOST/NAME:TAG"),
  REG_SIZE_MISMATCH: row(3, "the registry sent more or less than it said", upstream),
  REG_TIMEOUT: row(3, "the registry did not answer in time", upstream),
  REG_TLS: row(3, "the registry's certificate is not trusted", "point $SSL_CERT_FILE at the authority's certificate"),
  REG_UNAUTHORIZED: row(3, "the registry wants a login, or refused the one it got", "`wbuild login REGISTRY`"),
  REG_UNAVAILABLE: row(3, "the registry cannot serve now", upstream),
  REG_UNREACHABLE: row(3, "the registry cannot be reached", "look at the name, the network and the proxy variables"),

  BOX_NOT_BUILT: row(4, "wbuild's native parts are missing", rebuild),
  BOX_OPTIONS: row(4, "the launcher did not understand its options", rebuild),
};
