/* A pump reads only when its buffer is empty, so a slow reader slows the writer down and nothing grows. */
#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void pump_begin(struct pump *p, int from, int to) {
  p->from = from;
  p->to = to;
  p->at = p->have = 0;
  p->finished = p->ended = p->deaf = false;
  fcntl(from, F_SETFL, fcntl(from, F_GETFL) | O_NONBLOCK);
}

struct pollfd pump_interest(const struct pump *p) {
  struct pollfd none = {-1, 0, 0};
  if (p->finished) return none;
  if (p->have) return (struct pollfd){p->to, POLLOUT, 0};
  return (struct pollfd){p->from, POLLIN, 0};
}

void pump_move(struct pump *p) {
  /* A bounded number of rounds: signals and the other stream have their turn too. */
  for (int round = 0; round < 16 && !p->finished; round++) {
    if (p->have == 0 && !p->ended) {
      ssize_t got = read(p->from, p->bytes, sizeof p->bytes);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
      /* EIO is how a terminal's master says that the other side has closed. */
      if (got <= 0) p->ended = true;
      else p->at = 0, p->have = (size_t)got;
    }
    if (p->have) {
      ssize_t sent = p->deaf ? (ssize_t)p->have : write(p->to, p->bytes + p->at, p->have);
      if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (sent < 0) {
        p->deaf = true;
        continue;
      }
      p->at += (size_t)sent;
      p->have -= (size_t)sent;
    }
    if (p->ended && p->have == 0) p->finished = true;
  }
}
