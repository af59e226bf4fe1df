/*
 * icacls.exe: Wine stores no access lists, and its own icacls does nothing and says nothing. Ours writes down what was asked;
 * the host puts it into the descriptors of the layer. What it cannot do (listing, saving) it refuses.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

#include "channel.h"
#include "files.h"
#include "message.h"
#include "permissions.h"

enum { most_operations = 256 };

/* One change, as the journal has it. */
struct operation {
    const wchar_t *name; /* grant, grant-replace, deny, remove…, inheritance, reset, or owner */
    const wchar_t *principal;
    DWORD mask;
    BYTE flags;
};

struct request {
    const wchar_t *pattern;
    struct operation operations[most_operations];
    size_t count;
    bool tree, go_on, links, quiet;
    /* How it went. */
    unsigned done, failed;
    DWORD error;
};

static int usage(void) {
    fputs("ICACLS name /grant[:r] Sid:perm[...] | /deny Sid:perm[...] | /remove[:g|:d] Sid[...]\n"
          "            | /inheritance:e|d|r | /setowner user | /reset   [/T] [/C] [/L] [/Q]\n\n"
          "    Changes who may do what with files and folders. In a build step of wbuild the change\n"
          "    is written down and becomes part of the layer; access lists cannot be shown, saved,\n"
          "    restored or searched.\n\n"
          "    perm: (OI)(CI)(IO)(NP), then F, M, RX, R, W, D or a list such as (RD,WD,X)\n"
          "    Sid:  a name, or *S-1-1-0\n",
          stdout);
    return 1;
}

static int invalid(const wchar_t *word) {
    print(stderr, L"Invalid parameter \"%ls\"\n", word);
    return ERROR_INVALID_PARAMETER;
}

static int refuse(const wchar_t *option) {
    print(stderr, L"icacls %ls: access lists cannot be shown, saved, restored or searched in a build step; they can be changed\n", option);
    return 1;
}

static DWORD write_down(const struct request *request, const struct found *found) {
    for (size_t i = 0; i < request->count; i++) {
        const struct operation *operation = &request->operations[i];
        const wchar_t *depth = found->whole_tree ? L"tree" : L"one";
        wchar_t mask[12], flags[12];
        _snwprintf(mask, 12, L"%lx", operation->mask);
        _snwprintf(flags, 12, L"%x", operation->flags);
        const wchar_t *owner[] = {L"owner", found->path, depth, operation->principal};
        const wchar_t *acl[] = {L"acl", operation->name, found->path, depth, operation->principal, mask, flags};
        bool is_owner = wcscmp(operation->name, L"owner") == 0;
        if (!journal(is_owner ? owner : acl, is_owner ? 4 : 7)) return ERROR_WRITE_FAULT;
    }
    return 0;
}

static DWORD process(void *context, const struct found *found) {
    struct request *request = context;
    DWORD error = 0;
    if ((found->attributes & FILE_ATTRIBUTE_REPARSE_POINT) && !request->links && !found->below) error = ERROR_NOT_SUPPORTED;
    else if (!found->below) error = write_down(request, found);
    if (error == 0) {
        request->done++;
        if (!request->quiet) print(stdout, L"processed file: %ls\n", found->path);
        return 0;
    }
    print(stderr, L"%ls: %ls%ls\n", found->path, error_text(error), error == ERROR_NOT_SUPPORTED ? L" (it is a link: name its target, or use /L)" : L"");
    request->failed++;
    request->error = error;
    return request->go_on ? 0 : error;
}

static int run(struct request *request) {
    const struct pattern pattern = {.text = request->pattern, .tree = request->tree, .tell = process, .context = request};
    DWORD error = walk_pattern(&pattern);
    if (error != 0 && request->error == 0) {
        print(stderr, L"%ls: %ls\n", request->pattern, error_text(error));
        request->failed++;
        request->error = error;
    }
    print(stdout, L"Successfully processed %u files; Failed processing %u files\n", request->done, request->failed);
    return (int)request->error;
}

static bool add(struct request *request, const struct operation *operation) {
    if (request->count == most_operations) return false;
    request->operations[request->count++] = *operation;
    return true;
}

/* The words behind an option up to the next one; how many, 0 when one of them is not understood (and told). */
static int read_words(struct request *request, const wchar_t *operation, bool with_rights, int count, wchar_t **words, int *status) {
    int used = 0;
    for (; used < count && words[used][0] != '/'; used++) {
        struct permission permission = {0};
        DWORD error = 0;
        if (with_rights) error = read_permission(words[used], &permission);
        else if ((permission.principal = read_principal(words[used])) == NULL) error = ERROR_INVALID_PARAMETER;
        const struct operation made = {operation, permission.principal, permission.mask, permission.flags};
        if (error == 0 && add(request, &made)) continue;
        *status = error == ERROR_INVALID_SID ? (tell_error(error), ERROR_INVALID_SID) : invalid(words[used]);
        return 0;
    }
    if (used == 0) *status = invalid(operation);
    return used;
}

/* Options with principals behind them. */
static const struct {
    const wchar_t *option, *operation;
    bool with_rights;
} listed[] = {
    {L"/grant", L"grant", true},       {L"/grant:r", L"grant-replace", true},   {L"/deny", L"deny", true},
    {L"/remove", L"remove", false},    {L"/remove:g", L"remove-grant", false}, {L"/remove:d", L"remove-deny", false},
    {L"/setowner", L"owner", false},
};

static bool is(const wchar_t *word, const wchar_t *option) {
    return _wcsicmp(word, option) == 0;
}

static bool is_refused(const wchar_t *word) {
    static const wchar_t *const options[] = {L"/save", L"/restore", L"/substitute", L"/verify", L"/findsid", L"/setintegritylevel"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (is(word, options[i])) return true;
    return false;
}

/* A switch or an option without words behind it; false for others. */
static bool read_switch(struct request *request, const wchar_t *word) {
    static const wchar_t *const inheritance[] = {L"/inheritance:e", L"/inheritance:d", L"/inheritance:r"};
    if (is(word, L"/t")) return request->tree = true;
    if (is(word, L"/c")) return request->go_on = true;
    if (is(word, L"/l")) return request->links = true;
    if (is(word, L"/q")) return request->quiet = true;
    if (is(word, L"/reset")) return add(request, &(struct operation){L"reset", L"", 0, 0});
    for (size_t i = 0; i < 3; i++)
        if (is(word, inheritance[i])) return add(request, &(struct operation){L"inheritance", inheritance[i] + 13, 0, 0});
    return false;
}

/* Reads the option at `words[0]`; how many words it took, 0 when it was not understood. */
static int read_option(struct request *request, int count, wchar_t **words, int *status) {
    if (read_switch(request, words[0])) return 1;
    if (is_refused(words[0])) {
        *status = refuse(words[0]);
        return 0;
    }
    for (size_t i = 0; i < sizeof listed / sizeof *listed; i++) {
        if (!is(words[0], listed[i].option)) continue;
        int used = read_words(request, listed[i].operation, listed[i].with_rights, count - 1, words + 1, status);
        return used == 0 ? 0 : used + 1;
    }
    *status = invalid(words[0]);
    return 0;
}

int wmain(int argc, wchar_t **argv) {
    static struct request request;
    if (argc < 2 || is(argv[1], L"/?")) return usage();
    request.pattern = argv[1];
    for (int at = 2; at < argc;) {
        int status = 0, used = read_option(&request, argc - at, argv + at, &status);
        if (used == 0) return status;
        at += used;
    }
    return request.count == 0 ? refuse(L"without a change") : run(&request);
}
