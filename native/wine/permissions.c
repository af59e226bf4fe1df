/* Access rights as icacls takes them (Microsoft's command reference, "icacls"; masks: winnt.h). */
#include "permissions.h"

#include <wchar.h>

struct name {
    const wchar_t *text;
    DWORD value;
};

/* The letters that may stand without parentheses. `N`, no access, is what a missing entry means already. */
static const struct name simple[] = {
    {L"F", 0x1f01ff}, {L"M", 0x1301bf}, {L"RX", 0x1200a9}, {L"R", 0x120089}, {L"W", 0x100116}, {L"D", 0x110000},
};

static const struct name specific[] = {
    {L"DE", DELETE},         {L"RC", READ_CONTROL},  {L"WDAC", WRITE_DAC},   {L"WO", WRITE_OWNER}, {L"S", SYNCHRONIZE},
    {L"AS", 0x01000000},     {L"MA", 0x02000000},    {L"GR", GENERIC_READ},  {L"GW", GENERIC_WRITE}, {L"GE", GENERIC_EXECUTE},
    {L"GA", GENERIC_ALL},    {L"RD", 0x1},           {L"WD", 0x2},           {L"AD", 0x4},         {L"REA", 0x8},
    {L"WEA", 0x10},          {L"X", 0x20},           {L"DC", 0x40},          {L"RA", 0x80},        {L"WA", 0x100},
};

static const struct name inheritance[] = {
    {L"OI", OBJECT_INHERIT_ACE}, {L"CI", CONTAINER_INHERIT_ACE}, {L"NP", NO_PROPAGATE_INHERIT_ACE}, {L"IO", INHERIT_ONLY_ACE},
};

#define COUNT(table) (sizeof table / sizeof *table)

/* The value of a name of `length` units; 0 when the table has none such. */
static DWORD find(const struct name *table, size_t count, const wchar_t *text, size_t length) {
    for (size_t i = 0; i < count; i++)
        if (wcslen(table[i].text) == length && _wcsnicmp(table[i].text, text, length) == 0) return table[i].value;
    return 0;
}

/* (A,B,…) of rights. */
static bool read_list(const wchar_t *text, size_t length, DWORD *mask) {
    for (const wchar_t *end = text + length; text <= end;) {
        size_t part = 0;
        while (text + part < end && text[part] != ',') part++;
        DWORD value = find(simple, COUNT(simple), text, part);
        if (value == 0) value = find(specific, COUNT(specific), text, part);
        if (value == 0) return false;
        *mask |= value;
        text += part + 1;
    }
    return true;
}

static bool read_rights(const wchar_t *text, struct permission *permission) {
    permission->mask = 0;
    permission->flags = 0;
    while (*text == '(') {
        const wchar_t *end = wcschr(text, ')');
        if (end == NULL || permission->mask != 0) return false;
        size_t length = (size_t)(end - text) - 1;
        DWORD flag = find(inheritance, COUNT(inheritance), text + 1, length);
        if (flag == 0 && !read_list(text + 1, length, &permission->mask)) return false;
        permission->flags |= (BYTE)flag;
        text = end + 1;
    }
    if (*text == 0) return permission->mask != 0;
    if (permission->mask != 0) return false;
    permission->mask = find(simple, COUNT(simple), text, wcslen(text));
    return permission->mask != 0;
}

/* S-1-A-B-… in decimal, at most fifteen sub-authorities. */
static bool is_sid(const wchar_t *text) {
    if (_wcsnicmp(text, L"S-1-", 4) != 0) return false;
    size_t parts = 0;
    for (text += 4;; text++) {
        size_t digits = wcsspn(text, L"0123456789");
        if (digits == 0 || digits > 15) return false;
        text += digits;
        parts++;
        if (*text != '-') return *text == 0 && parts >= 2 && parts <= 16;
    }
}

const wchar_t *read_principal(const wchar_t *text) {
    if (text[0] == '*') return is_sid(text + 1) ? text + 1 : NULL;
    return text[0] == 0 || wcspbrk(text, L"\"/[]:;|=,+*?<>") != NULL ? NULL : text;
}

DWORD read_permission(wchar_t *text, struct permission *permission) {
    wchar_t *colon = wcschr(text, ':');
    if (colon == NULL || !read_rights(colon + 1, permission)) return ERROR_INVALID_PARAMETER;
    *colon = 0;
    permission->principal = read_principal(text);
    if (permission->principal != NULL) return 0;
    return text[0] == '*' ? ERROR_INVALID_SID : ERROR_INVALID_PARAMETER;
}
