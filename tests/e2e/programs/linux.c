/* Speaks to Linux, as any Windows program can that runs on it: takes C: away and puts a link there, or spoils wbuild's notes. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

enum { OPEN = 2, CLOSE = 3, RMDIR = 84, UNLINK = 87, SYMLINK = 88, GETDENTS64 = 217 };
enum { O_DIRECTORY_ = 0200000, DT_DIR_ = 4 };

static long long call(long long number, const void *a, long long b, long long c) {
    long long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

static void empty(const char *folder) {
    char bytes[16384], path[4096];
    long long fd = call(OPEN, folder, O_DIRECTORY_, 0), length;
    if (fd < 0) return;
    while ((length = call(GETDENTS64, (const void *)fd, (long long)bytes, sizeof bytes)) > 0) {
        for (long long at = 0; at < length; at += *(unsigned short *)(bytes + at + 16)) {
            const char *name = bytes + at + 19;
            if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
            snprintf(path, sizeof path, "%s/%s", folder, name);
            if (bytes[at + 18] == DT_DIR_) empty(path);
            else call(UNLINK, path, 0, 0);
        }
    }
    call(CLOSE, (const void *)fd, 0, 0);
    call(RMDIR, folder, 0, 0);
}

/* linux.exe drive TARGET: C: becomes a link. linux.exe link FILE TARGET: a file becomes one. */
int wmain(int argc, wchar_t **argv) {
    char file[4096] = "", target[4096] = "";
    if (argc > 2) WideCharToMultiByte(CP_UTF8, 0, argv[2], -1, file, sizeof file, NULL, NULL);
    if (argc > 3) WideCharToMultiByte(CP_UTF8, 0, argv[3], -1, target, sizeof target, NULL, NULL);
    long long done = -1;
    if (argc > 2 && !wcscmp(argv[1], L"drive")) {
        empty("/Files");
        done = call(SYMLINK, file, (long long)"/Files", 0);
    } else if (argc > 3 && !wcscmp(argv[1], L"link")) {
        call(UNLINK, file, 0, 0);
        done = call(SYMLINK, target, (long long)file, 0);
    }
    printf("done=%lld\n", done);
    fflush(stdout);
    return done == 0 ? 0 : 1;
}
