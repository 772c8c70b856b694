// SPDX-License-Identifier: GPL-2.0
/*
 * Planted leaks. Each write of a number to /sys/module/leak/parameters/pages
 * allocates that many pages in the disposable host and forgets them: the leak
 * check must notice one. Written to objects, the same with kmalloc(), for a
 * debug host's kmemleak.
 */
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/slab.h>

static int leak_pages(const char *val, const struct kernel_param *kp)
{
	unsigned int i, n;
	int err = kstrtouint(val, 0, &n);

	if (err)
		return err;
	for (i = 0; i < n; i++)
		if (!alloc_page(GFP_KERNEL))
			return -ENOMEM;
	return 0;
}

static int leak_objects(const char *val, const struct kernel_param *kp)
{
	unsigned int i, n;
	int err = kstrtouint(val, 0, &n);

	if (err)
		return err;
	for (i = 0; i < n; i++)
		if (!kzalloc(200, GFP_KERNEL))
			return -ENOMEM;
	return 0;
}

static const struct kernel_param_ops leak_ops = {
	.set = leak_pages,
};
module_param_cb(pages, &leak_ops, NULL, 0200);
MODULE_PARM_DESC(pages, "allocate this many pages and forget them");

static const struct kernel_param_ops objects_ops = {
	.set = leak_objects,
};
module_param_cb(objects, &objects_ops, NULL, 0200);
MODULE_PARM_DESC(objects, "the same with kmalloc()");

MODULE_DESCRIPTION("Ringlet's test bed: planted leaks");
MODULE_LICENSE("GPL");
