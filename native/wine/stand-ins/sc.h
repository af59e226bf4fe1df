/* The settings of sc's `name= value` words. */
#ifndef WBUILD_SC_H
#define WBUILD_SC_H

#include <stdbool.h>
#include <windows.h>

struct settings {
    DWORD type, start, error;
    bool delayed, has_delayed; /* of start= auto and delayed-auto */
    const wchar_t *path, *group, *account, *password, *name;
    wchar_t *depends; /* each with a NUL behind it, and one more */
};

/* From the words behind a service's name; what is not set stays SERVICE_NO_CHANGE or NULL. False after saying what is not understood. */
bool read_settings(struct settings *settings, int argc, wchar_t **argv);

/* Failure actions (what the service manager does after a crash) straight into the registry: Wine's forgets them. A Windows error. */
DWORD set_failure(const wchar_t *service, int argc, wchar_t **argv);

/* A value of the service's key. A Windows error. */
DWORD set_value(const wchar_t *service, const wchar_t *name, DWORD type, const void *bytes, DWORD length);

/* The value of `name= value` or `name=value` at argv[*at], which then is the last word of it; NULL when it is another name. */
const wchar_t *value_of(const wchar_t *name, int argc, wchar_t **argv, int *at);

#endif
