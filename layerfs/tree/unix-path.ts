/** How a Linux kernel walks a path, with the tree's root as "/": links stay inside, ".." stops at the root. */
import { WbuildError } from "../../native/error.ts";
import type { Entry } from "../layer/entry.ts";

/** More links than any honest path has; a chain of links that points at itself ends here (the kernel allows 40). */
const maxLinks = 255;
/** Links that each repeat themselves could make a path grow without end before the count of links stops it. */
const maxParts = 100_000;

/**
 * The clean path of what `path` leads to, or undefined when a component is missing or is no directory. The last
 * component's link is followed with `follow`, or when a slash stands behind it. With `missing: "keep"` what is not there
 * stays as written: the path at which something is to be made, also behind a link to nowhere. Throws TREE_LOOP.
 */
export async function resolveUnix(
  stat: (path: string) => Promise<Pick<Entry, "type" | "target"> | undefined>,
  path: string,
  follow: boolean,
  { missing = "refuse" }: { readonly missing?: "refuse" | "keep" } = {},
): Promise<string | undefined> {
  // The next part is at the end: links push theirs on top.
  const ahead = path.split("/").reverse();
  const followLast = follow || ahead[0] === "" || ahead[0] === ".";
  const stack: string[] = [];
  let links = 0;
  while (ahead.length > 0) {
    const part = ahead.pop();
    if (part === undefined || part === "" || part === ".") continue;
    // The attack: `link -> ../../../etc/passwd`. There is nothing above the root to go to.
    if (part === "..") {
      stack.pop();
      continue;
    }
    const here = stack.length === 0 ? part : `${stack.join("/")}/${part}`;
    const entry = await stat(here);
    if (entry === undefined) {
      if (missing === "refuse") return undefined;
      stack.push(part);
      continue;
    }
    const isLast = ahead.every((rest) => rest === "" || rest === ".");
    if (entry.type === "symlink" && (!isLast || followLast)) {
      const target = entry.target ?? "";
      if (target === "") return undefined;
      if (++links > maxLinks || ahead.length > maxParts) {
        throw new WbuildError("TREE_LOOP", `too many symbolic links in ${JSON.stringify(path.slice(0, 300))}`, {
          facts: { path: path.slice(0, 300), links },
        });
      }
      if (target.startsWith("/")) stack.length = 0;
      ahead.push(...target.split("/").reverse());
      continue;
    }
    if (!isLast && entry.type !== "directory" && missing === "refuse") return undefined;
    stack.push(part);
  }
  return stack.join("/");
}
