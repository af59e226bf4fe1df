/* choice.exe, in place of cmd's own, which takes the first choice where nobody can answer: reads a letter or waits for the default. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <wctype.h>
#include <windows.h>

#include "../message.h"

enum { refused = 255 };

static int fail(const wchar_t *text) {
    print(stderr, L"ERROR: %ls\n", text);
    return refused;
}

/* 1 for the first choice; 0 when it is none. */
static int place_of(const wchar_t *choices, wint_t letter, bool exact) {
    for (int i = 0; choices[i] != 0; i++)
        if (exact ? (wint_t)choices[i] == letter : towupper(choices[i]) == towupper(letter)) return i + 1;
    return 0;
}

static void ask(const wchar_t *message, const wchar_t *choices, bool hidden) {
    if (message != NULL) print(stdout, hidden ? L"%ls" : L"%ls ", message);
    for (int i = 0; !hidden && choices[i] != 0; i++) print(stdout, L"%lc%lc", i == 0 ? L'[' : L',', choices[i]);
    print(stdout, hidden ? L"" : L"]?");
    fflush(stdout);
}

int wmain(int argc, wchar_t **argv) {
    const wchar_t *choices = L"YN", *message = NULL;
    bool exact = false, hidden = false;
    long seconds = -1;
    wchar_t by_default = 0;
    for (int i = 1; i < argc; i++) {
        const wchar_t *word = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (_wcsicmp(word, L"/?") == 0) {
            fputs("CHOICE [/C choices] [/N] [/CS] [/T seconds /D choice] [/M text]\n", stdout);
            return 0;
        }
        if (_wcsicmp(word, L"/n") == 0) hidden = true;
        else if (_wcsicmp(word, L"/cs") == 0) exact = true;
        else if (value != NULL && _wcsicmp(word, L"/c") == 0) choices = argv[++i];
        else if (value != NULL && _wcsicmp(word, L"/m") == 0) message = argv[++i];
        else if (value != NULL && _wcsicmp(word, L"/t") == 0) seconds = wcstol(argv[++i], NULL, 10);
        else if (value != NULL && _wcsicmp(word, L"/d") == 0) by_default = argv[++i][0];
        else return fail(L"Invalid argument/option. Only /C, /N, /CS, /T, /D and /M are known.");
    }
    if ((seconds >= 0) != (by_default != 0) || seconds > 9999) return fail(L"Invalid syntax. /T (0 to 9999 seconds) and /D belong together.");
    int fallback = by_default == 0 ? refused : place_of(choices, by_default, exact);
    if (fallback == 0 || choices[0] == 0) return fail(L"Invalid syntax. The default choice is none of the choices.");
    ask(message, choices, hidden);
    for (int read = getchar(); read != EOF; read = getchar()) {
        int place = place_of(choices, (wint_t)read, exact);
        if (place == 0) continue;
        print(stdout, L"%lc\n", (wint_t)choices[place - 1]);
        return place;
    }
    if (by_default == 0) return fail(L"The file is either empty or does not contain the valid choices.");
    Sleep((DWORD)seconds * 1000);
    print(stdout, L"%lc\n", (wint_t)choices[fallback - 1]);
    return fallback;
}
