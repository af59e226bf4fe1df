/** What an ordinary user is told where user namespaces are refused. */
import { constants } from "node:os";
import test from "ava";
import { userNamespaceLack } from "../../../native/core/userns-lack.ts";

const { EPERM, EACCES, EINVAL, ENOSPC } = constants.errno;

for (const [title, code, settings, why, remedy] of [
  [
    "Debian's switch",
    EPERM,
    { "kernel/unprivileged_userns_clone": "0" },
    /unprivileged_userns_clone is 0/,
    /_clone=1$/,
  ],
  [
    "Ubuntu's AppArmor",
    EACCES,
    { "kernel/apparmor_restrict_unprivileged_userns": "1", "user/max_user_namespaces": "5000" },
    /AppArmor/,
    /apparmor_restrict_unprivileged_userns=0, or a profile/,
  ],
  ["none allowed", ENOSPC, { "user/max_user_namespaces": "0" }, /max_user_namespaces is 0/, /max_user_namespaces=\d+$/],
  ["too many", ENOSPC, { "user/max_user_namespaces": "9" }, /in use/, /max_user_namespaces=\d+$/],
  ["a kernel without", EINVAL, {}, /this kernel has none/, /CONFIG_USER_NS/],
  [
    "a container's filter",
    EPERM,
    { "kernel/unprivileged_userns_clone": "1", "user/max_user_namespaces": "5000" },
    /not permitted \(EPERM\).*system call filter/,
    /seccomp=unconfined/,
  ],
] as const) {
  test(`no user namespace: ${title}`, (t) => {
    const lack = userNamespaceLack(code, (name) => (settings as Readonly<Record<string, string>>)[name] ?? "");
    t.regex(lack.why, why);
    t.regex(lack.remedy, remedy);
  });
}
