/* What robocopy is asked for, and its words about what it does. */
#ifndef WBUILD_ROBOCOPY_H
#define WBUILD_ROBOCOPY_H

#include <stdbool.h>
#include <stdio.h>
#include <windows.h>

/* Bits of the exit code. */
enum outcome { copied_some = 1, found_extras = 2, found_mismatches = 4, failed_some = 8, cannot_begin = 16 };

struct names {
    wchar_t **text;
    size_t count;
};

struct request {
    wchar_t *source, *target; /* whole paths, without a backslash at the end */
    struct names files, without_files, without_folders;
    bool below, empty_ones, purge, move_files, move_folders, list_only, no_links;
    bool again, without_older, without_newer, without_changed, without_lonely, without_extras;
    bool data, attributes, times, folder_attributes, folder_times, security;
    bool quiet_files, quiet_folders, quiet_header, quiet_summary, no_sizes, no_classes, verbose, tee;
    unsigned retries, wait_seconds, levels;
    FILE *log;
};

/* 0, or cannot_begin after saying why. */
int read_request(struct request *request, int argc, wchar_t **argv);

/* On standard output, in the log, or both. */
void say(const struct request *request, const wchar_t *format, ...);

/* True when a name, or the whole path where a pattern has a backslash, is among them. */
bool is_among(const struct names *names, const wchar_t *name, const wchar_t *path);

#endif
