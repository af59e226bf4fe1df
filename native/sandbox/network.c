/* The container's network: loopback only, a veth pair that the host masquerades, or pasta (see pasta.c). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "netlink.h"
#include "report.h"

/* The /30s of a /16. */
#define PAIRS 16384u

static void need(int error, const char *operation, const char *what) {
  if (error) fail("BOX_NETWORK", operation, what, error);
}

/*
 * Many launchers choose addresses at the same time, and none may leave anything behind: the kernel is the arbiter. The name of
 * the host's end says its address, a name exists once, and the pair vanishes with the container's namespace.
 */
void network_outside(struct box *b) {
  struct in_addr base;
  int fd = netlink_open();
  if (fd < 0) fail("BOX_NETWORK", "open netlink", "", errno);
  if (!b->o.network_range || inet_pton(AF_INET, b->o.network_range, &base) != 1)
    fail("BOX_OPTIONS", "read the options", "network.range", EINVAL);
  uint32_t first = ntohl(base.s_addr) & 0xffff0000u, start = (uint32_t)getpid() % PAIRS;
  char name[IFNAMSIZ];
  int error = EEXIST;
  for (uint32_t i = 0; i < PAIRS && error == EEXIST; i++) {
    /* First usable address of a pair: the host's; the next one is the container's. */
    b->address = first + (start + i) % PAIRS * 4 + 1;
    snprintf(name, sizeof name, "wbld%08x", b->address);
    error = netlink_make_veth(fd, name, "eth0", b->init, b->o.network_mtu);
  }
  need(error, "make a veth pair", name);
  unsigned index = if_nametoindex(name);
  need(index ? 0 : errno, "find the veth pair", name);
  need(netlink_address(fd, index, b->address, 30), "set the host's address", name);
  need(netlink_up(fd, index), "bring the host's end up", name);
  close(fd);
}

void network_inside(struct box *b) {
  int fd = netlink_open();
  if (fd < 0) fail("BOX_NETWORK", "open netlink", "", errno);
  need(netlink_up(fd, 1), "bring up", "lo");
  if (b->o.network == NETWORK_VETH) {
    unsigned index = if_nametoindex("eth0");
    need(index ? 0 : errno, "find", "eth0");
    need(netlink_address(fd, index, b->address + 1, 30), "set the address of", "eth0");
    need(netlink_up(fd, index), "bring up", "eth0");
    need(netlink_default_route(fd, b->address), "set the default route through", "eth0");
  }
  close(fd);
}
