/*
 * A program of the host, such as git, whose whole process group ends when the caller does. The caller holds the other end of
 * `life`: however it ends, kill -9 included, the kernel closes that end, and poll wakes up here.
 * Attack: a server that stalls would keep git, and what git started, for as long as it likes after a build was killed.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "report.h"

/* As a shell says that there is no such program, and that it cannot be executed. */
#define NOT_FOUND 127
#define NOT_EXECUTABLE 126

/* A write past the limit is an error that the program tells of, instead of its end. */
static bool limit_files(rlim_t bytes) {
  struct rlimit limit;
  if (bytes == 0) return true;
  if (getrlimit(RLIMIT_FSIZE, &limit) < 0) return false;
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < bytes) return true;
  limit.rlim_cur = limit.rlim_max = bytes;
  return setrlimit(RLIMIT_FSIZE, &limit) == 0 && signal(SIGXFSZ, SIG_IGN) != SIG_ERR;
}

static _Noreturn void become(char **argv, unsigned long long file_bytes, const sigset_t *mask) {
  /* Somebody may kill us alone. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!limit_files((rlim_t)file_bytes)) _exit(NOT_EXECUTABLE);
  sigprocmask(SIG_SETMASK, mask, NULL);
  execvp(argv[0], argv);
  _exit(errno == ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

_Noreturn void tied_execute(int life, unsigned long long file_bytes, char **argv) {
  sigset_t child, before;
  struct signalfd_siginfo told;
  int status = 0;
  /* kill(0, …) must reach nobody else. */
  if (getpgrp() != getpid()) setpgid(0, 0);
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, &before);
  int ended = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  pid_t pid = ended < 0 ? -1 : fork();
  if (pid < 0) _exit(FAIL_STATUS);
  if (pid == 0) become(argv, file_bytes, &before);
  struct pollfd wait[2] = {{life, POLLIN, 0}, {ended, POLLIN, 0}};
  while (waitpid(pid, &status, WNOHANG) != pid) {
    if (poll(wait, 2, -1) < 0 && errno != EINTR) kill(0, SIGKILL);
    if (wait[0].revents) kill(0, SIGKILL);
    if (wait[1].revents) (void)!read(ended, &told, sizeof told);
  }
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
