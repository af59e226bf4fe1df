/* The container's own terminal, made in its devpts, and its connection with the caller's. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "box.h"
#include "mounts.h"
#include "report.h"
#include "resolve.h"

static int master_fd = -1;
static struct termios before;
static bool changed;

static void send_master(int sync, int master) {
  struct word word = {'t', 0};
  struct iovec part = {&word, sizeof word};
  union { struct cmsghdr header; char room[CMSG_SPACE(sizeof(int))]; } control = {0};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof master);
  memcpy(CMSG_DATA(header), &master, sizeof master);
  if (sendmsg(sync, &message, MSG_NOSIGNAL) < 0) fail("BOX_TERMINAL", "hand over the terminal", "", errno);
}

/* The slave is taken from the master itself (TIOCGPTPEER), never by a path that the image could have put there. */
void terminal_make(struct box *b) {
  char path[FD_PATH], source[FD_PATH];
  struct winsize size;
  int unlock = 0;
  int node = open_real(b->root, "dev/pts/ptmx", 0);
  if (node < 0) fail("BOX_TERMINAL", "find", "/dev/pts/ptmx", errno);
  fd_path(path, node);
  int master = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0) fail("BOX_TERMINAL", "open", "/dev/pts/ptmx", errno);
  b->terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (b->terminal < 0) fail("BOX_TERMINAL", "open the slave of", "/dev/pts/ptmx", errno);
  close(node);
  if (ioctl(0, TIOCGWINSZ, &size) == 0) ioctl(master, TIOCSWINSZ, &size);
  int dev = open_real(b->root, "dev", O_DIRECTORY);
  int console = dev < 0 ? -1 : openat(dev, "console", O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, 0600);
  if (console < 0) fail("BOX_TERMINAL", "make", "/dev/console", errno);
  fd_path(source, b->terminal);
  fd_path(path, console);
  if (mount(source, path, NULL, MS_BIND, NULL) < 0) fail("BOX_TERMINAL", "bind", "/dev/console", errno);
  close(console);
  close(dev);
  send_master(b->sync, master);
  close(master);
}

void tty_begin(int master) {
  struct termios raw;
  master_fd = master;
  if (tcgetattr(0, &before) < 0) return;
  raw = before;
  cfmakeraw(&raw);
  changed = tcsetattr(0, TCSANOW, &raw) == 0;
  tty_resize();
}

void tty_resize(void) {
  struct winsize size;
  if (master_fd >= 0 && ioctl(0, TIOCGWINSZ, &size) == 0) ioctl(master_fd, TIOCSWINSZ, &size);
}

void tty_end(void) {
  if (changed) tcsetattr(0, TCSADRAIN, &before);
  changed = false;
}
