/*
 * powershell.exe and pwsh.exe where the image has none: Wine's own is empty and says that all went well. Ours starts the
 * PowerShell 7 that the image or a mounted folder brings, with the same arguments, or says that there is none.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

#include "imports.h"

enum { longest = 32768, not_there = 1 };

/* True for a program that is none of Wine's and so none of ours. */
static bool is_real(const wchar_t *path) {
    uint8_t start[96];
    DWORD length = 0;
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE) return false;
    bool read = ReadFile(file, start, sizeof start, &length, NULL) && length >= 2;
    CloseHandle(file);
    return read && !is_wines_own(start, length);
}

/* Fills `path`; false when there is no PowerShell 7. */
static bool find(wchar_t *path) {
    static const wchar_t *const places[] = {L"%ProgramFiles%\\PowerShell\\7\\pwsh.exe", L"%ProgramFiles%\\PowerShell\\pwsh.exe"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        DWORD length = ExpandEnvironmentStringsW(places[i], path, longest);
        if (length > 0 && length <= longest && is_real(path)) return true;
    }
    static wchar_t folders[longest];
    DWORD length = GetEnvironmentVariableW(L"PATH", folders, longest);
    if (length == 0 || length >= longest) return false;
    for (wchar_t *next = folders, *folder; (folder = next) != NULL;) {
        if ((next = wcschr(folder, ';')) != NULL) *next++ = 0;
        if (folder[0] == 0 || _snwprintf(path, longest - 1, L"%ls\\pwsh.exe", folder) < 0) continue;
        if (is_real(path)) return true;
    }
    return false;
}

/* Behind the first word of a command line. */
static const wchar_t *tail_of(const wchar_t *line) {
    if (*line == '"') {
        line = wcschr(line + 1, '"');
        return line == NULL ? L"" : line + 1;
    }
    return line + wcscspn(line, L" \t");
}

/* How many of the letters of an option are given: -Com is -Command. */
static bool abbreviates(const wchar_t *word, size_t length, const wchar_t *option, size_t least) {
    return length >= least && length <= wcslen(option) && _wcsnicmp(word, option, length) == 0;
}

/*
 * Windows PowerShell takes a first word that is no option for a command, PowerShell 7 for a file: where such a word
 * begins, or NULL.
 */
static const wchar_t *bare_command(const wchar_t *tail) {
    static const wchar_t *const with_value[] = {L"executionpolicy", L"inputformat", L"outputformat", L"version", L"windowstyle", L"configurationname"};
    for (;;) {
        tail += wcsspn(tail, L" \t");
        if (*tail == 0) return NULL;
        if (*tail != '-' && *tail != '/') return tail;
        const wchar_t *word = tail + 1;
        size_t length = wcscspn(word, L" \t:");
        tail = word + length;
        if (abbreviates(word, length, L"command", 1) || abbreviates(word, length, L"file", 1) || abbreviates(word, length, L"encodedcommand", 1)) return NULL;
        bool takes = abbreviates(word, length, L"ep", 2);
        for (size_t i = 0; i < sizeof with_value / sizeof *with_value; i++) takes = takes || abbreviates(word, length, with_value[i], 2);
        if (takes) {
            tail += wcsspn(tail, L" \t:");
            tail = tail_of(tail);
        }
    }
}

static BOOL WINAPI keep_waiting(DWORD event) {
    return event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT;
}

static int start(wchar_t *program, bool windows_powershell) {
    const wchar_t *tail = tail_of(GetCommandLineW());
    const wchar_t *bare = windows_powershell ? bare_command(tail) : NULL;
    wchar_t *line = malloc((wcslen(program) + wcslen(tail) + 32) * sizeof *line);
    if (line == NULL) return not_there;
    size_t options = bare == NULL ? wcslen(tail) : (size_t)(bare - tail);
    wchar_t *at = line + swprintf(line, longest, L"\"%ls\"", program);
    wmemcpy(at, tail, options);
    at[options] = 0;
    if (bare != NULL) wcscat(wcscat(at, L"-Command "), bare);
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION process;
    SetConsoleCtrlHandler(keep_waiting, TRUE);
    if (!CreateProcessW(program, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process)) {
        fprintf(stderr, "wbuild: cannot start %ls: error %lu\n", program, GetLastError());
        return not_there;
    }
    DWORD code = not_there;
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &code);
    ExitProcess(code);
}

int wmain(int argc, wchar_t **argv) {
    static wchar_t path[longest];
    const wchar_t *name = argc > 0 ? argv[0] : L"powershell";
    for (const wchar_t *at = name; *at != 0; at++)
        if (*at == '\\' || *at == '/') name = at + 1;
    if (find(path)) return start(path, _wcsnicmp(name, L"pwsh", 4) != 0);
    fprintf(stderr,
            "wbuild: %ls is not here: PowerShell is no part of what wbuild brings for Windows steps. Use an image with\n"
            "PowerShell 7 (pwsh.exe), or give wbuild one to use in steps: wbuild tools add powershell ARCHIVE|FOLDER\n",
            name);
    return not_there;
}
