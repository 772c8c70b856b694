// SPDX-License-Identifier: GPL-2.0
/*
 * pipestorm [N]: data and signals between processes, N of each. Messages of
 * changing length go round through pipes and are compared byte for byte;
 * queued real-time signals are counted and their values summed; handlers nest
 * and run on an alternate stack; and a loop whose every register holds a
 * pattern is interrupted by a timer's signals whose handler overwrites them
 * all. Context switches, signal frames and returns from them are what is
 * tested; a wrong user register after an event shows here first.
 *
 * World: user mode, natively and in the guest. Needs neither /proc nor /tmp.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <ucontext.h>

#include "ktap.h"
#include "util.h"

enum { MESSAGE_MAX = 9000 }; /* more than two pages, less than a pipe */

static long rounds;

/* Child: send back each message with every byte inverted. */
static int echo_inverted(int in, int out)
{
	static unsigned char buf[MESSAGE_MAX];
	uint32_t len;

	while (read_all(in, &len, sizeof(len))) {
		if (len > sizeof(buf) || !read_all(in, buf, len))
			return 1;
		for (uint32_t i = 0; i < len; i++)
			buf[i] = ~buf[i];
		if (!write_all(out, &len, sizeof(len)) ||
		    !write_all(out, buf, len))
			return 2;
	}
	return 0;
}

static int ping_pong(int to, int from, long n)
{
	static unsigned char sent[MESSAGE_MAX], got[MESSAGE_MAX];
	uint64_t seed = 0x70696e67;

	for (long i = 0; i < n; i++) {
		/* Mostly short, every 16th long. */
		uint32_t len = next_random(&seed) % (i % 16 ? 64 : MESSAGE_MAX);
		uint32_t got_len;

		fill(sent, len, seed);
		CHECK(write_all(to, &len, sizeof(len)));
		CHECK(write_all(to, sent, len));
		CHECK(read_all(from, &got_len, sizeof(got_len)));
		CHECK_EQ(got_len, len);
		CHECK(read_all(from, got, len));
		for (uint32_t j = 0; j < len; j++)
			if (got[j] != (unsigned char)~sent[j]) {
				ktap_note("message %ld differs at %u", i, j);
				return KTAP_FAIL;
			}
	}
	return KTAP_OK;
}

static int pipe_ping_pong(void)
{
	int to[2], from[2];
	pid_t pid;

	CHECK(!pipe(to) && !pipe(from));
	pid = fork();
	if (!pid) {
		close(to[1]);
		close(from[0]);
		_exit(echo_inverted(to[0], from[1]));
	}
	CHECK(pid > 0);
	close(to[0]);
	close(from[1]);
	CHECK_RUN(ping_pong(to[1], from[0], rounds));
	close(to[1]);
	CHECK_EQ(reap(pid), 0);
	CHECK_EQ(read(from[0], &(char){ 0 }, 1), 0); /* end of file */
	close(from[0]);
	return KTAP_OK;
}

static int socket_ping_pong(void)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		SKIP("no Unix sockets in this kernel");
	pid = fork();
	if (!pid) {
		close(pair[0]);
		_exit(echo_inverted(pair[1], pair[1]));
	}
	CHECK(pid > 0);
	close(pair[1]);
	CHECK_RUN(ping_pong(pair[0], pair[0], rounds / 4));
	close(pair[0]);
	CHECK_EQ(reap(pid), 0);
	return KTAP_OK;
}

/* One byte through a ring of processes, each adding its number. */
static int token_ring(void)
{
	enum { NODES = 6 };
	int pipes[NODES][2];
	pid_t pids[NODES];
	long laps = rounds / NODES;

	for (int i = 0; i < NODES; i++)
		CHECK(!pipe(pipes[i]));
	for (int i = 1; i < NODES; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			uint64_t token;

			for (long lap = 0; lap < laps; lap++) {
				if (!read_all(pipes[i - 1][0], &token, 8))
					_exit(1);
				token = token * 31 + i;
				if (!write_all(pipes[i][1], &token, 8))
					_exit(2);
			}
			_exit(0);
		}
		CHECK(pids[i] > 0);
	}
	for (long lap = 0; lap < laps; lap++) {
		uint64_t token = lap, expected = lap;

		CHECK(write_all(pipes[0][1], &token, 8));
		for (int i = 1; i < NODES; i++)
			expected = expected * 31 + i;
		CHECK(read_all(pipes[NODES - 1][0], &token, 8));
		CHECK_EQ(token, expected);
	}
	for (int i = 1; i < NODES; i++)
		CHECK_EQ(reap(pids[i]), 0);
	for (int i = 0; i < NODES; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
	return KTAP_OK;
}

static int broken_pipe(void)
{
	int fds[2];
	struct sigaction old, ignore = { .sa_handler = SIG_IGN };

	CHECK(!pipe(fds));
	close(fds[0]);
	sigaction(SIGPIPE, &ignore, &old);
	CHECK(write(fds[1], "x", 1) < 0);
	CHECK_EQ(errno, EPIPE);
	sigaction(SIGPIPE, &old, NULL);
	close(fds[1]);
	return KTAP_OK;
}

/* ---- Signals ---- */

static volatile sig_atomic_t taken;
static volatile long value_sum, value_last, out_of_order;

static void count_value(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	taken++;
	value_sum += info->si_value.sival_int;
	if (info->si_value.sival_int <= value_last)
		out_of_order++;
	value_last = info->si_value.sival_int;
}

/*
 * A child queues numbered signals to us: none may be lost, doubled or passed
 * by a later one. The queue is bounded, so wait when it is full.
 */
static int queued_signals(void)
{
	struct sigaction sa = {
		.sa_sigaction = count_value,
		.sa_flags = SA_SIGINFO | SA_RESTART,
	};
	pid_t pid, parent = getpid();

	taken = value_sum = out_of_order = 0;
	value_last = 0;
	CHECK(!sigaction(SIGRTMIN, &sa, NULL));
	pid = fork();
	if (!pid) {
		for (int i = 1; i <= rounds; i++)
			while (sigqueue(parent, SIGRTMIN,
					(union sigval){ .sival_int = i })) {
				if (errno != EAGAIN)
					_exit(1);
				sched_yield();
			}
		_exit(0);
	}
	CHECK(pid > 0);
	CHECK_EQ(reap(pid), 0);
	CHECK_EQ(taken, rounds);
	CHECK_EQ(value_sum, rounds * (rounds + 1) / 2);
	CHECK_EQ(out_of_order, 0);
	return KTAP_OK;
}

/* Blocked signals queue up (real-time) or merge (the others). */
static int blocked_signals(void)
{
	struct sigaction sa = {
		.sa_sigaction = count_value,
		.sa_flags = SA_SIGINFO,
	};
	sigset_t set, old, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGUSR1);
	CHECK(!sigaction(SIGRTMIN + 1, &sa, NULL));
	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	CHECK(!sigprocmask(SIG_BLOCK, &set, &old));
	taken = 0;
	for (int i = 0; i < 20; i++) {
		CHECK(!sigqueue(getpid(), SIGRTMIN + 1,
				(union sigval){ .sival_int = i }));
		CHECK(!kill(getpid(), SIGUSR1));
	}
	CHECK(!sigpending(&pending));
	CHECK(sigismember(&pending, SIGUSR1) == 1);
	CHECK_EQ(taken, 0);
	CHECK(!sigprocmask(SIG_SETMASK, &old, NULL));
	CHECK_EQ(taken, 21);
	return KTAP_OK;
}

static volatile sig_atomic_t usr1_seen;

static void note_usr1(int sig)
{
	(void)sig;
	usr1_seen++;
}

/* SIGUSR1 to and fro, each side waiting in sigsuspend for the other's. */
static int signal_ping_pong(void)
{
	struct sigaction sa = { .sa_handler = note_usr1 };
	pid_t pid, parent = getpid();
	sigset_t block, old;
	long n = rounds / 2;

	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	CHECK(!sigprocmask(SIG_BLOCK, &block, &old));
	usr1_seen = 0;
	pid = fork();
	if (!pid) {
		for (long i = 0; i < n; i++) {
			while (usr1_seen <= i)
				sigsuspend(&old);
			kill(parent, SIGUSR1);
		}
		_exit(usr1_seen == n ? 0 : 1);
	}
	CHECK(pid > 0);
	for (long i = 0; i < n; i++) {
		CHECK(!kill(pid, SIGUSR1));
		while (usr1_seen <= i)
			sigsuspend(&old);
	}
	CHECK_EQ(reap(pid), 0);
	CHECK_EQ(usr1_seen, n);
	CHECK(!sigprocmask(SIG_SETMASK, &old, NULL));
	return KTAP_OK;
}

static volatile int depth, deepest; /* volatile: raise() is a "leaf" to gcc */
static unsigned char depth_data[16][256];

static void nest(int sig)
{
	unsigned char local[256];
	int mine = depth++;

	(void)sig;
	if (depth > deepest)
		deepest = depth;
	memcpy(local, depth_data[mine], sizeof(local));
	if (depth < 16)
		raise(SIGUSR2);
	if (memcmp(local, depth_data[mine], sizeof(local)))
		deepest = -1000;
	depth--;
}

static int nested_handlers(void)
{
	struct sigaction sa = { .sa_handler = nest, .sa_flags = SA_NODEFER };

	fill(depth_data, sizeof(depth_data), 16);
	CHECK(!sigaction(SIGUSR2, &sa, NULL));
	for (long i = 0; i < rounds / 20; i++) {
		depth = deepest = 0;
		CHECK(!raise(SIGUSR2));
		CHECK_EQ(depth, 0);
		CHECK_EQ(deepest, 16);
	}
	return KTAP_OK;
}

static char *alt_stack;
enum { ALT_SIZE = 65536 };
static volatile int on_alt, off_alt;

static void where_am_i(int sig)
{
	char here;
	stack_t now;

	(void)sig;
	if (&here >= alt_stack && &here < alt_stack + ALT_SIZE &&
	    !sigaltstack(NULL, &now) && now.ss_flags == SS_ONSTACK)
		on_alt++;
	else
		off_alt++;
}

static int alternate_stack(void)
{
	struct sigaction sa = {
		.sa_handler = where_am_i,
		.sa_flags = SA_ONSTACK,
	};
	stack_t ss = { .ss_size = ALT_SIZE };

	alt_stack = ss.ss_sp = malloc(ALT_SIZE);
	CHECK(alt_stack);
	CHECK(!sigaltstack(&ss, NULL));
	CHECK(!sigaction(SIGUSR2, &sa, NULL));
	on_alt = off_alt = 0;
	for (int i = 0; i < 50; i++)
		CHECK(!raise(SIGUSR2));
	sa.sa_flags = 0;
	CHECK(!sigaction(SIGUSR2, &sa, NULL));
	for (int i = 0; i < 30; i++)
		CHECK(!raise(SIGUSR2));
	CHECK_EQ(on_alt, 50);
	CHECK_EQ(off_alt, 30);
	ss.ss_flags = SS_DISABLE;
	CHECK(!sigaltstack(&ss, NULL));
	free(alt_stack);
	return KTAP_OK;
}

/* ---- Registers over signals ---- */

static volatile sig_atomic_t alarms;

/* Overwrites what a handler may; the kernel has to bring it all back. */
static void clobber_all(int sig)
{
	(void)sig;
	alarms++;
	asm volatile("pcmpeqd %%xmm0, %%xmm0\n\t"
		     "movdqa %%xmm0, %%xmm1\n\t"
		     "movdqa %%xmm0, %%xmm2\n\t"
		     "movdqa %%xmm0, %%xmm3\n\t"
		     "movdqa %%xmm0, %%xmm4\n\t"
		     "movdqa %%xmm0, %%xmm5\n\t"
		     "movdqa %%xmm0, %%xmm6\n\t"
		     "movdqa %%xmm0, %%xmm7\n\t"
		     "movdqa %%xmm0, %%xmm8\n\t"
		     "movdqa %%xmm0, %%xmm9\n\t"
		     "movdqa %%xmm0, %%xmm10\n\t"
		     "movdqa %%xmm0, %%xmm11\n\t"
		     "movdqa %%xmm0, %%xmm12\n\t"
		     "movdqa %%xmm0, %%xmm13\n\t"
		     "movdqa %%xmm0, %%xmm14\n\t"
		     "movdqa %%xmm0, %%xmm15\n\t"
		     "mov $-1, %%rax\n\t"
		     "mov $-1, %%rcx\n\t"
		     "mov $-1, %%rdx\n\t"
		     "mov $-1, %%rsi\n\t"
		     "mov $-1, %%rdi\n\t"
		     "mov $-1, %%r8\n\t"
		     "mov $-1, %%r9\n\t"
		     "mov $-1, %%r10\n\t"
		     "mov $-1, %%r11\n\t"
		     "fninit\n\t"
		     "fld1\n\t"
		     "stc\n\t"
		     :
		     :
		     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10",
		       "r11", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3",
		       "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
		       "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st");
	asm volatile("fstp %%st(0)" : : : "memory");
}

/*
 * Load all general registers but RSP, the sixteen XMM registers and the flags
 * with patterns, spin RCX down to zero, store them all. Nothing is called and
 * nothing pushed in between: what changes them came from outside.
 */
struct window {
	uint64_t gpr_in[16], gpr_out[16];
	uint64_t xmm_in[16][2], xmm_out[16][2];
	uint64_t flags_in, flags_out;
} __attribute__((aligned(16)));

extern void register_window(struct window *w, uint64_t spins);
asm(".pushsection .text\n"
    "	.globl register_window\n"
    "	.type register_window, @function\n"
    "register_window:\n"
    "	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "	mov %rdi, window_ptr(%rip)\n"
    "	mov %rsi, window_spins(%rip)\n"
    "	.irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
    "	movdqa 256 + \\n * 16(%rdi), %xmm\\n\n"
    "	.endr\n"
    "	mov 0(%rdi), %rax\n"
    "	mov 24(%rdi), %rdx\n"
    "	mov 32(%rdi), %rbx\n"
    "	mov 48(%rdi), %rbp\n"
    "	mov 56(%rdi), %rsi\n"
    "	.irp n,8,9,10,11,12,13,14,15\n"
    "	mov \\n * 8(%rdi), %r\\n\n"
    "	.endr\n"
    "	mov window_spins(%rip), %rcx\n"
    "	pushq 768(%rdi)\n"
    "	mov 40(%rdi), %rdi\n"
    "	popfq\n"
    /* LEA and JRCXZ leave the flags alone, so they are part of the pattern. */
    "1:	lea -1(%rcx), %rcx\n"
    "	jrcxz 2f\n"
    "	jmp 1b\n"
    "2:	pushfq\n"
    "	push %rdi\n"
    "	mov window_ptr(%rip), %rdi\n"
    "	mov %rax, 128(%rdi)\n"
    "	mov %rcx, 128 + 16(%rdi)\n"
    "	mov %rdx, 128 + 24(%rdi)\n"
    "	mov %rbx, 128 + 32(%rdi)\n"
    "	pop %rax\n"
    "	mov %rax, 128 + 40(%rdi)\n"
    "	mov %rbp, 128 + 48(%rdi)\n"
    "	mov %rsi, 128 + 56(%rdi)\n"
    "	.irp n,8,9,10,11,12,13,14,15\n"
    "	mov %r\\n, 128 + \\n * 8(%rdi)\n"
    "	.endr\n"
    "	popq 776(%rdi)\n"
    "	.irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
    "	movdqa %xmm\\n, 512 + \\n * 16(%rdi)\n"
    "	.endr\n"
    "	pushq $0x202\n"
    "	popfq\n"
    "	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "	ret\n"
    "	.size register_window, . - register_window\n"
    "	.popsection\n"
    "	.local window_ptr, window_spins\n"
    "	.comm window_ptr, 8, 8\n"
    "	.comm window_spins, 8, 8\n");

_Static_assert(__builtin_offsetof(struct window, gpr_out) == 128, "asm");
_Static_assert(__builtin_offsetof(struct window, xmm_in) == 256, "asm");
_Static_assert(__builtin_offsetof(struct window, xmm_out) == 512, "asm");
_Static_assert(__builtin_offsetof(struct window, flags_in) == 768, "asm");
_Static_assert(__builtin_offsetof(struct window, flags_out) == 776, "asm");

/* Not shorter: where a signal costs a millisecond, work must still go on. */
enum { ALARM_USEC = 5000 };

static int set_timer(long usec)
{
	struct itimerval it = {
		.it_interval.tv_usec = usec,
		.it_value.tv_usec = usec,
	};

	return setitimer(ITIMER_REAL, &it, NULL);
}

static int registers_over_signals(void)
{
	struct sigaction sa = { .sa_handler = clobber_all };
	static struct window w;
	long wanted = rounds / 20, passes = 0;

	CHECK(!sigaction(SIGALRM, &sa, NULL));
	alarms = 0;
	CHECK(!set_timer(ALARM_USEC));
	while (alarms < wanted) {
		fill(w.gpr_in, sizeof(w.gpr_in), 0x67707200 + passes);
		fill(w.xmm_in, sizeof(w.xmm_in), 0x786d6d00 + passes);
		/* CF PF AF ZF SF OF and ID, by turns; IF and bit 1 are 1. */
		w.flags_in = (w.gpr_in[0] & 0x2008d5) | 0x202;
		register_window(&w, 20000);
		w.gpr_in[1] = w.gpr_out[1]; /* slot 1 is not used */
		w.gpr_in[2] = 0; /* RCX, counted down */
		if (memcmp(w.gpr_in, w.gpr_out, sizeof(w.gpr_in)) ||
		    memcmp(w.xmm_in, w.xmm_out, sizeof(w.xmm_in)) ||
		    w.flags_in != w.flags_out) {
			set_timer(0);
			for (int i = 0; i < 16; i++)
				if (w.gpr_in[i] != w.gpr_out[i])
					ktap_note("slot %d changed", i);
			for (int i = 0; i < 16; i++)
				if (memcmp(w.xmm_in[i], w.xmm_out[i], 16))
					ktap_note("xmm%d changed", i);
			ktap_note("flags %#lx, before %#lx", w.flags_out,
				  w.flags_in);
			return KTAP_FAIL;
		}
		passes++;
	}
	CHECK(!set_timer(0));
	ktap_note("%d alarms in %ld passes", (int)alarms, passes);
	return KTAP_OK;
}

/* A checksum over a megabyte, again and again, while SIGALRM rains. */
static int checksum_under_alarms(void)
{
	struct sigaction sa = {
		.sa_handler = clobber_all,
		.sa_flags = SA_RESTART,
	};
	enum { LEN = 1 << 18 };
	unsigned char *data = malloc(LEN);
	uint64_t sum;
	long wanted = rounds / 40;

	CHECK(data);
	fill(data, LEN, 7);
	sum = checksum(CHECKSUM_INIT, data, LEN);
	CHECK(!sigaction(SIGALRM, &sa, NULL));
	alarms = 0;
	CHECK(!set_timer(ALARM_USEC));
	do {
		uint64_t again = checksum(CHECKSUM_INIT, data, LEN);

		if (again != sum)
			set_timer(0);
		CHECK_EQ(again, sum);
	} while (alarms < wanted);
	CHECK(!set_timer(0));
	free(data);
	return KTAP_OK;
}

static void redirect(int sig, siginfo_t *info, void *context)
{
	greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)sig;
	(void)info;
	/* As a debugger or a JIT does: come back elsewhere, changed. */
	gregs[REG_RIP] += 2; /* past UD2 */
	gregs[REG_RAX] = 0x1122334455667788;
	gregs[REG_RCX] = 0x0102030405060708;
	gregs[REG_R11] = 0x7777777777777777;
	gregs[REG_RBX] ^= -1;
	gregs[REG_EFL] |= 1;
}

/* What a handler writes into its frame is what the program goes on with. */
static int handler_changes_registers(void)
{
	struct sigaction sa = {
		.sa_sigaction = redirect,
		.sa_flags = SA_SIGINFO,
	};
	uint64_t rax, rcx, r11, rbx;
	uint8_t carry;

	CHECK(!sigaction(SIGILL, &sa, NULL));
	asm volatile("mov %5, %%rbx\n\t"
		     "clc\n\t"
		     "ud2\n\t"
		     "mov %%rax, %0\n\t"
		     "mov %%rcx, %1\n\t"
		     "mov %%r11, %2\n\t"
		     "mov %%rbx, %3\n\t"
		     "setc %4"
		     : "=m"(rax), "=m"(rcx), "=m"(r11), "=m"(rbx), "=m"(carry)
		     : "i"(0x1234)
		     : "rax", "rcx", "r11", "rbx", "cc", "memory");
	CHECK_EQ(rax, 0x1122334455667788);
	CHECK_EQ(rcx, 0x0102030405060708);
	CHECK_EQ(r11, 0x7777777777777777);
	CHECK_EQ(rbx, ~0x1234UL);
	CHECK_EQ(carry, 1);
	return KTAP_OK;
}

static int interrupted_syscalls(void)
{
	struct sigaction sa = { .sa_handler = note_usr1 };
	int fds[2];
	char c;

	CHECK(!pipe(fds));
	/* Without SA_RESTART a blocked read ends with EINTR... */
	CHECK(!sigaction(SIGALRM, &sa, NULL));
	usr1_seen = 0;
	CHECK(!set_timer(ALARM_USEC)); /* again and again: no race with read */
	CHECK(read(fds[0], &c, 1) < 0);
	CHECK_EQ(errno, EINTR);
	CHECK(usr1_seen > 0);
	/* ...and poll does so even with it. */
	sa.sa_flags = SA_RESTART;
	CHECK(!sigaction(SIGALRM, &sa, NULL));
	CHECK(poll(&(struct pollfd){ .fd = fds[0], .events = POLLIN }, 1, -1) <
	      0);
	CHECK_EQ(errno, EINTR);
	CHECK(!set_timer(0));
	close(fds[0]);
	close(fds[1]);
	return KTAP_OK;
}

/* With SA_RESTART the read goes on; a child writes after the signal. */
static int restarted_syscall(void)
{
	struct sigaction sa = {
		.sa_handler = note_usr1,
		.sa_flags = SA_RESTART,
	};
	pid_t pid, parent = getpid();
	int fds[2];
	char c = 0;

	CHECK(!pipe(fds));
	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	usr1_seen = 0;
	pid = fork();
	if (!pid) {
		usleep(3000);
		kill(parent, SIGUSR1);
		usleep(3000);
		_exit(write(fds[1], "!", 1) != 1);
	}
	CHECK(pid > 0);
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(c, '!');
	CHECK_EQ(usr1_seen, 1);
	CHECK_EQ(reap(pid), 0);
	close(fds[0]);
	close(fds[1]);
	return KTAP_OK;
}

int main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		{ "pipe ping-pong, contents compared", pipe_ping_pong },
		{ "socket ping-pong, contents compared", socket_ping_pong },
		{ "token through a ring of six processes", token_ring },
		{ "write to a broken pipe", broken_pipe },
		{ "queued signals: all, once, in order", queued_signals },
		{ "blocked signals queue or merge", blocked_signals },
		{ "signal ping-pong", signal_ping_pong },
		{ "handlers nested 16 deep", nested_handlers },
		{ "alternate signal stack", alternate_stack },
		{ "general and XMM registers and flags over timer signals",
		  registers_over_signals },
		{ "checksum under timer signals", checksum_under_alarms },
		{ "handler changes registers", handler_changes_registers },
		{ "interrupted system calls", interrupted_syscalls },
		{ "restarted system call", restarted_syscall },
	};

	rounds = ktap_arg(argc, argv, 1, 1000);
	return ktap_run(tests, ARRAY_SIZE(tests));
}
