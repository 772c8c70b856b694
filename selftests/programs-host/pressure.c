// SPDX-License-Identifier: GPL-2.0
/*
 * What presses on a launcher's memory from outside. Runs in the disposable host.
 *
 *	pressure hog SCORE	have more and more memory, until it is killed; SCORE
 *				is how much the OOM killer is to like it, from
 *				-1000 to 1000
 *	pressure merge COMMAND…	run a command whose memory KSM may merge
 *	pressure frame PID ADDRESS
 *				print where a page of a process is, as a physical
 *				address; nothing if it is not in memory
 *
 * Status 0; 4 from merge if the kernel cannot.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#endif

#define MIB (1UL << 20)

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t random_word(void)
{
	static uint64_t x = 88172645463325252;

	x ^= x << 13;
	x ^= x >> 7;
	return x ^= x << 17;
}

/* Swap in compressed memory is to gain something: a quarter is random. */
static void fill(uint64_t *words, size_t bytes)
{
	for (size_t i = 0; i < bytes / 8; i++)
		if (i % 512 < 128)
			words[i] = random_word();
}

static void some_memory(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	fill(p, bytes);
}

static void hog(const char *score)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	if (fd < 0 || write(fd, score, strlen(score)) < 0)
		fail("oom_score_adj");
	close(fd);
	for (;;)
		some_memory(4 * MIB);
}

static void merge(char **command)
{
	if (prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0))
		exit(4);
	execvp(*command, command);
	fail(*command);
}

static void frame(const char *pid, uint64_t address)
{
	char path[64];
	uint64_t entry;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/pagemap", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0 || pread(fd, &entry, sizeof(entry), address / 4096 * 8) !=
			      sizeof(entry))
		fail(path);
	if (entry >> 63)
		printf("%#lx\n", (entry & ((1UL << 55) - 1)) * 4096);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (!strcmp(what, "hog"))
		hog(argv[2]);
	else if (!strcmp(what, "merge"))
		merge(argv + 2);
	else if (!strcmp(what, "frame") && argc == 4)
		frame(argv[2], strtoul(argv[3], NULL, 0));
	else
		return 2;
	return 0;
}
