/* What of /proc and /sys is hidden or read-only, the same paths as Docker's. Missing ones are skipped: kernels differ. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"
#include "mounts.h"
#include "report.h"
#include "resolve.h"

static const char *const hidden[] = {
    "proc/acpi",       "proc/asound",      "proc/interrupts", "proc/kcore",  "proc/keys",
    "proc/latency_stats", "proc/sched_debug", "proc/scsi",    "proc/timer_list", "proc/timer_stats",
    "sys/devices/virtual/powercap", "sys/firmware",
};
static const char *const frozen[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};

static void hide(struct box *b, const char *real) {
  char path[FD_PATH], null[FD_PATH];
  struct stat info;
  int fd = open_real(b->root, real, 0);
  if (fd < 0) return;
  fd_path(path, fd);
  fd_path(null, b->host_device[0]);
  int result = fstat(fd, &info);
  if (result == 0 && S_ISDIR(info.st_mode))
    result = mount("tmpfs", path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=0k,mode=755");
  else if (result == 0)
    result = mount(null, path, NULL, MS_BIND, NULL);
  if (result < 0) fail("BOX_MOUNT", "hide a path", real, errno);
  close(fd);
}

static void freeze(struct box *b, const char *real) {
  char path[FD_PATH];
  int fd = open_real(b->root, real, 0);
  if (fd < 0) return;
  fd_path(path, fd);
  if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0) fail("BOX_MOUNT", "make a path read-only", real, errno);
  mount_restrict(b->root, real, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
  close(fd);
}

void masks_mount(struct box *b) {
  for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) hide(b, hidden[i]);
  for (size_t i = 0; i < sizeof frozen / sizeof *frozen; i++) freeze(b, frozen[i]);
}
