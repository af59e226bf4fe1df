/* Resource limits of the process, as `--ulimit` names them. */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "box.h"
#include "report.h"

/* Node raises its own limit of open files to the most; programs that walk all possible descriptors then take minutes. */
static void usual_files(void) {
  struct rlimit now;
  if (getrlimit(RLIMIT_NOFILE, &now) < 0) return;
  if (now.rlim_max > 524288) now.rlim_max = 524288;
  now.rlim_cur = now.rlim_max < 1024 ? now.rlim_max : 1024;
  setrlimit(RLIMIT_NOFILE, &now);
}

void limits_set(struct box *b) {
  if (!b->o.limits[RLIMIT_NOFILE].given) usual_files();
  for (int i = 0; i < RLIM_NLIMITS; i++) {
    const struct limit_option *limit = &b->o.limits[i];
    if (!limit->given || setrlimit((__rlimit_resource_t)i, &limit->value) == 0) continue;
    /* Raising a hard limit needs CAP_SYS_RESOURCE on the host; without it as much as there is. */
    struct rlimit now;
    if (errno != EPERM || getrlimit((__rlimit_resource_t)i, &now) < 0) fail("BOX_LIMIT", "set a resource limit", "", errno);
    struct rlimit most = limit->value;
    if (most.rlim_max > now.rlim_max) most.rlim_max = now.rlim_max;
    if (most.rlim_cur > most.rlim_max) most.rlim_cur = most.rlim_max;
    if (setrlimit((__rlimit_resource_t)i, &most) < 0) fail("BOX_LIMIT", "set a resource limit", "", errno);
    static const char *const names[RLIM_NLIMITS] = {[RLIMIT_AS] = "as", [RLIMIT_CORE] = "core", [RLIMIT_CPU] = "cpu",
        [RLIMIT_DATA] = "data", [RLIMIT_FSIZE] = "fsize", [RLIMIT_LOCKS] = "locks", [RLIMIT_MEMLOCK] = "memlock",
        [RLIMIT_MSGQUEUE] = "msgqueue", [RLIMIT_NICE] = "nice", [RLIMIT_NOFILE] = "nofile", [RLIMIT_NPROC] = "nproc",
        [RLIMIT_RSS] = "rss", [RLIMIT_RTPRIO] = "rtprio", [RLIMIT_RTTIME] = "rttime", [RLIMIT_SIGPENDING] = "sigpending",
        [RLIMIT_STACK] = "stack"};
    report_warning("BOX_LIMIT", names[i], EPERM);
  }
}
