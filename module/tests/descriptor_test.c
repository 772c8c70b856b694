// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest may have in TLS entries, selectors, RFLAGS and DR7. Whatever
 * these checks let through, the switcher loads at CPL 0: it must not fault and
 * must not lift the guest above CPL 3.
 */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/kernel.h>

#include "../descriptor.h"

/* clang-format off */
/* As the SDM draws them: base, limit 0xfffff, G D/B L AVL, P DPL S type. */
#define DATA32		0x00cff2000000ffffULL
#define DATA32_ACCESSED	0x00cff3000000ffffULL
#define CODE32		0x00cffa000000ffffULL
#define CODE64		0x00affa000000ffffULL

static const struct tls_case {
	const char *name;
	u64 descriptor;
	bool valid;
} tls_cases[] = {
	{ "empty", 0, true },
	{ "data, writable", DATA32, true },
	{ "data, accessed", DATA32_ACCESSED, true },
	{ "data, read-only", 0x00cff0000000ffff, true },
	{ "data, expands down", 0x00cff6000000ffff, true },
	{ "data with a base", 0xf7cff3e12340ffff, true },
	{ "data, limit in bytes", 0x004ff3000000ffff, true },
	{ "data, AVL", 0x00dff3000000ffff, true },

	{ "16-bit data", 0x008ff3000000ffff, false },
	{ "not present", 0x00cf73000000ffff, false },
	{ "DPL 0", 0x00cf93000000ffff, false },
	{ "DPL 1", 0x00cfb3000000ffff, false },
	{ "DPL 2", 0x00cfd3000000ffff, false },
	{ "32-bit code", CODE32, false },
	{ "64-bit code", CODE64, false },
	{ "conforming code", 0x00cffe000000ffff, false },
	{ "data with L", 0x00eff3000000ffff, false },
	{ "call gate", 0x0000ec0000330000, false },
	{ "interrupt gate", 0x0000ee0000330000, false },
	{ "TSS", 0x00cfe9000000ffff, false },
	{ "LDT", 0x00cfe2000000ffff, false },
	{ "all ones", ~0ULL, false },
};

/* A GDT with Linux's places; 12 to 14 are TLS, as a guest might have them. */
static const u64 gdt[16] = {
	[1] = 0x00cf9b000000ffff, /* kernel code, 32 bits */
	[2] = 0x00af9b000000ffff, /* kernel code */
	[3] = 0x00cf93000000ffff, /* kernel data */
	[4] = 0x00cffb000000ffff, /* user code, 32 bits */
	[5] = 0x00cff3000000ffff, /* user data */
	[6] = 0x00affb000000ffff, /* user code */
	[8] = 0x00008b0000002087, /* TSS, its second half is 9 */
	[9] = 0x00000000ffffffff,
	[12] = DATA32_ACCESSED,
	[14] = 0x00cff9000000ffff, /* code that can only be executed */
	[15] = 0x0040f50000000fff, /* what Linux keeps the CPU's number in */
};

static const struct selector_case {
	const char *name;
	u16 selector;
	u16 sane;
} selector_cases[] = {
	{ "null", 0, 0 },
	{ "null, RPL 3", 3, 3 },
	{ "user data", 0x2b, 0x2b },
	{ "user data, RPL 0", 0x28, 0x28 },
	{ "user code, 32 bits", 0x23, 0x23 },
	{ "user code", 0x33, 0x33 },
	{ "TLS", 0x63, 0x63 },
	{ "TLS that is empty", 0x6b, 0 },
	{ "code that cannot be read", 0x73, 0 },
	{ "CPU number", 0x7b, 0x7b },
	{ "kernel data", 0x18, 0 },
	{ "kernel data, RPL 3", 0x1b, 0 },
	{ "kernel code", 0x10, 0 },
	{ "TSS", 0x40, 0 },
	{ "TSS, RPL 3", 0x43, 0 },
	{ "second half of the TSS", 0x4b, 0 },
	{ "an empty entry", 0x3b, 0 },
	{ "LDT", 0x2f, 0 },
	{ "LDT, first entry", 0x07, 0 },
	{ "just beyond the end", 0x83, 0 },
	{ "far beyond the end", 0xfffb, 0 },
};

static const struct word_case {
	const char *name;
	u64 asked;
	u64 sane;
} rflags_cases[] = {
	{ "nothing", 0, 0x202 },
	{ "IF is always on", 0x200, 0x202 },
	{ "arithmetic flags and DF", 0xcd5, 0xed7 },
	{ "TF", BIT_ULL(8), 0x302 },
	{ "RF", BIT_ULL(16), 0x10202 },
	{ "AC", BIT_ULL(18), 0x40202 },
	{ "ID", BIT_ULL(21), 0x200202 },
	{ "IOPL 3", 0x3000, 0x202 },
	{ "NT", BIT_ULL(14), 0x4202 },
	{ "VM", BIT_ULL(17), 0x202 },
	{ "VIF and VIP", 0x180000, 0x202 },
	{ "reserved bits", BIT_ULL(1) | BIT_ULL(3) | BIT_ULL(5) | BIT_ULL(15), 0x202 },
	{ "upper half", 0xffffffffffc00000, 0x202 },
	{ "all ones", ~0ULL, 0x254fd7 },
}, dr7_cases[] = {
	{ "off", 0, 0x400 },
	{ "off, as the CPU reads it", 0x400, 0x400 },
	{ "execution breakpoint", 0x1, 0x401 },
	{ "write of 8 bytes", 0x90003, 0x90403 },
	{ "access of 4 bytes, number 3", 0xf0000080, 0xf0000480 },
	{ "LE and GE", 0x300, 0x700 },
	{ "general detect", 0x2000, 0x400 },
	{ "RTM", 0x800, 0x400 },
	{ "reserved bits", 0xd000, 0x400 },
	{ "upper half", 0xffffffff00000000, 0x400 },
	{ "I/O breakpoint 0", 0x20003, 0x20400 },
	{ "I/O breakpoint 1", 0x20000c, 0x200400 },
	{ "I/O breakpoint 2", 0x2000030, 0x2000400 },
	{ "I/O breakpoint 3", 0x200000c0, 0x20000400 },
	{ "I/O breakpoint beside another", 0x21000f, 0x21040f & ~0xcULL },
	{ "all ones", ~0ULL, 0xffff07ff },
};

/* clang-format on */

KUNIT_ARRAY_PARAM_DESC(tls, tls_cases, name);
KUNIT_ARRAY_PARAM_DESC(selector, selector_cases, name);
KUNIT_ARRAY_PARAM_DESC(rflags, rflags_cases, name);
KUNIT_ARRAY_PARAM_DESC(dr7, dr7_cases, name);

static void tls(struct kunit *test)
{
	const struct tls_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, ringlet_tls_valid(c->descriptor), c->valid);
}

/* The CPU can only read the GDT: it must not want to set the accessed bit. */
static void tls_is_accessed(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, ringlet_tls_sane(DATA32), DATA32_ACCESSED);
	KUNIT_EXPECT_EQ(test, ringlet_tls_sane(DATA32_ACCESSED),
			DATA32_ACCESSED);
	KUNIT_EXPECT_EQ(test, ringlet_tls_sane(0), 0);
}

static void selector(struct kunit *test)
{
	const struct selector_case *c = test->param_value;
	u16 sane = ringlet_sane_selector(gdt, ARRAY_SIZE(gdt), c->selector);

	KUNIT_EXPECT_EQ(test, sane, c->sane);
}

/* RPL below 3 with a DPL 3 segment loads without a fault; see what comes out. */
static void selector_never_faults(struct kunit *test)
{
	unsigned int s;

	for (s = 0; s <= 0xffff; s++) {
		u16 sane = ringlet_sane_selector(gdt, ARRAY_SIZE(gdt), s);
		u64 descriptor;

		KUNIT_ASSERT_TRUE(test, sane == s || !sane);
		if (sane < 4)
			continue;
		KUNIT_ASSERT_FALSE(test, sane & 4);
		KUNIT_ASSERT_LT(test, sane >> 3, ARRAY_SIZE(gdt));
		descriptor = gdt[sane >> 3];
		KUNIT_EXPECT_EQ(test, descriptor >> 44 & 0xf, 0xf);
	}
}

static void rflags(struct kunit *test)
{
	const struct word_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, ringlet_sane_rflags(c->asked), c->sane);
	KUNIT_EXPECT_EQ(test, ringlet_sane_rflags(c->sane), c->sane);
}

static void dr7(struct kunit *test)
{
	const struct word_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, ringlet_sane_dr7(c->asked), c->sane);
	KUNIT_EXPECT_EQ(test, ringlet_sane_dr7(c->sane), c->sane);
}

static struct kunit_case descriptor_test_cases[] = {
	KUNIT_CASE_PARAM(tls, tls_gen_params),
	KUNIT_CASE(tls_is_accessed),
	KUNIT_CASE_PARAM(selector, selector_gen_params),
	KUNIT_CASE(selector_never_faults),
	KUNIT_CASE_PARAM(rflags, rflags_gen_params),
	KUNIT_CASE_PARAM(dr7, dr7_gen_params),
	{}
};

static struct kunit_suite descriptor_test_suite = {
	.name = "ringlet-descriptor",
	.test_cases = descriptor_test_cases,
};

kunit_test_suite(descriptor_test_suite);
