/*
 * Wine 8 has no reparse points: CreateSymbolicLink does nothing and says that it did. A Unix link behaves as one for the
 * programs of a step, and the host learns from the journal what Windows is to see in the layer.
 */
#include "link.h"

#include "channel.h"
#include "ntdll.h"

NTSTATUS NTAPI LdrGetDllHandle(const wchar_t *folders, ULONG *flags, const UNICODE_STRING *name, HMODULE *module);
NTSTATUS NTAPI LdrGetProcedureAddress(HMODULE module, const ANSI_STRING *name, ULONG ordinal, void **address);
NTSTATUS NTAPI RtlDosPathNameToNtPathName_U_WithStatus(const wchar_t *path, UNICODE_STRING *nt, wchar_t **file, void *directory);
ULONG NTAPI RtlDetermineDosPathNameType_U(const wchar_t *path);
ULONG NTAPI RtlGetFullPathName_U(const wchar_t *path, ULONG size, wchar_t *full, wchar_t **file);

enum { sys_open = 2, sys_readlink = 89, o_path = 010000000, o_directory = 0200000, o_cloexec = 02000000 };
enum { longest = 4096 };
enum path_type { unc_path = 1, absolute_drive = 2, relative_drive = 3, rooted = 4, relative = 5, device = 6 };
static const char drive_c[] = "/dosdevices/c:", files[] = "/Files";

/* Everything that one call needs, in one piece: 40 KB would be much of a thread's stack. */
struct work {
    wchar_t link[longest], target[longest];
    char unix_link[unix_longest], unix_target[unix_longest], folder[unix_longest], text[unix_longest];
};

static size_t units_of(const wchar_t *text) {
    size_t units = 0;
    while (text[units] != 0) units++;
    return units;
}

static size_t bytes_of(const char *text) {
    size_t bytes = 0;
    while (text[bytes] != 0) bytes++;
    return bytes;
}

/* Adds to a string of `room` bytes in all; false when it would not fit. */
static BOOL add(char *to, size_t room, const char *from) {
    size_t have = bytes_of(to), more = bytes_of(from);
    if (have + more >= room) return FALSE;
    memcpy(to + have, from, more + 1);
    return TRUE;
}

/* C:\… of a path as programs give it. False when it is none of C:'s, or too long. */
static BOOL full_path(const wchar_t *path, wchar_t full[longest]) {
    static const wchar_t prefix[] = {'\\', '\\', '?', '\\'};
    if (units_of(path) > 6 && memcmp(path, prefix, sizeof prefix) == 0 && path[5] == ':') path += 4;
    ULONG type = RtlDetermineDosPathNameType_U(path);
    if (type == unc_path || type == device) return FALSE;
    ULONG bytes = RtlGetFullPathName_U(path, longest * sizeof *full, full, NULL);
    if (bytes == 0 || bytes >= longest * sizeof *full) return FALSE;
    return (full[0] == 'C' || full[0] == 'c') && full[1] == ':' && full[2] == '\\';
}

/* The target's own C:\… when the link is `link`: what is relative starts from the link's folder. */
static BOOL full_target(const wchar_t *link, const wchar_t *target, wchar_t full[longest]) {
    ULONG type = RtlDetermineDosPathNameType_U(target);
    if (type != relative && type != rooted) return full_path(target, full);
    size_t folder = units_of(link), units = units_of(target);
    while (folder > 0 && link[folder - 1] != '\\') folder--;
    if (type == rooted) folder = 2;
    if (folder + units >= longest) return FALSE;
    wchar_t *joined = allocate((folder + units + 1) * sizeof *joined);
    if (joined == NULL) return FALSE;
    memcpy(joined, link, folder * sizeof *joined);
    memcpy(joined + folder, target, (units + 1) * sizeof *joined);
    BOOL fine = full_path(joined, full);
    release(joined);
    return fine;
}

/* ntdll's own translation of paths. Looked up when it is needed: a Wine without it shall fail to link, not to start. */
typedef NTSTATUS CDECL translate(const OBJECT_ATTRIBUTES *name, char *path, ULONG *size, UINT disposition);

static translate *translation(void) {
    static wchar_t dll[] = L"ntdll.dll";
    static char function[] = "wine_nt_to_unix_file_name";
    const UNICODE_STRING name = {sizeof dll - sizeof *dll, sizeof dll, dll};
    const ANSI_STRING symbol = {sizeof function - 1, sizeof function, function};
    HMODULE module;
    void *address = NULL;
    if (LdrGetDllHandle(NULL, NULL, &name, &module) != 0 || LdrGetProcedureAddress(module, &symbol, 0, &address) != 0) return NULL;
    return (translate *)address;
}

/* The Unix path of C:\…, whose last name need not exist: STATUS_SUCCESS when it does, STATUS_NO_SUCH_FILE when not. */
static NTSTATUS unix_path(const wchar_t *full, char path[unix_longest]) {
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    ULONG size = unix_longest;
    translate *translate_name = translation();
    if (translate_name == NULL) return STATUS_NOT_IMPLEMENTED;
    NTSTATUS status = RtlDosPathNameToNtPathName_U_WithStatus(full, &name, NULL, NULL);
    if (status != 0) return status;
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    status = translate_name(&attributes, path, &size, FILE_OPEN_IF);
    RtlFreeUnicodeString(&name);
    return status;
}

/* As unix_path, for a target of which any number of names may be missing: those stay as they are spelled. */
static BOOL unix_target(wchar_t *full, char path[unix_longest], char text[unix_longest]) {
    size_t end = units_of(full), cut = end;
    while (cut > 3 && full[cut - 1] == '\\') full[--cut] = 0;
    end = cut;
    for (;;) {
        NTSTATUS status = unix_path(full, path);
        if (status == 0 || status == STATUS_NO_SUCH_FILE) break;
        if (cut <= 3) return FALSE;
        while (cut > 3 && full[cut - 1] != '\\') cut--;
        full[cut - 1] = 0;
        cut--;
    }
    /* Behind each NUL that was put in stands a name that is missing. */
    for (size_t at = units_of(full); at < end; at += units_of(full + at)) {
        ULONG used = 0;
        at++;
        size_t units = units_of(full + at);
        if (units == 0) continue;
        if (3 * units >= unix_longest || RtlUnicodeToUTF8N(text, unix_longest - 1, &used, full + at, (ULONG)(units * 2)) != 0) return FALSE;
        text[used] = 0;
        if (!add(path, unix_longest, "/") || !add(path, unix_longest, text)) return FALSE;
    }
    return TRUE;
}

/* Where a folder really is, every link on the way followed. */
static BOOL physical(const char *folder, char path[unix_longest]) {
    intptr_t fd = linux_call(sys_open, folder, o_path | o_directory | o_cloexec, 0);
    if (fd < 0) return FALSE;
    char name[40] = "/proc/self/fd/", digits[20];
    size_t count = 0, at = bytes_of(name);
    for (intptr_t rest = fd; rest > 0 || count == 0; rest /= 10) digits[count++] = (char)('0' + rest % 10);
    while (count > 0) name[at++] = digits[--count];
    name[at] = 0;
    intptr_t length = linux_call(sys_readlink, name, (intptr_t)path, unix_longest - 1);
    linux_close((int)fd);
    if (length <= 0) return FALSE;
    path[length] = 0;
    return TRUE;
}

/* What the Unix link holds: up from the folder to C:, down to the target. It stays right wherever C: is mounted. */
static BOOL relative_text(const char *folder, const char *target, char text[unix_longest]) {
    const char *rest = target;
    while (*rest != 0 && strncmp(rest, drive_c, sizeof drive_c - 1) != 0) rest++;
    if (*rest == 0) return FALSE;
    rest += sizeof drive_c - 1;
    while (*rest == '/') rest++;
    text[0] = 0;
    for (const char *at = folder + sizeof files - 1; *at != 0; at++)
        if (*at == '/' && !add(text, unix_longest, "../")) return FALSE;
    if (!add(text, unix_longest, *rest == 0 && text[0] == 0 ? "." : rest)) return FALSE;
    size_t last = bytes_of(text);
    if (last > 1 && text[last - 1] == '/') text[last - 1] = 0;
    return TRUE;
}

DWORD link_error(int error) {
    enum { exdev = 18, erofs = 30, enospc = 28, edquot = 122 };
    switch (error) {
    case 0: return 0;
    case exdev: return ERROR_NOT_SAME_DEVICE;
    case linux_eexist: return ERROR_ALREADY_EXISTS;
    case linux_enoent:
    case linux_enotdir: return ERROR_PATH_NOT_FOUND;
    case linux_eacces: return ERROR_ACCESS_DENIED;
    case linux_enametoolong: return ERROR_FILENAME_EXCED_RANGE;
    case erofs: return ERROR_WRITE_PROTECT;
    case enospc:
    case edquot: return ERROR_DISK_FULL;
    default: return ERROR_GEN_FAILURE;
    }
}

/* Cuts the last name off; false when what is left is not below C:. Attack: \\?\unix\… names what is not part of the image. */
static BOOL inside_files(struct work *work) {
    work->folder[0] = 0;
    add(work->folder, unix_longest, work->unix_link);
    size_t cut = bytes_of(work->folder);
    while (cut > 0 && work->folder[cut - 1] != '/') cut--;
    work->folder[cut] = 0;
    if (!physical(work->folder, work->text)) return FALSE;
    memcpy(work->folder, work->text, unix_longest);
    char behind = work->folder[sizeof files - 1];
    return strncmp(work->folder, files, sizeof files - 1) == 0 && (behind == 0 || behind == '/');
}

static DWORD make(struct work *work, enum link_kind kind, const wchar_t *link, const wchar_t *target) {
    static const wchar_t *const kinds[] = {L"file", L"directory", L"junction"};
    if (!full_path(link, work->link)) return ERROR_ACCESS_DENIED;
    if (!full_target(work->link, target, work->target)) return ERROR_NOT_SUPPORTED;
    NTSTATUS status = unix_path(work->link, work->unix_link);
    if (status == 0) return ERROR_ALREADY_EXISTS;
    if (status != STATUS_NO_SUCH_FILE) return RtlNtStatusToDosError(status);
    if (!unix_target(work->target, work->unix_target, work->text)) return ERROR_NOT_SUPPORTED;
    if (!inside_files(work)) return ERROR_ACCESS_DENIED;
    if (!relative_text(work->folder, work->unix_target, work->text)) return ERROR_NOT_SUPPORTED;
    int error = linux_symlink(work->text, work->unix_link);
    if (error != 0) return link_error(error);
    const wchar_t *fields[] = {L"link", kinds[kind], work->link, target};
    if (journal(fields, sizeof fields / sizeof *fields)) return 0;
    /* A link that the layer would lose: better none. */
    linux_unlink(work->unix_link);
    return ERROR_GEN_FAILURE;
}

/* Fills work->unix_link; false when the path is no link of C:. */
static BOOL find_link(struct work *work, const wchar_t *link) {
    if (!full_path(link, work->link)) return FALSE;
    for (size_t last = units_of(work->link); last > 3 && work->link[last - 1] == '\\';) work->link[--last] = 0;
    NTSTATUS status = unix_path(work->link, work->unix_link);
    if (status != 0 && status != STATUS_NO_SUCH_FILE) return FALSE;
    return linux_call(sys_readlink, work->unix_link, (intptr_t)work->text, unix_longest) >= 0;
}

static DWORD unmake(struct work *work, const wchar_t *link, enum link_target wanted) {
    enum { folder_behind = o_path | o_directory | o_cloexec };
    if (!find_link(work, link)) return ERROR_NOT_A_REPARSE_POINT;
    if (!inside_files(work)) return ERROR_ACCESS_DENIED;
    intptr_t fd = linux_call(sys_open, work->unix_link, folder_behind, 0);
    if (fd >= 0) linux_close((int)fd);
    if (fd >= 0 && wanted == to_file) return ERROR_ACCESS_DENIED;
    if (fd == -linux_enotdir && wanted == to_folder) return ERROR_DIRECTORY;
    /* One to nothing may be either. */
    int error = linux_unlink(work->unix_link);
    return link_error(error);
}

DWORD remove_link(const wchar_t *link, enum link_target wanted) {
    if (link == NULL || link[0] == 0) return ERROR_PATH_NOT_FOUND;
    struct work *work = allocate(sizeof *work);
    if (work == NULL) return ERROR_NOT_ENOUGH_MEMORY;
    DWORD error = unmake(work, link, wanted);
    release(work);
    return error;
}

DWORD unix_name(const wchar_t *path, char name[unix_longest]) {
    struct work *work = path == NULL || path[0] == 0 ? NULL : allocate(sizeof *work);
    if (work == NULL) return ERROR_NOT_ENOUGH_MEMORY;
    DWORD error = ERROR_ACCESS_DENIED;
    if (full_path(path, work->link)) {
        for (size_t last = units_of(work->link); last > 3 && work->link[last - 1] == '\\';) work->link[--last] = 0;
        NTSTATUS status = unix_path(work->link, work->unix_link);
        memcpy(name, work->unix_link, unix_longest);
        error = status == STATUS_NO_SUCH_FILE ? ERROR_FILE_NOT_FOUND : RtlNtStatusToDosError(status);
        if ((status == 0 || status == STATUS_NO_SUCH_FILE) && !inside_files(work)) error = ERROR_ACCESS_DENIED;
    }
    release(work);
    return error;
}

BOOL is_link(const wchar_t *path) {
    struct work *work = path == NULL || path[0] == 0 ? NULL : allocate(sizeof *work);
    BOOL found = work != NULL && find_link(work, path);
    release(work);
    return found;
}

DWORD make_link(enum link_kind kind, const wchar_t *link, const wchar_t *target) {
    if (link == NULL || target == NULL || link[0] == 0 || target[0] == 0) return ERROR_INVALID_PARAMETER;
    struct work *work = allocate(sizeof *work);
    if (work == NULL) return ERROR_NOT_ENOUGH_MEMORY;
    DWORD error = make(work, kind, link, target);
    release(work);
    return error;
}
