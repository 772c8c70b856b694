// SPDX-License-Identifier: GPL-2.0
/*
 * Each hypercall with right and wrong arguments: the results and errors that
 * abi.md's table has, and what the call does where no other group looks.
 * (LOAD_CR3 and FLUSH_TLB: groups lies and tlb; those that concern other vCPUs:
 * group smp.)
 */
#include "payload.h"

SNIPPET(calls_int3, "int3\n\tint3");
SNIPPET(calls_syscall, "syscall\n\tint3");
SNIPPET(calls_loop, "1: pause\n\tjmp 1b");

static const u64 odd[] = {
	~0UL,	   ~0UL - 1,   1UL << 63, 1UL << 32, (1UL << 32) + 1,
	LOWER_END, 0xffffffff, 0x10000,	  -4096UL,   -22UL,
};

/* RAX is the result, RCX and R11 are lost, all else is as it was. */
void payload_call_registers(void)
{
	unsigned int nr, i;

	for (nr = 0; nr < RINGLET_HC_COUNT + 8; nr++) {
		struct context c = kernel_context(calls_syscall), was;

		/* Those that do not come back here, or not soon. */
		if (nr == RINGLET_HC_IRET || nr == RINGLET_HC_VCPU_STOP ||
		    nr == RINGLET_HC_HALT)
			continue;
		for (i = 0; i < 16; i++)
			c.gpr[i] = 0x0123456789abcdef * (i + 1) | 0x8000;
		c.gpr[RAX] = nr;
		if (nr == RINGLET_HC_LOAD_CR3)
			c.gpr[RDI] = pgd;
		c.rflags |= FLAG_DF | FLAG_ID | 0x8d5;
		was = c;
		came(run(&c), &c, EXC_BP, 0, (u64)calls_syscall + 3);
		for (i = 0; i < 16; i++) {
			if (i == RAX || i == RCX || i == R11)
				continue;
			if (nr == RINGLET_HC_CPUID &&
			    (i == RDI || i == RSI || i == RDX || i == R10))
				continue;
			if (c.gpr[i] != was.gpr[i])
				fail("hypercall %u: register %u is %llx, not %llx",
				     nr, i, c.gpr[i], was.gpr[i]);
		}
		same("CS", c.cs, RINGLET_KERNEL_CS);
		same("RFLAGS", c.rflags & ~FLAG_RF, was.rflags);
		if (nr >= RINGLET_HC_COUNT)
			same("no hypercall", c.gpr[RAX], ERR_NOSYS);
		hypercall(RINGLET_HC_SET_TIMER, ~0UL, 0, 0);
		hypercall(RINGLET_HC_SET_CR4, 0, 0, 0);
		shared()->pending = 0;
		shared()->irq_pending = 0;
	}
}

/* All 64 bits of the number count. */
void payload_call_numbers(void)
{
	unsigned int i, nr;

	for (nr = 0; nr < RINGLET_HC_COUNT; nr++)
		for (i = 8; i < 64; i++)
			same("no hypercall", hypercall(1UL << i | nr, 0, 0, 0),
			     ERR_NOSYS);
	for (nr = RINGLET_HC_COUNT; nr < 256; nr++)
		same("no hypercall", hypercall(nr, ~0UL, ~0UL, ~0UL),
		     ERR_NOSYS);
}

/* In user mode there are none: all of them are the guest's system calls. */
void payload_call_from_user(void)
{
	unsigned int nr;

	for (nr = 0; nr < RINGLET_HC_COUNT + 2; nr++) {
		struct context c = user_context(calls_syscall);

		c.gpr[RAX] = nr;
		c.gpr[RDI] = 3;
		came(run(&c), &c, RINGLET_GATE_SYSCALL, 0,
		     user_address(calls_syscall) + 2);
		same("RAX", c.gpr[RAX], nr);
	}
}

/* Every place of a kind that FLUSH_TLB may be given, and no kind. */
void payload_call_flush_tlb(void)
{
	unsigned int i;
	u64 kind;

	for (kind = 0; kind < 3; kind++)
		for (i = 0; i < ARRAY_SIZE(odd); i++)
			same("FLUSH_TLB",
			     hypercall(RINGLET_HC_FLUSH_TLB, kind, odd[i], 0),
			     0);
	for (kind = 3; kind < 100; kind++)
		same("FLUSH_TLB of no kind",
		     hypercall(RINGLET_HC_FLUSH_TLB, kind, 0, 0), ERR_INVAL);
	for (i = 0; i < ARRAY_SIZE(odd); i++)
		same("FLUSH_TLB of no kind",
		     hypercall(RINGLET_HC_FLUSH_TLB, odd[i], USER_DATA, 0),
		     ERR_INVAL);
}

/* ---- Descriptors and selectors ---- */

#define TLS_FLAT 0x00cff3000000ffffUL /* data, DPL 3, present, 32-bit, 4 GiB */
#define TLS_BASE(base)                             \
	(TLS_FLAT | ((u64)(base)&0xffffff) << 16 | \
	 ((u64)(base) >> 24 & 0xff) << 56)

static u64 load_tls(u64 a, u64 b, u64 c)
{
	return hypercall(RINGLET_HC_LOAD_TLS, a, b, c);
}

SNIPPET(calls_load_fs, "mov %ebx, %fs\n\trdfsbase %rax\n\tint3");

/* Is the TLS entry of that selector there, and what is its base? */
static bool tls_base(u64 selector, u64 *base)
{
	struct context c = user_context(calls_load_fs);

	*base = 0;
	c.gpr[RBX] = selector;
	if (run(&c)->gate != EXC_BP)
		return false;
	*base = c.gpr[RAX];
	return true;
}

void payload_call_load_tls(void)
{
	const u64 bad[] = {
		TLS_FLAT & ~(1UL << 47), /* not present */
		TLS_FLAT & ~(1UL << 44), /* a system segment */
		TLS_FLAT & ~(3UL << 45), /* DPL 0 */
		TLS_FLAT & ~(1UL << 45), /* DPL 2 */
		TLS_FLAT & ~(2UL << 45), /* DPL 1 */
		TLS_FLAT & ~(1UL << 54), /* 16-bit */
		TLS_FLAT | 1UL << 53, /* 64-bit */
		TLS_FLAT | 1UL << 43, /* code */
		0x00af9b000000ffff, /* the kernel's own code */
		0x0000e90000000000, /* a TSS */
		0x0000ec0000080000, /* a call gate */
		1,
		~0UL,
		1UL << 63,
	};
	u64 base;
	unsigned int i, place;

	for (i = 0; i < 3; i++)
		same("an entry that was not loaded",
		     tls_base(0x63 + 8 * i, &base), false);
	same("LOAD_TLS", load_tls(TLS_BASE(0x11223344), 0, TLS_BASE(0)), 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		for (place = 0; place < 3; place++)
			same("LOAD_TLS of what it may not",
			     load_tls(place == 0 ? bad[i] : TLS_FLAT,
				      place == 1 ? bad[i] : TLS_FLAT,
				      place == 2 ? bad[i] : TLS_FLAT),
			     ERR_INVAL);
	/* None of those was loaded, nor what was beside it. */
	same("the first entry", tls_base(0x63, &base), true);
	same("its base", base, 0x11223344);
	same("the second entry", tls_base(0x6b, &base), false);
	same("the third entry", tls_base(0x73, &base), true);
	same("its base", base, 0);
	/* Read-only, expand-down, byte-granular ones are data, too. */
	same("LOAD_TLS",
	     load_tls(TLS_FLAT & ~(2UL << 40), TLS_FLAT | 4UL << 40,
		      TLS_FLAT & ~(1UL << 55)),
	     0);
	for (i = 0; i < 3; i++)
		same("an entry", tls_base(0x63 + 8 * i, &base), true);
	same("LOAD_TLS", load_tls(0, 0, 0), 0);
	for (i = 0; i < 3; i++)
		same("an entry that went", tls_base(0x63 + 8 * i, &base),
		     false);
}

SNIPPET(calls_gs, "mov %gs, %ebx\n\trdgsbase %rax\n\tint3");

/* A selector that cannot be loaded becomes null; user mode has what was loaded. */
void payload_call_load_gs(void)
{
	unsigned int selector;
	struct context c;

	load_tls(TLS_BASE(0x12345678), 0, TLS_BASE(0xfedcba98));
	for (selector = 0; selector < 0x120; selector++) {
		u64 base = 0, want = 0;

		shared()->user_gsbase = 0x777000;
		same("LOAD_GS", hypercall(RINGLET_HC_LOAD_GS, selector, 0, 0),
		     0);
		switch (selector & ~3) {
		case 0x60:
			base = 0x12345678;
			want = selector;
			break;
		case 0x70:
			base = 0xfedcba98;
			want = selector;
			break;
		case 0x20:
		case 0x28:
		case 0x30:
		case 0x78:
			want = selector;
			break;
		case 0:
			want = selector;
			break;
		}
		same("user_gsbase", shared()->user_gsbase, base);
		c = user_context(calls_gs);
		came(run(&c), &c, EXC_BP, 0, user_address(calls_gs) + 8);
		/* IRETQ does not touch GS; a null selector is a null selector. */
		if ((u32)c.gpr[RBX] != want &&
		    ((selector & ~3) || (c.gpr[RBX] & ~3)))
			fail("GS is %llx after LOAD_GS of %x", c.gpr[RBX],
			     selector);
		same("GS base", c.gpr[RAX], base);
	}
	/* All above 16 bits is nothing. */
	same("LOAD_GS", hypercall(RINGLET_HC_LOAD_GS, 0xffffffffffff0063, 0, 0),
	     0);
	same("user_gsbase", shared()->user_gsbase, 0x12345678);
	same("LOAD_GS", hypercall(RINGLET_HC_LOAD_GS, 0, 0, 0), 0);
	same("user_gsbase", shared()->user_gsbase, 0);
}

/* ---- Interrupts and time ---- */

void payload_call_deliver(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(odd); i++)
		same("DELIVER of nothing",
		     hypercall(RINGLET_HC_DELIVER, odd[i], odd[i], odd[i]), 0);
	/* Pending, but IF is clear. */
	shared()->pending = 1;
	same("DELIVER with IF clear", hypercall(RINGLET_HC_DELIVER, 0, 0, 0),
	     0);
	same("pending", shared()->pending, 1);
	shared()->pending = 0;
}

static u64 now(void)
{
	return hypercall(RINGLET_HC_CLOCK, RINGLET_CLOCK_MONOTONIC, 0, 0);
}

/* Armed again and again, the last time counts; off is off. */
void payload_call_set_timer(void)
{
	struct context c = user_context(calls_loop);
	u64 begun, took;
	unsigned int i;

	begun = now();
	for (i = 0; i < 10; i++)
		same("SET_TIMER",
		     hypercall(RINGLET_HC_SET_TIMER, 3600000000000UL, 0, 0), 0);
	same("SET_TIMER", hypercall(RINGLET_HC_SET_TIMER, 5000000, 0, 0), 0);
	same("gate", run(&c)->gate, RINGLET_GATE_INTERRUPT);
	took = now() - begun;
	if (took < 5000000)
		fail("5 ms took %llu ns", took);
	same("irq_pending", shared()->irq_pending, 1);
	shared()->pending = 0;
	shared()->irq_pending = 0;
	/* As far away as there are numbers for. */
	for (i = 0; i < 4; i++)
		same("SET_TIMER",
		     hypercall(RINGLET_HC_SET_TIMER, (~0UL >> i) - 1, 0, 0), 0);
	begun = now();
	while (now() - begun < 3000000)
		;
	same("irq_pending of a timer in 73 years", shared()->irq_pending, 0);
	begun = now();
	hypercall(RINGLET_HC_SET_TIMER, 20000000, 0, 0);
	same("SET_TIMER off", hypercall(RINGLET_HC_SET_TIMER, ~0UL, 0, 0), 0);
	if (now() - begun >= 20000000)
		return; /* the host was too busy for that */
	while (now() - begun < 25000000)
		;
	same("irq_pending of a timer that is off", shared()->irq_pending, 0);
	same("pending", shared()->pending, 0);
}

void payload_call_clock(void)
{
	u64 last = 0, real, t;
	unsigned int i;

	for (i = 2; i < 100; i++)
		same("CLOCK of no clock", hypercall(RINGLET_HC_CLOCK, i, 0, 0),
		     ERR_INVAL);
	for (i = 0; i < ARRAY_SIZE(odd); i++)
		same("CLOCK of no clock",
		     hypercall(RINGLET_HC_CLOCK, odd[i], 0, 0), ERR_INVAL);
	for (i = 0; i < 1000; i++) {
		t = now();
		if (t < last)
			fail("the clock went back from %llu to %llu", last, t);
		last = t;
	}
	real = hypercall(RINGLET_HC_CLOCK, RINGLET_CLOCK_REALTIME, 0, 0);
	t = now();
	while (now() - t < 1000000)
		;
	t = hypercall(RINGLET_HC_CLOCK, RINGLET_CLOCK_REALTIME, 0, 0);
	if (t - real < 1000000 || t - real > 60000000000UL)
		fail("in a millisecond it is %llu ns later", t - real);
}

SNIPPET(calls_halt, "syscall\n\tint3");

/* HALT with something pending does not sleep. */
void payload_call_halt(void)
{
	struct context c = kernel_context(calls_halt);

	hypercall(RINGLET_HC_SEND_IPI, 1, 49, 0);
	c.gpr[RAX] = RINGLET_HC_HALT;
	c.gpr[RDI] = ~0UL;
	came(run(&c), &c, RINGLET_GATE_INTERRUPT, 0, (u64)calls_halt + 2);
	same("result", c.gpr[RAX], 0);
	same("IF in the frame", c.rflags & FLAG_IF, FLAG_IF);
	same("irq_pending", shared()->irq_pending, 1UL << 49);
	shared()->pending = 0;
	shared()->irq_pending = 0;
}

/* ---- Memory of the guest's ---- */

/* Right to the ends of memory, and not a byte beyond. */
void payload_call_console(void)
{
	u64 end = memory_end();
	char *text = at(end - 16);
	unsigned int i;

	for (i = 0; i < 16; i++)
		text[i] = "# the last bytes"[i];
	text[15] = '\n';
	same("CONSOLE of the last bytes",
	     hypercall(RINGLET_HC_CONSOLE, end - 16, 16, 0), 0);
	same("CONSOLE of one more",
	     hypercall(RINGLET_HC_CONSOLE, end - 16, 17, 0), ERR_FAULT);
	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		same("CONSOLE of no memory",
		     hypercall(RINGLET_HC_CONSOLE, odd[i] | 1UL << 41, 1, 0),
		     ERR_FAULT);
		same("CONSOLE of too much",
		     hypercall(RINGLET_HC_CONSOLE, 0x1000000,
			       odd[i] | 1UL << 41, 0),
		     ERR_FAULT);
		same("CONSOLE of nothing",
		     hypercall(RINGLET_HC_CONSOLE, odd[i], 0, 0), 0);
	}
}

/* No reason: nothing happens. */
void payload_call_shutdown(void)
{
	unsigned int i;

	for (i = 3; i < 100; i++)
		same("SHUTDOWN for no reason",
		     hypercall(RINGLET_HC_SHUTDOWN, i, 0x1000000, 10),
		     ERR_INVAL);
	for (i = 0; i < ARRAY_SIZE(odd); i++)
		same("SHUTDOWN for no reason",
		     hypercall(RINGLET_HC_SHUTDOWN, odd[i], odd[i], odd[i]),
		     ERR_INVAL);
}

/* A panic's text: 512 bytes of it, whatever they are. */
void payload_call_panic(void)
{
	u64 gpa = page_alloc();
	char *text = at(gpa);
	unsigned int i;

	for (i = 0; i < PAGE_SIZE; i++)
		text[i] = i < 500 ? 'x' :
			  i < 512 ? "the last one"[i - 500] :
				    '!';
	hypercall(RINGLET_HC_SHUTDOWN, RINGLET_SHUTDOWN_PANIC, gpa, PAGE_SIZE);
}

/* One that is not there is none, and the end is the same. */
void payload_call_panic_nowhere(void)
{
	hypercall(RINGLET_HC_SHUTDOWN, RINGLET_SHUTDOWN_PANIC, 1UL << 45, 100);
}

void payload_call_restart(void)
{
	hypercall(RINGLET_HC_SHUTDOWN, RINGLET_SHUTDOWN_REBOOT, 0, 0);
}

/* ---- Debug registers ---- */

/* What was set is what is got; nothing else changes it, nor what was refused. */
void payload_call_debug_registers(void)
{
	const u64 values[] = { 0, 0x1000, LOWER_END - 1, RINGLET_HOLE_END,
			       ~0UL };
	unsigned int nr, i;
	u64 value;

	for (nr = 0; nr < 4; nr++)
		for (i = 0; i < ARRAY_SIZE(values); i++) {
			same("SET_DR",
			     hypercall(RINGLET_HC_SET_DR, nr, values[i], 0), 0);
			same("SET_DR of no address",
			     hypercall(RINGLET_HC_SET_DR, nr, LOWER_END, 0),
			     ERR_INVAL);
			same("SET_DR in the hole",
			     hypercall(RINGLET_HC_SET_DR, nr,
				       RINGLET_HOLE_START, 0),
			     ERR_INVAL);
			same("SET_DR in the hole",
			     hypercall(RINGLET_HC_SET_DR, nr,
				       RINGLET_HOLE_END - 1, 0),
			     ERR_INVAL);
			same("GET_DR", try_get_dr(nr, &value), 0);
			same("the register", value, values[i]);
		}
	for (nr = 6; nr < 8; nr++) {
		same("SET_DR", hypercall(RINGLET_HC_SET_DR, nr, 0xffff0400, 0),
		     0);
		same("SET_DR with high bits",
		     hypercall(RINGLET_HC_SET_DR, nr, 1UL << 32, 0), ERR_INVAL);
		same("SET_DR with high bits",
		     hypercall(RINGLET_HC_SET_DR, nr, ~0UL, 0), ERR_INVAL);
		same("GET_DR", try_get_dr(nr, &value), 0);
		same("the register", value, 0xffff0400);
	}
	for (nr = 4; nr < 200; nr += nr == 5 ? 3 : 1) {
		same("GET_DR of no register", try_get_dr(nr, &value),
		     ERR_INVAL);
		same("RDI", value, nr);
		same("SET_DR of no register",
		     hypercall(RINGLET_HC_SET_DR, nr, 0, 0), ERR_INVAL);
	}
	for (i = 0; i < ARRAY_SIZE(odd); i++)
		same("GET_DR of no register", try_get_dr(odd[i], &value),
		     ERR_INVAL);
}

/* Any CR4 is taken, and only TSD of it means anything. */
void payload_call_set_cr4(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		struct context c = user_context(calls_int3);

		same("SET_CR4",
		     hypercall(RINGLET_HC_SET_CR4, odd[i] & ~4UL, 0, 0), 0);
		came(run(&c), &c, EXC_BP, 0, user_address(calls_int3) + 1);
	}
}

/* ---- With one vCPU ---- */

/* Those for other vCPUs, where there are none. */
void payload_call_alone(void)
{
	unsigned int i;

	same("nr_vcpus", nr_vcpus(), 1);
	for (i = 1; i < 100; i++) {
		same("VCPU_START", hypercall(RINGLET_HC_VCPU_START, i, 0, 0),
		     ERR_NOENT);
		same("KICK", hypercall(RINGLET_HC_KICK, i, 0, 0), ERR_NOENT);
		same("YIELD", hypercall(RINGLET_HC_YIELD, i, 0, 0), ERR_NOENT);
	}
	same("VCPU_START of oneself",
	     hypercall5(RINGLET_HC_VCPU_START, 0, 0, 0, 0, pgd), ERR_BUSY);
	same("SEND_IPI to nobody", hypercall(RINGLET_HC_SEND_IPI, 2, 50, 0),
	     ERR_INVAL);
	same("FLUSH_VCPUS of nobody's",
	     hypercall5(RINGLET_HC_FLUSH_VCPUS, 2, pgd, 0, 0, 0), ERR_INVAL);
	same("FLUSH_VCPUS of our own",
	     hypercall5(RINGLET_HC_FLUSH_VCPUS, 1, pgd, 0, 0, 0), 0);
	same("YIELD to oneself", hypercall(RINGLET_HC_YIELD, 0, 0, 0), 0);
	same("KICK of oneself", hypercall(RINGLET_HC_KICK, 0, 0, 0), 0);
	same("WAIT after it", hypercall(RINGLET_HC_WAIT, 0, 0, 0), 0);
	same("WAIT for nothing", hypercall(RINGLET_HC_WAIT, 2, 0, 0),
	     ERR_INVAL);
}
