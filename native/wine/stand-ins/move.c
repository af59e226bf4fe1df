/* move.exe, in place of cmd's own command, which succeeds where there is nothing to move. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

#include "../message.h"
#include "wildcard.h"

static int fail(DWORD error) {
    tell_error(error);
    return 1;
}

static bool is_folder(const wchar_t *path) {
    DWORD attributes = GetFileAttributesW(path);
    return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY);
}

/* Over a file that is there; nobody can be asked in a build. Folders do not leave their drive, as with cmd's. */
static bool move_one(const wchar_t *from, const wchar_t *to, bool keep) {
    if (MoveFileExW(from, to, keep ? MOVEFILE_COPY_ALLOWED : MOVEFILE_COPY_ALLOWED | MOVEFILE_REPLACE_EXISTING)) return true;
    tell_error(GetLastError());
    return false;
}

/* All that a pattern means, into a folder. The names first: what is moved shall not be met again. */
static int move_all(const wchar_t *pattern, const wchar_t *folder, bool keep) {
    WIN32_FIND_DATAW file;
    size_t count = 0, moved = 0;
    wchar_t **names = NULL, *above = copied(pattern), *last = wcsrchr(above, L'\\');
    last = last == NULL ? wcschr(above, L':') : last;
    if (last == NULL) above[0] = 0;
    else last[1] = 0;
    HANDLE walk = FindFirstFileW(pattern, &file);
    if (walk == INVALID_HANDLE_VALUE) return fail(ERROR_FILE_NOT_FOUND);
    do {
        if (file.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) continue;
        names = grown(names, (count + 1) * sizeof *names);
        names[count++] = copied(file.cFileName);
    } while (FindNextFileW(walk, &file));
    FindClose(walk);
    for (size_t i = 0; i < count; i++) {
        wchar_t *from = joined(above, names[i]), *to = joined(folder, names[i]);
        print(stdout, L"%ls\n", from);
        if (move_one(from, to, keep)) moved++;
        free(from);
        free(to);
        free(names[i]);
    }
    free(names);
    free(above);
    if (count == 0) return fail(ERROR_FILE_NOT_FOUND);
    print(stdout, L"%9u file(s) moved.\n", (unsigned)moved);
    return moved == count ? 0 : 1;
}

int wmain(int argc, wchar_t **argv) {
    wchar_t *names[2] = {0};
    int count = 0;
    bool keep = false;
    for (int i = 1; i < argc; i++) {
        wchar_t *word = argv[i];
        /* `/y` may follow a name at once, as in `move a b/y`, but hardly ever does. */
        if (_wcsicmp(word, L"/y") == 0) keep = false;
        else if (_wcsicmp(word, L"/-y") == 0) keep = true;
        else if (word[0] == L'/' || count == 2) {
            fputs("The syntax of the command is incorrect.\n", stderr);
            return 1;
        } else names[count++] = word;
    }
    if (count == 0) {
        fputs("The syntax of the command is incorrect.\n", stderr);
        return 1;
    }
    for (int i = 0; i < count; i++)
        for (wchar_t *at = names[i]; *at != 0; at++)
            if (*at == L'/') *at = L'\\';
    const wchar_t *target = count == 2 ? names[1] : L".";
    if (has_wildcard(names[0])) return is_folder(target) ? move_all(names[0], target, keep) : fail(ERROR_PATH_NOT_FOUND);
    DWORD attributes = GetFileAttributesW(names[0]);
    if (attributes == INVALID_FILE_ATTRIBUTES && !is_link(names[0])) return fail(ERROR_FILE_NOT_FOUND);
    const wchar_t *name = wcsrchr(names[0], L'\\');
    wchar_t *inside = is_folder(target) ? joined(target, name == NULL ? names[0] : name + 1) : NULL;
    bool fine = move_one(names[0], inside == NULL ? target : inside, keep);
    if (fine) print(stdout, attributes & FILE_ATTRIBUTE_DIRECTORY ? L"%9u dir(s) moved.\n" : L"%9u file(s) moved.\n", 1u);
    free(inside);
    return fine ? 0 : 1;
}
