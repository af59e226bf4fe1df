/* The system call filter. It is compiled when wbuild is built (see filter/), so that loading it is one system call. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box.h"
#include "report.h"

static const struct sock_filter filter[] = {
#include "filter.inc"
};

/*
 * Loaded with CAP_SYS_ADMIN, before it is dropped, and therefore without no_new_privs, as Docker does: setuid programs in
 * images (sudo, su, ping) keep working. With `no-new-privs` they do not; see README.md.
 */
void seccomp_load(struct box *b) {
  struct sock_fprog program = {sizeof filter / sizeof *filter, (struct sock_filter *)filter};
  if (b->o.no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail("BOX_SECCOMP", "set no_new_privs", "", errno);
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) < 0)
    fail("BOX_SECCOMP", "load the system call filter", "", errno);
}
