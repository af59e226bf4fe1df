/*
 * Streams of a Windows program. Programs ask a pipe what only Windows' own can answer (Node.js gives up on one of Linux with
 * EBADF), so each gets one of those, and a thread copies between the two.
 */
#include "streams.h"

#include <stdio.h>
#include <wchar.h>

enum { chunk = 65536 };

struct copier {
    HANDLE pipe;   /* our end of the Windows pipe */
    HANDLE other;  /* the stream of Linux */
    HANDLE theirs; /* the program's end, until it has it */
    HANDLE thread;
};

static struct copier input_copier, output_copiers[2];
/* Signalled when the program has ended. */
static HANDLE ended;

static BOOL write_all(HANDLE to, const char *bytes, DWORD length) {
    while (length > 0) {
        DWORD done = 0;
        if (!WriteFile(to, bytes, length, &done, NULL) || done == 0) return FALSE;
        bytes += done;
        length -= done;
    }
    return TRUE;
}

/* One read of at most `chunk` bytes that the end of the program interrupts. Bytes read; 0 at the end of the pipe or then. */
static DWORD read_some(struct copier *c, char *bytes, HANDLE arrived) {
    OVERLAPPED reading = {.hEvent = arrived};
    DWORD got = 0;
    if (ReadFile(c->pipe, bytes, chunk, &got, &reading)) return got;
    if (GetLastError() != ERROR_IO_PENDING) return 0;
    HANDLE either[2] = {arrived, ended};
    if (WaitForMultipleObjects(2, either, FALSE, INFINITE) != WAIT_OBJECT_0) CancelIo(c->pipe);
    return GetOverlappedResult(c->pipe, &reading, &got, TRUE) ? got : 0;
}

/* What already lies in the pipe. */
static DWORD rest_of(struct copier *c) {
    DWORD available = 0;
    return PeekNamedPipe(c->pipe, NULL, 0, NULL, &available, NULL) ? available : 0;
}

static DWORD WINAPI copy_output(void *argument) {
    struct copier *c = argument;
    HANDLE arrived = CreateEventW(NULL, TRUE, FALSE, NULL);
    char *bytes = HeapAlloc(GetProcessHeap(), 0, chunk);
    BOOL listens = arrived != NULL && bytes != NULL;
    while (listens) {
        DWORD got = read_some(c, bytes, arrived);
        if (got > 0) listens = write_all(c->other, bytes, got);
        else if (rest_of(c) == 0) break;
    }
    /* Closed, so that a program which goes on writing learns that nobody reads. */
    CloseHandle(c->pipe);
    if (bytes != NULL) HeapFree(GetProcessHeap(), 0, bytes);
    return 0;
}

static DWORD WINAPI copy_input(void *argument) {
    struct copier *c = argument;
    static char bytes[chunk];
    DWORD got = 0;
    while (ReadFile(c->other, bytes, chunk, &got, NULL) && got > 0)
        if (!write_all(c->pipe, bytes, got)) break;
    CloseHandle(c->pipe);
    return 0;
}

/* A pipe whose end for the program is inherited; ours can be read without waiting. */
static BOOL open_pipe(struct copier *c, const wchar_t *name, BOOL to_program) {
    wchar_t path[64];
    swprintf(path, sizeof path / sizeof *path, L"\\\\.\\pipe\\wbuild-%ls-%lu", name, GetCurrentProcessId());
    DWORD mode = (to_program ? PIPE_ACCESS_OUTBOUND : PIPE_ACCESS_INBOUND | FILE_FLAG_OVERLAPPED) | FILE_FLAG_FIRST_PIPE_INSTANCE;
    c->pipe = CreateNamedPipeW(path, mode, PIPE_TYPE_BYTE | PIPE_WAIT, 1, chunk, chunk, 0, NULL);
    if (c->pipe == INVALID_HANDLE_VALUE) return FALSE;
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
    DWORD access = to_program ? GENERIC_READ | FILE_WRITE_ATTRIBUTES : GENERIC_WRITE | FILE_READ_ATTRIBUTES;
    c->theirs = CreateFileW(path, access, 0, &inherited, OPEN_EXISTING, 0, NULL);
    return c->theirs != INVALID_HANDLE_VALUE;
}

static BOOL is_foreign(HANDLE stream) {
    return stream != NULL && stream != INVALID_HANDLE_VALUE && GetFileType(stream) == FILE_TYPE_PIPE;
}

/* The handle for the program, or NULL. */
static HANDLE output_for(struct copier *c, const wchar_t *name, HANDLE stream) {
    if (!is_foreign(stream)) return stream;
    c->other = stream;
    if (!open_pipe(c, name, FALSE)) return NULL;
    c->thread = CreateThread(NULL, 0, copy_output, c, 0, NULL);
    return c->thread == NULL ? NULL : c->theirs;
}

BOOL streams_open(STARTUPINFOW *streams, HANDLE input, HANDLE output, HANDLE errors) {
    ended = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (ended == NULL) return FALSE;
    streams->dwFlags |= STARTF_USESTDHANDLES;
    streams->hStdInput = input;
    if (is_foreign(input)) {
        input_copier.other = input;
        if (!open_pipe(&input_copier, L"in", TRUE)) return FALSE;
        input_copier.thread = CreateThread(NULL, 0, copy_input, &input_copier, 0, NULL);
        if (input_copier.thread == NULL) return FALSE;
        streams->hStdInput = input_copier.theirs;
    }
    streams->hStdOutput = output_for(&output_copiers[0], L"out", output);
    streams->hStdError = output_for(&output_copiers[1], L"err", errors);
    return (output == NULL || streams->hStdOutput != NULL) && (errors == NULL || streams->hStdError != NULL);
}

static void give(struct copier *c) {
    if (c->theirs != NULL) CloseHandle(c->theirs);
    c->theirs = NULL;
}

void streams_given(void) {
    give(&input_copier);
    give(&output_copiers[0]);
    give(&output_copiers[1]);
}

void streams_finish(void) {
    SetEvent(ended);
    for (int i = 0; i < 2; i++)
        if (output_copiers[i].thread != NULL) WaitForSingleObject(output_copiers[i].thread, INFINITE);
}
