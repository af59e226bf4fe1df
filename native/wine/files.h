/* Files that a tool's pattern names. */
#ifndef WBUILD_FILES_H
#define WBUILD_FILES_H

#include <stdbool.h>
#include <windows.h>

struct found {
    const wchar_t *path;  /* C:\…, as the disk spells the last name */
    DWORD attributes;     /* of the file itself, a link's of the link */
    bool whole_tree;      /* all that is below belongs to this finding; it is told file by file too, with `below` */
    bool below;
};

struct pattern {
    const wchar_t *text;
    bool tree; /* what is below folders, too */
    /* Told of each file. A Windows error ends the walk, 0 goes on. */
    DWORD (*tell)(void *context, const struct found *found);
    void *context;
};

/*
 * Tells of the files that a path or a path with wildcards in its last name means. With `tree` and no narrower wildcard than
 * `*`, the topmost ones have `whole_tree`. Links to folders are not followed. 0, ERROR_FILE_NOT_FOUND,
 * ERROR_PATH_NOT_FOUND when nothing is there, or what `tell` gave.
 */
DWORD walk_pattern(const struct pattern *pattern);

#endif
