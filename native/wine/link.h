/* Symbolic links and junctions: real Unix links for this step, a line in the journal for the layer. Uses ntdll only. */
#ifndef WBUILD_LINK_H
#define WBUILD_LINK_H

#include <windows.h>

enum link_kind { link_file, link_directory, link_junction };

/*
 * Makes a link. `target` as CreateSymbolicLink takes it: absolute, or relative to the folder of the link; a junction's is
 * absolute. It need not exist. 0 or a Windows error: ERROR_ALREADY_EXISTS, ERROR_PATH_NOT_FOUND, ERROR_NOT_SUPPORTED for
 * a target that is not on C:, ERROR_ACCESS_DENIED for a link that is not.
 */
DWORD make_link(enum link_kind kind, const wchar_t *link, const wchar_t *target);

/*
 * Removes a link to a folder, as RemoveDirectory does on Windows; what it leads to stays. ERROR_NOT_A_REPARSE_POINT when the
 * path is no link: then nothing has happened.
 */
DWORD remove_link(const wchar_t *link);

#endif
