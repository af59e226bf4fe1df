/** What users of docker, buildx, skopeo and buildah type that we have under another name or not at all: what to do instead. */

const commands: Readonly<Record<string, string>> = {
  attach: "a container lives as long as its `wbuild run`",
  bud: "it is called `wbuild build`",
  builder: "`wbuild du` and `wbuild prune` look after the cache",
  buildx: "leave that word out: `wbuild build`, `wbuild bake`, `wbuild du`",
  commit: "`wbuild build --keep-failed` keeps a failed step, `wbuild append` puts a tar on an image",
  compose: "`wbuild bake -f compose.yaml` builds the images of a Compose file",
  container: "a container lives as long as its `wbuild run`",
  delete: "`wbuild rm` removes from a registry, `wbuild rmi` from the store",
  exec: "a container lives as long as its `wbuild run`",
  image: "leave that word out: `wbuild images`, `wbuild inspect`, `wbuild prune`",
  imagetools: "`wbuild manifest` shows and makes indexes",
  info: "`wbuild doctor` tells what this host can do",
  "list-tags": "it is called `wbuild tags`",
  logs: "a container lives as long as its `wbuild run`, which shows what it prints",
  ls: "`wbuild images` lists the images of the store, `wbuild tags` those of a registry",
  ps: "a container lives as long as its `wbuild run`, and no other is kept",
  search: "no registry is searched; `wbuild tags` lists the tags of a repository",
  system: "`wbuild du`, `wbuild prune` and `wbuild doctor` do that",
};

const rights = "a container has the rights that it needs and gets no others";
const cpus = "--cpus limits how much it may use";

const flags: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  build: {
    "-D": "it is called --debug",
    "--builder": "leave it out: there is no daemon to choose",
    "--cpu-period": cpus,
    "--cpu-quota": cpus,
    "--cpu-shares": cpus,
    "--cpuset-cpus": cpus,
    "--cpuset-mems": cpus,
    "--isolation": "leave it out: steps of Windows run in the sandbox, too",
    "--memory-swap": "leave it out: --memory allows as much swap again",
    "--security-opt": `leave it out: ${rights}`,
    "--squash": "`wbuild squash IMAGE` makes one layer of what was built",
  },
  run: {
    "-d": "the container ends with this command: put & behind it",
    "--detach": "the container ends with this command: put & behind it",
    "-p": "--network host shares this host's ports",
    "--publish": "--network host shares this host's ports",
    "--name": "leave it out: no container is kept",
    "--privileged": `leave it out: ${rights}`,
    "--cap-add": `leave it out: ${rights}`,
    "--mount": "--volume HOST:CONTAINER shows a folder of this host",
  },
};

/** A hint for a word that is no command of ours. */
export function instead(word: string): string | undefined {
  return Object.hasOwn(commands, word) ? commands[word] : undefined;
}

/** A hint for a flag that this command does not have. */
export function insteadOfFlag(command: string, flag: string): string | undefined {
  const own = Object.hasOwn(flags, command) ? flags[command] : undefined;
  return own && Object.hasOwn(own, flag) ? own[flag] : undefined;
}
