// SPDX-License-Identifier: GPL-2.0
/*
 * Guests that do not end by themselves, or that use all they have: the launcher
 * ends them when their time is up, at once, and nothing else suffers. And stack
 * pointers at hostile addresses while interrupts, NMIs or machine checks come:
 * spin_hostile_rsp goes on until it is ended, for a test that sends those.
 */
#include "payload.h"

#define FULL (PTE_P | PTE_W | PTE_U)

SNIPPET(ends_spin, "1: jmp 1b");
SNIPPET(ends_read, "mov (%rdi), %rax\n\tint3");
SNIPPET(ends_spin_a_little, "1: dec %ecx\n\tjnz 1b\n\tsyscall");

/* What there is at these: windows, the host, nothing, no address at all. */
static const u64 hostile[] = {
	0xffff878000000000,
	0xffff878000003000,
	0xffff878000003800,
	0xffff878000004000,
	0xffff878000004900,
	0xffff878000004ff8,
	0xffff878000006000,
	0xffff87c000000000,
	0xffff870000000000,
	0xffff800000000000,
	0xffff87fffffffff8,
	0xff0f000000003000,
	0xff0f000000003800,
	0xff0f000000004900,
	0xff0f000000004ff8,
	0xff0f000000006000,
	0xff0f000000203800,
	0xff0f004000000000,
	0xff0e000000000000,
	0xff11000000001000,
	0xff00000000000000,
	0x00fffffffffffff8,
	0xffff888000000000,
	0xffffc90000001000,
	0xffffea0000000000,
	0xfffffe0000001f58,
	0xfffffe0000004000,
	0xffffffff81000000,
	0xffffffffc0000000,
	0xffffffffff600000,
	RINGLET_SHARED_VA,
	RINGLET_SHARED_VA + 0x1000,
	RINGLET_STATUS_VA + 8,
	LOWER_END,
	LOWER_END - 8,
	UPPER_START - 8,
	0x4000000000000000,
	1UL << 63,
	~0UL,
	0,
	1,
	8,
	FREE_VA,
	USER_TEXT + 64,
};

/* Interrupted at any moment by a timer, hundreds of times: RSP is a number. */
void payload_interrupted_rsp(void)
{
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(hostile); i++)
		for (k = 0; k < 6; k++) {
			struct context c = k & 1 ? kernel_context(ends_spin) :
						   user_context(ends_spin);
			u64 rip = c.rip;

			c.gpr[RSP] = hostile[i];
			if (k & 1)
				c.rflags |= FLAG_IF;
			hypercall(RINGLET_HC_SET_TIMER, 50000 * k, 0, 0);
			came(run(&c), &c, RINGLET_GATE_INTERRUPT, 0, rip);
			same("RSP", c.gpr[RSP], hostile[i]);
			same("CS", c.cs,
			     k & 1 ? RINGLET_KERNEL_CS : RINGLET_USER_CS);
			shared()->pending = 0;
			shared()->irq_pending = 0;
		}
}

/* For ever, all of them in turn, in either mode; says so once. */
void payload_spin_hostile_rsp(void)
{
	unsigned int i;

	say("spinning");
	for (i = 0;; i++) {
		u64 rsp = hostile[i / 2 % ARRAY_SIZE(hostile)];
		struct context c = user_context(ends_spin_a_little);
		u64 gate = RINGLET_GATE_SYSCALL;

		if (i & 1) {
			/* In the kernel SYSCALL is a hypercall, UD2 after it. */
			c = kernel_context(ends_spin_a_little);
			c.gpr[RAX] = RINGLET_HC_DELIVER;
			gate = EXC_UD;
		}
		c.gpr[RCX] = 20000;
		c.gpr[RSP] = rsp;
		if (!same("gate", run(&c)->gate, gate) ||
		    !same("RSP", c.gpr[RSP], rsp))
			finish_early();
	}
}

/* ---- Without an end ---- */

void payload_spin_user(void)
{
	struct context c = user_context(ends_spin);

	run(&c);
	fail("it has ended");
}

/* Interrupts off: the guest's, not the host's. */
void payload_spin_kernel(void)
{
	for (;;)
		;
}

void payload_spin_hypercalls(void)
{
	for (;;)
		hypercall(RINGLET_HC_FLUSH_TLB, RINGLET_FLUSH_USER, 0, 0);
}

/* All halted, and no timer. */
void payload_halt_forever(void)
{
	for (;;)
		hypercall(RINGLET_HC_HALT, 0, 0, 0);
}

void payload_wait_forever(void)
{
	for (;;)
		hypercall(RINGLET_HC_WAIT, 0, 0, 0);
}

void payload_stop_all(void)
{
	hypercall(RINGLET_HC_VCPU_STOP, 0, 0, 0);
	fail("it has ended");
}

/* A handler that takes its frame and then does what it was called for. */
extern const u8 fault_again[];
asm(".pushsection .text\n"
    "fault_again: movb $0, 0xffffffffffffd005\n\t"
    "mov (%rdi), %rax\n\tud2\n\t.popsection");

void payload_fault_forever(void)
{
	struct context c = user_context(ends_read);

	set_gate(EXC_PF, (u64)fault_again);
	c.gpr[RDI] = FREE_VA;
	run(&c);
	fail("it has ended");
}

/* The instruction that faults is the handler's first, and always the same. */
void payload_undefined_forever(void)
{
	static const u8 *const again = fault_again;
	u64 gpa = page_alloc();
	u8 *code = at(gpa);
	unsigned int i;

	for (i = 0; i < 8; i++)
		code[i] = again[i]; /* movb $0, busy */
	code[8] = 0x0f;
	code[9] = 0x0b;
	set_gate(EXC_UD, (u64)code);
	asm volatile("ud2");
}

/* Interrupted for ever: the timer expires before the handler has begun. */
void payload_interrupt_forever(void)
{
	for (;;) {
		struct context c = user_context(ends_spin);

		hypercall(RINGLET_HC_SET_TIMER, 0, 0, 0);
		run(&c);
	}
}

/* Text for the console, more than anybody reads, without a pause. */
void payload_talk_forever(void)
{
	for (;;)
		say("# and so on");
}

/* ---- Memory ---- */

/* All of it is there, and is what was written; behind the last page is none. */
void payload_all_memory(void)
{
	u64 end = memory_end(), gpa, first = page_alloc();
	struct context c = { 0 };
	struct event *e;

	for (gpa = first; gpa < end; gpa += PAGE_SIZE)
		*(volatile u64 *)at(gpa) = gpa ^ 0x5555555555555555;
	for (gpa = first; gpa < end; gpa += PAGE_SIZE)
		if (!same("a page", *(volatile u64 *)at(gpa),
			  gpa ^ 0x5555555555555555))
			break;
	/* Tables are in it, too, so only now. */
	e = do_access(&c, false, READ, (u64)at(end));
	same("gate", e->gate, EXC_BP);
	same("what is read behind it", c.gpr[RAX], ~0UL);
	e = do_access(&c, false, READ, (u64)at(end - 8));
	same("gate", e->gate, EXC_BP);
}

/* More page tables than it has memory for: all of it is tables. */
void payload_all_tables(void)
{
	u64 page = page_with(1), va = FREE_VA, last = 0, n = 0;

	while (page_alloc() + 64 * PAGE_SIZE < memory_end()) {
		map(va, page, FULL);
		accesses(n & 1, READ, va, 1);
		last = va;
		va += LARGE_SIZE; /* a table for each */
		n++;
	}
	accesses(true, READ, FREE_VA, 1);
	accesses(true, WRITE, last, 1);
}

/* ---- What the test has found out of this host ---- */

/*
 * Addresses that are the host's or the launcher's at this moment. The command
 * line has them; the test fails that gives fewer than six of the host kernel's.
 */
void payload_contain_given(void)
{
	unsigned int n = 0, k;
	u64 va;

	while (next_address(&va)) {
		n += va >> 63;
		/* Its own there, or what it says is not memory: not to be fetched from. */
		if (va >= RINGLET_BOOT_MAP_BASE &&
		    va < RINGLET_BOOT_MAP_BASE + RINGLET_BOOT_MAP_SIZE)
			continue;
		for (k = 0; k < 6; k++) {
			struct context c = { .gpr[RAX] = 0x1234 };
			struct event *e = do_access(&c, k & 1, k / 2, va);

			if ((e->gate != EXC_PF && e->gate != EXC_GP) ||
			    (e->gate == EXC_PF && e->cr2 != va) ||
			    (e->gate == EXC_PF &&
			     (e->frame.error & (PF_P | PF_RSVD))) ||
			    (k < 4 && c.gpr[RAX] != 0x1234))
				fail("access %u at %llx: gate %llx error %llx CR2 %llx RAX %llx",
				     k, va, e->gate, e->frame.error, e->cr2,
				     c.gpr[RAX]);
		}
	}
	if (n < 6)
		fail("of the host's addresses there are %u", n);
}
