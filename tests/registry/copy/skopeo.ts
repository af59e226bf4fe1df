/** What skopeo finds under a name. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { digestOf } from "../../../layerfs/store/digest.ts";

/** The digest of the manifest as skopeo gets it. `name` is in skopeo's words: `docker://…`, `oci:…`. */
export async function rawBySkopeo(name: string): Promise<string> {
  const { stdout } = await promisify(execFile)("skopeo", ["inspect", "--raw", "--tls-verify=false", name]);
  return digestOf(stdout);
}
