// SPDX-License-Identifier: GPL-2.0
/*
 * Lets allocations fail under a program that uses Ringlet. Runs in the
 * disposable host, if that has fault injection (the debug host).
 *
 *	failnth COMMAND ARGUMENT...
 *
 * The command is traced. Whenever a thread of its calls the module (ioctls,
 * the open of /dev/ringlet, the mmap of a run page) or loads a module, the call
 * is swept: the first allocation in it fails (/proc/TID/fail-nth), and if that
 * fails the call, it is made again and the second fails, and so on until the
 * call passes. A call that failed must have left everything as it was, or what
 * the command does next would go wrong; and it failed with ENOMEM or EFAULT (a
 * copy from or to the command's memory counts as an allocation). Which
 * allocations count is the caller's to say, by failslab's and fail_page_alloc's
 * files in debugfs.
 *
 * RUN makes allocations one by one as the guest needs them, and keeps what it
 * got; so there the count begins anew after some. Prints what was done as
 * diagnostics; the status is the command's, or 99 if a call failed otherwise.
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
/* More than any one step of RUN allocates; less would never get through it. */
#define RUN_DEPTH 16
/* A call that still fails then fails for another reason. */
#define DEPTH_MAX 5000

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

static struct thread {
	pid_t tid;
	int call; /* being swept, or -1 */
	unsigned int nth;
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
	if (thread->call < 0) {
		thread->call = call;
		thread->nth = 1;
		thread->regs = regs;
	}
	done[call].made++;
	set_fail_nth(thread->tid, thread->nth);
	ptrace(PTRACE_SYSCALL, thread->tid, 0, 0);
}

static void again(struct thread *thread)
{
	struct user_regs_struct regs = thread->regs;

	thread->nth++;
	if (calls[thread->call].cmd == RINGLET_RUN && thread->nth > RUN_DEPTH)
		thread->nth = 2;
	if (thread->nth > DEPTH_MAX) {
		errno = ELOOP;
		fail(calls[thread->call].name);
	}
	regs.rax = regs.orig_rax;
	regs.rip -= 2; /* SYSCALL */
	if (ptrace(PTRACE_SETREGS, thread->tid, 0, &regs))
		fail("PTRACE_SETREGS");
}

/* Make the call again if it failed for want of what we kept from it. */
static void call_ends(struct thread *thread)
{
	struct user_regs_struct regs;
	int call = thread->call;
	bool injected = !get_fail_nth(thread->tid);
	long result;

	set_fail_nth(thread->tid, 0);
	if (ptrace(PTRACE_GETREGS, thread->tid, 0, &regs))
		fail("PTRACE_GETREGS");
	result = regs.rax;
	if (injected) {
		done[call].failures++;
		if (done[call].depth < thread->nth)
			done[call].depth = thread->nth;
	}
	if (injected && (result == -ENOMEM || result == -EFAULT)) {
		done[call].failed++;
		again(thread);
	} else {
		/* RUN comes back for a signal, or because the guest is over. */
		if (injected && result < 0 && result != -EINTR &&
		    result != -ESHUTDOWN) {
			printf("# %s failed with %s for want of allocation %u\n",
			       calls[call].name, strerrorname_np(-result),
			       thread->nth);
			wrong = true;
		}
		thread->call = -1;
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

static int trace(pid_t child)
{
	int status;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status)) {
			stopped(tid, status);
			continue;
		}
		thread_of(tid)->tid = 0;
		if (tid == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) :
						   128 + WTERMSIG(status);
	}
	fail("waitpid");
	return 98;
}

int main(int argc, char **argv)
{
	pid_t child;
	int status;

	if (argc < 2) {
		fprintf(stderr, "usage: failnth COMMAND ARGUMENT...\n");
		return 98;
	}
	child = fork();
	if (child < 0)
		fail("fork");
	if (!child) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			fail("PTRACE_TRACEME");
		raise(SIGSTOP);
		install_filter();
		execvp(argv[1], argv + 1);
		fail(argv[1]);
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
	status = trace(child);
	report();
	return wrong ? 99 : status;
}
