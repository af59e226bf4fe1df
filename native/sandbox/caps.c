/* Capabilities: Docker's default fourteen and no more, for root inside; none for everybody else. */
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box.h"
#include "report.h"

#define BIT(capability) (1ull << (capability))
static const uint64_t granted = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) | BIT(CAP_FOWNER) | BIT(CAP_MKNOD) |
                                BIT(CAP_NET_RAW) | BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETFCAP) | BIT(CAP_SETPCAP) |
                                BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL) | BIT(CAP_AUDIT_WRITE);

/* The bounding set holds for setuid programs too, so that `sudo` inside gains the fourteen and not the caller's all. */
void capabilities_bound(struct box *b) {
  (void)b;
  for (int c = 0; prctl(PR_CAPBSET_READ, c) >= 0; c++)
    if (c > 63 || !(granted & BIT(c)))
      if (prctl(PR_CAPBSET_DROP, c) < 0) fail("BOX_CAPABILITY", "drop a capability", "", errno);
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) fail("BOX_CAPABILITY", "drop capabilities", "", errno);
}

/* After the change of user: one that is not root has lost all capabilities in that change, unless the caller keeps them. */
void capabilities_set(struct box *b) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct have[2] = {0}, want[2] = {0};
  if (syscall(SYS_capget, &header, have) < 0) fail("BOX_CAPABILITY", "read capabilities", "", errno);
  uint64_t keep = b->o.uid == 0 ? granted : 0;
  for (int i = 0; i < 2; i++) {
    want[i].permitted = have[i].permitted & (uint32_t)(keep >> (32 * i));
    want[i].effective = want[i].permitted;
    /* Never inheritable: CVE-2022-24769, where file capabilities gave them to ordinary users inside. */
    want[i].inheritable = 0;
  }
  if (syscall(SYS_capset, &header, want) < 0) fail("BOX_CAPABILITY", "set capabilities", "", errno);
}
