/*
 * wbuildlnk.dll: functions to which kernelbase's are forwarded (patch.ts), for links that Wine does not have. Loaded while
 * kernel32 is, into every process: it imports ntdll alone, and has no start-up code.
 */
#include "link.h"
#include "ntdll.h"

NTSTATUS NTAPI RtlDosPathNameToNtPathName_U_WithStatus(const wchar_t *path, UNICODE_STRING *nt, wchar_t **file, void *directory);
void NTAPI RtlSetLastWin32Error(DWORD error);

BOOL WINAPI DllMainCRTStartup(HINSTANCE instance, DWORD reason, void *reserved) {
    (void)instance, (void)reason, (void)reserved;
    return TRUE;
}

static BOOL done(DWORD error) {
    if (error != 0) RtlSetLastWin32Error(error);
    return error == 0;
}

BOOLEAN WINAPI wbuild_create_symbolic_link(const wchar_t *link, const wchar_t *target, DWORD flags) {
    const DWORD known = SYMBOLIC_LINK_FLAG_DIRECTORY | 2 /* allow unprivileged: everybody may, here */;
    if ((flags & ~known) != 0) return (BOOLEAN)done(ERROR_INVALID_PARAMETER);
    return (BOOLEAN)done(make_link(flags & SYMBOLIC_LINK_FLAG_DIRECTORY ? link_directory : link_file, link, target));
}

/* What kernelbase itself would do. */
static NTSTATUS remove_folder(const wchar_t *path) {
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io;
    HANDLE folder;
    BOOLEAN delete = TRUE;
    NTSTATUS status = RtlDosPathNameToNtPathName_U_WithStatus(path, &name, NULL, NULL);
    if (status != 0) return status;
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    status = NtOpenFile(&folder, DELETE | SYNCHRONIZE, &attributes, &io, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                        FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_REPARSE_POINT);
    RtlFreeUnicodeString(&name);
    if (status != 0) return status;
    status = NtSetInformationFile(folder, &io, &delete, sizeof delete, FileDispositionInformation);
    NtClose(folder);
    return status;
}

/* Wine's looks through a link at the folder behind it, and finds that it is not empty. */
BOOL WINAPI wbuild_remove_directory_w(const wchar_t *path) {
    DWORD error = remove_link(path);
    if (error != ERROR_NOT_A_REPARSE_POINT) return done(error);
    NTSTATUS status = remove_folder(path);
    return status == 0 || done(RtlNtStatusToDosError(status));
}

BOOL WINAPI wbuild_remove_directory_a(const char *path) {
    ANSI_STRING narrow;
    UNICODE_STRING wide;
    RtlInitAnsiString(&narrow, path);
    NTSTATUS status = RtlAnsiStringToUnicodeString(&wide, &narrow, TRUE);
    if (status != 0) return done(RtlNtStatusToDosError(status));
    BOOL fine = wbuild_remove_directory_w(wide.Buffer);
    RtlFreeUnicodeString(&wide);
    return fine;
}
