/* The order of operations. Rows whose `when` is false are left out; the detail is for people and for tests. */
#include "plan.h"

#include <stdio.h>
#include <string.h>

#include "report.h"

static bool always(const struct box *b) { (void)b; return true; }
static bool limited(const struct box *b) { return b->o.cgroup_count > 0; }
static bool own_network(const struct box *b) { return b->o.network != NETWORK_HOST; }
static bool veth(const struct box *b) { return b->o.network == NETWORK_VETH; }
static bool pasta(const struct box *b) { return b->o.network == NETWORK_PASTA; }
static bool guarded(const struct box *b) { return !b->o.insecure; }
static bool with_tty(const struct box *b) { return b->o.tty; }
static bool with_layers(const struct box *b) {
  for (size_t i = 0; i < b->o.mount_count; i++)
    if (b->o.mounts[i].kind == MOUNT_LAYERS) return true;
  return false;
}
static bool foreign(const struct box *b) { return b->o.interpreters > 0; }
static bool cgroup_v2(const struct box *b) { return b->o.cgroup_v2_mount; }

static const char *root_detail(const struct box *b, char *into, size_t room) {
  if (!b->o.upper && b->o.lowers == 1 && !b->o.root_readonly) return b->o.lower[0];
  snprintf(into, room, "%zu layers%s", b->o.lowers, b->o.upper ? ", writable" : ", read-only");
  return into;
}
static const char *name_detail(const struct box *b, char *into, size_t room) {
  (void)into, (void)room;
  return b->o.hostname ? b->o.hostname : "";
}
static const char *id_detail(const struct box *b, char *into, size_t room) {
  snprintf(into, room, "uid %u gid %u groups %zu", b->o.uid, b->o.gid, b->o.group_count);
  return into;
}
static const char *cwd_detail(const struct box *b, char *into, size_t room) {
  (void)into, (void)room;
  return b->o.cwd;
}
static const char *argv_detail(const struct box *b, char *into, size_t room) {
  (void)into, (void)room;
  return b->o.args ? b->o.argv[0] : "";
}
static const char *interpreter_detail(const struct box *b, char *into, size_t room) {
  (void)into, (void)room;
  return b->o.interpreter[0];
}
static const char *range_detail(const struct box *b, char *into, size_t room) {
  (void)into, (void)room;
  return b->o.network_range ? b->o.network_range : "";
}

struct operation {
  enum actor actor;
  const char *name;
  bool (*when)(const struct box *);
  const char *(*detail)(const struct box *, char *, size_t);
  void (*run)(struct box *);
};

static void every_mount(struct box *b) {
  for (size_t i = 0; i < b->o.mount_count; i++) mount_one(b, i);
}

static const struct operation operations[] = {
    {BEFORE, "register interpreters", foreign, interpreter_detail, interpreters_register},
    {SUPERVISOR, "attach to cgroups", limited, NULL, cgroup_attach},
    {SUPERVISOR, "make veth pair", veth, range_detail, network_outside},
    {SUPERVISOR, "start pasta", pasta, NULL, pasta_start},
    {INIT, "make mounts private", always, NULL, namespace_private_mounts},
    {INIT, "open sources", always, NULL, sources_open},
    {INIT, "mount staging tmpfs", always, NULL, stage_mount},
    {INIT, "mount layers of mounts", with_layers, NULL, layers_mount},
    {INIT, "mount root", always, root_detail, root_mount},
    {INIT, "mount /proc", always, NULL, proc_mount},
    {INIT, "mount /dev", always, NULL, devices_mount},
    {INIT, "mount /dev/pts", always, NULL, pts_mount},
    {INIT, "mount /dev/shm", always, NULL, shm_mount},
    {INIT, "mount /dev/mqueue", always, NULL, mqueue_mount},
    {INIT, "make terminal", with_tty, NULL, terminal_make},
    {INIT, "wait for supervisor", always, NULL, wait_for_go},
    {INIT, "make cgroup namespace", always, NULL, namespace_cgroup},
    {INIT, "mount /sys", always, NULL, sys_mount},
    {INIT, "mount /sys/fs/cgroup", cgroup_v2, NULL, cgroup_mount},
    {INIT, "set up network", own_network, NULL, network_inside},
    {INIT, "mount", always, NULL, every_mount},
    {INIT, "write sysctls", own_network, NULL, sysctls_write},
    {INIT, "mask paths", guarded, NULL, masks_mount},
    {INIT, "set host name", always, name_detail, namespace_hostname},
    {INIT, "pivot root", always, NULL, root_pivot},
    {PROCESS, "make session", always, NULL, session_make},
    {PROCESS, "set limits", always, NULL, limits_set},
    {PROCESS, "enter folder", always, cwd_detail, cwd_enter},
    {PROCESS, "enter user namespace", foreign, NULL, interpreters_enter},
    {PROCESS, "bound capabilities", guarded, NULL, capabilities_bound},
    {PROCESS, "load seccomp filter", guarded, NULL, seccomp_load},
    {PROCESS, "set identity", always, id_detail, identity_set},
    {PROCESS, "set capabilities", guarded, NULL, capabilities_set},
    {PROCESS, "execute", always, argv_detail, NULL},
};

#define OPERATIONS (sizeof operations / sizeof *operations)

void plan_carry_out(struct box *b, enum actor actor) {
  for (size_t i = 0; i < OPERATIONS; i++) {
    const struct operation *op = &operations[i];
    if (op->actor == actor && op->run && op->when(b)) op->run(b);
  }
}

static void print_mounts(const struct box *b) {
  static const char *const kinds[] = {"bind", "tmpfs", "file", "overlay", "layers"};
  for (size_t i = 0; i < b->o.mount_count; i++) {
    const struct mount_option *m = &b->o.mounts[i];
    printf("init\tmount %s\t%s%s\n", m->device ? "device" : kinds[m->kind], m->target, m->readonly ? " (read-only)" : "");
  }
}

void plan_print(struct box *b) {
  static const char *const actors[] = {"supervisor", "supervisor", "init", "process"};
  for (size_t i = 0; i < OPERATIONS; i++) {
    const struct operation *op = &operations[i];
    char text[128];
    if (!op->when(b)) continue;
    if (op->run == every_mount) print_mounts(b);
    else printf("%s\t%s\t%s\n", actors[op->actor], op->name, op->detail ? op->detail(b, text, sizeof text) : "");
  }
  fflush(stdout);
}
