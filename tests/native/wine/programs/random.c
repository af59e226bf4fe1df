/* Imports what Go and Rust programs import: fails to start without it. */
#include <stdio.h>
#include <windows.h>

BOOL WINAPI ProcessPrng(BYTE *buffer, SIZE_T length);

int wmain(void) {
    BYTE a[32] = {0}, b[32] = {0};
    BOOL fine = ProcessPrng(a, sizeof a) && ProcessPrng(b, sizeof b);
    puts(fine && memcmp(a, b, sizeof a) != 0 ? "random" : "not random");
    return 0;
}
