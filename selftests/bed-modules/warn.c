// SPDX-License-Identifier: GPL-2.0
/*
 * A planted WARN. Loaded into the disposable host, it must turn the bed red whatever the command
 * said: a bed that misses it would miss ours.
 */
#include <linux/bug.h>
#include <linux/module.h>

static int __init warn_init(void)
{
	WARN(1, "planted by the bed's own test\n");
	return 0;
}
module_init(warn_init);

MODULE_DESCRIPTION("Ringlet's test bed: a planted WARN");
MODULE_LICENSE("GPL");
