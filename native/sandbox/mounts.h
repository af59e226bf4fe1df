/* What the files that mount things share. */
#ifndef WBUILD_MOUNTS_H
#define WBUILD_MOUNTS_H

#include "box.h"

#define FD_PATH 32

/* "/proc/self/fd/N": mount() by descriptor, so that nobody can exchange a path between check and use. */
void fd_path(char into[FD_PATH], int fd);

/*
 * Makes `name` in a folder a link to an open folder: short, and free of ':', ',' and backslashes, which mean something in the
 * options of an overlay.
 */
void name_folder(int at, const char *name, int fd);

/* Adds MS_RDONLY, MS_NODEV, MS_NOSUID, MS_NOEXEC to the mount at a resolved path and to all below it. */
void mount_restrict(int root, const char *real, unsigned long flags);

/* Resolves a mount point inside the root, makes it when missing, opens it; `real` is its path without links. */
int target_open(struct box *b, const char *target, bool folder, char real[PATH_MAX]);

/* Mounts a file system of the kernel's on a path that must not lead through a link. */
void mount_file_system(struct box *b, const char *type, const char *target, unsigned long flags, const char *data);

#endif
