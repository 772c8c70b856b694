// SPDX-License-Identifier: GPL-2.0
/*
 * Events in the way of one another: what is masked, pending, nested, and in
 * which order it comes; single steps over whatever can be stepped over; and the
 * games that can be played with SS. One vCPU, which interrupts itself.
 */
#include "payload.h"

SNIPPET(events_int3, "int3\n\tint3");
SNIPPET(events_nops, "nop\n\tnop\n\tnop\n\tint3");
SNIPPET(events_syscall, "syscall\n\tnop\n\tint3");

static u64 send_ipi(u64 line)
{
	return hypercall(RINGLET_HC_SEND_IPI, 1, line, 0);
}

static void forget_interrupts(void)
{
	shared()->pending = 0;
	shared()->irq_pending = 0;
}

/* ---- Lines ---- */

/* Each line by itself, then all at once; none comes while IF is clear. */
void payload_event_lines(void)
{
	struct context c;
	unsigned int line;

	for (line = 0; line < RINGLET_IRQ_LINES; line++) {
		c = kernel_context(events_int3);
		same("SEND_IPI", send_ipi(line), 0);
		came(run(&c), &c, EXC_BP, 0, (u64)events_int3 + 1);
		c = kernel_context(events_int3);
		c.rflags |= FLAG_IF;
		came(run(&c), &c, RINGLET_GATE_INTERRUPT, 0, (u64)events_int3);
		same("irq_pending", shared()->irq_pending, 1UL << line);
		forget_interrupts();
	}
	for (line = 0; line < RINGLET_IRQ_LINES; line++)
		send_ipi(line);
	/* Twice is once. */
	send_ipi(7);
	c = user_context(events_int3);
	came(run(&c), &c, RINGLET_GATE_INTERRUPT, 0, user_address(events_int3));
	same("irq_pending", shared()->irq_pending, ~0UL);
	forget_interrupts();
	came(run(&c), &c, EXC_BP, 0, user_address(events_int3) + 1);
	/* Bits that the guest has not taken stay beside the new ones. */
	shared()->irq_pending = 1UL << 40;
	send_ipi(3);
	c = user_context(events_int3);
	came(run(&c), &c, RINGLET_GATE_INTERRUPT, 0, user_address(events_int3));
	same("irq_pending", shared()->irq_pending, 1UL << 40 | 1UL << 3);
	forget_interrupts();
}

/* ---- Nesting ---- */

#define DEPTH 12

/*
 * A user interrupted by an interrupt, in whose handler there is an exception,
 * in whose handler an interrupt, and so on; then all the way back.
 */
void payload_event_nesting(void)
{
	static struct context c[DEPTH];
	unsigned int i, k;
	struct event *e;
	u64 rip;

	for (i = 0; i < DEPTH; i++) {
		c[i] = i ? kernel_context(events_nops) :
			   user_context(events_nops);
		for (k = 0; k < 16; k++)
			if (k != RSP)
				c[i].gpr[k] = i * 0x100 + k;
		c[i].gpr[RSP] -= 64 * i;
		rip = c[i].rip;
		if (i % 3 == 0) {
			c[i].rflags |= FLAG_IF;
			send_ipi(5);
			e = run(&c[i]);
			came(e, &c[i], RINGLET_GATE_INTERRUPT, 0, rip);
			forget_interrupts();
		} else if (i % 3 == 1) {
			c[i].rip = rip = (u64)events_int3;
			e = run(&c[i]);
			came(e, &c[i], EXC_BP, 0, rip + 1);
			c[i].rip = (u64)events_nops;
		} else {
			send_ipi(RINGLET_IPI_NMI);
			e = run(&c[i]);
			came(e, &c[i], EXC_NMI, 0, rip);
		}
		same("IF at the gate", e->flags & FLAG_IF, 0);
	}
	for (i = DEPTH; i-- > 0;) {
		rip = c[i].rip;
		came(run(&c[i]), &c[i], EXC_BP, 0, rip + 4);
		same("CS", c[i].cs, i ? RINGLET_KERNEL_CS : RINGLET_USER_CS);
		for (k = 0; k < 16; k++)
			if (k != RSP)
				same("a register", c[i].gpr[k], i * 0x100 + k);
	}
}

/* A fault in a handler that has taken its frame is a fault like any other. */
SNIPPET(events_fault, "mov (%rdi), %rax\n\tint3");

void payload_event_fault_in_handler(void)
{
	struct context user = user_context(events_fault), kernel;
	struct event *e;

	user.gpr[RDI] = FREE_VA;
	page_fault(run(&user), FREE_VA, PF_U);
	kernel = kernel_context(events_fault);
	kernel.gpr[RDI] = FREE_VA + PAGE_SIZE;
	e = run(&kernel);
	page_fault(e, FREE_VA + PAGE_SIZE, 0);
	/* Both are mapped now, and both go on. */
	map(FREE_VA, page_with(1), PTE_P | PTE_U);
	map(FREE_VA + PAGE_SIZE, page_with(2), PTE_P);
	came(run(&kernel), &kernel, EXC_BP, 0, (u64)events_fault + 4);
	same("what the kernel read", kernel.gpr[RAX], CONTENT(2));
	came(run(&user), &user, EXC_BP, 0, user_address(events_fault) + 4);
	same("what the user read", user.gpr[RAX], CONTENT(1));
}

/* ---- NMIs ---- */

/* Whatever IF says, in either mode, before the first instruction. */
void payload_event_nmi(void)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		bool user = i & 1;
		struct context c = user ? user_context(events_int3) :
					  kernel_context(events_int3);
		u64 rip = c.rip;
		struct event *e;

		if (!user && (i & 2))
			c.rflags |= FLAG_IF;
		if (i & 4) {
			c.gpr[RCX] = c.rip;
			c.gpr[R11] = c.rflags;
		}
		send_ipi(RINGLET_IPI_NMI);
		e = run(&c);
		came(e, &c, EXC_NMI, 0, rip);
		same("vector", e->frame.vector, EXC_NMI);
		same("error", e->frame.error, 0);
		same("nmi_blocked at the gate", e->nmi_blocked, 1);
		same("IF in the frame", c.rflags & FLAG_IF,
		     user || (i & 2) ? FLAG_IF : 0);
		came(run(&c), &c, EXC_BP, 0, rip + 1);
	}
}

SNIPPET(events_not_busy, "nop\n\tmovb $0, 0xffffffffffffd005\n\t"
			 "mov $7, %eax\n\tsyscall\n\tint3");
SNIPPET(events_block, "movb $1, 0xffffffffffffd006\n\t"
		      "mov $18, %eax\n\tmov $1, %edi\n\tmov $64, %esi\n\t"
		      "syscall\n\tint3");

/* Held back by nmi_blocked and by busy; two are one; an IRET lets it in. */
void payload_event_nmi_blocked(void)
{
	struct context c = kernel_context(events_block);
	struct event *e;

	/* Sent to itself while it is blocked: the call returns. */
	e = run(&c);
	came(e, &c, EXC_BP, 0, (u64)events_block + 26);
	same("SEND_IPI", c.gpr[RAX], 0);
	send_ipi(RINGLET_IPI_NMI);
	send_ipi(RINGLET_IPI_NMI);
	c = kernel_context(events_nops);
	came(run(&c), &c, EXC_NMI, 0, (u64)events_nops);
	came(run(&c), &c, EXC_BP, 0, (u64)events_nops + 4);

	/* IRET clears the word; busy holds it, until the next exit after it. */
	c = kernel_context(events_not_busy);
	send_ipi(RINGLET_IPI_NMI);
	shared()->busy = 1;
	same("gate", run(&c)->gate, EXC_NMI);
	if (c.rip < (u64)events_not_busy + 9 ||
	    c.rip > (u64)events_not_busy + 16)
		fail("the NMI came at RIP + %lld",
		     c.rip - (u64)events_not_busy);
	came(run(&c), &c, EXC_BP, 0, (u64)events_not_busy + 17);
}

/* Before an interrupt that is pending as well. */
void payload_event_nmi_first(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct context c = i ? user_context(events_int3) :
				       kernel_context(events_int3),
			       handler;
		u64 rip = c.rip;

		c.rflags |= FLAG_IF;
		send_ipi(9);
		send_ipi(RINGLET_IPI_NMI);
		came(run(&c), &c, EXC_NMI, 0, rip);
		/* Its handler has IF clear, and is not interrupted. */
		handler = kernel_context(events_int3);
		came(run(&handler), &handler, EXC_BP, 0, (u64)events_int3 + 1);
		came(run(&c), &c, RINGLET_GATE_INTERRUPT, 0, rip);
		same("irq_pending", shared()->irq_pending, 1UL << 9);
		forget_interrupts();
		came(run(&c), &c, EXC_BP, 0, rip + 1);
	}
}

/* ---- Single steps ---- */

/* Steps over the snippet once. The events are @gate, then what is after it. */
static void step_into(struct context c, u64 gate, u64 error, unsigned int after)
{
	u64 rip = c.rip;
	struct event *e;

	c.rflags |= FLAG_TF;
	e = run(&c);
	came(e, &c, gate, error, rip + after);
	same("TF in the frame", c.rflags & FLAG_TF, FLAG_TF);
	same("TF at the gate", e->rflags & FLAG_TF, 0);
}

SNIPPET(step_int3, "int3\n\tnop");
SNIPPET(step_int4, "int $4\n\tnop");
SNIPPET(step_int32, "int $0x20");
SNIPPET(step_int1, ".byte 0xf1\n\tnop");
SNIPPET(step_de, "div %ecx");
SNIPPET(step_ud, "ud2");
SNIPPET(step_pf, "mov (%rdi), %rax");
SNIPPET(step_pushf, "pushfq\n\tpop %rax\n\tint3");
SNIPPET(step_popf, "pushfq\n\torl $0x100, (%rsp)\n\tpopfq\n\tnop\n\tnop");
SNIPPET(step_clear, "pushfq\n\tandl $~0x100, (%rsp)\n\tpopfq\n\tnop\n\tint3");
SNIPPET(step_string, "rep stosb\n\tint3");
SNIPPET(step_jump, "jmp 1f\n\tud2\n1:\tnop\n\tint3");

/* An exception in a step is that exception, and TF is in its frame. */
void payload_step_exceptions(void)
{
	unsigned int user;

	for (user = 0; user < 2; user++) {
		struct context (*context)(const u8 *) = user ? user_context :
							       kernel_context;
		struct context c = context(step_pf);

		step_into(context(step_int3), EXC_BP, 0, 1);
		step_into(context(step_int4), EXC_OF, 0, 2);
		step_into(context(step_int32), EXC_GP, 0x102, 0);
		step_into(context(step_int1), EXC_DB, 0, 1);
		step_into(context(step_de), EXC_DE, 0, 0);
		step_into(context(step_ud), EXC_UD, 0, 0);
		c.gpr[RDI] = FREE_VA;
		step_into(c, EXC_PF, user ? PF_U : 0, 0);
		map(FREE_VA, page_with(1), PTE_P | PTE_U);
		/* Filled behind the guest's back: one step still. */
		step_into(c, EXC_DB, 0, 3);
		map(FREE_VA, 0, 0);
		invlpg(FREE_VA);
		step_into(context(step_jump), EXC_DB, 0, 4);
	}
}

/* TF that PUSHF shows, that POPF sets and clears, and in a string. */
void payload_step_flags(void)
{
	struct event *e;
	unsigned int user, i;

	for (user = 0; user < 2; user++) {
		struct context (*context)(const u8 *) = user ? user_context :
							       kernel_context;
		struct context c = context(step_pushf);
		u64 rip = c.rip;

		c.rflags |= FLAG_TF;
		came(run(&c), &c, EXC_DB, 0, rip + 1);
		came(run(&c), &c, EXC_DB, 0, rip + 2);
		same("TF that PUSHF shows", c.gpr[RAX] & FLAG_TF, FLAG_TF);

		/* From the instruction after POPF on. */
		c = context(step_popf);
		rip = c.rip;
		came(run(&c), &c, EXC_DB, 0, rip + 10);
		came(run(&c), &c, EXC_DB, 0, rip + 11);

		/* It was on when POPF began, which clears it: one more trap. */
		c = context(step_clear);
		rip = c.rip;
		c.rflags |= FLAG_TF;
		came(run(&c), &c, EXC_DB, 0, rip + 1);
		came(run(&c), &c, EXC_DB, 0, rip + 8);
		came(run(&c), &c, EXC_DB, 0, rip + 9);
		same("TF in the frame", c.rflags & FLAG_TF, 0);
		came(run(&c), &c, EXC_BP, 0, rip + 11);

		/* After each turn. */
		c = context(step_string);
		rip = c.rip;
		c.gpr[RDI] = USER_DATA;
		c.gpr[RCX] = 4;
		c.rflags |= FLAG_TF;
		for (i = 3; i > 0; i--) {
			came(run(&c), &c, EXC_DB, 0, rip);
			same("RCX", c.gpr[RCX], i);
		}
		e = run(&c);
		/* QEMU's TCG looks at RCX in a step of its own. */
		if (in_tcg() && c.rip == rip && !c.gpr[RCX])
			e = run(&c);
		came(e, &c, EXC_DB, 0, rip + 2);
	}
}

SNIPPET(step_in, "in $0x80, %al\n\tnop\n\tnop");
SNIPPET(step_cli, "cli\n\tnop\n\tnop");
SNIPPET(step_sti, "sti\n\tnop\n\tnop");

/* What the module carries out does not trap; the instruction after it does. */
void payload_step_carried_out(void)
{
	step_into(kernel_context(step_in), EXC_DB, 0, 3);
	step_into(kernel_context(step_cli), EXC_DB, 0, 2);
	step_into(kernel_context(step_sti), EXC_DB, 0, 2);
	step_into(user_context(step_in), EXC_GP, 0, 0);
	step_into(user_context(step_cli), EXC_GP, 0, 0);
}

/* SYSCALL first of all, with TF on from the return to it. */
void payload_step_first(void)
{
	struct context c = user_context(events_syscall);
	u64 rip = c.rip;

	c.rflags |= FLAG_TF;
	came(run(&c), &c, RINGLET_GATE_SYSCALL, 0, rip + 2);
	same("TF in R11", c.gpr[R11] & FLAG_TF, FLAG_TF);
	came(run(&c), &c, EXC_DB, 0, rip + 3);
	/* Without TF again: nothing is left of it. */
	c = user_context(events_syscall);
	came(run(&c), &c, RINGLET_GATE_SYSCALL, 0, rip + 2);
	came(run(&c), &c, EXC_BP, 0, rip + 4);
	/* An interrupt that was pending comes before the step, and once. */
	c = user_context(events_nops);
	rip = c.rip;
	c.rflags |= FLAG_TF;
	send_ipi(4);
	came(run(&c), &c, RINGLET_GATE_INTERRUPT, 0, rip);
	same("TF in the frame", c.rflags & FLAG_TF, FLAG_TF);
	forget_interrupts();
	came(run(&c), &c, EXC_DB, 0, rip + 1);
}

/* ---- SS ---- */

SNIPPET(ss_int3, "mov (%rdi), %ss\n\tint3");
SNIPPET(ss_int4, "mov (%rdi), %ss\n\tint $4");
SNIPPET(ss_int80, "mov (%rdi), %ss\n\tint $0x80");
SNIPPET(ss_int1, "mov (%rdi), %ss\n\t.byte 0xf1");
SNIPPET(ss_syscall, "mov (%rdi), %ss\n\tsyscall");
SNIPPET(ss_sysenter, "mov (%rdi), %ss\n\tsysenter");
SNIPPET(ss_ud2, "mov (%rdi), %ss\n\tud2");
SNIPPET(ss_cli, "mov (%rdi), %ss\n\tcli");
SNIPPET(ss_int2, "mov (%rdi), %ss\n\tint $2");
SNIPPET(ss_int18, "mov (%rdi), %ss\n\tint $18");
SNIPPET(ss_iretq, "mov (%rdi), %ss\n\tiretq");
SNIPPET(ss_pf, "mov (%rdi), %ss\n\tmov (%rsi), %rax");
SNIPPET(ss_in, "mov (%rdi), %ss\n\tin $0x80, %al");
SNIPPET(ss_ss, "mov (%rdi), %ss\n\tmov (%rdi), %ss\n\tint3");

/*
 * MOV SS holds a data breakpoint back until the next instruction is done, and
 * that one enters CPL 0 (CVE-2018-8897). Steps are held back, too. What comes
 * first then differs between CPUs; all of it is the guest's.
 */
void payload_ss_games(void)
{
	static const u8 *const snippets[] = {
		ss_int3,  ss_int4, ss_int80, ss_int1,  ss_syscall,
		ss_ud2,	  ss_cli,  ss_int2,  ss_int18, ss_sysenter,
		ss_iretq, ss_pf,   ss_in,    ss_ss,
	};
	u64 *data = at(*entry_of(pgd, USER_DATA, 1) & PTE_ADDR);
	unsigned int i, k, n;
	bool held = true;

	data[0] = RINGLET_USER_SS;
	hypercall(RINGLET_HC_SET_DR, 0, USER_DATA, 0);
	for (i = 0; i < ARRAY_SIZE(snippets); i++)
		for (k = 0; k < 16; k++) {
			struct context c = k & 1 ? kernel_context(snippets[i]) :
						   user_context(snippets[i]);
			u64 rip = c.rip;

			c.gpr[RDI] = USER_DATA;
			c.gpr[RSI] = FREE_VA;
			c.gpr[RAX] = RINGLET_HC_DELIVER;
			/* A hostile stack, as in the original. */
			if (k & 8)
				c.gpr[RSP] = UPPER_START + 0x8000000000;
			if (k & 4)
				c.rflags |= FLAG_TF;
			/* Reads and writes, 4 bytes. */
			hypercall(RINGLET_HC_SET_DR, 7, k & 2 ? 0xf0401 : 0x400,
				  0);
			for (n = 0; n < 3; n++) {
				struct event *e = run(&c);

				if ((c.rip - rip > 10 &&
				     snippets[i] != ss_iretq) ||
				    e->gate == EXC_NMI || e->gate == 18 ||
				    e->gate == 8) {
					fail("snippet %u, %x: gate %llx error %llx RIP + %lld",
					     i, k, e->gate, e->frame.error,
					     c.rip - rip);
					break;
				}
				if (e->gate != EXC_DB)
					break;
				if (c.rip == rip + 2)
					held = false;
			}
		}
	if (!held)
		lacks("MOV SS that holds #DB back");
	hypercall(RINGLET_HC_SET_DR, 7, 0x400, 0);
}

/* ---- Exceptions that other groups have not ---- */

SNIPPET(events_divps, "divps %xmm1, %xmm0\n\tint3");

/* #XM, with the flags of what it was in MXCSR. */
void payload_event_xm(void)
{
	static const u32 unmasked = 0x1f80 & ~0x200;
	static const u32 usual = 0x1f80;
	unsigned int user;
	u32 mxcsr;

	for (user = 0; user < 2; user++) {
		struct context c = user ? user_context(events_divps) :
					  kernel_context(events_divps);
		u64 rip = c.rip;
		struct event *e;

		asm volatile("pcmpeqd %%xmm0, %%xmm0; psrld $25, %%xmm0;"
			     "pslld $23, %%xmm0; pxor %%xmm1, %%xmm1;"
			     "ldmxcsr %0"
			     :
			     : "m"(unmasked));
		e = run(&c);
		asm volatile("stmxcsr %0" : "=m"(mxcsr));
		asm volatile("ldmxcsr %0" : : "m"(usual));
		if (e->gate == EXC_BP) {
			lacks("#XM");
			continue;
		}
		came(e, &c, EXC_XF, 0, rip);
		same("MXCSR.ZE", mxcsr & 4, 4);
		came(run(&c), &c, EXC_BP, 0, rip + 4);
	}
}

SNIPPET(events_int80, "int $0x80\n\tint3");

/* INT 0x80 in a user's 32-bit and 64-bit code. */
void payload_event_int80(void)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct context c = user_context(events_int80);
		struct event *e;

		if (i & 1)
			c.cs = RINGLET_USER32_CS;
		c.rflags |= i & 2 ? FLAG_TF : 0;
		e = run(&c);
		came(e, &c, RINGLET_GATE_INT80, 0,
		     user_address(events_int80) + 2);
		same("CS", c.cs, i & 1 ? RINGLET_USER32_CS : RINGLET_USER_CS);
		same("TF in the frame", c.rflags & FLAG_TF,
		     i & 2 ? FLAG_TF : 0);
		same("vector", e->frame.vector, RINGLET_GATE_INT80);
	}
}
