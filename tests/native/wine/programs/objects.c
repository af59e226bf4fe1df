/* `make NAME`: makes kernel objects of that name, says so, and stays. `look NAME`: which of them can be opened. */
#include <stdio.h>
#include <windows.h>

static int make(const wchar_t *name, wchar_t *text) {
    HANDLE mutex = CreateMutexW(NULL, TRUE, wcscat(wcscpy(text, L"m"), name));
    HANDLE event = CreateEventW(NULL, TRUE, TRUE, wcscat(wcscpy(text, L"e"), name));
    HANDLE memory = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, wcscat(wcscpy(text, L"s"), name));
    puts(mutex && event && memory ? "made" : "not made");
    fflush(stdout);
    Sleep(INFINITE);
    return 0;
}

static int look(const wchar_t *name, wchar_t *text) {
    HANDLE mutex = OpenMutexW(SYNCHRONIZE, FALSE, wcscat(wcscpy(text, L"m"), name));
    HANDLE event = OpenEventW(SYNCHRONIZE, FALSE, wcscat(wcscpy(text, L"e"), name));
    HANDLE memory = OpenFileMappingW(FILE_MAP_READ, FALSE, wcscat(wcscpy(text, L"s"), name));
    printf("mutex %d event %d memory %d\n", mutex != NULL, event != NULL, memory != NULL);
    return 0;
}

int wmain(int argc, wchar_t **argv) {
    wchar_t text[64];
    if (argc != 3 || wcslen(argv[2]) > 32) return 2;
    return wcscmp(argv[1], L"make") == 0 ? make(argv[2], text) : look(argv[2], text);
}
