/* Route netlink, by hand: a library would be larger than the five requests, and `ip` would be five processes. */
#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
  struct nlmsghdr header;
  union {
    struct ifinfomsg link;
    struct ifaddrmsg address;
    struct rtmsg route;
  };
  char attributes[512];
};

int netlink_open(void) { return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE); }

static void begin(struct request *r, int type, int flags, size_t body) {
  memset(r, 0, sizeof *r);
  r->header.nlmsg_type = (uint16_t)type;
  r->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
  r->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
}

/* The requests are ours and small: 512 bytes of attributes hold the largest (a veth with its peer) twice. */
static struct rtattr *add(struct request *r, int type, const void *data, size_t size) {
  struct rtattr *attribute = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->header.nlmsg_len));
  attribute->rta_type = (uint16_t)type;
  attribute->rta_len = (uint16_t)RTA_LENGTH(size);
  if (size) memcpy(RTA_DATA(attribute), data, size);
  r->header.nlmsg_len = NLMSG_ALIGN(r->header.nlmsg_len) + (uint32_t)RTA_ALIGN(attribute->rta_len);
  return attribute;
}

static void end(struct request *r, struct rtattr *nest) {
  nest->rta_len = (uint16_t)((char *)r + r->header.nlmsg_len - (char *)nest);
}

static int ask(int fd, struct request *r) {
  struct { struct nlmsghdr header; struct nlmsgerr error; char rest[1024]; } answer;
  if (send(fd, r, r->header.nlmsg_len, 0) < 0) return errno;
  ssize_t got = recv(fd, &answer, sizeof answer, 0);
  if (got < 0) return errno;
  if ((size_t)got < NLMSG_LENGTH(sizeof answer.error) || answer.header.nlmsg_type != NLMSG_ERROR) return EPROTO;
  return -answer.error.error;
}

int netlink_make_veth(int fd, const char *name, const char *peer, pid_t peer_namespace, unsigned mtu) {
  struct request r;
  uint32_t pid = (uint32_t)peer_namespace, size = mtu;
  begin(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof r.link);
  add(&r, IFLA_IFNAME, name, strlen(name) + 1);
  if (mtu) add(&r, IFLA_MTU, &size, sizeof size);
  struct rtattr *info = add(&r, IFLA_LINKINFO, NULL, 0);
  add(&r, IFLA_INFO_KIND, "veth", 5);
  struct rtattr *data = add(&r, IFLA_INFO_DATA, NULL, 0);
  struct ifinfomsg other = {0};
  struct rtattr *end_peer = add(&r, VETH_INFO_PEER, &other, sizeof other);
  add(&r, IFLA_IFNAME, peer, strlen(peer) + 1);
  if (mtu) add(&r, IFLA_MTU, &size, sizeof size);
  add(&r, IFLA_NET_NS_PID, &pid, sizeof pid);
  end(&r, end_peer);
  end(&r, data);
  end(&r, info);
  return ask(fd, &r);
}

int netlink_up(int fd, unsigned index) {
  struct request r;
  begin(&r, RTM_NEWLINK, 0, sizeof r.link);
  r.link.ifi_index = (int)index;
  r.link.ifi_flags = r.link.ifi_change = IFF_UP;
  return ask(fd, &r);
}

int netlink_address(int fd, unsigned index, uint32_t address, unsigned prefix) {
  struct request r;
  uint32_t value = htonl(address);
  begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof r.address);
  r.address.ifa_family = AF_INET;
  r.address.ifa_prefixlen = (uint8_t)prefix;
  r.address.ifa_index = index;
  add(&r, IFA_LOCAL, &value, sizeof value);
  add(&r, IFA_ADDRESS, &value, sizeof value);
  return ask(fd, &r);
}

int netlink_default_route(int fd, uint32_t gateway) {
  struct request r;
  uint32_t value = htonl(gateway);
  begin(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof r.route);
  r.route.rtm_family = AF_INET;
  r.route.rtm_table = RT_TABLE_MAIN;
  r.route.rtm_protocol = RTPROT_STATIC;
  r.route.rtm_scope = RT_SCOPE_UNIVERSE;
  r.route.rtm_type = RTN_UNICAST;
  add(&r, RTA_GATEWAY, &value, sizeof value);
  return ask(fd, &r);
}
