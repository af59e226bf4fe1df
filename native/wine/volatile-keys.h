/* Registry keys that Windows makes anew at each start. */
#ifndef WBUILD_VOLATILE_KEYS_H
#define WBUILD_VOLATILE_KEYS_H

#include <windows.h>

/* Makes them, all volatile: nothing of them is ever in a saved registry. False when one could not be made. */
BOOL make_volatile_keys(void);

#endif
