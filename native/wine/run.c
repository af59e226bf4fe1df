/*
 * run.exe: starts the one command of a step exactly as asked and writes how it ended to /wine/result. Unix arguments carry
 * neither quotes in the middle of words nor 32-bit exit codes, so both go through files (channel.h).
 *
 *     /wine/command, /wine/cwd, /wine/env   UTF-16LE, no BOM; env: NAME=value, each ended by NUL
 *     /wine/result    {"exit":N} · {"exit":3221225781,"missing":[…]} · {"error":"not-found|not-program|denied|failed","code":N,"program":"…"}
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "channel.h"
#include "environment.h"
#include "json.h"
#include "missing.h"
#include "ntdll.h"
#include "streams.h"

enum { longest_command = 32767, longest_folder = 32767, largest_environment = 1 << 20 };
enum { notification_event = 0 };
static const DWORD dll_not_found = 0xC0000135;

/* While anybody holds this event, no process of the container starts Wine's start-up program again. */
static void hold_boot_event(void) {
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    HANDLE event;
    RtlInitUnicodeString(&name, L"\\KernelObjects\\__wineboot_event");
    InitializeObjectAttributes(&attributes, &name, OBJ_OPENIF, NULL, NULL);
    NtCreateEvent(&event, EVENT_ALL_ACCESS, &attributes, notification_event, FALSE);
}

/*
 * CreateProcess looks for a program beside the caller first. That would be our own folder, whose programs (run.exe!) no
 * step means: we pretend to be one of system32, which comes next in the search anyway.
 */
static void pretend_system_program(void) {
    static wchar_t path[MAX_PATH];
    UINT length = GetSystemDirectoryW(path, MAX_PATH - 16);
    if (length == 0 || length >= MAX_PATH - 16) return;
    wcscat(path, L"\\wininit.exe");
    RtlInitUnicodeString(&RtlGetCurrentPeb()->ProcessParameters->ImagePathName, path);
}

/* Ctrl-C is for the program; its end is ours. (To ignore the event would be inherited, a handler is not.) */
static BOOL WINAPI keep_waiting(DWORD event) {
    return event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT;
}

static int write_result(struct json *json) {
    return json->failed || channel_write("/wine/result", json->bytes, json->length) != 0;
}

static const char *kind_of(DWORD error) {
    switch (error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_NAME:
    case ERROR_BAD_PATHNAME: return "not-found";
    case ERROR_BAD_EXE_FORMAT:
    case ERROR_EXE_MARKED_INVALID:
    case ERROR_INVALID_EXE_SIGNATURE:
    case ERROR_EXE_MACHINE_TYPE_MISMATCH:
    case ERROR_BAD_FORMAT: return "not-program";
    case ERROR_ACCESS_DENIED: return "denied";
    default: return "failed";
    }
}

static int cannot_start(const wchar_t *command, DWORD error) {
    struct json json = {0};
    wchar_t program[MAX_PATH];
    first_word(command, program, MAX_PATH);
    json_text(&json, "{\"error\":\"");
    json_text(&json, kind_of(error));
    json_text(&json, "\",\"code\":");
    json_number(&json, error);
    json_text(&json, ",\"program\":");
    json_string(&json, program);
    json_text(&json, "}\n");
    return write_result(&json);
}

static int has_ended(const wchar_t *command, const wchar_t *image, DWORD code) {
    struct json json = {0};
    json_text(&json, "{\"exit\":");
    json_number(&json, code);
    if (code == dll_not_found) {
        json_text(&json, ",\"missing\":[");
        tell_missing(&json, command, image);
        json_text(&json, "]");
    }
    json_text(&json, "}\n");
    return write_result(&json);
}

/*
 * Standard error: the Unix descriptor that the session names (Wine's own complaints go elsewhere), or Windows' own. The
 * handle has its own copy of the descriptor, and nobody else shall keep the stream open.
 */
static HANDLE error_stream(int argc, wchar_t **argv) {
    typedef int __cdecl from_descriptor(int descriptor, unsigned access, unsigned attributes, HANDLE *handle);
    from_descriptor *convert = (from_descriptor *)(void *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_server_fd_to_handle");
    HANDLE handle = NULL;
    int descriptor = argc > 1 ? _wtoi(argv[1]) : 0;
    if (descriptor > 2 && convert != NULL && convert(descriptor, GENERIC_WRITE | SYNCHRONIZE, OBJ_INHERIT, &handle) == 0) {
        linux_close(descriptor);
        return handle;
    }
    return GetStdHandle(STD_ERROR_HANDLE);
}

/*
 * Wine keeps three branches of HKEY_USERS: .DEFAULT and the user's, which has a second name (volatile-keys.c). What a program
 * made beside them is gone when the server ends: the host shall say so.
 */
static void tell_lost_users(void) {
    wchar_t name[256], key[272];
    for (DWORD i = 0, units; units = 256, RegEnumKeyExW(HKEY_USERS, i, name, &units, NULL, NULL, NULL, NULL) == 0; i++) {
        bool kept = _wcsicmp(name, L".DEFAULT") == 0 || wcscmp(name, L"S-1-5-18") == 0;
        if (kept || wcsncmp(name, L"S-1-5-93-2-", 11) == 0 || wcsncmp(name, L"S-1-5-21-0-0-0-", 15) == 0) continue;
        _snwprintf(key, 272, L"HKU\\%ls", name);
        journal((const wchar_t *[]){L"lost", key}, 2);
    }
}

/* The start-up program holds this mutex while drives and the service manager are not there yet. Its death frees it too. */
static void wait_for_boot(void) {
    HANDLE booting = OpenMutexW(SYNCHRONIZE, FALSE, L"__wbuild_booting");
    if (booting == NULL) return;
    WaitForSingleObject(booting, INFINITE);
    CloseHandle(booting);
}

/* Wine takes a terminal over when its input is first looked at: better before the prompt invites people to type. */
static void take_terminal(void) {
    INPUT_RECORD record;
    DWORD count;
    PeekConsoleInputW(GetStdHandle(STD_INPUT_HANDLE), &record, 1, &count);
}

/* Starts the command on our own standard streams; 0 or the Windows error. */
static DWORD start(wchar_t *command, const wchar_t *folder, wchar_t *environment, HANDLE errors, PROCESS_INFORMATION *process) {
    STARTUPINFOW streams = {.cb = sizeof streams};
    if (!streams_open(&streams, GetStdHandle(STD_INPUT_HANDLE), GetStdHandle(STD_OUTPUT_HANDLE), errors)) return ERROR_NO_SYSTEM_RESOURCES;
    if (!SetCurrentDirectoryW(folder)) return ERROR_DIRECTORY;
    if (CreateProcessW(NULL, command, NULL, NULL, TRUE, CREATE_UNICODE_ENVIRONMENT, environment, folder, &streams, process)) {
        streams_given();
        return 0;
    }
    DWORD error = GetLastError();
    return error == 0 ? ERROR_GEN_FAILURE : error;
}

int wmain(int argc, wchar_t **argv) {
    HANDLE errors = error_stream(argc, argv);
    hold_boot_event();
    size_t command_bytes, folder_bytes, given_bytes;
    wchar_t *command = channel_read("/wine/command", 2 * longest_command, &command_bytes);
    wchar_t *folder = channel_read("/wine/cwd", 2 * longest_folder, &folder_bytes);
    wchar_t *given = channel_read("/wine/env", 2 * largest_environment, &given_bytes);
    if (command == NULL || folder == NULL || given == NULL) {
        fprintf(stderr, "wbuild: cannot read what to run\n");
        return 1;
    }
    wchar_t *environment = lay_over(given, given_bytes / 2);
    if (environment == NULL) return cannot_start(command, ERROR_NOT_ENOUGH_MEMORY);
    SetConsoleCtrlHandler(keep_waiting, TRUE);
    pretend_system_program();
    take_terminal();
    SetEnvironmentStringsW(environment); /* the step's PATH is where its program is looked for */
    wait_for_boot();

    PROCESS_INFORMATION process;
    wchar_t *line = _wcsdup(command); /* CreateProcess writes into what it is given */
    DWORD error = line == NULL ? ERROR_NOT_ENOUGH_MEMORY : start(line, folder, environment, errors, &process);
    if (error != 0) return cannot_start(command, error);
    static wchar_t image[longest_folder];
    DWORD length = longest_folder, code = 0;
    if (!QueryFullProcessImageNameW(process.hProcess, 0, image, &length)) image[0] = 0;
    WaitForSingleObject(process.hProcess, INFINITE);
    streams_finish();
    tell_lost_users();
    if (!GetExitCodeProcess(process.hProcess, &code)) return 1;
    return has_ended(command, image, code);
}
