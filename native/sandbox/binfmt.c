/*
 * Programs of another architecture: a user namespace with a register of interpreters (binfmt_misc) of its own, for the process
 * and all that it starts. The host's register is neither needed nor changed. Linux 6.7.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "report.h"

/* What the maker sends; descriptors are valid on both sides, which share the table. */
struct made {
  int space, mount, error;
  char what[32];
};

static int complain(struct made *made, const char *what) {
  made->error = errno ? errno : EINVAL;
  snprintf(made->what, sizeof made->what, "%s", what);
  return -1;
}

/* The mount is never attached to any tree: the kernel keeps the entries as long as its descriptor is open. */
static int fill(const struct box *b, struct made *made) {
  int context = (int)syscall(SYS_fsopen, "binfmt_misc", FSOPEN_CLOEXEC);
  if (context < 0) return complain(made, "open binfmt_misc");
  if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) return complain(made, "make binfmt_misc");
  made->mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
  if (made->mount < 0) return complain(made, "mount binfmt_misc");
  int door = openat(made->mount, "register", O_WRONLY | O_CLOEXEC);
  if (door < 0) return complain(made, "open the register");
  for (size_t i = 0; i < b->o.interpreters; i++) {
    size_t length = strlen(b->o.interpreter[i]);
    if (write(door, b->o.interpreter[i], length) != (ssize_t)length) return complain(made, "register");
  }
  made->space = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
  return made->space < 0 ? complain(made, "open the user namespace") : 0;
}

/* Every id of ours is the same id inside: files, limits and the image's accounts mean what they meant. */
static int map_ids(pid_t child, const char *kind) {
  char path[64], map[4096], line[128];
  size_t length = 0;
  snprintf(path, sizeof path, "/proc/self/%s", kind);
  FILE *own = fopen(path, "re");
  if (!own) return -1;
  while (fgets(line, sizeof line, own)) {
    unsigned inside, outside, count;
    if (sscanf(line, "%u %u %u", &inside, &outside, &count) != 3) continue;
    length += (size_t)snprintf(map + length, sizeof map - length, "%u %u %u\n", inside, inside, count);
    if (length >= sizeof map) break;
  }
  fclose(own);
  snprintf(path, sizeof path, "/proc/%d/%s", (int)child, kind);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  bool ok = length < sizeof map && write(fd, map, length) == (ssize_t)length;
  int error = errno;
  close(fd);
  errno = error;
  return ok ? 0 : -1;
}

void interpreters_register(struct box *b) {
  struct made made = {-1, -1, 0, ""};
  int go[2], done[2];
  if (pipe2(go, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0) fail("BOX_SUPERVISE", "make a pipe", "", errno);
  pid_t child = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNS | CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
  if (child < 0) fail("BOX_EMULATOR", "make a user namespace", "", errno);
  if (child == 0) {
    char byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(go[0], &byte, 1) != 1) _exit(FAIL_STATUS);
    fill(b, &made);
    (void)!write(done[1], &made, sizeof made);
    _exit(0);
  }
  if (map_ids(child, "uid_map") < 0 || map_ids(child, "gid_map") < 0) {
    int error = errno;
    kill(child, SIGKILL);
    fail("BOX_EMULATOR", "map ids", "", error);
  }
  if (write(go[1], "g", 1) != 1 || read(done[0], &made, sizeof made) != sizeof made) made.error = errno ? errno : EPIPE;
  for (int i = 0; i < 2; i++) close(go[i]), close(done[i]);
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
  if (made.error) fail("BOX_EMULATOR", made.what, b->o.interpreter[0], made.error);
  b->user_space = made.space;
}

/* Capabilities begin anew here, so it comes before they are bounded; raised limits need the host's, so it comes after those. */
void interpreters_enter(struct box *b) {
  if (setns(b->user_space, CLONE_NEWUSER) < 0) fail("BOX_EMULATOR", "enter the user namespace", "", errno);
  close(b->user_space);
}

/* For `probe`, in a user namespace of its own: may it have a register? */
int interpreters_possible(void) {
  static const struct box none;
  struct made made = {-1, -1, 0, ""};
  if (unshare(CLONE_NEWNS) < 0) return errno;
  return fill(&none, &made) < 0 ? made.error : 0;
}
