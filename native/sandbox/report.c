/* JSON lines to the caller. Each line is one write below PIPE_BUF, so several processes may report at once. */
#include "report.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int report_fd = -1;
static int notify_fd = -1;

void report_open(int fd) { report_fd = fd; }
int report_descriptor(void) { return report_fd; }
void fail_notify(int fd) { notify_fd = fd; }

size_t json_string(char *into, size_t room, const char *text) {
  size_t at = 0;
  if (room < 3) return 0;
  into[at++] = '"';
  for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
    char piece[8];
    int length;
    if (*c == '"' || *c == '\\') length = snprintf(piece, sizeof piece, "\\%c", *c);
    else if (*c < 0x20 || *c == 0x7f) length = snprintf(piece, sizeof piece, "\\u%04x", *c);
    else length = snprintf(piece, sizeof piece, "%c", *c);
    if (at + (size_t)length + 2 > room) break;
    memcpy(into + at, piece, (size_t)length);
    at += (size_t)length;
  }
  into[at++] = '"';
  into[at] = 0;
  return at;
}

static void say(const char *line, size_t length) {
  if (report_fd < 0) {
    ssize_t ignored = write(STDERR_FILENO, line, length);
    (void)ignored;
    return;
  }
  /* A caller that has gone is no reason to die in the middle of cleaning up: SIGPIPE is ignored by main. */
  ssize_t ignored = write(report_fd, line, length);
  (void)ignored;
}

void report_started(pid_t init) {
  char line[96];
  int length = snprintf(line, sizeof line, "{\"event\":\"started\",\"pid\":%d}\n", (int)init);
  say(line, (size_t)length);
}

void report_exited(int status, bool out_of_memory) {
  char line[128];
  const char *memory = out_of_memory ? ",\"outOfMemory\":true" : "";
  int length;
  if (WIFSIGNALED(status)) {
    const char *name = sigabbrev_np(WTERMSIG(status));
    if (name) length = snprintf(line, sizeof line, "{\"event\":\"exited\",\"signal\":\"SIG%s\"%s}\n", name, memory);
    else length = snprintf(line, sizeof line, "{\"event\":\"exited\",\"signal\":\"SIG%d\"%s}\n", WTERMSIG(status), memory);
  } else {
    length = snprintf(line, sizeof line, "{\"event\":\"exited\",\"code\":%d%s}\n", WEXITSTATUS(status), memory);
  }
  say(line, (size_t)length);
}

void report_warning(const char *code, const char *path, int error) {
  char line[2048], shown[1500];
  json_string(shown, sizeof shown, path);
  int length = snprintf(line, sizeof line, "{\"event\":\"warning\",\"code\":\"%s\",\"path\":%s,\"errno\":%d}\n", code, shown, error);
  say(line, (size_t)length);
}

_Noreturn void fail(const char *code, const char *operation, const char *path, int error) {
  char line[3072], shown[1500], doing[300];
  json_string(shown, sizeof shown, path ? path : "");
  json_string(doing, sizeof doing, operation);
  int length = snprintf(line, sizeof line, "{\"event\":\"failed\",\"code\":\"%s\",\"operation\":%s,\"path\":%s,\"errno\":%d}\n", code,
                        doing, shown, error);
  say(line, (size_t)length);
  if (notify_fd >= 0) {
    ssize_t ignored = write(notify_fd, "!", 1);
    (void)ignored;
  }
  _exit(FAIL_STATUS);
}
