/* Text for people, from the tools that stand for Windows' own. */
#include "message.h"

#include <stdarg.h>
#include <stdlib.h>

void print(FILE *stream, const wchar_t *format, ...) {
    static wchar_t wide[16384];
    static char narrow[3 * 16384];
    va_list values;
    va_start(values, format);
    int units = _vsnwprintf(wide, sizeof wide / sizeof *wide - 1, format, values);
    va_end(values);
    if (units < 0) units = sizeof wide / sizeof *wide - 1;
    int bytes = WideCharToMultiByte(CP_UTF8, 0, wide, units, narrow, sizeof narrow, NULL, NULL);
    fwrite(narrow, 1, (size_t)bytes, stream);
}

const wchar_t *error_text(DWORD error) {
    static wchar_t text[512];
    switch (error) {
    case ERROR_FILE_NOT_FOUND: return L"The system cannot find the file specified.";
    case ERROR_PATH_NOT_FOUND: return L"The system cannot find the path specified.";
    case ERROR_ACCESS_DENIED: return L"Access is denied.";
    case ERROR_INVALID_PARAMETER: return L"The parameter is incorrect.";
    case ERROR_DIR_NOT_EMPTY: return L"The directory is not empty.";
    case ERROR_DIRECTORY: return L"The directory name is invalid.";
    case ERROR_ALREADY_EXISTS:
    case ERROR_FILE_EXISTS: return L"Cannot create a file when that file already exists.";
    case ERROR_INVALID_NAME: return L"The filename, directory name, or volume label syntax is incorrect.";
    case ERROR_NOT_SUPPORTED: return L"The request is not supported.";
    case ERROR_NONE_MAPPED: return L"No mapping between account names and security IDs was done.";
    case ERROR_INVALID_SID: return L"The security ID structure is invalid.";
    }
    DWORD units = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, error, 0, text, 500, NULL);
    while (units > 0 && (text[units - 1] == '\n' || text[units - 1] == '\r')) text[--units] = 0;
    if (units == 0) _snwprintf(text, 500, L"error %lu", error);
    return text;
}

void tell_error(DWORD error) {
    print(stderr, L"%ls\n", error_text(error));
}
