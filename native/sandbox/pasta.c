/* pasta: an ordinary user's way out of a network namespace. It runs as long as the container does. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "report.h"

#define PASTA_PATIENCE_MS 10000

#define FIFO "/tmp/ready"
#define NETNS "/tmp/net"

static pid_t keeper = -1;

/* No port of the host reaches in, none of the container's reaches out, and the gateway's address is not the host. */
static _Noreturn void run_pasta(const char *program) {
  int null = open("/dev/null", O_RDWR);
  for (int i = 0; i < 3; i++) dup2(null, i);
  execle(program, "pasta", "--foreground", "--quiet", "--config-net", "--no-map-gw", "-t", "none", "-u", "none", "-T", "none", "-U",
         "none", "--pid", FIFO, "--netns", NETNS, (char *)NULL, (char *[]){NULL});
  _exit(127);
}

/*
 * pasta changes its credentials, which clears the signal for the parent's death. So it lives in a process namespace whose
 * first process, this one, does nothing but wait: when the supervisor is killed this one dies, and pasta with it.
 * pasta also gives up the capability to look into /proc/PID/ns, and wants a file for its process id, which it writes when it
 * is ready: both are files in a tmpfs of a mount namespace of their own, which leaves nothing behind however we end.
 */
static _Noreturn void keep(struct box *b, int ready) {
  char where[48], byte;
  sigset_t none;
  int status = 0;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  snprintf(where, sizeof where, "/proc/%d/ns/net", (int)b->init);
  int network = open(where, O_RDONLY | O_CLOEXEC);
  if (network < 0 || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
      mount("wbuild", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700,size=64k") < 0)
    fail("BOX_NETWORK", "make a place for pasta", where, errno);
  int point = open(NETNS, O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, 0600);
  snprintf(where, sizeof where, "/proc/self/fd/%d", network);
  int fifo = mkfifo(FIFO, 0600) < 0 ? -1 : open(FIFO, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (point < 0 || fifo < 0 || mount(where, NETNS, NULL, MS_BIND, NULL) < 0) fail("BOX_NETWORK", "make a place for pasta", NETNS, errno);
  pid_t pid = fork();
  if (pid == 0) run_pasta(b->o.pasta);
  for (int tries = 0; tries < PASTA_PATIENCE_MS / 20; tries++) {
    struct pollfd wait = {fifo, POLLIN, 0};
    if (pid < 0 || waitpid(pid, NULL, WNOHANG) == pid) _exit(1);
    if (poll(&wait, 1, 20) > 0 && read(fifo, &byte, 1) == 1) {
      (void)!write(ready, "!", 1);
      close(ready);
      while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
      _exit(1);
    }
  }
  _exit(1);
}

void pasta_start(struct box *b) {
  int ready[2];
  char byte;
  if (!b->o.pasta) fail("BOX_OPTIONS", "read the options", "network.pasta", EINVAL);
  /* The namespace is also that of our later children: we make none. */
  if (pipe2(ready, O_CLOEXEC) < 0 || unshare(CLONE_NEWPID) < 0) fail("BOX_NETWORK", "make a namespace for pasta", "", errno);
  keeper = fork();
  if (keeper == 0) keep(b, ready[1]);
  close(ready[1]);
  ssize_t got;
  while ((got = read(ready[0], &byte, 1)) < 0 && errno == EINTR) continue;
  close(ready[0]);
  if (got != 1) fail("BOX_NETWORK", "start pasta", b->o.pasta, ECHILD);
}

void pasta_stop(void) {
  if (keeper <= 0) return;
  kill(keeper, SIGKILL);
  waitpid(keeper, NULL, 0);
}
