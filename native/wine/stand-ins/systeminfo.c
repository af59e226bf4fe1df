/* systeminfo.exe: what is true of a container of what Windows would tell. */
#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#include "../message.h"

static const wchar_t version_key[] = L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion";

static void value_of(const wchar_t *name, wchar_t text[256]) {
    DWORD bytes = 255 * sizeof *text;
    if (RegGetValueW(HKEY_LOCAL_MACHINE, version_key, name, RRF_RT_REG_SZ, NULL, text, &bytes) != 0) wcscpy(text, L"N/A");
}

struct fact {
    const wchar_t *name, *value;
};

static void tell(const struct fact *facts, size_t count, bool csv, bool no_header) {
    for (size_t i = 0; csv && !no_header && i < count; i++) print(stdout, L"\"%ls\"%ls", facts[i].name, i + 1 < count ? L"," : L"\n");
    for (size_t i = 0; csv && i < count; i++) print(stdout, L"\"%ls\"%ls", facts[i].value, i + 1 < count ? L"," : L"\n");
    for (size_t i = 0; !csv && i < count; i++) print(stdout, L"%ls%ls:%*ls%ls\n", i == 0 ? L"\n" : L"", facts[i].name, (int)(26 - wcslen(facts[i].name)), L"", facts[i].value);
}

int wmain(int argc, wchar_t **argv) {
    bool csv = false, no_header = false;
    for (int i = 1; i < argc; i++) {
        const wchar_t *value = i + 1 < argc ? argv[i + 1] : L"";
        if (_wcsicmp(argv[i], L"/nh") == 0) no_header = true;
        else if (_wcsicmp(argv[i], L"/fo") == 0 && _wcsicmp(value, L"csv") == 0) csv = true;
        else if (_wcsicmp(argv[i], L"/fo") != 0 || (_wcsicmp(value, L"list") != 0 && _wcsicmp(value, L"table") != 0)) {
            print(stderr, L"ERROR: Invalid argument/option - only /FO LIST|CSV and /NH are known here: %ls\n", argv[i]);
            return 1;
        } else if (_wcsicmp(value, L"table") == 0) {
            print(stderr, L"ERROR: /FO TABLE is not known here; use LIST or CSV.\n");
            return 1;
        }
        if (_wcsicmp(argv[i], L"/fo") == 0) i++;
    }
    wchar_t host[256], product[256], build[256], version[300], memory[64];
    DWORD units = 256;
    MEMORYSTATUSEX status = {.dwLength = sizeof status};
    if (!GetComputerNameExW(ComputerNameDnsHostname, host, &units)) wcscpy(host, L"N/A");
    value_of(L"ProductName", product);
    value_of(L"CurrentBuildNumber", build);
    _snwprintf(version, 300, L"10.0.%ls N/A Build %ls", build, build);
    GlobalMemoryStatusEx(&status);
    _snwprintf(memory, 64, L"%I64u MB", status.ullTotalPhys >> 20);
    const struct fact facts[] = {
        {L"Host Name", host}, {L"OS Name", product}, {L"OS Version", version}, {L"System Type", L"x64-based PC"}, {L"Total Physical Memory", memory}};
    tell(facts, sizeof facts / sizeof *facts, csv, no_header);
    return 0;
}
