// SPDX-License-Identifier: GPL-2.0
/*
 * The disposable host's pages, counted one by one, as a file: /proc/pages says how many are in use
 * by whom. The kernel's own sums are kept per CPU and are never quite true; a leak of one page is
 * to be seen.
 *
 * "kernel" is what belongs to nobody that keeps books: pages that some code took with
 * alloc_page(), the module under test among them, and those of vmalloc() and the per-CPU areas,
 * which a reader takes off again (VmallocUsed and Percpu in /proc/meminfo are exact).
 */
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

static ulong max_pfn_seen = 1UL << 20;
module_param_named(pfns, max_pfn_seen, ulong, 0400);
MODULE_PARM_DESC(pfns, "how many page frames to look at");

static int pages_show(struct seq_file *m, void *v)
{
	unsigned long pfn, slab = 0, tables = 0, mapped = 0, kernel = 0;

	for (pfn = 0; pfn < max_pfn_seen; pfn++) {
		struct page *page = pfn_to_online_page(pfn);

		/* Free: no user. Tails count with their head. */
		if (!page || PageReserved(page) || !page_ref_count(page) ||
		    PageTail(page))
			continue;
		if (PageSlab(page))
			slab += compound_nr(page);
		else if (PageTable(page))
			tables++;
		else if (PageLRU(page) || READ_ONCE(page->mapping))
			mapped += compound_nr(page);
		else
			kernel += compound_nr(page);
		if (!(pfn % 1024))
			cond_resched();
	}
	seq_printf(m, "slab %lu\ntables %lu\nmapped %lu\nkernel %lu\n", slab,
		   tables, mapped, kernel);
	return 0;
}

static int __init pages_init(void)
{
	return proc_create_single("pages", 0400, NULL, pages_show) ? 0 :
								     -ENOMEM;
}
module_init(pages_init);

static void __exit pages_exit(void)
{
	remove_proc_entry("pages", NULL);
}
module_exit(pages_exit);

MODULE_DESCRIPTION("Ringlet's test bed: the host's pages, counted");
MODULE_LICENSE("GPL");
