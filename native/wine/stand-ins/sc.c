/*
 * sc.exe: makes, changes, shows, starts and stops services. Wine's forgets failure actions, knows no `config`, and says nothing
 * when it fails. Ends with the Windows error, as Windows' does.
 */
#include "sc.h"

#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include "../message.h"

static int failed(const wchar_t *what, DWORD error) {
    print(stderr, L"[SC] %ls FAILED %lu:\n\n", what, error);
    if (error == ERROR_SERVICE_DOES_NOT_EXIST) print(stderr, L"The specified service does not exist as an installed service.\n\n");
    else if (error == ERROR_SERVICE_EXISTS) print(stderr, L"The specified service already exists.\n\n");
    else print(stderr, L"%ls\n\n", error_text(error));
    return (int)error;
}

static int succeeded(const wchar_t *what) {
    print(stdout, L"[SC] %ls SUCCESS\n", what);
    return 0;
}

static int misused(const wchar_t *text) {
    print(stderr, L"ERROR:  %ls\n\nsc create|config|description|failure|query|queryex|qc|start|stop|delete SERVICE [name= value]...\n", text);
    return ERROR_INVALID_COMMAND_LINE;
}

static void show_status(const wchar_t *name, const wchar_t *display, const SERVICE_STATUS_PROCESS *status, bool with_process) {
    static const wchar_t *const states[] = {L"", L"STOPPED", L"START_PENDING", L"STOP_PENDING", L"RUNNING", L"CONTINUE_PENDING", L"PAUSE_PENDING", L"PAUSED"};
    const wchar_t *type = status->dwServiceType & SERVICE_WIN32_OWN_PROCESS   ? L"WIN32_OWN_PROCESS"
                          : status->dwServiceType & SERVICE_WIN32_SHARE_PROCESS ? L"WIN32_SHARE_PROCESS"
                                                                                : L"KERNEL_DRIVER";
    print(stdout, L"\nSERVICE_NAME: %ls\n", name);
    if (display != NULL) print(stdout, L"DISPLAY_NAME: %ls\n", display);
    print(stdout, L"        TYPE               : %lx  %ls\n        STATE              : %lu  %ls\n", status->dwServiceType, type, status->dwCurrentState,
          status->dwCurrentState < 8 ? states[status->dwCurrentState] : L"");
    print(stdout, L"        WIN32_EXIT_CODE    : %lu  (0x%lx)\n        SERVICE_EXIT_CODE  : %lu  (0x%lx)\n", status->dwWin32ExitCode, status->dwWin32ExitCode,
          status->dwServiceSpecificExitCode, status->dwServiceSpecificExitCode);
    print(stdout, L"        CHECKPOINT         : 0x%lx\n        WAIT_HINT          : 0x%lx\n", status->dwCheckPoint, status->dwWaitHint);
    if (with_process) print(stdout, L"        PID                : %lu\n        FLAGS              :\n", status->dwProcessId);
}

static DWORD query(SC_HANDLE service, const wchar_t *name, bool with_process) {
    SERVICE_STATUS_PROCESS status;
    DWORD needed;
    if (!QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&status, sizeof status, &needed)) return GetLastError();
    show_status(name, NULL, &status, with_process);
    return 0;
}

static int query_all(SC_HANDLE manager, int argc, wchar_t **argv, bool with_process) {
    static BYTE room[1 << 18];
    DWORD missing, count = 0, resume = 0, state = SERVICE_ACTIVE, type = SERVICE_WIN32;
    for (int i = 0; i < argc; i++) {
        const wchar_t *value;
        if ((value = value_of(L"state", argc, argv, &i)) != NULL)
            state = _wcsicmp(value, L"all") == 0 ? SERVICE_STATE_ALL : _wcsicmp(value, L"inactive") == 0 ? SERVICE_INACTIVE : SERVICE_ACTIVE;
        else if ((value = value_of(L"type", argc, argv, &i)) != NULL)
            type = _wcsicmp(value, L"driver") == 0 ? SERVICE_DRIVER : _wcsicmp(value, L"all") == 0 ? SERVICE_DRIVER | SERVICE_WIN32 : SERVICE_WIN32;
        else return misused(L"Only state= and type= are known here.");
    }
    if (!EnumServicesStatusExW(manager, SC_ENUM_PROCESS_INFO, type, state, room, sizeof room, &missing, &count, &resume, NULL))
        return failed(L"EnumQueryServicesStatus", GetLastError());
    const ENUM_SERVICE_STATUS_PROCESSW *services = (const ENUM_SERVICE_STATUS_PROCESSW *)room;
    for (DWORD i = 0; i < count; i++) show_status(services[i].lpServiceName, services[i].lpDisplayName, &services[i].ServiceStatusProcess, with_process);
    return 0;
}

static DWORD show_configuration(SC_HANDLE service, const wchar_t *name) {
    static const wchar_t *const starts[] = {L"BOOT_START", L"SYSTEM_START", L"AUTO_START", L"DEMAND_START", L"DISABLED"};
    static BYTE room[1 << 15];
    DWORD needed;
    QUERY_SERVICE_CONFIGW *config = (QUERY_SERVICE_CONFIGW *)room;
    if (!QueryServiceConfigW(service, config, sizeof room, &needed)) return GetLastError();
    print(stdout, L"[SC] QueryServiceConfig SUCCESS\n\nSERVICE_NAME: %ls\n        TYPE               : %lx\n", name, config->dwServiceType);
    print(stdout, L"        START_TYPE         : %lu   %ls\n        ERROR_CONTROL      : %lu\n", config->dwStartType,
          config->dwStartType < 5 ? starts[config->dwStartType] : L"", config->dwErrorControl);
    print(stdout, L"        BINARY_PATH_NAME   : %ls\n        LOAD_ORDER_GROUP   : %ls\n        TAG                : %lu\n", config->lpBinaryPathName,
          config->lpLoadOrderGroup == NULL ? L"" : config->lpLoadOrderGroup, config->dwTagId);
    print(stdout, L"        DISPLAY_NAME       : %ls\n", config->lpDisplayName == NULL ? L"" : config->lpDisplayName);
    const wchar_t *depends = config->lpDependencies == NULL ? L"" : config->lpDependencies;
    print(stdout, L"        DEPENDENCIES       : %ls\n", depends);
    while (*depends != 0 && *(depends += wcslen(depends) + 1) != 0) print(stdout, L"                           : %ls\n", depends);
    print(stdout, L"        SERVICE_START_NAME : %ls\n", config->lpServiceStartName == NULL ? L"" : config->lpServiceStartName);
    return 0;
}

/* What Wine's service manager takes and forgets. */
static DWORD set_rest(const wchar_t *name, const struct settings *settings) {
    DWORD delayed = settings->delayed ? 1 : 0, length = sizeof(wchar_t);
    for (const wchar_t *at = settings->depends; at != NULL && *at != 0; at += wcslen(at) + 1) length += (DWORD)((wcslen(at) + 1) * sizeof *at);
    DWORD error = settings->has_delayed ? set_value(name, L"DelayedAutostart", REG_DWORD, &delayed, sizeof delayed) : 0;
    if (error == 0 && settings->depends != NULL) error = set_value(name, L"DependOnService", REG_MULTI_SZ, settings->depends, length);
    return error;
}

static int create(SC_HANDLE manager, const wchar_t *name, int argc, wchar_t **argv) {
    struct settings settings;
    if (!read_settings(&settings, argc, argv)) return ERROR_INVALID_COMMAND_LINE;
    if (settings.path == NULL) return misused(L"binPath= is missing.");
    if (settings.type == SERVICE_NO_CHANGE) settings.type = SERVICE_WIN32_OWN_PROCESS;
    if (settings.start == SERVICE_NO_CHANGE) settings.start = SERVICE_DEMAND_START;
    if (settings.error == SERVICE_NO_CHANGE) settings.error = SERVICE_ERROR_NORMAL;
    SC_HANDLE service = CreateServiceW(manager, name, settings.name, SERVICE_ALL_ACCESS, settings.type, settings.start, settings.error, settings.path,
                                       settings.group, NULL, settings.depends, settings.account, settings.password);
    if (service == NULL) return failed(L"CreateService", GetLastError());
    CloseServiceHandle(service);
    settings.has_delayed = settings.delayed;
    DWORD error = set_rest(name, &settings);
    return error == 0 ? succeeded(L"CreateService") : failed(L"CreateService", error);
}

/* REG_MULTI_SZ, with room for two more NULs behind it. NULL where there is none. */
static wchar_t *dependencies_of(const wchar_t *name) {
    wchar_t path[400];
    DWORD bytes = 0;
    _snwprintf(path, 399, L"SYSTEM\\CurrentControlSet\\Services\\%ls", name);
    path[399] = 0;
    if (RegGetValueW(HKEY_LOCAL_MACHINE, path, L"DependOnService", RRF_RT_REG_MULTI_SZ, NULL, NULL, &bytes) != 0) return NULL;
    wchar_t *list = calloc(1, bytes + 2 * sizeof *list);
    if (list != NULL && RegGetValueW(HKEY_LOCAL_MACHINE, path, L"DependOnService", RRF_RT_REG_MULTI_SZ, NULL, list, &bytes) != 0) list[0] = 0;
    return list;
}

static int configure(SC_HANDLE service, const wchar_t *name, int argc, wchar_t **argv) {
    struct settings settings;
    if (!read_settings(&settings, argc, argv)) return ERROR_INVALID_COMMAND_LINE;
    /* Wine's takes away the dependencies that it has forgotten. */
    wchar_t *kept = settings.depends == NULL ? dependencies_of(name) : settings.depends;
    bool fine = ChangeServiceConfigW(service, settings.type, settings.start, settings.error, settings.path, settings.group, NULL, settings.depends,
                                     settings.account, settings.password, settings.name);
    settings.depends = kept;
    DWORD error = fine ? set_rest(name, &settings) : GetLastError();
    free(kept);
    return error == 0 ? succeeded(L"ChangeServiceConfig") : failed(L"ChangeServiceConfig", error);
}

static int describe(SC_HANDLE service, wchar_t *text) {
    SERVICE_DESCRIPTIONW description = {.lpDescription = text};
    bool fine = ChangeServiceConfig2W(service, SERVICE_CONFIG_DESCRIPTION, &description);
    return fine ? succeeded(L"ChangeServiceConfig2") : failed(L"ChangeServiceConfig2", GetLastError());
}

/* What is done with a service that must be there. */
static int act(SC_HANDLE service, const wchar_t *verb, const wchar_t *name, int argc, wchar_t **argv) {
    SERVICE_STATUS status;
    DWORD error = 0;
    bool with_process = _wcsicmp(verb, L"queryex") == 0;
    if (with_process || _wcsicmp(verb, L"query") == 0) return (error = query(service, name, with_process)) == 0 ? 0 : failed(L"QueryServiceStatus", error);
    if (_wcsicmp(verb, L"qc") == 0) return (error = show_configuration(service, name)) == 0 ? 0 : failed(L"QueryServiceConfig", error);
    if (_wcsicmp(verb, L"config") == 0) return configure(service, name, argc, argv);
    if (_wcsicmp(verb, L"failure") == 0) return (error = set_failure(name, argc, argv)) == 0 ? succeeded(L"ChangeServiceConfig2") : failed(L"ChangeServiceConfig2", error);
    if (_wcsicmp(verb, L"description") == 0) return argc == 1 ? describe(service, argv[0]) : misused(L"One description is needed.");
    if (_wcsicmp(verb, L"delete") == 0) return DeleteService(service) ? succeeded(L"DeleteService") : failed(L"DeleteService", GetLastError());
    if (_wcsicmp(verb, L"start") == 0) {
        if (!StartServiceW(service, (DWORD)argc, (const wchar_t **)argv)) return failed(L"StartService", GetLastError());
    } else if (!ControlService(service, SERVICE_CONTROL_STOP, &status)) return failed(L"ControlService", GetLastError());
    return (error = query(service, name, true)) == 0 ? 0 : failed(L"QueryServiceStatus", error);
}

int wmain(int argc, wchar_t **argv) {
    static const wchar_t *const verbs[] = {L"query", L"queryex", L"qc", L"config", L"failure", L"description", L"delete", L"start", L"stop"};
    const wchar_t *verb = argc > 1 ? argv[1] : L"";
    if (verb[0] == L'\\') return misused(L"Other computers are out of reach here.");
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_ALL_ACCESS);
    if (manager == NULL) return failed(L"OpenSCManager", GetLastError());
    bool lists = _wcsicmp(verb, L"query") == 0 || _wcsicmp(verb, L"queryex") == 0;
    if (lists && (argc == 2 || wcschr(argv[2], L'=') != NULL)) return query_all(manager, argc - 2, argv + 2, _wcsicmp(verb, L"queryex") == 0);
    if (argc > 2 && _wcsicmp(verb, L"create") == 0) return create(manager, argv[2], argc - 3, argv + 3);
    for (size_t i = 0; argc > 2 && i < sizeof verbs / sizeof *verbs; i++) {
        if (_wcsicmp(verb, verbs[i]) != 0) continue;
        SC_HANDLE service = OpenServiceW(manager, argv[2], SERVICE_ALL_ACCESS);
        return service == NULL ? failed(L"OpenService", GetLastError()) : act(service, verb, argv[2], argc - 3, argv + 3);
    }
    return misused(argc > 2 ? L"This command is not part of wbuild's Windows personality." : L"A command and a service are needed.");
}
