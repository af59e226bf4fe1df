/* pasta: an ordinary user's way out of a network namespace. It runs as long as the container does. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "report.h"

#define PASTA_PATIENCE_MS 10000

static pid_t keeper = -1;

/*
 * pasta changes its credentials, which clears the signal for the parent's death. So it lives in a process namespace whose
 * first process does nothing but wait: when we are killed that one dies, and pasta with it.
 */
static _Noreturn void keep(struct box *b, const char *fifo) {
  char where[48];
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_DFL);
  snprintf(where, sizeof where, "/proc/%d/ns/net", (int)b->init);
  pid_t pid = fork();
  if (pid == 0) {
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    /* No port of the host reaches in, none of the container's reaches out, and the gateway's address is not the host. */
    execle(b->o.pasta, "pasta", "--foreground", "--quiet", "--config-net", "--no-map-gw", "-t", "none", "-u", "none", "-T", "none",
           "-U", "none", "--pid", fifo, "--netns", where, (char *)NULL, (char *[]){NULL});
    _exit(127);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  _exit(1);
}

/* It writes its pid file when it is ready; the file is a fifo, so that we need not poll a folder. */
void pasta_start(struct box *b) {
  char folder[] = "/tmp/wbuild-pasta-XXXXXX", fifo[64];
  if (!b->o.pasta) fail("BOX_OPTIONS", "read the options", "network.pasta", EINVAL);
  if (!mkdtemp(folder)) fail("BOX_NETWORK", "make a folder for pasta", folder, errno);
  snprintf(fifo, sizeof fifo, "%s/pid", folder);
  int ready = mkfifo(fifo, 0600) < 0 ? -1 : open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  int error = errno;
  if (ready >= 0) {
    /* As clone(CLONE_NEWPID), but without changing our own children's namespace for good. */
    int here = open("/proc/self/ns/pid_for_children", O_RDONLY | O_CLOEXEC);
    if (here < 0 || unshare(CLONE_NEWPID) < 0) fail("BOX_NETWORK", "make a namespace for pasta", "", errno);
    keeper = fork();
    if (keeper == 0) keep(b, fifo);
    setns(here, CLONE_NEWPID);
    close(here);
    error = ETIMEDOUT;
    struct pollfd wait = {ready, POLLIN, 0};
    for (int left = PASTA_PATIENCE_MS; keeper > 0 && left > 0; left -= 50) {
      char byte;
      if (poll(&wait, 1, 50) > 0 && read(ready, &byte, 1) == 1) {
        error = 0;
        break;
      }
      if (waitpid(keeper, NULL, WNOHANG) == keeper) {
        keeper = -1;
        error = ECHILD;
      }
    }
    close(ready);
  }
  unlink(fifo);
  rmdir(folder);
  if (error) fail("BOX_NETWORK", "start pasta", b->o.pasta, error);
}

void pasta_stop(void) {
  if (keeper <= 0) return;
  kill(keeper, SIGKILL);
  waitpid(keeper, NULL, 0);
}
