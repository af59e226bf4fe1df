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

enum link_target { to_file, to_folder };

/*
 * Removes a link, as DeleteFile and RemoveDirectory do on Windows; what it leads to stays. ERROR_NOT_A_REPARSE_POINT when the
 * path is no link: then nothing has happened. ERROR_ACCESS_DENIED, ERROR_DIRECTORY when it is one of the other kind.
 */
DWORD remove_link(const wchar_t *link, enum link_target wanted);

enum { unix_longest = 4096 };

/*
 * The Unix path of a path of C:, of which the last name may be missing: then it is ERROR_FILE_NOT_FOUND. Other errors leave no
 * path, as ERROR_ACCESS_DENIED for what is not below C:.
 */
DWORD unix_name(const wchar_t *path, char name[unix_longest]);

/* The Windows error that says what an error of Linux does. */
DWORD link_error(int error);

/* True for a path of C: that is a link itself, to whatever. */
BOOL is_link(const wchar_t *path);

#endif
