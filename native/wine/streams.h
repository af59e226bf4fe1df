/* The three streams of the program that run.exe starts. */
#ifndef WBUILD_WINE_STREAMS_H
#define WBUILD_WINE_STREAMS_H

#include <windows.h>

/*
 * Puts into `streams` what the program gets for our input, output and errors. A terminal, a file or a device is passed on;
 * a pipe or socket of Linux stands behind a pipe of Windows, and threads copy. False when there is no memory for that.
 */
BOOL streams_open(STARTUPINFOW *streams, HANDLE input, HANDLE output, HANDLE errors);

/* The program has its own handles of them: ours would keep its pipes open. */
void streams_given(void);

/* What the program has written is copied; programs that it left behind are not waited for. */
void streams_finish(void);

#endif
