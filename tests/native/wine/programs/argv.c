/* Prints the command line and the arguments that the C library makes of it, UTF-8, a line each. */
#include <stdio.h>
#include <windows.h>

static void line(const wchar_t *text) {
    char bytes[4096];
    WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, sizeof bytes, NULL, NULL);
    printf("[%s]\n", bytes);
}

int wmain(int argc, wchar_t **argv) {
    line(GetCommandLineW());
    for (int i = 1; i < argc; i++) line(argv[i]);
    return 0;
}
