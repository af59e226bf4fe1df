/*
 * A string is a row of atoms: sets of bytes, each perhaps repeated, and places. All ways through it are followed at once, so
 * that no expression makes the search slow.
 */
#include "search.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "wildcard.h"

enum kind { bytes, line_begin, line_end, word_begin, word_end };

struct atom {
    enum kind kind;
    bool repeated;
    unsigned char set[32];
};

struct search {
    size_t count;
    struct search_kind how;
    struct atom *atoms;
};

static void put(struct atom *atom, unsigned char byte) {
    atom->set[byte >> 3] |= (unsigned char)(1u << (byte & 7));
}

static bool has(const struct atom *atom, unsigned char byte) {
    return (atom->set[byte >> 3] >> (byte & 7)) & 1;
}

static struct atom *more(struct search *search, enum kind kind) {
    struct atom *atom = &search->atoms[search->count++];
    *atom = (struct atom){.kind = kind};
    return atom;
}

/* The class behind `[` at `at`; gives the place behind it. A class without end is one up to the text's. */
static size_t read_class(struct atom *atom, const unsigned char *text, size_t length, size_t at) {
    bool inverted = at < length && text[at] == '^';
    if (inverted) at++;
    for (bool first = true; at < length && (first || text[at] != ']'); first = false) {
        if (text[at] == '\\' && at + 1 < length) at++;
        unsigned char from = text[at++], to = from;
        if (at + 1 < length && text[at] == '-' && text[at + 1] != ']') {
            to = text[at + 1];
            at += 2;
        }
        for (unsigned byte = from; byte <= to; byte++) put(atom, (unsigned char)byte);
    }
    if (inverted)
        for (size_t i = 0; i < sizeof atom->set; i++) atom->set[i] = (unsigned char)~atom->set[i];
    return at < length ? at + 1 : at;
}

static void read_expression(struct search *search, const unsigned char *text, size_t length) {
    for (size_t at = 0; at < length;) {
        unsigned char byte = text[at++];
        struct atom *last = search->count > 0 ? &search->atoms[search->count - 1] : NULL;
        if (byte == '*' && last != NULL && last->kind == bytes) last->repeated = true;
        else if (byte == '.') memset(more(search, bytes)->set, 0xff, sizeof search->atoms->set);
        else if (byte == '[') {
            struct atom *atom = more(search, bytes);
            at = read_class(atom, text, length, at);
        } else if (byte == '^' && at == 1) more(search, line_begin);
        else if (byte == '$' && at == length) more(search, line_end);
        else if (byte == '\\' && at < length) {
            byte = text[at++];
            if (byte == '<') more(search, word_begin);
            else if (byte == '>') more(search, word_end);
            else put(more(search, bytes), byte);
        } else put(more(search, bytes), byte);
    }
}

/* A backslash in front of another or of a quotation mark is none of its own, as findstr has it. */
static void read_literal(struct search *search, const unsigned char *text, size_t length) {
    for (size_t at = 0; at < length; at++) {
        if (text[at] == '\\' && at + 1 < length && (text[at + 1] == '\\' || text[at + 1] == '"')) at++;
        put(more(search, bytes), text[at]);
    }
}

static void ignore_case(struct atom *atom) {
    for (int byte = 'a'; byte <= 'z'; byte++) {
        unsigned char lower = (unsigned char)byte, upper = (unsigned char)toupper(byte);
        if (has(atom, lower)) put(atom, upper);
        else if (has(atom, upper)) put(atom, lower);
    }
}

struct search *make_search(const char *text, size_t length, const struct search_kind *kind) {
    struct search *search = grown(NULL, sizeof *search);
    *search = (struct search){.how = *kind, .atoms = grown(NULL, (length + 2) * sizeof *search->atoms)};
    if (kind->expression) read_expression(search, (const unsigned char *)text, length);
    else read_literal(search, (const unsigned char *)text, length);
    for (size_t i = 0; kind->any_case && i < search->count; i++) ignore_case(&search->atoms[i]);
    return search;
}

void free_search(struct search *search) {
    free(search->atoms);
    free(search);
}

static bool is_word(const char *line, size_t length, size_t at) {
    return at < length && (isalnum((unsigned char)line[at]) || line[at] == '_');
}

static bool holds(enum kind kind, const char *line, size_t length, size_t at) {
    switch (kind) {
    case line_begin: return at == 0;
    case line_end: return at == length;
    case word_begin: return at == 0 || !is_word(line, length, at - 1);
    case word_end: return !is_word(line, length, at);
    case bytes: break;
    }
    return false;
}

/* From a place before an atom also to those behind it that need no byte. */
static void spread(const struct search *search, unsigned char *places, const char *line, size_t length, size_t at) {
    for (size_t i = 0; i < search->count; i++) {
        const struct atom *atom = &search->atoms[i];
        if (places[i] && (atom->kind == bytes ? atom->repeated : holds(atom->kind, line, length, at))) places[i + 1] = 1;
    }
}

bool search_finds(const struct search *search, const char *line, size_t length) {
    size_t size = search->count + 1;
    if (search->count == 0) return false;
    unsigned char *now = grown(NULL, size), *then = grown(NULL, size);
    memset(now, 0, size);
    bool found = false;
    for (size_t at = 0; !found; at++) {
        if (at == 0 || !search->how.at_begin) now[0] = 1;
        spread(search, now, line, length, at);
        found = now[search->count] && (!search->how.at_end || at == length);
        if (found || at == length) break;
        memset(then, 0, size);
        for (size_t i = 0; i < search->count; i++) {
            const struct atom *atom = &search->atoms[i];
            if (now[i] && atom->kind == bytes && has(atom, (unsigned char)line[at])) then[atom->repeated ? i : i + 1] = 1;
        }
        unsigned char *swap = now;
        now = then;
        then = swap;
    }
    free(now);
    free(then);
    return found;
}

bool looks_like_expression(const char *text, size_t length) {
    for (size_t at = 0; at < length; at++) {
        if (text[at] == '\\') {
            at++;
            if (at < length && (text[at] == '<' || text[at] == '>')) return true;
        } else if (strchr(".*[]^$", text[at]) != NULL && text[at] != 0) return true;
    }
    return false;
}
