/*
 * The main process of a container that runs Windows programs: it brings Wine's server up, runs one Windows program, and takes
 * the server down again, so that the registry is written before the container ends. Knows nothing of images or Dockerfiles.
 *
 *     session WINESERVER WINE PROGRAM
 *
 * Exit status: 0 when PROGRAM (our run.exe) has written its result, 128 + N after signal N, 1 after anything else.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { failed = 1, real_stderr = 3 };

/* Ours, when Wine's is another. */
static int own_stderr = STDERR_FILENO;

static int fail(const char *what, int error) {
    dprintf(own_stderr, "wbuild: %s%s%s\n", what, error == 0 ? "" : ": ", error == 0 ? "" : strerror(error));
    return failed;
}

/*
 * Wine's processes complain on their standard error: when they are killed, of fonts, of what they lack. That is not the
 * output of the step. The program gets the real one as descriptor 3, all of Wine a file; a terminal stays where it is.
 */
static bool part_streams(void) {
    if (isatty(STDERR_FILENO)) return false;
    int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, real_stderr + 1);
    if (kept < 0 || dup2(kept, real_stderr) < 0) return false;
    own_stderr = kept;
    /* Only now: as descriptor 3 the file would have been closed by that copy. */
    int log = open("/wine/log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
    return log >= 0 && dup2(log, STDERR_FILENO) >= 0;
}

/* Starts a program with the signals as they were before main blocked them. Gives its process, or -1. */
static pid_t start(char *const argv[], const sigset_t *mask) {
    pid_t child = fork();
    if (child != 0) return child;
    sigprocmask(SIG_SETMASK, mask, NULL);
    execv(argv[0], argv);
    fail(argv[0], errno);
    _exit(127);
}

/* The parent of a process, by /proc; -1 when it has gone, is only waiting to be collected, or the line is not understood. */
static long parent_of(const char *pid) {
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t length = read(fd, line, sizeof line - 1);
    close(fd);
    if (length <= 0) return -1;
    line[length] = '\0';
    const char *end = strrchr(line, ')'); /* the name before it may hold anything, spaces and parentheses too */
    char state = 'Z';
    long parent = -1;
    if (end == NULL || sscanf(end, ") %c %ld", &state, &parent) != 2) return -1;
    return state == 'Z' || state == 'X' ? -1 : parent;
}

/* The one child that we have. The server has left its own parent, and we are the reaper of what is left behind. */
static pid_t only_child(void) {
    DIR *folder = opendir("/proc");
    if (folder == NULL) return -1;
    pid_t found = -1;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        if (parent_of(entry->d_name) == getpid()) found = (pid_t)atol(entry->d_name);
    }
    closedir(folder);
    return found;
}

/*
 * Without -f the server forks, and the first process ends when the second takes connections: an event instead of a wait.
 * -p: it stays until it is told to end, however long the program takes to start.
 */
static pid_t start_server(char *path, const sigset_t *mask) {
    char *argv[] = {path, "-p", NULL};
    pid_t first = start(argv, mask);
    int status = 0;
    if (first < 0 || waitpid(first, &status, 0) != first) return -1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return -1;
    return only_child();
}

struct wait {
    pid_t server, program;
    int status;      /* of the program, when program == 0 */
    int signal;      /* what asked us to end */
    bool server_gone;
};

/* Collects every process that has ended; Windows processes are left to us as well. */
static void reap(struct wait *wait) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == wait->server) wait->server_gone = true;
        if (pid != wait->program) continue;
        wait->program = 0;
        wait->status = status;
    }
}

/* Waits for one signal and does what it asks for. */
static void step(struct wait *wait, const sigset_t *signals) {
    siginfo_t info;
    int number = sigwaitinfo(signals, &info);
    if (number == SIGCHLD) reap(wait);
    /* A terminal's Ctrl-C goes to the programs too, and it is theirs: only a signal that somebody sent ends the session. */
    else if (number > 0 && info.si_code != SI_KERNEL) wait->signal = number;
}

/* True when a process of the container was there that is neither the server, its first process, nor ours. */
static bool kill_others(pid_t server) {
    DIR *folder = opendir("/proc");
    if (folder == NULL) return false;
    bool any = false;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        pid_t pid = (pid_t)atol(entry->d_name);
        if (pid == 1 || pid == getpid() || pid == server || parent_of(entry->d_name) < 0) continue;
        any |= kill(pid, SIGKILL) == 0;
    }
    closedir(folder);
    return any;
}

/*
 * The container's programs end with the step's own, as when a Windows container stops. The server would ask each of them to
 * end and wait half a second for one that does not listen (a driver process, at every step).
 */
static void end_programs(struct wait *wait, const sigset_t *signals) {
    while (!wait->server_gone && kill_others(wait->server)) {
        int signal = wait->signal;
        step(wait, signals);
        if (signal != 0) wait->signal = signal;
    }
}

int main(int argc, char **argv) {
    if (argc != 4) return fail("usage: session WINESERVER WINE PROGRAM", 0);
    sigset_t signals, before;
    sigemptyset(&signals);
    const int ours[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) sigaddset(&signals, ours[i]);
    sigprocmask(SIG_BLOCK, &signals, &before);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) != 0) return fail("cannot become the reaper of Wine's processes", errno);

    /* C:, or Wine complains that it has no name for where it starts. */
    if (chdir("/Files") != 0) return fail("/Files", errno);
    bool parted = part_streams();
    struct wait wait = {.server = start_server(argv[1], &before)};
    if (wait.server <= 0) return fail("Wine's server did not start", 0);
    char *program[] = {argv[2], argv[3], parted ? (char[]){'0' + real_stderr, '\0'} : NULL, NULL};
    wait.program = start(program, &before);
    if (wait.program < 0) return fail("cannot start a process", errno);

    while (wait.program != 0 && wait.signal == 0 && !wait.server_gone) step(&wait, &signals);
    if (wait.server_gone && wait.signal == 0) return fail("Wine's server ended before the program", 0);
    end_programs(&wait, &signals);
    /* It writes the registry. Only when it has gone are the files complete. */
    kill(wait.server, SIGINT);
    while (!wait.server_gone) {
        int signal = wait.signal;
        step(&wait, &signals);
        if (signal != 0) wait.signal = signal; /* what ended it is what counts */
    }
    if (wait.signal != 0) return 128 + wait.signal;
    if (WIFEXITED(wait.status) && WEXITSTATUS(wait.status) == 0) return 0;
    return fail("the Windows launcher did not end as it should", 0);
}
