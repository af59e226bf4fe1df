/** A store that root and an ordinary user share by accident, as with a sudo that keeps HOME. */
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { runCli, sandboxOf } from "../doubles/cli.ts";
import { asUser, noUser, uid } from "../doubles/ordinary-user.ts";
import { testUnless } from "../doubles/test-unless.ts";

testUnless(noUser())("root under sudo is warned of a user's store, and the user is told whose it is", async (t) => {
  const { folder, env } = sandboxOf(t);
  const home = join(folder, "store");
  chmodSync(folder, 0o711);
  mkdirSync(home);
  chownSync(home, uid, uid);
  const root = (more: Record<string, string>) =>
    runCli(["base", "linux"], { env: { ...env, WBUILD_HOME: home, ...more } });
  const sudo = await root({ SUDO_UID: String(uid) });
  t.is(sudo.code, 0, sudo.stderr);
  t.regex(sudo.stderr, new RegExp(`warning: the store ${home} belongs to user ${uid}, who cannot read what root adds`));
  t.notRegex((await root({})).stderr, /warning/, "root of a container may mean it so");
  const user = await runCli(["images"], { env: { ...env, WBUILD_HOME: home }, prefix: asUser() });
  t.is(user.code, 4, user.stderr);
  t.regex(user.stderr, /error\[STORE_DENIED\].*\n(.*\n)*? *help: it belongs to another user, as after `sudo wbuild`/);
});
