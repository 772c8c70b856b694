/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small things that several test programs need: a seeded generator, a
 * checksum, children and their statuses, the clock, this program's own path,
 * one CPU to stay on, and a temporary file.
 *
 * World: user mode, everywhere the programs run. Nothing here prints, and
 * nothing needs /proc unless its comment says so.
 */
#ifndef _UTIL_H
#define _UTIL_H

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL

/* xorshift64*: the same numbers in every world from the same seed (not 0). */
static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

/* FNV-1a; start with CHECKSUM_INIT. */
#define CHECKSUM_INIT 0xcbf29ce484222325ULL

static inline uint64_t checksum(uint64_t sum, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len--)
		sum = (sum ^ *p++) * 0x100000001b3ULL;
	return sum;
}

static inline void fill(void *data, size_t len, uint64_t seed)
{
	unsigned char *p = data;

	while (len--)
		*p++ = next_random(&seed) >> 56;
}

static inline uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Wait for a child: its exit status, 128 + signal, or -1. */
static inline int reap(pid_t pid)
{
	int status;
	pid_t ret;

	do {
		ret = waitpid(pid, &status, 0);
	} while (ret < 0 && errno == EINTR);
	if (ret != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Run a function in a child of its own; what it returned, as reap() does. */
static inline int in_child(int (*fn)(void *), void *arg)
{
	pid_t pid = fork();

	if (!pid)
		_exit(fn(arg));
	return pid < 0 ? -1 : reap(pid);
}

static inline bool read_all(int fd, void *buf, size_t len)
{
	while (len) {
		ssize_t n = read(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		buf = (char *)buf + n;
		len -= n;
	}
	return true;
}

static inline bool write_all(int fd, const void *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		buf = (const char *)buf + n;
		len -= n;
	}
	return true;
}

/* The path that execve was given: no /proc needed, good while cwd stays. */
static inline const char *own_path(void)
{
	static char path[PATH_MAX];
	const char *fn = (const char *)getauxval(AT_EXECFN);

	if (path[0])
		return path;
	if (!fn || !realpath(fn, path))
		snprintf(path, sizeof(path), "%s", fn ? fn : "");
	return path;
}

/* Stay on the lowest CPU that is allowed; its number, or -1. */
static inline int pin_to_one_cpu(void)
{
	cpu_set_t set, one;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		return sched_setaffinity(0, sizeof(one), &one) ? -1 : cpu;
	}
	return -1;
}

/*
 * A fresh file, opened for reading and writing, and its path. Tried in
 * $TMPDIR, /tmp and the current directory: an initramfs may have no /tmp.
 */
static inline int temp_file(char path[PATH_MAX])
{
	const char *dirs[] = { getenv("TMPDIR"), "/tmp", "." };

	for (unsigned int i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int fd;

		if (!dirs[i])
			continue;
		snprintf(path, PATH_MAX, "%s/ringlet-test-XXXXXX", dirs[i]);
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

#endif /* _UTIL_H */
