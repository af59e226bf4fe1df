/* Writing a line of JSON into memory that grows. */
#ifndef WBUILD_JSON_H
#define WBUILD_JSON_H

#include <stdbool.h>
#include <stddef.h>

struct json {
    char *bytes;
    size_t length, room;
    bool failed; /* out of memory: what is there is not whole */
};

/* As it stands. */
void json_text(struct json *json, const char *text);
void json_number(struct json *json, unsigned long value);
/* In quotes, with escapes; unpaired surrogates as \uXXXX. */
void json_string(struct json *json, const wchar_t *text);

#endif
