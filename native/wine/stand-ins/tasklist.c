/* tasklist.exe: the processes of this container. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

#include <psapi.h>
#include <tlhelp32.h>

#include "../message.h"
#include "wildcard.h"

enum format { as_table, as_list, as_csv };
enum { most_filters = 16 };

struct filter {
    bool of_name, not;
    const wchar_t *name;
    char order; /* of PIDs: '=', '<', '>'; `or_same` makes <= and >= of them */
    bool or_same;
    DWORD pid;
};

struct request {
    enum format format;
    bool no_header;
    struct filter filters[most_filters];
    unsigned filter_count;
};

static int usage(void) {
    fputs("TASKLIST [/FO TABLE|LIST|CSV] [/NH] [/FI filter]...\n\n"
          "    filter    \"IMAGENAME eq|ne name\", \"PID eq|ne|gt|lt|ge|le number\", \"STATUS eq running\"\n", stdout);
    return 0;
}

static int fail(const wchar_t *text, const wchar_t *word) {
    print(stderr, L"ERROR: %ls%ls\n", text, word);
    return 1;
}

/* `NAME op value`. False where it is none that is known here. */
static bool read_filter(struct request *request, const wchar_t *text) {
    wchar_t name[32], operator[8], value[300], *end;
    if (request->filter_count == most_filters || swscanf(text, L"%31ls %7ls %299l[^\n]", name, operator, value) != 3) return false;
    struct filter filter = {.order = '=', .not = _wcsicmp(operator, L"ne") == 0};
    if (_wcsicmp(name, L"STATUS") == 0) return _wcsicmp(operator, L"eq") == 0 && _wcsicmp(value, L"running") == 0;
    filter.of_name = _wcsicmp(name, L"IMAGENAME") == 0;
    if (!filter.of_name && _wcsicmp(name, L"PID") != 0) return false;
    bool equal = filter.not || _wcsicmp(operator, L"eq") == 0;
    if (!equal) {
        bool above = _wcsicmp(operator, L"gt") == 0 || _wcsicmp(operator, L"ge") == 0;
        if (filter.of_name || (!above && _wcsicmp(operator, L"lt") != 0 && _wcsicmp(operator, L"le") != 0)) return false;
        filter.order = above ? '>' : '<';
        filter.or_same = operator[1] == L'e' || operator[1] == L'E';
    }
    if (filter.of_name) filter.name = copied(value);
    else {
        filter.pid = wcstoul(value, &end, 10);
        if (end == value || *end != 0) return false;
    }
    request->filters[request->filter_count++] = filter;
    return true;
}

static bool fits(const struct request *request, const PROCESSENTRY32W *process) {
    for (unsigned i = 0; i < request->filter_count; i++) {
        const struct filter *filter = &request->filters[i];
        DWORD pid = process->th32ProcessID;
        bool same = filter->of_name ? wildcard_matches(filter->name, process->szExeFile) : pid == filter->pid;
        bool holds = filter->order == '=' ? same != filter->not
                                          : (filter->or_same && same) || (filter->order == '<' ? pid < filter->pid : pid > filter->pid);
        if (!holds) return false;
    }
    return true;
}

static unsigned kilobytes_of(DWORD pid) {
    PROCESS_MEMORY_COUNTERS memory = {.cb = sizeof memory};
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
    if (process == NULL) return 0;
    if (!GetProcessMemoryInfo(process, &memory, sizeof memory)) memory.WorkingSetSize = 0;
    CloseHandle(process);
    return (unsigned)(memory.WorkingSetSize / 1024);
}

/* 12,345 */
static void put_thousands(wchar_t text[16], unsigned number) {
    if (number < 1000) _snwprintf(text, 16, L"%u", number);
    else if (number < 1000000) _snwprintf(text, 16, L"%u,%03u", number / 1000, number % 1000);
    else _snwprintf(text, 16, L"%u,%03u,%03u", number / 1000000, number / 1000 % 1000, number % 1000);
}

static void show(const struct request *request, const PROCESSENTRY32W *process) {
    static const wchar_t *const rows[] = {
        [as_table] = L"%-25.25ls %8lu %-16ls %11u %10ls K\n",
        [as_list] = L"\nImage Name:   %ls\nPID:          %lu\nSession Name: %ls\nSession#:     %u\nMem Usage:    %ls K\n",
        [as_csv] = L"\"%ls\",\"%lu\",\"%ls\",\"%u\",\"%ls K\"\n",
    };
    wchar_t memory[16];
    put_thousands(memory, kilobytes_of(process->th32ProcessID));
    print(stdout, rows[request->format], process->szExeFile, process->th32ProcessID, L"Console", 1u, memory);
}

int wmain(int argc, wchar_t **argv) {
    struct request request = {0};
    for (int i = 1; i < argc; i++) {
        const wchar_t *word = argv[i], *value = i + 1 < argc ? argv[i + 1] : L"";
        if (_wcsicmp(word, L"/?") == 0) return usage();
        if (_wcsicmp(word, L"/nh") == 0) request.no_header = true;
        else if (_wcsicmp(word, L"/fo") == 0) {
            if (_wcsicmp(value, L"table") == 0) request.format = as_table;
            else if (_wcsicmp(value, L"list") == 0) request.format = as_list;
            else if (_wcsicmp(value, L"csv") == 0) request.format = as_csv;
            else return fail(L"Invalid value for /FO: ", value);
            i++;
        } else if (_wcsicmp(word, L"/fi") == 0) {
            if (!read_filter(&request, value)) return fail(L"The search filter cannot be recognized: ", value);
            i++;
        } else return fail(L"Invalid argument/option - this one is not known here: ", word);
    }
    HANDLE processes = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    PROCESSENTRY32W process = {.dwSize = sizeof process};
    if (processes == INVALID_HANDLE_VALUE) return fail(error_text(GetLastError()), L"");
    bool any = false;
    for (BOOL more = Process32FirstW(processes, &process); more; more = Process32NextW(processes, &process)) {
        if (!fits(&request, &process)) continue;
        if (!any && !request.no_header && request.format == as_table)
            fputs("\nImage Name                     PID Session Name        Session#    Mem Usage\n"
                  "========================= ======== ================ =========== ============\n", stdout);
        if (!any && !request.no_header && request.format == as_csv)
            fputs("\"Image Name\",\"PID\",\"Session Name\",\"Session#\",\"Mem Usage\"\n", stdout);
        any = true;
        show(&request, &process);
    }
    CloseHandle(processes);
    if (!any) print(stdout, L"INFO: No tasks are running which match the specified criteria.\n");
    return 0;
}
