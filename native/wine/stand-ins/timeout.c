/* timeout.exe, which Wine has not: waits. Nobody can press a key in a build step, so it always waits to the end. */
#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#include "../message.h"

static int fail(const wchar_t *text) {
    print(stderr, L"ERROR: %ls\n", text);
    return 1;
}

int wmain(int argc, wchar_t **argv) {
    bool silent_keys = false, known = false;
    long seconds = 0;
    for (int i = 1; i < argc; i++) {
        const wchar_t *word = argv[i];
        wchar_t *end;
        if (_wcsicmp(word, L"/?") == 0) {
            fputs("TIMEOUT [/T] timeout [/NOBREAK]\n\n    timeout     seconds to wait (0 to 99999)\n"
                  "    /NOBREAK    keys do not end it (they never do here)\n", stdout);
            return 0;
        }
        if (_wcsicmp(word, L"/nobreak") == 0) silent_keys = true;
        else if (_wcsicmp(word, L"/t") == 0 && i + 1 < argc) continue;
        else if (known) return fail(L"Invalid syntax. Default option is not allowed more than '1' time(s).");
        else {
            seconds = wcstol(word, &end, 10);
            known = end != word && *end == 0;
            if (!known) return fail(L"Invalid value for timeout (/T) specified. Valid range is -1 to 99999 seconds.");
        }
    }
    if (!known) return fail(L"Invalid syntax. The time to wait is missing.");
    if (seconds == -1) return fail(L"Waiting for a key is refused: nobody can press one in a build step.");
    if (seconds < 0 || seconds > 99999) return fail(L"Invalid value for timeout (/T) specified. Valid range is -1 to 99999 seconds.");
    print(stdout, L"\nWaiting for %ld seconds%ls\n", seconds, silent_keys ? L"" : L" ...");
    fflush(stdout);
    Sleep((DWORD)seconds * 1000);
    return 0;
}
