/* What `sc create`, `sc config` and `sc failure` are told about a service. */
#include "sc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "../message.h"
#include "wildcard.h"

struct word {
    const wchar_t *text;
    DWORD value;
};

enum { delayed_start = 0x1000 };
static const struct word starts[] = {{L"boot", SERVICE_BOOT_START}, {L"system", SERVICE_SYSTEM_START}, {L"auto", SERVICE_AUTO_START},
    {L"demand", SERVICE_DEMAND_START}, {L"disabled", SERVICE_DISABLED}, {L"delayed-auto", delayed_start}, {NULL, 0}};
static const struct word types[] = {{L"own", SERVICE_WIN32_OWN_PROCESS}, {L"share", SERVICE_WIN32_SHARE_PROCESS}, {L"kernel", SERVICE_KERNEL_DRIVER},
    {L"filesys", SERVICE_FILE_SYSTEM_DRIVER}, {L"interact", SERVICE_INTERACTIVE_PROCESS | SERVICE_WIN32_OWN_PROCESS}, {NULL, 0}};
static const struct word errors[] = {{L"ignore", SERVICE_ERROR_IGNORE}, {L"normal", SERVICE_ERROR_NORMAL}, {L"severe", SERVICE_ERROR_SEVERE},
    {L"critical", SERVICE_ERROR_CRITICAL}, {NULL, 0}};
static const struct word actions[] = {{L"", SC_ACTION_NONE}, {L"none", SC_ACTION_NONE}, {L"restart", SC_ACTION_RESTART}, {L"reboot", SC_ACTION_REBOOT},
    {L"run", SC_ACTION_RUN_COMMAND}, {NULL, 0}};

static bool look_up(const struct word *words, const wchar_t *text, DWORD *value) {
    for (; words->text != NULL; words++) {
        if (_wcsicmp(words->text, text) != 0) continue;
        *value = words->value;
        return true;
    }
    return false;
}

const wchar_t *value_of(const wchar_t *name, int argc, wchar_t **argv, int *at) {
    size_t units = wcslen(name);
    const wchar_t *word = argv[*at];
    if (_wcsnicmp(word, name, units) != 0 || word[units] != L'=') return NULL;
    if (word[units + 1] != 0) return word + units + 1;
    if (*at + 1 >= argc) return NULL;
    return argv[++*at];
}

/* a/b → a, NUL, b, NUL, NUL */
static wchar_t *list_of(const wchar_t *text) {
    size_t units = wcslen(text);
    wchar_t *list = grown(NULL, (units + 2) * sizeof *list);
    wcscpy(list, text);
    list[units + 1] = 0;
    for (size_t i = 0; i < units; i++)
        if (list[i] == L'/') list[i] = 0;
    return list;
}

static bool read_one(struct settings *settings, int argc, wchar_t **argv, int *at) {
    const wchar_t *value;
    if ((value = value_of(L"start", argc, argv, at)) != NULL) {
        if (!look_up(starts, value, &settings->start)) return false;
        settings->has_delayed = true;
        settings->delayed = settings->start == delayed_start;
        if (settings->delayed) settings->start = SERVICE_AUTO_START;
        return true;
    }
    if ((value = value_of(L"type", argc, argv, at)) != NULL) return look_up(types, value, &settings->type);
    if ((value = value_of(L"error", argc, argv, at)) != NULL) return look_up(errors, value, &settings->error);
    if ((value = value_of(L"depend", argc, argv, at)) != NULL) return (settings->depends = list_of(value)) != NULL;
    if ((value = value_of(L"binPath", argc, argv, at)) != NULL) return (settings->path = value) != NULL;
    if ((value = value_of(L"group", argc, argv, at)) != NULL) return (settings->group = value) != NULL;
    if ((value = value_of(L"obj", argc, argv, at)) != NULL) return (settings->account = value) != NULL;
    if ((value = value_of(L"password", argc, argv, at)) != NULL) return (settings->password = value) != NULL;
    if ((value = value_of(L"DisplayName", argc, argv, at)) != NULL) return (settings->name = value) != NULL;
    value = value_of(L"tag", argc, argv, at);
    return value != NULL && _wcsicmp(value, L"no") == 0;
}

bool read_settings(struct settings *settings, int argc, wchar_t **argv) {
    *settings = (struct settings){.type = SERVICE_NO_CHANGE, .start = SERVICE_NO_CHANGE, .error = SERVICE_NO_CHANGE};
    for (int i = 0; i < argc; i++) {
        if (read_one(settings, argc, argv, &i)) continue;
        print(stderr, L"ERROR:  Invalid option: %ls\n", argv[i]);
        return false;
    }
    return true;
}

DWORD set_value(const wchar_t *service, const wchar_t *name, DWORD type, const void *bytes, DWORD length) {
    HKEY key;
    wchar_t path[400];
    _snwprintf(path, 399, L"SYSTEM\\CurrentControlSet\\Services\\%ls", service);
    path[399] = 0;
    LSTATUS error = RegOpenKeyExW(HKEY_LOCAL_MACHINE, path, 0, KEY_SET_VALUE, &key);
    if (error != 0) return (DWORD)error;
    error = RegSetValueExW(key, name, 0, type, bytes, length);
    RegCloseKey(key);
    return (DWORD)error;
}

static DWORD set_text(const wchar_t *service, const wchar_t *name, const wchar_t *text) {
    return text == NULL ? 0 : set_value(service, name, REG_SZ, text, (DWORD)((wcslen(text) + 1) * sizeof *text));
}

/* restart/5000/run/1000 → pairs of numbers. False where a word is none. */
static bool read_actions(const wchar_t *text, DWORD *count, DWORD pairs[][2], DWORD most) {
    wchar_t *copy = copied(text), *at = copy;
    bool fine = true;
    for (*count = 0; fine && *at != 0 && *count < most; ++*count) {
        wchar_t *delay = wcschr(at, L'/'), *end;
        fine = delay != NULL;
        if (!fine) break;
        *delay++ = 0;
        pairs[*count][1] = wcstoul(delay, &end, 10);
        fine = look_up(actions, at, &pairs[*count][0]) && end != delay && (*end == 0 || *end == L'/');
        at = *end == L'/' ? end + 1 : end;
    }
    fine = fine && *at == 0;
    free(copy);
    return fine;
}

DWORD set_failure(const wchar_t *service, int argc, wchar_t **argv) {
    enum { most = 32 };
    /* As the service manager keeps them: seconds, two unused pointers, the number of actions, a third pointer, the actions. */
    struct {
        DWORD reset, message, command, count, actions, pairs[most][2];
    } kept = {.actions = 0x14};
    const wchar_t *command = NULL, *message = NULL;
    for (int i = 0; i < argc; i++) {
        const wchar_t *value;
        if ((value = value_of(L"reset", argc, argv, &i)) != NULL) {
            kept.reset = _wcsicmp(value, L"INFINITE") == 0 ? INFINITE : wcstoul(value, NULL, 10);
        } else if ((value = value_of(L"actions", argc, argv, &i)) != NULL) {
            if (!read_actions(value, &kept.count, kept.pairs, most)) return ERROR_INVALID_COMMAND_LINE;
        } else if ((value = value_of(L"command", argc, argv, &i)) != NULL) command = value;
        else if ((value = value_of(L"reboot", argc, argv, &i)) != NULL) message = value;
        else return ERROR_INVALID_COMMAND_LINE;
    }
    DWORD error = set_text(service, L"FailureCommand", command);
    if (error == 0) error = set_text(service, L"RebootMessage", message);
    DWORD length = 5 * sizeof(DWORD) + kept.count * sizeof kept.pairs[0];
    return error != 0 ? error : set_value(service, L"FailureActions", REG_BINARY, &kept, length);
}
