// SPDX-License-Identifier: GPL-2.0
/*
 * forkexec [N]: N times fork, execve of this very program, exit and wait, each
 * status compared with what the child was told to return. Every round builds
 * and tears down two address spaces, which is what shadow page tables with
 * virtual PCIDs find hardest; N = 1000 is the count of the project's Done list.
 *
 * World: user mode, natively and in the guest. Needs neither /proc nor /tmp.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "ktap.h"
#include "util.h"

static long rounds;

/* Initialized and zeroed data that an exec must bring back to this state. */
static volatile int data_word = 0x600d;
static volatile int bss_words[4096];

/* What an exec'ed child does: look that its memory is new, then exit. */
static int child(int argc, char **argv)
{
	long n = ktap_arg(argc, argv, 2, -1);

	for (unsigned int i = 0; i < ARRAY_SIZE(bss_words); i += 512) {
		if (bss_words[i])
			return 0x7f;
		bss_words[i] = 1;
	}
	if (data_word != 0x600d || n < 0)
		return 0x7f;
	data_word = 0;
	return n & 0x7f;
}

static int exec_self(long n)
{
	char number[24];
	char *argv[] = { "forkexec", "--child", number, NULL };
	char *envp[] = { NULL };

	snprintf(number, sizeof(number), "%ld", n);
	execve(own_path(), argv, envp);
	return 0x7e;
}

static int fork_exec_wait(void)
{
	long wrong = 0;

	for (long i = 0; i < rounds; i++) {
		/* 0x7e and 0x7f are failures' statuses: leave them out. */
		long n = i % 0x7e;
		pid_t pid;
		int status;

		/* The child's image must not carry this over. */
		bss_words[(i % 8) * 512] = i + 1;
		data_word = i;
		pid = fork();
		if (!pid)
			_exit(exec_self(n));
		CHECK(pid > 0);
		status = reap(pid);
		if (status != n && wrong++ < 5)
			ktap_note("round %ld: status %d, not %ld", i, status,
				  n);
	}
	CHECK_EQ(wrong, 0);
	return KTAP_OK;
}

/* Children that are alive together, reaped in another order than made. */
static int many_at_once(void)
{
	pid_t pids[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(exec_self(i));
		CHECK(pids[i] > 0);
	}
	for (unsigned int i = ARRAY_SIZE(pids); i-- > 0;)
		CHECK_EQ(reap(pids[i]), i);
	CHECK(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
	return KTAP_OK;
}

static int fork_only(void)
{
	for (long i = 0; i < rounds / 10; i++) {
		pid_t pid;

		data_word = i;
		pid = fork();
		if (!pid) {
			if (data_word != i)
				_exit(0x7f);
			data_word = -1;
			_exit(i % 0x7e);
		}
		CHECK(pid > 0);
		CHECK_EQ(reap(pid), i % 0x7e);
		CHECK_EQ(data_word, i);
	}
	return KTAP_OK;
}

/* The parent's memory after all of it: nobody else's writes are in it. */
static int parent_untouched(void)
{
	enum { LEN = 1 << 20 };
	unsigned char *map = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t sum;

	CHECK(map != MAP_FAILED);
	fill(map, LEN, 42);
	sum = checksum(CHECKSUM_INIT, map, LEN);
	for (int i = 0; i < 16; i++) {
		pid_t pid = fork();

		if (!pid) {
			memset(map, i, LEN);
			_exit(exec_self(i));
		}
		CHECK(pid > 0);
		CHECK_EQ(reap(pid), i);
	}
	CHECK_EQ(checksum(CHECKSUM_INIT, map, LEN), sum);
	CHECK(!munmap(map, LEN));
	return KTAP_OK;
}

/* An execve that fails leaves the caller as it was. */
static int exec_fails(void)
{
	char *argv[] = { "x", NULL };

	CHECK(execve("/nonexistent/program", argv, argv + 1) < 0);
	CHECK_EQ(errno, ENOENT);
	CHECK(execve("/", argv, argv + 1) < 0);
	CHECK_EQ(errno, EACCES);
	return KTAP_OK;
}

int main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		{ "fork, exec, exit, wait: all statuses right",
		  fork_exec_wait },
		{ "32 children alive together", many_at_once },
		{ "fork without exec: memory apart", fork_only },
		{ "parent's memory untouched by children", parent_untouched },
		{ "failed exec returns", exec_fails },
	};

	if (argc > 1 && !strcmp(argv[1], "--child"))
		return child(argc, argv);
	rounds = ktap_arg(argc, argv, 1, 1000);
	return ktap_run(tests, ARRAY_SIZE(tests));
}
