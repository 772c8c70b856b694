// SPDX-License-Identifier: GPL-2.0
/*
 * Which hosts can carry guests, over a table of machines: what CR4, EFER, STAR
 * and SFMASK hold on real and on unlikely hosts, and the words of the refusal.
 */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/string.h>

#include "../host.h"

/* clang-format off */
/* Stock kernels' values: DE PSE PAE MCE PGE OSFXSR OSXMMEXCPT and so on. */
#define OLD_CR4		0x6f8ULL
#define CR4_FSGSBASE	BIT_ULL(16)
#define CR4_PCIDE	BIT_ULL(17)
#define CR4_OSXSAVE	BIT_ULL(18)
#define CR4_SMEP_SMAP	GENMASK_ULL(21, 20)
#define CR4_PKE		BIT_ULL(22)
#define CR4_CET		BIT_ULL(23)
#define CR4_LA57	BIT_ULL(12)
#define CR4_UMIP	BIT_ULL(11)
#define CR4_VMXE	BIT_ULL(13)
#define CR4_LASS	BIT_ULL(27)
#define CR4_FRED	BIT_ULL(32)
#define CR4_PGE		BIT_ULL(7)
#define GOOD_CR4	(OLD_CR4 | CR4_FSGSBASE | CR4_OSXSAVE | CR4_SMEP_SMAP)

#define SYSCALL_ON	BIT_ULL(0)
#define LONG_MODE	(BIT_ULL(8) | BIT_ULL(10))
#define NX_ON	BIT_ULL(11)
#define SVM_ON	BIT_ULL(12)
#define GOOD_EFER	(SYSCALL_ON | LONG_MODE | NX_ON)

#define STAR		(0x23ULL << 48 | 0x10ULL << 32)
/* CF PF AF ZF SF TF IF DF OF IOPL NT RF AC ID */
#define SFMASK		0x257fd5ULL

#define HOST(...)							\
	.host = { .cr4 = GOOD_CR4, .efer = GOOD_EFER, .star = STAR,	\
		  .sfmask = SFMASK, __VA_ARGS__ }

/**
 * struct host_case - a machine
 * @name: of it
 * @host: its registers
 * @why: NULL, or words of the refusal
 */
struct host_case {
	const char *name;
	struct ringlet_host host;
	const char *why;
};

static const struct host_case hosts[] = {
	{ "plain", HOST() },
	{ "PCIDs", HOST(.cr4 = GOOD_CR4 | CR4_PCIDE) },
	{ "five levels", HOST(.cr4 = GOOD_CR4 | CR4_PCIDE | CR4_LA57 | CR4_UMIP) },
	{ "protection keys", HOST(.cr4 = GOOD_CR4 | CR4_PKE) },
	{ "CET", HOST(.cr4 = GOOD_CR4 | CR4_CET) },
	{ "LASS", HOST(.cr4 = GOOD_CR4 | CR4_LASS) },
	{ "KVM with VMX in use", HOST(.cr4 = GOOD_CR4 | CR4_VMXE | CR4_PCIDE) },
	{ "KVM with SVM in use", HOST(.efer = GOOD_EFER | SVM_ON) },
	{ "no SMEP, no SMAP", HOST(.cr4 = OLD_CR4 | CR4_FSGSBASE) },
	{ "no PGE and no PCIDs", HOST(.cr4 = GOOD_CR4 & ~CR4_PGE) },
	{ "older SFMASK", HOST(.sfmask = 0x47700) },
	{ "STAR with 32-bit SYSCALL's EIP", HOST(.star = STAR | 0x12345678) },

	{ "Xen PV", HOST(.xen_pv = true), "Xen PV guest" },
	{ "Xen PV without FSGSBASE", HOST(.xen_pv = true, .cr4 = OLD_CR4), "Xen PV guest" },
	{ "confidential VM", HOST(.confidential = true), "confidential VM" },
	{ "TDX, which says both",
	  HOST(.confidential = true, .encrypted = true), "confidential VM" },
	{ "SME", HOST(.encrypted = true), "mem_encrypt=off" },
	{ "KVM's faults", HOST(.async_pf = true), "no-kvmapf" },
	{ "FRED", HOST(.cr4 = GOOD_CR4 | CR4_FRED), "fred=off" },
	{ "FRED and five levels", HOST(.cr4 = GOOD_CR4 | CR4_FRED | CR4_LA57), "fred=off" },
	{ "nofsgsbase", HOST(.cr4 = GOOD_CR4 & ~CR4_FSGSBASE), "FSGSBASE" },
	{ "an old CPU", HOST(.cr4 = OLD_CR4), "FSGSBASE" },
	{ "noexec=off", HOST(.efer = SYSCALL_ON | LONG_MODE), "NX" },
	{ "no SYSCALL", HOST(.efer = GOOD_EFER & ~SYSCALL_ON), "SYSCALL" },
	{ "another kernel's SYSRET", HOST(.star = 0x1bULL << 48 | 0x10ULL << 32), "SYSCALL" },
	{ "another kernel's SYSCALL", HOST(.star = 0x23ULL << 48 | 0x8ULL << 32), "SYSCALL" },
	{ "SYSCALL leaves IF on", HOST(.sfmask = SFMASK & ~BIT_ULL(9)), "SYSCALL" },
	{ "SYSCALL leaves DF on", HOST(.sfmask = SFMASK & ~BIT_ULL(10)), "SYSCALL" },
	{ "SYSCALL leaves TF on", HOST(.sfmask = SFMASK & ~BIT_ULL(8)), "SYSCALL" },
	{ "SYSCALL leaves AC on", HOST(.sfmask = SFMASK & ~BIT_ULL(18)), "SYSCALL" },
	{ "PCIDs without PGE", HOST(.cr4 = (GOOD_CR4 | CR4_PCIDE) & ~CR4_PGE), "nopcid" },
	{ "nothing at all", { }, "FSGSBASE" },
};

/* clang-format on */

KUNIT_ARRAY_PARAM_DESC(hosts, hosts, name);

static void accepts_or_says_why(struct kunit *test)
{
	const struct host_case *c = test->param_value;
	const char *why = ringlet_host_refusal(&c->host);
	const char *remedy;

	if (!c->why) {
		KUNIT_EXPECT_STREQ(test, why ? why : "", "");
		return;
	}
	KUNIT_ASSERT_NOT_NULL(test, why);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(why, c->why), "it said: %s",
				  why);
	/* One line: the reason, a semicolon, and what to do. */
	remedy = strstr(why, "; ");
	KUNIT_ASSERT_NOT_NULL(test, remedy);
	KUNIT_EXPECT_GE(test, remedy - why, 20);
	KUNIT_EXPECT_GE(test, strlen(remedy), 12);
	KUNIT_EXPECT_NULL(test, strchr(why, '\n'));
	KUNIT_EXPECT_NE(test, why[strlen(why) - 1], '.');
}

static struct kunit_case host_test_cases[] = {
	KUNIT_CASE_PARAM(accepts_or_says_why, hosts_gen_params),
	{}
};

static struct kunit_suite host_test_suite = {
	.name = "ringlet-host",
	.test_cases = host_test_cases,
};

kunit_test_suite(host_test_suite);
