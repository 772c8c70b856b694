// SPDX-License-Identifier: GPL-2.0
/*
 * int80: a 32-bit static program that talks to the kernel by `int $0x80`, and
 * by whatever AT_SYSINFO's vDSO has chosen: system calls with up to six
 * arguments, descriptors for %gs, mappings, fork, exec, old and new signal
 * frames, exceptions of compatibility mode (INTO and BOUND live only there),
 * and far calls into 64-bit code and back. The guest kernel has to find the
 * same selectors in its frames as natively, although it runs with the user's.
 *
 * World: user mode in compatibility mode, natively and in the guest; the kernel
 * needs CONFIG_IA32_EMULATION. Freestanding: no libc, no libgcc, no headers, so
 * that gcc -m32 without multilib builds it; hence also its own little KTAP.
 */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* System call numbers of i386. */
#define NR_exit 1
#define NR_fork 2
#define NR_read 3
#define NR_write 4
#define NR_close 6
#define NR_waitpid 7
#define NR_execve 11
#define NR_getpid 20
#define NR_kill 37
#define NR_pipe 42
#define NR_brk 45
#define NR_getppid 64
#define NR_sigaction 67
#define NR_sigreturn 119
#define NR_munmap 91
#define NR_mprotect 125
#define NR_sched_yield 158
#define NR_rt_sigreturn 173
#define NR_rt_sigaction 174
#define NR_mmap2 192
#define NR_gettid 224
#define NR_set_thread_area 243
#define NR_clock_gettime 265

#define ENOSYS 38
#define EFAULT 14
#define EBADF 9

#define SIGILL 4
#define SIGTRAP 5
#define SIGBUS 7
#define SIGFPE 8
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SI_KERNEL 0x80

/* libgcc and libc that are not there; gcc may call these by itself. */
__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *
memset(void *p, int c, u32 n)
{
	u8 *to = p;

	while (n--)
		*to++ = c;
	return p;
}

__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *
memcpy(void *p, const void *q, u32 n)
{
	u8 *to = p;
	const u8 *from = q;

	while (n--)
		*to++ = *from++;
	return p;
}

static int int80(u32 nr, u32 a, u32 b, u32 c, u32 d, u32 e)
{
	int ret;

	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
		     : "memory");
	return ret;
}

#define sys0(nr) int80(nr, 0, 0, 0, 0, 0)
#define sys1(nr, a) int80(nr, (u32)(a), 0, 0, 0, 0)
#define sys2(nr, a, b) int80(nr, (u32)(a), (u32)(b), 0, 0, 0)
#define sys3(nr, a, b, c) int80(nr, (u32)(a), (u32)(b), (u32)(c), 0, 0)
#define sys4(nr, a, b, c, d) \
	int80(nr, (u32)(a), (u32)(b), (u32)(c), (u32)(d), 0)

/* Six arguments: the last one in EBP, which the compiler wants itself. */
static int sys6(u32 nr, u32 a, u32 b, u32 c, u32 d, u32 e, u32 f)
{
	u32 args[7] = { nr, a, b, c, d, e, f };
	int ret;

	asm volatile("push %%ebp\n\t"
		     "push %%ebx\n\t"
		     "mov 4(%%eax), %%ebx\n\t"
		     "mov 8(%%eax), %%ecx\n\t"
		     "mov 12(%%eax), %%edx\n\t"
		     "mov 16(%%eax), %%esi\n\t"
		     "mov 20(%%eax), %%edi\n\t"
		     "mov 24(%%eax), %%ebp\n\t"
		     "mov (%%eax), %%eax\n\t"
		     "int $0x80\n\t"
		     "pop %%ebx\n\t"
		     "pop %%ebp"
		     : "=a"(ret)
		     : "0"(args)
		     : "ecx", "edx", "esi", "edi", "memory");
	return ret;
}

/* ---- KTAP, small ---- */

static u32 length(const char *s)
{
	u32 n = 0;

	while (s[n])
		n++;
	return n;
}

static char line[256];
static u32 line_len;

static void put(const char *s)
{
	u32 n = length(s);

	if (line_len + n < sizeof(line)) {
		memcpy(line + line_len, s, n);
		line_len += n;
	}
}

static void put_number(u32 n, u32 base)
{
	char digits[12];
	int i = sizeof(digits) - 1;

	digits[i] = 0;
	do {
		digits[--i] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n);
	put(digits + i);
}

static void end_line(void)
{
	put("\n");
	sys3(NR_write, 1, line, line_len);
	line_len = 0;
}

static int failed_check(int at, const char *what, u32 a, u32 b)
{
	put("# int80.c:");
	put_number(at, 10);
	put(": ");
	put(what);
	put(": 0x");
	put_number(a, 16);
	put(", 0x");
	put_number(b, 16);
	end_line();
	return 1;
}

#define CHECK_EQ(a, b)                                                       \
	do {                                                                 \
		u32 _a = (u32)(a), _b = (u32)(b);                            \
                                                                             \
		if (_a != _b)                                                \
			return failed_check(__LINE__, #a " == " #b, _a, _b); \
	} while (0)

#define CHECK(cond) CHECK_EQ(!(cond), 0)

/* ---- Start ---- */

asm(".pushsection .text\n"
    "	.globl _start\n"
    "_start:\n"
    "	mov %esp, %eax\n"
    "	and $-16, %esp\n"
    "	sub $12, %esp\n"
    "	push %eax\n"
    "	call start\n"
    "	hlt\n"
    "	.popsection\n");

static const char *own_path;
static u32 vdso_entry; /* AT_SYSINFO, 0 if there is none */
static struct {
	u16 cs, ss, ds, es, fs, gs;
} first; /* selectors at the first instruction, nearly */

static u32 read_gs(void)
{
	u32 gs;

	asm volatile("mov %%gs, %0" : "=r"(gs));
	return gs & 0xffff;
}

static u32 gs_word(void)
{
	u32 word;

	asm volatile("mov %%gs:0, %0" : "=r"(word) : : "memory");
	return word;
}

/* ---- System calls ---- */

static int selectors(void)
{
	CHECK_EQ(first.cs, 0x23);
	CHECK_EQ(first.ss, 0x2b);
	CHECK_EQ(first.ds, 0x2b);
	CHECK_EQ(first.es, 0x2b);
	CHECK_EQ(first.fs, 0);
	CHECK_EQ(first.gs, 0);
	return 0;
}

static int flags_word(void)
{
	u32 flags;

	asm volatile("pushf; pop %0" : "=r"(flags));
	CHECK_EQ(flags & 0x3200, 0x0200); /* IF set, IOPL 0 */
	return 0;
}

static int basic_calls(void)
{
	CHECK(sys0(NR_getpid) > 0);
	CHECK_EQ(sys0(NR_getpid), sys0(NR_gettid));
	CHECK(sys0(NR_getppid) >= 0);
	CHECK_EQ(sys0(1000), -ENOSYS);
	CHECK_EQ(sys0(0xffffffff), -ENOSYS);
	CHECK_EQ(sys0(0x80000000), -ENOSYS);
	CHECK_EQ(sys3(NR_write, 77, "x", 1), -EBADF);
	CHECK_EQ(sys1(NR_pipe, 16), -EFAULT);
	CHECK_EQ(sys3(NR_read, -1, line, 1), -EBADF);
	return 0;
}

/* All registers but EAX come back, and the flags. */
static int registers_kept(void)
{
	static u32 in[6] = {
		0x11111111, 0x22222222, 0x33333333,
		0x44444444, 0x55555555, 0x66666666,
	};
	static u32 out[8];

	for (int i = 0; i < 200; i++) {
		asm volatile("pushal\n\t"
			     "mov %[nr], %%eax\n\t"
			     "mov %[in], %%ebx\n\t"
			     "mov %[in] + 4, %%ecx\n\t"
			     "mov %[in] + 8, %%edx\n\t"
			     "mov %[in] + 12, %%esi\n\t"
			     "mov %[in] + 16, %%edi\n\t"
			     "mov %[in] + 20, %%ebp\n\t"
			     "push $0x0ed7\n\t" /* all arithmetic, DF, IF */
			     "popf\n\t"
			     "int $0x80\n\t"
			     "pushf\n\t"
			     "cld\n\t"
			     "pop %[out] + 24\n\t"
			     "mov %%ebx, %[out]\n\t"
			     "mov %%ecx, %[out] + 4\n\t"
			     "mov %%edx, %[out] + 8\n\t"
			     "mov %%esi, %[out] + 12\n\t"
			     "mov %%edi, %[out] + 16\n\t"
			     "mov %%ebp, %[out] + 20\n\t"
			     "popal"
			     : [out] "+m"(out)
			     : [in] "m"(in), [nr] "i"(NR_getppid)
			     : "memory", "cc");
		for (int j = 0; j < 6; j++)
			CHECK_EQ(out[j], in[j]);
		CHECK_EQ(out[6] & 0xed7, 0xed7);
		in[i % 6] = in[i % 6] * 0x9e3779b1 + i;
	}
	return 0;
}

static int six_arguments(void)
{
	u32 len = 64 * 4096;
	u8 *p = (u8 *)sys6(NR_mmap2, 0, len, 3, 0x22, -1, 0);
	u8 *high;

	CHECK((u32)p < 0xfffff000);
	for (u32 i = 0; i < len; i += 512)
		CHECK_EQ(p[i], 0);
	for (u32 i = 0; i < len; i++)
		p[i] = i * 7;
	for (u32 i = 0; i < len; i++)
		CHECK_EQ(p[i], (u8)(i * 7));
	CHECK_EQ(sys2(NR_munmap, p, len), 0);
	/* A fixed address in the fourth gigabyte. MAP_FIXED_NOREPLACE */
	high = (u8 *)sys6(NR_mmap2, 0xc1234000, 4096, 3, 0x100022, -1, 0);
	CHECK_EQ(high, 0xc1234000);
	high[4095] = 0x5a;
	CHECK_EQ(high[4095], 0x5a);
	CHECK_EQ(sys2(NR_munmap, high, 4096), 0);
	return 0;
}

static int heap(void)
{
	u8 *start = (u8 *)sys1(NR_brk, 0);

	CHECK(start);
	CHECK_EQ(sys1(NR_brk, start + 100000), start + 100000);
	for (int i = 0; i < 100000; i++) {
		CHECK_EQ(start[i], 0);
		start[i] = i;
	}
	for (int i = 0; i < 100000; i++)
		CHECK_EQ(start[i], (u8)i);
	CHECK_EQ(sys1(NR_brk, start), start);
	return 0;
}

static int wait_for(int pid)
{
	int status = -1;

	if (sys3(NR_waitpid, pid, &status, 0) != pid)
		return -1;
	return status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
}

static int fork_and_wait(void)
{
	static volatile u32 word;
	int parent = sys0(NR_getpid);

	for (int i = 0; i < 50; i++) {
		int pid;

		word = i;
		pid = sys0(NR_fork);
		if (!pid) {
			if (sys0(NR_getppid) != parent || word != (u32)i)
				sys1(NR_exit, 200);
			word = 999;
			sys1(NR_exit, i);
		}
		CHECK(pid > 0);
		CHECK_EQ(wait_for(pid), i);
		CHECK_EQ(word, i);
	}
	return 0;
}

static int exec_self(void)
{
	const char *argv[] = { "int80", "--child", 0 };
	const char *envp[] = { 0 };

	for (int i = 0; i < 10; i++) {
		int pid = sys0(NR_fork);

		if (!pid) {
			sys3(NR_execve, own_path, argv, envp);
			sys1(NR_exit, 201);
		}
		CHECK(pid > 0);
		CHECK_EQ(wait_for(pid), 42);
	}
	return 0;
}

static int pipe_contents(void)
{
	static u8 sent[3000], got[3000];
	int fds[2], pid;

	CHECK_EQ(sys1(NR_pipe, fds), 0);
	for (u32 i = 0; i < sizeof(sent); i++)
		sent[i] = i * i >> 3;
	pid = sys0(NR_fork);
	if (!pid) {
		for (int i = 0; i < 20; i++)
			if (sys3(NR_write, fds[1], sent, sizeof(sent)) !=
			    (int)sizeof(sent))
				sys1(NR_exit, 1);
		sys1(NR_exit, 0);
	}
	CHECK(pid > 0);
	for (int i = 0; i < 20; i++) {
		for (u32 n = 0; n < sizeof(got);) {
			int ret =
				sys3(NR_read, fds[0], got + n, sizeof(got) - n);

			CHECK(ret > 0);
			n += ret;
		}
		for (u32 j = 0; j < sizeof(got); j++)
			CHECK_EQ(got[j], sent[j]);
	}
	CHECK_EQ(wait_for(pid), 0);
	sys1(NR_close, fds[0]);
	sys1(NR_close, fds[1]);
	return 0;
}

/* ---- vDSO ---- */

static int vdso_call(u32 nr)
{
	int ret;

	asm volatile("call *%2"
		     : "=a"(ret)
		     : "0"(nr), "r"(vdso_entry)
		     : "memory", "cc");
	return ret;
}

/* What a 32-bit libc does. Without AT_SYSINFO it uses int $0x80, as we do. */
static int by_the_vdso(void)
{
	put(vdso_entry ? "# AT_SYSINFO is there" : "# no AT_SYSINFO");
	end_line();
	if (!vdso_entry)
		return 0;
	for (int i = 0; i < 200; i++) {
		CHECK_EQ(vdso_call(NR_getpid), sys0(NR_getpid));
		CHECK_EQ(vdso_call(1000), -ENOSYS);
	}
	return 0;
}

static int clock_advances(void)
{
	struct {
		u32 sec, nsec;
	} was, now;

	CHECK_EQ(sys2(NR_clock_gettime, 1, &was), 0);
	for (int i = 0; i < 2000; i++) {
		CHECK_EQ(sys2(NR_clock_gettime, 1, &now), 0);
		CHECK(now.nsec < 1000000000);
		CHECK(now.sec > was.sec ||
		      (now.sec == was.sec && now.nsec >= was.nsec));
		was = now;
	}
	return 0;
}

/* ---- TLS ---- */

struct user_desc {
	u32 entry, base, limit, bits;
};

#define DESC_DATA 0x51 /* 32-bit, limit in pages, usable */

static u32 tls_selector(void *base, int entry)
{
	struct user_desc desc = { entry, (u32)base, 0xfffff, DESC_DATA };

	if (sys1(NR_set_thread_area, &desc))
		return 0;
	return desc.entry << 3 | 3;
}

static void load_gs(u32 selector)
{
	asm volatile("mov %0, %%gs" : : "r"(selector) : "memory");
}

static int tls_by_gs(void)
{
	static u32 cells[3] = { 0xaaaa0001, 0xbbbb0002, 0xcccc0003 };
	u32 sel = tls_selector(&cells[0], -1);
	int pid;

	CHECK(sel >= (12 << 3 | 3) && sel <= (14 << 3 | 3));
	load_gs(sel);
	for (int i = 0; i < 200; i++) {
		CHECK_EQ(gs_word(), cells[0]);
		sys0(NR_sched_yield);
		CHECK_EQ(read_gs(), sel);
	}
	/* Another base in the same entry, loaded anew. */
	CHECK_EQ(tls_selector(&cells[1], sel >> 3), sel);
	load_gs(sel);
	CHECK_EQ(gs_word(), cells[1]);
	pid = sys0(NR_fork);
	if (!pid) {
		if (read_gs() != sel || gs_word() != cells[1])
			sys1(NR_exit, 1);
		tls_selector(&cells[2], sel >> 3);
		load_gs(sel);
		for (int i = 0; i < 50; i++)
			sys0(NR_sched_yield);
		sys1(NR_exit, gs_word() == cells[2] ? 7 : 2);
	}
	CHECK(pid > 0);
	for (int i = 0; i < 50; i++) {
		sys0(NR_sched_yield);
		CHECK_EQ(gs_word(), cells[1]);
	}
	CHECK_EQ(wait_for(pid), 7);
	CHECK_EQ(gs_word(), cells[1]);
	load_gs(0);
	return 0;
}

/* ---- Signals ---- */

struct sigcontext32 {
	u32 gs, fs, es, ds, di, si, bp, sp, bx, dx, cx, ax, trapno, err, ip, cs,
		flags, sp_at_signal, ss, fpstate;
};

struct ucontext32 {
	u32 flags, link, stack[3];
	struct sigcontext32 mc;
};

struct siginfo32 {
	int signo, err, code;
	u32 addr;
};

struct rt_sigaction32 {
	u32 handler, flags, restorer, mask[2];
};

struct old_sigaction32 {
	u32 handler, mask, flags, restorer;
};

#define SA_SIGINFO 0x00000004
#define SA_RESTORER 0x04000000
#define SA_NODEFER 0x40000000

extern void rt_restorer(void), old_restorer(void);
asm(".pushsection .text\n"
    "rt_restorer:\n"
    "	mov $173, %eax\n"
    "	int $0x80\n"
    "old_restorer:\n"
    "	pop %eax\n"
    "	mov $119, %eax\n"
    "	int $0x80\n"
    "	.popsection\n");

static int on_signal(int sig, void *handler)
{
	struct rt_sigaction32 sa = {
		(u32)handler,
		SA_SIGINFO | SA_RESTORER,
		(u32)rt_restorer,
		{ 0, 0 },
	};

	return sys4(NR_rt_sigaction, sig, &sa, 0, 8);
}

static volatile u32 handled, handled_gs, handled_cs, handled_ss;

static void note_signal(int sig, struct siginfo32 *info, struct ucontext32 *uc)
{
	handled = sig << 16 | info->signo;
	handled_gs = uc->mc.gs;
	handled_cs = uc->mc.cs;
	handled_ss = uc->mc.ss;
	load_gs(0); /* the return has to bring it back */
}

static void note_old_signal(int sig)
{
	handled = sig;
}

static int new_signal_frame(void)
{
	static u32 cell = 0x51641;
	u32 sel = tls_selector(&cell, -1);

	CHECK(sel);
	load_gs(sel);
	CHECK_EQ(on_signal(SIGUSR1, note_signal), 0);
	for (int i = 0; i < 50; i++) {
		u32 ebx = 0x12345678 + i, esi = ~ebx;
		int ret;

		handled = 0;
		asm volatile("int $0x80"
			     : "=a"(ret), "+S"(esi)
			     : "0"(NR_kill), "b"(sys0(NR_getpid)), "c"(SIGUSR1)
			     : "memory");
		CHECK_EQ(ret, 0);
		CHECK_EQ(esi, ~ebx);
		CHECK_EQ(handled, SIGUSR1 << 16 | SIGUSR1);
		CHECK_EQ(handled_gs & 0xffff, sel);
		CHECK_EQ(handled_cs & 0xffff, 0x23);
		CHECK_EQ(handled_ss & 0xffff, 0x2b);
		CHECK_EQ(read_gs(), sel);
		CHECK_EQ(gs_word(), cell);
	}
	load_gs(0);
	return 0;
}

static int old_signal_frame(void)
{
	struct old_sigaction32 sa = {
		(u32)note_old_signal,
		0,
		SA_RESTORER,
		(u32)old_restorer,
	};

	CHECK_EQ(sys3(NR_sigaction, SIGUSR2, &sa, 0), 0);
	for (int i = 0; i < 50; i++) {
		handled = 0;
		CHECK_EQ(sys2(NR_kill, sys0(NR_getpid), SIGUSR2), 0);
		CHECK_EQ(handled, SIGUSR2);
	}
	return 0;
}

/* ---- Exceptions ---- */

static struct {
	int sig, code;
	u32 addr, trapno, err, ip, cs;
} fault;

static u32 fault_resume;

static void note_fault(int sig, struct siginfo32 *info, struct ucontext32 *uc)
{
	fault.sig = sig;
	fault.code = info->code;
	fault.addr = info->addr;
	fault.trapno = uc->mc.trapno;
	fault.err = uc->mc.err;
	fault.ip = uc->mc.ip;
	fault.cs = uc->mc.cs & 0xffff;
	uc->mc.ip = fault_resume;
}

/* Run an instruction; the handler comes back behind it. */
#define TRY(insn)                                                    \
	do {                                                         \
		memset(&fault, 0, sizeof(fault));                    \
		asm volatile("movl $1f, fault_resume\n\t" insn "\n"  \
			     "1:"                                    \
			     : "+m"(fault_resume)                    \
			     :                                       \
			     : "eax", "ecx", "edx", "memory", "cc"); \
	} while (0)

#define CHECK_TRAP(sig_, trapno_, err_)          \
	do {                                     \
		CHECK_EQ(fault.sig, sig_);       \
		CHECK_EQ(fault.trapno, trapno_); \
		CHECK_EQ(fault.err, err_);       \
		CHECK_EQ(fault.cs, 0x23);        \
	} while (0)

static const u32 bounds[2] __attribute__((used)) = { 10, 20 };

static int exceptions(void)
{
	static const int signals[] = {
		SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV,
	};

	for (u32 i = 0; i < ARRAY_SIZE(signals); i++)
		CHECK_EQ(on_signal(signals[i], note_fault), 0);
	TRY("movl 8, %%eax");
	CHECK_TRAP(SIGSEGV, 14, 4);
	CHECK_EQ(fault.addr, 8);
	CHECK_EQ(fault.code, 1);
	TRY("movl %%eax, 0xfffff004");
	CHECK_TRAP(SIGSEGV, 14, 6);
	CHECK_EQ(fault.addr, 0xfffff004);
	TRY("xor %%edx, %%edx; mov $1, %%eax; div %%edx");
	CHECK_TRAP(SIGFPE, 0, 0);
	CHECK_EQ(fault.code, 1);
	TRY("ud2");
	CHECK_TRAP(SIGILL, 6, 0);
	CHECK_EQ(fault.addr, fault.ip);
	TRY("int3");
	CHECK_TRAP(SIGTRAP, 3, 0);
	CHECK_EQ(fault.code, SI_KERNEL);
	TRY("mov $0x7fffffff, %%eax; add $1, %%eax; into");
	CHECK_TRAP(SIGSEGV, 4, 0);
	TRY("xor %%eax, %%eax; into"); /* no overflow, no trap */
	CHECK_EQ(fault.sig, 0);
	TRY("mov $15, %%eax; bound %%eax, bounds");
	CHECK_EQ(fault.sig, 0);
	TRY("mov $25, %%eax; bound %%eax, bounds");
	CHECK_TRAP(SIGSEGV, 5, 0);
	TRY("hlt");
	CHECK_TRAP(SIGSEGV, 13, 0);
	TRY("cli");
	CHECK_TRAP(SIGSEGV, 13, 0);
	TRY("mov %%cr3, %%eax");
	CHECK_TRAP(SIGSEGV, 13, 0);
	TRY("in $0x80, %%al");
	CHECK_TRAP(SIGSEGV, 13, 0);
	TRY("int $0x81");
	CHECK_TRAP(SIGSEGV, 13, 0x81 * 8 + 2);
	TRY("mov $0x18, %%eax; mov %%eax, %%es"); /* the kernel's data */
	CHECK_TRAP(SIGSEGV, 13, 0x18);
	TRY("mov $0x23, %%eax; mov %%eax, %%ss"); /* code */
	CHECK_TRAP(SIGSEGV, 13, 0x20);
	TRY("lcall $0x10, $0");
	CHECK_TRAP(SIGSEGV, 13, 0x10);
	return 0;
}

/* ---- 64-bit code ---- */

extern u64 long_mode_value(void);
asm(".pushsection .text\n"
    "	.code64\n"
    "in_long_mode:\n"
    "	mov $0x123456789abcdef0, %r8\n"
    "	mov $110, %eax\n" /* getppid, the 64-bit number */
    "	push %rbx\n"
    "	syscall\n"
    "	pop %rbx\n"
    "	mov %eax, long_mode_ppid(%rip)\n"
    "	mov %cs, long_mode_cs(%rip)\n"
    "	mov %r8, %rax\n"
    "	mov %r8, %rdx\n"
    "	shr $32, %rdx\n"
    "	mov %eax, %eax\n"
    "	lretl\n"
    "	.code32\n"
    "long_mode_value:\n"
    "	lcall $0x33, $in_long_mode\n"
    "	ret\n"
    "	.popsection\n");

static volatile u32 long_mode_ppid __attribute__((used));
static volatile u16 long_mode_cs __attribute__((used));

static int far_call_to_64_bit(void)
{
	for (int i = 0; i < 100; i++) {
		u64 value = long_mode_value();

		CHECK_EQ(value >> 32, 0x12345678);
		CHECK_EQ(value, 0x9abcdef0);
		CHECK_EQ(long_mode_cs, 0x33);
		CHECK_EQ(long_mode_ppid, sys0(NR_getppid));
		long_mode_cs = 0;
	}
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} tests[] = {
	{ "selectors at the start", selectors },
	{ "IF and IOPL", flags_word },
	{ "system calls and their errors", basic_calls },
	{ "registers and flags kept", registers_kept },
	{ "six arguments: mmap2", six_arguments },
	{ "brk", heap },
	{ "fork, exit, waitpid", fork_and_wait },
	{ "execve", exec_self },
	{ "pipe contents", pipe_contents },
	{ "system calls through AT_SYSINFO", by_the_vdso },
	{ "clock does not go back", clock_advances },
	{ "thread-local storage by GS", tls_by_gs },
	{ "rt_sigaction, frame and return", new_signal_frame },
	{ "sigaction, frame and return", old_signal_frame },
	{ "exceptions", exceptions },
	{ "far call to 64-bit code and its system call", far_call_to_64_bit },
};

__attribute__((used, noreturn)) void start(u32 *stack)
{
	u32 argc = stack[0];
	const char **argv = (const char **)(stack + 1);
	u32 *auxv = stack + 1 + argc + 1;
	int failed = 0;

	asm volatile("mov %%cs, %0\n\tmov %%ss, %1\n\tmov %%ds, %2\n\t"
		     "mov %%es, %3\n\tmov %%fs, %4\n\tmov %%gs, %5"
		     : "=m"(first.cs), "=m"(first.ss), "=m"(first.ds),
		       "=m"(first.es), "=m"(first.fs), "=m"(first.gs));
	if (argc == 2 && argv[1][0] == '-' && argv[1][2] == 'c')
		sys1(NR_exit, 42);
	while (*auxv) /* the environment */
		auxv++;
	for (auxv++; auxv[0]; auxv += 2) {
		if (auxv[0] == 31) /* AT_EXECFN */
			own_path = (const char *)auxv[1];
		if (auxv[0] == 32) /* AT_SYSINFO */
			vdso_entry = auxv[1];
	}
	put("KTAP version 1");
	end_line();
	put("1..");
	put_number(ARRAY_SIZE(tests), 10);
	end_line();
	for (u32 i = 0; i < ARRAY_SIZE(tests); i++) {
		int bad = tests[i].run();

		put(bad ? "not ok " : "ok ");
		put_number(i + 1, 10);
		put(" ");
		put(tests[i].name);
		end_line();
		failed |= bad;
	}
	sys1(NR_exit, failed);
	__builtin_unreachable();
}
