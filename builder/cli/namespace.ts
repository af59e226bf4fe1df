/** Ordinary users: a command that handles other people's files, or runs containers, carries on as root of a user namespace. */
import { canMakeContainers, enterUserNamespace } from "../../native/core/userns.ts";
import { isWbuildError } from "../../native/error.ts";

/**
 * Runs this very program once more inside a namespace, and gives its exit code; undefined when there is no need, or no way.
 * Without a way the command goes on as it is: a build without RUN needs no privilege.
 */
export async function runInNamespace(warn: (text: string) => void): Promise<number | undefined> {
  if (canMakeContainers()) return undefined;
  try {
    // Behind -- Node takes no word for its own: it would read `run --env-file` itself.
    const argv = [process.execPath, ...process.execArgv, "--", ...process.argv.slice(1)];
    return await enterUserNamespace(argv, process.env, warn);
  } catch (error) {
    if (!isWbuildError(error)) throw error;
    const remedy = error.hint === undefined ? "" : ` (${error.hint})`;
    warn(`${error.message}${remedy}; steps that run commands will not work (\`wbuild doctor\` says more)`);
    return undefined;
  }
}
