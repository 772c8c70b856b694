/* SPDX-License-Identifier: GPL-2.0 */
/* The shadow's tag table and its page tables; see tags.c and shadow.c. */
#ifndef RINGLET_TAGS_H
#define RINGLET_TAGS_H

#include <linux/list.h>
#include <linux/types.h>

#include "compat/data_racy.h"
#include "paging.h"

/* clang-format off */
/* Guest address spaces whose shadows are kept at once; Linux uses six PCIDs. */
#define RINGLET_TAGS		8

/*
 * Tables that a flush leaves in place, without their leaves, in a tag's lower
 * half (a process of Linux's has a dozen or two) and in the upper half.
 */
#define RINGLET_KEEP_LOWER	64
#define RINGLET_KEEP_SPLIT	16	/* of the kernel's own lower half */
#define RINGLET_KEEP_UPPER	1024

/*
 * Tables below level 4 that a guest may have: so many for each of its vCPUs, and
 * for all of them together this part of its memory.
 */
#define RINGLET_TABLES_PER_VCPU	2048
#define RINGLET_TABLES_PART	16

/*
 * So often a shadow gives way where memory is short. Only then is a table worth
 * killing for: without it nothing goes on. A time counts as forgotten after so
 * many leaves that were made: fewer can be what one instruction needs, and makes
 * anew whenever all tables went for its last (code, stack, what it reads and
 * writes, each across a page's end, and an exception's frame).
 */
#define RINGLET_WAYS_GIVEN	64
#define RINGLET_FILLS_PER_WAY	16

/* An entry that points to a table: all rights are in the leaf. */
#define RINGLET_TABLE_FLAGS \
	(RINGLET_PTE_P | RINGLET_PTE_W | RINGLET_PTE_U | RINGLET_PTE_A)

/* A root's entry that points to the root: for the switcher alone, U = 0. */
#define RINGLET_RECURSIVE_FLAGS \
	(RINGLET_PTE_P | RINGLET_PTE_W | RINGLET_PTE_A | RINGLET_PTE_D | \
	 RINGLET_PTE_NX)
/* clang-format on */

/**
 * struct ringlet_half - shadow tables of one half of an address space
 * @top: level-4 table
 * @tables: those below it, by page.lru; page.private is the entry that leads
 *	to the table and, in its low bits, the table's level
 * @count: of them
 */
struct ringlet_half {
	u64 *top;
	struct list_head tables;
	unsigned int count;
};

/**
 * struct ringlet_tag - the shadow of one guest address space
 * @live: in use
 * @split: @klower is in use, see there
 * @stale: something was taken away or narrowed that the CPU may have cached
 *	under the tag's hardware PCIDs
 * @pcid: guest PCID
 * @cr3: guest CR3 without PCID and NOFLUSH
 * @used: the shadow's clock when a place for a leaf was last looked for
 * @lower: the lower half: user pages, in both roots
 * @klower: the kernel root's own lower half, once the guest has mapped a
 *	supervisor page down there (text poking does)
 * @uroot: hardware root for guest user mode
 * @kroot: hardware root for guest kernel mode
 */
struct ringlet_tag {
	bool live;
	bool split;
	bool stale;
	u16 pcid;
	u64 cr3;
	u64 used;
	struct ringlet_half lower;
	struct ringlet_half klower;
	u64 *uroot;
	u64 *kroot;
};

/**
 * struct ringlet_shadow - a vCPU's shadow page tables
 * @tags: address spaces, by guest PCID modulo their number
 * @current_tag: the one that guest CR3 names
 * @upper: the upper half, shared by all kernel roots
 * @changed: what the switcher knows of the tags is not true any more
 * @max_pages: with so many some must go before there are more
 * @clock: counts leaves in the lower halves
 * @gave_way: times lately that there was no memory for a table, each as
 *	RINGLET_FILLS_PER_WAY
 * @slot: every user root's entry for the slot with the window
 * @kernel_slot: every kernel root's: the window and the linear map
 * @recursive: index of every kernel root's entry that leads to itself, or 0
 * @pcid: first of the hardware PCIDs, two for each tag; 0: none
 * @la57: the host's roots have five levels
 * @pages: tables in use below level 4
 * @given_back: tables freed because there were too many, or the host wanted them
 */
struct ringlet_shadow {
	struct ringlet_tag tags[RINGLET_TAGS];
	struct ringlet_tag *current_tag;
	struct ringlet_half upper;
	bool changed;
	unsigned long max_pages;
	u64 clock;
	unsigned int gave_way;
	u64 slot;
	u64 kernel_slot;
	unsigned int recursive;
	unsigned int pcid;
	bool la57;

	__data_racy unsigned long pages;
	__data_racy u64 given_back;
};

bool ringlet_tags_may_give_way(struct ringlet_shadow *shadow);
void ringlet_tags_filled(struct ringlet_shadow *shadow);
int ringlet_tags_init(struct ringlet_shadow *shadow);
void ringlet_tags_exit(struct ringlet_shadow *shadow);
int ringlet_tags_load_cr3(struct ringlet_shadow *shadow, u64 cr3);
void ringlet_tags_flush_user(struct ringlet_shadow *shadow);
void ringlet_tags_flush_all(struct ringlet_shadow *shadow);
unsigned long ringlet_tags_give_back(struct ringlet_shadow *shadow,
				     unsigned long n);
unsigned long ringlet_tags_limit(unsigned long pages, unsigned int vcpus);
void ringlet_tags_flush_address(struct ringlet_shadow *shadow, u64 gva);
void ringlet_tags_flush_range(struct ringlet_shadow *shadow, u64 root,
			      u64 start, u64 end);
void ringlet_tags_split(struct ringlet_shadow *shadow);
void ringlet_tags_mark_current(struct ringlet_shadow *shadow);
void ringlet_tags_mark_all(struct ringlet_shadow *shadow);
u64 *ringlet_tags_leaf(struct ringlet_shadow *shadow, struct ringlet_half *half,
		       u64 gva, int from);
u64 *ringlet_tags_large_leaf(struct ringlet_shadow *shadow,
			     struct ringlet_half *half, u64 gva, int from);
u64 ringlet_tags_root(const struct ringlet_shadow *shadow,
		      const struct ringlet_tag *tag, bool user);

#endif
