/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What both fuzzers have in common: random numbers that a seed repeats, and
 * counts of what happened that survive the death of whoever counted.
 *
 * Runs in the disposable host. A count has a name ("call IRET", "death the
 * guest kernel returned to N"); they live in a table that all processes share,
 * without a lock, because any of them may be killed at any instruction. At the
 * end the parent prints them, "count NUMBER NAME" each, and the script `report'
 * makes sums and verdicts of them.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "uapi/ringlet.h"

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define __printf(f, a) __attribute__((format(printf, f, a)))

/* ---- Random numbers: splitmix64, one state for each thread ---- */

static inline u64 mix(u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static inline u64 random64(u64 *state)
{
	return mix(*state += 0x9e3779b97f4a7c15);
}

static inline u64 below(u64 *state, u64 n)
{
	return random64(state) % n;
}

/* True once in @n times. */
static inline bool one_in(u64 *state, u64 n)
{
	return !below(state, n);
}

#define PICK(state, array) ((array)[below(state, ARRAY_SIZE(array))])

/* ---- Counts ---- */

#define COUNTS 4096
#define NAME_MAX_LEN 120

struct count {
	u64 hash; /* 0: free */
	u64 n;
	char name[NAME_MAX_LEN];
};

static struct count *counts;

static inline void counts_init(void)
{
	counts = mmap(NULL, COUNTS * sizeof(*counts), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
}

static inline u64 hash_of(const char *text)
{
	u64 hash = 1;

	for (; *text; text++)
		hash = mix(hash + (u8)*text);
	return hash | 1;
}

/* Two names with one hash would be one count; of 64 bits none have. */
static inline void count_n(u64 n, const char *name)
{
	u64 hash = hash_of(name), was;
	unsigned int i = hash % COUNTS, tries;

	for (tries = 0; tries < COUNTS; tries++, i = (i + 1) % COUNTS) {
		was = __sync_val_compare_and_swap(&counts[i].hash, 0, hash);
		if (!was)
			snprintf(counts[i].name, NAME_MAX_LEN, "%s", name);
		if (!was || was == hash) {
			__sync_fetch_and_add(&counts[i].n, n);
			return;
		}
	}
}

__printf(1, 2) static inline void count(const char *fmt, ...)
{
	char name[NAME_MAX_LEN];
	va_list args;

	va_start(args, fmt);
	vsnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	count_n(1, name);
}

static inline u64 counted(const char *name)
{
	u64 hash = hash_of(name);
	unsigned int i = hash % COUNTS;

	for (; counts[i].hash; i = (i + 1) % COUNTS)
		if (counts[i].hash == hash)
			return counts[i].n;
	return 0;
}

static inline void counts_print(void)
{
	unsigned int i;

	for (i = 0; i < COUNTS; i++)
		if (counts[i].hash && counts[i].n)
			printf("count %llu %s\n",
			       (unsigned long long)counts[i].n, counts[i].name);
	fflush(stdout);
}

/* The sentence of a death, with N for its numbers and without registers. */
static inline void count_death(const char *message)
{
	char sentence[NAME_MAX_LEN] = "death ";
	size_t n = strlen(sentence);

	while (*message && n < sizeof(sentence) - 1 &&
	       strncmp(message, " (vCPU", 6)) {
		if (*message < ' ' || *message > '~') {
			message++;
		} else if (*message >= '0' && *message <= '9') {
			while (strchr("0123456789abcdefx", *message) &&
			       *message)
				message++;
			sentence[n++] = 'N';
		} else {
			sentence[n++] = *message++;
		}
	}
	sentence[n] = '\0';
	count_n(1, sentence);
}

#endif
