/* The supervisor: stays in the host's namespaces, starts the init, copies output, passes signals, tells the end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plan.h"
#include "pump.h"
#include "report.h"

static struct pump streams[2];
static int stream_count;
/* What is known so far. */
static struct { bool started, told, gone; int status, init_status; } so_far;

/* The caller waits for this line, or for ours of a failure. */
static void hear(struct box *b, int *master) {
  union { struct cmsghdr header; char room[CMSG_SPACE(sizeof(int))]; } control;
  for (;;) {
    struct word word;
    struct iovec part = {&word, sizeof word};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
    if (recvmsg(b->sync, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof word) return;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (word.kind == 't' && header && header->cmsg_type == SCM_RIGHTS) {
      memcpy(master, CMSG_DATA(header), sizeof *master);
      tty_begin(*master);
      pump_begin(&streams[0], *master, 1);
      stream_count = 1;
    } else if (word.kind == 's' && !so_far.started) {
      so_far.started = true;
      report_started(b->init);
    } else if (word.kind == 'x') {
      so_far.told = true;
      so_far.status = word.status;
    }
  }
}

/* Keys go to the terminal's master; the end of what is no terminal becomes the end-of-file key. */
static void type_keys(int master, bool *open) {
  char keys[4096];
  ssize_t got = read(0, keys, sizeof keys);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) {
    keys[0] = 4;
    got = 1;
    *open = false;
  }
  for (ssize_t at = 0; at < got;) {
    ssize_t sent = write(master, keys + at, (size_t)(got - at));
    if (sent > 0) at += sent;
    else if (errno != EINTR && errno != EAGAIN) return;
    else pump_move(&streams[0]);
  }
}

/* A byte is a signal's number; the end means that the caller has gone, and then so must all that it started. */
static void obey(struct box *b) {
  unsigned char orders[64];
  ssize_t got = read(b->control, orders, sizeof orders);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) {
    kill(b->init, SIGKILL);
    close(b->control);
    b->control = -1;
  }
  for (ssize_t i = 0; i < got; i++)
    if (orders[i] > 0 && orders[i] < NSIG) kill(b->init, orders[i]);
}

static void signalled(struct box *b, int signals) {
  struct signalfd_siginfo info;
  while (read(signals, &info, sizeof info) == sizeof info) {
    int number = (int)info.ssi_signo;
    if (number == SIGCHLD) {
      if (!so_far.gone && waitpid(b->init, &so_far.init_status, WNOHANG) == b->init) so_far.gone = true;
    } else if (number == SIGWINCH && b->o.tty) {
      tty_resize();
    } else if (number != SIGPIPE && number != SIGTTOU && number != SIGTTIN && number != SIGTSTP) {
      kill(b->init, number);
    }
  }
}

static bool streams_done(void) {
  for (int i = 0; i < stream_count; i++)
    if (!streams[i].finished) return false;
  return true;
}

/* Every process of the container is dead: what is in the pipes is all that there will be, also if someone else holds an end. */
static void drain(struct box *b) {
  while (!streams_done() && b->control >= 0) {
    struct pollfd wait[3] = {{b->control, POLLIN, 0}, {-1, 0, 0}, {-1, 0, 0}};
    for (int i = 0; i < stream_count; i++) {
      pump_move(&streams[i]);
      if (streams[i].have == 0 && !streams[i].finished) pump_move(&streams[i]), streams[i].finished = streams[i].have == 0;
      if (!streams[i].finished) wait[i + 1] = pump_interest(&streams[i]);
    }
    if (streams_done()) return;
    poll(wait, 3, -1);
    if (wait[0].revents) obey(b);
  }
}

static _Noreturn void finish(struct box *b) {
  int ignored = -1;
  hear(b, &ignored);
  drain(b);
  tty_end();
  pasta_stop();
  bool memory = cgroup_saw_memory_kill(b);
  cgroup_remove(b);
  if (!so_far.told && WIFEXITED(so_far.init_status)) _exit(WEXITSTATUS(so_far.init_status));
  report_exited(so_far.told ? so_far.status : so_far.init_status, memory);
  _exit(0);
}

static _Noreturn void watch(struct box *b, int signals) {
  bool keys = b->o.tty;
  int master = -1;
  if (b->o.relay && !b->o.tty) {
    for (int i = 0; i < 2; i++) {
      pump_begin(&streams[i], b->output[i][0], i + 1);
      fcntl(i + 1, F_SETFL, fcntl(i + 1, F_GETFL) | O_NONBLOCK);
    }
    stream_count = 2;
  }
  for (;;) {
    struct pollfd wait[6] = {{signals, POLLIN, 0}, {b->control, POLLIN, 0}, {b->sync, POLLIN, 0}, {-1, 0, 0}, {-1, 0, 0}, {-1, 0, 0}};
    for (int i = 0; i < stream_count; i++) wait[3 + i] = pump_interest(&streams[i]);
    if (keys && master >= 0) wait[5] = (struct pollfd){0, POLLIN, 0};
    /* The init's end closes with the init; SIGCHLD tells us the rest. */
    if (so_far.told) wait[2].fd = -1;
    if (poll(wait, 6, -1) < 0 && errno != EINTR) fail("BOX_SUPERVISE", "wait", "", errno);
    if (wait[2].revents) {
      hear(b, &master);
      if (wait[2].revents & POLLHUP) so_far.told ? 0 : (void)poll(wait, 1, 1000);
    }
    if (wait[1].revents) obey(b);
    if (wait[5].revents) type_keys(master, &keys);
    for (int i = 0; i < stream_count; i++) pump_move(&streams[i]);
    if (wait[0].revents) signalled(b, signals);
    if (so_far.gone) finish(b);
  }
}

/* As fork(), into new namespaces. */
static pid_t start_init(const struct box *b) {
  unsigned long flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | SIGCHLD;
  if (b->o.network != NETWORK_HOST) flags |= CLONE_NEWNET;
  return (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
}

_Noreturn void supervise(struct box *b) {
  sigset_t all;
  struct rlimit files;
  int sync[2];
  /* The caller may have died before this; then the control descriptor is at its end, which the loop sees. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max && files.rlim_cur < 4096) {
    files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sync) < 0) fail("BOX_SUPERVISE", "make a socket", "", errno);
  b->terminal = b->output[0][0] = b->output[0][1] = b->output[1][0] = b->output[1][1] = -1;
  if (b->o.relay && !b->o.tty)
    if (pipe2(b->output[0], O_CLOEXEC) < 0 || pipe2(b->output[1], O_CLOEXEC) < 0) fail("BOX_SUPERVISE", "make a pipe", "", errno);
  b->user_space = -1;
  plan_carry_out(b, BEFORE);
  b->init = start_init(b);
  if (b->init < 0) fail("BOX_NAMESPACE", "make namespaces", "", errno);
  if (b->init == 0) {
    close(sync[0]);
    close(signals);
    close(b->control);
    if (b->o.relay && !b->o.tty) close(b->output[0][0]), close(b->output[1][0]);
    b->sync = sync[1];
    init_run(b);
  }
  close(sync[1]);
  b->sync = sync[0];
  if (b->o.relay && !b->o.tty) close(b->output[0][1]), close(b->output[1][1]);
  plan_carry_out(b, SUPERVISOR);
  struct go go = {'g', b->address};
  if (send(b->sync, &go, sizeof go, MSG_NOSIGNAL) != sizeof go && errno != EPIPE) fail("BOX_SUPERVISE", "start the container", "", errno);
  watch(b, signals);
}
