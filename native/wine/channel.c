/* Reading and writing below /wine by Linux system calls; the line format of the journal. */
#include "channel.h"

#include "ntdll.h"

PVOID NTAPI RtlAllocateHeap(PVOID heap, ULONG flags, SIZE_T bytes);
BOOLEAN NTAPI RtlFreeHeap(PVOID heap, ULONG flags, PVOID memory);
enum { sys_read = 0, sys_write = 1, sys_open = 2, sys_close = 3, sys_unlink = 87, sys_symlink = 88 };
enum { o_rdonly = 0, o_wronly = 1, o_creat = 0100, o_trunc = 01000, o_append = 02000, o_nofollow = 0400000, o_cloexec = 02000000 };
enum { linux_eintr = 4, linux_eio = 5, linux_enomem = 12 };

intptr_t linux_call(intptr_t number, const void *a, intptr_t b, intptr_t c) {
    for (;;) {
        intptr_t result;
        __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
        if (result != -linux_eintr) return result;
    }
}

void linux_close(int descriptor) {
    linux_call(sys_close, (void *)(intptr_t)descriptor, 0, 0);
}

int linux_symlink(const char *target, const char *path) {
    return (int)-linux_call(sys_symlink, target, (intptr_t)path, 0);
}

int linux_unlink(const char *path) {
    return (int)-linux_call(sys_unlink, path, 0, 0);
}

/* GetProcessHeap, which kernel32 would have. */
static HANDLE heap(void) {
    enum { at_process_heap = 0x30 };
    return *(HANDLE *)((char *)RtlGetCurrentPeb() + at_process_heap);
}

void *allocate(size_t bytes) {
    return RtlAllocateHeap(heap(), 0, bytes);
}

void release(void *memory) {
    if (memory != NULL) RtlFreeHeap(heap(), 0, memory);
}

void *channel_read(const char *path, size_t limit, size_t *length) {
    intptr_t fd = linux_call(sys_open, path, o_rdonly | o_cloexec, 0);
    if (fd < 0) return NULL;
    char *bytes = allocate(limit + 3);
    size_t used = 0;
    intptr_t got = bytes == NULL ? -1 : 1;
    while (got > 0 && used <= limit) {
        got = linux_call(sys_read, (void *)fd, (intptr_t)(bytes + used), (intptr_t)(limit + 1 - used));
        if (got > 0) used += (size_t)got;
    }
    linux_call(sys_close, (void *)fd, 0, 0);
    if (got < 0 || used > limit) {
        release(bytes);
        return NULL;
    }
    bytes[used] = bytes[used + 1] = '\0';
    *length = used;
    return bytes;
}

static int put(const char *path, int flags, const char *bytes, size_t length) {
    intptr_t fd = linux_call(sys_open, path, o_wronly | o_creat | o_nofollow | o_cloexec | flags, 0644);
    if (fd < 0) return (int)-fd;
    int error = 0;
    for (size_t done = 0; done < length && error == 0;) {
        intptr_t wrote = linux_call(sys_write, (void *)fd, (intptr_t)(bytes + done), (intptr_t)(length - done));
        if (wrote <= 0) error = wrote < 0 ? (int)-wrote : linux_eio;
        else done += (size_t)wrote;
    }
    linux_call(sys_close, (void *)fd, 0, 0);
    return error;
}

int channel_write(const char *path, const void *bytes, size_t length) {
    return put(path, o_trunc, bytes, length);
}

static size_t length_of(const wchar_t *text) {
    size_t length = 0;
    while (text[length] != 0) length++;
    return length;
}

/* One field at `to`, with room for six bytes a unit. NULL when it is not valid UTF-16. */
static char *put_field(char *to, const wchar_t *field) {
    static const char digits[] = "0123456789ABCDEF";
    ULONG units = (ULONG)length_of(field), used = 0;
    /* First into the far half, then to the front with its escapes, which stay behind what is still to be read. */
    char *text = to + 3 * (size_t)units;
    if (RtlUnicodeToUTF8N(text, 3 * units, &used, field, units * 2) != 0) return NULL;
    for (ULONG i = 0; i < used; i++) {
        char byte = text[i];
        if (byte == '%' || byte == '\t' || byte == '\r' || byte == '\n') {
            *to++ = '%';
            *to++ = digits[byte >> 4];
            *to++ = digits[byte & 15];
        } else *to++ = byte;
    }
    return to;
}

int journal(const wchar_t *const fields[], size_t count) {
    size_t room = 1;
    for (size_t i = 0; i < count; i++) room += 6 * length_of(fields[i]) + 1;
    char *line = allocate(room), *to = line;
    for (size_t i = 0; i < count && to != NULL; i++) {
        if (i > 0) *to++ = '\t';
        to = put_field(to, fields[i]);
    }
    int done = 0;
    if (to != NULL) {
        *to++ = '\n';
        done = put("/wine/journal", o_append, line, (size_t)(to - line)) == 0;
    }
    release(line);
    return done;
}
