/* What the installer installs: says where it was started from. */
#include <stdio.h>
#include <windows.h>

int main(void) {
  char path[MAX_PATH];
  GetModuleFileNameA(NULL, path, sizeof path);
  printf("installed as %s\n", path);
  return 0;
}
