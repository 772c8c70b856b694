// SPDX-License-Identifier: GPL-2.0
/*
 * The tag table and the tables below it: which guest address spaces have a
 * shadow, where a leaf of theirs has its place, and what a flush takes away.
 * What leaves mean, and when they are made, is shadow.c's business.
 *
 * Nothing here knows the CPU or the vCPU. Tables are pages of the kernel's, and
 * that is all it takes: KUnit runs this file under User-Mode Linux too.
 *
 * Host kernel, process context; vcpu->mutex held.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "../include/uapi/ringlet.h"
#include "tags.h"

/* clang-format off */
#define TOP_SLOT	271	/* in the root, whatever its level */
#define CR3_PCID	0xfffULL
#define CR3_NOFLUSH	BIT_ULL(63)
/* clang-format on */

static u64 *new_table(void)
{
	return (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

static u64 *table_of(u64 entry)
{
	return __va(entry & RINGLET_PTE_ADDR);
}

/* Free what a table of @level (its entries' level) leads to; keep the table. */
static void clear_table(struct ringlet_shadow *shadow, u64 *table, int level)
{
	int i;

	if (level == 1) {
		memset(table, 0, PAGE_SIZE);
		return;
	}
	for (i = 0; i < 512; i++) {
		u64 entry = table[i];

		if (!entry)
			continue;
		WRITE_ONCE(table[i], 0);
		clear_table(shadow, table_of(entry), level - 1);
		free_page((unsigned long)table_of(entry));
		shadow->pages--;
	}
}

/* Bring a tag's roots up to date after an entry of a level-4 table changed. */
static void link_lower(struct ringlet_shadow *shadow, struct ringlet_tag *tag,
		       unsigned int index)
{
	u64 kernel = tag->split ? tag->klower[index] : tag->lower[index];

	if (shadow->la57)
		return; /* the roots point to the table itself */
	if (kernel && !tag->split)
		kernel |= RINGLET_PTE_NX;
	WRITE_ONCE(tag->uroot[index], tag->lower[index]);
	WRITE_ONCE(tag->kroot[index], kernel);
}

static void link_upper(struct ringlet_shadow *shadow, unsigned int index)
{
	int i;

	if (shadow->la57)
		return;
	for (i = 0; i < RINGLET_TAGS; i++)
		if (shadow->tags[i].live)
			WRITE_ONCE(shadow->tags[i].kroot[index],
				   shadow->upper[index]);
}

/* Point a tag's roots at its tables, wholly. */
static void link_all(struct ringlet_shadow *shadow, struct ringlet_tag *tag)
{
	unsigned int i;

	if (shadow->la57) {
		u64 *klower = tag->split ? tag->klower : tag->lower;

		tag->uroot[0] = __pa(tag->lower) | RINGLET_TABLE_FLAGS;
		tag->kroot[0] = __pa(klower) | RINGLET_TABLE_FLAGS |
				(tag->split ? 0 : RINGLET_PTE_NX);
		tag->kroot[511] = __pa(shadow->upper) | RINGLET_TABLE_FLAGS;
	} else {
		for (i = 0; i < 256; i++)
			link_lower(shadow, tag, i);
		for (i = 256; i < 512; i++)
			tag->kroot[i] = shadow->upper[i];
	}
	tag->uroot[TOP_SLOT] = shadow->slot;
	tag->kroot[TOP_SLOT] = shadow->slot;
}

static void flush_tag(struct ringlet_shadow *shadow, struct ringlet_tag *tag)
{
	clear_table(shadow, tag->lower, 4);
	if (tag->split)
		clear_table(shadow, tag->klower, 4);
	tag->split = false;
	link_all(shadow, tag);
}

static void free_tag(struct ringlet_shadow *shadow, struct ringlet_tag *tag)
{
	if (tag->lower)
		clear_table(shadow, tag->lower, 4);
	if (tag->klower)
		clear_table(shadow, tag->klower, 4);
	free_page((unsigned long)tag->lower);
	free_page((unsigned long)tag->klower);
	free_page((unsigned long)tag->uroot);
	free_page((unsigned long)tag->kroot);
	memset(tag, 0, sizeof(*tag));
}

static int new_tag(struct ringlet_shadow *shadow, struct ringlet_tag *tag)
{
	tag->lower = new_table();
	tag->klower = new_table();
	tag->uroot = new_table();
	tag->kroot = new_table();
	if (!tag->lower || !tag->klower || !tag->uroot || !tag->kroot) {
		free_tag(shadow, tag);
		return -ENOMEM;
	}
	tag->live = true;
	link_all(shadow, tag);
	return 0;
}

static struct ringlet_tag *find_tag(struct ringlet_shadow *shadow, u16 pcid)
{
	int i;

	for (i = 0; i < RINGLET_TAGS; i++)
		if (shadow->tags[i].live && shadow->tags[i].pcid == pcid)
			return &shadow->tags[i];
	return NULL;
}

/* One that is free, or the one not used for longest. */
static struct ringlet_tag *victim_tag(struct ringlet_shadow *shadow)
{
	struct ringlet_tag *victim = &shadow->tags[0];
	int i;

	for (i = 0; i < RINGLET_TAGS; i++) {
		struct ringlet_tag *tag = &shadow->tags[i];

		if (!tag->live)
			return tag;
		if (tag->used < victim->used)
			victim = tag;
	}
	return victim;
}

/**
 * ringlet_tags_load_cr3() - the guest loads CR3
 * @shadow: whose
 * @cr3: the value, PCID and NOFLUSH bit and all
 *
 * A tag that is kept is the guest's TLB under that PCID: without NOFLUSH its
 * user half goes, the shared upper half stays, as global entries do.
 *
 * Return: 0; -EINVAL for reserved bits; -ENOMEM, with the old CR3 in force.
 */
int ringlet_tags_load_cr3(struct ringlet_shadow *shadow, u64 cr3)
{
	u64 base = cr3 & ~(CR3_NOFLUSH | CR3_PCID);
	struct ringlet_tag *tag;
	int ret;

	if (base >= RINGLET_MAX_GPA)
		return -EINVAL;
	tag = find_tag(shadow, cr3 & CR3_PCID);
	if (!tag) {
		tag = victim_tag(shadow);
		if (tag->live) {
			flush_tag(shadow, tag);
		} else {
			ret = new_tag(shadow, tag);
			if (ret)
				return ret;
		}
		tag->pcid = cr3 & CR3_PCID;
	} else if (!(cr3 & CR3_NOFLUSH)) {
		flush_tag(shadow, tag);
	}
	tag->cr3 = base;
	tag->used = ++shadow->clock;
	shadow->current_tag = tag;
	return 0;
}

/**
 * ringlet_tags_flush_user() - the guest flushes its current address space
 * @shadow: whose; the upper half stays
 */
void ringlet_tags_flush_user(struct ringlet_shadow *shadow)
{
	flush_tag(shadow, shadow->current_tag);
}

/**
 * ringlet_tags_flush_all() - drop every leaf, of all tags and the upper half
 * @shadow: whose
 *
 * The shared page's mapping goes too; a fault brings it back.
 */
void ringlet_tags_flush_all(struct ringlet_shadow *shadow)
{
	int i;

	clear_table(shadow, shadow->upper, 4);
	for (i = 0; i < RINGLET_TAGS; i++)
		if (shadow->tags[i].live)
			flush_tag(shadow, &shadow->tags[i]);
}

/*
 * INVLPG in one level-4 table. If the leaf came from a large guest page, all
 * leaves of that page go: one INVLPG stands for the whole page (pitfalls 9).
 */
static void flush_address(struct ringlet_shadow *shadow, u64 *table, u64 gva)
{
	u64 *entry;
	int level;

	for (level = 4; level > 1; level--) {
		entry = &table[ringlet_index(gva, level)];
		if (!*entry)
			return;
		table = table_of(*entry);
		if (*entry & RINGLET_SPTE_LARGE) {
			WRITE_ONCE(*entry, *entry & ~RINGLET_SPTE_LARGE);
			clear_table(shadow, table, level - 1);
			return;
		}
	}
	WRITE_ONCE(table[ringlet_index(gva, 1)], 0);
}

/**
 * ringlet_tags_flush_address() - INVLPG
 * @shadow: whose
 * @gva: any address of the page
 *
 * Below the split in the current tag; above it for all tags.
 */
void ringlet_tags_flush_address(struct ringlet_shadow *shadow, u64 gva)
{
	if (!ringlet_canonical(gva))
		return;
	if (ringlet_upper_half(gva)) {
		flush_address(shadow, shadow->upper, gva);
		return;
	}
	flush_address(shadow, shadow->current_tag->lower, gva);
	if (shadow->current_tag->split)
		flush_address(shadow, shadow->current_tag->klower, gva);
}

/**
 * ringlet_tags_leaf() - the place of a leaf, with tables made on the way
 * @shadow: whose
 * @top: shadow->upper, or a table of the current tag's lower half
 * @gva: the address
 * @from: level of the guest's leaf: tables that a larger page fills are marked
 *
 * Return: the leaf's place; NULL if there is no memory for a table.
 */
u64 *ringlet_tags_leaf(struct ringlet_shadow *shadow, u64 *top, u64 gva,
		       int from)
{
	u64 *table = top;
	int level;

	for (level = 4; level > 1; level--) {
		u64 *entry = &table[ringlet_index(gva, level)];

		if (!*entry) {
			u64 *next = new_table();

			if (!next)
				return NULL;
			shadow->pages++;
			WRITE_ONCE(*entry, __pa(next) | RINGLET_TABLE_FLAGS);
			if (top == shadow->upper && level == 4)
				link_upper(shadow, ringlet_index(gva, 4));
			else if (level == 4)
				link_lower(shadow, shadow->current_tag,
					   ringlet_index(gva, 4));
		}
		if (from == level)
			*entry |= RINGLET_SPTE_LARGE;
		table = table_of(*entry);
	}
	return &table[ringlet_index(gva, 1)];
}

/**
 * ringlet_tags_split() - give the kernel root a lower half of its own
 * @shadow: whose current tag needs it: the guest has a supervisor page there
 */
void ringlet_tags_split(struct ringlet_shadow *shadow)
{
	shadow->current_tag->split = true;
	link_all(shadow, shadow->current_tag);
}

/**
 * ringlet_tags_init() - make an empty shadow, with CR3 = 0
 * @shadow: zeroed but for slot, la57 and max_pages
 *
 * Return: 0 or -ENOMEM.
 */
int ringlet_tags_init(struct ringlet_shadow *shadow)
{
	int ret;

	shadow->upper = new_table();
	if (!shadow->upper)
		return -ENOMEM;
	ret = ringlet_tags_load_cr3(shadow, 0);
	if (ret)
		ringlet_tags_exit(shadow);
	return ret;
}

/**
 * ringlet_tags_exit() - free all tables
 * @shadow: not in use any more; may be one that was never made
 */
void ringlet_tags_exit(struct ringlet_shadow *shadow)
{
	int i;

	for (i = 0; i < RINGLET_TAGS; i++)
		free_tag(shadow, &shadow->tags[i]);
	if (shadow->upper)
		clear_table(shadow, shadow->upper, 4);
	free_page((unsigned long)shadow->upper);
	shadow->upper = NULL;
}
