/*
 * wineboot.exe: what must be there before the first program of a container runs, in place of Wine's program of that name.
 * That one also runs and deletes RunOnce, RunServices and pending renames, so that one step's registry would act in the next;
 * it writes host facts into keys that are saved, and takes 0.3 s. Ours writes volatile keys only, and no file.
 */
#include <stdio.h>
#include <string.h>

#include "ntdll.h"
#include "processor.h"
#include "volatile-keys.h"

NTSTATUS NTAPI NtOpenSection(PHANDLE section, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes);
NTSTATUS NTAPI RtlGetVersion(RTL_OSVERSIONINFOEXW *version);

enum { notification_event = 0 };

/* The page that every process sees at 0x7ffe0000 (KUSER_SHARED_DATA): offsets of the public layout. */
enum {
    at_tick_multiplier = 0x004,
    at_system_root = 0x030,
    at_large_page = 0x244,
    at_build = 0x260,
    at_product_type = 0x264,
    at_product_type_valid = 0x268,
    at_architecture = 0x26a,
    at_major = 0x26c,
    at_minor = 0x270,
    at_features = 0x274,
    at_suite_mask = 0x2d0,
    at_nx_policy = 0x2d5,
    at_pages = 0x2e8,
    at_processors = 0x3c0,
    at_groups = 0x3c4,
    at_xstate = 0x3d8,
};

static void put32(BYTE *page, size_t at, DWORD value) {
    memcpy(page + at, &value, sizeof value);
}

static void fill_shared_page(BYTE *page) {
    RTL_OSVERSIONINFOEXW version = {.dwOSVersionInfoSize = sizeof version};
    SYSTEM_INFO system;
    MEMORYSTATUSEX memory = {.dwLength = sizeof memory};
    RtlGetVersion(&version);
    GetNativeSystemInfo(&system);
    GlobalMemoryStatusEx(&memory);
    put32(page, at_tick_multiplier, 1 << 24);
    GetWindowsDirectoryW((wchar_t *)(page + at_system_root), MAX_PATH);
    put32(page, at_large_page, 2 << 20);
    put32(page, at_build, version.dwBuildNumber);
    put32(page, at_product_type, version.wProductType);
    page[at_product_type_valid] = TRUE;
    memcpy(page + at_architecture, &system.wProcessorArchitecture, sizeof(WORD));
    put32(page, at_major, version.dwMajorVersion);
    put32(page, at_minor, version.dwMinorVersion);
    put32(page, at_suite_mask, version.wSuiteMask);
    page[at_nx_policy] = 2; /* data execution prevention for who asks for it */
    put32(page, at_pages, (DWORD)(memory.ullTotalPhys / system.dwPageSize));
    put32(page, at_processors, system.dwNumberOfProcessors);
    page[at_groups] = 1;
    processor_features(page + at_features);
    extended_state(page + at_xstate);
}

static BOOL share_page(void) {
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    HANDLE section;
    RtlInitUnicodeString(&name, L"\\KernelObjects\\__wine_user_shared_data");
    InitializeObjectAttributes(&attributes, &name, OBJ_OPENIF, NULL, NULL);
    if (NtOpenSection(&section, SECTION_ALL_ACCESS, &attributes) != 0) return FALSE;
    BYTE *page = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0x1000);
    CloseHandle(section);
    if (page == NULL) return FALSE;
    fill_shared_page(page);
    UnmapViewOfFile(page);
    return TRUE;
}

/* The service manager: msiexec, sc, WMI and the drivers of drives need it. */
static BOOL start_services(void) {
    wchar_t path[MAX_PATH + 16];
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION process;
    HANDLE started = CreateEventW(NULL, TRUE, FALSE, L"__wine_SvcctlStarted");
    if (started == NULL || GetSystemDirectoryW(path, MAX_PATH) == 0) return FALSE;
    wcscat(path, L"\\services.exe");
    if (!CreateProcessW(path, NULL, NULL, NULL, TRUE, DETACHED_PROCESS, NULL, NULL, &startup, &process)) return FALSE;
    HANDLE either[] = {started, process.hProcess};
    return WaitForMultipleObjects(2, either, FALSE, INFINITE) == WAIT_OBJECT_0;
}

int wmain(void) {
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    HANDLE booted;
    RtlInitUnicodeString(&name, L"\\KernelObjects\\__wineboot_event");
    /* Inherited by the service manager, which lives on and so keeps it. */
    InitializeObjectAttributes(&attributes, &name, OBJ_OPENIF | OBJ_INHERIT, NULL, NULL);
    NtCreateEvent(&booted, EVENT_ALL_ACCESS, &attributes, notification_event, FALSE);
    BOOL fine = share_page();
    fine = make_volatile_keys() && fine;
    /* The first program may start now; run.exe waits for the rest, while it gets itself ready. Our end lets go of the mutex. */
    CreateMutexW(NULL, TRUE, L"__wbuild_booting");
    SetEvent(booted);
    return start_services() && fine ? 0 : 1;
}
