/* Tells what a program of a step sees of itself, and ends as it is told. Each line of its output is UTF-8. */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

static void say(const char *what, const wchar_t *text) {
    static char bytes[4 * 32768];
    int length = WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, sizeof bytes, NULL, NULL);
    printf("%s=%s\n", what, length > 0 ? bytes : "?");
}

/* The line as CreateProcess got it, and what Microsoft's rules make of it. */
static int tell_arguments(int argc, wchar_t **argv) {
    say("line", GetCommandLineW());
    for (int i = 2; i < argc; i++) say("argument", argv[i]);
    return 0;
}

static int tell_surroundings(void) {
    static wchar_t text[32768];
    DWORD length = 32768;
    GetCurrentDirectoryW(length, text);
    say("folder", text);
    say("user", GetUserNameW(text, &length) ? text : L"?");
    length = 32768;
    say("computer", GetComputerNameW(text, &length) ? text : L"?");
    OSVERSIONINFOEXW version = {.dwOSVersionInfoSize = sizeof version};
    LONG(WINAPI * get)(OSVERSIONINFOEXW *) = (void *)GetProcAddress(GetModuleHandleW(L"ntdll"), "RtlGetVersion");
    get(&version);
    printf("version=%lu.%lu.%lu\n", version.dwMajorVersion, version.dwMinorVersion, version.dwBuildNumber);
    return 0;
}

/* Standard input to its end, as a number of bytes. */
static int count_input(void) {
    char bytes[4096];
    DWORD got = 0;
    unsigned long long all = 0;
    while (ReadFile(GetStdHandle(STD_INPUT_HANDLE), bytes, sizeof bytes, &got, NULL) && got > 0) all += got;
    printf("input=%llu\n", all);
    return 0;
}

static int write_both(void) {
    for (int i = 0; i < 3; i++) {
        DWORD wrote;
        WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), "out\r\n", 5, &wrote, NULL);
        WriteFile(GetStdHandle(STD_ERROR_HANDLE), "err\r\n", 5, &wrote, NULL);
    }
    return 0;
}

int wmain(int argc, wchar_t **argv) {
    const wchar_t *what = argc > 1 ? argv[1] : L"";
    if (wcscmp(what, L"arguments") == 0) return tell_arguments(argc, argv);
    if (wcscmp(what, L"surroundings") == 0) return tell_surroundings();
    if (wcscmp(what, L"input") == 0) return count_input();
    if (wcscmp(what, L"both") == 0) return write_both();
    if (wcscmp(what, L"exit") == 0) ExitProcess(wcstoul(argv[2], NULL, 0));
    if (wcscmp(what, L"crash") == 0) *(volatile int *)8 = 1;
    if (wcscmp(what, L"sleep") == 0) Sleep(INFINITE);
    if (wcscmp(what, L"memory") == 0)
        for (;;) {
            char *bytes = malloc(16 << 20);
            if (bytes == NULL) return 3;
            memset(bytes, 1, 16 << 20);
        }
    return 99;
}
