/* Finds out which DLL a program lacks: Windows (and Wine) only say 0xC0000135. Walks the import tables of the program and of
 * the DLLs that it brings, in the order in which they are looked for. Programs are foreign: everything here is bounded. */
#include "missing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "imports.h"
#include "json.h"

enum { most_modules = 512, most_words = 64, longest_path = 4096 };

struct search {
    struct json *json;
    const wchar_t *folder; /* of the program, with its last backslash */
    char (*seen)[longest_dll_name];
    wchar_t **modules; /* files that are still to be read */
    size_t seen_count, module_count, told;
};

void first_word(const wchar_t *command, wchar_t *word, size_t units) {
    while (*command == ' ' || *command == '\t') command++;
    wchar_t end = *command == '"' ? '"' : ' ';
    if (end == '"') command++;
    size_t length = 0;
    for (; *command != 0 && *command != end && (end == '"' || *command != '\t') && length + 1 < units; command++) word[length++] = *command;
    word[length] = 0;
}

static bool is_file(const wchar_t *path) {
    DWORD attributes = GetFileAttributesW(path);
    return attributes != INVALID_FILE_ATTRIBUTES && !(attributes & FILE_ATTRIBUTE_DIRECTORY);
}

static bool is_api_set(const char *name) {
    return strncmp(name, "api-ms-", 7) == 0 || strncmp(name, "ext-ms-", 7) == 0;
}

/* Where the loader would find a DLL. False when nowhere; `path` is empty when it is known without a file. */
static bool find_dll(const struct search *search, const char *name, wchar_t path[longest_path]) {
    wchar_t wide[longest_dll_name];
    size_t length = 0;
    do wide[length] = (wchar_t)(unsigned char)name[length];
    while (name[length++] != 0);
    path[0] = 0;
    if (strpbrk(name, "\\/:*?\"<>|") != NULL) return false;
    if (is_api_set(name)) return LoadLibraryExW(wide, NULL, LOAD_LIBRARY_SEARCH_SYSTEM32) != NULL;
    if (_snwprintf(path, longest_path, L"%ls%ls", search->folder, wide) > 0 && is_file(path)) return true;
    /* Our own process counts as one of system32 (run.c), so this is: system32, windows, the current folder, PATH. */
    DWORD found = SearchPathW(NULL, wide, NULL, longest_path, path, NULL);
    return found > 0 && found < longest_path;
}

static void tell(struct search *search, const char *name, const wchar_t *needed_by) {
    json_text(search->json, search->told++ > 0 ? ",{\"dll\":\"" : "{\"dll\":\"");
    for (const char *at = name; *at != 0; at++) {
        char text[3] = {*at};
        if (*at == '"' || *at == '\\') text[0] = '\\', text[1] = *at;
        json_text(search->json, text);
    }
    json_text(search->json, "\",\"neededBy\":");
    json_string(search->json, needed_by);
    json_text(search->json, "}");
}

/* True the first time. */
static bool is_new(struct search *search, const char *name) {
    for (size_t i = 0; i < search->seen_count; i++)
        if (strcmp(search->seen[i], name) == 0) return false;
    if (search->seen_count == most_modules) return false;
    strcpy(search->seen[search->seen_count++], name);
    return true;
}

static void read_imports(struct search *search, const wchar_t *file, const uint8_t *bytes, size_t length) {
    struct pe pe;
    char name[longest_dll_name];
    if (is_wines_own(bytes, length) || !read_pe(&pe, bytes, length)) return;
    for (size_t i = 0; import_name(&pe, i, name); i++) {
        wchar_t path[longest_path];
        if (!is_new(search, name)) continue;
        if (!find_dll(search, name, path)) tell(search, name, file);
        else if (path[0] != 0) search->modules[search->module_count++] = _wcsdup(path);
    }
}

/* Maps a file and reads its imports; a file that cannot be mapped has none. */
static void read_module(struct search *search, const wchar_t *file) {
    HANDLE handle = CreateFileW(file, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
    if (handle == INVALID_HANDLE_VALUE) return;
    LARGE_INTEGER size;
    HANDLE section = GetFileSizeEx(handle, &size) ? CreateFileMappingW(handle, NULL, PAGE_READONLY, 0, 0, NULL) : NULL;
    const void *bytes = section == NULL ? NULL : MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
    if (bytes != NULL) {
        read_imports(search, file, bytes, (size_t)size.QuadPart);
        UnmapViewOfFile(bytes);
    }
    if (section != NULL) CloseHandle(section);
    CloseHandle(handle);
}

/* How many DLLs of one program were told as missing. */
static size_t check_program(struct json *json, const wchar_t *image, size_t told) {
    struct search search = {.json = json, .told = told};
    wchar_t *folder = _wcsdup(image), *last = folder == NULL ? NULL : wcsrchr(folder, '\\');
    search.seen = malloc(most_modules * sizeof *search.seen);
    search.modules = calloc(most_modules + 1, sizeof *search.modules);
    if (last != NULL && search.seen != NULL && search.modules != NULL) {
        last[1] = 0;
        search.folder = folder;
        read_module(&search, image);
        for (size_t i = 0; i < search.module_count; i++)
            if (search.modules[i] != NULL) read_module(&search, search.modules[i]);
    }
    for (size_t i = 0; i < search.module_count; i++) free(search.modules[i]);
    free(search.modules);
    free(search.seen);
    free(folder);
    return search.told;
}

/* Words that a shell puts before the name of a program. */
static bool leads_on(const wchar_t *word) {
    static const wchar_t *const words[] = {L"call", L"start", L"cmd", L"cmd.exe", L"if", L"else", L"do"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (_wcsicmp(word, words[i]) == 0) return true;
    return word[0] == '/';
}

/* The file that a word of a command names, as cmd looks for it. */
static bool find_program(const wchar_t *word, wchar_t path[longest_path]) {
    static wchar_t folders[2 * 32768] = L".;";
    if (word[0] == 0) return false;
    GetEnvironmentVariableW(L"PATH", folders + 2, 32767);
    wchar_t *name = NULL, found[longest_path];
    DWORD length = SearchPathW(folders, word, L".exe", longest_path, found, &name);
    if (length == 0 || length >= longest_path) return false;
    length = GetFullPathNameW(found, longest_path, path, NULL);
    return length > 0 && length < longest_path && is_file(path);
}

/* The next word of a shell's command, or an empty one where a command ends. */
static const wchar_t *next_word(const wchar_t *at, wchar_t *word, size_t units) {
    size_t length = 0;
    bool quoted = false;
    while (*at == ' ' || *at == '\t' || *at == '@') at++;
    for (; *at != 0; at++) {
        if (*at == '"') quoted = !quoted;
        else if (!quoted && wcschr(L" \t&|()<>\r\n", *at) != NULL) break;
        else if (length + 1 < units) word[length++] = *at;
    }
    word[length] = 0;
    /* What ends a command stands for an empty word, which begins the next one. */
    if (length == 0 && *at != 0) at++;
    return at;
}

static bool is_shell(const wchar_t *image) {
    const wchar_t *name = wcsrchr(image, '\\');
    return name != NULL && _wcsicmp(name + 1, L"cmd.exe") == 0;
}

void tell_missing(struct json *json, const wchar_t *command, const wchar_t *image) {
    if (!is_shell(image)) {
        check_program(json, image, 0);
        return;
    }
    static wchar_t word[longest_path], path[longest_path];
    size_t told = 0;
    bool leading = true;
    for (size_t i = 0; i < most_words && *command != 0; i++) {
        command = next_word(command, word, longest_path);
        if (leading && !leads_on(word) && find_program(word, path)) told = check_program(json, path, told);
        leading = word[0] == 0 || (leading && leads_on(word));
    }
}
