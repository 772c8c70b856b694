// SPDX-License-Identifier: GPL-2.0
/*
 * The benchmark's one program, static so that the same file runs everywhere:
 *
 *   bench serve      do what stdin asks for, say on stdout what it took
 *   /init            the same, as the first program of a guest
 *   bench drive …    start a command that serves, and measure (drive.c)
 *   bench within …   read counters of the kernel it runs on (within.c)
 *   bench nothing    what an exec is measured with
 *
 * It is a guest's user space, or the host's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

const char *own_path;

uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* A figure of something that did not happen is worse than none. */
void must(bool right, const char *what)
{
	if (right)
		return;
	dprintf(2, "bench: %s: %m\n", what);
	_exit(1);
}

void wait_for(int pid)
{
	int status;

	must(waitpid(pid, &status, 0) == pid && !status, "a child");
}

int main(int argc, char **argv)
{
	own_path = argv[0];
	if (!strcmp(argv[0], "/init"))
		return be_init();
	if (argc == 2 && !strcmp(argv[1], "nothing"))
		return 0;
	if (argc == 2 && !strcmp(argv[1], "serve"))
		return serve();
	if (argc > 2 && !strcmp(argv[1], "drive"))
		return drive(argc - 2, argv + 2);
	if (argc > 3 && !strcmp(argv[1], "within"))
		return within(argc - 2, argv + 2);
	fprintf(stderr, "usage: bench serve|nothing|drive|within\n");
	return 2;
}
