// SPDX-License-Identifier: GPL-2.0
/*
 * clocks [MILLISECONDS]: time as programs see it. No sleep ends early, whatever
 * call it was asked for by; no clock goes back, read by the vDSO, by the system
 * call or by both in turn; the two agree; timers' signals arrive and none
 * before its time. MILLISECONDS (default 100) is the length of each busy loop:
 * a test bed that moves the vCPU between CPUs meanwhile gives it seconds. How
 * late sleeps were, and how clocks and TSC moved against each other, is in the
 * notes; the stamps there let the bed compare a guest's clocks with its own.
 *
 * World: user mode, natively and in the guest. The vDSO is found by auxv and
 * parsed here, so that libc's choice of path does not matter. Lateness is never
 * a failure: the machine may be busy.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <x86intrin.h>

#include "ktap.h"
#include "util.h"

#define MSEC 1000000ULL
#define SEC 1000000000ULL

static long busy_ms;

/* ---- The vDSO, by hand ---- */

typedef int gettime_fn(clockid_t clock, struct timespec *ts);
typedef int gettimeofday_fn(struct timeval *tv, void *zone);
typedef time_t time_fn(time_t *t);

static void *vdso_symbol(const char *name)
{
	const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *ehdr = (const void *)base;
	const Elf64_Phdr *phdr;
	const Elf64_Dyn *dyn = NULL;
	const Elf64_Sym *symtab = NULL;
	const char *strtab = NULL;
	const Elf64_Word *hash = NULL;

	if (!base || memcmp(base, ELFMAG, SELFMAG))
		return NULL;
	phdr = (const void *)(base + ehdr->e_phoff);
	for (int i = 0; i < ehdr->e_phnum; i++)
		if (phdr[i].p_type == PT_DYNAMIC)
			dyn = (const void *)(base + phdr[i].p_offset);
	for (; dyn && dyn->d_tag != DT_NULL; dyn++) {
		/* Linked at 0: each of these is an offset. */
		const void *p = base + dyn->d_un.d_ptr;

		if (dyn->d_tag == DT_SYMTAB)
			symtab = p;
		else if (dyn->d_tag == DT_STRTAB)
			strtab = p;
		else if (dyn->d_tag == DT_HASH)
			hash = p;
	}
	if (!symtab || !strtab)
		return NULL;
	/* Newer ones have only DT_GNU_HASH: the string table follows. */
	for (size_t i = 1;
	     hash ? i < hash[1] : (const char *)(symtab + i) < strtab; i++)
		if (symtab[i].st_value &&
		    !strcmp(strtab + symtab[i].st_name, name))
			return (void *)(base + symtab[i].st_value);
	return NULL;
}

static gettime_fn *vdso_gettime;

static uint64_t by_vdso(clockid_t clock)
{
	struct timespec ts = { 0 };

	vdso_gettime(clock, &ts);
	return ts.tv_sec * SEC + ts.tv_nsec;
}

static uint64_t by_syscall(clockid_t clock)
{
	struct timespec ts = { 0 };

	syscall(SYS_clock_gettime, clock, &ts);
	return ts.tv_sec * SEC + ts.tv_nsec;
}

static const struct {
	clockid_t id;
	const char *name;
} clocks[] = {
	{ CLOCK_MONOTONIC, "MONOTONIC" },
	{ CLOCK_REALTIME, "REALTIME" },
	{ CLOCK_BOOTTIME, "BOOTTIME" },
	{ CLOCK_MONOTONIC_RAW, "MONOTONIC_RAW" },
	{ CLOCK_MONOTONIC_COARSE, "MONOTONIC_COARSE" },
	{ CLOCK_REALTIME_COARSE, "REALTIME_COARSE" },
	{ CLOCK_TAI, "TAI" },
};

static int vdso_is_there(void)
{
	vdso_gettime = vdso_symbol("__vdso_clock_gettime");
	CHECK(getauxval(AT_SYSINFO_EHDR));
	CHECK(vdso_gettime);
	CHECK(vdso_symbol("__vdso_gettimeofday"));
	CHECK(vdso_symbol("__vdso_time"));
	CHECK(vdso_symbol("__vdso_getcpu"));
	CHECK(!vdso_symbol("__vdso_no_such_function"));
	return KTAP_OK;
}

/* ---- Never back ---- */

static uint64_t by_both(clockid_t clock)
{
	static unsigned int turn;

	return turn++ & 1 ? by_vdso(clock) : by_syscall(clock);
}

static int never_back(uint64_t (*get)(clockid_t))
{
	for (unsigned int i = 0; i < ARRAY_SIZE(clocks); i++) {
		uint64_t start = by_syscall(CLOCK_MONOTONIC);
		uint64_t last = get(clocks[i].id), reads = 0;

		do {
			for (int j = 0; j < 100; j++, reads++) {
				uint64_t now = get(clocks[i].id);

				if (now < last)
					ktap_note(
						"CLOCK_%s went back by %llu ns",
						clocks[i].name,
						(unsigned long long)(last -
								     now));
				CHECK(now >= last);
				last = now;
			}
		} while (by_syscall(CLOCK_MONOTONIC) - start <
			 busy_ms * MSEC / 10);
		CHECK(last > 0);
	}
	return KTAP_OK;
}

static int vdso_never_back(void)
{
	CHECK(vdso_gettime);
	return never_back(by_vdso);
}

static int syscall_never_back(void)
{
	return never_back(by_syscall);
}

static int both_never_back(void)
{
	CHECK(vdso_gettime);
	return never_back(by_both);
}

/* A clock that stands still never goes back either. */
static int clocks_advance(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(clocks); i++) {
		uint64_t start = by_syscall(clocks[i].id), now;
		long tries = 0;

		do {
			now = by_syscall(clocks[i].id);
		} while (now - start < MSEC && ++tries < 50000000);
		CHECK(now - start >= MSEC);
	}
	return KTAP_OK;
}

static int vdso_and_syscall_agree(void)
{
	gettimeofday_fn *gtod = vdso_symbol("__vdso_gettimeofday");
	time_fn *seconds = vdso_symbol("__vdso_time");

	CHECK(vdso_gettime && gtod && seconds);
	for (unsigned int i = 0; i < ARRAY_SIZE(clocks); i++)
		for (int j = 0; j < 500; j++) {
			uint64_t before = by_syscall(clocks[i].id);
			uint64_t between = by_vdso(clocks[i].id);
			uint64_t after = by_syscall(clocks[i].id);

			CHECK(before <= between);
			CHECK(between <= after);
		}
	for (int j = 0; j < 500; j++) {
		uint64_t before = by_syscall(CLOCK_REALTIME);
		struct timeval tv;
		uint64_t between, after;

		CHECK(!gtod(&tv, NULL));
		between = tv.tv_sec * SEC + tv.tv_usec * 1000ULL;
		after = by_syscall(CLOCK_REALTIME);
		CHECK(before / 1000 * 1000 <= between);
		CHECK(between <= after);
		/* time() counts in ticks of the coarse clock. */
		before = by_syscall(CLOCK_REALTIME_COARSE) / SEC;
		between = seconds(NULL);
		after = by_syscall(CLOCK_REALTIME_COARSE) / SEC;
		CHECK(before <= between && between <= after);
	}
	return KTAP_OK;
}

static int clocks_make_sense(void)
{
	struct timespec res;
	uint64_t mono = now_ns(CLOCK_MONOTONIC), boot = now_ns(CLOCK_BOOTTIME);

	/* Some time after this was written, some before the epoch overflows. */
	CHECK(now_ns(CLOCK_REALTIME) / SEC > 1700000000);
	CHECK(now_ns(CLOCK_REALTIME) / SEC < 10000000000);
	CHECK(boot >= mono);
	CHECK(!clock_getres(CLOCK_MONOTONIC, &res));
	CHECK_EQ(res.tv_sec, 0);
	CHECK_EQ(res.tv_nsec, 1); /* high-resolution timers are on */
	CHECK(clock_gettime(12345, &res) < 0);
	CHECK_EQ(errno, EINVAL);
	return KTAP_OK;
}

/* CPU time: grows with work, hardly with sleep, and is never more than real. */
static int cpu_time(void)
{
	uint64_t wall = now_ns(CLOCK_MONOTONIC);
	uint64_t cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t least = UINT64_MAX, asleep;

	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu < 20 * MSEC)
		CHECK(now_ns(CLOCK_MONOTONIC) - wall < 60 * SEC);
	CHECK(now_ns(CLOCK_MONOTONIC) - wall >= 19 * MSEC);
	/*
	 * Sleep is not CPU time. What a host takes from a vCPU meanwhile is,
	 * where it is not told as stolen: one quiet try of ten will do.
	 */
	for (int i = 0; i < 10 && least >= 20 * MSEC; i++) {
		asleep = now_ns(CLOCK_THREAD_CPUTIME_ID);
		CHECK(!usleep(30000));
		asleep = now_ns(CLOCK_THREAD_CPUTIME_ID) - asleep;
		if (asleep < least)
			least = asleep;
	}
	ktap_note("30 ms of sleep cost %llu us of CPU",
		  (unsigned long long)least / 1000);
	CHECK(least < 20 * MSEC);
	return KTAP_OK;
}

/* ---- Never early ---- */

static const uint64_t durations[] = {
	1, 1000, 50000, 999999, 1 * MSEC, 2500000, 10 * MSEC, 20 * MSEC,
};

static uint64_t latest;

/* Slept from start until now: that was at least the duration. */
static int not_early(uint64_t start, uint64_t duration)
{
	uint64_t slept = now_ns(CLOCK_MONOTONIC) - start;

	if (slept < duration)
		ktap_note("%llu ns early of %llu",
			  (unsigned long long)(duration - slept),
			  (unsigned long long)duration);
	CHECK(slept >= duration);
	if (slept - duration > latest)
		latest = slept - duration;
	return KTAP_OK;
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){ ns / SEC, ns % SEC };
}

static int sleep_nanosleep(void)
{
	latest = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(durations); i++) {
		struct timespec ts = to_timespec(durations[i]);
		uint64_t start = now_ns(CLOCK_MONOTONIC);

		CHECK(!nanosleep(&ts, NULL));
		CHECK_RUN(not_early(start, durations[i]));
	}
	ktap_note("at most %llu us late", (unsigned long long)latest / 1000);
	return KTAP_OK;
}

static int sleep_absolute(void)
{
	static const clockid_t ids[] = {
		CLOCK_MONOTONIC,
		CLOCK_REALTIME,
		CLOCK_BOOTTIME,
	};

	for (unsigned int c = 0; c < ARRAY_SIZE(ids); c++)
		for (unsigned int i = 0; i < ARRAY_SIZE(durations); i++) {
			uint64_t until = now_ns(ids[c]) + durations[i];
			struct timespec ts = to_timespec(until);

			CHECK(!clock_nanosleep(ids[c], TIMER_ABSTIME, &ts,
					       NULL));
			CHECK(now_ns(ids[c]) >= until);
		}
	return KTAP_OK;
}

/* The past is not waited for. */
static int sleep_past(void)
{
	struct timespec past = { 0, 1 };

	for (int i = 0; i < 1000; i++)
		CHECK(!clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past,
				       NULL));
	return KTAP_OK;
}

static int sleep_poll(void)
{
	struct pollfd none = { .fd = -1 };
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	for (unsigned int i = 0; i < ARRAY_SIZE(durations); i++) {
		struct timespec ts = to_timespec(durations[i]);
		struct timeval tv = { 0, (durations[i] + 999) / 1000 };
		int ms = durations[i] / MSEC;
		uint64_t start;

		start = now_ns(CLOCK_MONOTONIC);
		CHECK(!poll(&none, 1, ms));
		CHECK_RUN(not_early(start, ms * MSEC));
		start = now_ns(CLOCK_MONOTONIC);
		CHECK(!ppoll(&none, 1, &ts, NULL));
		CHECK_RUN(not_early(start, durations[i]));
		start = now_ns(CLOCK_MONOTONIC);
		CHECK(!select(0, NULL, NULL, NULL, &tv));
		CHECK_RUN(not_early(start, durations[i] / 1000 * 1000));
		if (epfd < 0)
			continue;
		start = now_ns(CLOCK_MONOTONIC);
		CHECK(!epoll_wait(epfd, &event, 1, ms));
		CHECK_RUN(not_early(start, ms * MSEC));
	}
	if (epfd >= 0)
		close(epfd);
	return KTAP_OK;
}

static int sleep_timerfd(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t start, count;

	if (fd < 0 && errno == ENOSYS)
		SKIP("no timerfd in this kernel");
	CHECK(fd >= 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(durations); i++) {
		struct itimerspec it = { .it_value =
						 to_timespec(durations[i]) };

		start = now_ns(CLOCK_MONOTONIC);
		CHECK(!timerfd_settime(fd, 0, &it, NULL));
		CHECK(read_all(fd, &count, sizeof(count)));
		CHECK_EQ(count, 1);
		CHECK_RUN(not_early(start, durations[i]));
	}
	/* Periodic: the n-th expiry is not before n periods. */
	{
		struct itimerspec it = {
			.it_value.tv_nsec = 2 * MSEC,
			.it_interval.tv_nsec = 2 * MSEC,
		};
		uint64_t total = 0;

		start = now_ns(CLOCK_MONOTONIC);
		CHECK(!timerfd_settime(fd, 0, &it, NULL));
		while (total < 10) {
			CHECK(read_all(fd, &count, sizeof(count)));
			total += count;
			CHECK_RUN(not_early(start, total * 2 * MSEC));
		}
	}
	close(fd);
	return KTAP_OK;
}

static int sleep_futex(void)
{
	uint32_t word = 5;

	for (unsigned int i = 0; i < ARRAY_SIZE(durations); i++) {
		struct timespec ts = to_timespec(durations[i]);
		uint64_t start = now_ns(CLOCK_MONOTONIC);

		CHECK(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 5, &ts) <
		      0);
		CHECK_EQ(errno, ETIMEDOUT);
		CHECK_RUN(not_early(start, durations[i]));
	}
	CHECK(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 6, NULL) < 0);
	CHECK_EQ(errno, EAGAIN);
	return KTAP_OK;
}

static int sleep_sigtimedwait(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	for (unsigned int i = 0; i < ARRAY_SIZE(durations); i++) {
		struct timespec ts = to_timespec(durations[i]);
		uint64_t start = now_ns(CLOCK_MONOTONIC);

		CHECK(sigtimedwait(&set, NULL, &ts) < 0);
		CHECK_EQ(errno, EAGAIN);
		CHECK_RUN(not_early(start, durations[i]));
	}
	return KTAP_OK;
}

/* Sleepers side by side, and somebody who computes. */
static int sleepers_together(void)
{
	pid_t pids[9];

	for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (!pids[i]) {
			for (int j = 1; i && j <= 10; j++) {
				uint64_t ns = (i * 7 + j * 13) % 40 * 100000;
				struct timespec ts = to_timespec(ns);
				uint64_t start = now_ns(CLOCK_MONOTONIC);

				if (nanosleep(&ts, NULL) ||
				    now_ns(CLOCK_MONOTONIC) - start < ns)
					_exit(1);
			}
			if (!i) {
				uint64_t start = now_ns(CLOCK_MONOTONIC);

				while (now_ns(CLOCK_MONOTONIC) - start <
				       30 * MSEC)
					;
			}
			_exit(0);
		}
		CHECK(pids[i] > 0);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++)
		CHECK_EQ(reap(pids[i]), 0);
	return KTAP_OK;
}

/* ---- Timers that send signals ---- */

static volatile sig_atomic_t expiries;
static volatile uint64_t first_expiry;

static void on_timer(int sig)
{
	(void)sig;
	if (!expiries)
		first_expiry = now_ns(CLOCK_MONOTONIC);
	expiries++;
}

/* Spin until the handler has run so often; false after a minute. */
static bool wait_expiries(int n)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC);

	while (expiries < n)
		if (now_ns(CLOCK_MONOTONIC) - start > 60 * SEC)
			return false;
	return true;
}

static int interval_timers(void)
{
	static const struct {
		int which, sig;
	} timers[] = {
		{ ITIMER_REAL, SIGALRM },
		{ ITIMER_VIRTUAL, SIGVTALRM },
		{ ITIMER_PROF, SIGPROF },
	};
	struct sigaction sa = { .sa_handler = on_timer };

	for (unsigned int i = 0; i < ARRAY_SIZE(timers); i++) {
		struct itimerval it = {
			.it_value.tv_usec = 10000,
			.it_interval.tv_usec = 5000,
		};
		uint64_t start;

		CHECK(!sigaction(timers[i].sig, &sa, NULL));
		expiries = 0;
		start = now_ns(CLOCK_MONOTONIC);
		CHECK(!setitimer(timers[i].which, &it, NULL));
		CHECK(wait_expiries(4));
		memset(&it, 0, sizeof(it));
		CHECK(!setitimer(timers[i].which, &it, NULL));
		/* CPU time is counted in ticks by some kernels. */
		if (timers[i].which == ITIMER_REAL)
			CHECK(first_expiry - start >= 10 * MSEC);
	}
	return KTAP_OK;
}

static int posix_timers(void)
{
	struct sigaction sa = { .sa_handler = on_timer };
	struct sigevent event = {
		.sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGRTMIN + 2,
	};
	struct itimerspec it = {
		.it_value.tv_nsec = 8 * MSEC,
		.it_interval.tv_nsec = 4 * MSEC,
	};
	uint64_t start;
	timer_t timer;
	int total;

	CHECK(!sigaction(SIGRTMIN + 2, &sa, NULL));
	expiries = 0;
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	start = now_ns(CLOCK_MONOTONIC);
	CHECK(!timer_settime(timer, 0, &it, NULL));
	CHECK(wait_expiries(5));
	CHECK(first_expiry - start >= 8 * MSEC);
	CHECK(!timer_gettime(timer, &it));
	CHECK(it.it_value.tv_sec == 0 && it.it_value.tv_nsec <= 4 * (long)MSEC);
	CHECK(!timer_delete(timer));
	total = expiries;
	CHECK(!usleep(10000));
	CHECK_EQ(expiries, total);
	return KTAP_OK;
}

static int sleep_interrupted(void)
{
	struct sigaction sa = { .sa_handler = on_timer };
	struct itimerval it = { .it_value.tv_usec = 10000 };
	struct timespec ts = { 5, 0 }, left = { 99, 0 };
	uint64_t start = now_ns(CLOCK_MONOTONIC), slept;

	CHECK(!sigaction(SIGALRM, &sa, NULL));
	expiries = 0;
	CHECK(!setitimer(ITIMER_REAL, &it, NULL));
	CHECK(nanosleep(&ts, &left) < 0);
	CHECK_EQ(errno, EINTR);
	CHECK_EQ(expiries, 1);
	slept = now_ns(CLOCK_MONOTONIC) - start;
	CHECK(slept >= 10 * MSEC);
	/* What is left and what was slept is the whole. */
	CHECK(left.tv_sec * SEC + left.tv_nsec + slept >= 5 * SEC);
	CHECK(left.tv_sec * SEC + left.tv_nsec < 5 * SEC);
	return KTAP_OK;
}

/* ---- TSC, and the notes ---- */

static int tsc_never_back(void)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC), last = __rdtsc();

	do {
		for (int i = 0; i < 1000; i++) {
			uint64_t now = __rdtsc();

			CHECK(now >= last);
			last = now;
		}
	} while (now_ns(CLOCK_MONOTONIC) - start < busy_ms * MSEC / 5);
	return KTAP_OK;
}

static struct {
	uint64_t mono, real, raw, boot, tsc;
} stamp;

/* Read one after the other; kept is the try that took least time. */
static void take_stamp(const char *when)
{
	uint64_t best = -1;

	for (int i = 0; i < 100; i++) {
		uint64_t mono = now_ns(CLOCK_MONOTONIC);
		uint64_t real = now_ns(CLOCK_REALTIME);
		uint64_t raw = now_ns(CLOCK_MONOTONIC_RAW);
		uint64_t boot = now_ns(CLOCK_BOOTTIME);
		uint64_t tsc = __rdtsc();
		uint64_t took = now_ns(CLOCK_MONOTONIC) - mono;

		if (took >= best)
			continue;
		best = took;
		stamp.mono = mono;
		stamp.real = real;
		stamp.raw = raw;
		stamp.boot = boot;
		stamp.tsc = tsc;
	}
	ktap_note(
		"stamp %s: monotonic %llu realtime %llu raw %llu boottime %llu tsc %llu",
		when, (unsigned long long)stamp.mono,
		(unsigned long long)stamp.real, (unsigned long long)stamp.raw,
		(unsigned long long)stamp.boot, (unsigned long long)stamp.tsc);
}

static int start_stamp(void)
{
	take_stamp("at the start");
	return KTAP_OK;
}

static int drift(void)
{
	uint64_t mono = stamp.mono, real = stamp.real, raw = stamp.raw;
	uint64_t tsc = stamp.tsc;
	double span;

	take_stamp("at the end");
	span = stamp.mono - mono;
	CHECK(span > 0 && stamp.real > real && stamp.raw > raw);
	ktap_note(
		"drift against MONOTONIC: REALTIME %+.1f ppm, RAW %+.1f ppm; TSC %.3f MHz",
		((stamp.real - real) / span - 1) * 1e6,
		((stamp.raw - raw) / span - 1) * 1e6,
		(stamp.tsc - tsc) / span * 1e3);
	/* Anything near a percent is a broken clock, not a slewed one. */
	CHECK((stamp.real - real) / span > 0.99);
	CHECK((stamp.real - real) / span < 1.01);
	CHECK((stamp.raw - raw) / span > 0.99);
	CHECK((stamp.raw - raw) / span < 1.01);
	return KTAP_OK;
}

int main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		{ "stamps taken", start_stamp },
		{ "vDSO found", vdso_is_there },
		{ "clocks make sense", clocks_make_sense },
		{ "clocks advance", clocks_advance },
		{ "no clock goes back: vDSO", vdso_never_back },
		{ "no clock goes back: system call", syscall_never_back },
		{ "no clock goes back: both in turn", both_never_back },
		{ "vDSO and system call agree", vdso_and_syscall_agree },
		{ "TSC does not go back", tsc_never_back },
		{ "CPU time", cpu_time },
		{ "nanosleep never early", sleep_nanosleep },
		{ "clock_nanosleep to a time never early", sleep_absolute },
		{ "clock_nanosleep to the past returns", sleep_past },
		{ "poll, ppoll, select, epoll never early", sleep_poll },
		{ "timerfd never early", sleep_timerfd },
		{ "futex timeout never early", sleep_futex },
		{ "sigtimedwait never early", sleep_sigtimedwait },
		{ "nine processes sleep and compute", sleepers_together },
		{ "interval timers", interval_timers },
		{ "POSIX timers", posix_timers },
		{ "interrupted sleep says what is left", sleep_interrupted },
		{ "clocks keep the same pace", drift },
	};

	busy_ms = ktap_arg(argc, argv, 1, 100);
	return ktap_run(tests, ARRAY_SIZE(tests));
}
