/* Access rights as icacls writes them. */
#ifndef WBUILD_PERMISSIONS_H
#define WBUILD_PERMISSIONS_H

#include <stdbool.h>
#include <windows.h>

struct permission {
    const wchar_t *principal; /* S-1-… or a name */
    DWORD mask;
    BYTE flags; /* of an entry of an access list: 1 OI, 2 CI, 4 NP, 8 IO */
};

/*
 * Reads `NAME:(OI)(CI)F`, `*S-1-1-0:(RX,W)` and the like; cuts the text at the colon. 0, ERROR_INVALID_PARAMETER, or
 * ERROR_INVALID_SID.
 */
DWORD read_permission(wchar_t *text, struct permission *permission);

/* The principal of a word without rights: `NAME` or `*SID`. NULL when it is neither. */
const wchar_t *read_principal(const wchar_t *text);

#endif
