/* Search strings of findstr: literal ones and its regular expressions, on bytes. */
#ifndef WBUILD_SEARCH_H
#define WBUILD_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

struct search;

struct search_kind {
    bool expression, any_case, at_begin, at_end;
};

/* `text` is kept no longer than the call. Ends the program without memory. */
struct search *make_search(const char *text, size_t length, const struct search_kind *kind);
void free_search(struct search *search);

/* True where the string is in the line. Takes at most the product of both lengths, whatever they are. */
bool search_finds(const struct search *search, const char *line, size_t length);

/* True when the text has an unescaped character that means something in expressions. */
bool looks_like_expression(const char *text, size_t length);

#endif
