/* takeown.exe, which Wine has not: writes down who is to own a file; the host puts it into the layer's descriptors. */
#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#include "channel.h"
#include "files.h"
#include "message.h"

struct request {
    const wchar_t *pattern;
    bool administrators, tree, skip_links;
    const wchar_t *principal, *name;
};

static int usage(void) {
    fputs("TAKEOWN /F filename [/A] [/R [/D prompt]] [/SKIPSL]\n\n"
          "    /F filename   file or folder, wildcards allowed\n"
          "    /A            gives ownership to the administrators group instead of the current user\n"
          "    /R            all files and folders below\n"
          "    /D prompt     accepted; nothing is ever asked\n"
          "    /SKIPSL       does not follow links (with /R)\n",
          stdout);
    return 0;
}

static int fail(const wchar_t *text) {
    print(stderr, L"ERROR: %ls\n", text);
    return 1;
}

static DWORD take(void *context, const struct found *found) {
    const struct request *request = context;
    const wchar_t *fields[] = {L"owner", found->path, found->whole_tree ? L"tree" : L"one", request->principal};
    if (!found->below && !journal(fields, sizeof fields / sizeof *fields)) return ERROR_WRITE_FAULT;
    if (request->administrators)
        print(stdout, L"\nSUCCESS: The file (or folder): \"%ls\" now owned by the administrators group.\n", found->path);
    else print(stdout, L"\nSUCCESS: The file (or folder): \"%ls\" now owned by user \"%ls\".\n", found->path, request->name);
    return 0;
}

int wmain(int argc, wchar_t **argv) {
    struct request request = {0};
    static wchar_t user[300], name[600], computer[MAX_COMPUTERNAME_LENGTH + 1];
    for (int i = 1; i < argc; i++) {
        const wchar_t *word = argv[i];
        bool more = i + 1 < argc;
        if (_wcsicmp(word, L"/?") == 0) return usage();
        if (_wcsicmp(word, L"/a") == 0) request.administrators = true;
        else if (_wcsicmp(word, L"/r") == 0) request.tree = true;
        else if (_wcsicmp(word, L"/skipsl") == 0) request.skip_links = true;
        else if (_wcsicmp(word, L"/f") == 0 && more) request.pattern = argv[++i];
        else if (_wcsicmp(word, L"/d") == 0 && more) i++;
        else return fail(L"Invalid syntax. Only /F, /A, /R, /D and /SKIPSL are known here.");
    }
    if (request.pattern == NULL) return fail(L"Invalid syntax. /F is missing.");
    DWORD length = sizeof user / sizeof *user, computer_length = sizeof computer / sizeof *computer;
    if (!GetUserNameW(user, &length)) return fail(error_text(GetLastError()));
    if (!GetComputerNameW(computer, &computer_length)) computer[0] = 0;
    _snwprintf(name, sizeof name / sizeof *name - 1, L"%ls\\%ls", computer, user);
    request.principal = request.administrators ? L"S-1-5-32-544" : user;
    request.name = name;
    const struct pattern pattern = {.text = request.pattern, .tree = request.tree, .tell = take, .context = &request};
    DWORD error = walk_pattern(&pattern);
    return error == 0 ? 0 : fail(error_text(error));
}
