/* Walking what a pattern names: icacls and takeown see files alike. */
#include "files.h"

#include <stdlib.h>
#include <wchar.h>

enum { longest = 32768, deepest = 512 };

static bool is_wild(const wchar_t *name) {
    return wcspbrk(name, L"*?") != NULL;
}

static bool is_folder(DWORD attributes) {
    return (attributes & FILE_ATTRIBUTE_DIRECTORY) && !(attributes & FILE_ATTRIBUTE_REPARSE_POINT);
}

/* folder\name in memory of its own. */
static wchar_t *join(const wchar_t *folder, const wchar_t *name) {
    size_t length = wcslen(folder), room = length + wcslen(name) + 2;
    wchar_t *path = malloc(room * sizeof *path);
    if (path == NULL) return NULL;
    wcscpy(path, folder);
    if (length > 0 && folder[length - 1] != '\\') wcscat(path, L"\\");
    return wcscat(path, name);
}

/* What to do with each entry of a folder. */
struct listing {
    const struct pattern *pattern;
    const wchar_t *wildcard;
    DWORD (*entry)(const struct listing *listing, const wchar_t *path, DWORD attributes, int depth);
    bool any; /* out: something was there */
};

static DWORD list(struct listing *listing, const wchar_t *folder, int depth) {
    WIN32_FIND_DATAW data;
    wchar_t *search = join(folder, listing->wildcard);
    if (search == NULL) return ERROR_NOT_ENOUGH_MEMORY;
    if (depth > deepest) return ERROR_FILENAME_EXCED_RANGE;
    HANDLE find = FindFirstFileW(search, &data);
    free(search);
    if (find == INVALID_HANDLE_VALUE) return GetLastError() == ERROR_FILE_NOT_FOUND ? 0 : GetLastError();
    DWORD error = 0;
    do {
        if (wcscmp(data.cFileName, L".") == 0 || wcscmp(data.cFileName, L"..") == 0) continue;
        wchar_t *path = join(folder, data.cFileName);
        if (path == NULL) error = ERROR_NOT_ENOUGH_MEMORY;
        else error = listing->entry(listing, path, data.dwFileAttributes, depth);
        free(path);
        listing->any = true;
    } while (error == 0 && FindNextFileW(find, &data));
    FindClose(find);
    return error;
}

/* A file inside a tree that was told as a whole. */
static DWORD tell_below(const struct listing *listing, const wchar_t *path, DWORD attributes, int depth) {
    const struct found found = {.path = path, .attributes = attributes, .below = true};
    DWORD error = listing->pattern->tell(listing->pattern->context, &found);
    struct listing deeper = {.pattern = listing->pattern, .wildcard = L"*", .entry = tell_below};
    return error != 0 || !is_folder(attributes) ? error : list(&deeper, path, depth + 1);
}

/* A file that the pattern means by itself. */
static DWORD tell_top(const struct listing *listing, const wchar_t *path, DWORD attributes, int depth) {
    bool whole = listing->pattern->tree && is_folder(attributes);
    const struct found found = {.path = path, .attributes = attributes, .whole_tree = whole};
    DWORD error = listing->pattern->tell(listing->pattern->context, &found);
    struct listing deeper = {.pattern = listing->pattern, .wildcard = L"*", .entry = tell_below};
    return error != 0 || !whole ? error : list(&deeper, path, depth + 1);
}

static DWORD tell_one(const struct listing *listing, const wchar_t *path, DWORD attributes, int depth) {
    (void)depth;
    const struct found found = {.path = path, .attributes = attributes};
    return listing->pattern->tell(listing->pattern->context, &found);
}

/* `*.txt` with `tree`: the files of that name in every folder below, each by itself. */
static DWORD each_folder(struct listing *names, const wchar_t *folder, int depth);

static DWORD go_deeper(const struct listing *listing, const wchar_t *path, DWORD attributes, int depth) {
    return is_folder(attributes) ? each_folder(listing->pattern->context, path, depth + 1) : 0;
}

static DWORD each_folder(struct listing *names, const wchar_t *folder, int depth) {
    DWORD error = list(names, folder, depth);
    /* The listing of names is what the walk over folders carries along. */
    const struct pattern folders = {.context = names};
    struct listing all = {.pattern = &folders, .wildcard = L"*", .entry = go_deeper};
    return error != 0 ? error : list(&all, folder, depth);
}

static DWORD walk_wild(const struct pattern *pattern, const wchar_t *folder, const wchar_t *wildcard) {
    bool everything = wcscmp(wildcard, L"*") == 0 || wcscmp(wildcard, L"*.*") == 0;
    bool narrow = pattern->tree && !everything;
    struct listing listing = {.pattern = pattern, .wildcard = wildcard, .entry = narrow ? tell_one : tell_top};
    DWORD error = narrow ? each_folder(&listing, folder, 0) : list(&listing, folder, 0);
    return error != 0 || listing.any ? error : ERROR_FILE_NOT_FOUND;
}

DWORD walk_pattern(const struct pattern *pattern) {
    wchar_t *full = malloc(longest * sizeof *full), *name = NULL;
    if (full == NULL) return ERROR_NOT_ENOUGH_MEMORY;
    DWORD length = GetFullPathNameW(pattern->text, longest, full, &name), error;
    while (length > 3 && length < longest && full[length - 1] == '\\') full[--length] = 0;
    if (length == 0 || length >= longest) error = ERROR_INVALID_NAME;
    else if (name != NULL && is_wild(name)) {
        wchar_t *wildcard = _wcsdup(name);
        name[0] = 0;
        error = wildcard == NULL ? ERROR_NOT_ENOUGH_MEMORY : walk_wild(pattern, full, wildcard);
        free(wildcard);
    } else {
        DWORD attributes = GetFileAttributesW(full);
        const struct listing listing = {.pattern = pattern};
        error = attributes == INVALID_FILE_ATTRIBUTES ? GetLastError() : tell_top(&listing, full, attributes, 0);
    }
    free(full);
    return error;
}
