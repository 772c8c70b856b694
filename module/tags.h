/* SPDX-License-Identifier: GPL-2.0 */
/* The shadow's tag table and its page tables; see tags.c and shadow.c. */
#ifndef RINGLET_TAGS_H
#define RINGLET_TAGS_H

#include <linux/types.h>

#include "paging.h"

/* Guest address spaces whose shadows are kept at once; Linux uses six PCIDs. */
#define RINGLET_TAGS 8

/* An entry that points to a table: all rights are in the leaf. */
#define RINGLET_TABLE_FLAGS \
	(RINGLET_PTE_P | RINGLET_PTE_W | RINGLET_PTE_U | RINGLET_PTE_A)

/**
 * struct ringlet_tag - the shadow of one guest address space
 * @live: in use
 * @split: @klower is in use, see there
 * @pcid: guest PCID
 * @cr3: guest CR3 without PCID and NOFLUSH
 * @used: when it was last current, for eviction
 * @lower: level-4 table of the lower half: user pages, in both roots
 * @klower: the kernel root's own lower half, once the guest has mapped a
 *	supervisor page down there (text poking does)
 * @uroot: hardware root for guest user mode
 * @kroot: hardware root for guest kernel mode
 */
struct ringlet_tag {
	bool live;
	bool split;
	u16 pcid;
	u64 cr3;
	u64 used;
	u64 *lower;
	u64 *klower;
	u64 *uroot;
	u64 *kroot;
};

/**
 * struct ringlet_shadow - a vCPU's shadow page tables
 * @tags: address spaces
 * @current_tag: the one that guest CR3 names
 * @upper: level-4 table of the upper half, shared by all kernel roots
 * @clock: counts uses of tags
 * @pages: tables in use below level 4
 * @max_pages: more are not allocated: everything is dropped instead
 * @slot: every root's entry for the slot with the window
 * @la57: the host's roots have five levels
 */
struct ringlet_shadow {
	struct ringlet_tag tags[RINGLET_TAGS];
	struct ringlet_tag *current_tag;
	u64 *upper;
	u64 clock;
	unsigned long pages;
	unsigned long max_pages;
	u64 slot;
	bool la57;
};

int ringlet_tags_init(struct ringlet_shadow *shadow);
void ringlet_tags_exit(struct ringlet_shadow *shadow);
int ringlet_tags_load_cr3(struct ringlet_shadow *shadow, u64 cr3);
void ringlet_tags_flush_user(struct ringlet_shadow *shadow);
void ringlet_tags_flush_all(struct ringlet_shadow *shadow);
void ringlet_tags_flush_address(struct ringlet_shadow *shadow, u64 gva);
void ringlet_tags_split(struct ringlet_shadow *shadow);
u64 *ringlet_tags_leaf(struct ringlet_shadow *shadow, u64 *top, u64 gva,
		       int from);

#endif
