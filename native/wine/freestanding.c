/* What the compiler takes for granted, for a DLL without a C library. */
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t length) {
    char *out = to;
    for (const char *in = from; length > 0; length--) *out++ = *in++;
    return to;
}

void *memset(void *to, int value, size_t length) {
    for (char *out = to; length > 0; length--) *out++ = (char)value;
    return to;
}

int memcmp(const void *a, const void *b, size_t length) {
    const unsigned char *left = a, *right = b;
    for (; length > 0 && *left == *right; length--) left++, right++;
    return length == 0 ? 0 : *left - *right;
}

int strncmp(const char *a, const char *b, size_t length) {
    for (; length > 0 && *a == *b && *a != 0; length--) a++, b++;
    return length == 0 ? 0 : (unsigned char)*a - (unsigned char)*b;
}
