/* Writing a line of JSON into memory that grows. ASCII only: every other character is an escape. */
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void json_text(struct json *json, const char *text) {
    size_t length = strlen(text);
    if (json->failed) return;
    if (json->length + length > json->room) {
        size_t room = 2 * json->room + length + 256;
        char *bytes = realloc(json->bytes, room);
        json->failed = bytes == NULL;
        if (json->failed) return;
        json->bytes = bytes;
        json->room = room;
    }
    memcpy(json->bytes + json->length, text, length);
    json->length += length;
}

void json_number(struct json *json, unsigned long value) {
    char text[16];
    snprintf(text, sizeof text, "%lu", value);
    json_text(json, text);
}

void json_string(struct json *json, const wchar_t *text) {
    json_text(json, "\"");
    for (; *text != 0; text++) {
        char escape[8];
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\') snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*text & 0xffff);
        else snprintf(escape, sizeof escape, "%c", (char)*text);
        json_text(json, escape);
    }
    json_text(json, "\"");
}
