/* findstr.exe: lines of files that have, or do not have, one of several strings in them. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>
#include <windows.h>

#include "../message.h"
#include "lines.h"
#include "search.h"
#include "wildcard.h"

enum { deepest = 256, found_none = 1, misused = 2 };

struct request {
    bool inverted, numbers, offsets, names_only, below, printable_only, named;
    bool literal, expression;
    struct search_kind kind;
    struct text *texts;
    size_t count;
    struct search **searches;
    bool found;
};

struct text {
    char *bytes;
    size_t length;
    bool whole; /* of /C: one with blanks, literal unless /R says otherwise */
};

static int usage(void) {
    fputs("FINDSTR [/B] [/E] [/L] [/R] [/S] [/I] [/X] [/V] [/N] [/M] [/O] [/P] [/F:file]\n"
          "        [/C:string] [/G:file] [strings] [file...]\n\n"
          "    /B /E /X    at a line's begin, at its end, whole lines\n"
          "    /L /R       literal strings, regular expressions\n"
          "    /S          in folders below, too\n"
          "    /I          letter case is ignored\n"
          "    /V          lines without a match\n"
          "    /N /O /M    line numbers, offsets, only names of files\n"
          "    /P          not in files with unprintable characters\n"
          "    /F: /G:     names of files, strings from a file (/ is standard input)\n",
          stdout);
    return 0;
}

static int misuse(const wchar_t *text, const wchar_t *word) {
    print(stderr, L"FINDSTR: %ls%ls\n", text, word);
    return misused;
}

static void add_text(struct request *request, const char *bytes, size_t length, bool whole) {
    request->texts = grown(request->texts, (request->count + 1) * sizeof *request->texts);
    char *kept = grown(NULL, length);
    memcpy(kept, bytes, length);
    request->texts[request->count++] = (struct text){.bytes = kept, .length = length, .whole = whole};
}

static char *narrow(const wchar_t *text) {
    int bytes = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *narrow = grown(NULL, (size_t)bytes + 1);
    if (bytes == 0 || WideCharToMultiByte(CP_UTF8, 0, text, -1, narrow, bytes, NULL, NULL) == 0) narrow[0] = 0;
    return narrow;
}

static void add_words(struct request *request, const wchar_t *words) {
    char *text = narrow(words);
    for (const char *at = text; *at != 0;) {
        size_t length = strcspn(at, " ");
        if (length > 0) add_text(request, at, length, false);
        at += length + (at[length] == ' ');
    }
    free(text);
}

static bool read_list(const wchar_t *name, struct file *file) {
    return wcscmp(name, L"/") == 0 ? read_handle(GetStdHandle(STD_INPUT_HANDLE), file) : read_file(name, file);
}

static bool add_file(struct request *request, const wchar_t *name) {
    struct file file;
    size_t count;
    if (!read_list(name, &file)) return false;
    struct line *lines = lines_of(&file, &count);
    for (size_t i = 0; i < count; i++)
        if (lines[i].length > 0) add_text(request, lines[i].text, lines[i].length, false);
    free(lines);
    free_file(&file);
    return true;
}

/* The first string decides for all that are not of /C, as findstr has it. */
static void make_searches(struct request *request) {
    bool guessed = request->count > 0 && looks_like_expression(request->texts[0].bytes, request->texts[0].length);
    request->searches = grown(NULL, request->count * sizeof *request->searches);
    for (size_t i = 0; i < request->count; i++) {
        const struct text *text = &request->texts[i];
        struct search_kind kind = request->kind;
        kind.expression = request->expression || (!request->literal && !text->whole && guessed);
        request->searches[i] = make_search(text->bytes, text->length, &kind);
    }
}

static bool line_matches(const struct request *request, struct line line) {
    for (size_t i = 0; i < request->count; i++)
        if (search_finds(request->searches[i], line.text, line.length)) return true;
    return false;
}

static bool is_printable(const struct file *file) {
    for (size_t i = 0; i < file->length; i++) {
        unsigned char byte = (unsigned char)file->bytes[i];
        if (byte < 32 && strchr("\b\t\n\v\f\r\x1a", byte) == NULL) return false;
        if (byte == 0) return false;
    }
    return true;
}

static void search_file(struct request *request, const struct file *file, const wchar_t *name) {
    size_t count;
    if (request->printable_only && !is_printable(file)) return;
    struct line *lines = lines_of(file, &count);
    for (size_t i = 0; i < count; i++) {
        if (line_matches(request, lines[i]) == request->inverted) continue;
        request->found = true;
        if (request->names_only) {
            print(stdout, L"%ls\n", name);
            break;
        }
        if (request->named && name != NULL) print(stdout, L"%ls:", name);
        if (request->numbers) print(stdout, L"%I64u:", (ULONGLONG)i + 1);
        if (request->offsets) print(stdout, L"%I64u:", (ULONGLONG)lines[i].offset);
        fwrite(lines[i].text, 1, lines[i].length, stdout);
        fputc('\n', stdout);
    }
    free(lines);
}

static void search_named(struct request *request, const wchar_t *path) {
    struct file file;
    if (!read_file(path, &file)) {
        print(stderr, L"FINDSTR: Cannot open %ls\n", path);
        return;
    }
    search_file(request, &file, path);
    free_file(&file);
}

/* Files of a folder that fit, then those of the folders in it. */
static bool search_folder(struct request *request, const wchar_t *folder, const wchar_t *pattern, int depth) {
    WIN32_FIND_DATAW entry;
    bool any = false;
    wchar_t *all = joined(folder, L"*");
    for (int pass = 0; pass < (request->below && depth < deepest ? 2 : 1); pass++) {
        HANDLE walk = FindFirstFileW(all, &entry);
        if (walk == INVALID_HANDLE_VALUE) break;
        do {
            bool is_folder = (entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
            wchar_t *path = joined(folder, entry.cFileName);
            if (pass == 0 && !is_folder && wildcard_matches(pattern, entry.cFileName)) {
                any = true;
                search_named(request, path);
            }
            /* A link to a folder above would never end. */
            if (pass == 1 && is_folder && !is_dots(entry.cFileName) && !is_link(path))
                any = search_folder(request, path, pattern, depth + 1) || any;
            free(path);
        } while (FindNextFileW(walk, &entry));
        FindClose(walk);
    }
    free(all);
    return any;
}

static void search_pattern(struct request *request, const wchar_t *text) {
    if (!has_wildcard(text) && !request->below) {
        search_named(request, text);
        return;
    }
    wchar_t *folder = copied(text);
    wchar_t *name = folder;
    for (wchar_t *at = folder; *at != 0; at++)
        if (*at == L'\\' || *at == L'/' || *at == L':') name = at + 1;
    const wchar_t *pattern = text + (name - folder);
    *name = 0;
    if (!search_folder(request, folder, pattern, 0)) print(stderr, L"FINDSTR: Cannot open %ls\n", text);
    free(folder);
}

static bool search_list(struct request *request, const wchar_t *name) {
    struct file file;
    size_t count;
    if (!read_list(name, &file)) return false;
    struct line *lines = lines_of(&file, &count);
    for (size_t i = 0; i < count; i++) {
        wchar_t path[4096];
        int units = MultiByteToWideChar(CP_UTF8, 0, lines[i].text, (int)(lines[i].length < 4000 ? lines[i].length : 4000), path, 4095);
        path[units] = 0;
        if (units > 0) search_named(request, path);
    }
    free(lines);
    free_file(&file);
    return true;
}

/* One word of options: letters together, and at last one with a colon and its text. 0, or what the program ends with. */
static int read_option(struct request *request, const wchar_t *word, const wchar_t **list) {
    for (const wchar_t *at = word + 1; *at != 0; at++) {
        wchar_t letter = (wchar_t)towlower(*at);
        if (at[1] == L':') {
            const wchar_t *rest = at + 2;
            if (letter == L'c') {
                char *text = narrow(rest);
                add_text(request, text, strlen(text), true);
                free(text);
            } else if (letter == L'g') {
                if (!add_file(request, rest)) return misuse(L"Cannot open ", rest);
            } else if (letter == L'f') *list = rest;
            else if (letter != L'a') return misuse(L"Bad command line: this option is not known here: ", word);
            return 0;
        }
        if (letter == L'b') request->kind.at_begin = true;
        else if (letter == L'e') request->kind.at_end = true;
        else if (letter == L'x') request->kind.at_begin = request->kind.at_end = true;
        else if (letter == L'l') request->literal = true;
        else if (letter == L'r') request->expression = true;
        else if (letter == L's') request->below = true;
        else if (letter == L'i') request->kind.any_case = true;
        else if (letter == L'v') request->inverted = true;
        else if (letter == L'n') request->numbers = true;
        else if (letter == L'm') request->names_only = true;
        else if (letter == L'o') request->offsets = true;
        else if (letter == L'p') request->printable_only = true;
        else if (letter == L'?') exit(usage());
        else return misuse(L"Bad command line: this option is not known here: ", word);
    }
    return 0;
}

int wmain(int argc, wchar_t **argv) {
    struct request request = {0};
    const wchar_t *list = NULL;
    int i = 1;
    for (; i < argc && (argv[i][0] == L'/' || argv[i][0] == L'-') && argv[i][1] != 0; i++) {
        int end = read_option(&request, argv[i], &list);
        if (end != 0) return end;
    }
    if (request.count == 0) {
        if (i == argc) return misuse(L"Bad command line", L"");
        add_words(&request, argv[i++]);
    }
    if (request.literal && request.expression) return misuse(L"Bad command line: /L and /R together", L"");
    make_searches(&request);
    request.named = request.below || list != NULL || argc - i > 1 || (argc > i && has_wildcard(argv[i]));
    if (list != NULL && !search_list(&request, list)) return misuse(L"Cannot open ", list);
    for (int from = i; from < argc; from++) search_pattern(&request, argv[from]);
    if (list == NULL && i == argc) {
        struct file input;
        if (!read_handle(GetStdHandle(STD_INPUT_HANDLE), &input)) return misuse(L"Cannot read standard input", L"");
        search_file(&request, &input, NULL);
        free_file(&input);
    }
    return request.found ? 0 : found_none;
}
