/*
 * Writes into the registry what reg.exe cannot: names and classes of any units, values of any type and length.
 *     keys make KEY [CLASS] · keys set KEY NAME TYPE HEX · keys drop KEY · keys drop-value KEY NAME
 * In KEY, NAME and CLASS `{hex}` stands for one UTF-16 unit; KEY begins with HKLM, HKCU or HKU.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include <winternl.h>

NTSTATUS NTAPI NtSetValueKey(HANDLE key, UNICODE_STRING *name, ULONG title, ULONG type, const void *data, ULONG size);

/* The length counts: a name may have NULs inside. */
static size_t unescape(const wchar_t *from, wchar_t *to) {
    size_t length = 0;
    while (*from != 0) {
        if (*from == '{') {
            to[length++] = (wchar_t)wcstoul(from + 1, (wchar_t **)&from, 16);
            from++;
        } else to[length++] = *from++;
    }
    to[length] = 0;
    return length;
}

static HKEY root_of(const wchar_t **path) {
    static const struct {
        const wchar_t *name;
        ULONG_PTR key;
    } roots[] = {{L"HKLM\\", 0x80000002}, {L"HKCU\\", 0x80000001}, {L"HKU\\", 0x80000003}};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        size_t length = wcslen(roots[i].name);
        if (wcsncmp(*path, roots[i].name, length) != 0) continue;
        *path += length;
        return (HKEY)(LONG_PTR)(LONG)roots[i].key;
    }
    return NULL;
}

static int fail(const char *what, LONG error) {
    fprintf(stderr, "%s: %lx\n", what, (unsigned long)error);
    return 1;
}

int wmain(int argc, wchar_t **argv) {
    static wchar_t path[1024], name[20000], class[1024];
    static unsigned char data[1 << 20];
    if (argc < 3) return 2;
    const wchar_t *given = argv[2];
    HKEY root = root_of(&given), key;
    unescape(given, path);
    if (wcscmp(argv[1], L"drop") == 0) {
        LONG error = RegDeleteTreeW(root, path);
        return error == 0 ? 0 : fail("drop", error);
    }
    int makes = wcscmp(argv[1], L"make") == 0;
    if (makes && argc > 3) unescape(argv[3], class);
    LONG error = RegCreateKeyExW(root, path, 0, class[0] != 0 ? class : NULL, 0, KEY_ALL_ACCESS, NULL, &key, NULL);
    if (error != 0) return fail("key", error);
    if (makes) return 0;
    if (argc < 4) return 2;
    size_t units = unescape(argv[3], name);
    if (wcscmp(argv[1], L"drop-value") == 0) {
        error = RegDeleteValueW(key, name);
        return error == 0 ? 0 : fail("drop-value", error);
    }
    if (argc < 5) return 2;
    size_t length = 0;
    for (const wchar_t *at = argc > 5 ? argv[5] : L""; at[0] != 0 && at[1] != 0; at += 2) {
        wchar_t pair[3] = {at[0], at[1], 0};
        data[length++] = (unsigned char)wcstoul(pair, NULL, 16);
    }
    UNICODE_STRING text = {(USHORT)(2 * units), (USHORT)(2 * units), name};
    error = NtSetValueKey(key, &text, 0, wcstoul(argv[4], NULL, 0), data, (ULONG)length);
    return error == 0 ? 0 : fail("value", error);
}
