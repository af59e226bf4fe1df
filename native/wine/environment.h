/* The environment of a step's program. */
#ifndef WBUILD_ENVIRONMENT_H
#define WBUILD_ENVIRONMENT_H

#include <stddef.h>

/*
 * Windows' own environment (which Wine made from the registry when we started), with `given` (NAME=value, each ended by
 * NUL, `units` in all) laid over it; names are compared without case, the last of one name counts. What is said of
 * the processor is this machine's. Variables by which Wine finds itself cannot be given. Sorted as CreateProcess wants it; NULL when there is no memory.
 */
wchar_t *lay_over(const wchar_t *given, size_t units);

#endif
