/*
 * wbuild-sandbox: makes a container, runs one process in it, tells how that ended.
 *   wbuild-sandbox run OPTIONS_FD REPORT_FD     see README.md for both
 *   wbuild-sandbox --print-plan OPTIONS_FD      prints what `run` would do
 *   wbuild-sandbox userns OPTIONS_FD REPORT_FD  executes a command in a user namespace of its own
 *   wbuild-sandbox tied LIFE_FD BYTES COMMAND…  executes a command of the host that ends with whoever holds the other end
 *   wbuild-sandbox probe FOLDER                 tells what this host can do; FOLDER is for a trial mount
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plan.h"
#include "report.h"

extern char **environ;

/*
 * Goes on as a sealed copy of itself in memory.
 * Attack (CVE-2019-5736): root in the container opens /proc/PID/exe of the launcher and overwrites the host's program.
 * Where the kernel refuses executable memory files we go on as we are: process 1 is not dumpable either, which closes
 * /proc/1/exe to everybody without CAP_SYS_PTRACE.
 */
static void become_sealed_copy(char **argv) {
#ifndef __SANITIZE_ADDRESS__
  int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (self < 0) return;
  int seals = fcntl(self, F_GET_SEALS);
  if (seals >= 0 && (seals & F_SEAL_WRITE)) {
    close(self);
    return;
  }
  struct stat info;
  int copy = memfd_create("wbuild-sandbox", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (copy < 0 || fstat(self, &info) < 0) return;
  for (off_t left = info.st_size; left > 0;) {
    ssize_t sent = sendfile(copy, self, NULL, (size_t)left);
    if (sent <= 0) return;
    left -= sent;
  }
  if (fcntl(copy, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) return;
  fexecve(copy, argv, environ);
#else
  (void)argv;
#endif
}

static int descriptor(const char *text) {
  char *end;
  long value = strtol(text, &end, 10);
  if (end == text || *end || value < 0 || value > 1 << 20 || fcntl((int)value, F_GETFD) < 0) {
    fprintf(stderr, "wbuild-sandbox: %s is not an open descriptor\n", text);
    exit(2);
  }
  fcntl((int)value, F_SETFD, FD_CLOEXEC);
  return (int)value;
}

int main(int argc, char **argv) {
  static struct box box;
  if (argc == 4 && (strcmp(argv[1], "run") == 0 || strcmp(argv[1], "userns") == 0)) {
    bool run = argv[1][0] == 'r';
    if (run) become_sealed_copy(argv);
    signal(SIGPIPE, SIG_IGN);
    report_open(descriptor(argv[3]));
    box.control = descriptor(argv[2]);
    options_read(&box.o, box.control);
    if (run) supervise(&box);
    userns_execute(&box.o);
  }
  if (argc == 3 && strcmp(argv[1], "--print-plan") == 0) {
    options_read(&box.o, descriptor(argv[2]));
    plan_print(&box);
    return 0;
  }
  if (argc >= 5 && strcmp(argv[1], "tied") == 0) tied_execute(descriptor(argv[2]), strtoull(argv[3], NULL, 10), argv + 4);
  if (argc == 3 && strcmp(argv[1], "probe") == 0) return probe_host(argv[2]);
  fprintf(stderr, "usage: wbuild-sandbox run|userns OPTIONS_FD REPORT_FD | --print-plan OPTIONS_FD | tied LIFE_FD BYTES COMMAND... | probe FOLDER\n");
  return 2;
}
