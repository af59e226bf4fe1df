/* Moving folders of the image, which the file system of a container refuses. Uses ntdll only. */
#ifndef WBUILD_MOVE_FOLDER_H
#define WBUILD_MOVE_FOLDER_H

#include <windows.h>

/*
 * Moves a folder to a name that is free, both on C:. 0 or a Windows error; ERROR_NOT_SAME_DEVICE when it is no such folder, or
 * when it holds what is really on another disk. A failure on the way leaves a part at each place.
 */
DWORD move_folder(const wchar_t *from, const wchar_t *to);

#endif
