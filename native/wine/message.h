/* What our tools print. */
#ifndef WBUILD_MESSAGE_H
#define WBUILD_MESSAGE_H

#include <stdio.h>
#include <windows.h>

/* As fwprintf, in the code page of the console, so that names of any script come out whole. */
void print(FILE *stream, const wchar_t *format, ...);

/* Windows' own sentence for an error, on standard error. */
void tell_error(DWORD error);

/* That sentence: English for the errors that our tools meet, Wine's text for others. */
const wchar_t *error_text(DWORD error);

#endif
