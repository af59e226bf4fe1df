/*
 * wbuildlnk.dll: functions to which kernelbase's are forwarded (patch.ts), for links that Wine does not have. Loaded while
 * kernel32 is, into every process: it imports ntdll alone, and has no start-up code.
 */
#include "link.h"
#include "move-folder.h"
#include "ntdll.h"
#include "original.h"

void NTAPI RtlSetLastWin32Error(DWORD error);
DWORD NTAPI RtlGetLastWin32Error(void);

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

/* Wine looks through a link: it would find the folder behind it not empty, or delete the file behind it. */
static BOOL remove_path(const wchar_t *path, enum link_target wanted, const char *name) {
    DWORD error = remove_link(path, wanted);
    if (error != ERROR_NOT_A_REPARSE_POINT) return done(error);
    BOOL(WINAPI *function)(const wchar_t *) = (BOOL(WINAPI *)(const wchar_t *))original(name);
    return function == NULL ? done(ERROR_CALL_NOT_IMPLEMENTED) : function(path);
}

static BOOL remove_narrow(const char *path, enum link_target wanted, const char *name) {
    ANSI_STRING narrow;
    UNICODE_STRING wide;
    RtlInitAnsiString(&narrow, path);
    NTSTATUS status = RtlAnsiStringToUnicodeString(&wide, &narrow, TRUE);
    if (status != 0) return done(RtlNtStatusToDosError(status));
    BOOL fine = remove_path(wide.Buffer, wanted, name);
    RtlFreeUnicodeString(&wide);
    return fine;
}

BOOL WINAPI wbuild_remove_directory_w(const wchar_t *path) {
    return remove_path(path, to_folder, "RemoveDirectoryW");
}

BOOL WINAPI wbuild_remove_directory_a(const char *path) {
    return remove_narrow(path, to_folder, "RemoveDirectoryW");
}

BOOL WINAPI wbuild_delete_file_w(const wchar_t *path) {
    return remove_path(path, to_file, "DeleteFileW");
}

BOOL WINAPI wbuild_delete_file_a(const char *path) {
    return remove_narrow(path, to_file, "DeleteFileW");
}

/*
 * A handle that was opened to delete a link itself would delete what the link leads to, later, when we are not asked any
 * more. Better not to open it.
 */
HANDLE WINAPI wbuild_create_file(const wchar_t *path, DWORD access, DWORD share, SECURITY_ATTRIBUTES *security, DWORD disposition, DWORD flags,
                                 HANDLE like) {
    typedef HANDLE WINAPI create_file(const wchar_t *, DWORD, DWORD, SECURITY_ATTRIBUTES *, DWORD, DWORD, HANDLE);
    static create_file *function;
    if (function == NULL) function = (create_file *)original("CreateFileW");
    BOOL means_link = (flags & FILE_FLAG_OPEN_REPARSE_POINT) || (flags & FILE_FLAG_DELETE_ON_CLOSE);
    BOOL deletes = (access & (DELETE | GENERIC_ALL | MAXIMUM_ALLOWED)) || (flags & FILE_FLAG_DELETE_ON_CLOSE);
    DWORD error = function == NULL ? ERROR_CALL_NOT_IMPLEMENTED : means_link && deletes && is_link(path) ? ERROR_NOT_SUPPORTED : 0;
    if (error == 0) return function(path, access, share, security, disposition, flags, like);
    done(error);
    return INVALID_HANDLE_VALUE;
}

typedef BOOL WINAPI move_file(const wchar_t *, const wchar_t *, void *, void *, DWORD);

/*
 * To move a link would move what it leads to. Without MOVEFILE_COPY_ALLOWED first: a folder that is said to be on another device
 * may be one of a lower layer, of which Wine could make no copy.
 */
static BOOL move(const wchar_t *from, const wchar_t *to, void *progress, void *context, DWORD flags) {
    const DWORD copies = MOVEFILE_COPY_ALLOWED, later = MOVEFILE_DELAY_UNTIL_REBOOT;
    move_file *function = (move_file *)original("MoveFileWithProgressW");
    if (function == NULL) return done(ERROR_CALL_NOT_IMPLEMENTED);
    if (is_link(from)) return done(ERROR_NOT_SUPPORTED);
    if (to == NULL || (flags & later)) return function(from, to, progress, context, flags);
    if (function(from, to, progress, context, flags & ~copies)) return TRUE;
    if (RtlGetLastWin32Error() != ERROR_NOT_SAME_DEVICE) return FALSE;
    DWORD error = move_folder(from, to);
    if (error != ERROR_NOT_SAME_DEVICE || !(flags & copies)) return done(error);
    return function(from, to, progress, context, flags);
}

BOOL WINAPI wbuild_move_file_ex(const wchar_t *from, const wchar_t *to, DWORD flags) {
    return move(from, to, NULL, NULL, flags);
}

BOOL WINAPI wbuild_move_file_with_progress(const wchar_t *from, const wchar_t *to, void *progress, void *context, DWORD flags) {
    return move(from, to, progress, context, flags);
}
