// SPDX-License-Identifier: GPL-2.0
/*
 * Breakpoints of the guest's own: data and instructions, all registers, lengths
 * and kinds; what DR6 says of them; and that nobody meets them but whoever they
 * are for.
 */
#include "payload.h"

#define FULL (PTE_P | PTE_W | PTE_U)

/* DR7: register @n enabled (locally), kind and length as the SDM codes them. */
#define EXECUTE 0UL
#define WRITES 1UL
#define READS_WRITES 3UL
#define ENABLE(n, kind, len) \
	(1UL << (2 * (n)) | (kind) << (16 + 4 * (n)) | (len) << (18 + 4 * (n)))

SNIPPET(debug_nops, "nop\n\tnop\n\tnop\n\tint3");
SNIPPET(debug_read, "mov (%rsi), %al\n\tnop\n\tint3");
SNIPPET(debug_write, "mov %al, (%rsi)\n\tnop\n\tint3");
SNIPPET(debug_add, "incb (%rsi)\n\tnop\n\tint3");
SNIPPET(debug_string, "rep movsb\n\tnop\n\tint3");
SNIPPET(debug_syscall, "mov %al, (%rsi)\n\tsyscall\n\tnop\n\tint3");

static void set_dr(u64 nr, u64 value)
{
	same("SET_DR", hypercall(RINGLET_HC_SET_DR, nr, value, 0), 0);
}

static void none(void)
{
	unsigned int i;

	set_dr(7, 0x400);
	set_dr(6, 0xffff0ff0);
	for (i = 0; i < 4; i++)
		set_dr(i, 0);
}

/* One access to a byte: is there a #DB behind it, and what says DR6? */
static void one_access(bool user, const u8 *snippet, u64 va, bool hit, u64 dr6)
{
	struct context c = user ? user_context(snippet) :
				  kernel_context(snippet);
	u64 rip = c.rip;
	struct event *e;

	set_dr(6, 0xffff0ff0);
	c.gpr[RSI] = va;
	e = run(&c);
	if (!came(e, &c, hit ? EXC_DB : EXC_BP, 0, rip + (hit ? 2 : 4)))
		fail("that was at %llx by %s", va, user ? "user" : "kernel");
	if (hit && !(get_dr(6) & dr6))
		fail("DR6 is %llx, and none of %llx", get_dr(6), dr6);
	else if (hit && (get_dr(6) & dr6) != dr6)
		lacks("DR6 that names more than one breakpoint");
	same("DR6 of others", get_dr(6) & 0xf & (hit ? ~dr6 : 0xf), 0);
	if (hit)
		came(run(&c), &c, EXC_BP, 0, rip + 4);
}

/* Each length, kind and register, from the byte before to the byte behind. */
void payload_debug_data(void)
{
	static const u64 lengths[] = { 1, 2, 8, 4 }; /* as they are coded */
	unsigned int n, code, kind, offset, user;

	for (n = 0; n < 4; n++)
		for (code = 0; code < 4; code++)
			for (kind = WRITES; kind <= READS_WRITES; kind += 2) {
				none();
				set_dr(n, USER_DATA + 0x100);
				set_dr(7,
				       0x400 | ENABLE(n, (u64)kind, (u64)code));
				for (offset = 0; offset < 10; offset++) {
					u64 va = USER_DATA + 0xff + offset;
					bool in = offset &&
						  offset <= lengths[code];

					user = (offset ^ n) & 1;
					one_access(user, debug_write, va, in,
						   1UL << n);
					one_access(user, debug_add, va, in,
						   1UL << n);
					one_access(user, debug_read, va,
						   in && kind == READS_WRITES,
						   1UL << n);
				}
			}
	none();
}

/* Two of them at once, and one beside. */
void payload_debug_several(void)
{
	unsigned int user;

	for (user = 0; user < 2; user++) {
		none();
		set_dr(0, USER_DATA);
		set_dr(2, USER_DATA + 8);
		set_dr(3, USER_DATA);
		set_dr(7, 0x400 | ENABLE(0, WRITES, 0UL) |
				  ENABLE(2, WRITES, 0UL) |
				  ENABLE(3, READS_WRITES, 3UL));
		one_access(user, debug_write, USER_DATA, true, 1 | 8);
		one_access(user, debug_read, USER_DATA, true, 8);
		one_access(user, debug_write, USER_DATA + 8, true, 4);
		one_access(user, debug_write, USER_DATA + 9, false, 0);
	}
	none();
}

/* On instructions: before each of them, in both halves, and until RF. */
void payload_debug_execute(void)
{
	unsigned int user, n;

	for (user = 0; user < 2; user++)
		for (n = 0; n < 4; n++) {
			struct context c = user ? user_context(debug_nops) :
						  kernel_context(debug_nops);
			u64 rip = c.rip;

			none();
			set_dr(n, rip + n);
			set_dr(7, 0x400 | ENABLE(n, EXECUTE, 0UL));
			if (n == 3) {
				/* Before INT3: #DB first, then #BP. */
				came(run(&c), &c, EXC_DB, 0, rip + 3);
				c.rflags |= FLAG_RF;
				came(run(&c), &c, EXC_BP, 0, rip + 4);
				continue;
			}
			came(run(&c), &c, EXC_DB, 0, rip + n);
			same("DR6", get_dr(6) & 0xf, 1UL << n);
			/* For ever, without RF. */
			came(run(&c), &c, EXC_DB, 0, rip + n);
			c.rflags |= FLAG_RF;
			came(run(&c), &c, EXC_BP, 0, rip + 4);
		}
	none();
}

/*
 * A string stops in the middle; and a breakpoint on a page that has to be
 * filled, or that is the guest's fault first, is met when the access is done.
 */
void payload_debug_faults(void)
{
	struct context c = user_context(debug_string);
	u64 rip = c.rip;

	none();
	set_dr(0, USER_DATA + 0x10);
	set_dr(7, 0x400 | ENABLE(0, WRITES, 0UL));
	c.gpr[RSI] = USER_DATA + 0x100;
	c.gpr[RDI] = USER_DATA;
	c.gpr[RCX] = 0x20;
	same("gate", run(&c)->gate, EXC_DB);
	/* A CPU may do some turns more before it looks. */
	if (c.gpr[RCX] > 0xf || c.rip != rip + (c.gpr[RCX] ? 0 : 2))
		fail("RCX %llx RIP + %lld", c.gpr[RCX], c.rip - rip);
	came(run(&c), &c, EXC_BP, 0, rip + 4);

	set_dr(0, FREE_VA);
	c = user_context(debug_write);
	rip = c.rip;
	c.gpr[RSI] = FREE_VA;
	set_dr(6, 0xffff0ff0);
	page_fault(run(&c), FREE_VA, PF_U | PF_W);
	same("DR6", get_dr(6) & 0xf, 0);
	map(FREE_VA, page_with(1), FULL);
	came(run(&c), &c, EXC_DB, 0, rip + 2);
	same("DR6", get_dr(6) & 0xf, 1);
	none();
}

/* DR6 collects; the guest takes out what it has seen. */
void payload_debug_collects(void)
{
	struct context c = user_context(debug_nops);
	u64 rip = c.rip;

	none();
	set_dr(0, rip);
	set_dr(1, rip + 1);
	set_dr(7, 0x400 | ENABLE(0, EXECUTE, 0UL) | ENABLE(1, EXECUTE, 0UL));
	came(run(&c), &c, EXC_DB, 0, rip);
	same("DR6", get_dr(6) & 0x400f, 1);
	c.rflags |= FLAG_RF | FLAG_TF;
	/* The step, and the breakpoint that it has come to, or that first. */
	came(run(&c), &c, EXC_DB, 0, rip + 1);
	same("DR6.BS", get_dr(6) & 0x4000, 0x4000);
	set_dr(6, 0xffff0ff0);
	same("DR6", get_dr(6), 0xffff0ff0);
	c.rflags &= ~FLAG_TF;
	c.rflags |= FLAG_RF;
	came(run(&c), &c, EXC_BP, 0, rip + 4);
	same("DR6", get_dr(6) & 0x400f, 0);
	none();
}

/* General detect, I/O breakpoints, reserved bits: what was set is shown, and idle. */
void payload_debug_idle(void)
{
	struct context c;
	unsigned int i;

	none();
	for (i = 0; i < 4; i++)
		set_dr(i, USER_DATA);
	set_dr(7, 0xaaaa2cff | 0x2000);
	same("DR7", get_dr(7), 0xaaaa2cff);
	for (i = 0; i < 4; i++) {
		c = i & 1 ? user_context(debug_write) :
			    kernel_context(debug_write);
		c.gpr[RSI] = USER_DATA;
		same("gate", run(&c)->gate, EXC_BP);
	}
	none();
}

/*
 * On what is the host's at the same address, where it is the guest's page: the
 * guest meets its own access, and the host none of its own.
 */
void payload_debug_on_host(void)
{
	const u64 places[] = { 0xffff888000001000, 0xfffffe0000001000,
			       FREE_KERNEL_VA, FREE_KERNEL_VA + PAGE_SIZE };
	unsigned int i, kind, round;

	for (i = 0; i < ARRAY_SIZE(places); i++)
		for (kind = WRITES; kind <= READS_WRITES; kind += 2) {
			none();
			map(places[i], page_with(i), FULL);
			invlpg(places[i]);
			set_dr(0, places[i]);
			set_dr(7, 0x400 | ENABLE(0, (u64)kind, 2UL));
			for (round = 0; round < 5; round++) {
				one_access(false, debug_write, places[i], true,
					   1);
				hypercall(RINGLET_HC_CLOCK, 0, 0, 0);
			}
		}
	none();
}

/* A data breakpoint, then SYSCALL: the trap comes between the two. */
void payload_debug_syscall(void)
{
	struct context c = user_context(debug_syscall);
	u64 rip = c.rip;

	none();
	set_dr(3, USER_DATA);
	set_dr(7, 0x400 | ENABLE(3, WRITES, 0UL));
	c.gpr[RSI] = USER_DATA;
	came(run(&c), &c, EXC_DB, 0, rip + 2);
	same("DR6", get_dr(6) & 0xf, 8);
	came(run(&c), &c, RINGLET_GATE_SYSCALL, 0, rip + 4);
	/* On the user's own SYSCALL instruction. */
	set_dr(3, rip + 2);
	set_dr(7, 0x400 | ENABLE(3, EXECUTE, 0UL));
	c = user_context(debug_syscall);
	c.gpr[RSI] = USER_DATA;
	came(run(&c), &c, EXC_DB, 0, rip + 2);
	c.rflags |= FLAG_RF;
	came(run(&c), &c, RINGLET_GATE_SYSCALL, 0, rip + 4);
	none();
}
