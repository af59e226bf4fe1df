/* Lays the step's variables over Windows' own. */
#include "environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

#include "processor.h"

struct variable {
    const wchar_t *text;
    size_t name, length; /* units of the name; of the whole without its NUL */
};

/* Where Wine's processes find each other and their files. Attack: `ENV WINEPREFIX=C:\x` would cut a step's programs off from
 * the server that keeps its registry. */
static const wchar_t *const wines[] = {L"WINEPREFIX", L"WINESERVER", L"WINELOADER", L"WINEDLLDIR", L"WINEDLLPATH", L"WINEDATADIR", L"WINECONFIGDIR"};

/* Of the Linux side: a program of Windows that looks at one of them (git does at LC_ALL) would be misled. */
static const wchar_t *const linuxs[] = {L"LC_ALL", L"WINEDEBUG", L"WINEPATH", L"WINEPREFIX", L"WINEUNIXCP"};

static size_t name_length(const wchar_t *text, size_t length) {
    /* `=C:=C:\x` is the current directory of a drive: its name begins with the sign. */
    for (size_t i = 1; i < length; i++)
        if (text[i] == '=') return i;
    return 0;
}

static int is_wines(const struct variable *variable) {
    for (size_t i = 0; i < sizeof wines / sizeof *wines; i++)
        if (_wcsnicmp(variable->text, wines[i], wcslen(wines[i])) == 0) return 1;
    return 0;
}

static int is_linux(const struct variable *variable) {
    for (size_t i = 0; i < sizeof linuxs / sizeof *linuxs; i++)
        if (wcslen(linuxs[i]) == variable->name && _wcsnicmp(variable->text, linuxs[i], variable->name) == 0) return 1;
    return 0;
}

static int by_name(const struct variable *a, const struct variable *b) {
    int order = CompareStringOrdinal(a->text, (int)a->name, b->text, (int)b->name, TRUE);
    return order - CSTR_EQUAL;
}

static int compare(const void *a, const void *b) {
    int order = by_name(a, b);
    if (order != 0) return order;
    /* qsort is not stable; of one name, the later in memory order of the table is the later given. */
    const struct variable *first = a, *second = b;
    return first->text < second->text ? -1 : first->text > second->text;
}

/* What Windows works out at each start; the registry may hold what was true elsewhere. */
static void tell_processor(void) {
    struct processor processor;
    SYSTEM_INFO system;
    wchar_t text[128];
    describe_processor(&processor);
    GetNativeSystemInfo(&system);
    SetEnvironmentVariableW(L"PROCESSOR_ARCHITECTURE", L"AMD64");
    _snwprintf(text, 128, L"%lu", system.dwNumberOfProcessors);
    SetEnvironmentVariableW(L"NUMBER_OF_PROCESSORS", text);
    _snwprintf(text, 128, L"%ls, %ls", processor.identifier, processor.vendor);
    SetEnvironmentVariableW(L"PROCESSOR_IDENTIFIER", text);
    _snwprintf(text, 128, L"%lu", processor.level);
    SetEnvironmentVariableW(L"PROCESSOR_LEVEL", text);
    _snwprintf(text, 128, L"%04lx", processor.revision);
    SetEnvironmentVariableW(L"PROCESSOR_REVISION", text);
}

/* Wine expands the user's variables before it knows the profile: TEMP is %USERPROFILE%\\… then. */
static void expand_rest(void) {
    static wchar_t text[32768], name[256];
    wchar_t *own = GetEnvironmentStringsW();
    for (const wchar_t *at = own; at != NULL && *at != 0; at += wcslen(at) + 1) {
        size_t length = name_length(at, wcslen(at));
        if (length == 0 || length >= 256 || wcschr(at + length, '%') == NULL) continue;
        wmemcpy(name, at, length);
        name[length] = 0;
        DWORD units = ExpandEnvironmentStringsW(at + length + 1, text, 32768);
        if (units > 0 && units <= 32768) SetEnvironmentVariableW(name, text);
    }
    if (own != NULL) FreeEnvironmentStringsW(own);
}

wchar_t *lay_over(const wchar_t *given, size_t units) {
    tell_processor();
    expand_rest();
    wchar_t *own = GetEnvironmentStringsW();
    if (own == NULL) return NULL;
    size_t own_units = 0, count = 0;
    while (own[own_units] != 0) own_units += wcslen(own + own_units) + 1;
    /* One block, theirs behind ours, so that later in memory means laid over. */
    wchar_t *both = malloc((own_units + units + 1) * sizeof *both);
    struct variable *table = malloc(((own_units + units) / 2 + 1) * sizeof *table);
    wchar_t *result = malloc((own_units + units + 2) * sizeof *result);
    if (both == NULL || table == NULL || result == NULL) return NULL;
    memcpy(both, own, own_units * sizeof *both);
    memcpy(both + own_units, given, units * sizeof *both);
    both[own_units + units] = 0;
    FreeEnvironmentStringsW(own);
    for (size_t at = 0; at < own_units + units;) {
        struct variable *variable = &table[count];
        variable->text = both + at;
        variable->length = wcslen(variable->text);
        variable->name = name_length(variable->text, variable->length);
        if (variable->name > 0 && !(at < own_units ? is_linux(variable) : is_wines(variable))) count++;
        at += variable->length + 1;
    }
    qsort(table, count, sizeof *table, compare);
    wchar_t *to = result;
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && by_name(&table[i], &table[i + 1]) == 0) continue;
        memcpy(to, table[i].text, (table[i].length + 1) * sizeof *to);
        to += table[i].length + 1;
    }
    /* No variables at all: still two NULs. */
    to[0] = 0;
    if (to == result) to[1] = 0;
    free(both);
    free(table);
    return result;
}
