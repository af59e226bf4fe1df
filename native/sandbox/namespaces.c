/* What is left to do about namespaces after clone(): propagation, the cgroup namespace, the host name. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "box.h"
#include "report.h"

/* Attack: without this a mount made here appears on the host where `/` is shared, as systemd makes it. */
void namespace_private_mounts(struct box *b) {
  (void)b;
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) fail("BOX_NAMESPACE", "make mounts private", "/", errno);
}

/* After the supervisor has put us into our cgroup, so that this cgroup is the root of what the container sees. */
void namespace_cgroup(struct box *b) {
  (void)b;
  if (unshare(CLONE_NEWCGROUP) < 0 && errno != EINVAL) fail("BOX_NAMESPACE", "make a cgroup namespace", "", errno);
}

void namespace_hostname(struct box *b) {
  if (b->o.hostname && *b->o.hostname && sethostname(b->o.hostname, strlen(b->o.hostname)) < 0)
    fail("BOX_NAMESPACE", "set the host name", b->o.hostname, errno);
}

static void write_sysctl(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  ssize_t ignored = write(fd, text, strlen(text));
  (void)ignored;
  close(fd);
}

/* As Docker has it: in a network of its own, ports below 1024 and ping need no capability. Best effort: both are comfort. */
void sysctls_write(struct box *b) {
  (void)b;
  write_sysctl("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
  write_sysctl("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
}
