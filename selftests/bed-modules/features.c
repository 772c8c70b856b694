// SPDX-License-Identifier: GPL-2.0
/*
 * The disposable host's CPU with more feature bits: what a kernel sets when it
 * mitigates what an emulated CPU does not have. A module that is loaded later
 * gets its alternatives by them; the kernel's own were applied long before.
 * Given back when this one is unloaded.
 */
#include <linux/bitops.h>
#include <linux/module.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>

#include "../../module/compat/features.h"

static char *set = "";
module_param(set, charp, 0400);
MODULE_PARM_DESC(set, "names, with a comma after each");

/* clang-format off */
#define FEATURE(name) { #name ",", X86_FEATURE_##name }
static const struct {
	const char *name;
	int bit;
} features[] = {
	FEATURE(CLEAR_CPU_BUF),
	FEATURE(CLEAR_CPU_BUF_VM),
	{ "DIV0,", X86_BUG_DIV0 },
	FEATURE(ENTRY_IBPB),
	FEATURE(IBPB_ON_VMEXIT),
	FEATURE(KERNEL_IBRS),
	FEATURE(CLEAR_BHB_LOOP),
	FEATURE(CLEAR_BHB_VMEXIT),
	FEATURE(RSB_CTXSW),
	FEATURE(IBRS_ENHANCED),
	FEATURE(UNRET),
	FEATURE(SRSO_ALIAS),
	FEATURE(IBPB),
#ifdef X86_FEATURE_USE_IBPB
	FEATURE(USE_IBPB),
#endif
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	FEATURE(IBPB_EXIT_TO_USER),
#endif
};

/* clang-format on */

static unsigned long ours;

static int __init features_init(void)
{
	unsigned long *caps = (unsigned long *)boot_cpu_data.x86_capability;
	int i;

	for (i = 0; i < ARRAY_SIZE(features); i++)
		if (strstr(set, features[i].name) &&
		    !test_and_set_bit(features[i].bit, caps))
			ours |= BIT(i);
	return 0;
}
module_init(features_init);

static void __exit features_exit(void)
{
	unsigned long *caps = (unsigned long *)boot_cpu_data.x86_capability;
	int i;

	for (i = 0; i < ARRAY_SIZE(features); i++)
		if (ours & BIT(i))
			clear_bit(features[i].bit, caps);
}
module_exit(features_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Test: feature bits that an emulated CPU does not have");
