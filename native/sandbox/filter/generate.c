/*
 * Build-time only: turns the table of allowed system calls into BPF, as C initialisers on stdout (seccomp.c includes them).
 * Written with libseccomp, which knows the numbers of each architecture; the launcher itself then needs no library.
 */
#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "allowed.h"

/* Beyond the newest call of the table: "no such call", so that programs fall back instead of giving up (EPERM would stop them). */
#define NEWEST 470
#define NEW_CALLS (sizeof allowed_numbers / sizeof *allowed_numbers)
#define NAMESPACE_FLAGS                                                                                                     \
  (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static void check(int result, const char *what) {
  if (result == 0 || result == -EEXIST) return;
  fprintf(stderr, "generate: %s: %s\n", what, strerror(-result));
  exit(1);
}

static void allow_special(scmp_filter_ctx filter) {
  /* New namespaces would give root inside capabilities over things that this filter was not written for. */
  check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, NAMESPACE_FLAGS, 0)), "clone");
  /* Its flags are behind a pointer, where no filter can look; without it the C library uses clone(). */
  check(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "clone3");
  /* VM sockets reach the hypervisor from any namespace. */
  check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_NE, 40)), "socket");
  /* Linux, 32-bit, and "uname 2.6" personalities, and the query; not those that switch address randomisation off. */
  static const uint64_t personalities[] = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};
  for (size_t i = 0; i < sizeof personalities / sizeof *personalities; i++)
    check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1, SCMP_A0(SCMP_CMP_EQ, personalities[i])), "personality");
  /* Not there rather than forbidden: callers have a fallback for an old kernel. */
  static const char *const absent[] = {"io_uring_setup", "io_uring_enter", "io_uring_register"};
  for (size_t i = 0; i < 3; i++)
    check(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), seccomp_syscall_resolve_name(absent[i]), 0), absent[i]);
}

static void print(const struct sock_filter *code, size_t count) {
  /* Prologue, before the first instruction of libseccomp's (which loads the architecture). Also ends x32, whose bit is higher. */
  printf("{0x20, 0, 0, 0},\n{0x25, 0, 1, %u},\n{0x06, 0, 0, 0x%x},\n", NEWEST, 0x00050000 | ENOSYS);
  /* Newer than libseccomp 2.5, so by hand; since 424 a call has the same number on every architecture. */
  for (size_t i = 0; i < NEW_CALLS; i++) printf("{0x15, 0, 1, %d},\n{0x06, 0, 0, 0x7fff0000},\n", allowed_numbers[i]);
  for (size_t i = 0; i < count; i++) printf("{0x%02x, %u, %u, 0x%x},\n", code[i].code, code[i].jt, code[i].jf, code[i].k);
}

int main(void) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (!filter) return 1;
#if defined(__x86_64__)
  check(seccomp_arch_add(filter, SCMP_ARCH_X86), "x86");
#elif defined(__aarch64__)
  check(seccomp_arch_add(filter, SCMP_ARCH_ARM), "arm");
#endif
  check(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
  for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
    int number = seccomp_syscall_resolve_name(allowed[i]);
    /* Not known to this libseccomp, or not on this architecture at all. */
    if (number == __NR_SCMP_ERROR) continue;
    check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0), allowed[i]);
  }
  allow_special(filter);
  int file = memfd_create("filter", 0);
  if (file < 0) return 1;
  check(seccomp_export_bpf(filter, file), "export");
  off_t size = lseek(file, 0, SEEK_END);
  struct sock_filter *code = malloc((size_t)size);
  if (!code || pread(file, code, (size_t)size, 0) != size) return 1;
  size_t count = (size_t)size / sizeof *code;
  if (count + 3 + 2 * NEW_CALLS > BPF_MAXINSNS) {
    fprintf(stderr, "generate: the filter is too long for the kernel: %zu\n", count);
    return 1;
  }
  print(code, count);
  return 0;
}
