// SPDX-License-Identifier: GPL-2.0
/*
 * More than one vCPU: how they start and stop, what they send one another, and
 * that what one takes away no other has any more. Launched with four vCPUs. The
 * host may have fewer CPUs than that, or one: whoever waits says so.
 */
#include "payload.h"

#define FULL (PTE_P | PTE_W | PTE_U)

SNIPPET(smp_int3, "int3\n\tint3");
SNIPPET(smp_loop, "1: pause\n\tjmp 1b");

static u64 vcpu_start(u64 vcpu, u64 rip, u64 rsp, u64 gsbase, u64 cr3)
{
	return hypercall5(RINGLET_HC_VCPU_START, vcpu, rip, rsp, gsbase, cr3);
}

static u64 send_ipi(u64 mask, u64 line)
{
	return hypercall(RINGLET_HC_SEND_IPI, mask, line, 0);
}

static void nothing(void *unused)
{
}

/* ---- Starting and stopping ---- */

/* Every wrong argument is an errno, and the vCPU is stopped still. */
void payload_smp_start_errors(void)
{
	const u64 bad[] = { LOWER_END, UPPER_START - 1, 1UL << 63,
			    0xff0f000000000000 };
	const u64 bad_cr3[] = { pgd | 1,	   pgd | 0xfff, 1UL << 46,
				pgd | CR3_NOFLUSH, ~0UL,	1UL << 63 };
	u64 rip = (u64)other_start, rsp = prepare_vcpu(1, nothing, NULL);
	unsigned int i;

	for (i = nr_vcpus(); i < 70; i++)
		same("VCPU_START of no vCPU", vcpu_start(i, rip, rsp, 0, pgd),
		     ERR_NOENT);
	same("VCPU_START of no vCPU", vcpu_start(~0UL, rip, rsp, 0, pgd),
	     ERR_NOENT);
	same("VCPU_START of no vCPU",
	     vcpu_start(1UL << 32 | 1, rip, rsp, 0, pgd), ERR_NOENT);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		same("VCPU_START at a bad RIP",
		     vcpu_start(1, bad[i], rsp, 0, pgd), ERR_INVAL);
		same("VCPU_START with a bad GS base",
		     vcpu_start(1, rip, rsp, bad[i], pgd), ERR_INVAL);
	}
	for (i = 0; i < ARRAY_SIZE(bad_cr3); i++)
		same("VCPU_START with a bad CR3",
		     vcpu_start(1, rip, rsp, 0, bad_cr3[i]), ERR_INVAL);
	same("VCPU_START of oneself", vcpu_start(0, rip, rsp, 0, pgd),
	     ERR_BUSY);
	for (i = 1; i < nr_vcpus(); i++)
		same("stopped", is_stopped(i), true);
	/* RSP is a number. */
	same("VCPU_START", vcpu_start(1, rip, rsp, 0, pgd), 0);
	wait_stopped(1);
}

struct first_look {
	struct ringlet_shared shared;
	u64 dr[8], dr_result;
	u64 ss_result;
	u64 tls;
	u64 xcr0;
	u64 rflags;
	u64 number;
};

SNIPPET(smp_rdtsc, "rdtsc\n\tint3");
SNIPPET(smp_tls, "mov %ebx, %fs\n\tint3");

static void look(void *argument)
{
	struct first_look *l = argument;
	struct context c = user_context(smp_rdtsc);
	unsigned int i;

	l->shared = *(struct ringlet_shared *)shared();
	for (i = 0; i < 8; i++)
		if (i != 4 && i != 5)
			l->dr[i] = get_dr(i);
	l->xcr0 = has_xsave() ? get_xcr(0) : 3;
	l->rflags = run(&c)->gate; /* #GP if CR4.TSD is on */
	c = user_context(smp_tls);
	c.gpr[RBX] = 0x63;
	l->tls = run(&c)->gate; /* #GP if the entry is empty */
	l->number = this_vcpu();
}

/* Leaves behind all that a vCPU can have changed. */
static void spoil(void *unused)
{
	wrgsbase(0x1234560000);
	wrfsbase(0x6543210000);
	shared()->user_gsbase = 0x777;
	shared()->pending = 0xff;
	shared()->irq_pending = ~0UL;
	shared()->flags = 0;
	hypercall(RINGLET_HC_SET_DR, 0, 0x1000, 0);
	hypercall(RINGLET_HC_SET_DR, 6, 0xffff0fff, 0);
	hypercall(RINGLET_HC_SET_DR, 7, 0x402, 0);
	hypercall(RINGLET_HC_SET_CR4, 4, 0, 0);
	hypercall(RINGLET_HC_LOAD_TLS, 0x00cff3000000ffff, 0, 0);
	hypercall(RINGLET_HC_LOAD_GS, 0x63, 0, 0);
	set_gate(EXC_UD, 0);
	if (has_xsave())
		set_xcr0(1);
	asm volatile("mov %0, %%fs; mov %0, %%ds" : : "r"(0x2b));
	asm volatile("pcmpeqd %xmm0, %xmm0; pcmpeqd %xmm15, %xmm15");
	hypercall(RINGLET_HC_SET_TIMER, 0, 0, 0);
	send_ipi(1UL << this_vcpu(), 5);
	send_ipi(1UL << this_vcpu(), RINGLET_IPI_NMI);
	shared()->busy = 1;
}

/* A started vCPU is as after reset, also after a life that changed everything. */
void payload_smp_start_state(void)
{
	extern u64 initial_other[];
	static struct first_look l;
	unsigned int round, i;
	u64 rsp;

	for (round = 0; round < 6; round++) {
		unsigned int n = 1 + round / 2;

		rsp = prepare_vcpu(n, round & 1 ? look : spoil, &l);
		same("VCPU_START",
		     vcpu_start(n, (u64)other_start, rsp, 0xffff888012340000,
				pgd),
		     0);
		wait_stopped(n);
		for (i = 0; i < 16; i++)
			same("a register", initial_other[i],
			     i == RSP ? rsp : 0);
		for (i = 16; i < 48; i++)
			same("a vector register", initial_other[i], 0);
		same("MXCSR", (u32)initial_other[48], 0x1f80);
		same("FS base", initial_other[49], 0);
		same("GS base", initial_other[50], 0xffff888012340000);
		if (!(round & 1))
			continue;
		same("IF", l.shared.flags, 0);
		same("pending", l.shared.pending, 0);
		same("busy", l.shared.busy, 0);
		same("irq_pending", l.shared.irq_pending, 0);
		same("user_gsbase", l.shared.user_gsbase, 0);
		same("vcpu_id", l.shared.vcpu_id, n);
		same("LSL's number", l.number, n);
		same("nr_vcpus", l.shared.nr_vcpus, nr_vcpus());
		same("abi", l.shared.abi, RINGLET_ABI_VERSION);
		same("DR0", l.dr[0], 0);
		same("DR6", l.dr[6], 0xffff0ff0);
		same("DR7", l.dr[7], 0x400);
		same("XCR0", l.xcr0, 3);
		same("RDTSC in user mode", l.rflags, EXC_BP);
		same("the first TLS entry", l.tls, EXC_GP);
	}
}

static u64 started_with;

static void which_space(void *unused)
{
	started_with = *(volatile u64 *)FREE_VA;
}

static void note_gate(void *unused)
{
	struct context c = user_context(smp_int3);

	started_with = run(&c)->gate;
}

/* CR3 is what was given, with nothing cached; gates are the starter's then. */
void payload_smp_start_space(void)
{
	u64 spaces[2], rsp;
	unsigned int i;

	map(FREE_VA, page_with(1), FULL);
	for (i = 0; i < 2; i++) {
		spaces[i] = space_new();
		*(u64 *)at(spaces[i]) = *(u64 *)at(pgd);
		map_in(spaces[i], FREE_VA, page_with(10 + i), FULL, 1);
	}
	for (i = 0; i < 8; i++) {
		rsp = prepare_vcpu(1, which_space, NULL);
		same("VCPU_START",
		     vcpu_start(1, (u64)other_start, rsp, 0, spaces[i & 1]), 0);
		wait_stopped(1);
		same("what is mapped", started_with, CONTENT(10 + (i & 1)));
		/* What was cached in its last life is gone. */
		map_in(spaces[i & 1], FREE_VA, page_with(11 - (i & 1)), FULL,
		       1);
		rsp = prepare_vcpu(1, which_space, NULL);
		same("VCPU_START",
		     vcpu_start(1, (u64)other_start, rsp, 0, spaces[i & 1]), 0);
		wait_stopped(1);
		same("what is mapped now", started_with, CONTENT(11 - (i & 1)));
		map_in(spaces[i & 1], FREE_VA, page_with(10 + (i & 1)), FULL,
		       1);
	}
	/* No gate for #BP, but one for #UD at the place of #BP's. */
	set_gate(EXC_BP, default_gate(EXC_OF));
	start_vcpu(2, note_gate, NULL);
	set_gate(EXC_BP, default_gate(EXC_BP));
	wait_stopped(2);
	same("the gate that the other took", started_with, EXC_OF);
}

static u64 lives;

static void live(void *unused)
{
	__atomic_add_fetch(&lives, 1, __ATOMIC_SEQ_CST);
}

/* Many short lives of each; none is lost and none comes twice. */
void payload_smp_restart(void)
{
	unsigned int i, n;

	lives = 0;
	for (i = 0; i < 50; i++) {
		for (n = 1; n < nr_vcpus(); n++)
			start_vcpu(n, live, NULL);
		for (n = 1; n < nr_vcpus(); n++)
			wait_stopped(n);
	}
	same("lives", lives, 50 * (nr_vcpus() - 1));
}

static u64 phase[VCPUS];

static void hold(void *argument)
{
	u64 n = (u64)argument;

	phase[n] = 1;
	wait_for_word(&phase[n], 2);
}

/* The status page says who is started, and no more than that is there. */
void payload_smp_status(void)
{
	const volatile struct ringlet_status *status =
		(void *)RINGLET_STATUS_VA;
	unsigned int n;

	same("state of vCPU 0", status[0].state & RINGLET_VCPU_STARTED, 1);
	for (n = 1; n < nr_vcpus(); n++) {
		same("stopped", is_stopped(n), true);
		phase[n] = 0;
		start_vcpu(n, hold, (void *)(u64)n);
		wait_for_word(&phase[n], 1);
		same("stopped while it runs", is_stopped(n), false);
		same("VCPU_START of one that runs",
		     vcpu_start(n, (u64)other_start, 0, 0, pgd), ERR_BUSY);
	}
	for (n = nr_vcpus(); n < RINGLET_MAX_VCPUS; n++)
		same("state of no vCPU", status[n].state | status[n].steal, 0);
	for (n = 1; n < nr_vcpus(); n++) {
		phase[n] = 2;
		wait_stopped(n);
	}
}

/* ---- Interrupts ---- */

static struct context taken;
static struct event *taken_event;

/* Takes one interrupt, or whatever comes, in a loop that makes no exits. */
static void take_one(void *argument)
{
	u64 kind = (u64)argument;

	taken = kind & 1 ? kernel_context(smp_loop) : user_context(smp_loop);
	if (kind & 2)
		taken.rflags |= FLAG_IF;
	phase[this_vcpu()] = 1;
	taken_event = run(&taken);
	started_with = shared()->irq_pending;
}

/* Each line to each vCPU, in user mode and in a kernel that has IF set. */
void payload_smp_ipi(void)
{
	unsigned int n, line, kind;

	for (n = 1; n < nr_vcpus(); n++)
		for (line = n - 1; line < RINGLET_IRQ_LINES;
		     line += nr_vcpus() - 1) {
			kind = line & 2 ? 3 : 0;
			phase[n] = 0;
			start_vcpu(n, take_one, (void *)(u64)kind);
			wait_for_word(&phase[n], 1);
			same("SEND_IPI", send_ipi(1UL << n, line), 0);
			wait_stopped(n);
			same("gate", taken_event->gate, RINGLET_GATE_INTERRUPT);
			same("irq_pending", started_with, 1UL << line);
			same("CS", taken.cs,
			     kind ? RINGLET_KERNEL_CS : RINGLET_USER_CS);
			same("IF in the frame", taken.rflags & FLAG_IF,
			     FLAG_IF);
		}
}

void payload_smp_ipi_errors(void)
{
	u64 all = (1UL << nr_vcpus()) - 1;
	unsigned int n, line;

	for (n = nr_vcpus(); n < 64; n++)
		same("SEND_IPI to nobody", send_ipi(1UL << n, 50), ERR_INVAL);
	same("SEND_IPI to one too many", send_ipi(all << 1 | 1, 50), ERR_INVAL);
	for (line = RINGLET_IPI_NMI + 1; line < 300; line++)
		same("SEND_IPI of no line", send_ipi(1, line), ERR_INVAL);
	same("SEND_IPI of no line", send_ipi(1, ~0UL), ERR_INVAL);
	same("SEND_IPI of no line", send_ipi(1, 1UL << 32), ERR_INVAL);
	same("nothing was sent", shared()->irq_pending | shared()->pending, 0);
	same("SEND_IPI to none", send_ipi(0, 50), 0);
	/* The stopped ones do not hear it, not in their next lives either. */
	same("SEND_IPI to the stopped", send_ipi(all & ~1UL, 50), 0);
	same("SEND_IPI to the stopped", send_ipi(all & ~1UL, RINGLET_IPI_NMI),
	     0);
	start_vcpu(1, note_gate, NULL);
	wait_stopped(1);
	same("the next life's event", started_with, EXC_BP);
}

static void hold_and_look(void *argument)
{
	struct context c;

	hold(argument);
	c = user_context(smp_int3);
	started_with = run(&c)->gate;
	__atomic_or_fetch(&phase[0], shared()->irq_pending, __ATOMIC_SEQ_CST);
}

/* What is raised after VCPU_START has returned is kept; and to all at once. */
void payload_smp_ipi_early(void)
{
	u64 all = (1UL << nr_vcpus()) - 1;
	unsigned int n, i;

	phase[0] = 0;
	for (i = 0; i < 20; i++) {
		phase[1] = 0;
		start_vcpu(1, hold_and_look, (void *)1);
		same("SEND_IPI", send_ipi(2, 50), 0);
		wait_for_word(&phase[1], 1);
		phase[1] = 2;
		wait_stopped(1);
		same("gate", started_with, RINGLET_GATE_INTERRUPT);
		same("irq_pending", phase[0], 1UL << 50);
	}
	phase[0] = 0;
	for (n = 1; n < nr_vcpus(); n++) {
		phase[n] = 0;
		start_vcpu(n, hold_and_look, (void *)(u64)n);
		wait_for_word(&phase[n], 1);
	}
	same("SEND_IPI to all but us", send_ipi(all & ~1UL, 63), 0);
	for (n = 1; n < nr_vcpus(); n++) {
		phase[n] = 2;
		wait_stopped(n);
		same("gate", started_with, RINGLET_GATE_INTERRUPT);
	}
	same("irq_pending", phase[0], 1UL << 63);
}

static void take_nmi(void *argument)
{
	u64 kind = (u64)argument;
	struct event *e;

	taken = kind & 1 ? kernel_context(smp_loop) : user_context(smp_loop);
	phase[this_vcpu()] = 1;
	e = run(&taken);
	same("gate", e->gate, EXC_NMI);
	same("nmi_blocked at the gate", e->nmi_blocked, 1);
	same("busy at the gate", e->busy, 1);
	same("CS", taken.cs, kind & 1 ? RINGLET_KERNEL_CS : RINGLET_USER_CS);
	same("IF in the frame", taken.rflags & FLAG_IF, kind & 1 ? 0 : FLAG_IF);
	/* Blocked until IRET, and then there is none. */
	phase[this_vcpu()] = 2;
	wait_for_word(&phase[this_vcpu()], 3);
	taken = user_context(smp_int3);
	e = run(&taken);
	same("gate after another NMI", e->gate, EXC_NMI);
	taken = user_context(smp_int3);
	came(run(&taken), &taken, EXC_BP, 0, user_address(smp_int3) + 1);
}

/* NMIs in user mode and in a kernel with IF clear; blocked, and as one. */
void payload_smp_nmi(void)
{
	unsigned int i, n;

	for (i = 0; i < 12; i++) {
		n = 1 + i % (nr_vcpus() - 1);
		phase[n] = 0;
		start_vcpu(n, take_nmi, (void *)(u64)(i & 1));
		wait_for_word(&phase[n], 1);
		same("SEND_IPI", send_ipi(1UL << n, RINGLET_IPI_NMI), 0);
		wait_for_word(&phase[n], 2);
		same("SEND_IPI", send_ipi(1UL << n, RINGLET_IPI_NMI), 0);
		same("SEND_IPI", send_ipi(1UL << n, RINGLET_IPI_NMI), 0);
		phase[n] = 3;
		wait_stopped(n);
	}
}

/* ---- Waiting ---- */

static u64 waits_done;

static void wait_some(void *argument)
{
	u64 how = (u64)argument, n = this_vcpu();
	int i;

	for (i = 0; i < 10; i++) {
		phase[n] = 1;
		same("WAIT", hypercall(RINGLET_HC_WAIT, how, 0, 0), 0);
		same("IF after WAIT", shared()->flags & FLAG_IF,
		     how ? FLAG_IF : 0);
		shared()->flags = 0;
		__atomic_add_fetch(&waits_done, 1, __ATOMIC_SEQ_CST);
		wait_for_word(&phase[n], 2);
	}
}

void payload_smp_wait(void)
{
	unsigned int how, i, n = 1;

	for (i = 2; i < 300; i++)
		same("WAIT for nothing", hypercall(RINGLET_HC_WAIT, i, 0, 0),
		     ERR_INVAL);
	same("WAIT for nothing", hypercall(RINGLET_HC_WAIT, ~0UL, 0, 0),
	     ERR_INVAL);
	for (i = nr_vcpus(); i < 300; i++) {
		same("KICK of nobody", hypercall(RINGLET_HC_KICK, i, 0, 0),
		     ERR_NOENT);
		same("YIELD to nobody", hypercall(RINGLET_HC_YIELD, i, 0, 0),
		     ERR_NOENT);
	}
	same("KICK of nobody", hypercall(RINGLET_HC_KICK, ~0UL, 0, 0),
	     ERR_NOENT);
	same("YIELD to nobody", hypercall(RINGLET_HC_YIELD, 1UL << 32, 0, 0),
	     ERR_NOENT);
	/* One's own kick is remembered. */
	for (how = 0; how < 2; how++) {
		same("KICK", hypercall(RINGLET_HC_KICK, 0, 0, 0), 0);
		same("WAIT", hypercall(RINGLET_HC_WAIT, how, 0, 0), 0);
		shared()->flags = 0;
	}
	for (i = 0; i < nr_vcpus(); i++)
		same("YIELD", hypercall(RINGLET_HC_YIELD, i, 0, 0), 0);

	for (how = 0; how < 2; how++) {
		waits_done = 0;
		phase[n] = 0;
		start_vcpu(n, wait_some, (void *)(u64)how);
		for (i = 1; i <= 10; i++) {
			wait_for_word(&phase[n], 1);
			same("KICK", hypercall(RINGLET_HC_KICK, n, 0, 0), 0);
			wait_for_word(&waits_done, i);
			phase[n] = 2;
			if (i < 10)
				wait_for_word(&phase[n], 1);
		}
		wait_stopped(n);
	}
}

static void wait_once(void *argument)
{
	phase[1] = 1;
	hypercall(RINGLET_HC_WAIT, (u64)argument, 0, 0);
	phase[1] = 2;
}

SNIPPET(smp_syscall, "syscall\n\tint3");

static volatile bool no_more;

/*
 * The same as a context, to which what ended it is delivered. A WAIT may return
 * early, as it does when the host takes memory away; it is made once more.
 */
static void wait_in_context(void *argument)
{
	do {
		taken = kernel_context(smp_syscall);
		taken.gpr[RAX] = RINGLET_HC_WAIT;
		taken.gpr[RDI] = (u64)argument;
		phase[1] = 1;
		taken_event = run(&taken);
	} while (taken_event->gate == EXC_BP && !no_more);
	phase[1] = 2;
}

static void pass_time(void)
{
	u64 end = hypercall(RINGLET_HC_CLOCK, 0, 0, 0) + 20000000;
	unsigned int tries;

	for (tries = 1; hypercall(RINGLET_HC_CLOCK, 0, 0, 0) < end; tries++)
		relax(tries);
}

/* vCPU 1 sleeps in WAIT @how, and the line, or the NMI, ends that. */
static void wait_ends(u64 how, u64 line)
{
	bool nmi = line == RINGLET_IPI_NMI;

	phase[1] = 0;
	no_more = false;
	start_vcpu(1, wait_in_context, (void *)how);
	wait_for_word(&phase[1], 1);
	pass_time();
	if (!how && nmi) {
		send_ipi(2, 50);
		pass_time();
		same("a WAIT that interrupts do not end", phase[1], 1);
	}
	send_ipi(2, line);
	if (!wait_for_word(&phase[1], 2)) {
		fail("WAIT %llx goes on after IPI %llx", how, line);
		no_more = true;
		hypercall(RINGLET_HC_KICK, 1, 0, 0);
	}
	wait_stopped(1);
	came(taken_event, &taken, nmi ? EXC_NMI : RINGLET_GATE_INTERRUPT, 0,
	     (u64)smp_syscall + 2);
	same("WAIT", taken.gpr[RAX], 0);
	same("IF in the frame", taken.rflags & FLAG_IF, how ? FLAG_IF : 0);
}

/* Interrupts end WAIT 1 and not WAIT 0; an NMI ends both. */
void payload_smp_wait_ends(void)
{
	wait_ends(0, RINGLET_IPI_NMI);
	wait_ends(1, RINGLET_IPI_NMI);
	wait_ends(1, 50);
}

/* Adds one to the word at RDI until it is interrupted. */
SNIPPET(smp_count, "1: incq (%rdi)\n\tjmp 1b");

/* RDI: which half. */
static void count_there(void *argument)
{
	u64 upper = (u64)argument;

	taken = upper ? kernel_context(smp_count) : user_context(smp_count);
	taken.gpr[RDI] = upper ? FREE_KERNEL_VA : FREE_VA;
	if (upper)
		taken.rflags |= FLAG_IF;
	same("the end of it", run(&taken)->gate, RINGLET_GATE_INTERRUPT);
}

static bool moves(const volatile u64 *word)
{
	u64 was = *word, end = hypercall(RINGLET_HC_CLOCK, 0, 0, 0) + WAIT_NS;
	unsigned int tries;

	for (tries = 1; *word == was; tries++) {
		relax(tries);
		if (tries % 1024 == 0 &&
		    hypercall(RINGLET_HC_CLOCK, 0, 0, 0) > end)
			return false;
	}
	return true;
}

/*
 * Yields to one that runs, or would. The results are 0; what becomes of it the
 * host's scheduler knows, and the test asks it.
 */
void payload_smp_yield(void)
{
	volatile u64 *word = at(page_alloc());
	unsigned int i;

	map(FREE_VA, gpa_of((void *)word), FULL);
	start_vcpu(1, count_there, (void *)0);
	if (!moves(word))
		fail("nothing is counted");
	for (i = 0; i < 500; i++)
		same("YIELD", hypercall(RINGLET_HC_YIELD, 1, 0, 0), 0);
	send_ipi(2, 50);
	wait_stopped(1);
}

/* ---- Flushes ---- */

static u64 flush_vcpus(u64 mask, u64 cr3, u64 start, u64 end)
{
	return hypercall5(RINGLET_HC_FLUSH_VCPUS, mask, cr3, start, end, 0);
}

void payload_smp_flush_errors(void)
{
	u64 all = (1UL << nr_vcpus()) - 1, end = 1UL << 47;
	const struct {
		u64 mask, cr3, start, end, result;
	} calls[] = {
		{ all, pgd, 0, 0, 0 },
		{ all, pgd, 0x1234, 0, 0 },
		{ all, pgd, 0, end, 0 },
		{ all, pgd, end - PAGE_SIZE, end, 0 },
		{ all, ~0UL, 0, 0, 0 },
		{ all, ~0UL, 0, PAGE_SIZE, 0 },
		{ 0, pgd, 0, 0, 0 },
		{ 1, pgd, 0, PAGE_SIZE, 0 },
		{ all, (1UL << 46) - PAGE_SIZE, 0, 0, 0 },
		{ all + 1, pgd, 0, 0, ERR_INVAL },
		{ 1UL << 63, pgd, 0, 0, ERR_INVAL },
		{ ~0UL, ~0UL, 0, 0, ERR_INVAL },
		{ all, pgd | 1, 0, 0, ERR_INVAL },
		{ all, pgd | CR3_NOFLUSH, 0, 0, ERR_INVAL },
		{ all, 1UL << 46, 0, 0, ERR_INVAL },
		{ all, ~1UL, 0, 0, ERR_INVAL },
		{ all, pgd, 0, 1, ERR_INVAL },
		{ all, pgd, 1, PAGE_SIZE, ERR_INVAL },
		{ all, pgd, PAGE_SIZE, PAGE_SIZE, ERR_INVAL },
		{ all, pgd, 2 * PAGE_SIZE, PAGE_SIZE, ERR_INVAL },
		{ all, pgd, 0, end + PAGE_SIZE, ERR_INVAL },
		{ all, pgd, UPPER_START, -PAGE_SIZE, ERR_INVAL },
		{ all, pgd, 0, ~0UL, ERR_INVAL },
		{ all, ~0UL, PAGE_SIZE, PAGE_SIZE, ERR_INVAL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (!same("FLUSH_VCPUS",
			  flush_vcpus(calls[i].mask, calls[i].cr3,
				      calls[i].start, calls[i].end),
			  calls[i].result))
			fail("that was call %u", i);
}

/*
 * While another vCPU writes to a page as fast as it can, the page is taken away
 * and another put in its place: after FLUSH_VCPUS the first is never touched.
 */
void payload_smp_shootdown(void)
{
	u64 gpa[2], va;
	volatile u64 *word[2];
	unsigned int i, k, upper, rounds = 120;

	for (i = 0; i < 2; i++) {
		gpa[i] = page_alloc();
		word[i] = at(gpa[i]);
	}
	for (upper = 0; upper < 2; upper++) {
		va = upper ? FREE_KERNEL_VA : FREE_VA;
		map(va, gpa[0], FULL);
		start_vcpu(1, count_there, (void *)(u64)upper);
		for (i = 1; i < rounds; i++) {
			volatile u64 *old = word[~i & 1], *new = word[i & 1];
			u64 was;

			if (!moves(old)) {
				fail("nothing is counted in round %u", i);
				break;
			}
			map(va, gpa[i & 1], FULL);
			if (upper || i % 3 == 0)
				flush_vcpus(2, ~0UL, 0, 0);
			else if (i % 3 == 1)
				flush_vcpus(2, pgd, va, va + PAGE_SIZE);
			else
				flush_vcpus(2, pgd, 0, 0);
			was = *old;
			for (k = 0; k < 2000; k++)
				if (!same("a page that was flushed", *old, was))
					break;
			if (k < 2000 || !moves(new) ||
			    !same("a page that was flushed", *old, was))
				break;
		}
		send_ipi(2, 50);
		wait_stopped(1);
	}
}

/* ---- Whose is whose ---- */

static void write_own(void *argument)
{
	u64 n = this_vcpu(), *result = argument;
	unsigned int i;

	shared()->cr2 = n * 0x1111;
	shared()->user_gsbase = n * 0x2222;
	phase[n] = 1;
	wait_for_word(&phase[n], 2);
	for (i = 0; i < 100; i++) {
		struct context c = user_context(smp_int3);

		run(&c);
		same("cr2", shared()->cr2, n * 0x1111);
		same("user_gsbase", shared()->user_gsbase, n * 0x2222);
	}
	*result = shared()->vcpu_id;
}

/* Each has a shared page of its own at the same address. */
void payload_smp_shared(void)
{
	u64 results[VCPUS] = { 0 };
	unsigned int n;

	for (n = 1; n < nr_vcpus(); n++) {
		phase[n] = 0;
		start_vcpu(n, write_own, &results[n]);
	}
	for (n = 1; n < nr_vcpus(); n++)
		wait_for_word(&phase[n], 1);
	for (n = 1; n < nr_vcpus(); n++)
		phase[n] = 2;
	for (n = 1; n < nr_vcpus(); n++) {
		wait_stopped(n);
		same("vcpu_id", results[n], n);
	}
	same("our cr2", shared()->cr2, 0);
}

#define WINDOWS 0xffff878000000000UL
#define WINDOWS_5LEVEL 0xff0f000000000000UL
#define WINDOW_STRIDE 0x200000UL
#define WINDOW_PAGES 8

/* Where they are with four levels there is nothing; with five, no address. */
static void try_windows(void *unused)
{
	unsigned int n, page, k;
	u64 offset;

	for (n = 0; n < nr_vcpus() + 1; n++)
		for (page = 0; page < WINDOW_PAGES; page++)
			for (k = 0; k < 6; k++) {
				offset = n * WINDOW_STRIDE + page * PAGE_SIZE +
					 8 * k;
				faults(k & 1, k / 2, WINDOWS + offset, 0);
				refuses(k & 1, k / 2, WINDOWS_5LEVEL + offset);
			}
}

/* All of them, at once, at all pages of all windows, wherever the host has them. */
void payload_smp_windows(void)
{
	unsigned int n;

	for (n = 1; n < nr_vcpus(); n++)
		start_vcpu(n, try_windows, NULL);
	try_windows(NULL);
	for (n = 1; n < nr_vcpus(); n++)
		wait_stopped(n);
}

SNIPPET(smp_numbers, "mov $0x7b, %eax\n\tlsl %eax, %eax\n\tmov %rax, %rbx\n\t"
		     "rdtscp\n\tmov %rcx, %rdi\n\tint3");

static void numbers(void *unused)
{
	struct context c;
	struct event *e;
	unsigned int i;
	u64 end;

	for (i = 0; i < 20; i++) {
		c = i & 1 ? user_context(smp_numbers) :
			    kernel_context(smp_numbers);
		e = run(&c);
		same("LSL", c.gpr[RBX], this_vcpu());
		if (e->gate == EXC_UD)
			continue;
		same("gate", e->gate, EXC_BP);
		same("TSC_AUX", (u32)c.gpr[RDI], this_vcpu());
		/* Elsewhere, perhaps, after this. */
		end = hypercall(RINGLET_HC_CLOCK, 0, 0, 0) + 500000;
		while (hypercall(RINGLET_HC_CLOCK, 0, 0, 0) < end)
			;
	}
}

/* LSL and RDTSCP give a vCPU's number, on whatever CPU of the host's it is. */
void payload_smp_numbers(void)
{
	unsigned int n;

	for (n = 1; n < nr_vcpus(); n++)
		start_vcpu(n, numbers, NULL);
	numbers(NULL);
	for (n = 1; n < nr_vcpus(); n++)
		wait_stopped(n);
}

static u64 last_tsc, turn, backwards;

static u64 rdtsc(void)
{
	u32 low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (u64)high << 32;
}

static void play(void *argument)
{
	u64 n = (u64)argument, i, now;

	for (i = 0; i < 100; i++) {
		if (!wait_for_word(&turn, 2 * i + n))
			return;
		now = rdtsc();
		if (now < last_tsc)
			backwards++;
		last_tsc = now;
		__atomic_store_n(&turn, 2 * i + n + 1, __ATOMIC_SEQ_CST);
	}
}

/* What one reads after another has read it is not less. */
void payload_smp_tsc(void)
{
	last_tsc = 0;
	turn = 0;
	backwards = 0;
	start_vcpu(1, play, (void *)1);
	play((void *)0);
	wait_stopped(1);
	if (shared()->features & RINGLET_FEATURE_TSC_STABLE)
		same("times that the TSC went back", backwards, 0);
}

/* ---- Vector registers ---- */

struct vectors {
	u64 words[32];
};

static void use_vectors(void *unused)
{
	static struct vectors want[VCPUS], got[VCPUS];
	u64 n = this_vcpu();
	unsigned int i, round;

	for (i = 0; i < 32; i++)
		want[n].words[i] = (n + 1) * 0x0101010101010101 * (i + 3);
	asm volatile("movups (%0), %%xmm0; movups 0x10(%0), %%xmm1;"
		     "movups 0xf0(%0), %%xmm15; movups 0x80(%0), %%xmm8"
		     :
		     : "r"(&want[n]));
	for (round = 0; round < 30; round++) {
		struct context c = user_context(smp_loop);

		hypercall(RINGLET_HC_SET_TIMER, 1000000, 0, 0);
		same("gate", run(&c)->gate, RINGLET_GATE_INTERRUPT);
		shared()->pending = 0;
		shared()->irq_pending = 0;
	}
	asm volatile("movups %%xmm0, (%0); movups %%xmm1, 0x10(%0);"
		     "movups %%xmm15, 0xf0(%0); movups %%xmm8, 0x80(%0)"
		     :
		     : "r"(&got[n])
		     : "memory");
	for (i = 0; i < 32; i++)
		if (i < 4 || i / 2 == 8 || i / 2 == 15)
			same("half of a vector register", got[n].words[i],
			     want[n].words[i]);
}

/* More vCPUs than CPUs, all of them with something in their registers. */
void payload_smp_vectors(void)
{
	unsigned int n;

	for (n = 1; n < nr_vcpus(); n++)
		start_vcpu(n, use_vectors, NULL);
	use_vectors(NULL);
	for (n = 1; n < nr_vcpus(); n++)
		wait_stopped(n);
}

/* ---- Ends, by another vCPU ---- */

static void die(void *unused)
{
	set_gate(EXC_UD, 0);
	asm volatile("ud2");
}

void payload_dead_other_vcpu(void)
{
	struct context c = user_context(smp_loop);

	start_vcpu(2, die, NULL);
	run(&c);
	fail("still alive");
}

/* The first thing that it does is a fault. */
void payload_dead_start(void)
{
	struct context c = user_context(smp_loop);

	set_gate(EXC_PF, 0);
	vcpu_start(1, FREE_KERNEL_VA, 0, 0, pgd);
	run(&c);
	fail("still alive");
}

static void shut_down(void *unused)
{
	say("ok shutdown_other_vcpu");
	hypercall(RINGLET_HC_SHUTDOWN, RINGLET_SHUTDOWN_POWEROFF, 0, 0);
}

/* The others are in the guest, asleep, or stopped. */
void payload_shutdown_other_vcpu(void)
{
	phase[1] = 0;
	start_vcpu(1, wait_once, (void *)0);
	start_vcpu(2, shut_down, NULL);
	for (;;)
		asm volatile("pause");
}
