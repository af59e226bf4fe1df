/** Images under names of the command line's choosing: `--build-context NAME=REF`, for FROM and COPY --from. */
import { formatReference, parseReference } from "../../registry/reference.ts";
import type { NamedImage } from "../build-request.ts";

/**
 * What a name stands for; itself when nobody said otherwise. Names are compared as references (`x` is
 * `docker.io/library/x:latest`), the last one given counts. Throws REG_REFERENCE for a name that can be none.
 */
export function imageNames(named: readonly NamedImage[]): (name: string) => string {
  const known = new Map(named.map(({ name, reference }) => [formatReference(parseReference(name)), reference]));
  if (known.size === 0) return (name) => name;
  return (name) => known.get(formatReference(parseReference(name))) ?? name;
}
