/** Rules about configuration and manifest: the container importers' half, checked by builder/image/inspect/verify.ts. */
import { error, warning } from "./rule.ts";

const both = ["containerd", "dockerd"] as const;

export const imageRules = {
  "diff-id": error(
    both,
    "a diff_id is the digest of the layer's uncompressed tar",
    "the layer is refused after it was unpacked",
    "write the configuration from the layers",
  ),
  "layer-missing": error(
    both,
    "the layer's bytes are at hand",
    "nothing of it can be told",
    "pull or build the image again",
  ),
  "layer-foreign": warning(
    both,
    "the layer's bytes are at hand",
    "it is a foreign layer that was not fetched, so nothing of it can be told",
    "pull the image",
  ),
  "layer-count": error(
    both,
    "configuration and manifest have the same number of layers",
    "the image is refused",
    "write the configuration from the layers",
  ),
  "history-count": error(
    ["dockerd"],
    "history has no more lines than layers, besides those marked as empty",
    "the image is refused: 'too many non-empty layers in History section'",
    "mark lines that made no layer with empty_layer",
  ),
  "history-short": warning(
    ["dockerd"],
    "history, if there is one, has a line for each layer",
    "lines are shown beside wrong layers",
    "write a line for each layer",
  ),
  "media-type": error(both, "layers have known media types", "the layer is refused", "give it the type of a layer"),
  "media-zstd": warning(
    ["dockerd"],
    "layers are compressed with gzip",
    "dockerd's own image store on Windows is not known to take zstd",
    "build with --compression gzip",
  ),
  "compression-type": error(
    both,
    "a layer's compression is the one that its media type tells",
    "the layer cannot be unpacked, or only by tools that look themselves",
    "give it its right type",
  ),
  "foreign-urls": error(
    both,
    "a foreign layer names its addresses",
    "registries refuse the manifest, and nobody can fetch the layer",
    "give it the ordinary type, or urls",
  ),
  "config-os": error(both, "the configuration says os: windows", "hosts take the image for another system", "say so"),
  "config-architecture": warning(
    both,
    "the architecture is amd64 or arm64",
    "Windows containers are made for no other today",
    "look at what the base says",
  ),
  "config-os-version": warning(
    both,
    "the configuration has os.version",
    "hosts cannot choose by version, and run the image on a build that it may not fit",
    "copy it from the base",
  ),
  "config-os-version-form": error(
    both,
    "os.version has four numbers, such as 10.0.20348.2700",
    "hosts cannot compare it, and refuse the image or take the wrong one",
    "copy it from the base",
  ),
  "config-os-features": warning(
    both,
    "os.features knows win32k alone",
    "hosts may ask for all features that are listed",
    "copy it from the base",
  ),
  "platform-os": error(
    both,
    "the platform in the index repeats os and architecture",
    "another image is chosen",
    "write the platform from the configuration",
  ),
  "platform-os-version": error(
    both,
    "the platform in the index repeats os.version",
    "hosts choose by it before they see the configuration",
    "write the platform from the configuration",
  ),
  "platform-os-features": warning(
    both,
    "the platform in the index repeats os.features",
    "hosts choose by it before they see the configuration",
    "write the platform from the configuration",
  ),
  "args-escaped": warning(
    both,
    "with ArgsEscaped, a command is one string that is the whole command line",
    "the first string is taken as it is and the others are quoted, so quotes inside them are lost",
    "write the command line as one string",
  ),
  "args-escaped-alone": warning(
    both,
    "ArgsEscaped goes with a command",
    "a command that is set later is not quoted",
    "leave it out",
  ),
} as const;
