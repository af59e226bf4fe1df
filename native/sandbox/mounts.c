/* Mounts into the container's root: proc, sys and what the caller asked for. Every target is resolved inside the root. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "box.h"
#include "mounts.h"
#include "report.h"
#include "resolve.h"

void fd_path(char into[FD_PATH], int fd) { snprintf(into, FD_PATH, "/proc/self/fd/%d", fd); }

void name_folder(int at, const char *name, int fd) {
  char path[FD_PATH];
  fd_path(path, fd);
  if (symlinkat(path, at, name) < 0) fail("BOX_MOUNT", "name a layer", name, errno);
}

/* The host's own flags on what is bound; the kernel refuses to drop them in a user namespace. */
static unsigned long kept_flags(int fd) {
  struct statvfs info;
  if (fstatvfs(fd, &info) < 0) return 0;
  return (info.f_flag & ST_RDONLY ? MS_RDONLY : 0) | (info.f_flag & ST_NOSUID ? MS_NOSUID : 0) |
         (info.f_flag & ST_NODEV ? MS_NODEV : 0) | (info.f_flag & ST_NOEXEC ? MS_NOEXEC : 0);
}

void mount_restrict(int root, const char *real, unsigned long flags) {
  int fd = open_real(root, real, 0);
  if (fd < 0) fail("BOX_MOUNT", "open a mount", real, errno);
  struct mount_attr attributes = {
      .attr_set = (flags & MS_RDONLY ? MOUNT_ATTR_RDONLY : 0) | (flags & MS_NODEV ? MOUNT_ATTR_NODEV : 0) |
                  (flags & MS_NOSUID ? MOUNT_ATTR_NOSUID : 0) | (flags & MS_NOEXEC ? MOUNT_ATTR_NOEXEC : 0)};
  if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) < 0) {
    char path[FD_PATH];
    fd_path(path, fd);
    /* Before Linux 5.12: the top mount only, so nothing that has mounts below it may be asked for read-only there. */
    if (errno != ENOSYS || mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | flags | kept_flags(fd), NULL) < 0)
      fail("BOX_MOUNT", "restrict a mount", real, errno);
  }
  close(fd);
}

int target_open(struct box *b, const char *target, bool folder, char real[PATH_MAX]) {
  int missing = resolve_in(b->root, target, real);
  if (missing < 0) fail("BOX_MOUNT_TARGET", "look up a mount point", target, errno);
  /* Below a mount of the caller's, or in a root that is one folder: made where it is. */
  if (missing && make_real(b->root, real, folder) < 0) fail("BOX_MOUNT_TARGET", "make a mount point", target, errno);
  int fd = open_real(b->root, real, 0);
  if (fd < 0) fail("BOX_MOUNT_TARGET", "open a mount point", target, errno);
  return fd;
}

/* Attack (CVE-2019-19921): with `/proc` a link in the image, masks and read-only paths would land somewhere else. */
static int own_target(struct box *b, const char *target) {
  char real[PATH_MAX];
  int fd = target_open(b, target, true, real);
  if (strcmp(real, target + 1) != 0) fail("BOX_ROOT", "mount over a link of the image", target, ELOOP);
  return fd;
}

void mount_file_system(struct box *b, const char *type, const char *target, unsigned long flags, const char *data) {
  char path[FD_PATH];
  int fd = own_target(b, target);
  fd_path(path, fd);
  if (mount(type, path, type, flags, data) < 0) fail("BOX_MOUNT", "mount a file system", target, errno);
  close(fd);
}

void proc_mount(struct box *b) { mount_file_system(b, "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL); }

void sys_mount(struct box *b) {
  unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | (b->o.insecure ? 0 : MS_RDONLY);
  char path[FD_PATH], host[FD_PATH];
  int fd = own_target(b, "/sys");
  fd_path(path, fd);
  if (mount("sysfs", path, "sysfs", flags, NULL) < 0) {
    /* Ordinary users on the host's network may not mount sysfs: give them the host's, read-only with all that is below. */
    fd_path(host, b->host_sys);
    if (errno != EPERM || mount(host, path, NULL, MS_BIND | MS_REC, NULL) < 0) fail("BOX_MOUNT", "mount a file system", "/sys", errno);
    mount_restrict(b->root, "sys", flags);
  }
  close(fd);
  close(b->host_sys);
}

/* The unified hierarchy as seen from our cgroup, read-only: run-times of languages read their limits there. Best effort. */
void cgroup_mount(struct box *b) {
  char path[FD_PATH];
  int fd = open_real(b->root, "sys/fs/cgroup", O_DIRECTORY);
  if (fd < 0) return;
  fd_path(path, fd);
  unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | (b->o.insecure ? 0 : MS_RDONLY);
  if (mount("cgroup2", path, "cgroup2", flags, NULL) < 0) report_warning("BOX_CGROUP_VIEW", "/sys/fs/cgroup", errno);
  close(fd);
}

static unsigned char nibble(char digit) { return (unsigned char)(digit <= '9' ? digit - '0' : digit - 'a' + 10); }

/* A small file of ours, in the staging tmpfs: resolv.conf, hosts, hostname, secrets. It is never on a disk. */
static int make_file(struct box *b, size_t index) {
  const struct mount_option *m = &b->o.mounts[index];
  char name[24];
  snprintf(name, sizeof name, "file%zu", index);
  int fd = openat(b->stage, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  size_t length = m->hex ? strlen(m->hex) / 2 : strlen(m->source);
  unsigned char *bytes = m->hex ? malloc(length + 1) : (unsigned char *)m->source;
  if (!bytes) fail("BOX_MOUNT", "write a file to mount", m->target, ENOMEM);
  for (size_t i = 0; m->hex && i < length; i++) bytes[i] = (unsigned char)(nibble(m->hex[2 * i]) << 4 | nibble(m->hex[2 * i + 1]));
  /* An owner that the id map does not have: there is nobody but root then, and the file stays root's. */
  if (fd < 0 || write(fd, bytes, length) != (ssize_t)length || (fchown(fd, m->uid, m->gid) < 0 && errno != EINVAL) ||
      fchmod(fd, m->mode) < 0)
    fail("BOX_MOUNT", "write a file to mount", m->target, errno);
  if (m->hex) free(bytes);
  return fd;
}

/* The source with what is written to it kept in memory, to be forgotten with the container. We are in the staging folder. */
static void overlay_mount(struct box *b, size_t i, const char *target) {
  char place[24], upper[32], work[32], options[200];
  snprintf(place, sizeof place, "scratch%zu", i);
  snprintf(upper, sizeof upper, "%s/u", place);
  snprintf(work, sizeof work, "%s/w", place);
  if (mkdir(place, 0755) < 0 || mount("wbuild", place, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0 || mkdir(upper, 0755) < 0 ||
      mkdir(work, 0755) < 0)
    fail("BOX_MOUNT", "make room for a writable mount", b->o.mounts[i].target, errno);
  snprintf(options, sizeof options, "lowerdir=/proc/self/fd/%d,upperdir=%s,workdir=%s%s", b->source[i], upper, work,
           b->o.userxattr ? ",userxattr" : "");
  unsigned long flags = (b->o.insecure ? 0 : MS_NODEV) | (b->o.mounts[i].readonly ? MS_RDONLY : 0);
  if (mount("overlay", target, "overlay", flags, options) < 0) fail("BOX_MOUNT", "mount an overlay", b->o.mounts[i].target, errno);
}

void mount_one(struct box *b, size_t i) {
  const struct mount_option *m = &b->o.mounts[i];
  char real[PATH_MAX], path[FD_PATH], source[FD_PATH], data[96];
  struct stat info;
  int from = m->kind == MOUNT_FILE ? make_file(b, i) : b->source[i];
  bool folder = m->kind == MOUNT_TMPFS || m->kind == MOUNT_OVERLAY || (fstat(from, &info) == 0 && S_ISDIR(info.st_mode));
  int fd = target_open(b, m->target, folder, real);
  /* Attack (CVE-2019-16884, CVE-2023-28642): a mount over /proc or /sys fakes what later steps of making a container trust. */
  if (!*real || !strcmp(real, "proc") || !strncmp(real, "proc/", 5) || !strcmp(real, "sys") || !strncmp(real, "sys/", 4))
    fail("BOX_MOUNT_TARGET", "mount over /, /proc or /sys", m->target, EINVAL);
  fd_path(path, fd);
  if (m->kind == MOUNT_TMPFS) {
    int length = snprintf(data, sizeof data, "mode=%o,uid=%u,gid=%u", (unsigned)m->mode, m->uid, m->gid);
    if (m->size) snprintf(data + length, sizeof data - (size_t)length, ",size=%llu", m->size);
    if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | (m->readonly ? MS_RDONLY : 0), data) < 0)
      fail("BOX_MOUNT", "mount a tmpfs", m->target, errno);
  } else if (m->kind == MOUNT_OVERLAY) {
    overlay_mount(b, i, path);
    close(from);
  } else {
    fd_path(source, from);
    if (mount(source, path, NULL, MS_BIND | (m->device ? 0 : MS_REC), NULL) < 0) fail("BOX_MOUNT", "bind", m->target, errno);
    /* The caller decides what is bound, but device nodes in it stay asleep: see devices.c. */
    /* Attack: a folder of devices (/dev itself) where a single one was granted. */
    if (m->device && (fstat(from, &info) < 0 || !(S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode))))
      fail("BOX_DEVICE", "give as a device what is none", m->source, ENODEV);
    unsigned long flags = (m->readonly ? MS_RDONLY : 0) | (b->o.insecure || m->device ? 0 : MS_NODEV);
    if (m->kind == MOUNT_FILE && !(m->mode & 0111)) flags |= MS_NOEXEC;
    mount_restrict(b->root, real, flags);
    close(from);
  }
  close(fd);
}
