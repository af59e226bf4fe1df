/*
 * Linux: reads files from standard input, each behind its length (4 bytes, little-endian), and prints the names that each
 * imports, commas between them, a line a file. Every file lies in memory of exactly its size, for the sanitizer to guard.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../../../native/wine/imports.h"

static void tell(const uint8_t *bytes, size_t length) {
    struct pe pe;
    char name[longest_dll_name];
    if (is_wines_own(bytes, length)) printf("wine");
    else if (!read_pe(&pe, bytes, length)) printf("no program");
    else
        for (size_t i = 0; import_name(&pe, i, name); i++) printf(i > 0 ? ",%s" : "%s", name);
    putchar('\n');
}

int main(void) {
    for (uint8_t head[4]; fread(head, 1, sizeof head, stdin) == sizeof head;) {
        size_t length = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        uint8_t *bytes = malloc(length > 0 ? length : 1);
        if (bytes == NULL || fread(bytes, 1, length, stdin) != length) return 2;
        tell(bytes, length);
        free(bytes);
    }
    return 0;
}
