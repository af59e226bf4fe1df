/*
 * Mounts that show a file or folder inside stacked layers: each stack becomes an overlay in the staging folder, and what the
 * path inside it leads to is the source of a bind. Done before the root, which must know whether that is a file or a folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"
#include "mounts.h"
#include "report.h"
#include "resolve.h"

/* Opened before the staging tmpfs hides what lies below it. */
void layers_open(struct box *b, size_t index) {
  const struct mount_option *m = &b->o.mounts[index];
  struct rlimit files;
  /* Several stacks of hundreds of layers: the process gets its own limit later. */
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  int *fds = b->layer[index] = calloc(m->lowers + 2, sizeof *fds);
  if (!fds) fail("BOX_MOUNT", "open the layers of a mount", m->target, ENOMEM);
  for (size_t i = 0; i < m->lowers + (m->upper ? 2 : 0); i++) {
    const char *path = i < m->lowers ? m->lower[i] : i == m->lowers ? m->upper : m->work;
    fds[i] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fds[i] < 0) fail("BOX_MOUNT_SOURCE", "open a layer of a mount", path, errno);
  }
}

static int stack_mount(struct box *b, const struct mount_option *m, const int *fds) {
  char layers[4000], all[4090];
  size_t at = (size_t)snprintf(layers, sizeof layers, "lowerdir=");
  for (size_t i = 0; i < m->lowers; i++) {
    char name[24];
    snprintf(name, sizeof name, "%zu", i);
    name_folder(AT_FDCWD, name, fds[i]);
    at += (size_t)snprintf(layers + at, sizeof layers - at, "%s%s", i ? ":" : "", name);
  }
  /* overlayfs wants two folders at least when none of them is an upper one, and one in any case. */
  for (size_t have = m->lowers; have < (m->upper ? 1 : 2); have++)
    at += (size_t)snprintf(layers + at, sizeof layers - at, "%s%s", have ? ":" : "", have == m->lowers ? "empty" : "empty2");
  if (m->upper) {
    name_folder(AT_FDCWD, "u", fds[m->lowers]);
    name_folder(AT_FDCWD, "w", fds[m->lowers + 1]);
    snprintf(layers + at, sizeof layers - at, ",upperdir=u,workdir=w");
  }
  /* As of the root: see root.c. What is written is forgotten, so that no sync is needed. */
  const char *tries[] = {b->o.userxattr ? ",userxattr,volatile" : ",redirect_dir=nofollow,metacopy=off,volatile",
                         b->o.userxattr ? ",userxattr" : ",redirect_dir=nofollow,metacopy=off", b->o.userxattr ? ",userxattr" : ""};
  unsigned long flags = (b->o.insecure ? 0 : MS_NODEV) | (m->upper ? 0 : MS_RDONLY);
  for (size_t i = m->upper ? 0 : 1; i < sizeof tries / sizeof *tries; i++) {
    snprintf(all, sizeof all, "%s%s", layers, tries[i]);
    if (mount("overlay", "tree", "overlay", flags, all) == 0) return open("tree", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (errno != EINVAL) break;
  }
  fail("BOX_OVERLAY", "mount the layers of a mount", m->target, errno);
}

void layers_mount(struct box *b) {
  for (size_t i = 0; i < b->o.mount_count; i++) {
    const struct mount_option *m = &b->o.mounts[i];
    char place[32], real[PATH_MAX];
    if (m->kind != MOUNT_LAYERS) continue;
    snprintf(place, sizeof place, "layers%zu", i);
    if (fchdir(b->stage) < 0 || mkdir(place, 0755) < 0 || chdir(place) < 0 || mkdir("tree", 0755) < 0 || mkdir("empty", 0755) < 0 ||
        mkdir("empty2", 0755) < 0)
      fail("BOX_MOUNT", "make room for the layers of a mount", m->target, errno);
    int tree = stack_mount(b, m, b->layer[i]);
    for (size_t j = 0; j < m->lowers + (m->upper ? 2 : 0); j++) close(b->layer[i][j]);
    free(b->layer[i]);
    /* Attack: a link in a stage leads to the host (`/out -> ../../etc`): each link is followed inside these layers only. */
    int missing = tree < 0 ? -1 : resolve_in(tree, m->source, real);
    if (missing > 0) errno = ENOENT;
    b->source[i] = missing ? -1 : open_real(tree, real, 0);
    if (b->source[i] < 0) fail("BOX_MOUNT_SOURCE", "open the source of a mount", m->source, errno);
    close(tree);
  }
}
