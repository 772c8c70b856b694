/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the benchmark's program share. All of it is an ordinary
 * program of user space; the same file runs natively and in every guest.
 *
 * An operation is three functions. prepare() and clean() cost what they cost;
 * only run() is measured, between two handshakes with whoever measures, so
 * that he can read counters of his own then (serve.c, drive.c).
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct operation - one thing to measure
 * @name: its name in selftests/bench/table
 * @prepare: makes what @n times run() needs
 * @run: does it @n times
 * @clean: takes away again what prepare() made
 * @workers: processes that share the work (parallel.c); others leave it out
 */
struct operation {
	const char *name;
	void (*prepare)(long n);
	void (*run)(long n);
	void (*clean)(long n);
	int workers;
};

extern const struct operation syscall_operations[];
extern const struct operation memory_operations[];
extern const struct operation process_operations[];
extern const struct operation time_operations[];
extern const struct operation cpu_operations[];
extern const struct operation parallel_operations[];

/* The program's own path, to execute itself; its environment. */
extern const char *own_path;
extern char **environ;

/*
 * What run() took, when that is not the time that passed in it (idle: only how
 * late it woke), else 0.
 */
extern uint64_t own_time;

/* @workers of the operation that is under way. */
extern int workers;

/* Keeps the compiler from moving anything across, or leaving it out. */
#define barrier() asm volatile("" ::: "memory")

uint64_t now(void);
void must(bool right, const char *what);
void wait_for(int pid);

/* Parts of operations that others are made of. */
void fork_run(long n);
void touch_prepare(long n);
void touch_run(long n);

const struct operation *find_operation(const char *name);
void stay_on_cpu(int cpu);

int serve(void);
int within(int argc, char **argv);
int drive(int argc, char **argv);
int be_init(void);

#endif
