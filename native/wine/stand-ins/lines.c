/* Reads files and pipes to their end, and finds the lines in them. */
#include "lines.h"

#include <stdlib.h>
#include <string.h>

#include "wildcard.h"

bool read_handle(HANDLE handle, struct file *file) {
    size_t room = 1 << 16;
    *file = (struct file){.bytes = grown(NULL, room)};
    for (;;) {
        DWORD got = 0, wanted = room - file->length > 1 << 24 ? 1 << 24 : (DWORD)(room - file->length);
        if (!ReadFile(handle, file->bytes + file->length, wanted, &got, NULL)) {
            DWORD error = GetLastError();
            if (error == ERROR_BROKEN_PIPE || error == ERROR_HANDLE_EOF) return true;
            free_file(file);
            SetLastError(error);
            return false;
        }
        if (got == 0) return true;
        file->length += got;
        if (file->length == room) file->bytes = grown(file->bytes, room *= 2);
    }
}

bool read_file(const wchar_t *path, struct file *file) {
    HANDLE handle = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
    if (handle == INVALID_HANDLE_VALUE) return false;
    bool fine = read_handle(handle, file);
    DWORD error = GetLastError();
    CloseHandle(handle);
    SetLastError(error);
    return fine;
}

void free_file(struct file *file) {
    free(file->bytes);
    *file = (struct file){0};
}

struct line *lines_of(const struct file *file, size_t *count) {
    size_t room = 64, used = 0;
    struct line *lines = grown(NULL, room * sizeof *lines);
    for (size_t at = 0; at < file->length;) {
        const char *text = file->bytes + at;
        const char *end = memchr(text, '\n', file->length - at);
        size_t whole = end == NULL ? file->length - at : (size_t)(end - text);
        size_t length = whole > 0 && text[whole - 1] == '\r' ? whole - 1 : whole;
        if (used == room) lines = grown(lines, (room *= 2) * sizeof *lines);
        lines[used++] = (struct line){.text = text, .length = length, .offset = at};
        at += whole + 1;
    }
    *count = used;
    return lines;
}
