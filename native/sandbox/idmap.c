/* `launcher userns`: a user namespace in which an ordinary user is root, and in it the caller's own program again. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "report.h"

/* newuidmap PID INSIDE OUTSIDE COUNT …, the ranges as the caller has read them from /etc/subuid. */
static void run_helper(const char *helper, pid_t target, const char *const *ranges, size_t count) {
  char pid[16];
  const char *argv[2 + 64 + 1] = {helper, pid};
  int status = 0;
  snprintf(pid, sizeof pid, "%d", (int)target);
  for (size_t i = 0; i < count; i++) argv[2 + i] = ranges[i];
  pid_t child = fork();
  if (child == 0) {
    /* Its words are for people, but not here: the report is ours. */
    execve(helper, (char *const *)argv, (char *[]){NULL});
    _exit(127);
  }
  if (child < 0 || waitpid(child, &status, 0) < 0) fail("BOX_ID_MAP", "run", helper, errno);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail("BOX_ID_MAP", "map ids with", helper, EPERM);
}

static void write_file(pid_t pid, const char *name, const char *text) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) fail("BOX_ID_MAP", "write", path, errno);
  close(fd);
}

/* Stays outside, where the maps may be written, while its parent waits inside. */
static _Noreturn void map_from_outside(struct options *o, pid_t target, uid_t uid, gid_t gid, int inside, int done) {
  char byte, line[64];
  if (read(inside, &byte, 1) != 1) _exit(FAIL_STATUS);
  if (o->newuidmap && o->newgidmap && o->uid_maps && o->gid_maps) {
    run_helper(o->newuidmap, target, o->uid_map, o->uid_maps);
    run_helper(o->newgidmap, target, o->gid_map, o->gid_maps);
  } else {
    /* Without setgroups() nobody can drop a group that forbids them something: the kernel's price for a map without helpers. */
    write_file(target, "setgroups", "deny");
    snprintf(line, sizeof line, "0 %u 1", uid);
    write_file(target, "uid_map", line);
    snprintf(line, sizeof line, "0 %u 1", gid);
    write_file(target, "gid_map", line);
  }
  if (write(done, "!", 1) != 1) _exit(FAIL_STATUS);
  _exit(0);
}

_Noreturn void userns_execute(struct options *o) {
  int inside[2], done[2], status = 0;
  char byte;
  pid_t self = getpid();
  uid_t uid = geteuid();
  gid_t gid = getegid();
  if (pipe2(inside, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0) fail("BOX_ID_MAP", "make a pipe", "", errno);
  pid_t helper = fork();
  if (helper < 0) fail("BOX_ID_MAP", "fork", "", errno);
  if (helper == 0) {
    close(inside[1]);
    map_from_outside(o, self, uid, gid, inside[0], done[1]);
  }
  close(done[1]);
  if (unshare(CLONE_NEWUSER) < 0) fail("BOX_NAMESPACE", "make a user namespace", "", errno);
  if (write(inside[1], "!", 1) != 1 || read(done[0], &byte, 1) != 1) _exit(FAIL_STATUS);
  while (waitpid(helper, &status, 0) < 0 && errno == EINTR) continue;
  if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) fail("BOX_ID_MAP", "become root inside", "", errno);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_DFL);
  if (!o->args) fail("BOX_OPTIONS", "read the options", "no command", EINVAL);
  execve(o->argv[0], (char *const *)o->argv, (char *const *)o->env);
  fail("BOX_COMMAND", "execute", o->argv[0], errno);
}
