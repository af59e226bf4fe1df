/* What the machine says of itself: versions by two ways, processors, name, drives, the volume, the user's folders. */
#include <stdio.h>
#include <windows.h>

LONG NTAPI RtlGetVersion(OSVERSIONINFOW *version);

int wmain(void) {
    OSVERSIONINFOW one = {.dwOSVersionInfoSize = sizeof one}, two = {.dwOSVersionInfoSize = sizeof two};
    const BYTE *page = (const BYTE *)0x7ffe0000;
    SYSTEM_INFO system;
    wchar_t name[64] = L"", type[64] = L"";
    DWORD length = 64, serial = 0;
    GetVersionExW(&one);
    RtlGetVersion(&two);
    GetSystemInfo(&system);
    GetComputerNameW(name, &length);
    BOOL volume = GetVolumeInformationW(L"C:\\", NULL, 0, &serial, NULL, NULL, type, 64);
    /* As Windows does, newer Wine tells 6.2 to a program whose manifest names nothing newer. */
    BOOL agree = one.dwMajorVersion == two.dwMajorVersion || (one.dwMajorVersion == 6 && one.dwMinorVersion == 2 && two.dwMajorVersion > 6);
    printf("versions agree: %d\n", agree && *(const DWORD *)(page + 0x26c) == two.dwMajorVersion);
    printf("build agrees: %d\n", *(const DWORD *)(page + 0x260) == two.dwBuildNumber && two.dwBuildNumber > 0);
    printf("processors agree: %d\n", *(const DWORD *)(page + 0x3c0) == system.dwNumberOfProcessors);
    printf("SSE2: %d\n", IsProcessorFeaturePresent(PF_XMMI64_INSTRUCTIONS_AVAILABLE));
    printf("name: %ls\n", name);
    printf("drives: %lx\n", GetLogicalDrives());
    printf("volume: %d %ls\n", volume, type);
    printf("clock runs: %d\n", GetTickCount64() > 0);
    return 0;
}
