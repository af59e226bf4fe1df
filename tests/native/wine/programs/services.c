/* Asks the service manager at once: prints how long that took to standard error, and what it knows of a service. */
#include <stdio.h>
#include <windows.h>

int wmain(int argc, wchar_t **argv) {
    ULONGLONG began = GetTickCount64();
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    if (manager == NULL) {
        printf("no service manager: %lu\n", GetLastError());
        return 1;
    }
    SC_HANDLE service = OpenServiceW(manager, argc > 1 ? argv[1] : L"RpcSs", SERVICE_QUERY_STATUS);
    printf("manager, %s\n", service == NULL ? "no service" : "service");
    fprintf(stderr, "%llu ms\n", GetTickCount64() - began);
    return service == NULL ? 2 : 0;
}
