/*
 * /dev: a small tmpfs with the few devices that every program expects, terminals of its own, shared memory and queues.
 * Attack: root in a container may call mknod(), and a node for the host's disk would open the whole host. Docker stops it
 * with device cgroups, which not every host has; here every mount but these single devices is `nodev`, always.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"
#include "mounts.h"
#include "report.h"
#include "resolve.h"

/* Binds what is open at `from` over a new empty file of /dev. */
static void device_bind(int dev, const char *name, int from) {
  char source[FD_PATH], target[FD_PATH];
  int fd = openat(dev, name, O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, 0666);
  if (fd < 0) fail("BOX_DEVICE", "make a device", name, errno);
  fd_path(source, from);
  fd_path(target, fd);
  if (mount(source, target, NULL, MS_BIND, NULL) < 0) fail("BOX_DEVICE", "bind a device", name, errno);
  close(fd);
}

void devices_mount(struct box *b) {
  static const char *const names[] = {"null", "zero", "full", "random", "urandom", "tty"};
  static const char *const links[][2] = {{"fd", "/proc/self/fd"},     {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
                                         {"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"},    {"ptmx", "pts/ptmx"}};
  static const char *const folders[] = {"pts", "shm", "mqueue"};
  mount_file_system(b, "tmpfs", "/dev", MS_NOSUID | (b->o.insecure ? 0 : MS_NODEV) | MS_STRICTATIME, "mode=755,size=64k");
  int dev = open_real(b->root, "dev", O_DIRECTORY);
  if (dev < 0) fail("BOX_DEVICE", "open /dev", "/dev", errno);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) device_bind(dev, names[i], b->host_device[i]);
  for (size_t i = 0; i < sizeof links / sizeof *links; i++)
    if (symlinkat(links[i][1], dev, links[i][0]) < 0) fail("BOX_DEVICE", "link a device", links[i][0], errno);
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
    if (mkdirat(dev, folders[i], 0755) < 0) fail("BOX_DEVICE", "make a folder of /dev", folders[i], errno);
  close(dev);
}

void pts_mount(struct box *b) {
  unsigned long flags = MS_NOSUID | MS_NOEXEC;
  char path[FD_PATH];
  int fd = open_real(b->root, "dev/pts", O_DIRECTORY);
  if (fd < 0) fail("BOX_DEVICE", "open /dev/pts", "/dev/pts", errno);
  fd_path(path, fd);
  /* Group 5 is `tty` wherever it matters; with a single-id map there is no such group. */
  if (mount("devpts", path, "devpts", flags, "newinstance,ptmxmode=0666,mode=0620,gid=5") < 0 &&
      (errno != EINVAL || mount("devpts", path, "devpts", flags, "newinstance,ptmxmode=0666,mode=0620") < 0))
    fail("BOX_MOUNT", "mount a file system", "/dev/pts", errno);
  close(fd);
}

void shm_mount(struct box *b) {
  char data[64];
  snprintf(data, sizeof data, "mode=1777,size=%llu", b->o.shm_size ? b->o.shm_size : 64ull << 20);
  mount_file_system(b, "tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV | MS_NOEXEC, data);
}

void mqueue_mount(struct box *b) {
  char path[FD_PATH];
  int fd = open_real(b->root, "dev/mqueue", O_DIRECTORY);
  if (fd < 0) fail("BOX_DEVICE", "open /dev/mqueue", "/dev/mqueue", errno);
  fd_path(path, fd);
  /* A kernel without message queues is no reason not to run. */
  if (mount("mqueue", path, "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 && errno != ENODEV)
    fail("BOX_MOUNT", "mount a file system", "/dev/mqueue", errno);
  close(fd);
}
