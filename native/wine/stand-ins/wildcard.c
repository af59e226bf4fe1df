/* Names of files with * and ?, paths made of parts, and memory that programs cannot go on without. */
#include "wildcard.h"

#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <wctype.h>

bool is_dots(const wchar_t *name) {
    return wcscmp(name, L".") == 0 || wcscmp(name, L"..") == 0;
}

bool has_wildcard(const wchar_t *text) {
    return wcspbrk(text, L"*?") != NULL;
}

/* Goes back to the last star only: one that is further left never helps, so the work is bounded by both lengths' product. */
static bool matches(const wchar_t *pattern, const wchar_t *end, const wchar_t *name) {
    const wchar_t *star = NULL, *kept = NULL;
    while (*name != 0) {
        if (pattern < end && *pattern == L'*') {
            star = pattern++;
            kept = name;
        } else if (pattern < end && (*pattern == L'?' || towupper(*pattern) == towupper(*name))) {
            pattern++;
            name++;
        } else if (star != NULL) {
            pattern = star + 1;
            name = ++kept;
        } else return false;
    }
    while (pattern < end && (*pattern == L'*' || *pattern == L'?')) pattern++;
    return pattern == end;
}

bool wildcard_matches(const wchar_t *pattern, const wchar_t *name) {
    size_t length = wcslen(pattern);
    if (wcscmp(pattern, L"*.*") == 0) return true;
    if (length > 1 && pattern[length - 1] == L'.')
        return wcschr(name, L'.') == NULL && matches(pattern, pattern + length - 1, name);
    /* `name.*` means a name without an ending, too. */
    if (length > 2 && wcscmp(pattern + length - 2, L".*") == 0 && wcschr(name, L'.') == NULL)
        return matches(pattern, pattern + length - 2, name);
    return matches(pattern, pattern + length, name);
}

void *grown(void *memory, size_t bytes) {
    void *more = realloc(memory, bytes == 0 ? 1 : bytes);
    if (more == NULL) {
        fputs("Not enough memory resources are available to process this command.\n", stderr);
        exit(255);
    }
    return more;
}

wchar_t *copied(const wchar_t *text) {
    size_t bytes = (wcslen(text) + 1) * sizeof *text;
    return memcpy(grown(NULL, bytes), text, bytes);
}

wchar_t *joined(const wchar_t *folder, const wchar_t *name) {
    size_t units = wcslen(folder);
    wchar_t *path = grown(NULL, (units + wcslen(name) + 2) * sizeof *path);
    wcscpy(path, folder);
    if (units > 0 && wcschr(L"\\/:", folder[units - 1]) == NULL) wcscat(path, L"\\");
    return wcscat(path, name);
}

bool is_link(const wchar_t *path) {
    DWORD attributes = GetFileAttributesW(path);
    return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_REPARSE_POINT);
}
