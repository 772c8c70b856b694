// SPDX-License-Identifier: GPL-2.0
/*
 * sys: a grab bag of system call semantics that lean on the machine: registers
 * over SYSCALL as the ABI has it, pointers that must come back as EFAULT and
 * not as something worse, vfork and shared address spaces, exec with large
 * arguments and of scripts, the CPU number by five ways, restartable sequences,
 * memory barriers, randomness, descriptors of all the newer kinds, pipes that
 * move pages, vectors of buffers, and processes by their limits and handles.
 *
 * World: user mode, natively and in the guest. Needs /tmp or a writable current
 * directory for the script.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/utsname.h>

#include "ktap.h"
#include "util.h"
#include "fault.h"

/* ---- The SYSCALL instruction ---- */

struct call_image {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13,
		r14, r15, flags, after;
};

/* Load all, SYSCALL, store all. */
extern void call_window(const struct call_image *in, struct call_image *out);
asm(".pushsection .text\n"
    "call_window:\n"
    "	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "	mov %rsi, call_out\n"
    "	pushq 120(%rdi)\n"
    "	mov 0(%rdi), %rax\n"
    "	mov 8(%rdi), %rbx\n"
    "	mov 16(%rdi), %rcx\n"
    "	mov 24(%rdi), %rdx\n"
    "	mov 32(%rdi), %rsi\n"
    "	mov 48(%rdi), %rbp\n"
    "	mov 56(%rdi), %r8\n"
    "	mov 64(%rdi), %r9\n"
    "	mov 72(%rdi), %r10\n"
    "	mov 80(%rdi), %r11\n"
    "	mov 88(%rdi), %r12\n"
    "	mov 96(%rdi), %r13\n"
    "	mov 104(%rdi), %r14\n"
    "	mov 112(%rdi), %r15\n"
    "	mov 40(%rdi), %rdi\n"
    "	popfq\n"
    "	syscall\n"
    "1:	pushfq\n"
    "	push %rdi\n"
    "	mov call_out, %rdi\n"
    "	mov %rax, 0(%rdi)\n"
    "	mov %rbx, 8(%rdi)\n"
    "	mov %rcx, 16(%rdi)\n"
    "	mov %rdx, 24(%rdi)\n"
    "	mov %rsi, 32(%rdi)\n"
    "	popq 40(%rdi)\n"
    "	mov %rbp, 48(%rdi)\n"
    "	mov %r8, 56(%rdi)\n"
    "	mov %r9, 64(%rdi)\n"
    "	mov %r10, 72(%rdi)\n"
    "	mov %r11, 80(%rdi)\n"
    "	mov %r12, 88(%rdi)\n"
    "	mov %r13, 96(%rdi)\n"
    "	mov %r14, 104(%rdi)\n"
    "	mov %r15, 112(%rdi)\n"
    "	popq 120(%rdi)\n"
    "	movq $1b, 128(%rdi)\n"
    "	pushq $0x202\n"
    "	popfq\n"
    "	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "	ret\n"
    "	.popsection\n"
    "	.local call_out\n"
    "	.comm call_out, 8, 8\n");

static int call_keeps(struct call_image *in, uint64_t nr)
{
	static struct call_image out;

	in->rax = nr;
	memset(&out, 0, sizeof(out));
	call_window(in, &out);
	CHECK_EQ(out.rbx, in->rbx);
	CHECK_EQ(out.rdx, in->rdx);
	CHECK_EQ(out.rsi, in->rsi);
	CHECK_EQ(out.rdi, in->rdi);
	CHECK_EQ(out.rbp, in->rbp);
	CHECK_EQ(out.r8, in->r8);
	CHECK_EQ(out.r9, in->r9);
	CHECK_EQ(out.r10, in->r10);
	CHECK_EQ(out.r12, in->r12);
	CHECK_EQ(out.r13, in->r13);
	CHECK_EQ(out.r14, in->r14);
	CHECK_EQ(out.r15, in->r15);
	CHECK_EQ(out.flags, in->flags);
	/* The instruction's own two: where to and with which flags. */
	CHECK_EQ(out.rcx, out.after);
	CHECK_EQ(out.r11, in->flags);
	return KTAP_OK;
}

static int registers_kept(void)
{
	static struct call_image in;

	for (int i = 0; i < 1000; i++) {
		fill(&in, sizeof(in), i + 1);
		in.flags = 0x202 | (in.flags & 0x2008d5);
		CHECK_RUN(call_keeps(&in, SYS_getppid));
		CHECK_RUN(call_keeps(&in, 4096 + i));
		if (i % 10 == 0)
			CHECK_RUN(call_keeps(&in, SYS_sched_yield));
	}
	return KTAP_OK;
}

static int unknown_numbers(void)
{
	/* x32 numbers have bit 30; then come the merely too large. */
	static const uint64_t numbers[] = {
		600,
		1000,
		4095,
		0x3fffffff,
		0x40000000 + 39,
		0x7fffffff,
		0x80000000,
		0xffffffff,
		-1UL,
		0xffffffff00000000 + 5000,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++) {
		int64_t ret;

		asm volatile("syscall"
			     : "=a"(ret)
			     : "0"(numbers[i]), "D"(0), "S"(0), "d"(0)
			     : "rcx", "r11", "memory");
		CHECK_EQ(ret, -ENOSYS);
	}
	return KTAP_OK;
}

/* ---- Bad pointers ---- */

static int bad_pointers(void)
{
	static const uint64_t bad[] = {
		0,
		8,
		0x7ffffffff000,
		0x7ffffffffff8,
		0x800000000000,
		0x8000000000000000,
		0xffff800000000000,
		0xffff878000000000,
		0xffff878000001000,
		0xffff888000000000,
		0xffffffff81000000,
		0xffffffffffffd000,
		0xfffffffffffffff0,
		-1UL,
	};
	int fds[2];

	CHECK(!pipe(fds));
	CHECK_EQ(write(fds[1], "abcd", 4), 4);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		void *p = (void *)bad[i];
		struct iovec iov = { p, 4 };

		/* By raw call: libc looks into some of these itself. */
		CHECK_EQ(syscall(SYS_write, fds[1], p, 4), -1);
		CHECK_EQ(errno, EFAULT);
		CHECK_EQ(syscall(SYS_read, fds[0], p, 4), -1);
		CHECK_EQ(errno, EFAULT);
		CHECK_EQ(syscall(SYS_writev, fds[1], &iov, 1), -1);
		CHECK_EQ(errno, EFAULT);
		CHECK_EQ(syscall(SYS_open, p, O_RDONLY), -1);
		CHECK_EQ(errno, EFAULT);
		CHECK_EQ(syscall(SYS_uname, p), -1);
		CHECK_EQ(errno, EFAULT);
		CHECK_EQ(syscall(SYS_pipe2, p, 0), -1);
		CHECK_EQ(errno, EFAULT);
		CHECK_EQ(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, p), -1);
		CHECK_EQ(errno, EFAULT);
		CHECK_EQ(syscall(SYS_nanosleep, p, NULL), -1);
		CHECK_EQ(errno, EFAULT);
		CHECK_EQ(syscall(SYS_execve, p, NULL, NULL), -1);
		CHECK_EQ(errno, EFAULT);
		if (p) {
			CHECK_EQ(syscall(SYS_rt_sigaction, SIGUSR1, p, NULL, 8),
				 -1);
			CHECK_EQ(errno, EFAULT);
			CHECK_EQ(syscall(SYS_wait4, -1, NULL, 0, p), -1);
			CHECK(errno == ECHILD || errno == EFAULT);
		}
	}
	/* Nothing of the four bytes went astray. */
	{
		char four[4];

		CHECK_EQ(read(fds[0], four, 4), 4);
		CHECK(!memcmp(four, "abcd", 4));
	}
	close(fds[0]);
	close(fds[1]);
	return KTAP_OK;
}

/* Half of the buffer is there: the kernel says how far it came. */
static int half_bad_pointers(void)
{
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fds[2];
	char *buf;

	CHECK(p != MAP_FAILED);
	CHECK(!munmap(p + PAGE, PAGE));
	CHECK(!pipe(fds));
	buf = p + PAGE - 100;
	memset(buf, 'z', 100);
	/* A pipe takes whole or nothing of a page's worth. */
	CHECK_EQ(syscall(SYS_write, fds[1], buf, 100), 100);
	CHECK_EQ(syscall(SYS_read, fds[0], buf, 100), 100);
	CHECK_EQ(syscall(SYS_write, fds[1], buf, 200), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_EQ(buf[99], 'z');
	/* A string that runs into the hole. */
	memset(buf, '/', 100);
	CHECK_EQ(syscall(SYS_open, buf, O_RDONLY), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK(!munmap(p, PAGE));
	close(fds[0]);
	close(fds[1]);
	return KTAP_OK;
}

/* ---- Processes ---- */

static int vfork_shares(void)
{
	volatile int shared = 0;

	for (int i = 1; i <= 100; i++) {
		pid_t pid = vfork();

		if (!pid) {
			shared = i;
			_exit(i);
		}
		CHECK(pid > 0);
		CHECK_EQ(shared, i); /* the child was first, in our memory */
		CHECK_EQ(reap(pid), i);
	}
	return KTAP_OK;
}

static int clone_child(void *arg)
{
	*(volatile int *)arg += 1;
	return 5;
}

static int clone_shares(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	volatile int shared = 0;

	for (int i = 0; i < 50; i++) {
		pid_t pid = clone(clone_child, stack + sizeof(stack),
				  CLONE_VM | CLONE_VFORK | SIGCHLD,
				  (void *)&shared);

		CHECK(pid > 0);
		CHECK_EQ(shared, i + 1);
		CHECK_EQ(reap(pid), 5);
	}
	/* Without CLONE_VM it is the child's own copy. */
	for (int i = 0; i < 10; i++) {
		pid_t pid = clone(clone_child, stack + sizeof(stack), SIGCHLD,
				  (void *)&shared);

		CHECK(pid > 0);
		CHECK_EQ(reap(pid), 5);
		CHECK_EQ(shared, 50);
	}
	CHECK(clone(clone_child, stack + sizeof(stack), CLONE_SIGHAND | SIGCHLD,
		    (void *)&shared) < 0);
	CHECK_EQ(errno, EINVAL);
	return KTAP_OK;
}

/* Called with --args: count and checksum, as exit status. */
static int args_status(int argc, char **argv)
{
	uint64_t sum = CHECKSUM_INIT;

	for (int i = 0; i < argc; i++)
		sum = checksum(sum, argv[i], strlen(argv[i]) + 1);
	return (sum ^ sum >> 8 ^ sum >> 16 ^ argc) & 0x7f;
}

static int run(char *const argv[], const char *path)
{
	char *envp[] = { NULL };
	pid_t pid = fork();

	if (!pid) {
		execve(path, argv, envp);
		_exit(errno == E2BIG   ? 0xb0 :
		      errno == ENOENT  ? 0xb1 :
		      errno == EACCES  ? 0xb2 :
		      errno == ENOEXEC ? 0xb3 :
					 0xbf);
	}
	return pid < 0 ? -1 : reap(pid);
}

static int large_argv(void)
{
	enum { COUNT = 2000, LEN = 50 };
	static char text[COUNT][LEN];
	static char *argv[COUNT + 3];

	argv[0] = "sys";
	argv[1] = "--args";
	for (int i = 0; i < COUNT; i++) {
		snprintf(text[i], LEN, "argument %d: %.*s", i, i % 30,
			 "abcdefghijklmnopqrstuvwxyz0123");
		argv[i + 2] = text[i];
	}
	CHECK_EQ(run(argv, own_path()), args_status(COUNT + 2, argv));
	return KTAP_OK;
}

static int too_large_argv(void)
{
	char *huge = malloc(200000);
	char *argv[] = { "sys", "--args", huge, NULL };

	CHECK(huge);
	memset(huge, 'x', 199999);
	huge[199999] = 0;
	CHECK_EQ(run(argv, own_path()), 0xb0); /* over 128 KiB in one */
	huge[131000] = 0;
	CHECK_EQ(run(argv, own_path()), args_status(3, argv));
	free(huge);
	return KTAP_OK;
}

static int exec_errors(void)
{
	char *argv[] = { "x", NULL };
	char path[PATH_MAX];
	int fd;

	CHECK_EQ(run(argv, "/no/such/program"), 0xb1);
	CHECK_EQ(run(argv, ""), 0xb1);
	fd = temp_file(path);
	CHECK(fd >= 0);
	CHECK(write_all(fd, "neither ELF nor script", 22));
	close(fd);
	CHECK_EQ(run(argv, path), 0xb2); /* not executable */
	CHECK(!chmod(path, 0700));
	CHECK_EQ(run(argv, path), 0xb3);
	unlink(path);
	return KTAP_OK;
}

/* "#!" and this program: it sees itself, the option, the script and the rest. */
static int exec_script(void)
{
	char path[PATH_MAX], head[PATH_MAX + 16];
	char *argv[] = { "dropped", "one", "two", NULL };
	char *expected[] = { (char *)own_path(), "--args", path, "one", "two" };
	int fd = temp_file(path), n, ret;

	CHECK(fd >= 0);
	n = snprintf(head, sizeof(head), "#!%s --args\nrest\n", own_path());
	CHECK(n < 250);
	CHECK(write_all(fd, head, n));
	CHECK(!fchmod(fd, 0700));
	close(fd);
	ret = run(argv, path);
	unlink(path);
	CHECK_EQ(ret, args_status(5, expected));
	return KTAP_OK;
}

static int limits(void)
{
	struct rlimit old, limit;
	struct rusage usage;

	CHECK(!getrlimit(RLIMIT_NOFILE, &old));
	limit = old;
	limit.rlim_cur = 20;
	CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
	CHECK(dup2(1, 25) < 0);
	CHECK_EQ(errno, EBADF);
	CHECK(!setrlimit(RLIMIT_NOFILE, &old));
	CHECK(!getrusage(RUSAGE_SELF, &usage));
	CHECK(usage.ru_minflt > 0);
	CHECK(usage.ru_utime.tv_usec < 1000000 && usage.ru_utime.tv_sec < 600);
	return KTAP_OK;
}

static int process_names(void)
{
	char name[16] = "", was[16];

	CHECK(!prctl(PR_GET_NAME, was));
	CHECK(!prctl(PR_SET_NAME, "ringlet-sys-too-long"));
	CHECK(!prctl(PR_GET_NAME, name));
	CHECK(!strcmp(name, "ringlet-sys-too"));
	CHECK(!prctl(PR_SET_NAME, was));
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
	CHECK(!prctl(PR_SET_DUMPABLE, 0));
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
	CHECK_EQ(prctl(123456, 0, 0, 0, 0), -1);
	CHECK_EQ(errno, EINVAL);
	return KTAP_OK;
}

/* PR_SET_TSC: RDTSC faults while it is forbidden, and works after. */
static void run_rdtsc(uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	asm volatile("rdtsc" : : : "rax", "rdx");
}

static int tsc_forbidden_child(void *arg)
{
	(void)arg;
	if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV))
		return 77;
	for (int i = 0; i < 20; i++) {
		if (fault_catch(run_rdtsc, 0, 0) != SIGSEGV ||
		    fault.trapno != 13)
			return 1;
		sched_yield();
	}
	if (prctl(PR_SET_TSC, PR_TSC_ENABLE))
		return 2;
	return fault_catch(run_rdtsc, 0, 0) ? 3 : 0;
}

static int tsc_forbidden(void)
{
	int ret = in_child(tsc_forbidden_child, NULL);

	CHECK_EQ(fault_catch(run_rdtsc, 0, 0), 0);
	CHECK_EQ(ret, 0);
	return KTAP_OK;
}

/* ---- CPU numbers ---- */

static int cpu_numbers(void)
{
	int cpu = pin_to_one_cpu();
	unsigned int by_call = -1, node = -1, a, b, c, d;
	uint32_t limit, aux;
	bool ok;

	CHECK(cpu >= 0);
	CHECK_EQ(sched_getcpu(), cpu);
	CHECK(!syscall(SYS_getcpu, &by_call, &node, NULL));
	CHECK_EQ(by_call, cpu);
	CHECK(!getcpu(&by_call, &node));
	CHECK_EQ(by_call, cpu);
	/* A segment's limit: 12 bits of CPU, then the node. */
	asm volatile("lsl %2, %1" : "=@ccz"(ok), "=r"(limit) : "r"(0x7b));
	CHECK(ok);
	CHECK_EQ(limit & 0xfff, cpu);
	CHECK_EQ(limit >> 12, node);
	/* TSC_AUX, by two instructions. */
	if (__get_cpuid(0x80000001, &a, &b, &c, &d) && (d & 1 << 27)) {
		asm volatile("rdtscp" : "=c"(aux) : : "rax", "rdx");
		CHECK_EQ(aux & 0xfff, cpu);
	}
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & 1 << 22)) {
		uint64_t aux64;

		asm volatile("rdpid %0" : "=r"(aux64));
		CHECK_EQ(aux64 & 0xfff, cpu);
	}
	return KTAP_OK;
}

/* ---- Restartable sequences ---- */

static volatile sig_atomic_t rseq_signals;

static void on_rseq_signal(int sig)
{
	(void)sig;
	rseq_signals++;
}

/*
 * A critical section that never ends by itself: a signal has to make the
 * kernel move us to the abort handler. Returns 1 if it did.
 */
static int spin_until_aborted(volatile struct rseq *area)
{
	int aborted = 0;

	asm volatile(".pushsection .data\n\t"
		     ".balign 32\n"
		     "rseq_section:\n\t"
		     ".long 0, 0\n\t"
		     ".quad 1f, 2f - 1f, 3f\n\t"
		     ".popsection\n\t"
		     "movq $rseq_section, %1\n"
		     "1:\n\t"
		     "pause\n\t"
		     "jmp 1b\n"
		     "2:\n\t"
		     "ud2\n\t"
		     ".long 0x53053053\n" /* RSEQ_SIG */
		     "3:\n\t"
		     "movl $1, %0"
		     : "+m"(aborted), "=m"(area->rseq_cs)
		     :
		     : "memory", "cc");
	return aborted;
}

static int restartable_sequences(void)
{
	struct sigaction sa = { .sa_handler = on_rseq_signal };
	/* Periodic: the first may come before the section is entered. */
	struct itimerval it = {
		.it_value.tv_usec = 3000, .it_interval.tv_usec = 3000,
	}, off = { 0 };
	volatile struct rseq *area;
	int cpu = pin_to_one_cpu();

	if (!__rseq_size)
		SKIP("no rseq in this kernel");
	area = (void *)((char *)__builtin_thread_pointer() + __rseq_offset);
	CHECK_EQ(area->cpu_id, cpu);
	CHECK_EQ(area->cpu_id_start, cpu);
	CHECK(!sigaction(SIGALRM, &sa, NULL));
	CHECK(!setitimer(ITIMER_REAL, &it, NULL));
	for (int i = 0; i < 5; i++)
		CHECK_EQ(spin_until_aborted(area), 1);
	/* Preemption may have been quicker than the timer. */
	while (!rseq_signals)
		;
	CHECK(!setitimer(ITIMER_REAL, &off, NULL));
	return KTAP_OK;
}

static int memory_barriers(void)
{
	int have = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (have < 0 && errno == ENOSYS)
		SKIP("no membarrier in this kernel");
	CHECK(have > 0);
	CHECK(!syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
	if (!(have & MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		return KTAP_OK;
	/* One has to register first. */
	CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	CHECK_EQ(errno, EPERM);
	CHECK(!syscall(SYS_membarrier,
		       MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	for (int i = 0; i < 100; i++)
		CHECK(!syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED,
			       0, 0));
	CHECK(syscall(SYS_membarrier, 1 << 30, 0, 0));
	CHECK_EQ(errno, EINVAL);
	return KTAP_OK;
}

/* ---- Randomness ---- */

static int randomness(void)
{
	static uint64_t seen[256][2];
	const unsigned char *at_random = (void *)getauxval(AT_RANDOM);
	int ones = 0;

	for (int i = 0; i < 256; i++) {
		CHECK_EQ(getrandom(seen[i], 16, 0), 16);
		for (int j = 0; j < i; j++)
			CHECK(memcmp(seen[i], seen[j], 16));
		ones += __builtin_popcountll(seen[i][0]) +
			__builtin_popcountll(seen[i][1]);
	}
	/* 16384 of 32768 are expected; this is 16 sigma. */
	CHECK(ones > 16384 - 1450 && ones < 16384 + 1450);
	CHECK(at_random);
	return KTAP_OK;
}

/* ---- Descriptors ---- */

static int event_descriptors(void)
{
	int efd = eventfd(3, EFD_CLOEXEC | EFD_NONBLOCK);
	int tfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	int ep = epoll_create1(EPOLL_CLOEXEC), sfd;
	struct itimerspec it = { .it_value.tv_nsec = 5000000 };
	struct epoll_event event, events[4];
	struct signalfd_siginfo info;
	sigset_t set, old;
	uint64_t value;

	if (efd < 0 || tfd < 0 || ep < 0)
		SKIP("no eventfd, timerfd or epoll in this kernel");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(!sigprocmask(SIG_BLOCK, &set, &old));
	sfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sfd < 0 && errno == ENOSYS)
		SKIP("no signalfd in this kernel");
	CHECK(sfd >= 0);
	event = (struct epoll_event){ .events = EPOLLIN, .data.u64 = 1 };
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, efd, &event));
	event.data.u64 = 2;
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, tfd, &event));
	event.data.u64 = 3;
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, sfd, &event));
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, sfd, &event) < 0);
	CHECK_EQ(errno, EEXIST);
	/* The counter. */
	CHECK_EQ(epoll_wait(ep, events, 4, 0), 1);
	CHECK_EQ(events[0].data.u64, 1);
	value = 39;
	CHECK_EQ(write(efd, &value, 8), 8);
	CHECK_EQ(read(efd, &value, 8), 8);
	CHECK_EQ(value, 42);
	CHECK(read(efd, &value, 8) < 0);
	CHECK_EQ(errno, EAGAIN);
	/* The timer. */
	CHECK_EQ(epoll_wait(ep, events, 4, 0), 0);
	CHECK(!timerfd_settime(tfd, 0, &it, NULL));
	CHECK_EQ(epoll_wait(ep, events, 4, 60000), 1);
	CHECK_EQ(events[0].data.u64, 2);
	CHECK_EQ(read(tfd, &value, 8), 8);
	CHECK_EQ(value, 1);
	/* The signal. */
	CHECK(!sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 99 }));
	CHECK_EQ(epoll_wait(ep, events, 4, 60000), 1);
	CHECK_EQ(events[0].data.u64, 3);
	CHECK_EQ(read(sfd, &info, sizeof(info)), sizeof(info));
	CHECK_EQ(info.ssi_signo, SIGUSR2);
	CHECK_EQ(info.ssi_int, 99);
	CHECK_EQ(info.ssi_pid, getpid());
	CHECK(!sigprocmask(SIG_SETMASK, &old, NULL));
	close(efd);
	close(tfd);
	close(sfd);
	close(ep);
	return KTAP_OK;
}

static int vectors_of_buffers(void)
{
	static char a[3], b[5000], c[1], d[2000];
	static char got[7004], out[4][2000];
	struct iovec in[] = {
		{ a, sizeof(a) }, { b, sizeof(b) }, { NULL, 0 },
		{ c, sizeof(c) }, { d, sizeof(d) },
	};
	struct iovec back[] = {
		{ out[0], 2000 },
		{ out[1], 2000 },
		{ out[2], 2000 },
		{ out[3], 2000 },
	};
	int fds[2];

	fill(a, sizeof(a), 1);
	fill(b, sizeof(b), 2);
	fill(c, sizeof(c), 3);
	fill(d, sizeof(d), 4);
	memcpy(got, a, 3);
	memcpy(got + 3, b, 5000);
	memcpy(got + 5003, c, 1);
	memcpy(got + 5004, d, 2000);
	CHECK(!pipe(fds));
	CHECK_EQ(writev(fds[1], in, 5), 7004);
	CHECK_EQ(readv(fds[0], back, 4), 7004);
	CHECK(!memcmp(out, got, 7004));
	CHECK(syscall(SYS_writev, fds[1], in, -1) < 0);
	CHECK_EQ(errno, EINVAL);
	close(fds[0]);
	close(fds[1]);
	return KTAP_OK;
}

/* Pages that move between pipes and a file without passing through us. */
static int pages_through_pipes(void)
{
	enum { LEN = 20000 };
	static char data[LEN], got[LEN];
	int p[2], q[2], fd;
	char path[PATH_MAX];
	loff_t off = 0;

	CHECK(!pipe(p) && !pipe(q));
	fill(data, LEN, 11);
	CHECK(write_all(p[1], data, LEN));
	CHECK_EQ(tee(p[0], q[1], LEN, 0), LEN);
	CHECK(read_all(q[0], got, LEN));
	CHECK(!memcmp(got, data, LEN));
	fd = temp_file(path);
	CHECK(fd >= 0);
	unlink(path);
	for (int done = 0; done < LEN;) {
		ssize_t n = splice(p[0], NULL, fd, &off, LEN - done, 0);

		CHECK(n > 0);
		done += n;
	}
	CHECK_EQ(pread(fd, got, LEN, 0), LEN);
	CHECK(!memcmp(got, data, LEN));
	/* And our own pages into a pipe. */
	{
		struct iovec iov = { data, LEN };

		CHECK_EQ(vmsplice(q[1], &iov, 1, 0), LEN);
		memset(got, 0, LEN);
		CHECK(read_all(q[0], got, LEN));
		CHECK(!memcmp(got, data, LEN));
	}
	close(fd);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
	return KTAP_OK;
}

/* One process reads and writes another's memory. */
static int other_memory(void)
{
	static uint64_t remote[1000], local[1000];
	struct iovec l = { local, sizeof(local) },
		     r = { remote, sizeof(remote) };
	int to[2], from[2];
	pid_t pid;
	ssize_t n;
	char c;

	for (int i = 0; i < 1000; i++)
		remote[i] = i;
	CHECK(!pipe(to) && !pipe(from));
	pid = fork();
	if (!pid) {
		close(to[1]);
		for (int i = 0; i < 1000; i++)
			remote[i] = i * 3;
		if (write(from[1], "x", 1) != 1)
			_exit(3);
		if (read(to[0], &c, 1) < 1)
			_exit(1);
		for (int i = 0; i < 1000; i++)
			if (remote[i] != (uint64_t)i * 5)
				_exit(2);
		_exit(0);
	}
	CHECK(pid > 0);
	close(to[0]);
	close(from[1]);
	/*
	 * It has written all before we look: the copy goes page by page, and one
	 * taken meanwhile may be half old, half new.
	 */
	CHECK_EQ(read(from[0], &c, 1), 1);
	close(from[0]);
	n = process_vm_readv(pid, &l, 1, &r, 1, 0);
	if (n < 0 && errno == ENOSYS) {
		kill(pid, SIGKILL);
		reap(pid);
		SKIP("no cross-memory attach in this kernel");
	}
	CHECK_EQ(n, sizeof(local));
	for (int i = 0; i < 1000; i++) {
		CHECK_EQ(local[i], i * 3);
		local[i] = i * 5;
	}
	CHECK_EQ(process_vm_writev(pid, &l, 1, &r, 1, 0), sizeof(local));
	CHECK_EQ(write(to[1], "x", 1), 1);
	CHECK_EQ(reap(pid), 0);
	CHECK_EQ(remote[999], 999);
	close(to[1]);
	return KTAP_OK;
}

static int identity(void)
{
	struct utsname uts;

	CHECK(!uname(&uts));
	CHECK(!strcmp(uts.sysname, "Linux"));
	CHECK(!strcmp(uts.machine, "x86_64"));
	CHECK_EQ(sysconf(_SC_PAGESIZE), 4096);
	CHECK_EQ(getauxval(AT_PAGESZ), 4096);
	CHECK_EQ(getauxval(AT_CLKTCK), 100);
	CHECK(getauxval(AT_SYSINFO_EHDR) % PAGE == 0);
	CHECK(!strcmp((char *)getauxval(AT_PLATFORM), "x86_64"));
	return KTAP_OK;
}

int main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		{ "registers over SYSCALL", registers_kept },
		{ "unknown system calls", unknown_numbers },
		{ "bad pointers", bad_pointers },
		{ "half bad pointers", half_bad_pointers },
		{ "vfork", vfork_shares },
		{ "clone with and without shared memory", clone_shares },
		{ "2000 arguments", large_argv },
		{ "too large an argument", too_large_argv },
		{ "exec that fails", exec_errors },
		{ "exec of a script", exec_script },
		{ "limits and usage", limits },
		{ "prctl", process_names },
		{ "forbidden RDTSC", tsc_forbidden },
		{ "CPU number, five ways", cpu_numbers },
		{ "restartable sequences", restartable_sequences },
		{ "membarrier", memory_barriers },
		{ "getrandom", randomness },
		{ "eventfd, timerfd, signalfd by epoll", event_descriptors },
		{ "readv and writev", vectors_of_buffers },
		{ "tee, splice, vmsplice", pages_through_pipes },
		{ "process_vm_readv and writev", other_memory },
		{ "identity", identity },
	};

	if (argc > 1 && !strcmp(argv[1], "--args"))
		return args_status(argc, argv);
	fault_init();
	return ktap_run(tests, ARRAY_SIZE(tests));
}
