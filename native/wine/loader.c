/*
 * Loads Wine as its own loader does, from an address that the kernel chooses.
 *
 * Debian's wine64 is linked for a fixed address below 4 GiB (0x7d000000). Linux puts such a program's heap at a random place
 * within the GiB above it, and one in some thousand times that is where Windows programs look for their system's clock,
 * 0x7ffe0000 (KUSER_SHARED_DATA): the process ends before it has begun, and whoever started it is told an internal error. A
 * program that can lie anywhere has its heap high above.
 *
 *     loader PROGRAM [ARGUMENT...]      /wbuild/ntdll.so leads to Wine's
 */
#include <dlfcn.h>
#include <stdio.h>

extern char **environ;
typedef void wine_main(int argc, char **argv, char **environment);

int main(int argc, char **argv) {
    void *ntdll = dlopen("/wbuild/ntdll.so", RTLD_NOW);
    wine_main *start = NULL;
    if (ntdll != NULL) *(void **)&start = dlsym(ntdll, "__wine_main");
    if (start != NULL) start(argc, argv, environ);
    fprintf(stderr, "wbuild: Wine cannot be loaded: %s\n", start == NULL ? dlerror() : "it came back");
    return 1;
}
