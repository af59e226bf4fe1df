/*
 * net.exe: starts and stops services. Everything else is refused: Wine's prints its usage and succeeds, so that
 * `net user NAME /add` would seem to have made an account.
 */
#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#include "../message.h"

enum { patience = 30000, misused = 1, failed = 2 };

static int tell(DWORD error) {
    if (error == ERROR_SERVICE_DOES_NOT_EXIST || error == ERROR_INVALID_NAME) fputs("The service name is invalid.\n", stderr);
    else if (error == ERROR_SERVICE_ALREADY_RUNNING) fputs("The requested service has already been started.\n", stderr);
    else if (error == ERROR_SERVICE_NOT_ACTIVE) fputs("The service is not started.\n", stderr);
    else tell_error(error);
    return failed;
}

/* Services are known by the name of their key and by the one for people. */
static SC_HANDLE open_service(SC_HANDLE manager, const wchar_t *name) {
    static const DWORD access = SERVICE_START | SERVICE_STOP | SERVICE_QUERY_STATUS;
    wchar_t key[257];
    DWORD units = sizeof key / sizeof *key;
    SC_HANDLE service = OpenServiceW(manager, name, access);
    if (service == NULL && GetServiceKeyNameW(manager, name, key, &units)) service = OpenServiceW(manager, key, access);
    return service;
}

/* 0 when it got there, else why not. */
static DWORD await(SC_HANDLE service, DWORD wanted, DWORD on_the_way) {
    SERVICE_STATUS status;
    for (DWORD waited = 0;; waited += 50) {
        if (!QueryServiceStatus(service, &status)) return GetLastError();
        if (status.dwCurrentState == wanted) return 0;
        if (status.dwCurrentState != on_the_way && waited > 1000)
            return status.dwWin32ExitCode == 0 ? ERROR_SERVICE_REQUEST_TIMEOUT : status.dwWin32ExitCode;
        if (waited >= patience) return ERROR_SERVICE_REQUEST_TIMEOUT;
        Sleep(50);
    }
}

static int change(const wchar_t *name, bool start) {
    SERVICE_STATUS status;
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_ENUMERATE_SERVICE);
    SC_HANDLE service = manager == NULL ? NULL : open_service(manager, name);
    if (service == NULL) return tell(ERROR_SERVICE_DOES_NOT_EXIST);
    print(stdout, L"The %ls service is %ls.\n", name, start ? L"starting" : L"stopping");
    bool asked = start ? StartServiceW(service, 0, NULL) : ControlService(service, SERVICE_CONTROL_STOP, &status);
    DWORD error = asked ? 0 : GetLastError();
    if (error == 0) error = await(service, start ? SERVICE_RUNNING : SERVICE_STOPPED, start ? SERVICE_START_PENDING : SERVICE_STOP_PENDING);
    CloseServiceHandle(service);
    CloseServiceHandle(manager);
    if (error != 0) return tell(error);
    print(stdout, L"The %ls service was %ls successfully.\n\n", name, start ? L"started" : L"stopped");
    return 0;
}

static int list(void) {
    static BYTE room[1 << 18];
    DWORD missing, count = 0, resume = 0;
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_ENUMERATE_SERVICE);
    if (manager == NULL || !EnumServicesStatusExW(manager, SC_ENUM_PROCESS_INFO, SERVICE_WIN32, SERVICE_ACTIVE, room, sizeof room, &missing,
                                                  &count, &resume, NULL))
        return tell(GetLastError());
    const ENUM_SERVICE_STATUS_PROCESSW *services = (const ENUM_SERVICE_STATUS_PROCESSW *)room;
    fputs("These Windows services are started:\n\n", stdout);
    for (DWORD i = 0; i < count; i++) print(stdout, L"   %ls\n", services[i].lpDisplayName);
    fputs("\nThe command completed successfully.\n\n", stdout);
    CloseServiceHandle(manager);
    return 0;
}

int wmain(int argc, wchar_t **argv) {
    const wchar_t *verb = argc > 1 ? argv[1] : L"";
    bool start = _wcsicmp(verb, L"start") == 0, stop = _wcsicmp(verb, L"stop") == 0;
    if (start && argc == 2) return list();
    if ((start && argc == 3) || (stop && argc >= 3 && (argc == 3 || (argc == 4 && _wcsicmp(argv[3], L"/y") == 0)))) return change(argv[2], start);
    if (argc > 1 && !start && !stop)
        print(stderr, L"net %ls: only NET START and NET STOP are part of wbuild's Windows personality (accounts, groups and shares are not)\n", verb);
    else fputs("The syntax of this command is:\n\nNET START [service]\nNET STOP service\n", stderr);
    return misused;
}
