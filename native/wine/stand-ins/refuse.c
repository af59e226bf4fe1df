/* Stands in for programs that Wine has in name only: says so and fails, where Wine's would do nothing and succeed. */
#include <wchar.h>
#include <windows.h>

#include "../message.h"

int wmain(void) {
    static wchar_t path[32768];
    DWORD units = GetModuleFileNameW(NULL, path, sizeof path / sizeof *path);
    path[units < sizeof path / sizeof *path ? units : units - 1] = 0;
    wchar_t *name = wcsrchr(path, L'\\');
    name = name == NULL ? path : name + 1;
    wchar_t *ending = wcsrchr(name, L'.');
    if (ending != NULL) *ending = 0;
    print(stderr, L"%ls: this program is not part of wbuild's Windows personality (Wine has only a stand-in that does nothing)\n", name);
    return 1;
}
