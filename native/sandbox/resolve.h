/* Paths inside the container's root, looked up so that no link leads out of it. */
#ifndef WBUILD_RESOLVE_H
#define WBUILD_RESOLVE_H

#include <limits.h>
#include <stdbool.h>

/*
 * Follows every link of `path` inside `root` and writes the path without links, without a leading '/'. What does not exist
 * is appended as it stands. Returns 0 when all of it exists, 1 when something is missing, -1 with errno.
 */
int resolve_in(int root, const char *path, char real[PATH_MAX]);

/* Opens a path that resolve_in() gave; any link met on the way is an error (ELOOP). O_PATH and O_CLOEXEC are added. */
int open_real(int root, const char *real, int flags);

/* Makes the missing folders of a resolved path, and at its end a folder or an empty file. -1 with errno. */
int make_real(int root, const char *real, bool folder);

#endif
