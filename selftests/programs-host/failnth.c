// SPDX-License-Identifier: GPL-2.0
/*
 * Lets allocations fail under a program that uses Ringlet. Runs in the
 * disposable host, if that has fault injection (the debug host).
 *
 *	failnth [--dry | --one-in N] COMMAND ARGUMENT...
 *
 * The command is traced, and run again and again. In its n-th run the n-th
 * allocation fails (/proc/TID/fail-nth) in each call of the module that its
 * threads make (ioctls, the open of /dev/ringlet, the mmap of a run page) or
 * that loads a module. If the call fails for that, with ENOMEM or EFAULT (a copy
 * from or to the command's memory counts as an allocation), it is made again
 * and must pass: it has left everything as it was. That goes on until a run has
 * nothing left to fail. Which allocations count is the caller's to say, by
 * failslab's and fail_page_alloc's files in debugfs.
 *
 * RUN does not fail by one failure: where there is no page for a table it gives
 * back all that it has, and goes on. With --dry it is given its first n - 1
 * pages and then not one more until it returns, so it must say ENOMEM; for one
 * vCPU. With --one-in the command is run once, for it is long: one RUN in
 * so many has one failure, and any other call, at its first, second, third...
 * allocation in turn.
 *
 * Prints what was done as diagnostics; the status is the command's, or 99 if a
 * call failed otherwise, or once more.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uapi/ringlet.h"

#define THREADS 64
/* With --one-in: which allocation fails goes from 1 to this, and round: few RUNs make more. */
#define TURNS 4
/* More than any call of a guest that is worth it makes. */
#define DEPTH_MAX 2000

static const struct call {
	const char *name;
	long nr;
	unsigned int cmd; /* of an ioctl */
} calls[] = {
	{ "RUN", SYS_ioctl, RINGLET_RUN },
	{ "CREATE_VM", SYS_ioctl, RINGLET_CREATE_VM },
	{ "SET_MEMORY", SYS_ioctl, RINGLET_SET_MEMORY },
	{ "CREATE_VCPU", SYS_ioctl, RINGLET_CREATE_VCPU },
	{ "IRQ_RAISE", SYS_ioctl, RINGLET_IRQ_RAISE },
	{ "GET_REGS", SYS_ioctl, RINGLET_GET_REGS },
	{ "SET_REGS", SYS_ioctl, RINGLET_SET_REGS },
	{ "GET_INFO", SYS_ioctl, RINGLET_GET_INFO },
	{ "GET_API_VERSION", SYS_ioctl, RINGLET_GET_API_VERSION },
	{ "open", SYS_openat, 0 },
	{ "mmap", SYS_mmap, 0 },
	{ "init_module", SYS_init_module, 0 },
	{ "finit_module", SYS_finit_module, 0 },
};
#define CALLS (sizeof(calls) / sizeof(*calls))

/* Of each call: how often, failures put in, calls that failed by them, deepest. */
static struct {
	unsigned long made, failures, failed;
	unsigned int depth;
} done[CALLS];
static bool wrong;
static bool dry;
static unsigned int one_in; /* 0: all, and the command again and again */
static unsigned int nth_run = 1; /* which run of the command it is */
static unsigned long turn;

static struct thread {
	pid_t tid;
	int call; /* being made, or -1 */
	unsigned int nth; /* allocation that is to fail in it; 0: none */
	bool again; /* it has failed before */
	struct user_regs_struct regs; /* before it */
} threads[THREADS];

static void fail(const char *what)
{
	fprintf(stderr, "failnth: %s: %s\n", what, strerror(errno));
	exit(98);
}

static struct thread *thread_of(pid_t tid)
{
	struct thread *unused = NULL;

	for (int i = 0; i < THREADS; i++) {
		if (threads[i].tid == tid)
			return &threads[i];
		if (!threads[i].tid && !unused)
			unused = &threads[i];
	}
	if (!unused) {
		errno = EUSERS;
		fail("threads");
	}
	*unused = (struct thread){ .tid = tid, .call = -1 };
	return unused;
}

static int open_fail_nth(pid_t tid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", tid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail(path);
	return fd;
}

static void set_fail_nth(pid_t tid, unsigned int nth)
{
	int fd = open_fail_nth(tid);

	if (dprintf(fd, "%u", nth) < 0)
		fail("fail-nth");
	close(fd);
}

static unsigned int get_fail_nth(pid_t tid)
{
	char text[32] = "";
	int fd = open_fail_nth(tid);

	if (read(fd, text, sizeof(text) - 1) <= 0)
		fail("fail-nth");
	close(fd);
	return strtoul(text, NULL, 0);
}

static void write_number(const char *path, long number)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dprintf(fd, "%ld", number) < 0)
		fail(path);
	close(fd);
}

#define PAGES "/sys/kernel/debug/fail_page_alloc/"
/* More than any call makes; they are counted down. */
#define TIMES 1000000

/* No page for this thread any more, after so many. */
static void begin_drought(pid_t tid, unsigned int after)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/make-it-fail", tid);
	write_number(path, 1);
	write_number(PAGES "task-filter", 1);
	write_number(PAGES "interval", 1);
	write_number(PAGES "times", TIMES);
	/* While more than one is left, one goes and nothing fails. */
	write_number(PAGES "space", after + 1);
	write_number(PAGES "probability", 100);
}

/* Returns how many it was not given. */
static unsigned long end_drought(void)
{
	char text[32] = "";
	int fd;

	write_number(PAGES "probability", 0);
	fd = open(PAGES "times", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		fail(PAGES "times");
	close(fd);
	return TIMES - strtoul(text, NULL, 0);
}

/* Is it the device, by the path that the traced thread gives? */
static bool opens_device(pid_t tid, unsigned long path)
{
	char text[sizeof("/dev/ringlet")] = "";
	struct iovec here = { text, sizeof(text) };
	struct iovec there = { (void *)path, sizeof(text) };

	return process_vm_readv(tid, &here, 1, &there, 1, 0) > 0 &&
	       !strncmp(text, "/dev/ringlet", sizeof(text));
}

static bool is_vcpu(pid_t tid, int fd)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", tid, fd);
	return readlink(path, target, sizeof(target) - 1) > 0 &&
	       strstr(target, "ringlet-vcpu");
}

static int which_call(pid_t tid, const struct user_regs_struct *regs)
{
	for (size_t i = 0; i < CALLS; i++) {
		if (calls[i].nr != (long)regs->orig_rax)
			continue;
		if (calls[i].nr == SYS_ioctl &&
		    calls[i].cmd != (unsigned int)regs->rsi)
			continue;
		if (calls[i].nr == SYS_openat && !opens_device(tid, regs->rsi))
			return -1;
		if (calls[i].nr == SYS_mmap && !is_vcpu(tid, regs->r8))
			return -1;
		return i;
	}
	return -1;
}

static bool is_run(int call)
{
	return calls[call].cmd == RINGLET_RUN;
}

/* Which allocation is to fail in a call; 0: none. */
static unsigned int which_fails(int call)
{
	if (!one_in)
		return nth_run;
	turn++;
	if (is_run(call) && turn % one_in)
		return 0;
	return turn / one_in % TURNS + 1;
}

/* A call begins: for the first time, or made again by call_ends(). */
static void call_begins(struct thread *thread)
{
	struct user_regs_struct regs;
	int call;

	if (ptrace(PTRACE_GETREGS, thread->tid, 0, &regs))
		fail("PTRACE_GETREGS");
	call = which_call(thread->tid, &regs);
	if (call < 0) {
		ptrace(PTRACE_CONT, thread->tid, 0, 0);
		return;
	}
	if (!thread->again)
		thread->nth = which_fails(call);
	thread->call = call;
	thread->regs = regs;
	done[call].made++;
	if (thread->nth && dry && is_run(call))
		begin_drought(thread->tid, thread->nth - 1);
	else if (thread->nth)
		set_fail_nth(thread->tid, thread->nth);
	ptrace(PTRACE_SYSCALL, thread->tid, 0, 0);
}

/* Once more, and now it is given all that it wants. */
static void make_again(struct thread *thread)
{
	struct user_regs_struct regs = thread->regs;

	thread->again = true;
	thread->nth = 0;
	regs.rax = regs.orig_rax;
	regs.rip -= 2; /* SYSCALL */
	if (ptrace(PTRACE_SETREGS, thread->tid, 0, &regs))
		fail("PTRACE_SETREGS");
}

/* How many allocations failed in the call that ends here. */
static unsigned long injected_into(struct thread *thread)
{
	bool one;

	if (!thread->nth)
		return 0;
	if (dry && is_run(thread->call))
		return end_drought();
	one = !get_fail_nth(thread->tid);
	set_fail_nth(thread->tid, 0);
	return one;
}

/* RUN comes back for a signal, or because the guest is over. */
static bool came_back(int call, long result)
{
	return is_run(call) && (result == -EINTR || result == -ESHUTDOWN);
}

static void call_ends(struct thread *thread)
{
	struct user_regs_struct regs;
	int call = thread->call;
	unsigned long injected = injected_into(thread);
	bool want;
	long result;

	if (ptrace(PTRACE_GETREGS, thread->tid, 0, &regs))
		fail("PTRACE_GETREGS");
	result = regs.rax;
	want = result == -ENOMEM || result == -EFAULT;
	done[call].failures += injected;
	if (injected && done[call].depth < thread->nth)
		done[call].depth = thread->nth;
	thread->call = -1;
	if (injected && want) {
		done[call].failed++;
		make_again(thread);
	} else {
		if (result < 0 && !came_back(call, result) &&
		    (injected || (thread->again && want))) {
			printf("# %s failed with %s %s allocation %u\n",
			       calls[call].name, strerrorname_np(-result),
			       injected ? "for want of" : "once more, after",
			       injected ? thread->nth : nth_run);
			wrong = true;
		}
		thread->again = false;
	}
	ptrace(PTRACE_CONT, thread->tid, 0, 0);
}

/* What we are to see stops us; the rest goes on at full speed. */
static void install_filter(void)
{
	const int nrs[] = { SYS_ioctl, SYS_mmap, SYS_openat, SYS_init_module,
			    SYS_finit_module };
	struct sock_filter code[16];
	int n = 0, count = sizeof(nrs) / sizeof(*nrs);
	struct sock_fprog program = { .filter = code };

	code[n++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (int i = 0; i < count; i++)
		code[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, nrs[i], count - i, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						 SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						 SECCOMP_RET_TRACE);
	program.len = n;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		fail("seccomp");
}

static void report(void)
{
	for (size_t i = 0; i < CALLS; i++)
		if (done[i].made)
			printf("# %s: made %lu times, %lu failures put in, %lu calls failed, deepest allocation %u\n",
			       calls[i].name, done[i].made, done[i].failures,
			       done[i].failed, done[i].depth);
}

/* One stop of a thread; the rest of its life is its own. */
static void stopped(pid_t tid, int status)
{
	struct thread *thread = thread_of(tid);
	int signal = WSTOPSIG(status);

	if (status >> 16 == PTRACE_EVENT_SECCOMP)
		call_begins(thread);
	else if (signal == (SIGTRAP | 0x80))
		call_ends(thread);
	else if (status >> 16 || signal == SIGSTOP)
		ptrace(PTRACE_CONT, tid, 0, 0);
	else
		ptrace(thread->call < 0 ? PTRACE_CONT : PTRACE_SYSCALL, tid, 0,
		       signal);
}

/* Told to end: the command goes with us, and where it was is said. */
static volatile sig_atomic_t told;

static void tell(int signal)
{
	told = signal;
}

static int trace(pid_t child)
{
	int status;
	pid_t tid;

	while (!told && (tid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status)) {
			stopped(tid, status);
			continue;
		}
		thread_of(tid)->tid = 0;
		if (tid == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) :
						   128 + WTERMSIG(status);
	}
	if (!told)
		fail("waitpid");
	for (int i = 0; i < THREADS; i++)
		if (threads[i].tid && threads[i].call >= 0)
			printf("# thread %d is in %s, allocation %u\n",
			       threads[i].tid, calls[threads[i].call].name,
			       threads[i].nth);
	return 128 + told;
}

/* The command, once; its status. */
static int run_command(char **argv)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		fail("fork");
	if (!child) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			fail("PTRACE_TRACEME");
		raise(SIGSTOP);
		install_filter();
		execvp(*argv, argv);
		fail(*argv);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		fail("the command does not stop");
	if (ptrace(PTRACE_SETOPTIONS, child, 0,
		   PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP |
			   PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
			   PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC |
			   PTRACE_O_EXITKILL))
		fail("PTRACE_SETOPTIONS");
	ptrace(PTRACE_CONT, child, 0, 0);
	return trace(child);
}

static unsigned long all_failures(void)
{
	unsigned long n = 0;

	for (size_t i = 0; i < CALLS; i++)
		n += done[i].failures;
	return n;
}

int main(int argc, char **argv)
{
	unsigned long before;
	int status;

	if (argc > 1 && !strcmp(argv[1], "--dry")) {
		dry = true;
		argv++;
		argc--;
	} else if (argc > 2 && !strcmp(argv[1], "--one-in")) {
		one_in = strtoul(argv[2], NULL, 10);
		argv += 2;
		argc -= 2;
	}
	if (argc < 2) {
		fprintf(stderr,
			"usage: failnth [--dry | --one-in N] COMMAND ARGUMENT...\n");
		return 98;
	}
	/*
	 * A thread that is stopped as it calls has work for rseq, and RUN is
	 * over after one stay. Here a RUN is to be as long as it would be.
	 */
	setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 0);
	/* Not SA_RESTART: it is to end a waitpid(). */
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = tell }, NULL);
	do {
		before = all_failures();
		memset(threads, 0, sizeof(threads));
		status = run_command(argv + 1);
	} while (!status && !wrong && !one_in && all_failures() > before &&
		 nth_run++ < DEPTH_MAX);
	if (status || wrong)
		printf("# status %d in run %u\n", status, nth_run);
	printf("# %u runs\n", nth_run);
	report();
	return wrong ? 99 : status;
}
