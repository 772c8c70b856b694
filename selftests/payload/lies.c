// SPDX-License-Identifier: GPL-2.0
/*
 * A guest kernel that lies: in the frame that it returns through, in the words
 * of the shared page, with gates, selectors and stacks that cannot be. It may
 * hurt nobody but itself, and what becomes of it is known: a fault of its own,
 * or, for the payloads called dead_, its death with a sentence.
 */
#include "payload.h"

#define HOLE 0xffff800000000000UL
#define WINDOW 0xffff878000000000UL /* of the first vCPU, on 4 levels */
#define NOT_CANONICAL 0x4000000000000000UL

SNIPPET(lies_int3, "int3\n\tint3");
SNIPPET(lies_syscall, "syscall");
SNIPPET(lies_push, "push %rax");

static const u64 hostile[] = {
	LOWER_END,
	LOWER_END - 1,
	UPPER_START - 1,
	NOT_CANONICAL,
	0x8000000000000000,
	~0UL,
	HOLE,
	WINDOW,
	WINDOW + 0x3000,
	WINDOW + 0x4000,
	WINDOW + 0x7000,
	0xffff87c000000000,
	0xffff870000000000,
	0xffff888000000000,
	0xfffffe0000000000,
	0xffffffffff5ff000,
	0xffffffffff600000,
	RINGLET_SHARED_VA,
	RINGLET_SHARED_VA + RINGLET_SHARED_RETURN + 0x28,
	0,
	8,
	0xff0f000000000000, /* and where five levels have all that */
	0xff0f000000003000,
	0xff0f000000004000,
	0xff0f000000007000,
	0xff0f000000203000,
	0xff0f004000000000,
	0xff0e000000000000,
	0xff11000000000000,
	0xff00000000000000,
	0x00fffffffffffff8,
	0x0100000000000000,
};

static bool canonical(u64 address)
{
	return (u64)((long long)(address << 16) >> 16) == address;
}

static u64 fault_at(u64 address)
{
	return canonical(address) ? EXC_PF : EXC_GP;
}

/* ---- The frame that IRET takes ---- */

/* User mode returned to where no user can be: its fault, not the kernel's. */
void payload_lie_rip(void)
{
	unsigned int i, way;

	for (i = 0; i < 2 * ARRAY_SIZE(hostile); i++) {
		struct context c = user_context(lies_int3);
		u64 rip = hostile[i / 2];
		struct event *e;

		way = i & 1;
		c.rip = rip;
		if (way) {
			c.gpr[RCX] = rip;
			c.gpr[R11] = c.rflags;
		}
		e = run(&c);
		same("RIP", c.rip, rip);
		same("CS", c.cs, RINGLET_USER_CS);
		/* LOWER_END - 1 is on a page that is not there, as is 0. */
		if (same("gate", e->gate, fault_at(rip)) && e->gate == EXC_PF)
			page_fault(e, rip, PF_U | PF_I);
		else if (e->gate == EXC_GP)
			same("error", e->frame.error, 0);
	}
	/* The kernel's own text is there, and not the user's. */
	struct context c = user_context(lies_int3);

	c.rip = (u64)lies_int3;
	page_fault(run(&c), (u64)lies_int3, PF_U | PF_I | PF_P);
}

/* A user's CS is 0x33 or 0x23; RPL 0 is the kernel's, whatever the rest. */
void payload_lie_cs(void)
{
	unsigned int cs;

	for (cs = 0; cs < 0x10100; cs += cs < 0x100 ? 1 : 0xfff1) {
		bool user = cs & 3;
		struct context c = user ? user_context(lies_int3) :
					  kernel_context(lies_int3);
		u64 rip = c.rip;
		struct event *e;

		c.cs = cs;
		e = run(&c);
		if (!user || cs == RINGLET_USER_CS || cs == RINGLET_USER32_CS) {
			came(e, &c, EXC_BP, 0, rip + 1);
			same("CS", c.cs, user ? cs : RINGLET_KERNEL_CS);
		} else if (!came(e, &c, EXC_GP, cs & 0xfffc, rip)) {
			fail("that was CS %x", cs);
		}
	}
}

void payload_lie_ss(void)
{
	unsigned int ss;

	for (ss = 0; ss < 0x100; ss++) {
		struct context c = user_context(lies_int3);
		u64 rip = c.rip;
		struct event *e;

		c.cs = ss & 1 ? RINGLET_USER_CS : RINGLET_USER32_CS;
		c.ss = ss;
		e = run(&c);
		if (ss == RINGLET_USER_SS)
			came(e, &c, EXC_BP, 0, rip + 1);
		else if (!came(e, &c, EXC_GP, ss & 0xfffc, rip))
			fail("that was SS %x", ss);
		/* The kernel's is not looked at. */
		c = kernel_context(lies_int3);
		c.ss = ss;
		came(run(&c), &c, EXC_BP, 0, (u64)lies_int3 + 1);
	}
}

SNIPPET(lies_pushf, "pushfq\n\tpop %rax\n\tint3");
SNIPPET(lies_in, "in $0x80, %al");

/* All flags at once: IOPL, VM, VIF and VIP never get through. */
void payload_lie_rflags(void)
{
	u64 never = FLAG_IOPL | FLAG_VM | FLAG_VIF | FLAG_VIP | ~0xffffffffUL;
	struct context c;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		c = i & 1 ? kernel_context(lies_pushf) :
			    user_context(lies_pushf);
		c.rflags = ~FLAG_TF;
		if (i & 2) {
			c.gpr[RCX] = c.rip;
			c.gpr[R11] = ~FLAG_TF;
		}
		run(&c);
		same("flags in force that never may be", c.gpr[RAX] & never, 0);
		same("flags in the frame that never may be", c.rflags & never,
		     0);
		same("flags that a guest may have",
		     c.rflags & (FLAG_DF | FLAG_NT | FLAG_AC | FLAG_ID),
		     FLAG_DF | FLAG_NT | FLAG_AC | FLAG_ID);
	}
	c = user_context(lies_pushf);
	c.rflags = ~0UL;
	came(run(&c), &c, EXC_DB, 0, user_address(lies_pushf) + 1);
	c = kernel_context(lies_pushf);
	c.rflags = ~0UL;
	came(run(&c), &c, EXC_DB, 0, (u64)lies_pushf + 1);
	/* Ports stay shut. */
	c = user_context(lies_in);
	c.rflags = ~FLAG_TF;
	came(run(&c), &c, EXC_GP, 0, user_address(lies_in));
}

/*
 * The stack pointer is a number: at an exception, a system call, an interrupt
 * and a hypercall it is kept, wherever it points.
 */
void payload_lie_rsp(void)
{
	unsigned int i, mode;

	for (i = 0; i < 2 * ARRAY_SIZE(hostile); i++) {
		u64 rsp = hostile[i / 2], rip;
		struct context c;
		struct event *e;

		mode = i & 1;
		c = mode ? kernel_context(lies_int3) : user_context(lies_int3);
		rip = c.rip;
		c.gpr[RSP] = rsp;
		came(run(&c), &c, EXC_BP, 0, rip + 1);
		same("RSP of an exception", c.gpr[RSP], rsp);

		c = mode ? kernel_context(lies_syscall) :
			   user_context(lies_syscall);
		rip = c.rip;
		c.gpr[RSP] = rsp;
		c.gpr[RAX] = RINGLET_HC_FLUSH_TLB;
		c.gpr[RDI] = RINGLET_FLUSH_ADDR;
		e = run(&c);
		came(e, &c, mode ? EXC_UD : RINGLET_GATE_SYSCALL, 0, rip + 2);
		same("RSP of a system call", c.gpr[RSP], rsp);

		c = mode ? kernel_context(lies_int3) : user_context(lies_int3);
		rip = c.rip;
		c.gpr[RSP] = rsp;
		c.rflags |= FLAG_IF;
		shared()->pending = 1;
		came(run(&c), &c, RINGLET_GATE_INTERRUPT, 0, rip);
		same("RSP of an interrupt", c.gpr[RSP], rsp);
		shared()->pending = 0;

		/* The CPU's own push faults, or the shared page takes it. */
		c = mode ? kernel_context(lies_push) : user_context(lies_push);
		rip = c.rip;
		c.gpr[RSP] = rsp;
		e = run(&c);
		same("RIP of a push", c.rip, rip + (e->gate == EXC_UD));
		if (e->gate != EXC_PF && e->gate != EXC_SS &&
		    e->gate != EXC_GP &&
		    (!mode || (rsp - 8) >> 12 != RINGLET_SHARED_VA >> 12))
			fail("a push at RSP %llx ended in gate %llx", rsp,
			     e->gate);
	}
}

SNIPPET(lies_gsbase, "rdgsbase %rax\n\tint3");

/* WRGSBASE in the switcher must not meet one that is not canonical. */
void payload_lie_gsbase(void)
{
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(hostile); i++) {
		struct context c = user_context(lies_gsbase);
		u64 base = hostile[i / 2];

		if (i & 1) {
			c.gpr[RCX] = c.rip;
			c.gpr[R11] = c.rflags;
		}
		wrgsbase(0x1234);
		shared()->user_gsbase = base;
		came(run(&c), &c, EXC_BP, 0, user_address(lies_gsbase) + 6);
		same("GS base", c.gpr[RAX], canonical(base) ? base : 0);
		same("the kernel's GS base", rdgsbase(), 0x1234);
	}
}

/* ---- Other words of the shared page ---- */

/* Writes RDX to the flags word, then is interrupted. */
SNIPPET(lies_set_flags, "mov %edx, 0xffffffffffffd000\n\tint3");

void payload_lie_flags_word(void)
{
	const u32 values[] = { ~0U,	   ~(u32)FLAG_IF, 0x100,
			       0x80000000, 0x1ff,	  (u32)FLAG_IF };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		struct context c = kernel_context(lies_set_flags);
		struct event *e;

		c.gpr[RDX] = values[i];
		e = run(&c);
		came(e, &c, EXC_BP, 0, (u64)lies_set_flags + 8);
		same("IF in the frame", c.rflags & FLAG_IF,
		     values[i] & FLAG_IF);
		same("IF at the gate", e->flags & FLAG_IF, 0);
		/* User mode has IF on, whatever the word said before. */
		shared()->flags = values[i];
		c = user_context(lies_int3);
		c.rflags &= ~FLAG_IF;
		e = run(&c);
		came(e, &c, EXC_BP, 0, user_address(lies_int3) + 1);
		same("the user's IF", c.rflags & FLAG_IF, FLAG_IF);
		same("IF at the gate", e->flags & FLAG_IF, 0);
		shared()->flags = 0;
	}
}

/* An interrupt that nobody raised is the guest's to wonder about. */
void payload_lie_pending(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		struct context c = user_context(lies_int3);

		shared()->pending = i == 0 ? 1 : i == 1 ? 0xff : 0x80;
		came(run(&c), &c, RINGLET_GATE_INTERRUPT, 0,
		     user_address(lies_int3));
		shared()->pending = 0;
		came(run(&c), &c, EXC_BP, 0, user_address(lies_int3) + 1);
		/* Lines without the word are for the next look. */
		shared()->irq_pending = ~0UL;
		c = user_context(lies_int3);
		came(run(&c), &c, EXC_BP, 0, user_address(lies_int3) + 1);
		same("irq_pending", shared()->irq_pending, ~0UL);
		shared()->irq_pending = 0;
	}
}

/* Words that say who we are: nothing reads them back, so they may be spoiled. */
void payload_lie_identity(void)
{
	volatile u64 *words = (volatile u64 *)shared();
	struct ringlet_shared was = *shared();
	struct context c;
	unsigned int i;

	for (i = 0; i < PAGE_SIZE / sizeof(*words); i++)
		if (i) /* not flags, pending and busy */
			words[i] = ~0UL;
	c = user_context(lies_int3);
	came(run(&c), &c, EXC_BP, 0, user_address(lies_int3) + 1);
	hypercall(RINGLET_HC_SET_TIMER, ~0UL, 0, 0);
	shared()->irq_pending = 0;
	shared()->user_gsbase = 0;
	for (i = 0; i < PAGE_SIZE / sizeof(*words); i++)
		if (i)
			words[i] = 0;
	c = user_context(lies_syscall);
	came(run(&c), &c, RINGLET_GATE_SYSCALL, 0,
	     user_address(lies_syscall) + 2);
	shared()->abi = was.abi;
	shared()->features = was.features;
	shared()->tsc_khz = was.tsc_khz;
	shared()->vcpu_id = was.vcpu_id;
	shared()->nr_vcpus = was.nr_vcpus;
}

void payload_lie_gates(void)
{
	u64 einval = (u64)-22, gate;
	unsigned int i;

	for (gate = 32; gate < 0x400; gate++)
		if (gate != RINGLET_GATE_INT80 &&
		    gate != RINGLET_GATE_SYSCALL &&
		    gate != RINGLET_GATE_SYSCALL32 &&
		    gate != RINGLET_GATE_INTERRUPT)
			same("SET_GATE of no gate",
			     hypercall(RINGLET_HC_SET_GATE, gate, 0, 0),
			     einval);
	same("SET_GATE of gate ~0", hypercall(RINGLET_HC_SET_GATE, ~0UL, 0, 0),
	     einval);
	for (i = 0; i < ARRAY_SIZE(hostile); i++) {
		bool ok = !hostile[i] ||
			  (canonical(hostile[i]) && hostile[i] >> 63);

		same("SET_GATE of an address",
		     hypercall(RINGLET_HC_SET_GATE, RINGLET_GATE_SYSCALL,
			       hostile[i], 0),
		     ok ? 0 : einval);
		same("SET_GATE of an address",
		     hypercall(RINGLET_HC_SET_GATE, EXC_UD, hostile[i], 0),
		     ok ? 0 : einval);
	}
	/* Without a gate SYSCALL is #UD, and INT 0x80 #GP. */
	set_gate(EXC_UD, default_gate(EXC_UD));
	set_gate(RINGLET_GATE_SYSCALL, 0);
	struct context c = user_context(lies_syscall);

	came(run(&c), &c, EXC_UD, 0, user_address(lies_syscall) + 2);
}

/* ---- CR3 ---- */

void payload_lie_cr3(void)
{
	u64 other = space_new(), einval = (u64)-22;
	unsigned int bit;
	struct context c;

	for (bit = 46; bit < 63; bit++) {
		same("LOAD_CR3 with a reserved bit", load_cr3(pgd | 1UL << bit),
		     einval);
		same("and with NOFLUSH",
		     load_cr3(pgd | 1UL << bit | CR3_NOFLUSH), einval);
	}
	c = user_context(lies_int3);
	came(run(&c), &c, EXC_BP, 0, user_address(lies_int3) + 1);

	/*
	 * The PCID is the same and the root is not. NOFLUSH promises that what
	 * is cached is true, so what user mode finds may be either's; after a
	 * flush it is the new root's, which has nothing.
	 */
	same("LOAD_CR3", load_cr3(other | CR3_NOFLUSH), 0);
	c = user_context(lies_int3);
	run(&c);
	same("LOAD_CR3", load_cr3(other), 0);
	c = user_context(lies_int3);
	page_fault(run(&c), user_address(lies_int3), PF_U | PF_I);
	same("LOAD_CR3", load_cr3(pgd | CR3_NOFLUSH), 0);
	load_cr3(pgd);
	c = user_context(lies_int3);
	came(run(&c), &c, EXC_BP, 0, user_address(lies_int3) + 1);
	/* All ones below the base are a PCID. */
	same("LOAD_CR3", load_cr3(pgd | 0xfff), 0);
	c = user_context(lies_int3);
	came(run(&c), &c, EXC_BP, 0, user_address(lies_int3) + 1);
}

/* ---- SYSCALL at the end of an address range ---- */

/* A page whose last two bytes are SYSCALL; what comes behind is not there. */
static void map_edge(u64 va, u64 flags)
{
	u64 gpa = page_alloc();
	u8 *code = at(gpa);

	map(va, gpa, flags);
	code[0xffe] = 0x0f;
	code[0xfff] = 0x05;
}

#define EDGE (LOWER_END - PAGE_SIZE)

/*
 * In kernel mode, every hypercall: it is carried out, and where it would go on
 * is not canonical. SYSRET there would fault at CPL 0.
 */
void payload_edge_hypercalls(void)
{
	u64 nr, cr3 = pgd, i;

	map_edge(EDGE, PTE_P);
	load_cr3(space_new() | 5); /* so that 0 is not the only one known */
	load_cr3(pgd);
	for (i = 0; i < 2 * (RINGLET_HC_COUNT + 4); i++) {
		struct context c = kernel_context(lies_int3);

		nr = i / 2;
		/* One that goes elsewhere, and those that sleep. */
		if (nr == RINGLET_HC_IRET || nr == RINGLET_HC_HALT ||
		    nr == RINGLET_HC_WAIT || nr == RINGLET_HC_VCPU_STOP)
			continue;
		c.rip = LOWER_END - 2;
		c.gpr[RAX] = nr;
		c.gpr[RDI] = nr == RINGLET_HC_LOAD_CR3 ?
				     cr3 | (i & 1 ? CR3_NOFLUSH : 0) :
			     nr == RINGLET_HC_FLUSH_TLB ?
				     (i & 1 ? RINGLET_FLUSH_ADDR :
					      RINGLET_FLUSH_USER) :
				     1000;
		/* INVLPG of the upper half the switcher serves, whatever is below. */
		c.gpr[RSI] = nr == RINGLET_HC_CONSOLE ? 0 : FREE_KERNEL_VA;
		if (!came(run(&c), &c, EXC_GP, 0, LOWER_END))
			fail("that was hypercall %lld", nr);
		same("CS", c.cs, RINGLET_KERNEL_CS);
		hypercall(RINGLET_HC_SET_TIMER, ~0UL, 0, 0);
		shared()->pending = 0;
		shared()->irq_pending = 0;
	}
}

void payload_edge_syscall(void)
{
	struct context c = user_context(lies_int3);

	map_edge(EDGE, PTE_P | PTE_U);
	c.rip = LOWER_END - 2;
	came(run(&c), &c, RINGLET_GATE_SYSCALL, 0, LOWER_END);
	came(run(&c), &c, EXC_GP, 0, LOWER_END);
	same("CS", c.cs, RINGLET_USER_CS);
	/* Single steps make no difference. */
	c = user_context(lies_int3);
	c.rip = LOWER_END - 2;
	c.rflags |= FLAG_TF;
	came(run(&c), &c, RINGLET_GATE_SYSCALL, 0, LOWER_END);
	came(run(&c), &c, EXC_GP, 0, LOWER_END);
}

/* At the very end of all addresses RIP wraps round to 0. */
void payload_edge_top(void)
{
	u64 nr;

	map_edge(-PAGE_SIZE, PTE_P);
	for (nr = RINGLET_HC_LOAD_CR3; nr <= RINGLET_HC_FLUSH_TLB; nr++) {
		struct context c = kernel_context(lies_int3);
		struct event *e;

		c.rip = -2UL;
		c.gpr[RAX] = nr;
		c.gpr[RDI] = nr == RINGLET_HC_LOAD_CR3 ? pgd | CR3_NOFLUSH :
							 RINGLET_FLUSH_ADDR;
		e = run(&c);
		page_fault(e, 0, PF_I);
		same("RIP", c.rip, 0);
	}
}

/* ---- Selectors ---- */

SNIPPET(lies_ljmp, "rex.w ljmp *(%rdi)");
SNIPPET(lies_lret, "lretq");
SNIPPET(lies_iretq, "iretq");
SNIPPET(lies_after, ".code32\n\tint3\n\t.code64");

/*
 * Far jump, far return and IRETQ by the guest itself: to 0x33 and 0x23 and
 * nowhere else. #GP or #NP names the selector; the frame is on a user page, so
 * that both modes can read it.
 */
static void far_transfer(const u8 *snippet, bool kernel, unsigned int selector)
{
	u64 *stack = at(*entry_of(pgd, USER_DATA, 1) & PTE_ADDR);
	struct context c = kernel ? kernel_context(snippet) :
				    user_context(snippet);
	u64 rip = c.rip, target = user_address(lies_after);
	struct event *e;

	/* SMEP: the kernel may not go there. Its own text is beyond 32 bits. */
	if (kernel && (selector | 3) == RINGLET_USER_CS)
		target = (u64)lies_after;
	stack[0] = target;
	stack[1] = selector;
	stack[2] = FLAG_FIXED;
	stack[3] = USER_STACK_END;
	stack[4] = RINGLET_USER_SS;
	c.gpr[RSP] = USER_DATA;
	c.gpr[RDI] = USER_DATA;
	e = run(&c);
	if (selector == RINGLET_USER_CS ||
	    (selector == RINGLET_USER32_CS && !kernel)) {
		came(e, &c, EXC_BP, 0, target + 1);
	} else if (selector == RINGLET_USER32_CS) {
		page_fault(e, target, PF_I | PF_P);
	} else if (snippet == lies_ljmp && (selector & ~3) == 0x30) {
		/* A far jump does not look at RPL below CPL. */
		came(e, &c, EXC_BP, 0, target + 1);
	} else if (snippet == lies_ljmp && (selector & ~3) == 0x20) {
		if (kernel)
			page_fault(e, target, PF_I | PF_P);
		else
			came(e, &c, EXC_BP, 0, target + 1);
	} else if ((e->gate != EXC_GP && e->gate != 11) ||
		   (e->frame.error != (selector & 0xfffc) && e->frame.error) ||
		   c.rip != rip) {
		fail("selector %x: gate %llx error %llx RIP %llx", selector,
		     e->gate, e->frame.error, c.rip);
	}
}

void payload_far_transfers(void)
{
	const u8 *const snippets[] = { lies_ljmp, lies_lret, lies_iretq };
	unsigned int selector, i;

	for (selector = 0; selector < 0x100; selector++)
		for (i = 0; i < 2 * ARRAY_SIZE(snippets); i++)
			far_transfer(snippets[i / 2], i & 1, selector);
}

SNIPPET(lies_selectors, "mov %ebx, %ds\n\tmov %ebx, %es\n\t"
			"mov %ebx, %fs\n\tmov %ebx, %gs\n\tint3");
SNIPPET(lies_mov_ss, "mov %ebx, %ss\n\tint3");

/*
 * Any selector into DS, ES, FS, GS and SS: what user mode on Linux can load,
 * and what was loaded does not make the switcher stumble.
 */
void payload_selectors(void)
{
	unsigned int selector, i;
	struct context c;
	struct event *e;

	for (i = 0; i < 2 * 0x108; i++) {
		bool kernel = i & 1;
		bool loads;
		u64 rip;

		selector = i / 2;
		/* Null, user data, user code (readable). */
		loads = selector < 4 || (selector & ~3) == 0x28 ||
			(selector & ~3) == 0x30 || (selector & ~3) == 0x20;
		c = kernel ? kernel_context(lies_selectors) :
			     user_context(lies_selectors);
		rip = c.rip;
		c.gpr[RBX] = selector;
		e = run(&c);
		/* The CPU-number entry is data, too, and not for RPL 3 alone. */
		if ((selector & ~3) == 0x78)
			loads = e->gate == EXC_BP;
		if (loads)
			came(e, &c, EXC_BP, 0, rip + 9);
		else if (!came(e, &c, EXC_GP, selector & 0xfffc, rip))
			fail("that was selector %x", selector);

		c = kernel ? kernel_context(lies_mov_ss) :
			     user_context(lies_mov_ss);
		rip = c.rip;
		c.gpr[RBX] = selector;
		e = run(&c);
		if (selector == RINGLET_USER_SS)
			came(e, &c, EXC_BP, 0, rip + 3);
		else if ((selector & ~3) != 0x78)
			came(e, &c, EXC_GP, selector & 0xfffc, rip);
	}
	asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs"
		     :
		     : "r"(0));
	wrgsbase(0);
}

SNIPPET(lies_syscall32, ".code32\n\tsyscall\n\t.code64");
SNIPPET(lies_sysenter, "sysenter");

/* From a 32-bit segment: AMD has it, and a gate for it; Intel #UD. */
void payload_syscall32(void)
{
	u64 rip = user_address(lies_syscall32);
	struct context c = user_context(lies_syscall32);
	struct event *e;

	c.cs = RINGLET_USER32_CS;
	e = run(&c);
	if (e->gate == EXC_UD)
		came(e, &c, EXC_UD, 0, rip);
	else
		came(e, &c, RINGLET_GATE_SYSCALL32, 0, rip + 2);
	same("CS", c.cs, RINGLET_USER32_CS);
	if (e->gate == EXC_UD)
		return;
	/* Without its gate it is #UD, too. */
	set_gate(RINGLET_GATE_SYSCALL32, 0);
	c = user_context(lies_syscall32);
	c.cs = RINGLET_USER32_CS;
	came(run(&c), &c, EXC_UD, 0, rip + 2);
}

/* Intel: SYSENTER_CS is 0. AMD: not in long mode. */
void payload_sysenter(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		struct context c = i == 1 ? kernel_context(lies_sysenter) :
					    user_context(lies_sysenter);
		struct event *e;
		u64 rip = c.rip;

		if (i == 2)
			c.cs = RINGLET_USER32_CS;
		e = run(&c);
		came(e, &c, e->gate == EXC_UD ? EXC_UD : EXC_GP, 0, rip);
	}
}

/* ---- Debug registers ---- */

void payload_debug_registers(void)
{
	u64 einval = (u64)-22;
	unsigned int i, nr;

	for (i = 0; i < ARRAY_SIZE(hostile); i++)
		for (nr = 0; nr < 4; nr++)
			same("SET_DR of an address",
			     hypercall(RINGLET_HC_SET_DR, nr, hostile[i], 0),
			     canonical(hostile[i]) &&
					     !(hostile[i] >= HOLE &&
					       hostile[i] < RINGLET_HOLE_END) ?
				     0 :
				     einval);
	for (nr = 4; nr < 100; nr += nr == 5 ? 3 : 1)
		same("SET_DR of no register",
		     hypercall(RINGLET_HC_SET_DR, nr, 0, 0), einval);
	same("SET_DR 7 beyond 32 bits",
	     hypercall(RINGLET_HC_SET_DR, 7, 1UL << 32, 0), einval);
	/*
	 * Armed on what the host has there, with general detect and I/O
	 * breakpoints: nothing comes of it.
	 */
	hypercall(RINGLET_HC_SET_DR, 0, 0xffff888000000000, 0);
	hypercall(RINGLET_HC_SET_DR, 1, 0xfffffe0000000000, 0);
	hypercall(RINGLET_HC_SET_DR, 2, 0xffffffffff600000, 0);
	hypercall(RINGLET_HC_SET_DR, 3, 0, 0);
	hypercall(RINGLET_HC_SET_DR, 7, 0xffffffff, 0);
	for (i = 0; i < 4; i++) {
		struct context c = i & 1 ? kernel_context(lies_int3) :
					   user_context(lies_int3);
		u64 rip = c.rip;

		came(run(&c), &c, EXC_BP, 0, rip + 1);
	}
}

/*
 * A breakpoint on the shared page: the switcher has it at another address, and
 * the guest meets it by its own access. And MOV SS, which holds #DB back until
 * SYSCALL is done: it is the guest's breakpoint that the switcher meets.
 */
SNIPPET(lies_mov_ss_syscall, "mov (%rdi), %ss\n\tsyscall");

void payload_breakpoint_shared(void)
{
	u64 *data = at(*entry_of(pgd, USER_DATA, 1) & PTE_ADDR);
	struct context c;
	unsigned int i;

	hypercall(RINGLET_HC_SET_DR, 0, RINGLET_SHARED_VA, 0);
	hypercall(RINGLET_HC_SET_DR, 1, RINGLET_SHARED_VA + 8, 0);
	hypercall(RINGLET_HC_SET_DR, 2, USER_DATA, 0);
	/* Data, 8 bytes, on the first two; 1 byte on the third, armed later. */
	hypercall(RINGLET_HC_SET_DR, 7, 0xbb040f, 0);
	for (i = 0; i < 4; i++) {
		u64 rip;

		c = i & 1 ? kernel_context(lies_int3) : user_context(lies_int3);
		rip = c.rip;
		/* The gate of ours reads the page: not armed for that. */
		hypercall(RINGLET_HC_SET_DR, 7, 0x400, 0);
		came(run(&c), &c, EXC_BP, 0, rip + 1);
	}
	*data = RINGLET_USER_SS;
	hypercall(RINGLET_HC_SET_DR, 7, 0x3000430, 0);
	c = user_context(lies_mov_ss_syscall);
	c.gpr[RDI] = USER_DATA;
	run(&c);
	same("RIP",
	     c.rip == user_address(lies_mov_ss_syscall) + 4 ||
		     c.rip == user_address(lies_mov_ss_syscall) + 2,
	     1);
	hypercall(RINGLET_HC_SET_DR, 7, 0x400, 0);
}

/* ---- Deaths ---- */

/* What a payload says that should be dead. */
static void run_to_death(struct context c)
{
	struct event *e = run(&c);

	fail("still alive: gate %llx RIP %llx", e->gate, c.rip);
}

void payload_dead_no_gate(void)
{
	set_gate(EXC_UD, 0);
	asm volatile("ud2");
}

void payload_dead_gate_hole(void)
{
	set_gate(EXC_BP, HOLE);
	set_gate(EXC_PF, HOLE);
	run_to_death(user_context(lies_int3));
}

void payload_dead_gate_unmapped(void)
{
	set_gate(RINGLET_GATE_SYSCALL, FREE_KERNEL_VA);
	set_gate(EXC_PF, FREE_KERNEL_VA);
	run_to_death(user_context(lies_syscall));
}

void payload_dead_gate_shared(void)
{
	set_gate(RINGLET_GATE_SYSCALL, RINGLET_SHARED_VA);
	run_to_death(user_context(lies_syscall));
}

/* A breakpoint on the gate: #DB while the frame is there. */
void payload_dead_gate_breakpoint(void)
{
	hypercall(RINGLET_HC_SET_DR, 0, default_gate(EXC_BP), 0);
	hypercall(RINGLET_HC_SET_DR, 7, 0x401, 0);
	run_to_death(user_context(lies_int3));
}

void payload_dead_busy_exception(void)
{
	shared()->busy = 1;
	run_to_death(user_context(lies_int3));
}

/* Natively a kernel that loses a frame has lost it: to go on is right, too. */
void payload_dead_busy_syscall(void)
{
	struct context c = user_context(lies_syscall);

	shared()->busy = 1;
	came(run(&c), &c, RINGLET_GATE_SYSCALL, 0,
	     user_address(lies_syscall) + 2);
}

/* A gate that pushes on the interrupted stack, which is not mapped. */
SNIPPET(lies_bad_gate, "push %rax\n\tud2");

void payload_dead_stack(void)
{
	struct context c = user_context(lies_int3);

	c.gpr[RSP] = FREE_VA;
	set_gate(EXC_BP, (u64)lies_bad_gate);
	run_to_death(c);
}

/* No page at all, not for the gates either. */
void payload_dead_empty_space(void)
{
	load_cr3(page_alloc());
	flush_all();
	run_to_death(user_context(lies_int3));
}

void payload_dead_cr3_outside(void)
{
	load_cr3(1UL << 45);
	flush_all();
	run_to_death(user_context(lies_int3));
}

SNIPPET(lies_read, "mov (%rdi), %rax\n\tint3");

static void table_outside(int level)
{
	struct context c = user_context(lies_read);

	map(FREE_VA, page_alloc(), PTE_P | PTE_U | PTE_W);
	*entry_of(pgd, FREE_VA, level) = 1UL << 45 | PTE_P | PTE_W | PTE_U;
	c.gpr[RDI] = FREE_VA;
	run_to_death(c);
}

void payload_dead_table_outside_4(void)
{
	table_outside(4);
}

void payload_dead_table_outside_3(void)
{
	table_outside(3);
}

void payload_dead_table_outside_2(void)
{
	table_outside(2);
}

void payload_dead_kernel_rip(void)
{
	struct context c = kernel_context(lies_int3);

	c.rip = LOWER_END;
	run_to_death(c);
}

void payload_dead_shared_execute(void)
{
	struct context c = kernel_context(lies_int3);

	c.rip = RINGLET_SHARED_VA + 0x800;
	run_to_death(c);
}

void payload_dead_status_execute(void)
{
	struct context c = kernel_context(lies_int3);

	c.rip = RINGLET_STATUS_VA;
	run_to_death(c);
}
