/*
 * rmdir.exe, called rd.exe too, in place of cmd's own command: Wine's follows a link to a folder and removes what it leads
 * to, Windows' removes the link.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

#include "message.h"

enum { deepest = 512 };

static int usage(void) {
    fputs("Removes (deletes) a directory.\n\n"
          "RMDIR [/S] [/Q] [drive:]path\n"
          "RD [/S] [/Q] [drive:]path\n\n"
          "    /S      Removes all directories and files in the specified directory\n"
          "            in addition to the directory itself.  Used to remove a directory\n"
          "            tree.\n\n"
          "    /Q      Quiet mode, do not ask if ok to remove a directory tree with /S\n",
          stdout);
    return 0;
}

static bool fail(const wchar_t *path, DWORD error) {
    if (path == NULL) tell_error(error);
    else print(stderr, L"%ls - %ls\n", path, error_text(error));
    return false;
}

static bool remove_folder(const wchar_t *path) {
    if (RemoveDirectoryW(path)) return true;
    DWORD error = GetLastError();
    /* Read-only folders are no obstacle to cmd's command. */
    if (error == ERROR_ACCESS_DENIED && SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL) && RemoveDirectoryW(path)) return true;
    SetLastError(error);
    return false;
}

static bool remove_file(const wchar_t *path) {
    if (DeleteFileW(path)) return true;
    DWORD error = GetLastError();
    if (error == ERROR_ACCESS_DENIED && SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL) && DeleteFileW(path)) return true;
    return fail(path, error);
}

static bool remove_tree(const wchar_t *path, int depth);

static bool remove_entry(const wchar_t *folder, const WIN32_FIND_DATAW *data, int depth) {
    if (wcscmp(data->cFileName, L".") == 0 || wcscmp(data->cFileName, L"..") == 0) return true;
    size_t room = wcslen(folder) + wcslen(data->cFileName) + 2;
    wchar_t *path = malloc(room * sizeof *path);
    if (path == NULL) return fail(NULL, ERROR_NOT_ENOUGH_MEMORY);
    _snwprintf(path, room, L"%ls\\%ls", folder, data->cFileName);
    bool fine = data->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? remove_tree(path, depth + 1) : remove_file(path);
    free(path);
    return fine;
}

/* Goes on where something cannot be removed, as cmd's does. */
static bool remove_content(const wchar_t *path, int depth) {
    WIN32_FIND_DATAW data;
    size_t room = wcslen(path) + 3;
    wchar_t *all = malloc(room * sizeof *all);
    if (all == NULL || depth > deepest) return fail(path, ERROR_NOT_ENOUGH_MEMORY);
    _snwprintf(all, room, L"%ls\\*", path);
    HANDLE find = FindFirstFileW(all, &data);
    free(all);
    if (find == INVALID_HANDLE_VALUE) return true;
    bool fine = true;
    do fine = remove_entry(path, &data, depth) && fine;
    while (FindNextFileW(find, &data));
    FindClose(find);
    return fine;
}

static bool remove_tree(const wchar_t *path, int depth) {
    DWORD attributes = GetFileAttributesW(path);
    bool is_link = attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_REPARSE_POINT);
    bool fine = is_link || remove_content(path, depth);
    if (!fine) return false;
    return remove_folder(path) || fail(path, GetLastError());
}

static bool agreed(const wchar_t *path) {
    for (;;) {
        print(stdout, L"%ls, Are you sure (Y/N)? ", path);
        fflush(stdout);
        int answer = getchar();
        for (int rest = answer; rest != '\n' && rest != EOF;) rest = getchar();
        if (answer == 'y' || answer == 'Y') return true;
        if (answer == 'n' || answer == 'N' || answer == EOF) return false;
    }
}

static bool remove_named(const wchar_t *name, bool tree, bool quiet) {
    static wchar_t full[32768];
    DWORD length = GetFullPathNameW(name, 32768, full, NULL);
    if (length == 0 || length >= 32768) return fail(NULL, ERROR_INVALID_NAME);
    while (length > 3 && full[length - 1] == '\\') full[--length] = 0;
    DWORD attributes = GetFileAttributesW(full);
    /* A link to nothing has no attributes, and can be removed. */
    if (attributes == INVALID_FILE_ATTRIBUTES || !tree) return remove_folder(full) || fail(NULL, GetLastError());
    if (!(attributes & FILE_ATTRIBUTE_DIRECTORY)) return fail(NULL, ERROR_DIRECTORY);
    return (quiet || agreed(name)) && remove_tree(full, 0);
}

int wmain(int argc, wchar_t **argv) {
    bool tree = false, quiet = false, fine = true;
    int names = 0;
    for (int i = 1; i < argc; i++) {
        const wchar_t *word = argv[i];
        if (word[0] != '/') names++;
        /* `/s/q` is one word. */
        for (; word[0] == '/'; word += 2) {
            if (word[1] == '?') return usage();
            if (word[1] == 's' || word[1] == 'S') tree = true;
            else if (word[1] == 'q' || word[1] == 'Q') quiet = true;
            else return fail(argv[i], ERROR_INVALID_PARAMETER) ? 0 : 1;
        }
    }
    if (names == 0) {
        fputs("The syntax of the command is incorrect.\n", stderr);
        return 1;
    }
    for (int i = 1; i < argc; i++)
        if (argv[i][0] != '/') fine = remove_named(argv[i], tree, quiet) && fine;
    return fine ? 0 : GetLastError() == 0 ? 1 : (int)GetLastError();
}
