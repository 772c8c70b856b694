// SPDX-License-Identifier: GPL-2.0
/*
 * A VM's linear map: guest-physical addresses, in order, in the slot of its
 * vCPUs' kernel roots (switcher/window.h), by which the switcher reads and marks
 * the guest's own page tables. Its leaves are at the same time the VM's frame
 * table, which says where a guest frame is and if it may be written: an entry is
 * there while the module vouches for it (memory.c), and zero otherwise.
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
#include <linux/sched.h>

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
	u64 *entry =
		&linear->level2[gfn / RINGLET_FRAMES_PER_GIB][gfn >> 9 & 511];
	u64 *table;

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
 * @linear: whose; zeroed before the first
 * @gfn: first frame
 * @npages: frames; what lies beyond the map's end is left out
 *
 * Return: 0; -ENOMEM, and ringlet_linear_exit() is to be called.
 */
int ringlet_linear_add(struct ringlet_linear *linear, u64 gfn, u64 npages)
{
	u64 limit = RINGLET_LINEAR_GIBS * RINGLET_FRAMES_PER_GIB;
	u64 end = min(gfn + npages, limit);
	unsigned int gib;

	if (gfn >= limit)
		return 0;
	if (!linear->hole)
		linear->hole = new_table();
	if (!linear->hole)
		return -ENOMEM;
	end = ALIGN(end, 512);
	for (gib = 0; gib * RINGLET_FRAMES_PER_GIB < end; gib++)
		if (add_level2(linear, gib))
			return -ENOMEM;
	for (gfn &= ~511ULL; gfn < end; gfn += 512) {
		if (add_level1(linear, gfn))
			return -ENOMEM;
		cond_resched();
	}
	linear->nr_frames = max(linear->nr_frames, end);
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
	int i;

	for (i = 0; i < RINGLET_LINEAR_GIBS; i++) {
		if (linear->level2[i])
			free_level2(linear, linear->level2[i]);
		linear->level2[i] = NULL;
		cond_resched();
	}
	free_page((unsigned long)linear->hole);
	linear->hole = NULL;
	linear->nr_frames = 0;
}

/**
 * ringlet_linear_link() - hang the map into a vCPU's tables
 * @linear: complete
 * @level3: where the entry for the first GiB goes, the others after it
 */
void ringlet_linear_link(const struct ringlet_linear *linear, u64 *level3)
{
	int i;

	for (i = 0; i < RINGLET_LINEAR_GIBS; i++)
		if (linear->level2[i])
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
	u64 *table;

	if (gfn >= linear->nr_frames)
		return NULL;
	table = table_of(
		linear->level2[gfn / RINGLET_FRAMES_PER_GIB][gfn >> 9 & 511]);
	return table == linear->hole ? NULL : &table[gfn & 511];
}

/**
 * ringlet_linear_clear() - have frames forgotten
 * @linear: whose
 * @gfn: the first
 * @npages: how many
 *
 * Word by word: the switcher may be reading.
 */
void ringlet_linear_clear(struct ringlet_linear *linear, u64 gfn, u64 npages)
{
	u64 end = min(gfn + npages, linear->nr_frames), next;
	u64 *entry;

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
