/*
 * `link FLAGS LINK TARGET`: CreateSymbolicLinkW. `remove LINK`: RemoveDirectoryW. `junction FOLDER`: FSCTL_SET_REPARSE_POINT, as
 * npm does it. `open PATH`: to delete the thing itself, as libuv does it. `is PATH`: attributes. Prints 0 or the error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>
#include <winioctl.h>

static DWORD junction(const wchar_t *folder) {
    /* REPARSE_DATA_BUFFER for \??\C:\windows: tag, data length, offsets and lengths of the two names, the names. */
    static const wchar_t target[] = L"\\??\\C:\\windows";
    struct {
        DWORD tag;
        WORD length, reserved, at, size, print_at, print_size;
        wchar_t names[sizeof target / 2 + 1];
    } data = {0xa0000003, 8 + sizeof target + 2, 0, 0, sizeof target - 2, sizeof target, 0, {0}};
    DWORD got, error = 0;
    memcpy(data.names, target, sizeof target);
    HANDLE handle = CreateFileW(folder, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, NULL);
    if (handle == INVALID_HANDLE_VALUE) return GetLastError();
    if (!DeviceIoControl(handle, FSCTL_SET_REPARSE_POINT, &data, data.length + 8u, NULL, 0, &got, NULL)) error = GetLastError();
    CloseHandle(handle);
    return error;
}

static DWORD open_itself(const wchar_t *path) {
    const DWORD flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS;
    HANDLE handle = CreateFileW(path, FILE_READ_ATTRIBUTES | DELETE, 7, NULL, OPEN_EXISTING, flags, NULL);
    if (handle == INVALID_HANDLE_VALUE) return GetLastError();
    CloseHandle(handle);
    return 0;
}

int wmain(int argc, wchar_t **argv) {
    DWORD error = ERROR_INVALID_FUNCTION;
    if (argc == 5) error = CreateSymbolicLinkW(argv[3], argv[4], wcstoul(argv[2], NULL, 0)) ? 0 : GetLastError();
    else if (argc == 3 && wcscmp(argv[1], L"remove") == 0) error = RemoveDirectoryW(argv[2]) ? 0 : GetLastError();
    else if (argc == 3 && wcscmp(argv[1], L"junction") == 0) error = junction(argv[2]);
    else if (argc == 3 && wcscmp(argv[1], L"open") == 0) error = open_itself(argv[2]);
    else if (argc == 3) error = GetFileAttributesW(argv[2]);
    printf("%lu\n", error);
    return 0;
}
