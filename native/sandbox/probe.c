/* `launcher probe FOLDER`: tries, rather than guesses, what this host can do. A JSON line each: name, ok, errno. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "box.h"

/* Everything happens in a child, so that one trial leaves nothing behind for the next. */
static void attempt(const char *name, int (*trial)(const char *), const char *scratch) {
  int status = 0;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(trial(scratch) & 0xff);
  if (child < 0 || waitpid(child, &status, 0) < 0) status = EAGAIN << 8;
  int error = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
  printf("{\"name\":\"%s\",\"ok\":%s,\"errno\":%d}\n", name, error ? "false" : "true", error);
}

static bool write_line(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  if (fd >= 0) close(fd);
  return ok;
}

static int user_namespace(const char *scratch) {
  (void)scratch;
  char line[64];
  uid_t uid = geteuid();
  gid_t gid = getegid();
  if (unshare(CLONE_NEWUSER) < 0) return errno;
  snprintf(line, sizeof line, "0 %u 1", uid);
  if (!write_line("/proc/self/setgroups", "deny") || !write_line("/proc/self/uid_map", line)) return errno;
  snprintf(line, sizeof line, "0 %u 1", gid);
  if (!write_line("/proc/self/gid_map", line)) return errno;
  return 0;
}

static int mount_namespace(const char *scratch) {
  (void)scratch;
  if (unshare(CLONE_NEWNS) < 0) return errno;
  return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? errno : 0;
}

static int folder(const char *scratch, const char *name) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", scratch, name);
  return mkdir(path, 0755) < 0 && errno != EEXIST ? errno : 0;
}

static int overlay(const char *scratch, const char *more) {
  char options[PATH_MAX * 3 + 100];
  static const char *const names[] = {"lower", "upper", "work", "merged"};
  for (size_t i = 0; i < 4; i++) {
    int error = folder(scratch, names[i]);
    if (error) return error;
  }
  int error = mount_namespace(scratch);
  if (error) return error;
  if (chdir(scratch) < 0) return errno;
  snprintf(options, sizeof options, "%slowerdir=lower,upperdir=upper,workdir=work", more);
  if (mount("overlay", "merged", "overlay", 0, options) < 0) return errno;
  /* It mounts without, too, and fails later: when a folder takes the place of one that is below. */
  return *more && setxattr("upper", "user.wbuild", "y", 1, 0) < 0 ? errno : 0;
}

static int overlay_here(const char *scratch) { return overlay(scratch, geteuid() == 0 ? "" : "userxattr,"); }

static int overlay_in_user_namespace(const char *scratch) {
  int error = user_namespace(scratch);
  return error ? error : overlay(scratch, "userxattr,");
}

static int process_files(const char *scratch) {
  int status = 0, error = mount_namespace(scratch);
  if (error) return error;
  if (unshare(CLONE_NEWPID) < 0) return errno;
  pid_t child = fork();
  if (child == 0) _exit(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ? errno & 0xff : 0);
  if (child < 0 || waitpid(child, &status, 0) < 0) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

/* A container that hides parts of its /proc may not have another one there. */
static int process_files_in_user_namespace(const char *scratch) {
  int error = user_namespace(scratch);
  return error ? error : process_files(scratch);
}

static int network_namespace(const char *scratch) {
  (void)scratch;
  return unshare(CLONE_NEWNET) < 0 ? errno : 0;
}

static int cgroup_namespace(const char *scratch) {
  (void)scratch;
  return unshare(CLONE_NEWCGROUP) < 0 ? errno : 0;
}

static int seccomp_filter(const char *scratch) {
  (void)scratch;
  struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  struct sock_fprog program = {1, allow};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return errno;
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? errno : 0;
}

static int interpreters(const char *scratch) {
  int error = user_namespace(scratch);
  return error ? error : interpreters_possible();
}

int probe_host(const char *scratch) {
  attempt("user namespace", user_namespace, scratch);
  attempt("mount namespace", mount_namespace, scratch);
  attempt("network namespace", network_namespace, scratch);
  attempt("cgroup namespace", cgroup_namespace, scratch);
  attempt("overlay", overlay_here, scratch);
  attempt("overlay in a user namespace", overlay_in_user_namespace, scratch);
  attempt("proc", process_files, scratch);
  attempt("proc in a user namespace", process_files_in_user_namespace, scratch);
  attempt("seccomp", seccomp_filter, scratch);
  attempt("interpreters", interpreters, scratch);
  return 0;
}
