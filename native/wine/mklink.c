/* mklink.exe, in place of cmd's own command: symbolic links, junctions and hard links, with cmd's messages. */
#include <stdio.h>
#include <windows.h>

#include "link.h"
#include "message.h"

enum { longest = 4096 };

static int usage(void) {
    fputs("Creates a symbolic link.\n\n"
          "MKLINK [[/D] | [/H] | [/J]] Link Target\n\n"
          "        /D      Creates a directory symbolic link.  Default is a file\n"
          "                symbolic link.\n"
          "        /H      Creates a hard link instead of a symbolic link.\n"
          "        /J      Creates a Directory Junction.\n"
          "        Link    Specifies the new symbolic link name.\n"
          "        Target  Specifies the path (relative or absolute) that the new link\n"
          "                refers to.\n",
          stdout);
    return 1;
}

static int syntax(void) {
    fputs("The syntax of the command is incorrect.\n", stderr);
    return usage();
}

/* A junction holds a full path, which starts from the current folder and not from the link's. */
static DWORD make_junction(const wchar_t *link, const wchar_t *target) {
    static wchar_t full[longest];
    DWORD length = GetFullPathNameW(target, longest, full, NULL);
    if (length == 0 || length >= longest) return ERROR_FILENAME_EXCED_RANGE;
    return make_link(link_junction, link, full);
}

static DWORD make(wchar_t kind, const wchar_t *link, const wchar_t *target) {
    switch (kind) {
    case 'H': return CreateHardLinkW(link, target, NULL) ? 0 : GetLastError();
    case 'J': return make_junction(link, target);
    default: return make_link(kind == 'D' ? link_directory : link_file, link, target);
    }
}

int wmain(int argc, wchar_t **argv) {
    const wchar_t *names[2];
    size_t count = 0;
    wchar_t kind = 0;
    for (int i = 1; i < argc; i++) {
        const wchar_t *word = argv[i];
        if (word[0] == '/' && word[1] == '?') return usage();
        if (word[0] == '/' && word[1] != 0 && word[2] == 0 && wcschr(L"dDhHjJ", word[1]) != NULL) kind = word[1] & ~0x20;
        else if (word[0] == '/' || count == 2) return syntax();
        else names[count++] = word;
    }
    if (count < 2) return syntax();
    DWORD error = make(kind, names[0], names[1]);
    if (error != 0) {
        tell_error(error);
        return 1;
    }
    const char *made = kind == 'H' ? "Hardlink" : kind == 'J' ? "Junction" : "symbolic link";
    print(stdout, L"%hs created for %ls <<===>> %ls\n", made, names[0], names[1]);
    return 0;
}
