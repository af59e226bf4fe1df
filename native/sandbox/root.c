/* The root of the container: layers and upper folder as one overlay, with our mount points in a layer of their own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "box.h"
#include "mounts.h"
#include "report.h"
#include "resolve.h"

/* Opened before anything is mounted over anything, so that no mount of ours can hide a source. */
void sources_open(struct box *b) {
  static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
  for (size_t i = 0; i < b->o.lowers; i++) {
    b->lower[i] = open(b->o.lower[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (b->lower[i] < 0) fail("BOX_ROOT", "open a layer", b->o.lower[i], errno);
  }
  if (b->o.lowers == 0) fail("BOX_OPTIONS", "read the options", "no root folder", EINVAL);
  b->upper = b->work = -1;
  if (b->o.upper) {
    b->upper = open(b->o.upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (b->upper < 0) fail("BOX_ROOT", "open the upper folder", b->o.upper, errno);
    b->work = b->o.work ? open(b->o.work, O_PATH | O_DIRECTORY | O_CLOEXEC) : (errno = EINVAL, -1);
    if (b->work < 0) fail("BOX_ROOT", "open the work folder", b->o.work, errno);
  }
  for (size_t i = 0; i < b->o.mount_count; i++) {
    const struct mount_option *m = &b->o.mounts[i];
    b->source[i] = -1;
    if (m->kind == MOUNT_LAYERS) layers_open(b, i);
    if (m->kind != MOUNT_BIND && m->kind != MOUNT_OVERLAY) continue;
    b->source[i] = open(m->source, O_PATH | O_CLOEXEC);
    if (b->source[i] < 0) fail("BOX_MOUNT_SOURCE", "open the source of a mount", m->source, errno);
  }
  b->host_sys = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
    char path[32];
    snprintf(path, sizeof path, "/dev/%s", devices[i]);
    b->host_device[i] = open(path, O_PATH | O_CLOEXEC);
    if (b->host_device[i] < 0) fail("BOX_DEVICE", "open a device", path, errno);
  }
}

/* A tmpfs that only we see; it holds short names for the layers, the mount points, and small files to mount. */
void stage_mount(struct box *b) {
  static const char *const places[] = {"/tmp", "/run", "/mnt", "/var"};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    if (mount("wbuild", places[i], "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=64m") < 0) continue;
    strcpy(b->stage_path, places[i]);
    b->stage = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (b->stage < 0 || mkdirat(b->stage, "root", 0755) < 0 || mkdirat(b->stage, "empty", 0755) < 0 ||
        mkdirat(b->stage, "skeleton", 0755) < 0)
      fail("BOX_MOUNT", "make the staging folder", places[i], errno);
    return;
  }
  fail("BOX_MOUNT", "mount the staging tmpfs", "/tmp", errno);
}

/*
 * mount() takes one page of options; 499 links of at most three digits need half of it, whatever the folders are called.
 * `volatile` (kernel 5.10): no sync of the whole file system when the container ends; what must last is synced by the store.
 */
static void overlay(struct box *b, bool skeleton, bool with_upper) {
  char layers[4000], all[4090];
  bool writable = with_upper && !b->o.root_readonly;
  size_t at = (size_t)snprintf(layers, sizeof layers, "lowerdir=%s", skeleton ? "skeleton:" : "");
  for (size_t i = 0; i < b->o.lowers; i++)
    at += (size_t)snprintf(layers + at, sizeof layers - at, "%s%zu", i ? ":" : "", i);
  /* overlayfs wants two folders at least when none of them is an upper one. */
  if (!with_upper && b->o.lowers == 1 && !skeleton) at += (size_t)snprintf(layers + at, sizeof layers - at, ":empty");
  if (with_upper) snprintf(layers + at, sizeof layers - at, ",upperdir=u,workdir=w");
  /* redirect_dir and metacopy would put names and half files into the upper folder that no tar layer can carry. */
  const char *strict = b->o.userxattr ? ",userxattr" : ",redirect_dir=nofollow,metacopy=off,index=off,xino=off";
  const char *least = b->o.userxattr ? ",userxattr" : "";
  const char *tries[] = {strict, ",volatile", strict, "", least, ""};
  unsigned long flags = (b->o.insecure ? 0 : MS_NODEV) | (writable ? 0 : MS_RDONLY);
  for (int i = 0; i < 6; i += 2) {
    snprintf(all, sizeof all, "%s%s%s", layers, tries[i], with_upper ? tries[i + 1] : "");
    if (mount("overlay", "root", "overlay", flags, all) == 0) return;
    /* An older kernel refuses what it does not know: ask for less. */
    if (errno != EINVAL) break;
  }
  fail("BOX_OVERLAY", "mount the overlay", b->o.upper ? b->o.upper : b->o.lower[0], errno);
}

static void copy_xattrs(const char *from, const char *to) {
  char names[4096], value[4096];
  ssize_t length = listxattr(from, names, sizeof names);
  for (char *name = names; length > 0 && name < names + length; name += strlen(name) + 1) {
    ssize_t size = getxattr(from, name, value, sizeof value);
    /* Best effort: a tmpfs takes no user.* before Linux 6.6. */
    if (size >= 0) (void)!setxattr(to, name, value, (size_t)size, 0);
  }
}

/* Gives a folder of the skeleton the metadata of the image's own, for it stands above it in the overlay. */
static void mirror(int root, int skeleton, const char *real) {
  int from = open_real(root, real, O_DIRECTORY), to = open_real(skeleton, real, O_DIRECTORY);
  struct stat info;
  if (from >= 0 && to >= 0 && fstat(from, &info) == 0) {
    char source[FD_PATH], target[FD_PATH];
    fd_path(source, from);
    fd_path(target, to);
    copy_xattrs(source, target);
    const struct timespec times[2] = {info.st_atim, info.st_mtim};
    /* An owner that the id map does not have shows as nobody, and nobody can be given it: the folder stays ours. */
    bool owned = chown(target, info.st_uid, info.st_gid) == 0 || errno == EINVAL || errno == EPERM;
    if (!owned || chmod(target, info.st_mode & 07777) < 0 ||
        utimensat(AT_FDCWD, target, times, 0) < 0)
      fail("BOX_MOUNT", "mirror a folder of the image", real, errno);
  }
  if (from >= 0) close(from);
  if (to >= 0) close(to);
}

/* True when the mount point had to be made. */
static bool mount_point(int root, int skeleton, const char *target, bool folder) {
  char real[PATH_MAX];
  int missing = resolve_in(root, target, real);
  if (missing < 0) fail("BOX_MOUNT_TARGET", "look up a mount point", target, errno);
  if (!missing) return false;
  if (make_real(skeleton, real, folder) < 0) fail("BOX_MOUNT_TARGET", "make a mount point", target, errno);
  /* From the leaf up: making a child has changed its parent's time. */
  for (char *slash; (slash = strrchr(real, '/'));) {
    *slash = 0;
    mirror(root, skeleton, real);
  }
  mirror(root, skeleton, "");
  return true;
}

static bool is_folder(const struct box *b, size_t i) {
  struct stat info;
  enum mount_kind kind = b->o.mounts[i].kind;
  if (kind != MOUNT_BIND && kind != MOUNT_LAYERS) return kind != MOUNT_FILE;
  return fstat(b->source[i], &info) == 0 && S_ISDIR(info.st_mode);
}

static bool skeleton_fill(struct box *b, int root) {
  static const char *const own[] = {"/proc", "/sys", "/dev"};
  int skeleton = openat(b->stage, "skeleton", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool made = false;
  for (size_t i = 0; i < 3; i++) made |= mount_point(root, skeleton, own[i], true);
  for (size_t i = 0; i < b->o.mount_count; i++) made |= mount_point(root, skeleton, b->o.mounts[i].target, is_folder(b, i));
  close(skeleton);
  return made;
}

/*
 * Mount points that the image lacks are made in a layer of our own between image and upper folder, never in the upper folder:
 * what a step changed must not depend on what we mounted, not even a folder's time.
 */
void root_mount(struct box *b) {
  char name[24];
  bool overlaid = b->o.upper || b->o.lowers > 1 || b->o.root_readonly;
  if (fchdir(b->stage) < 0) fail("BOX_MOUNT", "enter the staging folder", b->stage_path, errno);
  if (overlaid) {
    for (size_t i = 0; i < b->o.lowers; i++) {
      snprintf(name, sizeof name, "%zu", i);
      name_folder(b->stage, name, b->lower[i]);
    }
    if (b->o.upper) name_folder(b->stage, "u", b->upper), name_folder(b->stage, "w", b->work);
    int look = b->lower[0];
    if (b->o.lowers > 1) {
      overlay(b, false, false);
      look = openat(b->stage, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    bool skeleton = skeleton_fill(b, look);
    if (b->o.lowers > 1) {
      close(look);
      if (umount2("root", 0) < 0) fail("BOX_MOUNT", "unmount the first look", "root", errno);
    }
    overlay(b, skeleton, b->o.upper != NULL);
  } else {
    char source[FD_PATH];
    fd_path(source, b->lower[0]);
    if (mount(source, "root", NULL, MS_BIND | MS_REC, NULL) < 0) fail("BOX_MOUNT", "mount the root folder", b->o.lower[0], errno);
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NODEV};
    /* Before Linux 5.12 by a remount. Without it a device node of the image would be a device of the host. */
    if (!b->o.insecure && mount_setattr(b->stage, "root", 0, &attributes, sizeof attributes) < 0 &&
        (errno != ENOSYS || mount(NULL, "root", NULL, MS_BIND | MS_REMOUNT | MS_NODEV, NULL) < 0))
      fail("BOX_MOUNT", "forbid devices in the root folder", b->o.lower[0], errno);
  }
  for (size_t i = 0; i < b->o.lowers; i++) close(b->lower[i]);
  if (b->upper >= 0) close(b->upper), close(b->work);
  b->root = openat(b->stage, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (b->root < 0) fail("BOX_ROOT", "open the root", "root", errno);
}

/* Afterwards nothing of the host's file tree can be named any more. */
void root_pivot(struct box *b) {
  if (fchdir(b->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0) fail("BOX_ROOT", "pivot to the new root", "/", errno);
  /* The old root now lies on top of the new one at "."; detach it. */
  if (umount2(".", MNT_DETACH) < 0) fail("BOX_ROOT", "detach the old root", "/", errno);
  if (chdir("/") < 0) fail("BOX_ROOT", "enter the new root", "/", errno);
  close(b->root);
  close(b->stage);
  b->root = b->stage = -1;
}
