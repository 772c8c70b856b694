// SPDX-License-Identifier: GPL-2.0
/*
 * Operations: system calls, signals, switches between tasks. User space of the
 * place that is measured.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <asm/ldt.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

/* The loop alone: what every other one is measured against. */
static void empty_run(long n)
{
	while (n--)
		barrier();
}

static void getpid_run(long n)
{
	while (n--)
		syscall(SYS_getpid);
}

/* ---- One byte from a pipe that has them all ---- */

static int one[2], two[2];

static void make_pipe(int p[2])
{
	must(!pipe2(p, O_CLOEXEC), "pipe");
}

static void close_pipe(int p[2])
{
	close(p[0]);
	close(p[1]);
}

static void read1_prepare(long n)
{
	static const char zeroes[4096];
	long k;

	make_pipe(one);
	must(fcntl(one[1], F_SETPIPE_SZ, 1 << 20) > 0, "pipe size");
	for (; n > 0; n -= k) {
		k = n < (long)sizeof(zeroes) ? n : (long)sizeof(zeroes);
		must(write(one[1], zeroes, k) == k, "pipe");
	}
}

static void read1_run(long n)
{
	char c;

	while (n--)
		must(read(one[0], &c, 1) == 1, "read");
}

static void read1_clean(long n)
{
	(void)n;
	close_pipe(one);
}

/* ---- A signal to oneself: the call, the handler, sigreturn ---- */

static volatile sig_atomic_t caught;

static void handler(int signal)
{
	(void)signal;
	caught++;
}

static void signal_run(long n)
{
	int pid = getpid();

	signal(SIGUSR1, handler);
	caught = 0;
	for (long i = 0; i < n; i++)
		kill(pid, SIGUSR1);
	must(caught == n, "signals");
	signal(SIGUSR1, SIG_DFL);
}

/* ---- Two processes that wait for each other; N counts the switches ---- */

static pid_t partner;

static void processes_prepare(long n)
{
	char c;

	(void)n;
	make_pipe(one);
	make_pipe(two);
	partner = fork();
	must(partner >= 0, "fork");
	if (partner)
		return;
	close(one[1]);
	close(two[0]);
	while (read(one[0], &c, 1) == 1)
		must(write(two[1], &c, 1) == 1, "write");
	_exit(0);
}

static void processes_run(long n)
{
	char c = 0;

	for (long i = 0; i < n; i += 2)
		must(write(one[1], &c, 1) == 1 && read(two[0], &c, 1) == 1, "pipes");
}

static void processes_clean(long n)
{
	(void)n;
	close_pipe(one);
	wait_for(partner);
	close_pipe(two);
}

/* ---- The same with two threads and a word in memory ---- */

static pthread_t thread;
static int turn;

static void futex(int op, int value)
{
	syscall(SYS_futex, &turn, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void wait_turn(int mine)
{
	int is;

	while ((is = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != mine)
		futex(FUTEX_WAIT, is);
}

static void give_turn(int other)
{
	__atomic_store_n(&turn, other, __ATOMIC_RELEASE);
	futex(FUTEX_WAKE, 1);
}

static void *threads_other(void *argument)
{
	long n = (long)argument;

	for (long i = 0; i < n; i += 2) {
		wait_turn(1);
		give_turn(0);
	}
	return NULL;
}

static void threads_prepare(long n)
{
	turn = 0;
	must(!pthread_create(&thread, NULL, threads_other, (void *)n), "thread");
	/* It is to sleep in its first wait when the clock starts. */
	usleep(20000);
}

static void threads_run(long n)
{
	for (long i = 0; i < n; i += 2) {
		give_turn(1);
		wait_turn(0);
	}
}

static void threads_clean(long n)
{
	(void)n;
	must(!pthread_join(thread, NULL), "join");
}

/*
 * ---- One hypercall, from user space ----
 *
 * To give a TLS entry of the GDT another base is natively a store, and in a
 * Ringlet guest one hypercall (LOAD_TLS) that does next to nothing. The same
 * call without a change, "hypercall-base", is everything but that. There is no
 * 64-bit system call for it; for a 32-bit one the descriptor is where the linker
 * of a static program puts it, below 4 GiB.
 */
static void set_tls(unsigned int base)
{
	static struct user_desc desc = {
		.entry_number = 12,
		.limit = 0xfffff,
		.seg_32bit = 1,
		.limit_in_pages = 1,
		.useable = 1,
	};
	long ret = 243; /* i386's set_thread_area() */

	desc.base_addr = base;
	asm volatile("int $0x80"
		     : "+a"(ret)
		     : "b"(&desc)
		     : "r8", "r9", "r10", "r11", "memory");
	must(!ret, "set_thread_area");
}

static void hypercall_run(long n)
{
	for (long i = 0; i < n; i++)
		set_tls(i & 1 ? 0x10000 : 0x20000);
}

static void hypercall_base_run(long n)
{
	for (long i = 0; i < n; i++)
		set_tls(0x10000);
}

/* clang-format off */
const struct operation syscall_operations[] = {
	{ "empty", NULL, empty_run, NULL },
	{ "getpid", NULL, getpid_run, NULL },
	{ "read1", read1_prepare, read1_run, read1_clean },
	{ "signal", NULL, signal_run, NULL },
	{ "ctxsw-process", processes_prepare, processes_run, processes_clean },
	{ "ctxsw-thread", threads_prepare, threads_run, threads_clean },
	{ "hypercall", NULL, hypercall_run, NULL },
	{ "hypercall-base", NULL, hypercall_base_run, NULL },
	{ }
};
/* clang-format on */
