/* Puts the container into the control groups that the caller has made, and asks them at the end whether memory ran out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "report.h"

void cgroup_attach(struct box *b) {
  char path[PATH_MAX], pid[16];
  int length = snprintf(pid, sizeof pid, "%d", (int)b->init);
  for (size_t i = 0; i < b->o.cgroup_count; i++) {
    snprintf(path, sizeof path, "%s/cgroup.procs", b->o.cgroups[i]);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, pid, (size_t)length) != length) fail("BOX_CGROUP", "attach to a cgroup", path, errno);
    close(fd);
  }
}

/* memory.events (v2) and memory.oom_control (v1) both have a line `oom_kill N`. */
static bool killed_for_memory(const char *folder, const char *file) {
  char path[PATH_MAX], text[1024];
  snprintf(path, sizeof path, "%s/%s", folder, file);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  if (length <= 0) return false;
  text[length] = 0;
  const char *line = strstr(text, "oom_kill ");
  return line && strtoul(line + strlen("oom_kill "), NULL, 10) > 0;
}

bool cgroup_saw_memory_kill(const struct box *b) {
  for (size_t i = 0; i < b->o.cgroup_count; i++)
    if (killed_for_memory(b->o.cgroups[i], "memory.events") || killed_for_memory(b->o.cgroups[i], "memory.oom_control")) return true;
  return false;
}

/* What cannot be removed (a launcher that was killed) is swept by the next one's caller. */
void cgroup_remove(const struct box *b) {
  for (size_t i = 0; i < b->o.cgroup_count; i++) rmdir(b->o.cgroups[i]);
}
