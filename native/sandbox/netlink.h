/* The five route-netlink requests that a container's network needs. */
#ifndef WBUILD_NETLINK_H
#define WBUILD_NETLINK_H

#include <stdint.h>
#include <sys/types.h>

/* A route-netlink socket of the namespace that we are in. -1 with errno. */
int netlink_open(void);

/* All return 0, or an errno. Addresses are in host byte order. */
int netlink_make_veth(int socket, const char *name, const char *peer, pid_t peer_namespace, unsigned mtu);
int netlink_up(int socket, unsigned index);
int netlink_address(int socket, unsigned index, uint32_t address, unsigned prefix);
int netlink_default_route(int socket, uint32_t gateway);

#endif
