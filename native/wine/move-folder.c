/*
 * A folder of a lower layer cannot be renamed in an overlay: the kernel says that it is on another device, and so does Wine,
 * where Windows moves it. Here its files are renamed one by one, into folders made anew.
 */
#include "move-folder.h"

#include <stdint.h>

#include "channel.h"
#include "link.h"
#include "ntdll.h"

enum { sys_lseek = 8, sys_fstat = 5, sys_open = 2, sys_rename = 82, sys_mkdir = 83, sys_rmdir = 84, sys_chmod = 90, sys_getdents64 = 217 };
enum { folder_itself = 0200000 /* O_DIRECTORY */ | 0400000 /* O_NOFOLLOW */ | 02000000 /* O_CLOEXEC */ };
enum { linux_exdev = 18, linux_einval = 22, linux_enomem = 12, is_folder = 4 /* DT_DIR */ };
enum { at_mode = 24, stat_size = 144, batch = 8192 };

struct entry {
    uint64_t inode, offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

static size_t bytes_of(const char *text) {
    size_t bytes = 0;
    while (text[bytes] != 0) bytes++;
    return bytes;
}

/* Behind the path of a folder; 0 when it does not fit. */
static size_t enter(char path[unix_longest], const char *name) {
    size_t have = bytes_of(path), more = bytes_of(name);
    if (have + more + 2 > unix_longest) return 0;
    path[have] = '/';
    memcpy(path + have + 1, name, more + 1);
    return have;
}

static BOOL is_dots(const char *name) {
    return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0));
}

static int move_tree(char from[unix_longest], char to[unix_longest]);

static int move_one(char from[unix_longest], char to[unix_longest], const struct entry *entry) {
    size_t cut = enter(from, entry->name), other = cut == 0 ? 0 : enter(to, entry->name);
    if (other == 0) return linux_enametoolong;
    int error = (int)-linux_call(sys_rename, from, (intptr_t)to, 0);
    if (error == linux_exdev && entry->type == is_folder) error = move_tree(from, to);
    from[cut] = to[other] = 0;
    return error;
}

/* Everything in an open folder. Read again until nothing is left: to remove while reading may hide what comes next. */
static int move_content(intptr_t fd, char from[unix_longest], char to[unix_longest], char *bytes) {
    for (size_t moved = 1; moved > 0;) {
        moved = 0;
        intptr_t length;
        linux_call(sys_lseek, (void *)fd, 0, 0);
        while ((length = linux_call(sys_getdents64, (void *)fd, (intptr_t)bytes, batch)) > 0) {
            for (intptr_t at = 0; at < length;) {
                const struct entry *entry = (const struct entry *)(bytes + at);
                at += entry->length;
                if (is_dots(entry->name)) continue;
                int error = move_one(from, to, entry);
                if (error != 0) return error;
                moved++;
            }
        }
        if (length < 0) return (int)-length;
    }
    return 0;
}

static int move_tree(char from[unix_longest], char to[unix_longest]) {
    intptr_t fd = linux_call(sys_open, from, folder_itself, 0);
    if (fd < 0) return (int)-fd;
    char *bytes = allocate(batch > stat_size ? batch : stat_size);
    int error = bytes == NULL ? linux_enomem : (int)-linux_call(sys_fstat, (void *)fd, (intptr_t)bytes, 0);
    if (error == 0) {
        uint32_t mode;
        memcpy(&mode, bytes + at_mode, sizeof mode);
        error = (int)-linux_call(sys_mkdir, to, 0700, 0);
        if (error == 0) error = move_content(fd, from, to, bytes);
        if (error == 0) error = (int)-linux_call(sys_chmod, to, mode & 07777, 0);
    }
    linux_close((int)fd);
    release(bytes);
    return error == 0 ? (int)-linux_call(sys_rmdir, from, 0, 0) : error;
}

/* True when `to` is `from` or lies in it: then there would be no end. */
static BOOL holds(const char *from, const char *to) {
    size_t length = bytes_of(from);
    return strncmp(from, to, length) == 0 && (to[length] == 0 || to[length] == '/');
}

DWORD move_folder(const wchar_t *from, const wchar_t *to) {
    char *old = allocate(2 * unix_longest);
    if (old == NULL) return ERROR_NOT_ENOUGH_MEMORY;
    char *new = old + unix_longest;
    DWORD error = ERROR_NOT_SAME_DEVICE;
    if (unix_name(from, old) == 0 && unix_name(to, new) == ERROR_FILE_NOT_FOUND) {
        intptr_t fd = linux_call(sys_open, old, folder_itself, 0);
        if (fd >= 0) linux_close((int)fd);
        if (holds(old, new)) error = ERROR_SHARING_VIOLATION;
        else if (fd >= 0) error = link_error(move_tree(old, new));
    }
    release(old);
    return error;
}
