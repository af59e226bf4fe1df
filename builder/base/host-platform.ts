/** This machine in the words of image configurations (OCI image configuration, "architecture": Go's GOARCH). */
import type { Platform } from "../../layerfs/store/descriptor.ts";

const architectures: Readonly<Record<string, Platform>> = {
  x64: { os: "linux", architecture: "amd64" },
  ia32: { os: "linux", architecture: "386" },
  arm64: { os: "linux", architecture: "arm64", variant: "v8" },
  arm: { os: "linux", architecture: "arm", variant: "v7" },
  ppc64: { os: "linux", architecture: "ppc64le" },
  s390x: { os: "linux", architecture: "s390x" },
  riscv64: { os: "linux", architecture: "riscv64" },
  loong64: { os: "linux", architecture: "loong64" },
};

export function hostPlatform(architecture: string = process.arch): Platform {
  return architectures[architecture] ?? { os: "linux", architecture };
}
