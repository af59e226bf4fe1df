/* NUL-terminated `name=value` strings on a descriptor → one checked struct. Nothing of it is visible in `ps`. */
#include "options.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

static _Noreturn void refuse(const char *what) { fail("BOX_OPTIONS", "read the options", what, EINVAL); }

/* The caller keeps the descriptor open for control bytes, so the end is an empty string and not the end of file. */
static char *read_all(int fd, size_t *length) {
  size_t room = 1 << 16, have = 0;
  char *bytes = malloc(room);
  if (!bytes) refuse("out of memory");
  for (;;) {
    if (have == room) {
      if (room >= MAX_OPTION_BYTES) refuse("too many options");
      bytes = realloc(bytes, room *= 2);
      if (!bytes) refuse("out of memory");
    }
    /* Byte-exact ending: MSG_PEEK is not for pipes, so the caller sends nothing more until we have reported. */
    ssize_t got = read(fd, bytes + have, room - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) refuse("the options end too early");
    have += (size_t)got;
    if (have >= 2 && bytes[have - 1] == 0 && bytes[have - 2] == 0) break;
  }
  *length = have - 1;
  return bytes;
}

static unsigned long long number(const char *text, unsigned long long most) {
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno || end == text || *end || *text == '-' || value > most) refuse(text);
  return value;
}

static bool truth(const char *text) { return number(text, 1) == 1; }

static const char *absolute(const char *path) {
  if (path[0] != '/') refuse(path);
  return path;
}

int limit_by_name(const char *name, size_t length) {
  static const struct { const char *name; int resource; } known[] = {
      {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},       {"data", RLIMIT_DATA},
      {"fsize", RLIMIT_FSIZE},     {"locks", RLIMIT_LOCKS},       {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE},
      {"nice", RLIMIT_NICE},       {"nofile", RLIMIT_NOFILE},     {"nproc", RLIMIT_NPROC},   {"rss", RLIMIT_RSS},
      {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING}, {"stack", RLIMIT_STACK}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strlen(known[i].name) == length && memcmp(known[i].name, name, length) == 0) return known[i].resource;
  return -1;
}

/* "nofile:1024:-1" */
static void read_limit(struct options *o, const char *text) {
  const char *first = strchr(text, ':');
  if (!first) refuse(text);
  int resource = limit_by_name(text, (size_t)(first - text));
  char *end;
  errno = 0;
  long long soft = strtoll(first + 1, &end, 10);
  if (resource < 0 || errno || end == first + 1 || *end != ':') refuse(text);
  const char *second = end + 1;
  long long hard = strtoll(second, &end, 10);
  if (errno || end == second || *end || soft < -1 || hard < -1) refuse(text);
  o->limits[resource].given = true;
  o->limits[resource].value.rlim_cur = soft < 0 ? RLIM_INFINITY : (rlim_t)soft;
  o->limits[resource].value.rlim_max = hard < 0 ? RLIM_INFINITY : (rlim_t)hard;
}

static struct mount_option *last_mount(struct options *o) {
  if (o->mount_count == 0) refuse("a mount option before any mount");
  return &o->mounts[o->mount_count - 1];
}

static void add_mount(struct options *o, const char *kind) {
  if (o->mount_count == MAX_MOUNTS) refuse("too many mounts");
  struct mount_option *m = &o->mounts[o->mount_count++];
  if (strcmp(kind, "bind") == 0) m->kind = MOUNT_BIND;
  else if (strcmp(kind, "tmpfs") == 0) m->kind = MOUNT_TMPFS;
  else if (strcmp(kind, "file") == 0) m->kind = MOUNT_FILE;
  else if (strcmp(kind, "overlay") == 0) m->kind = MOUNT_OVERLAY;
  else if (strcmp(kind, "layers") == 0) m->kind = MOUNT_LAYERS;
  else if (strcmp(kind, "device") == 0) m->kind = MOUNT_BIND, m->device = true;
  else refuse(kind);
  m->mode = m->kind == MOUNT_FILE ? 0644 : 0755;
}

static void add_lower(struct mount_option *m, const char *path) {
  if (m->lowers == MAX_LOWER) refuse("too many layers in a mount");
  const char **grown = realloc(m->lower, (m->lowers + 1) * sizeof *m->lower);
  if (!grown) refuse("out of memory");
  m->lower = grown;
  m->lower[m->lowers++] = path;
}

static void set_network(struct options *o, const char *kind) {
  if (strcmp(kind, "host") == 0) o->network = NETWORK_HOST;
  else if (strcmp(kind, "none") == 0) o->network = NETWORK_NONE;
  else if (strcmp(kind, "veth") == 0) o->network = NETWORK_VETH;
  else if (strcmp(kind, "pasta") == 0) o->network = NETWORK_PASTA;
  else refuse(kind);
}

#define APPEND(list, count, most, value)           \
  do {                                             \
    if ((count) == (most)) refuse(name);           \
    (list)[(count)++] = (value);                   \
  } while (0)

static void set(struct options *o, const char *name, const char *value) {
  if (strcmp(name, "lower") == 0) APPEND(o->lower, o->lowers, MAX_LOWER, absolute(value));
  else if (strcmp(name, "upper") == 0) o->upper = absolute(value);
  else if (strcmp(name, "work") == 0) o->work = absolute(value);
  else if (strcmp(name, "root.readonly") == 0) o->root_readonly = truth(value);
  else if (strcmp(name, "userxattr") == 0) o->userxattr = truth(value);
  else if (strcmp(name, "mount") == 0) add_mount(o, value);
  else if (strcmp(name, "mount.source") == 0) last_mount(o)->source = value;
  else if (strcmp(name, "mount.target") == 0) last_mount(o)->target = absolute(value);
  else if (strcmp(name, "mount.readonly") == 0) last_mount(o)->readonly = truth(value);
  else if (strcmp(name, "mount.size") == 0) last_mount(o)->size = number(value, UINT64_MAX / 2);
  else if (strcmp(name, "mount.mode") == 0) last_mount(o)->mode = (mode_t)number(value, 07777);
  else if (strcmp(name, "mount.lower") == 0) add_lower(last_mount(o), absolute(value));
  else if (strcmp(name, "mount.upper") == 0) last_mount(o)->upper = absolute(value);
  else if (strcmp(name, "mount.work") == 0) last_mount(o)->work = absolute(value);
  else if (strcmp(name, "mount.hex") == 0) last_mount(o)->hex = value;
  else if (strcmp(name, "mount.uid") == 0) last_mount(o)->uid = (uid_t)number(value, UINT32_MAX - 1);
  else if (strcmp(name, "mount.gid") == 0) last_mount(o)->gid = (gid_t)number(value, UINT32_MAX - 1);
  else if (strcmp(name, "arg") == 0) o->argv[o->args++] = value;
  else if (strcmp(name, "env") == 0) o->env[o->envs++] = value;
  else if (strcmp(name, "cwd") == 0) o->cwd = absolute(value);
  else if (strcmp(name, "cwd.make") == 0) o->make_cwd = truth(value);
  else if (strcmp(name, "uid") == 0) o->uid = (uid_t)number(value, UINT32_MAX - 1);
  else if (strcmp(name, "gid") == 0) o->gid = (gid_t)number(value, UINT32_MAX - 1);
  else if (strcmp(name, "group") == 0) APPEND(o->groups, o->group_count, MAX_GROUPS, (gid_t)number(value, UINT32_MAX - 1));
  else if (strcmp(name, "tty") == 0) o->tty = truth(value);
  else if (strcmp(name, "relay") == 0) o->relay = truth(value);
  else if (strcmp(name, "hostname") == 0) o->hostname = value;
  else if (strcmp(name, "network") == 0) set_network(o, value);
  else if (strcmp(name, "network.range") == 0) o->network_range = value;
  else if (strcmp(name, "network.mtu") == 0) o->network_mtu = (unsigned)number(value, 65535);
  else if (strcmp(name, "network.pasta") == 0) o->pasta = absolute(value);
  else if (strcmp(name, "limit") == 0) read_limit(o, value);
  else if (strcmp(name, "cgroup") == 0) APPEND(o->cgroups, o->cgroup_count, MAX_CGROUPS, absolute(value));
  else if (strcmp(name, "cgroup.mount") == 0) o->cgroup_v2_mount = truth(value);
  else if (strcmp(name, "shm") == 0) o->shm_size = number(value, UINT64_MAX / 2);
  else if (strcmp(name, "insecure") == 0) o->insecure = truth(value);
  else if (strcmp(name, "no-new-privs") == 0) o->no_new_privs = truth(value);
  else if (strcmp(name, "interpreter") == 0) APPEND(o->interpreter, o->interpreters, MAX_INTERPRETERS, value);
  else if (strcmp(name, "map.uid") == 0) APPEND(o->uid_map, o->uid_maps, 60, value);
  else if (strcmp(name, "map.gid") == 0) APPEND(o->gid_map, o->gid_maps, 60, value);
  else if (strcmp(name, "map.newuidmap") == 0) o->newuidmap = absolute(value);
  else if (strcmp(name, "map.newgidmap") == 0) o->newgidmap = absolute(value);
  else refuse(name);
}

void options_read(struct options *o, int fd) {
  size_t length, strings = 0;
  memset(o, 0, sizeof *o);
  o->cwd = "/";
  o->storage = read_all(fd, &length);
  for (size_t i = 0; i < length; i++) strings += o->storage[i] == 0;
  o->argv = calloc(strings + 1, sizeof *o->argv);
  o->env = calloc(strings + 1, sizeof *o->env);
  if (!o->argv || !o->env) refuse("out of memory");
  for (char *at = o->storage; at < o->storage + length;) {
    char *next = at + strlen(at) + 1;
    char *equals = strchr(at, '=');
    if (!equals) refuse(at);
    *equals = 0;
    set(o, at, equals + 1);
    at = next;
  }
  for (size_t i = 0; i < o->mount_count; i++) {
    const struct mount_option *m = &o->mounts[i];
    if (!m->target) refuse("a mount without a target");
    if ((m->kind == MOUNT_BIND || m->kind == MOUNT_OVERLAY) && (!m->source || m->source[0] != '/')) refuse("a bind without a source");
    if (m->kind == MOUNT_FILE && !m->source == !m->hex) refuse("a file without text");
    if (m->hex && (strlen(m->hex) % 2 || strspn(m->hex, "0123456789abcdef") != strlen(m->hex))) refuse("a file's bytes");
    if (m->kind == MOUNT_LAYERS && !m->source) refuse("layers without a path inside them");
    if (m->kind == MOUNT_LAYERS && !m->upper != !m->work) refuse("an upper folder without a work folder");
    if (m->kind != MOUNT_LAYERS && (m->lowers || m->upper || m->work)) refuse("layers of a mount of another kind");
  }
}
