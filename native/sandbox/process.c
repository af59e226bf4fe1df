/* Between fork and exec: session, identity, folder, command. From here on nothing of the host is open but the report. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box.h"
#include "report.h"

/*
 * A session of its own. Attack (TIOCSTI): a process that shares the caller's controlling terminal may type into it; the new
 * session has none, or the container's own.
 */
void session_make(struct box *b) {
  sigset_t none;
  sigemptyset(&none);
  for (int s = 1; s < NSIG; s++) signal(s, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (setsid() < 0) fail("BOX_TERMINAL", "make a session", "", errno);
  if (b->o.tty) {
    if (ioctl(b->terminal, TIOCSCTTY, 0) < 0) fail("BOX_TERMINAL", "take the terminal", "/dev/console", errno);
    for (int i = 0; i < 3; i++)
      if (dup2(b->terminal, i) < 0) fail("BOX_TERMINAL", "take the terminal", "/dev/console", errno);
  } else if (b->o.relay) {
    for (int i = 0; i < 2; i++)
      if (dup2(b->output[i][1], i + 1) < 0) fail("BOX_TERMINAL", "take the output", "", errno);
  }
  /* What we made belongs to the user, so that `> /dev/stderr` works for one who is not root. Best effort: ids may be unmapped. */
  if (b->o.tty || b->o.relay)
    for (int i = b->o.tty ? 0 : 1; i < 3; i++) (void)!fchown(i, b->o.uid, (gid_t)-1);
  /* Attack (CVE-2024-21626): an open folder of the host, reached as /proc/self/fd/N. Nothing but the report stays, no folder. */
  int report = report_descriptor();
  if (dup2(report, 3) < 0 || fcntl(3, F_SETFD, FD_CLOEXEC) < 0) fail("BOX_TERMINAL", "keep the report", "", errno);
  report_open(3);
  /* 4 is the descriptor that tells the init of a failure; init.c put it there. 5 is a namespace that is entered, and closed, soon. */
  unsigned first = 5;
  if (b->user_space >= 0) {
    if (dup2(b->user_space, 5) < 0 || fcntl(5, F_SETFD, FD_CLOEXEC) < 0) fail("BOX_EMULATOR", "keep the user namespace", "", errno);
    b->user_space = 5;
    first = 6;
  }
  if (syscall(SYS_close_range, first, ~0u, 0u) < 0)
    for (int fd = (int)first; fd < 4096; fd++) close(fd);
  /* The caller's keys stay with the caller. Not every kernel has keys. */
  syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
  umask(022);
}

void identity_set(struct box *b) {
  char who[64];
  snprintf(who, sizeof who, "%u:%u", b->o.uid, b->o.gid);
  if (setgroups(b->o.group_count, b->o.groups) < 0) {
    /* A single-id map comes without setgroups(); the groups that we are in already are all that there can be. */
    if (errno != EPERM) fail("BOX_ID_MAP", "set the groups", who, errno);
    if (b->o.group_count > 1 || (b->o.group_count == 1 && b->o.groups[0] != b->o.gid)) report_warning("BOX_GROUPS", who, EPERM);
  }
  if (setresgid(b->o.gid, b->o.gid, b->o.gid) < 0) fail("BOX_ID_MAP", "become the group", who, errno);
  if (setresuid(b->o.uid, b->o.uid, b->o.uid) < 0) fail("BOX_ID_MAP", "become the user", who, errno);
}

static void make_folders(const char *path) {
  char prefix[PATH_MAX];
  size_t length = strlen(path);
  if (length >= sizeof prefix) fail("BOX_CWD", "make the folder", path, ENAMETOOLONG);
  memcpy(prefix, path, length + 1);
  for (char *at = prefix + 1; at <= prefix + length; at++) {
    if (*at && *at != '/') continue;
    char cut = *at;
    *at = 0;
    if (mkdir(prefix, 0755) < 0 && errno != EEXIST && errno != EROFS) fail("BOX_CWD", "make the folder", path, errno);
    *at = cut;
  }
}

/* As root, so that a user may start where only root may look, as Docker does. */
void cwd_enter(struct box *b) {
  char here[PATH_MAX];
  if (b->o.make_cwd) make_folders(b->o.cwd);
  if (chdir(b->o.cwd) < 0) fail("BOX_CWD", "enter the folder", b->o.cwd, errno);
  /* Second lock against CVE-2024-21626: a folder outside the root has no path here. */
  if (syscall(SYS_getcwd, here, sizeof here) < 0 || here[0] != '/') fail("BOX_CWD", "enter a folder outside the root", b->o.cwd, EXDEV);
}

static const char *search_path(const struct box *b) {
  for (size_t i = 0; i < b->o.envs; i++)
    if (strncmp(b->o.env[i], "PATH=", 5) == 0) return b->o.env[i] + 5;
  return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

_Noreturn void command_execute(struct box *b) {
  const char *name = b->o.args ? b->o.argv[0] : "";
  char *const *argv = (char *const *)b->o.argv, *const *env = (char *const *)b->o.env;
  int error = ENOENT;
  if (strchr(name, '/')) {
    execve(name, argv, env);
    error = errno;
  } else if (*name) {
    const char *at = search_path(b);
    for (;;) {
      size_t length = strcspn(at, ":");
      char path[PATH_MAX];
      int needed = snprintf(path, sizeof path, "%.*s%s%s", (int)length, at, length ? "/" : "./", name);
      if (needed > 0 && (size_t)needed < sizeof path) {
        execve(path, argv, env);
        if (errno != ENOENT && errno != ENOTDIR) error = errno;
        /* Something is there and cannot be run for a reason of its own: that is the answer. */
        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
      }
      if (!at[length]) break;
      at += length + 1;
    }
  }
  fail("BOX_COMMAND", "execute", name, error);
}
