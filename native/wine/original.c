/* Finds what kernelbase exported before it was patched: the address stands behind the forwarder's text (patch.ts). */
#include "original.h"

#include <string.h>

#include "ntdll.h"

NTSTATUS NTAPI LdrGetDllHandle(const wchar_t *folders, ULONG *flags, const UNICODE_STRING *name, HMODULE *module);
void *NTAPI RtlImageDirectoryEntryToData(HMODULE module, BOOLEAN loaded, WORD directory, ULONG *size);

/* Like strcmp; there is no C library here. */
static BOOL is_same(const char *a, const char *b) {
    while (*a != 0 && *a == *b) a++, b++;
    return *a == *b;
}

void *original(const char *name) {
    static wchar_t dll[] = L"kernelbase.dll";
    const UNICODE_STRING base_name = {sizeof dll - sizeof *dll, sizeof dll, dll};
    HMODULE module;
    ULONG size, rva;
    if (LdrGetDllHandle(NULL, NULL, &base_name, &module) != 0) return NULL;
    const char *base = (const char *)module;
    const IMAGE_EXPORT_DIRECTORY *exports = RtlImageDirectoryEntryToData(module, TRUE, IMAGE_DIRECTORY_ENTRY_EXPORT, &size);
    if (exports == NULL) return NULL;
    const DWORD *names = (const DWORD *)(base + exports->AddressOfNames), *functions = (const DWORD *)(base + exports->AddressOfFunctions);
    const WORD *ordinals = (const WORD *)(base + exports->AddressOfNameOrdinals);
    for (DWORD i = 0; i < exports->NumberOfNames; i++) {
        if (!is_same(base + names[i], name)) continue;
        const char *text = base + functions[ordinals[i]];
        if (text < (const char *)exports || text >= (const char *)exports + size) return NULL;
        while (*text != 0) text++;
        memcpy(&rva, text + 1, sizeof rva);
        return (void *)(base + rva);
    }
    return NULL;
}
