// SPDX-License-Identifier: GPL-2.0
/*
 * What module and switcher read is rewritten by another vCPU meanwhile: page
 * tables, instructions, text for the console; and storms of hypercalls,
 * interrupts, NMIs and flushes. Whatever is found must be one of the things
 * that were there. Shared pages are not among them: no vCPU reaches another's
 * (smp_shared). Launched with four vCPUs; on one CPU of the host's they take
 * turns, and little is raced.
 */
#include "payload.h"

#define FULL (PTE_P | PTE_W | PTE_U)

SNIPPET(race_int3, "int3\n\tint3");

static u64 send_ipi(u64 mask, u64 line)
{
	return hypercall(RINGLET_HC_SEND_IPI, mask, line, 0);
}

/* ---- The hammer ---- */

#define VALUES 12

struct hammer {
	volatile u64 *word;
	u64 values[VALUES];
	unsigned int n;
	volatile u64 rounds;
	volatile u64 stop;
};

static void swing(void *argument)
{
	struct hammer *h = argument;
	unsigned int i;

	while (!h->stop) {
		for (i = 0; i < h->n; i++)
			*h->word = h->values[i];
		h->rounds++;
	}
}

static void begin(struct hammer *h)
{
	h->stop = 0;
	h->rounds = 0;
	start_vcpu(1, swing, h);
}

static void end(struct hammer *h)
{
	u64 word = h->rounds;
	unsigned int tries;

	/* At least once all the way. */
	for (tries = 1; h->rounds < word + 2; tries++)
		relax(tries);
	h->stop = 1;
	wait_stopped(1);
}

/* ---- Page tables ---- */

#define IDS 3

static u64 xorshift(u64 *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/*
 * One of the pages, or a fault that one of the entries means. RIP, CR2 and the
 * mode's bit of the error code are never in doubt.
 */
static bool plausible(const struct event *e, const struct context *c, bool user,
		      enum access kind, u64 va)
{
	unsigned int id;

	if (e->gate == EXC_PF)
		return e->cr2 == va &&
		       (e->frame.error & PF_U) == (user ? PF_U : 0) &&
		       (e->frame.error & PF_W) == (kind == WRITE ? PF_W : 0) &&
		       (e->frame.error & PF_I) == (kind == FETCH ? PF_I : 0) &&
		       !(e->frame.error & ~0x1fUL);
	if (e->gate != EXC_BP)
		return false;
	if (kind == FETCH)
		return c->rip == va + 1;
	for (id = 0; id < IDS; id++)
		if (c->gpr[RAX] == CONTENT(40 + id))
			return true;
	return false;
}

static void race_level(int level, u64 seed)
{
	static struct hammer h;
	u64 va = FREE_VA, *entry, was;
	struct context c;
	unsigned int i;

	map(va, page_with(40), FULL);
	entry = entry_of(pgd, va, level);
	was = *entry;
	h.word = entry;
	h.n = 0;
	h.values[h.n++] = was;
	h.values[h.n++] = 0;
	h.values[h.n++] = was & ~PTE_W;
	h.values[h.n++] = was & ~PTE_U;
	h.values[h.n++] = was | PTE_NX;
	h.values[h.n++] = was | 1UL << 46;
	h.values[h.n++] = was | 1UL << 51;
	h.values[h.n++] = level == 4 ? was | PTE_PS : was & ~PTE_P;
	/* Another page, or other tables that lead to one. */
	*entry = 0;
	map(va, page_with(41), FULL);
	h.values[h.n++] = *entry;
	if (level == 2) {
		u64 large = pages_alloc(LARGE_SIZE), *words = at(large);

		for (i = 0; i < 512; i++)
			words[i] = CONTENT(42);
		h.values[h.n++] = large | FULL | PTE_PS;
	}
	h.values[h.n++] = was;
	begin(&h);
	for (i = 0; i < 600; i++) {
		u64 r = xorshift(&seed);
		bool user = r & 1;
		enum access kind = (r >> 8) % 3;
		struct event *e;

		if (r & 2)
			invlpg(va);
		else if (r & 4)
			load_cr3(pgd);
		c.gpr[RAX] = CONTENT(40);
		e = do_access(&c, user, kind, va);
		if (!plausible(e, &c, user, kind, va)) {
			fail("level %d: access %u by %s: gate %llx error %llx CR2 %llx RIP %llx RAX %llx",
			     level, kind, user ? "user" : "kernel", e->gate,
			     e->frame.error, e->cr2, c.rip, c.gpr[RAX]);
			break;
		}
	}
	end(&h);
	/* What it is in the end, it is after a flush. */
	*entry = was;
	flush_all();
	*(u64 *)at(*entry_of(pgd, va, 1) & PTE_ADDR) = CONTENT(40);
	accesses(true, READ, va, 40);
	*entry = 0;
	flush_all();
}

void payload_race_tables(void)
{
	int level;

	for (level = 4; level >= 1; level--)
		race_level(level, 0x123456789abcdef + level);
}

/* Entries that lead out of memory for a moment: the sentence, or nothing. */
void payload_race_tables_outside(void)
{
	static struct hammer h;
	struct context c;
	unsigned int i;

	map(FREE_VA, page_with(40), FULL);
	h.word = entry_of(pgd, FREE_VA, 3);
	h.values[0] = *h.word;
	h.values[1] = 1UL << 45 | FULL;
	h.values[2] = memory_end() | FULL;
	h.values[3] = (memory_end() - PAGE_SIZE) | FULL;
	h.values[4] = *h.word;
	h.n = 5;
	begin(&h);
	for (i = 0; i < 3000; i++) {
		invlpg(FREE_VA);
		do_access(&c, i & 1, READ, FREE_VA);
	}
	end(&h);
}

/*
 * A and D are set by one vCPU while another changes the bits that are software's:
 * neither is lost.
 */
static u64 software_adds;

#define SOFTWARE_ONE (1UL << 52)
#define SOFTWARE_ALL (0x3ffUL << 52)

static void add_software(void *argument)
{
	struct hammer *h = argument;

	while (!h->stop) {
		u64 old = *h->word, new;

		do {
			new = (old & ~SOFTWARE_ALL) |
			      ((old + SOFTWARE_ONE) & SOFTWARE_ALL);
		} while (!__atomic_compare_exchange_n(h->word, &old, new, false,
						      __ATOMIC_SEQ_CST,
						      __ATOMIC_SEQ_CST));
		software_adds++;
	}
}

void payload_race_accessed(void)
{
	static struct hammer h;
	unsigned int i, level;
	u64 added;

	for (level = 1; level <= 2; level++) {
		map(FREE_VA, page_with(40), FULL);
		h.word = entry_of(pgd, FREE_VA, level);
		*h.word &= ~SOFTWARE_ALL;
		h.stop = 0;
		software_adds = 0;
		start_vcpu(1, add_software, &h);
		for (i = 0; i < 1500; i++) {
			u64 want = PTE_A | (level == 1 && (i & 1) ? PTE_D : 0);

			__atomic_and_fetch(h.word, ~(PTE_A | PTE_D),
					   __ATOMIC_SEQ_CST);
			invlpg(FREE_VA);
			if (!accesses(i & 2, i & 1 ? WRITE : READ, FREE_VA,
				      40) ||
			    !same("A and D", *h.word & (PTE_A | PTE_D), want))
				break;
		}
		h.stop = 1;
		wait_stopped(1);
		added = software_adds & (SOFTWARE_ALL >> 52);
		same("what software has added", *h.word >> 52 & 0x3ff, added);
		*h.word &= ~SOFTWARE_ALL;
	}
}

/* ---- Instructions ---- */

/*
 * Execute what is being rewritten. Behind what it was it may be in the other's
 * middle, and half of one and half of another, which a CPU finds that fetches
 * byte by byte, may be any instruction: of MOVZX's 0f and MOV's 8b it is a jump, to
 * where nothing is. Returns false if anything came but an exception of it.
 */
static bool torn(struct context *c, volatile u64 *code)
{
	struct event *e;

	c->rip = (u64)code;
	e = run(c);
	if (e->gate < 32 && c->rip >= (u64)code && c->rip <= (u64)code + 8 &&
	    c->cs == RINGLET_KERNEL_CS)
		return true;
	if (e->gate == EXC_PF && e->frame.error == PF_I && e->cr2 == c->rip)
		return true;
	fail("gate %llx error %llx RIP + %lld", e->gate, e->frame.error,
	     c->rip - (u64)code);
	return false;
}

/*
 * What the module decodes after a #GP of the kernel's is another instruction by
 * then. It executes the one or the other.
 */
void payload_race_code(void)
{
	static struct hammer h;
	u64 gpa = page_alloc();
	volatile u64 *code = at(gpa);
	unsigned int i;

	h.word = code;
	h.n = 0;
	h.values[h.n++] = 0xccccccccccccccec; /* IN */
	h.values[h.n++] = 0xccccccccccccedec; /* IN, IN */
	h.values[h.n++] = 0xccccccccccccccfa; /* CLI */
	h.values[h.n++] = 0xccccccccccd8220f; /* MOV to CR3 */
	h.values[h.n++] = 0xcccccccccccc80e6; /* OUT */
	h.values[h.n++] = 0xcccccccccccccccc;
	h.values[h.n++] = 0xcccccccccc300f66; /* WRMSR */
	h.values[h.n++] = 0xccccccccccd1010f; /* XSETBV */
	h.values[h.n++] = 0xccccccccccccef66; /* OUT */
	*code = h.values[0];
	begin(&h);
	for (i = 0; i < 3000; i++) {
		struct context c = kernel_context(race_int3);

		c.gpr[RAX] = 3;
		if (!torn(&c, code))
			break;
	}
	end(&h);
}

#define NO_MEMORY 0xd8000000UL

/* The same of an access to what is not memory. All are MOV; half of each may not be. */
void payload_race_mmio(void)
{
	static struct hammer h;
	u64 gpa = page_alloc();
	volatile u64 *code = at(gpa);
	unsigned int i;

	h.word = code;
	h.n = 0;
	h.values[h.n++] = 0xcccccccccccc078b; /* MOV from memory */
	h.values[h.n++] = 0xcccccccccccc0789; /* MOV to memory */
	h.values[h.n++] = 0xcccccccccc078b48;
	h.values[h.n++] = 0xcccccccccccc0788;
	h.values[h.n++] = 0xcccccccccccc07c6; /* with an immediate */
	h.values[h.n++] = 0xcccccccccc07b60f; /* MOVZX */
	h.values[h.n++] = 0xcccccccccccc078a;
	*code = h.values[0];
	map(FREE_VA, NO_MEMORY, FULL);
	begin(&h);
	for (i = 0; i < 1000; i++) {
		struct context c = kernel_context(race_int3);

		c.gpr[RDI] = FREE_VA;
		if (!torn(&c, code))
			break;
	}
	end(&h);
}

/* ---- What hypercalls read from memory ---- */

void payload_race_console(void)
{
	static char text[64] __attribute__((aligned(64))) =
		"# a line that is rewritten while the launcher has it read out.\n";
	static struct hammer h;
	unsigned int i;

	h.word = (u64 *)(text + 8);
	h.values[0] = 0x2323232323232323;
	h.values[1] = 0x2320202020202023;
	h.n = 2;
	begin(&h);
	for (i = 0; i < 100; i++)
		same("CONSOLE",
		     hypercall(RINGLET_HC_CONSOLE, gpa_of(text), 63, 0), 0);
	end(&h);
}

/* The text of a panic. */
void payload_race_panic(void)
{
	static struct hammer h;
	u64 gpa = page_alloc();
	u64 *text = at(gpa);
	unsigned int i;

	for (i = 0; i < 512; i++)
		text[i] = 0x6161616161616161;
	h.word = text + 3;
	h.values[0] = 0x6262626262626262;
	h.values[1] = 0x0062626262626262;
	h.values[2] = ~0UL;
	h.values[3] = 0x6161616161616161;
	h.n = 4;
	begin(&h);
	hypercall(RINGLET_HC_SHUTDOWN, RINGLET_SHUTDOWN_PANIC, gpa, ~0UL);
}

/* ---- Storms ---- */

static struct {
	volatile u64 stop;
	volatile u64 sent;
} storm;

static void begin_storm(void (*function)(void *))
{
	unsigned int n;

	storm.stop = 0;
	storm.sent = 0;
	for (n = 1; n < nr_vcpus(); n++)
		start_vcpu(n, function, NULL);
}

static void end_storm(void)
{
	unsigned int n, tries;

	for (tries = 1; storm.sent < 100; tries++)
		relax(tries);
	storm.stop = 1;
	for (n = 1; n < nr_vcpus(); n++)
		wait_stopped(n);
}

/* Numbers that hypercalls are given, among others that are any. */
static u64 some_number(u64 *seed)
{
	static const u64 some[] = {
		0,	   1,		2,
		3,	   63,		64,
		0x1000,	   0x7fffffff,	0xffffffff,
		~0UL,	   ~0UL - 1,	LOWER_END,
		-4096UL,   UPPER_START, RINGLET_SHARED_VA,
		1UL << 46,
	};
	u64 r = xorshift(seed);

	return r & 0x10000 ? some[r % ARRAY_SIZE(some)] : xorshift(seed);
}

/* Is this hypercall one after which the payload cannot go on? */
static bool spares_us(u64 nr, u64 *a)
{
	switch (nr) {
	case RINGLET_HC_IRET:
	case RINGLET_HC_HALT:
	case RINGLET_HC_VCPU_STOP:
		return false;
	case RINGLET_HC_SET_GATE:
		return a[0] >= RINGLET_GATE_EXCEPTIONS;
	case RINGLET_HC_LOAD_CR3:
		a[0] = a[0] & 1 ? pgd | (a[0] & 0xffe) : a[0] | 1UL << 47;
		return true;
	case RINGLET_HC_CONSOLE:
		a[1] |= 1UL << 40;
		return true;
	case RINGLET_HC_SHUTDOWN:
		return a[0] > RINGLET_SHUTDOWN_PANIC;
	case RINGLET_HC_SET_DR:
		return a[0] != 7;
	case RINGLET_HC_VCPU_START:
		/* It would begin anywhere. */
		return a[0] != 1 && a[0] != 2 && a[0] != 3;
	case RINGLET_HC_SEND_IPI:
		/* None that a vCPU of ours has no use for. */
		return a[1] != RINGLET_IPI_NMI;
	case RINGLET_HC_WAIT:
		return a[0] > 1;
	}
	return true;
}

static bool known_result(u64 nr, u64 result)
{
	return nr == RINGLET_HC_CLOCK || !result || result == ERR_INVAL ||
	       result == ERR_NOENT || result == ERR_BUSY ||
	       result == ERR_FAULT || result == ERR_NOSYS;
}

static void call_at_random(u64 seed, unsigned int n)
{
	unsigned int i, k;
	u64 nr, a[5], result;

	for (i = 0; i < n && !storm.stop; i++) {
		nr = xorshift(&seed) % (RINGLET_HC_COUNT + 2);
		for (k = 0; k < 5; k++)
			a[k] = some_number(&seed);
		if (!spares_us(nr, a))
			continue;
		result = hypercall5(nr, a[0], a[1], a[2], a[3], a[4]);
		if (!known_result(nr, result))
			fail("hypercall %llu %llx %llx %llx %llx %llx: %llx",
			     nr, a[0], a[1], a[2], a[3], a[4], result);
		storm.sent++;
	}
}

static void call_on(void *unused)
{
	call_at_random(this_vcpu() * 0x9e3779b97f4a7c15, ~0U);
}

/* All of them make any hypercalls. The hypervisor's other fuzzers go further. */
void payload_storm_hypercalls(void)
{
	struct context c;
	struct event *e;

	begin_storm(call_on);
	call_at_random(0x243f6a8885a308d3, 20000);
	end_storm();
	hypercall(RINGLET_HC_SET_TIMER, ~0UL, 0, 0);
	hypercall(RINGLET_HC_SET_CR4, 0, 0, 0);
	load_cr3(pgd);
	shared()->pending = 0;
	shared()->irq_pending = 0;
	do {
		shared()->pending = 0;
		c = user_context(race_int3);
		e = run(&c);
	} while (e->gate == RINGLET_GATE_INTERRUPT);
	came(e, &c, EXC_BP, 0, user_address(race_int3) + 1);
}

static void send_lines(void *unused)
{
	u64 seed = this_vcpu() * 0x9e3779b97f4a7c15;

	while (!storm.stop) {
		send_ipi(1, xorshift(&seed) % RINGLET_IRQ_LINES);
		storm.sent++;
	}
}

/* Counts in RBX and makes a system call now and then. */
SNIPPET(race_count, "1: inc %rbx\n\tinc %rcx\n\tlea 1(%rdx), %rdx\n\t"
		    "test $0xff, %bl\n\tjnz 1b\n\tsyscall\n\tjmp 1b");

/* As fast as they can, at one that is in user mode. Nothing is spoiled. */
static void under_fire(u64 gate)
{
	struct context c = user_context(race_count), was;
	unsigned int n = 0, tries;
	struct event *e;

	c.gpr[R15] = 0x1234567890abcdef;
	for (tries = 1; n < 200 && tries < 200000; tries++) {
		relax(tries);
		was = c;
		e = run(&c);
		if (e->gate == gate)
			n++;
		else if (e->gate != RINGLET_GATE_SYSCALL)
			came(e, &c, RINGLET_GATE_SYSCALL, 0, c.rip);
		shared()->pending = 0;
		shared()->irq_pending = 0;
		/* RDX is at most one behind. */
		if (c.gpr[RBX] - c.gpr[RDX] > 1 || c.gpr[RBX] < was.gpr[RBX] ||
		    c.gpr[R15] != was.gpr[R15] || c.gpr[RSP] != was.gpr[RSP]) {
			fail("RBX %llx RDX %llx R15 %llx RSP %llx", c.gpr[RBX],
			     c.gpr[RDX], c.gpr[R15], c.gpr[RSP]);
			break;
		}
	}
	same("events that came", n, 200);
}

void payload_storm_interrupts(void)
{
	begin_storm(send_lines);
	under_fire(RINGLET_GATE_INTERRUPT);
	end_storm();
}

static void send_nmis(void *unused)
{
	while (!storm.stop) {
		send_ipi(1, RINGLET_IPI_NMI);
		storm.sent++;
	}
}

void payload_storm_nmis(void)
{
	struct context c = user_context(race_int3);

	begin_storm(send_nmis);
	under_fire(EXC_NMI);
	end_storm();
	/* One may be pending still. */
	if (run(&c)->gate != EXC_NMI)
		return;
	same("RIP", c.rip, user_address(race_int3));
	came(run(&c), &c, EXC_BP, 0, user_address(race_int3) + 1);
}

/* Its own timer, which expires at once, each time. */
void payload_storm_timer(void)
{
	struct context c = user_context(race_count);
	unsigned int i, n = 0;

	for (i = 0; i < 3000; i++) {
		hypercall(RINGLET_HC_SET_TIMER, 0, 0, 0);
		n += run(&c)->gate == RINGLET_GATE_INTERRUPT;
		shared()->pending = 0;
		shared()->irq_pending = 0;
	}
	if (n < 30)
		fail("%u interrupts of 3000", n);
}

static void flush_at_random(void *unused)
{
	u64 seed = this_vcpu() * 0x9e3779b97f4a7c15, r, start;
	u64 all = (1UL << nr_vcpus()) - 1;

	while (!storm.stop) {
		r = xorshift(&seed);
		start = FREE_VA + (r >> 20 & 63) * PAGE_SIZE;
		hypercall5(RINGLET_HC_FLUSH_VCPUS, r & all,
			   r & 0x100 ? pgd :
			   r & 0x200 ? ~0UL :
				       PAGE_SIZE,
			   start,
			   r & 0x400 ? 0 :
				       start + (1 + (r >> 30 & 7)) * PAGE_SIZE,
			   0);
		storm.sent++;
	}
}

/* Whatever the others flush, what is mapped is mapped. */
void payload_storm_flushes(void)
{
	unsigned int i;

	for (i = 0; i < 64; i++)
		map(FREE_VA + i * PAGE_SIZE, page_with(i), FULL);
	begin_storm(flush_at_random);
	for (i = 0; i < 2000; i++)
		if (!accesses(i & 1, i & 2 ? WRITE : READ,
			      FREE_VA + i % 64 * PAGE_SIZE, i % 64))
			break;
	end_storm();
}

static u64 third_lives, third_starts;

static void third_life(void *unused)
{
	third_lives++;
}

static void start_third(void *unused)
{
	u64 rsp = prepare_vcpu(3, third_life, NULL), result;
	unsigned int tries = 0;

	while (!storm.stop) {
		result = hypercall5(RINGLET_HC_VCPU_START, 3, (u64)other_start,
				    rsp, 0, pgd);
		if (!result)
			__atomic_add_fetch(&third_starts, 1, __ATOMIC_SEQ_CST);
		else
			same("VCPU_START", result, ERR_BUSY);
		relax(++tries);
	}
}

/* Two start a third, which stops at once: one life for each success. */
void payload_race_start(void)
{
	unsigned int tries;

	storm.stop = 0;
	third_lives = 0;
	third_starts = 0;
	start_vcpu(1, start_third, NULL);
	start_vcpu(2, start_third, NULL);
	for (tries = 1; *(volatile u64 *)&third_starts < 200; tries++)
		relax(tries);
	storm.stop = 1;
	wait_stopped(1);
	wait_stopped(2);
	wait_stopped(3);
	same("lives", third_lives, third_starts);
}
