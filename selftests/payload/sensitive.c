// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that a kernel expects to be its own, in guest kernel mode, which
 * is ring 3, and in guest user mode: what the file `instructions' says of each.
 */
#include "payload.h"

struct instruction {
	const char *name;
	const char *bytes; /* as hexadecimal digits */
	const char *outcomes[2]; /* in kernel, in user mode */
	const char *decides; /* between two outcomes */
	const char *tcg; /* what QEMU makes of it, or "" */
};

/* clang-format off */
#define INSTRUCTION(name, bytes, kernel, user, decides, tcg) \
	{ name, bytes, { kernel, user }, decides, tcg },
/* clang-format on */
static const struct instruction instructions[] = {
#include "instructions.h"
};
#undef INSTRUCTION

/* ---- What decides where there are two outcomes ---- */

/* clang-format off */
enum { EAX, EBX, ECX, EDX };

static const struct feature {
	const char *name;
	u32 leaf, subleaf;
	u8 reg, bit;
} features[] = {
	{ "vmx",	1, 0, ECX, 5 },
	{ "smx",	1, 0, ECX, 6 },
	{ "osxsave",	1, 0, ECX, 27 },
	{ "rdrand",	1, 0, ECX, 30 },
	{ "sgx",	7, 0, EBX, 2 },
	{ "invpcid",	7, 0, EBX, 10 },
	{ "rdseed",	7, 0, EBX, 18 },
	{ "waitpkg",	7, 0, ECX, 5 },
	{ "shstk",	7, 0, ECX, 7 },
	{ "rdpid",	7, 0, ECX, 22 },
	{ "kl",		7, 0, ECX, 23 },
	{ "enqcmd",	7, 0, ECX, 29 },
	{ "serialize",	7, 0, EDX, 14 },
	{ "pconfig",	7, 0, EDX, 18 },
	{ "fred",	7, 1, EAX, 17 },
	{ "lkgs",	7, 1, EAX, 18 },
	{ "wrmsrns",	7, 1, EAX, 19 },
	{ "hreset",	7, 1, EAX, 22 },
	{ "msrlist",	7, 1, EAX, 27 },
	{ "pbndkb",	7, 1, EBX, 1 },
	{ "xsavec",	0xd, 1, EAX, 1 },
	{ "xsaves",	0xd, 1, EAX, 3 },
	{ "ptwrite",	0x14, 0, EBX, 4 },
	{ "svm",	0x80000001, 0, ECX, 2 },
	{ "rdtscp",	0x80000001, 0, EDX, 27 },
	{ "invlpgb",	0x80000008, 0, EBX, 3 },
	{ "rdpru",	0x80000008, 0, EBX, 4 },
	{ "snp",	0x8000001f, 0, EAX, 4 },
};
/* clang-format on */

static bool cpuid_bit(u32 leaf, u32 subleaf, unsigned int reg, unsigned int bit)
{
	struct cpuid c = native_cpuid(leaf & 0x80000000, 0);
	const u32 regs[] = { c.eax, c.ebx, c.ecx, c.edx };

	if (leaf > regs[EAX])
		return false;
	c = native_cpuid(leaf, subleaf);
	return (const u32[]){ c.eax, c.ebx, c.ecx, c.edx }[reg] >> bit & 1;
}

/* Is @word the one that begins there? */
static bool is_word(const char *text, const char *word)
{
	text = behind(text, word);
	return text && (!*text || *text == '/' || *text == '?');
}

/* Does it end in a question mark? */
static bool maybe(const char *word)
{
	while (*word && *word != '?')
		word++;
	return *word;
}

static bool by_intel(void)
{
	return native_cpuid(0, 0).ebx == 0x756e6547; /* Genu */
}

#define FIRST 1U
#define SECOND 2U

/* Which of two answers hold here? */
static unsigned int answers(const char *decides)
{
	const struct feature *f = features;

	if (is_word(decides, "-"))
		return FIRST | SECOND;
	if (is_word(decides, "intel"))
		return by_intel() ? FIRST : SECOND;
	if (is_word(decides, "umip") || is_word(decides, "rdpmc"))
		return host_has(decides) ? FIRST : SECOND;
	while (!is_word(decides, f->name))
		if (++f == features + ARRAY_SIZE(features)) {
			fail("what is %s?", decides);
			return 0;
		}
	if (cpuid_bit(f->leaf, f->subleaf, f->reg, f->bit) &&
	    /* XSAVE's own features are there with XSAVE only. */
	    (f->leaf != 0xd || cpuid_bit(1, 0, ECX, 27)))
		return maybe(decides) ? FIRST | SECOND : FIRST;
	/* A hypervisor below hides what the CPU still does, but for TCG. */
	return cpuid_bit(1, 0, ECX, 31) && !in_tcg() ? FIRST | SECOND : SECOND;
}

/* Is it right here that the instruction comes to @outcome? */
static bool right(const struct instruction *x, bool user, const char *outcome)
{
	const char *first = x->outcomes[user], *second = first;
	unsigned int which;

	if (is_word(x->tcg, outcome) && in_tcg())
		return true;
	while (*second && *second++ != '/')
		;
	if (!*second)
		return is_word(first, outcome);
	which = answers(x->decides);
	return ((which & FIRST) && is_word(first, outcome)) ||
	       ((which & SECOND) && is_word(second, outcome));
}

/* ---- The instructions ---- */

static unsigned int hex(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* The bytes at the start of @code, then INT3. Returns their number. */
static unsigned int assemble(const struct instruction *x, u8 *code)
{
	unsigned int n;

	for (n = 0; x->bytes[2 * n]; n++)
		code[n] = hex(x->bytes[2 * n]) << 4 | hex(x->bytes[2 * n + 1]);
	code[n] = 0xcc;
	return n;
}

/* Those that are meant to be an event. */
static const char *trap(u64 gate)
{
	switch (gate) {
	case EXC_BP:
		return "#BP";
	case EXC_DB:
		return "#DB";
	case EXC_OF:
		return "#OF";
	case RINGLET_GATE_INT80:
		return "gate-80";
	case RINGLET_GATE_SYSCALL:
		return "gate-100";
	}
	return "?";
}

/* What it came to, in the table's words; @n: bytes of it. */
static const char *outcome(const struct event *e, u64 after, unsigned int n)
{
	if (after == n + 1 && e->gate == EXC_BP)
		return "runs";
	if (after == n)
		return trap(e->gate);
	if (!after && e->gate == EXC_GP && !e->frame.error)
		return "#GP";
	if (!after && e->gate == EXC_UD)
		return "#UD";
	return "?";
}

static void one(const struct instruction *x, bool user, u64 gpa, u64 va)
{
	struct context c = user ? user_context(at(gpa)) :
				  kernel_context(at(gpa));
	unsigned int n = assemble(x, at(gpa));
	u64 rip = user ? va : (u64)at(gpa);
	struct event *e;

	/* HLT and STI see an interrupt that nobody raised, and go on. */
	c.rip = rip;
	c.gpr[RAX] = 1;
	c.gpr[RDI] = USER_DATA;
	c.gpr[RSI] = USER_DATA;
	c.gpr[RSP] = USER_STACK_END - 64;
	shared()->pending = !user;
	e = run(&c);
	if (e->gate == RINGLET_GATE_INTERRUPT) {
		shared()->pending = 0;
		e = run(&c);
	}
	shared()->pending = 0;
	if (!right(x, user, outcome(e, c.rip - rip, n)))
		fail("%s in %s mode: gate %llx error %llx at RIP + %lld, not %s by %s",
		     x->name, user ? "user" : "kernel", e->gate, e->frame.error,
		     c.rip - rip, x->outcomes[user], x->decides);
}

static void all(bool user)
{
	u64 gpa = page_alloc();
	unsigned int i;

	map(FREE_VA, gpa, PTE_P | PTE_U);
	for (i = 0; i < ARRAY_SIZE(instructions); i++)
		one(&instructions[i], user, gpa, FREE_VA);
}

void payload_instructions_kernel(void)
{
	all(false);
}

void payload_instructions_user(void)
{
	all(true);
}

SNIPPET(sensitive_tables, "sgdt (%rdi)\n\tsidt 16(%rdi)\n\tsldt 32(%rdi)\n\t"
			  "str 40(%rdi)\n\tsmsw 48(%rdi)\n\tint3");

/* Where the CPU shows tables, they are the window's, in the hole. */
void payload_tables_shown(void)
{
	struct context c = user_context(sensitive_tables);
	u8 *data = at(*entry_of(pgd, USER_DATA, 1) & PTE_ADDR);
	struct event *e;
	unsigned int i;

	c.gpr[RDI] = USER_DATA;
	e = run(&c);
	if (e->gate == EXC_GP)
		return; /* UMIP */
	same("gate", e->gate, EXC_BP);
	for (i = 0; i < 2; i++) {
		u64 base = *(u64 *)(data + 16 * i + 2);

		if (base >> 56 != 0xff ||
		    (base >> 32 != 0xffff8780 && base >> 32 != 0xff0f0000))
			fail("table %u is at %llx, which is not the window's",
			     i, base);
	}
	same("LDT", *(u16 *)(data + 32), 0);
	same("TR", *(u16 *)(data + 40), 0x40);
}

SNIPPET(sensitive_popf, "push %rbx\n\tpopfq\n\tpushfq\n\tpop %rax\n\tint3");

/* POPF changes neither IF nor IOPL, in no mode. */
void payload_popf(void)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct context c = i & 1 ? kernel_context(sensitive_popf) :
					   user_context(sensitive_popf);

		c.gpr[RBX] = i & 2 ? FLAG_FIXED : FLAG_IOPL | FLAG_IF | 2;
		same("gate", run(&c)->gate, EXC_BP);
		same("IF and IOPL", c.gpr[RAX] & (FLAG_IF | FLAG_IOPL),
		     FLAG_IF);
	}
}

SNIPPET(sensitive_rdtsc, "rdtsc\n\tint3");
SNIPPET(sensitive_rdtscp, "rdtscp\n\tint3");

/* SET_CR4 forbids users the TSC, never the kernel, and goes on serving them. */
void payload_forbid_tsc(void)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		const u8 *snippet = i & 2 ? sensitive_rdtscp : sensitive_rdtsc;
		struct context c = user_context(snippet);
		bool forbid = i & 1;
		struct event *e;

		hypercall(RINGLET_HC_SET_CR4, forbid ? 4 : ~4UL, 0, 0);
		e = run(&c);
		if ((i & 2) && e->gate == EXC_UD)
			continue;
		same("gate", e->gate, forbid ? EXC_GP : EXC_BP);
		c = kernel_context(snippet);
		same("gate of the kernel", run(&c)->gate, EXC_BP);
		c = user_context(snippet);
		e = run(&c);
		same("gate", e->gate, forbid ? EXC_GP : EXC_BP);
	}
}

SNIPPET(sensitive_xsetbv, "xsetbv\n\tint3");

/* XCR0 by the SDM's rules (vol. 1, 13.3), and within what the host switches; #UD without XSAVE. */
void payload_xcr0(void)
{
	const u64 wrong[] = { 0,	 2,	     4,		 5,
			      1UL << 63, 0x21,	     0x60 | 3,	 ~0UL,
			      8 | 1,	 1 << 9 | 1, 3 << 17 | 3 };
	unsigned int i;
	struct context c;
	u64 was;

	if (!has_xsave()) {
		c = kernel_context(sensitive_xsetbv);
		came(run(&c), &c, EXC_UD, 0, (u64)sensitive_xsetbv);
		return;
	}
	was = get_xcr(0);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		c = kernel_context(sensitive_xsetbv);
		c.gpr[RAX] = (u32)wrong[i];
		c.gpr[RDX] = wrong[i] >> 32;
		came(run(&c), &c, EXC_GP, 0, (u64)sensitive_xsetbv);
		same("XCR0", get_xcr(0), was);
	}
	c = kernel_context(sensitive_xsetbv);
	c.gpr[RAX] = 3;
	c.gpr[RCX] = 1; /* no such register */
	came(run(&c), &c, EXC_GP, 0, (u64)sensitive_xsetbv);
	for (i = 0; i < 2; i++) {
		c = kernel_context(sensitive_xsetbv);
		c.gpr[RAX] = i ? (u32)was : 3;
		c.gpr[RDX] = i ? was >> 32 : 0;
		came(run(&c), &c, EXC_BP, 0, (u64)sensitive_xsetbv + 4);
		same("XCR0", get_xcr(0), i ? was : 3);
	}
}

SNIPPET(in_al, "in %dx, %al\n\tint3");
SNIPPET(in_ax, "in %dx, %ax\n\tint3");
SNIPPET(in_eax, "in %dx, %eax\n\tint3");
SNIPPET(in_rex, ".byte 0x48\n\tin %dx, %eax\n\tint3");
SNIPPET(in_rex_16, ".byte 0x66, 0x48, 0xed\n\tint3");
SNIPPET(in_al_imm, "in $0x61, %al\n\tint3");
SNIPPET(in_ax_imm, "in $0x61, %ax\n\tint3");
SNIPPET(in_eax_imm, "in $0x61, %eax\n\tint3");

/* All ones in so much of RAX as a CPU would write, and nothing else changes. */
void payload_in_value(void)
{
	static const struct {
		const u8 *snippet;
		unsigned int length;
		u64 rax;
	} cases[] = {
		{ in_al, 1, 0x11223344556677ff },
		{ in_ax, 2, 0x112233445566ffff },
		{ in_eax, 1, 0xffffffff },
		{ in_rex, 2, 0xffffffff },
		{ in_rex_16, 3, 0xffffffff }, /* REX.W is the stronger */
		{ in_al_imm, 2, 0x11223344556677ff },
		{ in_ax_imm, 3, 0x112233445566ffff },
		{ in_eax_imm, 2, 0xffffffff },
	};
	unsigned int i, reg;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct context c = kernel_context(cases[i].snippet), was;

		for (reg = 0; reg < 16; reg++)
			if (reg != RSP)
				c.gpr[reg] = 0x1122334455667788 ^ reg;
		c.rflags |= FLAG_STATUS;
		was = c;
		came(run(&c), &c, EXC_BP, 0, was.rip + cases[i].length + 1);
		if (!same("RAX", c.gpr[RAX], cases[i].rax))
			fail("that was case %u", i);
		for (reg = 1; reg < 16; reg++)
			same("another register", c.gpr[reg], was.gpr[reg]);
		same("RFLAGS", c.rflags & ~FLAG_RF, was.rflags);
	}
}
