// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction decoder: what compilers make of readl(), writel() and their
 * family, the privileged instructions that a pv_ops kernel still executes, and
 * all that must stay unknown. Bytes are written down as an assembler lists
 * them, not made by the code under test.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "../insn.h"

/**
 * struct insn_case - one instruction
 * @name: in AT&T syntax
 * @bytes: its code
 * @length: of @bytes
 * @kind: expected
 * @size: expected, of the access
 * @reg: expected register
 * @zero_extend: expected
 * @imm: expected, its low @size bytes
 */
struct insn_case {
	const char *name;
	u8 bytes[RINGLET_INSN_MAX];
	unsigned int length;
	enum ringlet_insn_kind kind;
	unsigned int size;
	unsigned int reg;
	bool zero_extend;
	u64 imm;
};

/* clang-format off */
#define BYTES(...)						\
	.bytes = { __VA_ARGS__ },				\
	.length = sizeof((u8[]){ __VA_ARGS__ })

#define LOAD(s, r, z, ...)	BYTES(__VA_ARGS__),		\
	.kind = RINGLET_INSN_LOAD, .size = (s), .reg = (r), .zero_extend = (z)
#define STORE(s, r, ...)	BYTES(__VA_ARGS__),		\
	.kind = RINGLET_INSN_STORE, .size = (s), .reg = (r), .zero_extend = (s) == 4
#define STORE_IMM(s, i, ...)	BYTES(__VA_ARGS__),		\
	.kind = RINGLET_INSN_STORE_IMM, .size = (s), .imm = (i)
#define PORT(k, s, ...)		BYTES(__VA_ARGS__),		\
	.kind = RINGLET_INSN_##k, .size = (s)
#define PLAIN(k, ...)		BYTES(__VA_ARGS__),		\
	.kind = RINGLET_INSN_##k

static const struct insn_case known[] = {
	/* Loads, by width */
	{ "mov (%rdi),%eax", LOAD(4, 0, true, 0x8b, 0x07) },
	{ "mov (%rdi),%rax", LOAD(8, 0, false, 0x48, 0x8b, 0x07) },
	{ "mov (%rdi),%ax", LOAD(2, 0, false, 0x66, 0x8b, 0x07) },
	{ "mov (%rdi),%al", LOAD(1, 0, false, 0x8a, 0x07) },
	{ "movzbl (%rdi),%eax", LOAD(1, 0, true, 0x0f, 0xb6, 0x07) },
	{ "movzwl (%rdi),%eax", LOAD(2, 0, true, 0x0f, 0xb7, 0x07) },
	{ "movzbq (%rdi),%rax", LOAD(1, 0, true, 0x48, 0x0f, 0xb6, 0x07) },
	{ "movzbl (%rdi),%r9d", LOAD(1, 9, true, 0x44, 0x0f, 0xb6, 0x0f) },
	/* A word register for MOVZX is no high byte. */
	{ "movzbl (%rdi),%esi", LOAD(1, 6, true, 0x0f, 0xb6, 0x37) },

	/* Stores, by width */
	{ "mov %eax,(%rdi)", STORE(4, 0, 0x89, 0x07) },
	{ "mov %rax,(%rdi)", STORE(8, 0, 0x48, 0x89, 0x07) },
	{ "mov %ax,(%rdi)", STORE(2, 0, 0x66, 0x89, 0x07) },
	{ "mov %al,(%rdi)", STORE(1, 0, 0x88, 0x07) },
	{ "movl $0x12345678,(%rdi)", STORE_IMM(4, 0x12345678, 0xc7, 0x07, 0x78, 0x56, 0x34, 0x12) },
	{ "movl $-1,(%rdi)", STORE_IMM(4, 0xffffffff, 0xc7, 0x07, 0xff, 0xff, 0xff, 0xff) },
	{ "movq $-2,(%rdi)", STORE_IMM(8, -2ULL, 0x48, 0xc7, 0x07, 0xfe, 0xff, 0xff, 0xff) },
	{ "movw $0x8001,(%rdi)", STORE_IMM(2, 0x8001, 0x66, 0xc7, 0x07, 0x01, 0x80) },
	{ "movb $0x80,(%rdi)", STORE_IMM(1, 0x80, 0xc6, 0x07, 0x80) },
	{ "movl $1,0x70(%rdi)", STORE_IMM(4, 1, 0xc7, 0x47, 0x70, 0x01, 0x00, 0x00, 0x00) },

	/* Registers: R8 to R15 by REX, byte registers with an empty REX */
	{ "mov (%rdi),%r8d", LOAD(4, 8, true, 0x44, 0x8b, 0x07) },
	{ "mov (%rdi),%r15", LOAD(8, 15, false, 0x4c, 0x8b, 0x3f) },
	{ "mov %r12d,(%rdi)", STORE(4, 12, 0x44, 0x89, 0x27) },
	{ "mov %sil,(%rdi)", STORE(1, 6, 0x40, 0x88, 0x37) },
	{ "mov %r10b,(%rdi)", STORE(1, 10, 0x44, 0x88, 0x17) },
	{ "mov (%rdi),%spl", LOAD(1, 4, false, 0x40, 0x8a, 0x27) },
	{ "mov %bl,(%rdi)", STORE(1, 3, 0x88, 0x1f) },

	/* Addresses: every form of ModRM and SIB */
	{ "mov 0x10(%rdi),%eax", LOAD(4, 0, true, 0x8b, 0x47, 0x10) },
	{ "mov 0x12345678(%rdi),%eax", LOAD(4, 0, true, 0x8b, 0x87, 0x78, 0x56, 0x34, 0x12) },
	{ "mov 0x1000(%rip),%eax", LOAD(4, 0, true, 0x8b, 0x05, 0x00, 0x10, 0x00, 0x00) },
	{ "mov (%rsp),%eax", LOAD(4, 0, true, 0x8b, 0x04, 0x24) },
	{ "mov 0x10(%rsp),%eax", LOAD(4, 0, true, 0x8b, 0x44, 0x24, 0x10) },
	{ "mov 0x12345678(%rsp),%eax", LOAD(4, 0, true, 0x8b, 0x84, 0x24, 0x78, 0x56, 0x34, 0x12) },
	{ "mov (%rdi,%rsi,4),%eax", LOAD(4, 0, true, 0x8b, 0x04, 0xb7) },
	{ "mov 0x10(,%rsi,4),%eax", LOAD(4, 0, true, 0x8b, 0x04, 0xb5, 0x10, 0x00, 0x00, 0x00) },
	{ "mov 0x0(%rbp,%rsi,1),%eax", LOAD(4, 0, true, 0x8b, 0x44, 0x35, 0x00) },
	{ "mov 0x0(%r13),%eax", LOAD(4, 0, true, 0x41, 0x8b, 0x45, 0x00) },
	{ "mov (%r12),%eax", LOAD(4, 0, true, 0x41, 0x8b, 0x04, 0x24) },
	{ "mov 0x1000,%eax", LOAD(4, 0, true, 0x8b, 0x04, 0x25, 0x00, 0x10, 0x00, 0x00) },

	/* Prefixes */
	{ "mov %gs:(%rdi),%eax", LOAD(4, 0, true, 0x65, 0x8b, 0x07) },
	{ "mov %fs:(%rdi),%rax", LOAD(8, 0, false, 0x64, 0x48, 0x8b, 0x07) },
	{ "ds mov (%rdi),%eax", LOAD(4, 0, true, 0x3e, 0x8b, 0x07) },
	{ "es cs ss mov (%rdi),%eax", LOAD(4, 0, true, 0x26, 0x2e, 0x36, 0x8b, 0x07) },
	{ "data16 before REX.W", LOAD(8, 0, false, 0x66, 0x48, 0x8b, 0x07) },
	{ "15 bytes", LOAD(4, 0, true, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e,
			   0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x8b, 0x07) },

	/* Ports */
	{ "in (%dx),%al", PORT(IN, 1, 0xec) },
	{ "in (%dx),%ax", PORT(IN, 2, 0x66, 0xed) },
	{ "in (%dx),%eax", PORT(IN, 4, 0xed) },
	{ "in $0x61,%al", PORT(IN, 1, 0xe4, 0x61) },
	{ "in $0x61,%ax", PORT(IN, 2, 0x66, 0xe5, 0x61) },
	{ "in $0x61,%eax", PORT(IN, 4, 0xe5, 0x61) },
	{ "rex.W in (%dx),%eax", PORT(IN, 4, 0x48, 0xed) },
	{ "data16 rex.W in (%dx),%eax", PORT(IN, 4, 0x66, 0x48, 0xed) },
	{ "out %al,(%dx)", PORT(OUT, 1, 0xee) },
	{ "out %ax,(%dx)", PORT(OUT, 2, 0x66, 0xef) },
	{ "out %eax,(%dx)", PORT(OUT, 4, 0xef) },
	{ "out %al,$0x80", PORT(OUT, 1, 0xe6, 0x80) },
	{ "out %ax,$0x80", PORT(OUT, 2, 0x66, 0xe7, 0x80) },
	{ "out %eax,$0x80", PORT(OUT, 4, 0xe7, 0x80) },

	/* Privileged, without operands */
	{ "xsetbv", PLAIN(XSETBV, 0x0f, 0x01, 0xd1) },
	{ "hlt", PLAIN(HLT, 0xf4) },
	{ "cli", PLAIN(CLI, 0xfa) },
	{ "sti", PLAIN(STI, 0xfb) },
};

static const struct insn_case unknown[] = {
	/* Byte registers 4 to 7 without REX are AH, CH, DH, BH */
	{ "mov %ah,(%rdi)", BYTES(0x88, 0x27) },
	{ "mov %bh,(%rdi)", BYTES(0x88, 0x3f) },
	{ "mov (%rdi),%ch", BYTES(0x8a, 0x2f) },
	{ "mov (%rdi),%dh", BYTES(0x8a, 0x37) },

	/* No memory operand */
	{ "mov %eax,%edi", BYTES(0x89, 0xc7) },
	{ "mov %edi,%eax", BYTES(0x8b, 0xc7) },
	{ "mov $1,%edi", BYTES(0xc7, 0xc7, 0x01, 0x00, 0x00, 0x00) },
	{ "movzbl %al,%eax", BYTES(0x0f, 0xb6, 0xc0) },

	/* Prefixes that change the meaning */
	{ "lock mov (%rdi),%eax", BYTES(0xf0, 0x8b, 0x07) },
	{ "rep mov (%rdi),%eax", BYTES(0xf3, 0x8b, 0x07) },
	{ "repne mov (%rdi),%eax", BYTES(0xf2, 0x8b, 0x07) },
	{ "mov (%edi),%eax", BYTES(0x67, 0x8b, 0x07) },
	{ "REX before a prefix", BYTES(0x48, 0x66, 0x8b, 0x07) },
	{ "two REX", BYTES(0x48, 0x48, 0x8b, 0x07) },
	{ "movzbw (%rdi),%ax", BYTES(0x66, 0x0f, 0xb6, 0x07) },
	{ "rep outsb", BYTES(0xf3, 0x6e) },

	/* Neighbours of what is known */
	{ "c7 /1", BYTES(0xc7, 0x0f, 0x01, 0x00, 0x00, 0x00) },
	{ "xgetbv", BYTES(0x0f, 0x01, 0xd0) },
	{ "swapgs", BYTES(0x0f, 0x01, 0xf8) },
	{ "lgdt (%rdi)", BYTES(0x0f, 0x01, 0x17) },
	{ "wrmsr", BYTES(0x0f, 0x30) },
	{ "mov %rax,%cr3", BYTES(0x0f, 0x22, 0xd8) },
	{ "movsbl (%rdi),%eax", BYTES(0x0f, 0xbe, 0x07) },
	{ "mov 0x1122334455667788,%al",
	  BYTES(0xa0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11) },
	{ "xchg %eax,(%rdi)", BYTES(0x87, 0x07) },
	{ "or %eax,(%rdi)", BYTES(0x09, 0x07) },
	{ "movsb", BYTES(0xa4) },
	{ "insb", BYTES(0x6c) },
	{ "outsl", BYTES(0x6f) },
	{ "iretq", BYTES(0x48, 0xcf) },
	{ "int3", BYTES(0xcc) },
	{ "nop", BYTES(0x90) },
	{ "popf", BYTES(0x9d) },
};

/* clang-format on */

KUNIT_ARRAY_PARAM_DESC(known, known, name);
KUNIT_ARRAY_PARAM_DESC(unknown, unknown, name);

static u64 low_bytes(u64 value, unsigned int bytes)
{
	return bytes < 8 ? value & ((1ULL << 8 * bytes) - 1) : value;
}

static void decodes(struct kunit *test)
{
	const struct insn_case *c = test->param_value;
	struct ringlet_insn insn;
	u8 more[2 * RINGLET_INSN_MAX];

	/* Whatever follows is not looked at. */
	memset(more, 0xf0, sizeof(more));
	memcpy(more, c->bytes, c->length);
	KUNIT_ASSERT_TRUE(test, ringlet_decode(more, sizeof(more), &insn));
	KUNIT_EXPECT_EQ(test, insn.kind, c->kind);
	KUNIT_EXPECT_EQ(test, insn.length, c->length);
	KUNIT_EXPECT_EQ(test, insn.size, c->size);
	if (c->kind == RINGLET_INSN_LOAD || c->kind == RINGLET_INSN_STORE)
		KUNIT_EXPECT_EQ(test, insn.reg, c->reg);
	if (c->kind == RINGLET_INSN_LOAD)
		KUNIT_EXPECT_EQ(test, insn.zero_extend, c->zero_extend);
	KUNIT_EXPECT_EQ(test, low_bytes(insn.imm, c->size), c->imm);
}

/* Cut off anywhere, an instruction is unknown: never read past, never guessed. */
static void decodes_whole_ones_only(struct kunit *test)
{
	const struct insn_case *c = test->param_value;
	struct ringlet_insn insn;
	unsigned int n;

	KUNIT_EXPECT_TRUE(test, ringlet_decode(c->bytes, c->length, &insn));
	for (n = 0; n < c->length; n++) {
		/* Of this size, so that KASAN would see a byte too many. */
		u8 *bytes = kunit_kmalloc(test, n ? n : 1, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, bytes);
		memcpy(bytes, c->bytes, n);
		KUNIT_EXPECT_FALSE_MSG(test, ringlet_decode(bytes, n, &insn),
				       "with %u bytes", n);
		KUNIT_EXPECT_EQ(test, insn.kind, RINGLET_INSN_UNKNOWN);
		kunit_kfree(test, bytes);
	}
}

static void refuses(struct kunit *test)
{
	const struct insn_case *c = test->param_value;
	struct ringlet_insn insn;

	KUNIT_EXPECT_FALSE(test, ringlet_decode(c->bytes, c->length, &insn));
	KUNIT_EXPECT_EQ(test, insn.kind, RINGLET_INSN_UNKNOWN);
}

/* The CPU refuses more than 15 bytes, and so do we, whatever they are. */
static void refuses_sixteen_bytes(struct kunit *test)
{
	static const u8 tail[] = { 0x8b, 0x87, 0, 0, 0, 0 };
	struct ringlet_insn insn;
	u8 bytes[32];
	unsigned int prefixes;

	for (prefixes = 0; prefixes <= 20; prefixes++) {
		memset(bytes, 0x2e, sizeof(bytes));
		memcpy(bytes + prefixes, tail, sizeof(tail));
		KUNIT_EXPECT_EQ_MSG(test,
				    ringlet_decode(bytes, sizeof(bytes), &insn),
				    prefixes + sizeof(tail) <= 15,
				    "%u prefixes", prefixes);
	}
	memset(bytes, 0x66, sizeof(bytes));
	KUNIT_EXPECT_FALSE(test, ringlet_decode(bytes, sizeof(bytes), &insn));
}

static struct kunit_case insn_test_cases[] = {
	KUNIT_CASE_PARAM(decodes, known_gen_params),
	KUNIT_CASE_PARAM(decodes_whole_ones_only, known_gen_params),
	KUNIT_CASE_PARAM(refuses, unknown_gen_params),
	KUNIT_CASE(refuses_sixteen_bytes),
	{}
};

static struct kunit_suite insn_test_suite = {
	.name = "ringlet-insn",
	.test_cases = insn_test_cases,
};

kunit_test_suite(insn_test_suite);
