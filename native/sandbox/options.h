/* All that the launcher is told, as one struct. It is read once from NUL-terminated `name=value` strings. */
#ifndef WBUILD_OPTIONS_H
#define WBUILD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

/* overlayfs takes at most 500 layers; one is kept for our own mount points. */
#define MAX_LOWER 499
#define MAX_MOUNTS 256
#define MAX_GROUPS 1024
#define MAX_CGROUPS 16
#define MAX_INTERPRETERS 16
/* Files come as hexadecimal digits: room for some twenty secrets of the largest size. */
#define MAX_OPTION_BYTES (32u << 20)

enum mount_kind { MOUNT_BIND, MOUNT_TMPFS, MOUNT_FILE, MOUNT_OVERLAY, MOUNT_LAYERS };
enum network_kind { NETWORK_HOST, NETWORK_NONE, NETWORK_VETH, NETWORK_PASTA };

struct mount_option {
  enum mount_kind kind;
  /* Host path of a bind or of an overlay's lower folder; text of a file; of layers the path inside them. */
  const char *source;
  const char *target;
  bool readonly;
  /* A bind of a device node, which may be opened. */
  bool device;
  /* Layers: topmost first, and where what is written goes. */
  const char **lower;
  size_t lowers;
  const char *upper, *work;
  /* File: its bytes as hexadecimal digits, instead of text. */
  const char *hex;
  uid_t uid;
  gid_t gid;
  /* tmpfs only; 0 means the kernel's default. */
  unsigned long long size;
  mode_t mode;
};

struct limit_option {
  int resource;
  bool given;
  struct rlimit value;
};

struct options {
  const char *lower[MAX_LOWER]; /* topmost first */
  size_t lowers;
  const char *upper, *work;
  bool root_readonly;
  bool userxattr;

  struct mount_option mounts[MAX_MOUNTS];
  size_t mount_count;

  const char **argv, **env; /* NULL-terminated */
  size_t args, envs;
  const char *cwd;
  bool make_cwd;
  uid_t uid;
  gid_t gid;
  gid_t groups[MAX_GROUPS];
  size_t group_count;

  bool tty;
  /* stdout and stderr of the process become pipes that the supervisor copies to its own. */
  bool relay;
  const char *hostname;

  enum network_kind network;
  const char *network_range; /* "10.213.0.0": the first address of a /16 */
  unsigned network_mtu;
  const char *pasta; /* path of the program */

  struct limit_option limits[RLIM_NLIMITS];
  const char *cgroups[MAX_CGROUPS];
  size_t cgroup_count;
  bool cgroup_v2_mount;
  unsigned long long shm_size;

  bool insecure;
  bool no_new_privs;

  /* Lines for binfmt_misc's `register`: how programs of other architectures are executed. */
  const char *interpreter[MAX_INTERPRETERS];
  size_t interpreters;

  /* `userns` only: lines for newuidmap and newgidmap, or one id each for a map without helpers. */
  const char *uid_map[64], *gid_map[64];
  size_t uid_maps, gid_maps;
  const char *newuidmap, *newgidmap;

  char *storage;
};

/* Reads up to the empty string that ends the options; what follows on the descriptor is not touched. Fails with BOX_OPTIONS. */
void options_read(struct options *into, int fd);

/* "nofile" → RLIMIT_NOFILE, -1 when there is no such limit. */
int limit_by_name(const char *name, size_t length);

#endif
