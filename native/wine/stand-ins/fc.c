/* fc.exe: compares two files, by lines or (/B) by bytes. What differs is told plainly, not fitted together again behind it. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>
#include <windows.h>

#include "../message.h"
#include "lines.h"
#include "wildcard.h"

static int usage(void) {
    fputs("FC [/A] [/B] [/C] [/L] [/N] [/T] [/W] file file\n\n"
          "    /B    byte by byte       /C    letter case is ignored      /N    numbers of lines\n"
          "    /A    first and last line of what differs only             /W    blanks and tabs count as one blank\n"
          "    /L    lines (the default)    /T    tabs stay tabs (always)\n",
          stdout);
    return 0;
}

struct request {
    bool bytes, any_case, numbers, blanks, brief;
};

static int compare_bytes(const struct file *a, const struct file *b, const wchar_t *a_name, const wchar_t *b_name) {
    size_t both = a->length < b->length ? a->length : b->length;
    bool differ = false;
    for (size_t i = 0; i < both; i++) {
        if (a->bytes[i] == b->bytes[i]) continue;
        differ = true;
        print(stdout, L"%08IX: %02X %02X\n", i, (unsigned char)a->bytes[i], (unsigned char)b->bytes[i]);
    }
    if (a->length != b->length) {
        bool first = a->length > b->length;
        print(stdout, L"FC: %ls longer than %ls\n", first ? a_name : b_name, first ? b_name : a_name);
        return 1;
    }
    if (!differ) print(stdout, L"FC: no differences encountered\n");
    return differ ? 1 : 0;
}

/* The next character that counts; blanks at the end of a line count as none with /W. */
static int next(const struct request *request, const char **at, const char *end) {
    if (*at == end) return -1;
    int byte = (unsigned char)*(*at)++;
    if (request->blanks && (byte == ' ' || byte == '\t')) {
        while (*at < end && (**at == ' ' || **at == '\t')) (*at)++;
        return *at == end ? -1 : ' ';
    }
    return request->any_case && byte < 128 ? (int)towupper((wint_t)byte) : byte;
}

static bool same(const struct request *request, struct line a, struct line b) {
    const char *a_at = a.text, *b_at = b.text;
    for (;;) {
        int x = next(request, &a_at, a.text + a.length), y = next(request, &b_at, b.text + b.length);
        if (x != y) return false;
        if (x < 0) return true;
    }
}

static void show(const struct request *request, const wchar_t *name, const struct line *lines, size_t from, size_t to) {
    print(stdout, L"***** %ls\n", name);
    for (size_t i = from; i < to; i++) {
        if (request->brief && i > from && i + 1 < to) {
            if (i == from + 1) print(stdout, L"...\n");
            continue;
        }
        if (request->numbers) print(stdout, L"%5I64u:  ", (ULONGLONG)i + 1);
        fwrite(lines[i].text, 1, lines[i].length, stdout);
        fputc('\n', stdout);
    }
}

/* Everything between the first and the last differing line is one difference: true, if not always the smallest. */
static int compare_lines(const struct request *request, const struct file *a, const struct file *b, const wchar_t *a_name, const wchar_t *b_name) {
    size_t a_count, b_count, head = 0, tail = 0;
    struct line *x = lines_of(a, &a_count), *y = lines_of(b, &b_count);
    while (head < a_count && head < b_count && same(request, x[head], y[head])) head++;
    while (tail < a_count - head && tail < b_count - head && same(request, x[a_count - 1 - tail], y[b_count - 1 - tail])) tail++;
    bool differ = head < a_count - tail || head < b_count - tail;
    if (differ) {
        /* A line before and one behind, as fc shows them. */
        size_t from = head > 0 ? head - 1 : 0, behind = tail > 0 ? tail - 1 : 0;
        show(request, a_name, x, from, a_count - behind);
        show(request, b_name, y, from, b_count - behind);
        print(stdout, L"*****\n\n");
    } else print(stdout, L"FC: no differences encountered\n\n");
    free(x);
    free(y);
    return differ ? 1 : 0;
}

static int fail(const wchar_t *format, const wchar_t *text) {
    print(stderr, format, text);
    return 2;
}

int wmain(int argc, wchar_t **argv) {
    struct request request = {0};
    const wchar_t *names[2] = {0};
    int count = 0;
    for (int i = 1; i < argc; i++) {
        const wchar_t *word = argv[i];
        if (word[0] == L'/') {
            for (const wchar_t *at = word + 1; *at != 0; at++) {
                wchar_t letter = (wchar_t)towlower(*at);
                if (letter == L'?') return usage();
                else if (letter == L'b') request.bytes = true;
                else if (letter == L'c') request.any_case = true;
                else if (letter == L'n') request.numbers = true;
                else if (letter == L'w') request.blanks = true;
                else if (letter == L'a') request.brief = true;
                else if (letter != L'l' && letter != L't' && letter != L'/') return fail(L"FC: Invalid switch: %ls\n", word);
            }
        } else if (count < 2) names[count++] = word;
        else return fail(L"FC: Too many files%ls\n", L"");
    }
    if (count < 2) return fail(L"FC: Insufficient number of file specifications%ls\n", L"");
    for (int i = 0; i < 2; i++)
        if (has_wildcard(names[i])) return fail(L"FC: wildcards are not known here: %ls\n", names[i]);
    struct file files[2];
    for (int i = 0; i < 2; i++)
        if (!read_file(names[i], &files[i])) return fail(L"FC: cannot open %ls - No such file or folder\n", names[i]);
    print(stdout, L"Comparing files %ls and %ls\n", names[0], names[1]);
    int result = request.bytes ? compare_bytes(&files[0], &files[1], names[0], names[1])
                               : compare_lines(&request, &files[0], &files[1], names[0], names[1]);
    free_file(&files[0]);
    free_file(&files[1]);
    return result;
}
