// SPDX-License-Identifier: GPL-2.0
/*
 * KCOV for test programs: see kcov.h. Runs in the disposable host.
 *
 * The kernel writes return addresses into a buffer per thread. Of those only
 * the module's own are there: nothing else of a debug host is instrumented.
 * They are kept as offsets in the module's .text, so that they mean the same
 * after the module was loaded anew, and to bed/places, which has listed all of
 * them in /bed/places: offset and function, a line each.
 */
#define _GNU_SOURCE
#include "kcov.h"

#include <fcntl.h>
#include <linux/kcov.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* A vCPU's run of some seconds; what comes after it is full is lost. */
#define ENTRIES (1UL << 18)
/* No module of ours has as much text. */
#define TEXT_MAX (1UL << 20)
#define TEXT "/sys/module/ringlet/sections/.text"
#define PLACES "/bed/places"
#define LINKED_AT 0xffffffff81000000 /* _text, without KASLR */

struct kcov {
	int fd;
	unsigned long base; /* of the module's text, as it is loaded now */
	unsigned long *area; /* how many, then they */
};

/* Without a lock: who holds one may be killed, and the set is its parent's, too. */
static unsigned char *reached;

static __attribute__((constructor)) void make_set(void)
{
	reached = mmap(NULL, TEXT_MAX, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (reached == MAP_FAILED) {
		perror("coverage");
		exit(2);
	}
}

/* How far the kernel is from where it was linked, which KCOV takes off every address. */
static unsigned long kaslr_offset(void)
{
	unsigned long address, offset = 0;
	char name[128];
	FILE *f = fopen("/proc/kallsyms", "r");

	if (!f)
		return 0;
	while (!offset &&
	       fscanf(f, "%lx %*c %127s%*[^\n]", &address, name) == 2)
		if (!strcmp(name, "_text"))
			offset = address - LINKED_AT;
	fclose(f);
	return offset;
}

/* Where KCOV says that the module's text is now; 0 if it is not loaded. */
static unsigned long module_text(void)
{
	unsigned long base = 0;
	FILE *f = fopen(TEXT, "r");

	if (!f)
		return 0;
	if (fscanf(f, "%lx", &base) != 1)
		base = 0;
	fclose(f);
	return base ? base - kaslr_offset() : 0;
}

static void forget(struct kcov *kcov)
{
	__atomic_store_n(&kcov->area[0], 0, __ATOMIC_RELAXED);
}

struct kcov *kcov_start(void)
{
	struct kcov *kcov = malloc(sizeof(*kcov));

	if (!kcov)
		return NULL;
	kcov->fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (kcov->fd < 0)
		goto no_file;
	kcov->base = module_text();
	if (ioctl(kcov->fd, KCOV_INIT_TRACE, ENTRIES))
		goto no_area;
	kcov->area = mmap(NULL, ENTRIES * sizeof(long), PROT_READ | PROT_WRITE,
			  MAP_SHARED, kcov->fd, 0);
	if (kcov->area == MAP_FAILED)
		goto no_area;
	if (ioctl(kcov->fd, KCOV_ENABLE, KCOV_TRACE_PC))
		goto no_trace;
	forget(kcov);
	return kcov;

no_trace:
	munmap(kcov->area, ENTRIES * sizeof(long));
no_area:
	close(kcov->fd);
no_file:
	free(kcov);
	return NULL;
}

static void add(unsigned long offset)
{
	if (offset < TEXT_MAX)
		reached[offset] = 1;
}

void kcov_take(struct kcov *kcov)
{
	unsigned long n;

	if (!kcov)
		return;
	n = __atomic_load_n(&kcov->area[0], __ATOMIC_RELAXED);
	for (unsigned long i = 1; i <= n; i++)
		add(kcov->area[i] - kcov->base);
	forget(kcov);
}

static size_t places(void)
{
	size_t n = 0;

	for (unsigned long i = 0; i < TEXT_MAX; i++)
		n += reached[i];
	return n;
}

static bool save(const char *path)
{
	FILE *f = fopen(path, "a");

	if (!f)
		return false;
	for (unsigned long i = 0; i < TEXT_MAX; i++)
		if (reached[i])
			fprintf(f, "%lx\n", i);
	return !fclose(f);
}

bool kcov_load(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned long offset;

	if (!f)
		return false;
	while (fscanf(f, "%lx", &offset) == 1)
		add(offset);
	return !fclose(f);
}

void kcov_report(FILE *to)
{
	size_t all = 0, hit = 0, functions = 0, entered = 0, before = 0;
	char name[128], last[128] = "";
	unsigned long offset;
	FILE *f = fopen(PLACES, "r");

	if (!f) {
		fprintf(to, "# coverage: %zu places; there is no list of all\n",
			places());
		return;
	}
	/* By address, so that a function's places are together. */
	while (fscanf(f, "%lx %127s", &offset, name) == 2) {
		if (strcmp(name, last)) {
			if (functions && hit == before)
				fprintf(to, "# never entered: %s\n", last);
			entered += hit != before;
			before = hit;
			functions++;
			strcpy(last, name);
		}
		all++;
		hit += offset < TEXT_MAX && reached[offset];
	}
	if (functions && hit == before)
		fprintf(to, "# never entered: %s\n", last);
	entered += hit != before;
	fclose(f);
	fprintf(to,
		"# coverage: %zu of %zu places (%zu %%), %zu of %zu functions\n",
		hit, all, all ? hit * 100 / all : 0, entered, functions);
}

void kcov_end(FILE *to)
{
	const char *file = getenv("COVERAGE");

	if (!places())
		return;
	if (to)
		kcov_report(to);
	if (file && !save(file))
		perror(file);
}
