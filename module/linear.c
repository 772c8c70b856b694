// SPDX-License-Identifier: GPL-2.0
/*
 * A VM's linear map: guest-physical addresses, in order, in the slot of its
 * vCPUs' kernel roots (switcher/window.h), by which the switcher reads and marks
 * the guest's own page tables. Its leaves are at the same time the VM's frame
 * table, which says where a guest frame is and if it may be written: an entry is
 * there while the module vouches for it (memory.c), and zero otherwise. For
 * memory above the map's end there is the table alone.
 *
 * All tables are made before the first vCPU and stay until the VM ends; what
 * comes and goes is leaves. Leaves are the supervisor's, never global (they
 * would outlive the way back to the host) and never executable.
 *
 * No locks, and nothing of the machine but pages: KUnit runs this file under
 * User-Mode Linux too.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "linear.h"

/* Accessed and Dirty from the start: the CPU need not write here. */
#define TABLE_FLAGS \
	(RINGLET_PTE_P | RINGLET_PTE_W | RINGLET_PTE_A | RINGLET_PTE_D)

static u64 *new_table(void)
{
	return (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

static u64 *table_of(u64 entry)
{
	return __va(entry & RINGLET_PTE_ADDR);
}

/**
 * ringlet_linear_init() - begin a linear map
 * @linear: whose; zeroed
 * @end: there is no memory from this frame on
 *
 * Return: 0 or -ENOMEM.
 */
int ringlet_linear_init(struct ringlet_linear *linear, u64 end)
{
	linear->nr_gibs = DIV_ROUND_UP(end, RINGLET_FRAMES_PER_GIB);
	linear->level2 = kvcalloc(linear->nr_gibs, sizeof(*linear->level2),
				  GFP_KERNEL_ACCOUNT);
	linear->hole = new_table();
	if (linear->level2 && linear->hole)
		return 0;
	ringlet_linear_exit(linear);
	return -ENOMEM;
}

/* The level-2 table of a GiB, made of holes. */
static int add_level2(struct ringlet_linear *linear, unsigned int gib)
{
	u64 *table;
	int i;

	if (linear->level2[gib])
		return 0;
	table = new_table();
	if (!table)
		return -ENOMEM;
	for (i = 0; i < 512; i++)
		table[i] = __pa(linear->hole) | TABLE_FLAGS;
	linear->level2[gib] = table;
	return 0;
}

static int add_level1(struct ringlet_linear *linear, u64 gfn)
{
	u64 *table, *entry;

	if (add_level2(linear, gfn / RINGLET_FRAMES_PER_GIB))
		return -ENOMEM;
	entry = &linear->level2[gfn / RINGLET_FRAMES_PER_GIB][gfn >> 9 & 511];
	if (table_of(*entry) != linear->hole)
		return 0;
	table = new_table();
	if (!table)
		return -ENOMEM;
	*entry = __pa(table) | TABLE_FLAGS;
	return 0;
}

/**
 * ringlet_linear_add() - make the tables for a memory slot
 * @linear: whose
 * @gfn: first frame
 * @npages: frames
 *
 * Return: 0; -ENOMEM, and ringlet_linear_exit() is to be called.
 */
int ringlet_linear_add(struct ringlet_linear *linear, u64 gfn, u64 npages)
{
	u64 mapped = RINGLET_LINEAR_GIBS * RINGLET_FRAMES_PER_GIB;
	u64 end = ALIGN(gfn + npages, 512);

	for (gfn &= ~511ULL; gfn < end; gfn += 512) {
		if (add_level1(linear, gfn))
			return -ENOMEM;
		cond_resched();
	}
	/* The map has no gaps for the switcher to fall into. */
	linear->nr_frames = max(linear->nr_frames, min(end, mapped));
	for (gfn = 0; gfn < linear->nr_frames; gfn += RINGLET_FRAMES_PER_GIB)
		if (add_level2(linear, gfn / RINGLET_FRAMES_PER_GIB))
			return -ENOMEM;
	return 0;
}

static void free_level2(struct ringlet_linear *linear, u64 *table)
{
	int i;

	for (i = 0; i < 512; i++)
		if (table_of(table[i]) != linear->hole)
			free_page((unsigned long)table_of(table[i]));
	free_page((unsigned long)table);
}

/**
 * ringlet_linear_exit() - free all tables
 * @linear: nobody's any more; may be one that was never made
 */
void ringlet_linear_exit(struct ringlet_linear *linear)
{
	unsigned int i;

	for (i = 0; linear->level2 && i < linear->nr_gibs; i++) {
		if (linear->level2[i])
			free_level2(linear, linear->level2[i]);
		cond_resched();
	}
	kvfree(linear->level2);
	free_page((unsigned long)linear->hole);
	memset(linear, 0, sizeof(*linear));
}

/**
 * ringlet_linear_link() - hang the map into a vCPU's tables
 * @linear: complete
 * @level3: where the entry for the first GiB goes, the others after it
 */
void ringlet_linear_link(const struct ringlet_linear *linear, u64 *level3)
{
	u64 i;

	for (i = 0; i * RINGLET_FRAMES_PER_GIB < linear->nr_frames; i++)
		level3[i] = __pa(linear->level2[i]) | TABLE_FLAGS;
}

/**
 * ringlet_linear_entry() - a frame's entry
 * @linear: whose
 * @gfn: the frame
 *
 * Return: its place; NULL if it is in no slot's table.
 */
u64 *ringlet_linear_entry(const struct ringlet_linear *linear, u64 gfn)
{
	u64 gib = gfn / RINGLET_FRAMES_PER_GIB;
	u64 *table;

	if (gib >= linear->nr_gibs)
		return NULL;
	/* The guest's own number, and what is read by it is dereferenced. */
	gib = array_index_nospec(gib, linear->nr_gibs);
	if (!linear->level2[gib])
		return NULL;
	table = table_of(linear->level2[gib][gfn >> 9 & 511]);
	return table == linear->hole ? NULL : &table[gfn & 511];
}

/**
 * ringlet_linear_clear() - have frames forgotten
 * @linear: whose
 * @gfn: the first
 * @npages: how many, all in one slot
 *
 * Word by word: the switcher may be reading.
 */
void ringlet_linear_clear(struct ringlet_linear *linear, u64 gfn, u64 npages)
{
	u64 end = gfn + npages, next, *entry;

	for (; gfn < end; gfn = next) {
		next = min(ALIGN(gfn + 1, 512), end);
		entry = ringlet_linear_entry(linear, gfn);
		if (!entry)
			continue;
		for (; gfn < next; gfn++)
			WRITE_ONCE(*entry++, 0);
	}
}

/**
 * ringlet_linear_large() - is a guest's 2 MiB one frame of the host's, too?
 * @linear: whose
 * @gfn: any frame in it
 *
 * Return: true if all of it is known, contiguous and aligned, and writable.
 */
bool ringlet_linear_large(const struct ringlet_linear *linear, u64 gfn)
{
	u64 *entry = ringlet_linear_entry(linear, gfn & ~511ULL);
	u64 first;
	int i;

	if (!entry)
		return false;
	first = *entry;
	if (!(first & RINGLET_PTE_W) || (first >> 12 & 511))
		return false;
	for (i = 1; i < 512; i++)
		if (entry[i] != first + ((u64)i << 12))
			return false;
	return true;
}

/**
 * ringlet_linear_pte() - a frame's entry's value
 * @pfn: where it is
 * @writable: the host lets us write there
 *
 * Return: the entry.
 */
u64 ringlet_linear_pte(u64 pfn, bool writable)
{
	u64 pte = pfn << 12 | RINGLET_PTE_P | RINGLET_PTE_A | RINGLET_PTE_NX;

	return writable ? pte | RINGLET_PTE_W | RINGLET_PTE_D : pte;
}
