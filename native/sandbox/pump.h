/* Copies from one descriptor to another without ever waiting for either. */
#ifndef WBUILD_PUMP_H
#define WBUILD_PUMP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

struct pump {
  int from, to;
  size_t at, have;
  bool finished;  /* `from` has ended and all of it was written */
  bool ended;     /* `from` has ended */
  bool deaf;      /* `to` has gone: what comes is thrown away, so that the writer does not hang */
  char bytes[65536];
};

void pump_begin(struct pump *p, int from, int to);
/* What to poll for: one entry, its fd negative when there is nothing to wait for. */
struct pollfd pump_interest(const struct pump *p);
/* Moves what can be moved now. */
void pump_move(struct pump *p);

#endif
