/* The import table of a PE file (Microsoft, "PE Format": headers, section table, .idata). The file is foreign: every offset
 * is checked, and the table's length is bounded. */
#include "imports.h"

#include <string.h>

enum { dos_header = 64, pe_offset_at = 0x3c, file_header = 24, section_header = 40, descriptor = 20, wine_mark_at = 0x40 };

static bool inside(const struct pe *pe, size_t at, size_t length) {
    return length <= pe->length && at <= pe->length - length;
}

static uint16_t u16(const uint8_t *at) {
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t u32(const uint8_t *at) {
    return (uint32_t)u16(at) | (uint32_t)u16(at + 2) << 16;
}

bool read_pe(struct pe *pe, const uint8_t *bytes, size_t length) {
    *pe = (struct pe){.bytes = bytes, .length = length};
    if (!inside(pe, 0, dos_header) || u16(bytes) != 0x5a4d) return false;
    size_t at = u32(bytes + pe_offset_at);
    if (!inside(pe, at, file_header) || memcmp(bytes + at, "PE\0\0", 4) != 0) return false;
    pe->machine = u16(bytes + at + 4);
    pe->sections = u16(bytes + at + 6);
    size_t optional = at + file_header, optional_length = u16(bytes + at + 20);
    pe->section_table = optional + optional_length;
    if (optional_length < 2 || !inside(pe, optional, optional_length)) return false;
    if (!inside(pe, pe->section_table, (size_t)pe->sections * section_header)) return false;
    uint16_t magic = u16(bytes + optional);
    if (magic != 0x10b && magic != 0x20b) return false;
    pe->plus = magic == 0x20b;
    size_t directories = pe->plus ? 112 : 96;
    if (optional_length < directories + 16) return true; /* no import directory: nothing is imported */
    if (u32(bytes + optional + directories - 4) < 2) return true;
    pe->import_rva = u32(bytes + optional + directories + 8);
    return true;
}

/* File offset of an address, SIZE_MAX when no section has it; `left`: bytes from there to the end of what the file has of it. */
static size_t offset_of(const struct pe *pe, uint32_t rva, size_t *left) {
    for (size_t i = 0; i < pe->sections; i++) {
        const uint8_t *header = pe->bytes + pe->section_table + i * section_header;
        uint32_t start = u32(header + 12), size = u32(header + 16), file = u32(header + 20);
        if (rva < start || rva - start >= size) continue;
        size_t at = (size_t)file + (rva - start);
        if (at >= pe->length) return SIZE_MAX;
        *left = size - (rva - start);
        if (*left > pe->length - at) *left = pe->length - at;
        return at;
    }
    return SIZE_MAX;
}

bool import_name(const struct pe *pe, size_t index, char name[longest_dll_name]) {
    size_t left;
    if (pe->import_rva == 0 || index >= most_imports) return false;
    uint64_t rva = (uint64_t)pe->import_rva + index * descriptor;
    if (rva > UINT32_MAX) return false;
    size_t at = offset_of(pe, (uint32_t)rva, &left);
    if (at == SIZE_MAX || left < descriptor) return false;
    uint32_t name_rva = u32(pe->bytes + at + 12), first_thunk = u32(pe->bytes + at + 16);
    if (name_rva == 0 || first_thunk == 0) return false;
    at = offset_of(pe, name_rva, &left);
    if (at == SIZE_MAX) return false;
    for (size_t i = 0; i < left && i < longest_dll_name; i++) {
        uint8_t byte = pe->bytes[at + i];
        if (byte >= 'A' && byte <= 'Z') byte |= 0x20;
        name[i] = (char)byte;
        if (byte == 0) return i > 0;
        if (byte < ' ' || byte > '~') return false;
    }
    return false;
}

bool is_wines_own(const uint8_t *bytes, size_t length) {
    static const char builtin[] = "Wine builtin DLL", placeholder[] = "Wine placeholder DLL";
    if (length < wine_mark_at + 32) return false;
    return memcmp(bytes + wine_mark_at, builtin, sizeof builtin) == 0 || memcmp(bytes + wine_mark_at, placeholder, sizeof placeholder) == 0;
}
