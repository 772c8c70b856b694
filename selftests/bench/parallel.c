// SPDX-License-Identifier: GPL-2.0
/*
 * Operations of several processes at once. User space of the place that is
 * measured.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define MAX_WORKERS 16

static int start[2], done[2], end[2];
static pid_t pids[MAX_WORKERS];

static void make_pipes(void)
{
	must(workers <= MAX_WORKERS && !pipe(start) && !pipe(done) && !pipe(end),
	     "pipes");
}

static void close_pipes(void)
{
	for (int i = 0; i < 2; i++) {
		close(start[i]);
		close(done[i]);
		close(end[i]);
	}
}

/*
 * ---- The same on each CPU at once: N in all, each worker its share ----
 *
 * Workers have a CPU of their own as far as there are CPUs; what they share is
 * the kernel's.
 */

static void worker(int i, long n, void (*prepare)(long n), void (*run)(long n))
{
	char c = 0;

	stay_on_cpu(i % (int)sysconf(_SC_NPROCESSORS_ONLN));
	if (prepare)
		prepare(n);
	must(write(done[1], &c, 1) == 1 && read(start[0], &c, 1) == 1, "start");
	run(n);
	must(write(done[1], &c, 1) == 1, "done");
	/* What its memory costs to give back is not to fall into another's time. */
	must(read(end[0], &c, 1) == 1, "end");
	_exit(0);
}

static void hear_all(void)
{
	char c;

	for (int i = 0; i < workers; i++)
		must(read(done[0], &c, 1) == 1, "a worker");
}

static void tell_all(int pipe[2])
{
	static const char bytes[MAX_WORKERS];

	must(write(pipe[1], bytes, workers) == workers, "workers");
}

static void workers_prepare(long n, void (*prepare)(long n), void (*run)(long n))
{
	must(n % workers == 0, "equal shares");
	make_pipes();
	for (int i = 0; i < workers; i++) {
		pids[i] = fork();
		must(pids[i] >= 0, "fork");
		if (!pids[i])
			worker(i, n / workers, prepare, run);
	}
	hear_all();
}

static void forks_prepare(long n)
{
	workers_prepare(n, NULL, fork_run);
}

static void touches_prepare(long n)
{
	workers_prepare(n, touch_prepare, touch_run);
}

static void workers_run(long n)
{
	(void)n;
	tell_all(start);
	hear_all();
}

static void workers_clean(long n)
{
	(void)n;
	tell_all(end);
	for (int i = 0; i < workers; i++)
		wait_for(pids[i]);
	close_pipes();
}

/*
 * ---- Ten busy processes on one CPU: N counts the turns, one switch each ----
 *
 * A number goes round, and each who gets it writes to memory that it has, takes
 * some more and gives that back. More processes than address spaces that a CPU
 * is told to remember (Linux uses six PCIDs).
 */

#define OWN 32L /* pages that a process keeps, */
#define NEW 8L	/* and that it takes for each turn */
#define PAGE 4096L

static int ring[MAX_WORKERS][2];

static char *pages(long n)
{
	char *m = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	must(m != MAP_FAILED, "mmap");
	return m;
}

static void write_pages(char *m, long n)
{
	for (long i = 0; i < n; i++)
		((volatile char *)m)[i * PAGE]++;
}

static void busy_worker(int i)
{
	char *own = pages(OWN), *new;
	long left;

	write_pages(own, OWN);
	for (;;) {
		must(read(ring[i][0], &left, sizeof(left)) == sizeof(left), "turn");
		if (!left--)
			break;
		write_pages(own, OWN);
		new = pages(NEW);
		write_pages(new, NEW);
		munmap(new, NEW * PAGE);
		if (!left)
			must(write(done[1], "", 1) == 1, "done");
		else
			must(write(ring[(i + 1) % workers][1], &left, sizeof(left)) ==
			     sizeof(left), "turn");
	}
	_exit(0);
}

static void give(int i, long left)
{
	must(write(ring[i][1], &left, sizeof(left)) == sizeof(left), "turn");
}

static void busy_prepare(long n)
{
	(void)n;
	make_pipes();
	for (int i = 0; i < workers; i++)
		must(!pipe(ring[i]), "pipe");
	for (int i = 0; i < workers; i++) {
		pids[i] = fork();
		must(pids[i] >= 0, "fork");
		if (!pids[i])
			busy_worker(i);
	}
}

static void busy_run(long n)
{
	char c;

	give(0, n);
	must(read(done[0], &c, 1) == 1, "done");
}

static void busy_clean(long n)
{
	(void)n;
	for (int i = 0; i < workers; i++) {
		give(i, 0);
		wait_for(pids[i]);
		close(ring[i][0]);
		close(ring[i][1]);
	}
	close_pipes();
}

/* clang-format off */
const struct operation parallel_operations[] = {
	{ "fork-x1", forks_prepare, workers_run, workers_clean, 1 },
	{ "fork-x2", forks_prepare, workers_run, workers_clean, 2 },
	{ "fork-x4", forks_prepare, workers_run, workers_clean, 4 },
	{ "fork-x8", forks_prepare, workers_run, workers_clean, 8 },
	{ "touch-x1", touches_prepare, workers_run, workers_clean, 1 },
	{ "touch-x2", touches_prepare, workers_run, workers_clean, 2 },
	{ "touch-x4", touches_prepare, workers_run, workers_clean, 4 },
	{ "touch-x8", touches_prepare, workers_run, workers_clean, 8 },
	{ "busy", busy_prepare, busy_run, busy_clean, 10 },
	{ }
};
/* clang-format on */
