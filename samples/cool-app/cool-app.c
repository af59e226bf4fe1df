/* A console program that keeps what it says in a DLL of its own. */
#include <stdio.h>

__declspec(dllimport) const char *opinion(void);

int main(void) {
  puts(opinion());
  return 0;
}
