/* One container in the making: what it was told, and the descriptors that its parts share. */
#ifndef WBUILD_BOX_H
#define WBUILD_BOX_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

#include "options.h"

struct box {
  struct options o;
  int control; /* options came from here; later one byte a signal, and its end means that the caller has gone */
  int sync;    /* this side of the socket between supervisor and init */
  pid_t init;  /* of the container, as the supervisor sees it */

  /* Made by the init. */
  int lower[MAX_LOWER], upper, work, source[MAX_MOUNTS];
  int *layer[MAX_MOUNTS]; /* of a mount of layers: its lower folders, then upper and work folder */
  int host_sys, host_device[8];
  int stage; /* private tmpfs: names of the layers, skeleton, root, files */
  int root;  /* the container's root, O_PATH */
  char stage_path[32];
  int terminal; /* slave of the container's own terminal */

  /* Pipes of the process's stdout and stderr: [0] read by the supervisor, [1] written by the process. */
  int output[2][2];

  int user_space; /* with a register of interpreters of its own; -1 without */

  uint32_t address; /* veth: host's end, in host byte order; the container's is one more */
};

/* Carried from the supervisor to the init when all that needs the host's view is done. */
struct go {
  char kind; /* 'g' */
  uint32_t address;
};

/* Carried from the init to the supervisor. 't' brings the terminal's master, 's' started, 'x' ended with status. */
struct word {
  char kind;
  int status;
};

/* Operations of the init, in this order; see plan.c. Each fails with BOX_* through fail(). */
void namespace_private_mounts(struct box *);
void namespace_cgroup(struct box *);
void namespace_hostname(struct box *);
void sources_open(struct box *);
void stage_mount(struct box *);
void layers_open(struct box *, size_t index);
void layers_mount(struct box *);
void root_mount(struct box *);
void proc_mount(struct box *);
void sys_mount(struct box *);
void cgroup_mount(struct box *);
void devices_mount(struct box *);
void pts_mount(struct box *);
void shm_mount(struct box *);
void mqueue_mount(struct box *);
void terminal_make(struct box *);
void mount_one(struct box *, size_t index);
void masks_mount(struct box *);
void sysctls_write(struct box *);
void root_pivot(struct box *);
void wait_for_go(struct box *);
void network_inside(struct box *);
/* Runs as process 1 until the process has ended, and never returns. */
_Noreturn void init_run(struct box *);

/* Operations of the process, between fork and exec. */
void session_make(struct box *);
void limits_set(struct box *);
void capabilities_bound(struct box *);
void seccomp_load(struct box *);
void identity_set(struct box *);
void capabilities_set(struct box *);
void cwd_enter(struct box *);
void interpreters_enter(struct box *);
_Noreturn void command_execute(struct box *);

/* Operations of the supervisor, which stays in the host's namespaces. */
/* Before the init is started, which must have the namespace's descriptor. */
void interpreters_register(struct box *);
int interpreters_possible(void);
void cgroup_attach(struct box *);
bool cgroup_saw_memory_kill(const struct box *);
void cgroup_remove(const struct box *);
void network_outside(struct box *);
void pasta_start(struct box *);
void pasta_stop(void);
_Noreturn void supervise(struct box *);

/* Copies between the caller's terminal and the container's; see tty.c. */
void tty_begin(int master);
void tty_resize(void);
void tty_end(void);

/* `launcher userns`: executes argv in a user namespace of its own. */
_Noreturn void userns_execute(struct options *);
/* `launcher tied`: a program whose group ends when the other end of `life` is closed. No file of it grows past file_bytes; 0: no limit. */
_Noreturn void tied_execute(int life, unsigned long long file_bytes, char **argv);
/* `launcher probe`: one JSON line a capability of this host. */
int probe_host(const char *scratch);

#endif
