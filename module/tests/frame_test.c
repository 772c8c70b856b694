// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupt frames and gates: what the guest kernel finds in a frame, what of
 * a frame it wrote reaches the registers, and which user contexts are refused
 * as IRETQ would refuse them.
 */
#include <kunit/test.h>
#include <linux/bits.h>

#include "../frame.h"

#define IF BIT_ULL(9)

/* Registers that are all different; selectors and IF as they really are. */
static const struct ringlet_gprs gprs = {
	.rax = 0xa0,
	.rcx = 0xc0,
	.r11 = 0x11,
	.rip = 0x401000,
	.cs = RINGLET_USER_CS,
	.rflags = 0x246,
	.rsp = 0x7ffc1000,
	.ss = RINGLET_USER_SS,
};

static const struct save_case {
	const char *name;
	bool user_mode;
	bool virtual_if;
	u64 cs;
	u64 ss;
	u64 rflags;
} save_cases[] = {
	{ "user", true, true, RINGLET_USER_CS, RINGLET_USER_SS, 0x246 },
	{ "user, whatever the kernel's IF was", true, false, RINGLET_USER_CS,
	  RINGLET_USER_SS, 0x246 },
	{ "kernel, interrupts on", false, true, RINGLET_KERNEL_CS,
	  RINGLET_KERNEL_SS, 0x246 },
	{ "kernel, interrupts off", false, false, RINGLET_KERNEL_CS,
	  RINGLET_KERNEL_SS, 0x46 },
};

KUNIT_ARRAY_PARAM_DESC(save, save_cases, name);

static void save(struct kunit *test)
{
	const struct save_case *c = test->param_value;
	struct ringlet_frame frame = {
		.error = 0xe,
		.vector = 0xf,
		.rax = 0xaa,
	};

	ringlet_frame_save(&frame, &gprs, c->user_mode, c->virtual_if);
	KUNIT_EXPECT_EQ(test, frame.cs, c->cs);
	KUNIT_EXPECT_EQ(test, frame.ss, c->ss);
	KUNIT_EXPECT_EQ(test, frame.rflags, c->rflags);
	KUNIT_EXPECT_EQ(test, frame.rip, gprs.rip);
	KUNIT_EXPECT_EQ(test, frame.rsp, gprs.rsp);
	KUNIT_EXPECT_EQ(test, frame.rcx, gprs.rcx);
	KUNIT_EXPECT_EQ(test, frame.r11, gprs.r11);
	KUNIT_EXPECT_EQ(test, frame.error, 0xe);
	KUNIT_EXPECT_EQ(test, frame.vector, 0xf);
	KUNIT_EXPECT_EQ(test, frame.rax, 0xaa);
}

/* A 32-bit program's selectors come through as they are. */
static void save_compat(struct kunit *test)
{
	struct ringlet_gprs compat = gprs;
	struct ringlet_frame frame;

	compat.cs = RINGLET_USER32_CS;
	ringlet_frame_save(&frame, &compat, true, true);
	KUNIT_EXPECT_EQ(test, frame.cs, RINGLET_USER32_CS);
	KUNIT_EXPECT_EQ(test, frame.ss, RINGLET_USER_SS);
}

/* A 32-bit program is interrupted, with flags that no handler may run with. */
static void enter(struct kunit *test)
{
	struct ringlet_gprs entered = gprs;
	struct ringlet_shared shared = {
		.flags = IF,
		.cr2 = 0xc2,
		.event.rax = 0xaa,
	};

	entered.cs = RINGLET_USER32_CS;
	entered.rflags = 0x54746; /* AC, RF, NT, DF, IF, TF */
	ringlet_frame_enter(&shared, &entered, true, 0xffffffff81001000, 14, 6);
	KUNIT_EXPECT_EQ(test, shared.event.rip, gprs.rip);
	KUNIT_EXPECT_EQ(test, shared.event.cs, RINGLET_USER32_CS);
	KUNIT_EXPECT_EQ(test, shared.event.rflags, 0x54746);
	KUNIT_EXPECT_EQ(test, shared.event.vector, 14);
	KUNIT_EXPECT_EQ(test, shared.event.error, 6);
	KUNIT_EXPECT_EQ(test, shared.event.rax, 0xaa);
	KUNIT_EXPECT_EQ(test, shared.busy, 1);
	KUNIT_EXPECT_EQ(test, shared.flags, 0);
	KUNIT_EXPECT_EQ(test, shared.cr2, 0xc2);
	KUNIT_EXPECT_EQ(test, entered.rip, 0xffffffff81001000);
	KUNIT_EXPECT_EQ(test, entered.cs, RINGLET_USER_CS);
	KUNIT_EXPECT_EQ(test, entered.ss, RINGLET_USER_SS);
	KUNIT_EXPECT_EQ(test, entered.rflags, IF | 2);
	/* A handler of the guest's changes stacks by itself. */
	KUNIT_EXPECT_EQ(test, entered.rsp, gprs.rsp);
	KUNIT_EXPECT_EQ(test, entered.rcx, gprs.rcx);
}

static void load(struct kunit *test)
{
	struct ringlet_frame frame = {
		.rip = 0x1111,
		.cs = 0xdead,
		.rflags = ~0ULL,
		.rsp = 0x2222,
		.ss = 0xbeef,
		.error = 0x3333,
		.vector = 0x4444,
		.rax = 0x5555,
		.rcx = 0x6666,
		.r11 = 0x7777,
	};
	struct ringlet_gprs loaded = gprs;

	loaded.rbx = 0xb;
	ringlet_frame_load(&frame, &loaded);
	KUNIT_EXPECT_EQ(test, loaded.rip, 0x1111);
	KUNIT_EXPECT_EQ(test, loaded.rsp, 0x2222);
	KUNIT_EXPECT_EQ(test, loaded.rax, 0x5555);
	KUNIT_EXPECT_EQ(test, loaded.rcx, 0x6666);
	KUNIT_EXPECT_EQ(test, loaded.r11, 0x7777);
	/* No IOPL, no VM; real interrupts on. */
	KUNIT_EXPECT_EQ(test, loaded.rflags & 0x23000, 0);
	KUNIT_EXPECT_EQ(test, loaded.rflags & IF, IF);
	/* The selectors are the caller's to choose; the rest stays. */
	KUNIT_EXPECT_EQ(test, loaded.cs, RINGLET_USER_CS);
	KUNIT_EXPECT_EQ(test, loaded.ss, RINGLET_USER_SS);
	KUNIT_EXPECT_EQ(test, loaded.rbx, 0xb);
}

/* Out and in again, an interrupted user context is what it was. */
static void round_trip(struct kunit *test)
{
	struct ringlet_gprs loaded = {};
	struct ringlet_frame frame;

	ringlet_frame_save(&frame, &gprs, true, true);
	frame.rax = gprs.rax;
	ringlet_frame_load(&frame, &loaded);
	loaded.cs = frame.cs;
	loaded.ss = frame.ss;
	KUNIT_EXPECT_MEMEQ(test, &loaded, &gprs, sizeof(gprs));
}

static const struct valid_case {
	const char *name;
	u64 cs;
	u64 ss;
	u64 rip;
	bool valid;
	u64 error;
} valid_cases[] = {
	{ "64 bits", 0x33, 0x2b, 0x401000, true },
	{ "32 bits", 0x23, 0x2b, 0x8048000, true },
	{ "last user address", 0x33, 0x2b, 0x7fffffffffff, true },
	{ "upper half: a page fault, later", 0x33, 0x2b, 0xffffffff81000000,
	  true },
	{ "not canonical", 0x33, 0x2b, 0x800000000000, false, 0 },
	{ "not canonical, from above", 0x33, 0x2b, 0xffff7fffffffffff, false,
	  0 },
	{ "57-bit address", 0x33, 0x2b, 0x100000000000000, false, 0 },
	{ "kernel CS at RPL 3", 0x13, 0x2b, 0x401000, false, 0x10 },
	{ "data as CS", 0x2b, 0x2b, 0x401000, false, 0x28 },
	{ "LDT as CS", 0x37, 0x2b, 0x401000, false, 0x34 },
	{ "RPL 1", 0x31, 0x2b, 0x401000, false, 0x30 },
	{ "null CS", 3, 0x2b, 0x401000, false, 0 },
	{ "more than 16 bits of CS", 0x10033, 0x2b, 0x401000, false, 0x30 },
	{ "null SS", 0x33, 0, 0x401000, false, 0 },
	{ "kernel SS", 0x33, 0x18, 0x401000, false, 0x18 },
	{ "TLS as SS", 0x33, 0x63, 0x401000, false, 0x60 },
	{ "code as SS", 0x23, 0x33, 0x401000, false, 0x30 },
	{ "CS goes before SS", 0x13, 0x18, 0x800000000000, false, 0x10 },
};

KUNIT_ARRAY_PARAM_DESC(valid, valid_cases, name);

static void user_valid(struct kunit *test)
{
	const struct valid_case *c = test->param_value;
	struct ringlet_frame frame = { .cs = c->cs,
				       .ss = c->ss,
				       .rip = c->rip };
	u64 error = ~0ULL;

	KUNIT_EXPECT_EQ(test, ringlet_frame_user_valid(&frame, &error),
			c->valid);
	if (!c->valid)
		KUNIT_EXPECT_EQ(test, error, c->error);
}

/* Each gate has a place of its own, and nothing else has one. */
static void gate_places(struct kunit *test)
{
	static const u64 others[] = { 0x80, 0x100, 0x101, 0x102 };
	u64 seen = 0, gate;
	int i, gates = 0;

	for (gate = 0; gate < 0x1000; gate++) {
		int index = ringlet_gate_index(gate);

		if (index < 0)
			continue;
		KUNIT_ASSERT_LT(test, index, RINGLET_GATES);
		KUNIT_EXPECT_FALSE(test, seen & BIT_ULL(index));
		seen |= BIT_ULL(index);
		gates++;
	}
	KUNIT_EXPECT_EQ(test, gates, RINGLET_GATES);
	for (i = 0; i < 32; i++)
		KUNIT_EXPECT_EQ(test, ringlet_gate_index(i), i);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		KUNIT_EXPECT_GE(test, ringlet_gate_index(others[i]), 32);
	KUNIT_EXPECT_LT(test, ringlet_gate_index(0x100000000ULL), 0);
	KUNIT_EXPECT_LT(test, ringlet_gate_index(~0ULL), 0);
}

static void gate_addresses(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, ringlet_gate_address_valid(0));
	KUNIT_EXPECT_TRUE(test, ringlet_gate_address_valid(0xffffffff81000000));
	KUNIT_EXPECT_TRUE(test, ringlet_gate_address_valid(0xffff800000000000));
	KUNIT_EXPECT_FALSE(test, ringlet_gate_address_valid(0x401000));
	KUNIT_EXPECT_FALSE(test, ringlet_gate_address_valid(0x7fffffffffff));
	KUNIT_EXPECT_FALSE(test, ringlet_gate_address_valid(0x800000000000));
	KUNIT_EXPECT_FALSE(test,
			   ringlet_gate_address_valid(0xffff7fffffffffff));
}

static struct kunit_case frame_test_cases[] = {
	KUNIT_CASE_PARAM(save, save_gen_params),
	KUNIT_CASE(save_compat),
	KUNIT_CASE(enter),
	KUNIT_CASE(load),
	KUNIT_CASE(round_trip),
	KUNIT_CASE_PARAM(user_valid, valid_gen_params),
	KUNIT_CASE(gate_places),
	KUNIT_CASE(gate_addresses),
	{}
};

static struct kunit_suite frame_test_suite = {
	.name = "ringlet-frame",
	.test_cases = frame_test_cases,
};

kunit_test_suite(frame_test_suite);
