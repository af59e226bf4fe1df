/* setx.exe: writes a variable of the user's or the machine's environment into the registry, for the steps to come. */
#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#include "../message.h"

enum { longest = 1024 };
static const wchar_t machine[] = L"SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment";

static int usage(void) {
    fputs("SetX var value [/M]\n\n"
          "    var      the variable\n"
          "    value    its value; one that names other variables as %name% is kept so\n"
          "    /M       of the machine instead of the user\n\n"
          "Values that are read from a file or the registry (/F, /K) and other computers (/S, /U, /P) are not known here.\n",
          stdout);
    return 0;
}

static int fail(const wchar_t *text) {
    print(stderr, L"ERROR: %ls\n", text);
    return 1;
}

/* Windows keeps a value that names variables as one to be expanded. */
static DWORD type_of(const wchar_t *value) {
    const wchar_t *first = wcschr(value, L'%');
    return first != NULL && wcschr(first + 1, L'%') != NULL ? REG_EXPAND_SZ : REG_SZ;
}

static LSTATUS save(bool of_machine, const wchar_t *name, const wchar_t *value) {
    HKEY key;
    LSTATUS error = RegCreateKeyExW(of_machine ? HKEY_LOCAL_MACHINE : HKEY_CURRENT_USER, of_machine ? machine : L"Environment", 0,
                                    NULL, 0, KEY_SET_VALUE, NULL, &key, NULL);
    if (error != 0) return error;
    error = RegSetValueExW(key, name, 0, type_of(value), (const BYTE *)value, (DWORD)((wcslen(value) + 1) * sizeof *value));
    RegCloseKey(key);
    return error;
}

int wmain(int argc, wchar_t **argv) {
    static wchar_t kept[longest + 1];
    const wchar_t *words[2] = {0};
    int count = 0;
    bool of_machine = false;
    for (int i = 1; i < argc; i++) {
        const wchar_t *word = argv[i];
        /* The value may begin with a slash; what stands for options then comes before the name or behind the value. */
        if (_wcsicmp(word, L"/?") == 0 || _wcsicmp(word, L"-?") == 0) return usage();
        if (_wcsicmp(word, L"/m") == 0 || _wcsicmp(word, L"-m") == 0) of_machine = true;
        else if (count != 1 && (word[0] == L'/' || word[0] == L'-') && wcschr(L"fkaxdsup", (wchar_t)(word[1] | 32)) != NULL &&
                 word[1] != 0 && word[2] == 0)
            return fail(L"Only a value on the command line can be set here: /F, /K, /S, /U and /P are not known.");
        else if (count < 2) words[count++] = word;
        else return fail(L"Invalid syntax. Default option is not allowed more than '2' time(s).\nType \"SETX /?\" for usage.");
    }
    if (count < 2) return fail(L"Invalid syntax.\nType \"SETX /?\" for usage.");
    if (words[0][0] == 0 || wcschr(words[0], L'=') != NULL) return fail(L"Invalid syntax. The name of a variable is missing or has a \"=\" in it.");
    const wchar_t *value = words[1];
    if (wcslen(value) > longest) {
        wcsncpy(kept, value, longest);
        value = kept;
        print(stdout, L"\nWARNING: The data being saved is truncated to %d characters.\n", (int)longest);
    }
    LSTATUS error = save(of_machine, words[0], value);
    if (error != 0) return fail(error == ERROR_ACCESS_DENIED ? L"Access to the registry path is denied." : error_text((DWORD)error));
    print(stdout, L"\nSUCCESS: Specified value was saved.\n");
    return 0;
}
