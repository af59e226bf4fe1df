/* Files as a whole, and their lines. */
#ifndef WBUILD_LINES_H
#define WBUILD_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <windows.h>

struct file {
    char *bytes;
    size_t length;
};

struct line {
    const char *text; /* in the file's bytes */
    size_t length;    /* without CR LF or LF */
    size_t offset;    /* from the file's begin */
};

/* False where it cannot be opened or read; GetLastError says why. */
bool read_file(const wchar_t *path, struct file *file);

/* What comes from a handle until its end. */
bool read_handle(HANDLE handle, struct file *file);
void free_file(struct file *file);

/* Release with free(). A last line without an end is one, too. */
struct line *lines_of(const struct file *file, size_t *count);

#endif
