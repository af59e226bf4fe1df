/* Names of files with * and ?, as programs of Windows match them. */
#ifndef WBUILD_WILDCARD_H
#define WBUILD_WILDCARD_H

#include <stdbool.h>
#include <windows.h>

/* Case is ignored; `*.*` means all names, and a pattern that ends in `.` those without an ending. Never recurses. */
bool wildcard_matches(const wchar_t *pattern, const wchar_t *name);

bool has_wildcard(const wchar_t *text);

/* `folder` and `name` with one backslash between; release with free(). An empty folder is no folder. Ends the program without memory. */
wchar_t *joined(const wchar_t *folder, const wchar_t *name);

/* A copy, as _wcsdup; ends the program without memory. */
wchar_t *copied(const wchar_t *text);

/* Memory as realloc gives it; ends the program without. */
void *grown(void *memory, size_t bytes);

/* A name of the folder itself or the one above it. */
bool is_dots(const wchar_t *name);

/* A link of any kind, whatever it leads to. */
bool is_link(const wchar_t *path);

#endif
