/* HARDWARE, the active computer name, other names of the user's registry, and the user's volatile environment. */
#include "volatile-keys.h"

#include <stdio.h>
#include <wchar.h>

#include "ntdll.h"
#include "processor.h"

NTSTATUS NTAPI RtlFormatCurrentUserKeyPath(PUNICODE_STRING path);

static HKEY make(HKEY parent, const wchar_t *path) {
    HKEY key;
    return RegCreateKeyExW(parent, path, 0, NULL, REG_OPTION_VOLATILE, KEY_ALL_ACCESS, NULL, &key, NULL) == 0 ? key : NULL;
}

static void set_text(HKEY key, const wchar_t *name, const wchar_t *text) {
    RegSetValueExW(key, name, 0, REG_SZ, (const BYTE *)text, (DWORD)(wcslen(text) + 1) * sizeof *text);
}

static void set_number(HKEY key, const wchar_t *name, DWORD number) {
    RegSetValueExW(key, name, 0, REG_DWORD, (const BYTE *)&number, sizeof number);
}

static BOOL make_processor(HKEY system, DWORD number, const struct processor *processor) {
    wchar_t path[40];
    _snwprintf(path, 40, L"CentralProcessor\\%lu", number);
    HKEY key = make(system, path);
    if (key == NULL) return FALSE;
    set_text(key, L"Identifier", processor->identifier);
    set_text(key, L"ProcessorNameString", processor->brand);
    set_text(key, L"VendorIdentifier", processor->vendor);
    set_number(key, L"FeatureSet", processor->features);
    set_number(key, L"~MHz", 2000); /* the real one changes from moment to moment; programs want some number */
    RegCloseKey(key);
    _snwprintf(path, 40, L"FloatingPointProcessor\\%lu", number);
    key = make(system, path);
    if (key == NULL) return FALSE;
    set_text(key, L"Identifier", processor->identifier);
    RegCloseKey(key);
    return TRUE;
}

static BOOL make_hardware(void) {
    SYSTEM_INFO info;
    struct processor processor;
    HKEY system = make(HKEY_LOCAL_MACHINE, L"HARDWARE\\DESCRIPTION\\System");
    if (system == NULL) return FALSE;
    BOOL fine = TRUE;
    GetNativeSystemInfo(&info);
    describe_processor(&processor);
    set_text(system, L"Identifier", L"AT/AT COMPATIBLE");
    for (DWORD i = 0; i < info.dwNumberOfProcessors && i < 1024; i++) fine = make_processor(system, i, &processor) && fine;
    HKEY bios = make(system, L"BIOS");
    if (bios != NULL) {
        /* Not those of the host: a build has no business with its serial numbers. */
        set_text(bios, L"SystemManufacturer", L"wbuild");
        set_text(bios, L"SystemProductName", L"Container");
        RegCloseKey(bios);
    }
    RegCloseKey(system);
    return fine;
}

/* The NetBIOS name: the host name's first part, at most 15 characters, upper case. */
static void computer_name(wchar_t name[MAX_COMPUTERNAME_LENGTH + 1]) {
    name[0] = 0;
    HANDLE file = CreateFileW(L"\\\\?\\unix\\etc\\hostname", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    char text[64];
    DWORD length = 0;
    if (file == INVALID_HANDLE_VALUE) return;
    if (!ReadFile(file, text, sizeof text, &length, NULL)) length = 0;
    CloseHandle(file);
    DWORD units = 0;
    for (; units < length && units < MAX_COMPUTERNAME_LENGTH && text[units] > ' ' && text[units] != '.'; units++)
        name[units] = (wchar_t)(text[units] >= 'a' && text[units] <= 'z' ? text[units] - 32 : text[units]);
    name[units] = 0;
}

static BOOL make_computer_name(const wchar_t *name) {
    HKEY key = make(HKEY_LOCAL_MACHINE, L"SYSTEM\\CurrentControlSet\\Control\\ComputerName\\ActiveComputerName");
    if (key == NULL) return FALSE;
    set_text(key, L"ComputerName", name);
    RegCloseKey(key);
    return TRUE;
}

/* C:\Users, as the registry says. */
static BOOL profiles_folder(wchar_t *path, DWORD units) {
    static const wchar_t list[] = L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList";
    wchar_t text[MAX_PATH];
    DWORD bytes = sizeof text;
    if (RegGetValueW(HKEY_LOCAL_MACHINE, list, L"ProfilesDirectory", RRF_RT_REG_SZ | RRF_RT_REG_EXPAND_SZ | RRF_NOEXPAND, NULL, text, &bytes) != 0)
        wcscpy(text, L"%SystemDrive%\\Users");
    DWORD length = ExpandEnvironmentStringsW(text, path, units);
    return length > 0 && length <= units;
}

/* Logon would make this key; the variables of a user's programs come from it. */
static BOOL make_user_environment(const wchar_t *computer) {
    wchar_t profile[MAX_PATH + 260], path[MAX_PATH + 300], user[256];
    DWORD length = GetEnvironmentVariableW(L"WINEUSERNAME", user, 256);
    /* Wine has just made it to look for variables in it, as a key that is saved. */
    RegDeleteKeyW(HKEY_CURRENT_USER, L"Volatile Environment");
    HKEY key = make(HKEY_CURRENT_USER, L"Volatile Environment");
    if (key == NULL || length == 0 || length >= 256 || !profiles_folder(profile, MAX_PATH)) return FALSE;
    wcscat(profile, L"\\");
    wcscat(profile, user);
    set_text(key, L"USERNAME", user);
    set_text(key, L"USERDOMAIN", computer);
    set_text(key, L"USERPROFILE", profile);
    set_text(key, L"HOMEPATH", profile + 2);
    set_text(key, L"HOMEDRIVE", (const wchar_t[]){profile[0], profile[1], 0});
    _snwprintf(path, MAX_PATH + 300, L"%ls\\AppData\\Roaming", profile);
    set_text(key, L"APPDATA", path);
    _snwprintf(path, MAX_PATH + 300, L"%ls\\AppData\\Local", profile);
    set_text(key, L"LOCALAPPDATA", path);
    RegCloseKey(key);
    return TRUE;
}

/* HKEY_USERS\\name as another name of `target`, a path of the registry. */
static BOOL make_user_link(const wchar_t *name, const wchar_t *target) {
    HKEY key;
    DWORD options = REG_OPTION_VOLATILE | REG_OPTION_CREATE_LINK;
    if (RegCreateKeyExW(HKEY_USERS, name, 0, NULL, options, KEY_ALL_ACCESS, NULL, &key, NULL) != 0) return FALSE;
    LSTATUS error = RegSetValueExW(key, L"SymbolicLinkValue", 0, REG_LINK, (const BYTE *)target, (DWORD)(wcslen(target) * sizeof *target));
    RegCloseKey(key);
    return error == 0;
}

/* LocalSystem's registry is .DEFAULT on Windows, too; and the user has the number that containers of Windows give it. */
static BOOL make_user_links(void) {
    static const struct {
        const wchar_t *user, *sid;
    } users[] = {{L"ContainerAdministrator", L"S-1-5-93-2-1"}, {L"ContainerUser", L"S-1-5-93-2-2"}};
    wchar_t user[256];
    UNICODE_STRING own;
    BOOL fine = make_user_link(L"S-1-5-18", L"\\Registry\\User\\.Default");
    DWORD length = GetEnvironmentVariableW(L"WINEUSERNAME", user, 256);
    if (length == 0 || length >= 256 || RtlFormatCurrentUserKeyPath(&own) != 0) return FALSE;
    for (size_t i = 0; i < sizeof users / sizeof *users; i++)
        if (_wcsicmp(user, users[i].user) == 0) fine = make_user_link(users[i].sid, own.Buffer) && fine;
    RtlFreeUnicodeString(&own);
    return fine;
}

BOOL make_volatile_keys(void) {
    wchar_t computer[MAX_COMPUTERNAME_LENGTH + 1];
    computer_name(computer);
    BOOL fine = make_hardware();
    fine = make_computer_name(computer) && fine;
    fine = make_user_links() && fine;
    return make_user_environment(computer) && fine;
}
