/* The functions of kernelbase that patch.ts has forwarded to us. */
#ifndef WBUILD_ORIGINAL_H
#define WBUILD_ORIGINAL_H

/* The function itself, by its name; NULL where this kernelbase does not forward it. */
void *original(const char *name);

#endif
