/* Process 1 of the container: makes it, starts the process, passes signals on, reaps what is orphaned. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plan.h"
#include "report.h"

/* Where init keeps what it still needs; everything else is closed. */
enum { SYNC = 3, FAILED = 4, REPORT = 5 };

void wait_for_go(struct box *b) {
  struct go go;
  ssize_t got;
  while ((got = recv(b->sync, &go, sizeof go, 0)) < 0 && errno == EINTR) continue;
  /* The supervisor has failed, and said so, or is dead: nobody waits for us. */
  if (got != sizeof go || go.kind != 'g') _exit(FAIL_STATUS);
  b->address = go.address;
}

static void say(char kind, int status) {
  struct word word = {kind, status};
  (void)!send(SYNC, &word, sizeof word, MSG_NOSIGNAL);
}

/* Descriptors first go out of the way, so that no number is overwritten while it is still needed. */
static void place(int from, int to) {
  if (dup2(from, to) < 0 || fcntl(to, F_SETFD, FD_CLOEXEC) < 0) fail("BOX_INIT", "keep a descriptor", "", errno);
}

static void close_from(unsigned first) {
  if (syscall(SYS_close_range, first, ~0u, 0u) == 0) return;
  for (int fd = (int)first; fd < 4096; fd++) close(fd);
}

static _Noreturn void process_run(struct box *b, int failed) {
  int report = fcntl(report_descriptor(), F_DUPFD_CLOEXEC, 64), notify = fcntl(failed, F_DUPFD_CLOEXEC, 64);
  int out = fcntl(b->output[0][1], F_DUPFD_CLOEXEC, 64), err = fcntl(b->output[1][1], F_DUPFD_CLOEXEC, 64);
  int terminal = fcntl(b->terminal, F_DUPFD_CLOEXEC, 64);
  if (b->user_space >= 0) b->user_space = fcntl(b->user_space, F_DUPFD_CLOEXEC, 64);
  if (report < 0 || notify < 0) fail("BOX_INIT", "keep a descriptor", "", errno);
  report_open(report);
  place(notify, FAILED);
  fail_notify(FAILED);
  b->output[0][1] = out, b->output[1][1] = err, b->terminal = terminal;
  plan_carry_out(b, PROCESS);
  command_execute(b);
}

/* True when the process was executed; false when fail() has told why not. */
static bool executed(void) {
  char byte;
  ssize_t got;
  while ((got = read(FAILED, &byte, 1)) < 0 && errno == EINTR) continue;
  return got == 0;
}

static _Noreturn void watch(pid_t process) {
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    siginfo_t info;
    int number = sigwaitinfo(&all, &info);
    if (number < 0) continue;
    if (number != SIGCHLD) {
      kill(process, number);
      continue;
    }
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
      if (pid != process) continue;
      say('x', status);
      /* The kernel now kills whatever is left in our process namespace. */
      _exit(0);
    }
  }
}

_Noreturn void init_run(struct box *b) {
  int pipe_ends[2];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  plan_carry_out(b, INIT);
  /* Attack: /proc/1/{exe,fd,mem,environ} are open to root inside, who is our user; nobody may look into what is not dumpable. */
  if (prctl(PR_SET_DUMPABLE, 0) < 0) fail("BOX_INIT", "hide the first process", "", errno);
  if (pipe2(pipe_ends, O_CLOEXEC) < 0) fail("BOX_INIT", "make a pipe", "", errno);
  pid_t process = fork();
  if (process < 0) fail("BOX_INIT", "fork", "", errno);
  if (process == 0) {
    close(pipe_ends[0]);
    process_run(b, pipe_ends[1]);
  }
  int sync = fcntl(b->sync, F_DUPFD_CLOEXEC, 64), failed = fcntl(pipe_ends[0], F_DUPFD_CLOEXEC, 64);
  int report = fcntl(report_descriptor(), F_DUPFD_CLOEXEC, 64), null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int i = 0; i < 3; i++) dup2(null, i);
  place(sync, SYNC);
  place(failed, FAILED);
  place(report, REPORT);
  report_open(REPORT);
  close_from(REPORT + 1);
  if (!executed()) _exit(FAIL_STATUS);
  close(FAILED);
  say('s', 0);
  watch(process);
}
