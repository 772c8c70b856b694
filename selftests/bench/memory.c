// SPDX-License-Identifier: GPL-2.0
/*
 * Operations: page faults and memory calls. User space of the place that is
 * measured. All memory here is of 4 KiB pages, whatever THP says.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define PAGE 4096L
#define GROUP 16L /* pages that mprotect and munmap take at a time */

static char *memory;
static int file = -1;

static char *map(long pages)
{
	char *m = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(m != MAP_FAILED, "mmap");
	madvise(m, pages * PAGE, MADV_NOHUGEPAGE);
	return m;
}

static long faults(void)
{
	struct rusage r;

	must(!getrusage(RUSAGE_SELF, &r), "getrusage");
	return r.ru_minflt;
}

static void write_each(char *m, long pages)
{
	for (long i = 0; i < pages; i++)
		((volatile char *)m)[i * PAGE] = 1;
}

static void unmap(long pages)
{
	must(!munmap(memory, pages * PAGE), "munmap");
}

/* ---- First touch: as many faults as pages, by the kernel's own count ---- */

void touch_prepare(long n)
{
	memory = map(n);
}

void touch_run(long n)
{
	long before = faults();

	write_each(memory, n);
	must(faults() - before == n, "another number of faults than pages");
}

/*
 * ---- First write to pages that are mapped already ----
 *
 * Natively a TLB miss at most. Where page tables have shadows it is what one
 * entry of them costs.
 */

static void fill_prepare(long n)
{
	memory = map(n);
	must(!madvise(memory, n * PAGE, MADV_POPULATE_WRITE), "MADV_POPULATE_WRITE");
}

static void fill_run(long n)
{
	write_each(memory, n);
}

/* Not given back yet, so that the next ones are not the same frames again. */
static struct {
	char *memory;
	long pages;
} kept[8];

static void keep(long n)
{
	int i;

	for (i = 0; kept[i].pages; i++)
		must(i < 7, "that many cold touches");
	kept[i].memory = memory;
	kept[i].pages = n;
}

/* N MiB, most of a small guest's memory: from then on the host has given it. */
static void warm_run(long n)
{
	long pages = (n << 20) / PAGE;

	for (int i = 0; kept[i].pages; i++) {
		munmap(kept[i].memory, kept[i].pages * PAGE);
		kept[i].pages = 0;
	}
	memory = map(pages);
	write_each(memory, pages);
	unmap(pages);
}

/* ---- A file's pages, all in the page cache; the kernel maps some at a time ---- */

static void file_prepare(long n)
{
	static const char page[PAGE] = "page";

	file = syscall(SYS_memfd_create, "file", 0);
	must(file >= 0, "memfd");
	for (long i = 0; i < n; i++)
		must(write(file, page, PAGE) == PAGE, "write");
	memory = mmap(NULL, n * PAGE, PROT_READ, MAP_SHARED, file, 0);
	must(memory != MAP_FAILED, "mmap");
}

static void file_run(long n)
{
	for (long i = 0; i < n; i++)
		(void)((volatile char *)memory)[i * PAGE];
}

static void file_clean(long n)
{
	unmap(n);
	close(file);
}

/* ---- Copy on write: a child has the same pages, and waits ---- */

static int release[2];
static pid_t child;

static void cow_prepare(long n)
{
	char c;

	memory = map(n);
	write_each(memory, n);
	must(!pipe(release), "pipe");
	child = fork();
	must(child >= 0, "fork");
	if (!child) {
		close(release[1]);
		_exit(read(release[0], &c, 1) != 0);
	}
}

static void cow_run(long n)
{
	long before = faults();

	write_each(memory, n);
	must(faults() - before >= n, "fewer faults than pages");
}

static void cow_clean(long n)
{
	close(release[1]);
	close(release[0]);
	wait_for(child);
	unmap(n);
}

/* ---- Sixteen pages made read-only and writable again, then written ---- */

static void mprotect_prepare(long n)
{
	(void)n;
	memory = map(GROUP);
	write_each(memory, GROUP);
}

static void mprotect_run(long n)
{
	while (n--) {
		must(!mprotect(memory, GROUP * PAGE, PROT_READ) &&
		     !mprotect(memory, GROUP * PAGE, PROT_READ | PROT_WRITE), "mprotect");
		write_each(memory, GROUP);
	}
}

static void mprotect_clean(long n)
{
	(void)n;
	unmap(GROUP);
}

/* ---- Sixteen touched pages taken away, every second group so that none merge ---- */

static void munmap_prepare(long n)
{
	memory = map(2 * n * GROUP);
	for (long i = 0; i < n; i++)
		write_each(memory + 2 * i * GROUP * PAGE, GROUP);
}

static void munmap_run(long n)
{
	for (long i = 0; i < n; i++)
		must(!munmap(memory + 2 * i * GROUP * PAGE, GROUP * PAGE), "munmap");
}

static void munmap_clean(long n)
{
	unmap(2 * n * GROUP);
}

/* ---- A walk over 256 MiB: each step a page and a cache line further ---- */

#define WALK (256L << 20)

static void walk_prepare(long n)
{
	(void)n;
	memory = map(WALK / PAGE);
	write_each(memory, WALK / PAGE);
}

static void walk_run(long n)
{
	unsigned long at = 0;

	while (n--) {
		at += ((volatile char *)memory)[at] + PAGE + 63;
		at &= WALK - 1;
	}
}

static void walk_clean(long n)
{
	(void)n;
	unmap(WALK / PAGE);
}

/* clang-format off */
const struct operation memory_operations[] = {
	{ "touch", touch_prepare, touch_run, unmap },
	{ "touch-cold", touch_prepare, touch_run, keep },
	{ "fill", fill_prepare, fill_run, unmap },
	{ "warm", NULL, warm_run, NULL },
	{ "file", file_prepare, file_run, file_clean },
	{ "cow", cow_prepare, cow_run, cow_clean },
	{ "mprotect", mprotect_prepare, mprotect_run, mprotect_clean },
	{ "munmap", munmap_prepare, munmap_run, munmap_clean },
	{ "walk", walk_prepare, walk_run, walk_clean },
	{ }
};
/* clang-format on */
