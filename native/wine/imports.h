/* Reading the import table of a PE file. Pure: bytes in, names out; also compiled natively, for fuzzing. */
#ifndef WBUILD_IMPORTS_H
#define WBUILD_IMPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { longest_dll_name = 260, most_imports = 4096 };

/* What is known of a PE file; see read_pe. */
struct pe {
    const uint8_t *bytes;
    size_t length;
    bool plus; /* PE32+ (64-bit) */
    uint16_t machine, sections;
    size_t section_table;
    uint32_t import_rva;
};

/* False when the bytes are no PE file with whole headers. */
bool read_pe(struct pe *pe, const uint8_t *bytes, size_t length);

/* Name of the import number `index`, ASCII, lower-cased, into `name`. False behind the last, or where the table is broken. */
bool import_name(const struct pe *pe, size_t index, char name[longest_dll_name]);

/* True when the file carries Wine's mark of its own programs: it needs nothing that Wine lacks. */
bool is_wines_own(const uint8_t *bytes, size_t length);

#endif
