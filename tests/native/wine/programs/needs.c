/* A program and two DLLs, by -D: the program needs first.dll, which needs second.dll. */
#ifdef SECOND
__declspec(dllexport) int second(void) { return 7; }
#elif defined FIRST
__declspec(dllimport) int second(void);
__declspec(dllexport) int first(void) { return second(); }
#else
#include <stdio.h>
__declspec(dllimport) int first(void);
int wmain(void) {
    printf("This is a pretty cool app %d\n", first());
    return 0;
}
#endif
