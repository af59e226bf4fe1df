/* Asks for the desktop, as every program with a window does; where Wine's user interface cannot be loaded this never ends. */
#include <stdio.h>
#include <windows.h>

int wmain(void) {
    puts(GetDesktopWindow() != NULL ? "desktop" : "no desktop");
    return 0;
}
