// SPDX-License-Identifier: GPL-2.0
/*
 * storm [ROUNDS [PROCESSES [SEED]]]: several processes, each going through
 * ROUNDS (default 60) of what its own seeded generator picks: fork and collect
 * a result, exec this program, map, write, protect, move and unmap memory, send
 * and count signals, push data through a pipe, sleep a little, compute. Every
 * step's contents go into the process's checksum, and the checksum into the
 * line that is compared: it depends on the arguments alone.
 *
 * World: user mode, natively and in the guest; run in two guests at once, and
 * with large ROUNDS, to keep a machine busy while something else is tested.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>

#include "ktap.h"
#include "util.h"

enum { PROCESSES_MAX = 64 };

static long rounds, processes, seed_given;
static char verdict[96];

static void die(const char *what)
{
	ktap_note("process %d: %s (errno %d)", (int)getpid(), what, errno);
	_exit(1);
}

static void must(bool ok, const char *what)
{
	if (!ok)
		die(what);
}

/* ---- The steps: each takes the generator's state and returns a value ---- */

/* A child changes its copy, and reports a checksum of it; ours stays. */
static uint64_t step_fork(uint64_t *state)
{
	enum { LEN = 10 * 4096 };
	unsigned char *p = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t seed = next_random(state) | 1, before, from_child;
	int fds[2];
	pid_t pid;

	must(p != MAP_FAILED && !pipe(fds), "mmap and pipe");
	fill(p, LEN, seed);
	before = checksum(CHECKSUM_INIT, p, LEN);
	pid = fork();
	if (!pid) {
		uint64_t sum;

		for (int i = 0; i < LEN; i += 3)
			p[i] ^= seed >> (i & 31);
		sum = checksum(CHECKSUM_INIT, p, LEN);
		_exit(!write_all(fds[1], &sum, sizeof(sum)));
	}
	must(pid > 0, "fork");
	must(read_all(fds[0], &from_child, 8), "child's result");
	must(reap(pid) == 0, "child's status");
	must(checksum(CHECKSUM_INIT, p, LEN) == before, "memory after fork");
	for (int i = 0; i < LEN; i += 3)
		p[i] ^= seed >> (i & 31);
	must(checksum(CHECKSUM_INIT, p, LEN) == from_child, "child's checksum");
	must(!munmap(p, LEN), "munmap");
	close(fds[0]);
	close(fds[1]);
	return from_child;
}

static uint64_t step_exec(uint64_t *state)
{
	char number[24];
	char *argv[] = { "storm", "--child", number, NULL };
	char *envp[] = { NULL };
	unsigned int n = next_random(state) % 100;
	pid_t pid;

	snprintf(number, sizeof(number), "%u", n);
	pid = fork();
	if (!pid) {
		execve(own_path(), argv, envp);
		_exit(127);
	}
	must(pid > 0, "fork");
	must(reap(pid) == (int)n, "status after exec");
	return n;
}

static uint64_t step_memory(uint64_t *state)
{
	size_t pages = 4 + next_random(state) % 60, len = pages * PAGE;
	size_t hole = next_random(state) % (pages - 2);
	unsigned char *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		      *q;
	uint64_t sum = CHECKSUM_INIT, seed = next_random(state) | 1;

	must(p != MAP_FAILED, "mmap");
	for (size_t i = 0; i < pages; i++)
		fill(p + i * PAGE, 64, seed + i);
	must(!mprotect(p, len, PROT_READ), "mprotect");
	for (size_t i = 0; i < pages; i++)
		sum = checksum(sum, p + i * PAGE, 64);
	must(!mprotect(p, len, PROT_READ | PROT_WRITE), "mprotect back");
	must(!madvise(p + hole * PAGE, PAGE, MADV_DONTNEED), "madvise");
	must(!p[hole * PAGE] && !p[hole * PAGE + 63], "zeroes after madvise");
	q = mremap(p, len, len * 2, MREMAP_MAYMOVE);
	must(q != MAP_FAILED, "mremap");
	for (size_t i = 0; i < pages; i++)
		sum = checksum(sum, q + i * PAGE, 64);
	for (size_t i = pages; i < 2 * pages; i++)
		must(!q[i * PAGE], "zeroes after mremap");
	must(!munmap(q + PAGE, PAGE), "munmap of one page");
	must(!munmap(q, len * 2), "munmap");
	return sum;
}

static volatile sig_atomic_t signals;
static volatile uint64_t signal_sum;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	signals++;
	signal_sum = signal_sum * 31 + info->si_value.sival_int;
}

static uint64_t step_signals(uint64_t *state)
{
	int count = 1 + next_random(state) % 30;
	uint64_t expected = 0;

	signals = 0;
	signal_sum = 0;
	for (int i = 0; i < count; i++) {
		int value = next_random(state) & 0xffff;

		expected = expected * 31 + value;
		must(!sigqueue(getpid(), SIGRTMIN,
			       (union sigval){ .sival_int = value }),
		     "sigqueue");
	}
	must(signals == count && signal_sum == expected, "signals");
	return expected;
}

static uint64_t step_pipe(uint64_t *state)
{
	static unsigned char sent[50000], got[50000];
	uint32_t len = 1 + next_random(state) % sizeof(sent);
	uint64_t seed = next_random(state) | 1;
	int fds[2];
	pid_t pid;

	fill(sent, len, seed);
	must(!pipe(fds), "pipe");
	pid = fork();
	if (!pid)
		_exit(!write_all(fds[1], sent, len));
	must(pid > 0, "fork");
	close(fds[1]);
	must(read_all(fds[0], got, len), "read");
	must(read(fds[0], got, 1) == 0, "end of file");
	got[0] = sent[0];
	must(reap(pid) == 0, "writer's status");
	must(!memcmp(sent, got, len), "contents");
	close(fds[0]);
	return checksum(CHECKSUM_INIT, got, len);
}

static uint64_t step_sleep(uint64_t *state)
{
	uint64_t ns = next_random(state) % 300000, start;
	struct timespec ts = { 0, ns };

	start = now_ns(CLOCK_MONOTONIC);
	must(!nanosleep(&ts, NULL), "nanosleep");
	must(now_ns(CLOCK_MONOTONIC) - start >= ns, "early");
	return ns;
}

/* Long enough to be preempted in, with the SSE registers busy. */
static uint64_t step_compute(uint64_t *state)
{
	double x = next_random(state) % 1000 + 1, y = 0;
	uint64_t bits;

	for (int i = 1; i < 20000; i++) {
		y += x / i;
		x = x * 1.0000001 + 1e-3;
	}
	memcpy(&bits, &y, 8);
	return bits;
}

static uint64_t (*const steps[])(uint64_t *state) = {
	step_fork, step_exec,  step_memory,  step_signals,
	step_pipe, step_sleep, step_compute,
};

static uint64_t one_process(uint64_t number)
{
	struct sigaction sa = {
		.sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO | SA_RESTART,
	};
	uint64_t state = (number + 1) * 0x9e3779b97f4a7c15 ^ seed_given;
	uint64_t sum = CHECKSUM_INIT;

	must(!sigaction(SIGRTMIN, &sa, NULL), "sigaction");
	if (!state)
		state = 1;
	for (long i = 0; i < rounds; i++) {
		uint64_t value =
			steps[next_random(&state) % ARRAY_SIZE(steps)](&state);

		sum = checksum(sum, &value, sizeof(value));
	}
	return sum;
}

static int storm(void)
{
	int pipes[PROCESSES_MAX][2];
	pid_t pids[PROCESSES_MAX];
	uint64_t sum = CHECKSUM_INIT;
	int failed = 0;

	for (long i = 0; i < processes; i++) {
		CHECK(!pipe(pipes[i]));
		pids[i] = fork();
		if (!pids[i]) {
			uint64_t mine = one_process(i);

			_exit(!write_all(pipes[i][1], &mine, sizeof(mine)));
		}
		CHECK(pids[i] > 0);
		close(pipes[i][1]);
	}
	for (long i = 0; i < processes; i++) {
		uint64_t one = 0;

		failed += !read_all(pipes[i][0], &one, sizeof(one));
		failed += reap(pids[i]) != 0;
		close(pipes[i][0]);
		sum = checksum(sum, &one, sizeof(one));
	}
	snprintf(verdict, sizeof(verdict),
		 "%ld processes, %ld rounds: checksum %016llx", processes,
		 rounds, (unsigned long long)sum);
	CHECK_EQ(failed, 0);
	return KTAP_OK;
}

int main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		{ verdict, storm },
	};

	if (argc > 1 && !strcmp(argv[1], "--child"))
		return ktap_arg(argc, argv, 2, 0);
	rounds = ktap_arg(argc, argv, 1, 60);
	processes = ktap_arg(argc, argv, 2, 4);
	seed_given = ktap_arg(argc, argv, 3, 0);
	if (processes < 1 || processes > PROCESSES_MAX) {
		fprintf(stderr, "storm: 1 to %d processes\n", PROCESSES_MAX);
		return KTAP_FAIL;
	}
	return ktap_run(tests, ARRAY_SIZE(tests));
}
