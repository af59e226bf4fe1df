/*
 * The folder /wine, through which our Windows programs talk to the host. No drive leads there, so it is opened by Linux
 * system calls. Uses nothing but ntdll: a DLL that is loaded before kernel32 is complete needs it too.
 */
#ifndef WBUILD_CHANNEL_H
#define WBUILD_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

/* Linux error numbers that callers tell apart. */
enum { linux_enoent = 2, linux_eacces = 13, linux_eexist = 17, linux_enotdir = 20, linux_enametoolong = 36 };

/* A Linux system call: the kernel's answer, -errno when it failed. Tried again when one of Wine's signals interrupts it. */
intptr_t linux_call(intptr_t number, const void *a, intptr_t b, intptr_t c);

void linux_close(int descriptor);

/* symlink(2), unlink(2). 0 or a Linux error. */
int linux_symlink(const char *target, const char *path);
int linux_unlink(const char *path);

/* Bytes of the process heap. NULL when there are none. */
void *allocate(size_t bytes);
void release(void *memory);

/* A small file as a whole, followed by two NUL bytes; release() it. NULL when it cannot be read or is over `limit` bytes. */
void *channel_read(const char *path, size_t limit, size_t *length);

/* Makes or replaces a file. 0 or a Linux error. */
int channel_write(const char *path, const void *bytes, size_t length);

/*
 * Adds a line to /wine/journal: the fields as UTF-8, tabs between them, and `%`, tab, CR and LF inside as %XX. It is written
 * at once, so that lines of programs side by side stay whole. False when it could not be, or a field is not valid UTF-16.
 */
int journal(const wchar_t *const fields[], size_t count);

#endif
