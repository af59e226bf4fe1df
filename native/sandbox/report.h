/* What the launcher tells its caller: JSON lines on one descriptor. fail() is the only way to fail. */
#ifndef WBUILD_REPORT_H
#define WBUILD_REPORT_H

#include <stdbool.h>
#include <sys/types.h>

/* Exit status of a launcher (or of a process inside) that ended in fail(). */
#define FAIL_STATUS 125

void report_open(int fd);
int report_descriptor(void);

/* {"event":"started","pid":…}: the process was executed; pid is the container's init, as the caller sees it. */
void report_started(pid_t init);

/* {"event":"exited","code":…} or {"event":"exited","signal":…}; status as wait() gives it. */
void report_exited(int status, bool out_of_memory);

/* {"event":"warning","code":…,"path":…,"errno":…}: something asked for is weaker than asked. */
void report_warning(const char *code, const char *path, int error);

/* {"event":"failed","code":…,"operation":…,"path":…,"errno":…}; then ends this process with FAIL_STATUS. */
_Noreturn void fail(const char *code, const char *operation, const char *path, int error);

/* A byte is written here before a failing process ends, so that its parent knows that fail() has spoken. */
void fail_notify(int fd);

/* Prints text as a JSON string, quotes included, into a buffer; cuts what does not fit. Returns the length. */
size_t json_string(char *into, size_t room, const char *text);

#endif
