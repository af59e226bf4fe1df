/** The commands: name, group, one line for the overview, and how to load each. This table is all that start-up knows of them. */
import type { CommandRow, CommandTable } from "./command.ts";

export const groups: Readonly<Record<CommandRow["group"], string>> = {
  build: "Build and run",
  images: "Images",
  registry: "Registries and files",
  store: "The store",
  host: "This host",
};

export const commands: CommandTable = {
  build: {
    group: "build",
    summary: "Build an image from a Dockerfile (the default command)",
    asRoot: true,
    load: async () => (await import("./build.ts")).buildCommand,
  },
  bake: {
    group: "build",
    summary: "Build the targets of a bake or Compose file",
    asRoot: true,
    load: async () => (await import("./bake.ts")).bakeCommand,
  },
  debug: {
    group: "build",
    summary: "Build, with a shell in the step that fails",
    asRoot: true,
    load: async () => (await import("./debug.ts")).debugCommand,
  },
  plan: {
    group: "build",
    summary: "Show what a build would do, as text, JSON or a mermaid graph",
    load: async () => (await import("./plan.ts")).planCommand,
  },
  run: {
    group: "build",
    summary: "Run a command in a container made from an image",
    asRoot: true,
    load: async () => (await import("./run.ts")).runCommand,
  },
  base: {
    group: "build",
    summary: "Make a base image from what this host has",
    asRoot: true,
    load: async () => (await import("./base.ts")).baseCommand,
  },
  images: {
    group: "images",
    summary: "List images",
    load: async () => (await import("./images.ts")).imagesCommand,
  },
  history: {
    group: "images",
    summary: "Show how an image was made, layer by layer",
    load: async () => (await import("./history.ts")).historyCommand,
  },
  inspect: {
    group: "images",
    summary: "Show an image's configuration",
    load: async () => (await import("./inspect.ts")).inspectCommand,
  },
  sbom: {
    group: "images",
    summary: "List the packages that an image holds, as SPDX",
    asRoot: true,
    load: async () => (await import("./sbom.ts")).sbomCommand,
  },
  diff: {
    group: "images",
    summary: "Show what files an image changed, or how two images differ",
    asRoot: true,
    load: async () => (await import("./diff.ts")).diffCommand,
  },
  tag: {
    group: "images",
    summary: "Give an image another name",
    load: async () => (await import("./tag.ts")).tagCommand,
  },
  mutate: {
    group: "images",
    summary: "Change an image's configuration without building",
    load: async () => (await import("./mutate.ts")).mutateCommand,
  },
  append: {
    group: "images",
    summary: "Put tars on an image as new layers",
    load: async () => (await import("./append.ts")).appendCommand,
  },
  rebase: {
    group: "images",
    summary: "Put an image's own layers on another base",
    load: async () => (await import("./rebase.ts")).rebaseCommand,
  },
  flatten: {
    group: "images",
    summary: "Make one layer of an image's layers",
    load: async () => (await import("./flatten.ts")).flattenCommand,
  },
  squash: {
    group: "images",
    summary: "Make one layer of what an image brings beyond its base",
    load: async () => (await import("./squash.ts")).squashCommand,
  },
  rmi: {
    group: "images",
    summary: "Remove names of images",
    asRoot: true,
    load: async () => (await import("./rmi.ts")).rmiCommand,
  },
  pull: {
    group: "registry",
    summary: "Fetch an image from a registry",
    load: async () => (await import("./pull.ts")).pullCommand,
  },
  push: {
    group: "registry",
    summary: "Send an image to a registry",
    load: async () => (await import("./push.ts")).pushCommand,
  },
  copy: {
    group: "registry",
    summary: "Copy an image between registries, layouts and archives",
    load: async () => (await import("./copy.ts")).copyCommand,
  },
  sync: {
    group: "registry",
    summary: "Copy the images of a list to a registry or a layout",
    load: async () => (await import("./sync.ts")).syncCommand,
  },
  manifest: {
    group: "registry",
    summary: "Show manifests, make indexes of images, annotate them",
    load: async () => (await import("./manifest.ts")).manifestCommand,
  },
  tags: {
    group: "registry",
    summary: "List the tags of a repository",
    load: async () => (await import("./tags.ts")).tagsCommand,
  },
  rm: {
    group: "registry",
    summary: "Remove tags and manifests from a registry",
    load: async () => (await import("./rm.ts")).rmCommand,
  },
  login: {
    group: "registry",
    summary: "Keep the credentials for a registry",
    load: async () => (await import("./login.ts")).loginCommand,
  },
  logout: {
    group: "registry",
    summary: "Forget the credentials for a registry",
    load: async () => (await import("./logout.ts")).logoutCommand,
  },
  sign: {
    group: "registry",
    summary: "Sign images, as cosign does",
    load: async () => (await import("./sign.ts")).signCommand,
  },
  verify: {
    group: "registry",
    summary: "Check the signatures of images",
    load: async () => (await import("./verify.ts")).verifyCommand,
  },
  save: {
    group: "registry",
    summary: "Write images to an archive or a folder",
    load: async () => (await import("./save.ts")).saveCommand,
  },
  load: {
    group: "registry",
    summary: "Read images from an archive or a folder",
    load: async () => (await import("./load.ts")).loadCommand,
  },
  export: {
    group: "registry",
    summary: "Write an image's files as one tar",
    asRoot: true,
    load: async () => (await import("./export.ts")).exportCommand,
  },
  hive: {
    group: "registry",
    summary: "Show, compare, merge and check registry hives",
    load: async () => (await import("./hive.ts")).hiveCommand,
  },
  du: {
    group: "store",
    summary: "Show what the store holds and how much room it takes",
    asRoot: true,
    load: async () => (await import("./du.ts")).duCommand,
  },
  prune: {
    group: "store",
    summary: "Free the room of what is no longer needed",
    asRoot: true,
    load: async () => (await import("./prune.ts")).pruneCommand,
  },
  "ci-cache": {
    group: "store",
    summary: "Fill the store ahead of builds: base images and cached results",
    asRoot: true,
    load: async () => (await import("./ci-cache.ts")).ciCacheCommand,
  },
  tools: {
    group: "host",
    summary: "Keep programs for Windows that steps may use and no image holds",
    asRoot: true,
    load: async () => (await import("./tools.ts")).toolsCommand,
  },
  doctor: {
    group: "host",
    summary: "Check what this host can do, and say what to install",
    load: async () => (await import("./doctor.ts")).doctorCommand,
  },
  completion: {
    group: "host",
    summary: "Print a completion script for a shell",
    load: async () => (await import("./completion.ts")).completionCommand,
  },
  version: {
    group: "host",
    summary: "Show the version",
    load: async () => (await import("./version.ts")).versionCommand,
  },
};
