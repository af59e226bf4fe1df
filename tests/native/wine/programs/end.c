/* Ends with the 32-bit code that it is given, after writing to both streams; `crash` uses memory that is not its own. */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

int wmain(int argc, wchar_t **argv) {
    puts("out");
    fputs("err\n", stderr);
    fflush(NULL);
    if (argc > 1 && wcscmp(argv[1], L"crash") == 0) *(volatile int *)8 = 1;
    ExitProcess(argc > 1 ? wcstoul(argv[1], NULL, 0) : 0);
}
