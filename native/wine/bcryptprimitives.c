/* bcryptprimitives.dll: the one function of it that Go (since 1.22) and Rust programs import; Wine has had it since 9. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(void *buffer, ULONG length); /* RtlGenRandom */

BOOL WINAPI DllMainCRTStartup(HINSTANCE instance, DWORD reason, void *reserved) {
    (void)instance, (void)reason, (void)reserved;
    return TRUE;
}

BOOL WINAPI ProcessPrng(BYTE *buffer, SIZE_T length) {
    const SIZE_T most = 1 << 30;
    for (SIZE_T done = 0; done < length;) {
        ULONG part = (ULONG)(length - done < most ? length - done : most);
        if (!SystemFunction036(buffer + done, part)) return FALSE;
        done += part;
    }
    return TRUE;
}
