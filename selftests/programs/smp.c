// SPDX-License-Identifier: GPL-2.0
/*
 * smp [N]: what a second CPU can get wrong. Other CPUs must not see a page any
 * more once the call that took it away has returned, although they read it all
 * the time and make no system call; interrupts between CPUs must arrive; a
 * thread must run where it was told to run and know it; timers must go on each
 * CPU. N (default 100) scales the counts.
 *
 * World: user mode, natively and in the guest, on any number of CPUs: with one
 * the readers are interrupted instead of raced with, and all of it holds, too.
 */
#define _GNU_SOURCE
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "ktap.h"
#include "util.h"

#define READERS 3
#define PAGES 3 /* the middle one is taken away */
#define PAGE 4096UL

static long rounds;

static int cpus(cpu_set_t *set)
{
	CPU_ZERO(set);
	if (sched_getaffinity(0, sizeof(*set), set))
		return 0;
	return CPU_COUNT(set);
}

static int nth_cpu(const cpu_set_t *set, int n)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, set) && !n--)
			return cpu;
	return -1;
}

static int run_on(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one);
}

/* ---- What another CPU took away is gone ---- */

enum act { UNMAP, DONTNEED, PROTECT_NONE, PROTECT_READ, REPLACE, ACTS };

/*
 * One round: the page is there, @gone is set once it is not. A reader takes
 * @gone first and accesses the page after that: with @gone set it must fault,
 * or see the new page.
 */
struct round {
	volatile uint64_t *page;
	_Atomic int gone;
	enum act act;
};

static struct round *_Atomic current_round;
static _Atomic int at_work, finished, wrong;
static __thread sigjmp_buf out;
static __thread volatile sig_atomic_t armed;

static void on_fault(int sig)
{
	if (!armed)
		_exit(KTAP_FAIL);
	siglongjmp(out, sig);
}

/*
 * Until the page has gone: hardly anything but loads and stores of user mode.
 * Where there are fewer CPUs than threads somebody must get on, though.
 */
static void play(struct round *round, int me)
{
	volatile uint64_t *word = round->page + me * 8;
	unsigned int patience = 1;
	int gone = 0;
	uint64_t value;

	atomic_fetch_add(&at_work, 1);
	while (!gone) {
		if (!(patience++ & 0x3fff))
			sched_yield();
		gone = atomic_load(&round->gone);
		if (round->act == PROTECT_READ) {
			*word = 1;
			if (gone)
				atomic_store(&wrong, 1 + PROTECT_READ);
			continue;
		}
		value = *word;
		if (!gone)
			continue;
		/* A fresh page, or what replaced it. */
		if (round->act == DONTNEED && !value)
			return;
		if (round->act == REPLACE && value == 2)
			return;
		atomic_store(&wrong, 1 + round->act);
	}
}

static void *reader(void *arg)
{
	struct round *round = NULL, *next;

	for (;;) {
		do {
			next = atomic_load(&current_round);
			if (next == round)
				sched_yield();
		} while (next == round);
		round = next;
		if (!round->page)
			return NULL;
		armed = 1;
		if (!sigsetjmp(out, 1))
			play(round, (int)(intptr_t)arg);
		armed = 0;
		atomic_fetch_add(&finished, 1);
	}
}

static int take_away(struct round *round, unsigned char *area)
{
	void *page = area + PAGE;

	switch (round->act) {
	case UNMAP:
		return munmap(page, PAGE);
	case DONTNEED:
		return madvise(page, PAGE, MADV_DONTNEED);
	case PROTECT_NONE:
		return mprotect(page, PAGE, PROT_NONE);
	case PROTECT_READ:
		return mprotect(page, PAGE, PROT_READ);
	default:
		return mmap(page, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			    0) == MAP_FAILED;
	}
}

/* A page to put in place of the old one, which is what REPLACE is about. */
static int replace(unsigned char *area)
{
	uint64_t *fresh = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(fresh != MAP_FAILED);
	for (int i = 0; i < 64; i++)
		fresh[i * 8] = 2;
	CHECK(mremap(fresh, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     area + PAGE) == area + PAGE);
	return KTAP_OK;
}

static int one_round(struct round *round)
{
	unsigned char *area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(area != MAP_FAILED);
	memset(area, 1, PAGES * PAGE);
	round->page = (void *)(area + PAGE);
	atomic_store(&at_work, 0);
	atomic_store(&finished, 0);
	atomic_store(&current_round, round);
	while (atomic_load(&at_work) < READERS)
		sched_yield();
	if (round->act == REPLACE)
		CHECK_RUN(replace(area));
	else
		CHECK(!take_away(round, area));
	atomic_store(&round->gone, 1);
	while (atomic_load(&finished) < READERS)
		sched_yield();
	CHECK_EQ(atomic_load(&wrong), 0);
	CHECK(!munmap(area, PAGES * PAGE));
	return KTAP_OK;
}

static int shoot_down(enum act act)
{
	static struct round end, all[2];
	struct sigaction fault = { .sa_handler = on_fault };
	struct sigaction old_segv, old_bus;
	pthread_t threads[READERS];

	CHECK(!sigaction(SIGSEGV, &fault, &old_segv));
	CHECK(!sigaction(SIGBUS, &fault, &old_bus));
	atomic_store(&wrong, 0);
	atomic_store(&current_round, NULL);
	for (int i = 0; i < READERS; i++)
		CHECK(!pthread_create(&threads[i], NULL, reader,
				      (void *)(intptr_t)i));
	for (long n = 0; n < rounds; n++) {
		struct round *round = &all[n & 1];

		round->act = act;
		atomic_store(&round->gone, 0);
		CHECK_RUN(one_round(round));
	}
	atomic_store(&current_round, &end);
	for (int i = 0; i < READERS; i++)
		CHECK(!pthread_join(threads[i], NULL));
	CHECK(!sigaction(SIGSEGV, &old_segv, NULL));
	CHECK(!sigaction(SIGBUS, &old_bus, NULL));
	return KTAP_OK;
}

static int t_unmap(void)
{
	return shoot_down(UNMAP);
}

static int t_dontneed(void)
{
	return shoot_down(DONTNEED);
}

static int t_protect_none(void)
{
	return shoot_down(PROTECT_NONE);
}

static int t_protect_read(void)
{
	return shoot_down(PROTECT_READ);
}

static int t_replace(void)
{
	return shoot_down(REPLACE);
}

/*
 * fork() takes the right to write from all threads: the child's copy stands
 * still while the parent's threads count on.
 */
static _Atomic int counting;

static void *counter(void *arg)
{
	volatile uint64_t *word = arg;

	while (atomic_load(&counting))
		++*word;
	return NULL;
}

static int child_sees(volatile uint64_t *page)
{
	uint64_t before[READERS];

	for (int i = 0; i < READERS; i++)
		before[i] = page[i * 8];
	usleep(1000);
	for (int i = 0; i < READERS; i++)
		if (page[i * 8] != before[i])
			return 1;
	return 0;
}

static int t_fork(void)
{
	volatile uint64_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t threads[READERS];
	int status;
	pid_t pid;

	CHECK(page != MAP_FAILED);
	atomic_store(&counting, 1);
	for (int i = 0; i < READERS; i++)
		CHECK(!pthread_create(&threads[i], NULL, counter,
				      (void *)(page + i * 8)));
	for (long n = 0; n < rounds / 4 + 1; n++) {
		pid = fork();
		CHECK(pid >= 0);
		if (!pid)
			_exit(child_sees(page));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, 0);
	}
	atomic_store(&counting, 0);
	for (int i = 0; i < READERS; i++)
		CHECK(!pthread_join(threads[i], NULL));
	return KTAP_OK;
}

/* ---- Interrupts between CPUs ---- */

static void *spin(void *arg)
{
	cpu_set_t set;
	int n = cpus(&set);

	run_on(nth_cpu(&set, (int)(intptr_t)arg % n));
	for (unsigned int n = 1; atomic_load(&counting); n++)
		if (!(n & 0x3fff))
			sched_yield();
	return NULL;
}

static int with_spinners(int (*work)(pthread_t *threads))
{
	pthread_t threads[READERS];
	int ret;

	atomic_store(&counting, 1);
	for (int i = 0; i < READERS; i++)
		CHECK(!pthread_create(&threads[i], NULL, spin,
				      (void *)(intptr_t)(i + 1)));
	ret = work(threads);
	atomic_store(&counting, 0);
	for (int i = 0; i < READERS; i++)
		CHECK(!pthread_join(threads[i], NULL));
	return ret;
}

static int barriers(pthread_t *threads)
{
	(void)threads;
	for (long n = 0; n < rounds * 5; n++)
		CHECK(!syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED,
			       0, 0));
	return KTAP_OK;
}

static int t_membarrier(void)
{
	CHECK(!syscall(SYS_membarrier,
		       MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	return with_spinners(barriers);
}

static _Atomic long signals;

static void on_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&signals, 1);
}

/* Each is waited for: a thread that only spins must be interrupted for it. */
static int signal_spinners(pthread_t *threads)
{
	long want = 0;

	atomic_store(&signals, 0);
	for (long n = 0; n < rounds; n++) {
		for (int i = 0; i < READERS; i++)
			CHECK(!pthread_kill(threads[i], SIGUSR1));
		want += READERS;
		while (atomic_load(&signals) < want)
			sched_yield();
	}
	CHECK_EQ(atomic_load(&signals), want);
	return KTAP_OK;
}

static int t_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	CHECK(!sigaction(SIGUSR1, &action, NULL));
	return with_spinners(signal_spinners);
}

/* ---- Every CPU ---- */

static int t_affinity(void)
{
	cpu_set_t set;
	unsigned int cpu;
	int n = cpus(&set);

	CHECK(n > 0);
	for (long i = 0; i < rounds * 2; i++) {
		int want = nth_cpu(&set, (int)(i % n));

		CHECK(!run_on(want));
		/* The vDSO's answer, by RDPID, LSL or RDTSCP, and the kernel's. */
		CHECK_EQ(sched_getcpu(), want);
		CHECK(!syscall(SYS_getcpu, &cpu, NULL, NULL));
		CHECK_EQ(cpu, want);
	}
	CHECK(!sched_setaffinity(0, sizeof(set), &set));
	return KTAP_OK;
}

static int t_timers(void)
{
	struct timespec ms = { .tv_nsec = 1000000 };
	cpu_set_t set;
	int n = cpus(&set);
	long begun;

	for (int i = 0; i < n; i++) {
		CHECK(!run_on(nth_cpu(&set, i)));
		for (int j = 0; j < 10; j++) {
			begun = ktap_ms();
			CHECK(!nanosleep(&ms, NULL));
			CHECK(ktap_ms() > begun);
		}
	}
	CHECK(!sched_setaffinity(0, sizeof(set), &set));
	return KTAP_OK;
}

/* ---- Many processes that wake one another, as hackbench has them ---- */

#define GROUP 8

static void chatter(int fd, long messages)
{
	uint64_t word;

	for (long n = 0; n < messages; n++) {
		if (read(fd, &word, sizeof(word)) != sizeof(word))
			_exit(1);
		word++;
		if (write(fd, &word, sizeof(word)) != sizeof(word))
			_exit(1);
	}
	_exit(0);
}

static int t_hackbench(void)
{
	int fds[GROUP][2], status;
	long messages = rounds;
	uint64_t word;

	for (int i = 0; i < GROUP; i++) {
		CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]));
		if (!fork())
			chatter(fds[i][1], messages);
		close(fds[i][1]);
	}
	for (long n = 0; n < messages; n++) {
		word = n;
		for (int i = 0; i < GROUP; i++)
			CHECK_EQ(write(fds[i][0], &word, sizeof(word)),
				 sizeof(word));
		for (int i = 0; i < GROUP; i++) {
			CHECK_EQ(read(fds[i][0], &word, sizeof(word)),
				 sizeof(word));
			CHECK_EQ(word, n + 1);
		}
	}
	for (int i = 0; i < GROUP; i++) {
		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
		close(fds[i][0]);
	}
	return KTAP_OK;
}

int main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		{ "what munmap() took is gone on all CPUs", t_unmap },
		{ "what madvise() took is gone on all CPUs", t_dontneed },
		{ "what mprotect() closed is closed on all CPUs",
		  t_protect_none },
		{ "what mprotect() made read-only is so on all CPUs",
		  t_protect_read },
		{ "what mremap() replaced is replaced on all CPUs", t_replace },
		{ "a fork's copy stands still while threads write", t_fork },
		{ "barriers on all CPUs", t_membarrier },
		{ "signals to threads that spin", t_signals },
		{ "a thread runs where it was told to, and knows", t_affinity },
		{ "timers on every CPU", t_timers },
		{ "many processes that wake one another", t_hackbench },
	};

	rounds = ktap_arg(argc, argv, 1, 100);
	return ktap_run(tests, ARRAY_SIZE(tests));
}
