/* Reads robocopy's command line. An option that would change what is copied, and that is not known here, is refused. */
#include <stdarg.h>
#include <stdlib.h>
#include <wchar.h>
#include <wctype.h>

#include "../message.h"
#include "robocopy.h"
#include "wildcard.h"

void say(const struct request *request, const wchar_t *format, ...) {
    static wchar_t text[70000];
    va_list values;
    va_start(values, format);
    _vsnwprintf(text, sizeof text / sizeof *text - 1, format, values);
    va_end(values);
    if (request->log != NULL) print(request->log, L"%ls", text);
    if (request->log == NULL || request->tee) print(stdout, L"%ls", text);
}

static void add(struct names *names, const wchar_t *text) {
    names->text = grown(names->text, (names->count + 1) * sizeof *names->text);
    names->text[names->count++] = copied(text);
}

bool is_among(const struct names *names, const wchar_t *name, const wchar_t *path) {
    for (size_t i = 0; i < names->count; i++)
        if (wildcard_matches(names->text[i], wcspbrk(names->text[i], L"\\/") == NULL ? name : path)) return true;
    return false;
}

static int refuse(const wchar_t *word) {
    print(stderr, L"\nERROR : Invalid Parameter : \"%ls\"\n\n       Simple Usage :: ROBOCOPY source destination /MIR\n", word);
    return cannot_begin;
}

/* A whole path, so that a later change of folder and patterns with folders in them mean the same. */
static wchar_t *whole(const wchar_t *path) {
    wchar_t *text = grown(NULL, 32768 * sizeof *text);
    DWORD units = GetFullPathNameW(path, 32768, text, NULL);
    if (units == 0 || units >= 32768) wcsncpy(text, path, 32767)[32767] = 0;
    for (size_t end = wcslen(text); end > 3 && text[end - 1] == L'\\';) text[--end] = 0;
    return text;
}

static bool is(const wchar_t *word, const wchar_t *option) {
    return _wcsicmp(word, option) == 0;
}

/* What stands behind `/option:`, or NULL. */
static const wchar_t *behind(const wchar_t *word, const wchar_t *option) {
    size_t units = wcslen(option);
    return _wcsnicmp(word, option, units) == 0 && word[units] == L':' ? word + units + 1 : NULL;
}

static bool number(const wchar_t *text, unsigned *value) {
    wchar_t *end;
    unsigned long read = wcstoul(text, &end, 10);
    if (!iswdigit((wint_t)text[0]) || *end != 0 || read > 1000000) return false;
    *value = (unsigned)read;
    return true;
}

static bool set_copied(struct request *request, const wchar_t *letters) {
    request->data = request->attributes = request->times = false;
    for (; *letters != 0; letters++) {
        wchar_t letter = (wchar_t)towupper(*letters);
        if (letter == L'D') request->data = true;
        else if (letter == L'A') request->attributes = true;
        else if (letter == L'T') request->times = true;
        else if (letter == L'S' || letter == L'O' || letter == L'U') request->security = true;
        else if (letter != L'X') return false;
    }
    return true;
}

static bool set_folder_copied(struct request *request, const wchar_t *letters) {
    request->folder_attributes = request->folder_times = false;
    for (; *letters != 0; letters++) {
        wchar_t letter = (wchar_t)towupper(*letters);
        if (letter == L'A') request->folder_attributes = true;
        else if (letter == L'T') request->folder_times = true;
        else if (wcschr(L"DXE", letter) == NULL) return false;
    }
    return true;
}

/* How it copies, not what: nothing of it matters here. */
static bool is_manner(const wchar_t *word) {
    static const wchar_t *const manners[] = {L"/MT",  L"/Z",    L"/B",       L"/ZB", L"/J",  L"/NP", L"/ETA",     L"/FP",     L"/BYTES",  L"/TS",
                                             L"/X",   L"/FFT",  L"/DST",     L"/256", L"/REG", L"/TBD", L"/NOOFFLOAD", L"/UNICODE", L"/COMPRESS", L"/NODCOPY"};
    for (size_t i = 0; i < sizeof manners / sizeof *manners; i++)
        if (is(word, manners[i])) return true;
    return behind(word, L"/MT") != NULL || behind(word, L"/IPG") != NULL;
}

static bool read_flag(struct request *r, const wchar_t *word) {
    const struct {
        const wchar_t *option;
        bool *flags[3];
    } flags[] = {
        {L"/S", {&r->below}}, {L"/E", {&r->below, &r->empty_ones}}, {L"/MIR", {&r->below, &r->empty_ones, &r->purge}},
        {L"/PURGE", {&r->purge}}, {L"/MOV", {&r->move_files}}, {L"/MOVE", {&r->move_files, &r->move_folders}},
        {L"/L", {&r->list_only}}, {L"/XJ", {&r->no_links}}, {L"/XJD", {&r->no_links}}, {L"/IS", {&r->again}}, {L"/IT", {&r->again}},
        {L"/XO", {&r->without_older}}, {L"/XN", {&r->without_newer}}, {L"/XC", {&r->without_changed}}, {L"/XL", {&r->without_lonely}},
        {L"/XX", {&r->without_extras}}, {L"/COPYALL", {&r->data, &r->attributes, &r->security}}, {L"/SEC", {&r->security}},
        {L"/SECFIX", {&r->security}}, {L"/NFL", {&r->quiet_files}}, {L"/NDL", {&r->quiet_folders}}, {L"/NJH", {&r->quiet_header}},
        {L"/NJS", {&r->quiet_summary}}, {L"/NS", {&r->no_sizes}}, {L"/NC", {&r->no_classes}}, {L"/V", {&r->verbose}}, {L"/TEE", {&r->tee}},
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (!is(word, flags[i].option)) continue;
        for (size_t j = 0; j < 3 && flags[i].flags[j] != NULL; j++) *flags[i].flags[j] = true;
        return true;
    }
    return is_manner(word);
}

static bool read_valued(struct request *request, const wchar_t *word) {
    const wchar_t *value;
    if ((value = behind(word, L"/R")) != NULL) return number(value, &request->retries);
    if ((value = behind(word, L"/W")) != NULL) return number(value, &request->wait_seconds);
    if ((value = behind(word, L"/LEV")) != NULL) return number(value, &request->levels);
    if ((value = behind(word, L"/COPY")) != NULL) return set_copied(request, value);
    if ((value = behind(word, L"/DCOPY")) != NULL) return set_folder_copied(request, value);
    const wchar_t *fresh = behind(word, L"/LOG"), *more = behind(word, L"/LOG+");
    if (fresh == NULL) fresh = behind(word, L"/UNILOG");
    if (fresh == NULL && more == NULL) return false;
    request->log = _wfopen(fresh != NULL ? fresh : more, fresh != NULL ? L"w" : L"a");
    return request->log != NULL;
}

int read_request(struct request *request, int argc, wchar_t **argv) {
    *request = (struct request){.data = true, .attributes = true, .times = true, .folder_attributes = true, .wait_seconds = 30};
    struct names *list = NULL; /* what words without a slash belong to, behind /XF and /XD */
    for (int i = 1; i < argc; i++) {
        const wchar_t *word = argv[i];
        if (word[0] != L'/') {
            if (list != NULL) add(list, wcspbrk(word, L"\\/") != NULL && !has_wildcard(word) ? whole(word) : word);
            else if (request->source == NULL) request->source = whole(word);
            else if (request->target == NULL) request->target = whole(word);
            else add(&request->files, word);
            continue;
        }
        list = is(word, L"/XF") ? &request->without_files : is(word, L"/XD") ? &request->without_folders : NULL;
        if (list == NULL && !read_flag(request, word) && !read_valued(request, word)) return refuse(word);
    }
    if (request->source == NULL || request->target == NULL) {
        print(stderr, L"\nERROR : No %ls Directory Specified.\n\n       Simple Usage :: ROBOCOPY source destination /MIR\n",
              request->source == NULL ? L"Source" : L"Destination");
        return cannot_begin;
    }
    if (request->files.count == 0) add(&request->files, L"*.*");
    return 0;
}
