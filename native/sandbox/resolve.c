/*
 * Attack: an image holds `/etc/resolv.conf -> /../../host/file`, or `/data -> /proc/self/root/…`, so that a mount point made
 * by a privileged launcher is made, or mounted, outside the container. Every look-up here is openat2() with
 * RESOLVE_BENEATH of a path whose links have been read and followed by us inside the root; a link that appears between
 * look-up and use (a race by another process on a shared folder) is refused with ELOOP instead of followed.
 */
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_LINKS 40

int open_real(int root, const char *real, int flags) {
  struct open_how how = {
      .flags = (uint64_t)(O_PATH | O_CLOEXEC | flags),
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
  };
  return (int)syscall(SYS_openat2, root, *real ? real : ".", &how, sizeof how);
}

/* Appends a component; false when it does not fit. */
static bool append(char *path, const char *name, size_t length) {
  size_t have = strlen(path);
  if (have + 1 + length + 1 > PATH_MAX) return false;
  if (have) path[have++] = '/';
  memcpy(path + have, name, length);
  path[have + length] = 0;
  return true;
}

static void drop_last(char *path) {
  char *slash = strrchr(path, '/');
  *(slash ? slash : path) = 0;
}

/* Puts a link's text before what is left to walk. */
static bool prepend(char todo[PATH_MAX], const char *link, size_t length, const char *rest) {
  char joined[PATH_MAX];
  int needed = snprintf(joined, sizeof joined, "%.*s/%s", (int)length, link, rest);
  if (needed < 0 || (size_t)needed >= sizeof joined) return false;
  memcpy(todo, joined, (size_t)needed + 1);
  return true;
}

int resolve_in(int root, const char *path, char real[PATH_MAX]) {
  char todo[PATH_MAX];
  bool missing = false;
  int links = 0;
  real[0] = 0;
  if (strlen(path) >= sizeof todo) return errno = ENAMETOOLONG, -1;
  strcpy(todo, path);
  for (char *at = todo; *at;) {
    size_t length = strcspn(at, "/");
    char *rest = at + length + (at[length] == '/');
    if (length == 0 || (length == 1 && at[0] == '.')) {
      at = rest;
      continue;
    }
    if (length == 2 && at[0] == '.' && at[1] == '.') {
      drop_last(real);
      missing = false; /* what is above may well exist: the next look-up tells */
      at = rest;
      continue;
    }
    if (!append(real, at, length)) return errno = ENAMETOOLONG, -1;
    struct stat info;
    int found = missing ? -1 : open_real(root, real, O_NOFOLLOW);
    if (found < 0 && !missing && errno == ELOOP) {
      /* NO_SYMLINKS refuses the last component too: open its parent and look at the link itself. */
      struct open_how how = {.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
      found = (int)syscall(SYS_openat2, root, real, &how, sizeof how);
    }
    if (found < 0) {
      if (!missing && errno != ENOENT) return -1;
      missing = true;
      at = rest;
      continue;
    }
    if (fstat(found, &info) < 0) return close(found), -1;
    if (S_ISLNK(info.st_mode)) {
      char link[PATH_MAX];
      ssize_t size = readlinkat(found, "", link, sizeof link - 1);
      close(found);
      if (size < 0) return -1;
      if (++links > MOST_LINKS) return errno = ELOOP, -1;
      drop_last(real);
      if (size > 0 && link[0] == '/') real[0] = 0;
      if (!prepend(todo, link, (size_t)size, rest)) return errno = ENAMETOOLONG, -1;
      at = todo;
      continue;
    }
    close(found);
    at = rest;
  }
  return missing;
}

int make_real(int root, const char *real, bool folder) {
  char path[PATH_MAX];
  if (strlen(real) >= sizeof path) return errno = ENAMETOOLONG, -1;
  if (!*real) return 0;
  for (const char *end = real;; end++) {
    if (*end && *end != '/') continue;
    size_t length = (size_t)(end - real);
    memcpy(path, real, length);
    path[length] = 0;
    char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (slash) *slash = 0;
    int parent = open_real(root, slash ? path : "", O_DIRECTORY);
    if (parent < 0) return -1;
    bool last = *end == 0;
    int result;
    if (last && !folder) {
      result = openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
      if (result >= 0) close(result);
    } else {
      result = mkdirat(parent, name, 0755);
    }
    int error = errno;
    close(parent);
    if (result < 0 && error != EEXIST) return errno = error, -1;
    if (last) return 0;
  }
}
