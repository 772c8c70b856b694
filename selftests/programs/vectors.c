// SPDX-License-Identifier: GPL-2.0
/*
 * vectors [SWITCHES [SECONDS]]: fill the whole extended state (x87 and MXCSR,
 * SSE, AVX, AVX-512 with its masks, PKRU; what the CPU offers) with patterns
 * that change each round, and look that they are still there after involuntary
 * context switches, system calls, page faults, signals and fork. SWITCHES
 * (default 200) are counted from nonvoluntary_ctxt_switches in
 * /proc/self/status; SECONDS (default 20) ends the wait for them.
 *
 * vectors --dirty [SECONDS]: the competitor. It overwrites the whole state
 * over and over, and sleeps a little in between, so that the scheduler keeps
 * preempting others on its CPU for it. The default run forks one for itself; a
 * test bed runs more of them on the host, beside the launcher. 0 seconds (the
 * default): until killed. It prints nothing.
 *
 * World: user mode, natively and in the guest; --dirty also beside a guest, on
 * its host. Needs /proc for the count: without it, or where nothing preempts
 * (SECONDS pass), the test of that name fails and says so.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>

#include "ktap.h"
#include "util.h"
#include "vectors_regs.h"

static unsigned int have;
static long switches_wanted, seconds_allowed;
static struct vector_image in, out;

/* ---- What there is ---- */

static uint64_t read_xcr0(void)
{
	uint32_t eax, edx;

	asm volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	return (uint64_t)edx << 32 | eax;
}

static unsigned int find_features(void)
{
	unsigned int a, b, c, d, found = 0;
	uint64_t xcr0;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return 0;
	xcr0 = read_xcr0();
	if ((c & bit_AVX) && (xcr0 & 0x6) == 0x6)
		found |= HAVE_AVX;
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
		return found;
	if ((b & bit_AVX512F) && (b & bit_AVX512BW) && (xcr0 & 0xe6) == 0xe6)
		found |= HAVE_AVX512;
	if (c & bit_OSPKE)
		found |= HAVE_PKRU;
	return found;
}

/* ---- Patterns ---- */

/* Any bits in the vectors; what is legal in the rest. */
static void make_pattern(struct vector_image *image, uint64_t seed)
{
	memset(image, 0, sizeof(*image));
	fill(image->zmm, sizeof(image->zmm), seed | 1);
	fill(image->k, sizeof(image->k), seed + 0x6b00);
	for (int i = 0; i < 8; i++) {
		fill(image->x87[i], 8, seed + 0x7800 + i);
		image->x87[i][7] |= 0x80; /* a normal number */
		image->x87[i][8] = seed + i;
		image->x87[i][9] = 0x40;
	}
	/* All exceptions masked; rounding, FTZ and DAZ by turns. */
	image->mxcsr = 0x1f80 | (seed & 3) << 13 | (seed & 4) << 13;
	image->fcw = 0x037f | (seed & 3) << 10;
	/* Keys 1 to 15; key 0 is what our own memory has. */
	image->pkru = (uint32_t)(seed * 0x9e3779b1) & ~3U;
}

static const char *first_difference(const struct vector_image *a,
				    const struct vector_image *b)
{
	static char what[32];
	int vectors = have & HAVE_AVX512 ? 32 : 16;
	size_t width = have & HAVE_AVX512 ? 64 : have & HAVE_AVX ? 32 : 16;

	for (int i = 0; i < vectors; i++)
		for (size_t j = 0; j < width; j += 16)
			if (memcmp(a->zmm[i] + j, b->zmm[i] + j, 16)) {
				snprintf(what, sizeof(what),
					 "vector %d byte %d", i, (int)j);
				return what;
			}
	if ((have & HAVE_AVX512) && memcmp(a->k, b->k, sizeof(a->k)))
		return "a mask register";
	for (int i = 0; i < 8; i++)
		if (memcmp(a->x87[i], b->x87[i], 10)) {
			snprintf(what, sizeof(what), "x87 register %d", i);
			return what;
		}
	if (a->mxcsr != b->mxcsr)
		return "MXCSR";
	if (a->fcw != b->fcw)
		return "the x87 control word";
	if ((have & HAVE_PKRU) && a->pkru != b->pkru)
		return "PKRU";
	return NULL;
}

static int check_window(uint64_t seed, unsigned int what, uint64_t arg)
{
	const char *changed;

	make_pattern(&in, seed);
	memset(&out, 0x5a, sizeof(out));
	vector_window(&in, &out, have, what, arg);
	changed = first_difference(&in, &out);
	if (changed) {
		ktap_note("changed: %s, in round %llu", changed,
			  (unsigned long long)seed);
		return KTAP_FAIL;
	}
	return KTAP_OK;
}

/* ---- The competitor ---- */

static void dirty_once(uint64_t round)
{
	static struct vector_image image, trash;

	/* Not the victim's patterns: the seeds are far apart. */
	make_pattern(&image, 0xd1d1000000000000 + round);
	vector_window(&image, &trash, have, WINDOW_SPIN, 2000);
}

static int be_dirty(long seconds)
{
	uint64_t end = now_ns(CLOCK_MONOTONIC) + seconds * 1000000000ULL;

	for (uint64_t round = 0;; round++) {
		dirty_once(round);
		/* Mostly sleeping, so that each wakeup preempts somebody. */
		if (round % 8 < 6)
			usleep(30);
		if (seconds && now_ns(CLOCK_MONOTONIC) >= end)
			return KTAP_OK;
	}
}

static pid_t start_competitor(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	_exit(be_dirty(0));
}

static void stop_competitor(pid_t pid)
{
	kill(pid, SIGKILL);
	reap(pid);
}

/* ---- Counting switches ---- */

static long involuntary_switches(void)
{
	static const char key[] = "\nnonvoluntary_ctxt_switches:";
	static char text[8192];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t n;
	char *found;

	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = 0;
	found = strstr(text, key);
	return found ? strtol(found + sizeof(key) - 1, NULL, 10) : -1;
}

static int over_preemption(void)
{
	uint64_t end =
		now_ns(CLOCK_MONOTONIC) + seconds_allowed * 1000000000ULL;
	long first = involuntary_switches(), now = first, rounds = 0;
	int ret = KTAP_OK;
	pid_t pid;

	CHECK(first >= 0);
	pid = start_competitor();
	CHECK(pid > 0);
	while (!ret && now - first < switches_wanted &&
	       now_ns(CLOCK_MONOTONIC) < end) {
		/* Long windows: nearly all preemption falls into one. */
		for (int i = 0; i < 10 && !ret; i++)
			ret = check_window(rounds++, WINDOW_SPIN, 200000);
		now = involuntary_switches();
	}
	stop_competitor(pid);
	ktap_note("%ld involuntary switches in %ld rounds", now - first,
		  rounds);
	CHECK_RUN(ret);
	CHECK(now - first >= switches_wanted);
	return KTAP_OK;
}

static int over_voluntary_switches(void)
{
	pid_t pid = start_competitor();
	int ret = KTAP_OK;

	CHECK(pid > 0);
	for (long i = 0; i < 500 && !ret; i++)
		ret = check_window(i, WINDOW_SYSCALL, SYS_sched_yield);
	stop_competitor(pid);
	return ret;
}

static int over_syscalls(void)
{
	for (long i = 0; i < 500; i++) {
		CHECK_RUN(check_window(i, WINDOW_SYSCALL, SYS_getppid));
		/* A number that there is not takes another way out. */
		CHECK_RUN(check_window(i, WINDOW_SYSCALL, 100000));
	}
	return KTAP_OK;
}

static int over_page_faults(void)
{
	enum { PAGES = 200 };
	char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	madvise(p, PAGES * PAGE, MADV_NOHUGEPAGE);
	for (unsigned long i = 0; i < PAGES; i++)
		CHECK_RUN(
			check_window(i, WINDOW_TOUCH, (uint64_t)p + i * PAGE));
	CHECK(!munmap(p, PAGES * PAGE));
	return KTAP_OK;
}

static volatile sig_atomic_t alarms;

/* The whole state is the handler's to spoil: the frame holds the other. */
static void dirty_handler(int sig)
{
	(void)sig;
	alarms++;
	dirty_once(alarms);
}

static int over_signals(void)
{
	struct sigaction sa = { .sa_handler = dirty_handler };
	struct itimerval it = {
		.it_interval.tv_usec = 5000, .it_value.tv_usec = 5000,
	}, off = { 0 };
	int ret = KTAP_OK;

	alarms = 0;
	CHECK(!sigaction(SIGALRM, &sa, NULL));
	CHECK(!setitimer(ITIMER_REAL, &it, NULL));
	for (uint64_t i = 0; alarms < 25 && !ret; i++)
		ret = check_window(i, WINDOW_SPIN, 100000);
	CHECK(!setitimer(ITIMER_REAL, &off, NULL));
	return ret;
}

/*
 * The two sides of a fork both own what was loaded before it. The window is
 * entered once and left twice; the child reports by its status.
 */
static int over_fork(void)
{
	for (int i = 0; i < 50; i++) {
		uint64_t ret;

		make_pattern(&in, i);
		memset(&out, 0x5a, sizeof(out));
		ret = vector_window(&in, &out, have, WINDOW_SYSCALL, SYS_fork);
		if (!ret) {
			bool bad = first_difference(&in, &out);

			syscall(SYS_exit_group, bad);
		}
		CHECK((int64_t)ret > 0);
		CHECK(!first_difference(&in, &out));
		CHECK_EQ(reap(ret), 0);
	}
	return KTAP_OK;
}

/* A fresh program starts with the ABI's state, not with somebody's leftovers. */
static int exec_starts_clean(void)
{
	char *argv[] = { "vectors", "--fresh", NULL };
	char *envp[] = { NULL };
	pid_t pid;

	make_pattern(&in, 77);
	pid = fork();
	if (!pid) {
		vector_window(&in, &out, have, WINDOW_SPIN, 1);
		asm volatile("ldmxcsr %0; fldcw %1; fld1"
			     :
			     : "m"((uint32_t){ 0x7f80 }),
			       "m"((uint16_t){ 0x0f3f }));
		execve(own_path(), argv, envp);
		_exit(100);
	}
	CHECK(pid > 0);
	CHECK_EQ(reap(pid), 0);
	return KTAP_OK;
}

static int be_fresh(void)
{
	uint32_t mxcsr;
	uint16_t fcw, fsw;

	asm volatile("stmxcsr %0; fnstcw %1; fnstsw %2"
		     : "=m"(mxcsr), "=m"(fcw), "=m"(fsw));
	/* Start-up code may have raised sticky flags, no more. */
	return (mxcsr & ~0x3f) != 0x1f80 || fcw != 0x037f || (fsw & 0x3800);
}

static int avx_used(void)
{
	/* Not a line of its own: CR4.PKE may be off for a guest. */
	ktap_note("PKRU is %s",
		  have & HAVE_PKRU ? "part of it" : "not offered");
	if (!(have & HAVE_AVX))
		SKIP("not offered here");
	return KTAP_OK;
}

static int avx512_used(void)
{
	if (!(have & HAVE_AVX512))
		SKIP("not offered here");
	return KTAP_OK;
}

int main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		{ "AVX is part of it", avx_used },
		{ "AVX-512 is part of it", avx512_used },
		{ "registers intact over system calls", over_syscalls },
		{ "registers intact over page faults", over_page_faults },
		{ "registers intact over voluntary switches",
		  over_voluntary_switches },
		{ "registers intact over involuntary switches",
		  over_preemption },
		{ "registers intact over signals", over_signals },
		{ "registers intact on both sides of a fork", over_fork },
		{ "exec starts with clean state", exec_starts_clean },
	};

	have = find_features();
	if (argc > 1 && !strcmp(argv[1], "--fresh"))
		return be_fresh();
	if (argc > 1 && !strcmp(argv[1], "--dirty"))
		return be_dirty(ktap_arg(argc, argv, 2, 0));
	switches_wanted = ktap_arg(argc, argv, 1, 200);
	seconds_allowed = ktap_arg(argc, argv, 2, 20);
	/* On one CPU the competitor has to preempt us. */
	pin_to_one_cpu();
	return ktap_run(tests, ARRAY_SIZE(tests));
}
