/* where.exe: where programs and other files are, in the current folder and PATH or below a folder. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

#include "../message.h"
#include "wildcard.h"

enum { deepest = 256 };

struct request {
    bool quiet, quoted, times;
    const wchar_t *below;
    wchar_t *endings; /* PATHEXT, ";" between */
    unsigned found;
};

static int usage(void) {
    fputs("WHERE [/R dir] [/Q] [/F] [/T] pattern...\n\n"
          "    /R dir      looks in a folder and all below it\n"
          "    /Q          prints nothing\n"
          "    /F          puts quotation marks around names\n"
          "    /T          sizes and times as well\n"
          "    pattern     a name with * and ?; $VAR:pattern and path;path:pattern look in other folders than those of PATH\n",
          stdout);
    return 0;
}

static int fail(const wchar_t *format, const wchar_t *text) {
    fputs("ERROR: ", stderr);
    print(stderr, format, text);
    fputs("\n", stderr);
    return 2;
}

static void tell(struct request *request, const wchar_t *path, const WIN32_FIND_DATAW *file) {
    request->found++;
    if (request->quiet) return;
    if (request->times) {
        SYSTEMTIME time;
        FILETIME local;
        FileTimeToLocalFileTime(&file->ftLastWriteTime, &local);
        FileTimeToSystemTime(&local, &time);
        ULONGLONG size = (ULONGLONG)file->nFileSizeHigh << 32 | file->nFileSizeLow;
        print(stdout, L"%10I64u   %2u/%u/%u  %02u:%02u:%02u  ", size, time.wMonth, time.wDay, time.wYear, time.wHour, time.wMinute, time.wSecond);
    }
    print(stdout, request->quoted ? L"\"%ls\"\n" : L"%ls\n", path);
}

/* A name matches as it is, or with one of PATHEXT's endings behind the pattern. */
static bool matches(const struct request *request, const wchar_t *pattern, const wchar_t *name) {
    if (wildcard_matches(pattern, name)) return true;
    for (const wchar_t *at = request->endings; at != NULL && *at != 0;) {
        size_t units = wcscspn(at, L";");
        wchar_t *whole = grown(NULL, (wcslen(pattern) + units + 1) * sizeof *whole);
        wcscpy(whole, pattern);
        wcsncat(whole, at, units);
        bool fits = units > 0 && wildcard_matches(whole, name);
        free(whole);
        if (fits) return true;
        at += units + (at[units] == L';');
    }
    return false;
}

static void look(struct request *request, const wchar_t *folder, const wchar_t *pattern, int depth) {
    WIN32_FIND_DATAW file;
    wchar_t *all = joined(folder, L"*");
    HANDLE walk = FindFirstFileW(all, &file);
    free(all);
    if (walk == INVALID_HANDLE_VALUE) return;
    do {
        bool is_folder = (file.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
        wchar_t *path = joined(folder, file.cFileName);
        if (!is_folder && matches(request, pattern, file.cFileName)) tell(request, path, &file);
        /* A link to a folder above would never end. */
        bool goes_on = depth < deepest && is_folder && !is_link(path);
        if (request->below != NULL && goes_on && !is_dots(file.cFileName)) look(request, path, pattern, depth + 1);
        free(path);
    } while (FindNextFileW(walk, &file));
    FindClose(walk);
}

/* Each folder of a list with ";" between, in its order. */
static void look_in_list(struct request *request, const wchar_t *list, const wchar_t *pattern) {
    while (*list != 0) {
        size_t units = wcscspn(list, L";");
        wchar_t *folder = grown(NULL, (units + 1) * sizeof *folder);
        wmemcpy(folder, list, units);
        folder[units] = 0;
        /* Quotation marks in PATH are no part of a name. */
        wchar_t *from = folder[0] == L'"' ? folder + 1 : folder;
        size_t kept = wcslen(from);
        if (kept > 0 && from[kept - 1] == L'"') from[kept - 1] = 0;
        if (from[0] != 0) look(request, from, pattern, 0);
        free(folder);
        list += units + (list[units] == L';');
    }
}

static wchar_t *variable(const wchar_t *name) {
    DWORD units = GetEnvironmentVariableW(name, NULL, 0);
    wchar_t *value = grown(NULL, (units + 1) * sizeof *value);
    value[0] = 0;
    GetEnvironmentVariableW(name, value, units + 1);
    return value;
}

static int find(struct request *request, wchar_t *pattern) {
    unsigned before = request->found;
    if (request->below != NULL) {
        if (wcspbrk(pattern, L"\\:$") != NULL) return fail(L"Invalid pattern is specified with /R: \"%ls\".", pattern);
        wchar_t whole[MAX_PATH];
        DWORD units = GetFullPathNameW(request->below, MAX_PATH, whole, NULL);
        if (units == 0 || units >= MAX_PATH || !(GetFileAttributesW(whole) & FILE_ATTRIBUTE_DIRECTORY) ||
            GetFileAttributesW(whole) == INVALID_FILE_ATTRIBUTES)
            return fail(L"The system cannot find the path \"%ls\".", request->below);
        look(request, whole, pattern, 0);
    } else if (wcsrchr(pattern, L':') != NULL) {
        wchar_t *name = wcsrchr(pattern, L':');
        *name++ = 0;
        wchar_t *list = pattern[0] == L'$' ? variable(pattern + 1) : copied(pattern);
        if (wcschr(name, L'\\') != NULL) return fail(L"Invalid pattern is specified in \"path:pattern\": \"%ls\".", name);
        look_in_list(request, list, name);
        free(list);
        pattern = name;
    } else {
        if (wcschr(pattern, L'\\') != NULL) return fail(L"Invalid pattern: \"%ls\" has a folder in it.", pattern);
        wchar_t here[MAX_PATH];
        wchar_t *list = variable(L"PATH");
        DWORD units = GetCurrentDirectoryW(MAX_PATH, here);
        if (units > 0 && units < MAX_PATH) look(request, here, pattern, 0);
        look_in_list(request, list, pattern);
        free(list);
    }
    if (request->found == before && !request->quiet) print(stderr, L"INFO: Could not find files for the given pattern(s).\n");
    return request->found == before ? 1 : 0;
}

int wmain(int argc, wchar_t **argv) {
    struct request request = {0};
    int result = -1;
    request.endings = variable(L"PATHEXT");
    for (int i = 1; i < argc; i++) {
        wchar_t *word = argv[i];
        if (_wcsicmp(word, L"/?") == 0) return usage();
        if (_wcsicmp(word, L"/r") == 0 && i + 1 < argc) request.below = argv[++i];
        else if (_wcsicmp(word, L"/q") == 0) request.quiet = true;
        else if (_wcsicmp(word, L"/f") == 0) request.quoted = true;
        else if (_wcsicmp(word, L"/t") == 0) request.times = true;
        else if (word[0] == L'/') return fail(L"Invalid argument or option - '%ls'.", word);
        else {
            int one = find(&request, word);
            if (one == 2) return 2;
            /* One pattern of several that is found is enough. */
            if (result != 0) result = one;
        }
    }
    if (result == -1) return fail(L"Invalid syntax. %ls", L"A pattern is missing.");
    free(request.endings);
    return result;
}
