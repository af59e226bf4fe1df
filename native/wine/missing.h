/* Which DLLs a program lacks. */
#ifndef WBUILD_MISSING_H
#define WBUILD_MISSING_H

#include <stddef.h>

struct json;

/* The first word of a command line as CreateProcess takes it, without quotes; cut to `units` with its NUL. */
void first_word(const wchar_t *command, wchar_t *word, size_t units);

/*
 * Writes {"dll":…,"neededBy":…} objects, commas between them, for the DLLs that cannot be found for the program at `image`,
 * or, when it is a command interpreter, for the programs that its command names. Nothing when none is missing.
 */
void tell_missing(struct json *json, const wchar_t *command, const wchar_t *image);

#endif
