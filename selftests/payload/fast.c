// SPDX-License-Identifier: GPL-2.0
/*
 * What the switcher serves by itself (SYSCALL, its return, exceptions, changes
 * of the interrupt flag), used as the ABI says. The same payloads run with the
 * module parameter direct=0, where the module does it: no difference may show.
 */
#include "payload.h"

SNIPPET(fast_syscall, "syscall\n\tsyscall");
SNIPPET(fast_int3, "int3\n\tint3");
SNIPPET(fast_nops, "nop\n\tnop\n\tnop\n\tnop");
SNIPPET(fast_loop, "1: pause\n\tjmp 1b");

static void pattern(struct context *c)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(c->gpr); i++)
		c->gpr[i] = 0x0101010101010101UL * (i + 1) ^ 0x8000UL;
}

static void same_registers(const struct context *got,
			   const struct context *want)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(got->gpr); i++)
		if (got->gpr[i] != want->gpr[i])
			fail("register %u is %llx, not %llx", i, got->gpr[i],
			     want->gpr[i]);
}

/* What holds at any gate. */
static void at_gate(const struct event *e)
{
	u64 must_be_clear = FLAG_TF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF |
			    FLAG_VM | FLAG_AC;

	same("flags at the gate that must be clear", e->rflags & must_be_clear,
	     0);
	same("busy", e->busy, 1);
	same("virtual IF", e->flags & FLAG_IF, 0);
}

/* All registers arrive as they were but RCX and R11, which are the CPU's. */
void payload_syscall_registers(void)
{
	struct context c = user_context(fast_syscall), was;
	int i;

	for (i = 1; i <= 2; i++) {
		pattern(&c);
		c.gpr[R15] += i;
		was = c;
		was.gpr[RCX] = c.rip + 2;
		was.gpr[R11] = c.rflags;
		at_gate(run(&c));
		same("RIP", c.rip, user_address(fast_syscall) + 2 * i);
		same("RFLAGS", c.rflags, FLAG_FIXED | FLAG_IF);
		same_registers(&c, &was);
	}
}

static const u64 some_flags[] = {
	0,
	FLAG_STATUS,
	FLAG_DF,
	FLAG_NT,
	FLAG_AC,
	FLAG_ID,
	FLAG_DF | FLAG_NT,
	FLAG_AC | FLAG_ID,
	FLAG_STATUS | FLAG_DF | FLAG_NT | FLAG_AC | FLAG_ID,
};

/* The user's flags are in the frame; none of them is in force at the gate. */
void payload_syscall_flags(void)
{
	struct event *e;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(some_flags); i++) {
		struct context c = user_context(fast_syscall);
		u64 flags = some_flags[i] | FLAG_FIXED | FLAG_IF;

		c.rflags = flags;
		e = run(&c);
		came(e, &c, RINGLET_GATE_SYSCALL, 0,
		     user_address(fast_syscall) + 2);
		same("RFLAGS", c.rflags, flags);
		at_gate(e);
	}
}

/* Back by SYSRET, where RCX and R11 say so, or by IRETQ: no difference. */
void payload_iret_registers(void)
{
	u64 rip = user_address(fast_int3), rflags = FLAG_FIXED | FLAG_IF;
	const struct {
		u64 rcx, r11;
	} cases[] = {
		{ rip, rflags },
		{ rip, 0 },
		{ 0, rflags },
		{ ~0UL, ~0UL },
		{ rip, rflags ^ FLAG_AC },
		{ rip + 1, rflags },
		{ LOWER_END, rflags },
	};
	struct event *e;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct context c = user_context(fast_int3), was;

		pattern(&c);
		c.gpr[RCX] = cases[i].rcx;
		c.gpr[R11] = cases[i].r11;
		was = c;
		e = run(&c);
		came(e, &c, EXC_BP, 0, rip + 1);
		same("CS", c.cs, RINGLET_USER_CS);
		same("SS", c.ss, RINGLET_USER_SS);
		same("RFLAGS", c.rflags & ~FLAG_RF, rflags);
		same("vector", e->frame.vector, EXC_BP);
		same_registers(&c, &was);
		at_gate(e);
	}
}

void payload_iret_flags(void)
{
	struct event *e;
	unsigned int i, way;

	for (i = 0; i < 2 * ARRAY_SIZE(some_flags); i++) {
		struct context c = user_context(fast_int3);
		u64 flags = some_flags[i / 2] | FLAG_FIXED | FLAG_IF;

		way = i & 1;
		c.rflags = flags;
		if (way) {
			c.gpr[RCX] = c.rip;
			c.gpr[R11] = flags;
		}
		e = run(&c);
		came(e, &c, EXC_BP, 0, user_address(fast_int3) + 1);
		same("RFLAGS", c.rflags & ~FLAG_RF, flags);
		at_gate(e);
	}
}

SNIPPET(fast_32bit, ".code32\n\tmov %cs, %eax\n\tint3\n\t.code64");

/* A 32-bit program; its addresses end at 4 GiB whatever the frame says. */
void payload_iret_32bit(void)
{
	u64 rip = user_address(fast_32bit);
	struct context c;
	int i;

	for (i = 0; i < 2; i++) {
		c = user_context(fast_32bit);
		c.cs = RINGLET_USER32_CS;
		if (i)
			c.rip |= 0x100000000;
		came(run(&c), &c, EXC_BP, 0, rip + 3);
		same("CS in the frame", c.cs, RINGLET_USER32_CS);
		same("CS", (u32)c.gpr[RAX], RINGLET_USER32_CS);
	}
}

/* From kernel mode to kernel mode, IF off and on. */
void payload_iret_kernel(void)
{
	struct event *e;
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(some_flags); i++) {
		struct context c = kernel_context(fast_int3), was;

		pattern(&c);
		c.rflags |= some_flags[i / 2] | (i & 1 ? FLAG_IF : 0);
		was = c;
		e = run(&c);
		came(e, &c, EXC_BP, 0, (u64)fast_int3 + 1);
		same("CS", c.cs, RINGLET_KERNEL_CS);
		same("SS", c.ss, RINGLET_KERNEL_SS);
		same("RFLAGS", c.rflags & ~FLAG_RF, was.rflags);
		same_registers(&c, &was);
		at_gate(e);
	}
}

static u64 get_dr6(void)
{
	u64 value = 6;

	asm volatile("syscall"
		     : "+D"(value)
		     : "a"((u64)RINGLET_HC_GET_DR)
		     : "rcx", "r11", "memory");
	return value;
}

/* TF: one instruction, then #DB, whichever way the return goes. */
static void step(struct context c)
{
	u64 start = c.rip;
	struct event *e;
	int i;

	for (i = 1; i <= 3; i++) {
		c.rflags |= FLAG_TF;
		if (i == 2) {
			c.gpr[RCX] = c.rip;
			c.gpr[R11] = c.rflags;
		}
		e = run(&c);
		came(e, &c, EXC_DB, 0, start + i);
		same("TF in the frame", c.rflags & FLAG_TF, FLAG_TF);
		same("DR6.BS", get_dr6() & 0x4000, 0x4000);
		at_gate(e);
	}
}

void payload_step_user(void)
{
	step(user_context(fast_nops));
}

void payload_step_kernel(void)
{
	step(kernel_context(fast_nops));
}

SNIPPET(fast_step, "nop\n\tsyscall\n\tnop\n\tnop");

/* The step over SYSCALL traps behind the instruction after it. */
void payload_step_syscall(void)
{
	u64 start = user_address(fast_step);
	struct context c = user_context(fast_step);
	struct event *e;

	c.rflags |= FLAG_TF;
	came(run(&c), &c, EXC_DB, 0, start + 1);
	e = run(&c);
	came(e, &c, RINGLET_GATE_SYSCALL, 0, start + 3);
	same("TF in R11", c.gpr[R11] & FLAG_TF, FLAG_TF);
	at_gate(e);
	came(run(&c), &c, EXC_DB, 0, start + 4);
}

SNIPPET(fast_hypercall, "syscall\n\tnop\n\tint3");

/* TF in kernel mode over each hypercall that returns. */
void payload_step_hypercall(void)
{
	const struct {
		u64 nr, a, b;
	} calls[] = {
		{ RINGLET_HC_LOAD_CR3, pgd | CR3_NOFLUSH, 0 },
		{ RINGLET_HC_LOAD_CR3, pgd, 0 },
		{ RINGLET_HC_FLUSH_TLB, RINGLET_FLUSH_ADDR, USER_DATA },
		{ RINGLET_HC_FLUSH_TLB, RINGLET_FLUSH_USER, 0 },
		{ RINGLET_HC_DELIVER, 0, 0 },
		{ RINGLET_HC_SET_CR4, 0, 0 },
		{ 1000, 0, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		struct context c = kernel_context(fast_hypercall);

		c.gpr[RAX] = calls[i].nr;
		c.gpr[RDI] = calls[i].a;
		c.gpr[RSI] = calls[i].b;
		c.rflags |= FLAG_TF;
		/* SYSCALL does not trap, so what does is the instruction behind it. */
		came(run(&c), &c, EXC_DB, 0, (u64)fast_hypercall + 3);
		same("TF in the frame", c.rflags & FLAG_TF, FLAG_TF);
	}
}

/* RF lets one instruction pass its breakpoint. */
void payload_resume_flag(void)
{
	struct context user = user_context(fast_nops), c;
	struct context kernel = kernel_context(fast_nops);

	hypercall(RINGLET_HC_SET_DR, 0, user.rip, 0);
	hypercall(RINGLET_HC_SET_DR, 1, kernel.rip, 0);
	hypercall(RINGLET_HC_SET_DR, 7, 0x40f, 0);

	c = user;
	came(run(&c), &c, EXC_DB, 0, user.rip);
	same("DR6", get_dr6() & 0xf, 1);
	c = user;
	c.rflags |= FLAG_RF;
	came(run(&c), &c, EXC_UD, 0, user.rip + 4);
	/* By SYSRET, were it not for RF. */
	c = user;
	c.rflags |= FLAG_RF;
	c.gpr[RCX] = c.rip;
	c.gpr[R11] = c.rflags;
	came(run(&c), &c, EXC_UD, 0, user.rip + 4);

	c = kernel;
	came(run(&c), &c, EXC_DB, 0, kernel.rip);
	same("DR6", get_dr6() & 0xf, 2);
	c = kernel;
	c.rflags |= FLAG_RF;
	came(run(&c), &c, EXC_UD, 0, kernel.rip + 4);
}

SNIPPET(fast_bases, "rdgsbase %rax\n\trdfsbase %rbx\n\t"
		    "wrgsbase %rdx\n\twrfsbase %rsi\n\tint3\n\tsyscall");

/* User's and kernel's GS bases do not mix; FS has one for both. */
void payload_bases(void)
{
	struct context c = user_context(fast_bases);
	u64 a = 0x1234560000, b = 0xffff888012345000, f = 0x700012345678;
	struct event *e;
	int i;

	wrgsbase(b);
	wrfsbase(f);
	shared()->user_gsbase = a;
	c.gpr[RDX] = a + 8;
	c.gpr[RSI] = f + 8;
	e = run(&c);
	same("the user's GS base", c.gpr[RAX], a);
	same("the user's FS base", c.gpr[RBX], f);
	/* An exception's, then a system call's way in. */
	for (i = 0; i < 2; i++) {
		same("user_gsbase", e->user_gsbase, a + 8);
		same("the kernel's GS base", e->gsbase, b);
		same("FS base", rdfsbase(), f + 8);
		e = run(&c);
	}

	/* Kernel to kernel nothing is swapped. */
	wrgsbase(b);
	shared()->user_gsbase = a;
	c = kernel_context(fast_bases);
	c.gpr[RDX] = b + 16;
	e = run(&c);
	same("GS base in the kernel", c.gpr[RAX], b);
	same("GS base at its gate", e->gsbase, b + 16);
	same("user_gsbase is left alone", e->user_gsbase, a);
}

/* ---- Interrupts ---- */

/* Raise the timer and see it pending; IF is clear, so it stays so. */
static void raise_timer(void)
{
	int i;

	hypercall(RINGLET_HC_SET_TIMER, 0, 0, 0);
	for (i = 0; i < 1000000 && !shared()->pending; i++)
		hypercall(RINGLET_HC_DELIVER, 0, 0, 0);
	same("pending", shared()->pending, 1);
}

static void take_interrupt(const struct event *e, const struct context *c,
			   u64 rip)
{
	came(e, c, RINGLET_GATE_INTERRUPT, 0, rip);
	same("pending at the gate", e->pending, 1);
	same("busy at the gate", e->busy, 1);
	same("IF at the gate", e->flags & FLAG_IF, 0);
	shared()->pending = 0;
	same("irq_pending",
	     __atomic_exchange_n(&shared()->irq_pending, 0, __ATOMIC_SEQ_CST),
	     1UL << RINGLET_IRQ_TIMER);
}

/*
 * The last of @places in @code, or where it was taken if that is another of them:
 * an interrupt of the host's, between two instructions, lets one that is pending
 * in as soon as it may come.
 */
static u64 one_of(u64 taken, const u8 *code, const u8 *places, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n - 1; i++)
		if (taken == (u64)code + places[i])
			break;
	return (u64)code + places[i];
}

/* User mode always takes interrupts: before its first instruction. */
void payload_irq_pending_user(void)
{
	struct context c = user_context(fast_int3);
	int i;

	for (i = 0; i < 2; i++) {
		c = user_context(fast_int3);
		c.rflags = FLAG_FIXED | (i ? FLAG_IF : 0);
		raise_timer();
		take_interrupt(run(&c), &c, user_address(fast_int3));
		same("CS", c.cs, RINGLET_USER_CS);
		same("IF in the frame", c.rflags & FLAG_IF, FLAG_IF);
		came(run(&c), &c, EXC_BP, 0, user_address(fast_int3) + 1);
	}
}

/* Kernel mode takes them if its IF is set, and else goes on. */
void payload_irq_pending_kernel(void)
{
	struct context c = kernel_context(fast_int3);

	raise_timer();
	came(run(&c), &c, EXC_BP, 0, (u64)fast_int3 + 1);
	same("IF in the frame", c.rflags & FLAG_IF, 0);

	c = kernel_context(fast_int3);
	c.rflags |= FLAG_IF;
	take_interrupt(run(&c), &c, (u64)fast_int3);
	same("CS", c.cs, RINGLET_KERNEL_CS);
	same("IF in the frame", c.rflags & FLAG_IF, FLAG_IF);
	came(run(&c), &c, EXC_BP, 0, (u64)fast_int3 + 1);
}

/* As sti does it: the flag, then the look at pending, then the hypercall. */
SNIPPET(fast_sti, "movb $2, 0xffffffffffffd001\n\t"
		  "testb $1, 0xffffffffffffd004\n\tjz 1f\n\t"
		  "mov $7, %eax\n\tsyscall\n\tint3\n"
		  "1:\tud2");
/* The instructions, which fault and are carried out. */
SNIPPET(fast_cli_sti, "sti\n\tcli\n\tint3");

void payload_irq_deliver(void)
{
	/* Behind each instruction from the first, which sets IF. */
	static const u8 places[] = { 8, 16, 18, 23, 25 };
	struct context c = kernel_context(fast_sti);
	struct event *e;
	u64 rip;

	raise_timer();
	e = run(&c);
	rip = c.rip;
	take_interrupt(e, &c,
		       one_of(rip, fast_sti, places, ARRAY_SIZE(places)));
	/* Taken before the look at pending, there is nothing to be seen there. */
	came(run(&c), &c, rip == (u64)fast_sti + 8 ? EXC_UD : EXC_BP, 0,
	     (u64)fast_sti + 26);

	c = kernel_context(fast_cli_sti);
	raise_timer();
	take_interrupt(run(&c), &c, (u64)fast_cli_sti + 1);
	came(run(&c), &c, EXC_BP, 0, (u64)fast_cli_sti + 3);
	same("IF after cli", c.rflags & FLAG_IF, 0);
}

/* The timer ends a loop that makes no exits. */
void payload_irq_timer(void)
{
	struct context c = user_context(fast_loop);
	struct event *e;

	hypercall(RINGLET_HC_SET_TIMER, 1000000, 0, 0);
	e = run(&c);
	take_interrupt(e, &c, c.rip);
	same("the user's page", c.rip & ~0xfffUL,
	     user_address(fast_loop) & ~0xfffUL);

	c = kernel_context(fast_loop);
	c.rflags |= FLAG_IF;
	hypercall(RINGLET_HC_SET_TIMER, 1000000, 0, 0);
	e = run(&c);
	take_interrupt(e, &c, c.rip);
	same("CS", c.cs, RINGLET_KERNEL_CS);
}

SNIPPET(fast_not_busy, "nop\n\tmovb $0, 0xffffffffffffd005\n\t"
		       "mov $7, %eax\n\tsyscall\n\tint3");

/* While busy is set interrupts wait, whatever IF says. */
void payload_irq_busy(void)
{
	/* Behind each instruction from that which clears busy. */
	static const u8 places[] = { 9, 14, 16 };
	struct context c = kernel_context(fast_not_busy);
	struct event *e;

	raise_timer();
	c.rflags |= FLAG_IF;
	shared()->busy = 1;
	e = run(&c);
	take_interrupt(e, &c,
		       one_of(c.rip, fast_not_busy, places,
			      ARRAY_SIZE(places)));
	came(run(&c), &c, EXC_BP, 0, (u64)fast_not_busy + 17);
}

SNIPPET(fast_halt, "syscall\n\tint3");
SNIPPET(fast_hlt, "hlt\n\tint3");

/* HALT sets IF and sleeps; HLT leaves IF alone. It may return early. */
void payload_irq_halt(void)
{
	struct context c;
	int tries;

	for (tries = 0; tries < 100; tries++) {
		c = kernel_context(fast_halt);
		c.gpr[RAX] = RINGLET_HC_HALT;
		hypercall(RINGLET_HC_SET_TIMER, 1000000, 0, 0);
		if (run(&c)->gate == RINGLET_GATE_INTERRUPT)
			break;
	}
	same("RIP after HALT", c.rip, (u64)fast_halt + 2);
	same("IF in the frame", c.rflags & FLAG_IF, FLAG_IF);
	shared()->pending = 0;
	shared()->irq_pending = 0;

	c = kernel_context(fast_hlt);
	hypercall(RINGLET_HC_SET_TIMER, 1000000, 0, 0);
	came(run(&c), &c, EXC_BP, 0, (u64)fast_hlt + 2);
	same("IF after HLT", c.rflags & FLAG_IF, 0);
}

/* ---- Exceptions ---- */

SNIPPET(exc_de, "div %ecx");
SNIPPET(exc_int1, ".byte 0xf1");
SNIPPET(exc_of, "int $4");
SNIPPET(exc_ud, "ud2");
SNIPPET(exc_ss, "mov (%rsp), %rax");
SNIPPET(exc_gp, "mov (%rbx), %rax");
SNIPPET(exc_gp_int, "int $0x20");
SNIPPET(exc_gp_selector, "mov %ebp, %es");
SNIPPET(exc_mf, "fwait");
SNIPPET(exc_ac, "mov 1(%rdi), %rax");

#define NOT_CANONICAL 0x4000000000000000UL /* with 57 bits neither */

struct exception {
	const char *name;
	const u8 *snippet;
	u64 vector;
	u64 error;
	unsigned int after; /* RIP in the frame: a trap's is behind it */
};

/* clang-format off */
static const struct exception exceptions[] = {
	{ "divide error",	exc_de,		EXC_DE,	0,	0 },
	{ "INT1",		exc_int1,	EXC_DB,	0,	1 },
	{ "INT3",		fast_int3,	EXC_BP,	0,	1 },
	{ "INT 4",		exc_of,		EXC_OF,	0,	2 },
	{ "UD2",		exc_ud,		EXC_UD,	0,	0 },
	{ "stack",		exc_ss,		EXC_SS,	0,	0 },
	{ "not canonical",	exc_gp,		EXC_GP,	0,	0 },
	{ "INT 0x20",		exc_gp_int,	EXC_GP,	0x102,	0 },
	{ "kernel selector",	exc_gp_selector, EXC_GP, 0x18,	0 },
	{ "x87",		exc_mf,		EXC_MF,	0,	0 },
};
/* clang-format on */

static void one_exception(const struct exception *x, struct context c)
{
	struct context was;
	struct event *e;
	u64 vector;

	pattern(&c);
	c.gpr[RCX] = 0;
	c.gpr[RBX] = NOT_CANONICAL;
	c.gpr[RSP] = NOT_CANONICAL;
	c.gpr[RBP] = RINGLET_KERNEL_SS;
	c.rflags |= FLAG_DF | FLAG_ID;
	was = c;
	shared()->cr2 = 0x123456789abc;
	if (x->vector == EXC_MF)
		asm volatile("fninit; fldcw %0; fldz; fld1; fdivp"
			     :
			     : "m"(*(const u16[]){ 0x37b }));
	e = run(&c);
	if (x->vector == EXC_MF)
		asm volatile("fninit");
	vector = x->vector;
	if (vector == EXC_SS && e->gate == EXC_GP) {
		lacks("#SS at an address that is not canonical");
		vector = EXC_GP;
	}
	if (!came(e, &c, vector, x->error, was.rip + x->after))
		fail("that was %s", x->name);
	same("vector", e->frame.vector, vector);
	same("CS", c.cs, was.cs);
	same("SS", c.ss, was.ss);
	same("RFLAGS", c.rflags & ~(FLAG_RF | FLAG_STATUS), was.rflags);
	same("CR2", e->cr2, 0x123456789abc);
	same_registers(&c, &was);
	at_gate(e);
}

SNIPPET(exc_br, ".code32\n\tbound %eax, (%esp)\n\t.code64");
SNIPPET(exc_into, ".code32\n\tinto\n\t.code64");

/* Those that a 32-bit program has beside. */
static void exceptions_32bit(void)
{
	struct context c = user_context(exc_br);

	c.cs = RINGLET_USER32_CS;
	c.gpr[RSP] = USER_STACK_END - 64;
	c.gpr[RAX] = 1; /* the bounds there are 0 and 0 */
	came(run(&c), &c, 5, 0, user_address(exc_br));
	c = user_context(exc_into);
	c.cs = RINGLET_USER32_CS;
	c.rflags |= 0x800;
	came(run(&c), &c, EXC_OF, 0, user_address(exc_into) + 1);
}

/* Without #AC the load is carried out. */
static void alignment(struct context c)
{
	u64 rip = c.rip;
	struct event *e;

	c.gpr[RDI] = USER_DATA;
	c.rflags |= FLAG_AC;
	e = run(&c);
	if (e->gate == EXC_UD)
		lacks("#AC");
	else
		came(e, &c, EXC_AC, 0, rip);
}

void payload_exceptions_user(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(exceptions); i++)
		one_exception(&exceptions[i],
			      user_context(exceptions[i].snippet));
	exceptions_32bit();
	alignment(user_context(exc_ac));
}

void payload_exceptions_kernel(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(exceptions); i++)
		one_exception(&exceptions[i],
			      kernel_context(exceptions[i].snippet));
	alignment(kernel_context(exc_ac));
}

/* Any INT but the three that users have is #GP and names its vector. */
void payload_int_n(void)
{
	u64 gpa = page_alloc();
	u8 *code = at(gpa);
	unsigned int n, mode;

	map(FREE_VA, gpa, PTE_P | PTE_U);
	code[0] = 0xcd;
	for (n = 0; n < 512; n++) {
		struct context c = user_context(fast_int3);
		struct event *e;
		u64 rip = FREE_VA;

		mode = n & 1;
		code[1] = n / 2;
		if (mode) {
			c = kernel_context(fast_int3);
			rip = (u64)code;
		}
		c.rip = rip;
		e = run(&c);
		if (n / 2 == EXC_BP || n / 2 == EXC_OF)
			came(e, &c, n / 2, 0, rip + 2);
		else if (n / 2 != RINGLET_GATE_INT80 || e->gate == EXC_GP)
			came(e, &c, EXC_GP, n / 2 * 8 + 2, rip);
		else
			came(e, &c, RINGLET_GATE_INT80, 0, rip + 2);
		same("CS", c.cs, mode ? RINGLET_KERNEL_CS : RINGLET_USER_CS);
	}
}
