// SPDX-License-Identifier: GPL-2.0
/*
 * The tag table and the tables below it: which guest address spaces have a
 * shadow, where a leaf of theirs has its place, and what a flush takes away.
 * What leaves mean, and when they are made, is shadow.c's business.
 *
 * Nothing here knows the CPU or the vCPU. What the CPU may have cached of a tag
 * that is not so any more is said by a mark on the tag, `stale`; shadow.c makes
 * a flush of it at the next entry. Tables are pages of the kernel's, and that is
 * all it takes: KUnit runs this file under User-Mode Linux too.
 *
 * Host kernel, process context; vcpu->mutex held.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "../include/uapi/ringlet.h"
#include "tags.h"

/* clang-format off */
#define TOP_SLOT	271	/* in the root, whatever its level */
#define CR3_PCID	0xfffULL
#define CR3_NOFLUSH	BIT_ULL(63)

/*
 * Set by the CPU in an entry that leads to a table when the switcher writes to
 * that table through the recursive entry, where the same entry is a leaf; and
 * by us when we do. To the walk for a guest's address it means nothing.
 */
#define WRITTEN		RINGLET_PTE_D
/* clang-format on */

static u64 *new_page(void)
{
	return (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

#define TOO_OFTEN (RINGLET_WAYS_GIVEN * RINGLET_FILLS_PER_WAY)

static bool in_earnest(const struct ringlet_shadow *shadow)
{
	return shadow->gave_way >= TOO_OFTEN;
}

/**
 * ringlet_tags_may_give_way() - there was no memory for a table
 * @shadow: whose
 *
 * Return: true if it is to go without, for now: what it has it should give back.
 */
bool ringlet_tags_may_give_way(struct ringlet_shadow *shadow)
{
	if (in_earnest(shadow))
		return false;
	shadow->gave_way += RINGLET_FILLS_PER_WAY;
	/* What was there and goes now is made again first: in earnest, too. */
	if (in_earnest(shadow))
		shadow->gave_way = TOO_OFTEN + RINGLET_FILLS_PER_WAY;
	return true;
}

/**
 * ringlet_tags_filled() - a leaf was made
 * @shadow: whose
 */
void ringlet_tags_filled(struct ringlet_shadow *shadow)
{
	if (shadow->gave_way)
		shadow->gave_way--;
}

/*
 * A page for a table. A shadow is a cache: where memory is short, the host's or
 * that of the launcher's cgroup, it had better give back what it has than have
 * something killed for more; until that has not helped for too long.
 */
static u64 *new_table_page(const struct ringlet_shadow *shadow)
{
	if (in_earnest(shadow))
		return new_page();
	return (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT | __GFP_NORETRY |
				      __GFP_NOWARN);
}

static u64 *table_of(u64 entry)
{
	return __va(entry & RINGLET_PTE_ADDR);
}

static void mark_stale(struct ringlet_shadow *shadow, struct ringlet_tag *tag)
{
	tag->stale = true;
	shadow->changed = true;
}

/**
 * ringlet_tags_mark_all() - mark all tags as stale
 * @shadow: whose
 */
void ringlet_tags_mark_all(struct ringlet_shadow *shadow)
{
	int i;

	for (i = 0; i < RINGLET_TAGS; i++)
		mark_stale(shadow, &shadow->tags[i]);
}

/* What is cached of this half may be wrong from now on. */
static void mark_half(struct ringlet_shadow *shadow, struct ringlet_half *half)
{
	if (half == &shadow->upper)
		ringlet_tags_mark_all(shadow);
	else
		mark_stale(shadow, shadow->current_tag);
}

/*
 * A table is a page, and its struct page knows the entry that leads to it and
 * its level: all of a half's are emptied without looking for them.
 */
static u64 *new_table(struct ringlet_shadow *shadow, struct ringlet_half *half,
		      u64 *entry, int level)
{
	u64 *table = new_table_page(shadow);

	if (!table)
		return NULL;
	set_page_private(virt_to_page(table), (unsigned long)entry | level);
	list_add(&virt_to_page(table)->lru, &half->tables);
	half->count++;
	shadow->pages++;
	WRITE_ONCE(*entry, __pa(table) | RINGLET_TABLE_FLAGS);
	return table;
}

static void free_table(struct ringlet_shadow *shadow, struct ringlet_half *half,
		       u64 *table)
{
	struct page *page = virt_to_page(table);

	list_del(&page->lru);
	set_page_private(page, 0);
	free_page((unsigned long)table);
	half->count--;
	shadow->pages--;
}

/* Free what a table of @level (its entries' level) leads to; keep the table. */
static void free_below(struct ringlet_shadow *shadow, struct ringlet_half *half,
		       u64 *table, int level)
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
		if (entry & RINGLET_PTE_PS)
			continue;
		free_below(shadow, half, table_of(entry), level - 1);
		free_table(shadow, half, table_of(entry));
		/* A large guest has a million tables. */
		if (level == 2)
			cond_resched();
	}
}

/* Take all leaves out of a table if there can be any. */
static void empty_table(struct page *page)
{
	u64 *table = page_to_virt(page);
	u64 *entry = (u64 *)(page_private(page) & ~7UL);
	int level = page_private(page) & 7, i;

	if (!(*entry & WRITTEN))
		return;
	WRITE_ONCE(*entry, *entry & ~(WRITTEN | RINGLET_SPTE_LARGE));
	if (level == 1) {
		memset(table, 0, PAGE_SIZE);
		return;
	}
	for (i = 0; i < 512; i++)
		if (table[i] & RINGLET_PTE_PS)
			WRITE_ONCE(table[i], 0);
}

/*
 * Take all leaves away. The tables stay, for most will be needed again and the
 * switcher can put leaves into them without an exit, but not more than @keep:
 * then all are freed. Returns true if they were.
 */
static bool empty_half(struct ringlet_shadow *shadow, struct ringlet_half *half,
		       unsigned int keep)
{
	struct page *page;

	if (half->count > keep) {
		free_below(shadow, half, half->top, 4);
		return true;
	}
	list_for_each_entry(page, &half->tables, lru)
		empty_table(page);
	return false;
}

static int new_half(struct ringlet_half *half)
{
	INIT_LIST_HEAD(&half->tables);
	half->top = new_page();
	return half->top ? 0 : -ENOMEM;
}

static void free_half(struct ringlet_shadow *shadow, struct ringlet_half *half)
{
	if (half->top)
		free_below(shadow, half, half->top, 4);
	free_page((unsigned long)half->top);
	half->top = NULL;
}

/* Bring a tag's roots up to date after an entry of a level-4 table changed. */
static void link_lower(struct ringlet_shadow *shadow, struct ringlet_tag *tag,
		       unsigned int index)
{
	u64 kernel = tag->split ? tag->klower.top[index] :
				  tag->lower.top[index];

	if (shadow->la57)
		return; /* the roots point to the table itself */
	if (kernel && !tag->split)
		kernel |= RINGLET_PTE_NX;
	WRITE_ONCE(tag->uroot[index], tag->lower.top[index]);
	WRITE_ONCE(tag->kroot[index], kernel);
}

static void link_upper(struct ringlet_shadow *shadow, unsigned int index)
{
	int i;

	/* The hole's entries are ours, whatever the guest would have there. */
	if (shadow->la57 || index <= TOP_SLOT)
		return;
	for (i = 0; i < RINGLET_TAGS; i++)
		if (shadow->tags[i].live)
			WRITE_ONCE(shadow->tags[i].kroot[index],
				   shadow->upper.top[index]);
}

/* Point a tag's roots at its tables, wholly. */
static void link_all(struct ringlet_shadow *shadow, struct ringlet_tag *tag)
{
	unsigned int i;

	if (shadow->la57) {
		u64 *klower = tag->split ? tag->klower.top : tag->lower.top;

		tag->uroot[0] = __pa(tag->lower.top) | RINGLET_TABLE_FLAGS;
		tag->kroot[0] = __pa(klower) | RINGLET_TABLE_FLAGS |
				(tag->split ? 0 : RINGLET_PTE_NX);
		tag->kroot[511] = __pa(shadow->upper.top) | RINGLET_TABLE_FLAGS;
	} else {
		for (i = 0; i < 256; i++)
			link_lower(shadow, tag, i);
		for (i = TOP_SLOT + 1; i < 512; i++)
			tag->kroot[i] = shadow->upper.top[i];
	}
	tag->uroot[TOP_SLOT] = shadow->slot;
	tag->kroot[TOP_SLOT] = shadow->kernel_slot;
	if (shadow->recursive)
		tag->kroot[shadow->recursive] = __pa(tag->kroot) |
						RINGLET_RECURSIVE_FLAGS;
}

static void flush_tag(struct ringlet_shadow *shadow, struct ringlet_tag *tag)
{
	bool relink = empty_half(shadow, &tag->lower, RINGLET_KEEP_LOWER);

	if (tag->split)
		relink |= empty_half(shadow, &tag->klower, RINGLET_KEEP_SPLIT);
	if (relink)
		link_all(shadow, tag);
	mark_stale(shadow, tag);
}

/* Undo ringlet_tags_split(). */
static void join_tag(struct ringlet_shadow *shadow, struct ringlet_tag *tag)
{
	empty_half(shadow, &tag->klower, 0);
	tag->split = false;
	link_all(shadow, tag);
	mark_stale(shadow, tag);
}

static void free_tag(struct ringlet_shadow *shadow, struct ringlet_tag *tag)
{
	free_half(shadow, &tag->lower);
	free_half(shadow, &tag->klower);
	free_page((unsigned long)tag->uroot);
	free_page((unsigned long)tag->kroot);
	memset(tag, 0, sizeof(*tag));
}

static int new_tag(struct ringlet_shadow *shadow, struct ringlet_tag *tag)
{
	tag->uroot = new_page();
	tag->kroot = new_page();
	if (new_half(&tag->lower) || new_half(&tag->klower) || !tag->uroot ||
	    !tag->kroot) {
		free_tag(shadow, tag);
		return -ENOMEM;
	}
	tag->live = true;
	link_all(shadow, tag);
	mark_stale(shadow, tag);
	return 0;
}

/**
 * ringlet_tags_load_cr3() - the guest loads CR3
 * @shadow: whose
 * @cr3: the value, PCID and NOFLUSH bit and all
 *
 * A tag that is kept is the guest's TLB under that PCID: without NOFLUSH its
 * user half goes, the shared upper half stays, as global entries do. A PCID has
 * one place, by its number, that the switcher need not search: another PCID
 * there is evicted. Linux's six lie in a row.
 *
 * Return: 0; -EINVAL for reserved bits; -ENOMEM, with the old CR3 in force.
 */
int ringlet_tags_load_cr3(struct ringlet_shadow *shadow, u64 cr3)
{
	u64 base = cr3 & ~(CR3_NOFLUSH | CR3_PCID);
	u16 pcid = cr3 & CR3_PCID;
	struct ringlet_tag *tag = &shadow->tags[pcid % RINGLET_TAGS];
	int ret;

	if (base >= RINGLET_MAX_GPA)
		return -EINVAL;
	if (!tag->live) {
		ret = new_tag(shadow, tag);
		if (ret)
			return ret;
	} else if (tag->pcid != pcid || !(cr3 & CR3_NOFLUSH)) {
		flush_tag(shadow, tag);
	}
	if (tag->pcid != pcid || tag->cr3 != base) {
		shadow->changed = true;
		if (tag->split)
			join_tag(shadow, tag);
	}
	tag->pcid = pcid;
	tag->cr3 = base;
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
	bool relink = empty_half(shadow, &shadow->upper, RINGLET_KEEP_UPPER);
	int i;

	for (i = 0; i < RINGLET_TAGS; i++) {
		struct ringlet_tag *tag = &shadow->tags[i];

		if (!tag->live)
			continue;
		flush_tag(shadow, tag);
		if (relink)
			link_all(shadow, tag);
	}
}

/* All tables of a tag below its level-4 ones. */
static void free_tag_tables(struct ringlet_shadow *shadow,
			    struct ringlet_tag *tag)
{
	empty_half(shadow, &tag->lower, 0);
	empty_half(shadow, &tag->klower, 0);
	link_all(shadow, tag);
	mark_stale(shadow, tag);
}

static bool has_tables(const struct ringlet_tag *tag)
{
	return tag->lower.count || tag->klower.count;
}

/*
 * The tag that got no leaf from us for the longest time, the current one if
 * there is no other; NULL if none has tables.
 */
static struct ringlet_tag *oldest_tag(struct ringlet_shadow *shadow)
{
	struct ringlet_tag *current_tag = shadow->current_tag, *oldest = NULL;
	int i;

	for (i = 0; i < RINGLET_TAGS; i++) {
		struct ringlet_tag *tag = &shadow->tags[i];

		if (tag == current_tag || !has_tables(tag))
			continue;
		if (!oldest || tag->used < oldest->used)
			oldest = tag;
	}
	return oldest || !has_tables(current_tag) ? oldest : current_tag;
}

/**
 * ringlet_tags_give_back() - free tables
 * @shadow: whose
 * @n: how many at least, if there are so many
 *
 * Tag by tag, the oldest first and whole: most that is in it is empty or not
 * wanted any more. The upper half, which all need, goes last.
 *
 * Return: how many were freed.
 */
unsigned long ringlet_tags_give_back(struct ringlet_shadow *shadow,
				     unsigned long n)
{
	unsigned long before = shadow->pages;
	struct ringlet_tag *tag;
	int i;

	while (before - shadow->pages < n) {
		tag = oldest_tag(shadow);
		if (!tag)
			break;
		free_tag_tables(shadow, tag);
	}
	if (before - shadow->pages < n && shadow->upper.count) {
		empty_half(shadow, &shadow->upper, 0);
		for (i = 0; i < RINGLET_TAGS; i++)
			if (shadow->tags[i].live)
				link_all(shadow, &shadow->tags[i]);
		ringlet_tags_mark_all(shadow);
	}
	shadow->given_back += before - shadow->pages;
	return before - shadow->pages;
}

/**
 * ringlet_tags_limit() - how many tables a vCPU may have
 * @pages: of guest memory
 * @vcpus: of the guest, at least 1
 *
 * Return: the number, for ringlet_shadow.max_pages.
 */
unsigned long ringlet_tags_limit(unsigned long pages, unsigned int vcpus)
{
	return RINGLET_TABLES_PER_VCPU + pages / RINGLET_TABLES_PART / vcpus;
}

/*
 * INVLPG in one half. If the leaf came from a large guest page, all leaves of
 * that page go: one INVLPG stands for the whole page (pitfalls 9).
 */
static void flush_address(struct ringlet_shadow *shadow,
			  struct ringlet_half *half, u64 gva)
{
	u64 *table = half->top, *entry;
	int level;

	for (level = 4; level > 1; level--) {
		entry = &table[ringlet_index(gva, level)];
		if (!*entry)
			return;
		if (*entry & RINGLET_PTE_PS) {
			WRITE_ONCE(*entry, 0);
			return;
		}
		table = table_of(*entry);
		if (*entry & RINGLET_SPTE_LARGE) {
			WRITE_ONCE(*entry, *entry & ~RINGLET_SPTE_LARGE);
			free_below(shadow, half, table, level - 1);
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
	struct ringlet_tag *tag = shadow->current_tag;

	if (!ringlet_canonical(gva))
		return;
	if (ringlet_upper_half(gva)) {
		flush_address(shadow, &shadow->upper, gva);
		mark_half(shadow, &shadow->upper);
		return;
	}
	flush_address(shadow, &tag->lower, gva);
	if (tag->split)
		flush_address(shadow, &tag->klower, gva);
	mark_half(shadow, &tag->lower);
}

/**
 * ringlet_tags_mark_current() - mark the current tag as stale
 * @shadow: whose; what the CPU has cached of that tag may be wrong
 */
void ringlet_tags_mark_current(struct ringlet_shadow *shadow)
{
	mark_stale(shadow, shadow->current_tag);
}

/* Clear the leaves of [start, end) in a table of @level that begins at @base. */
static void clear_range(struct ringlet_shadow *shadow,
			struct ringlet_half *half, u64 *table, int level,
			u64 base, u64 start, u64 end)
{
	u64 size = 1ULL << (12 + 9 * (level - 1)), gva;
	unsigned int i;

	for (i = start > base ? (start - base) / size : 0; i < 512; i++) {
		gva = base + i * size;
		if (gva >= end)
			return;
		if (!table[i])
			continue;
		if (level == 1 || (table[i] & RINGLET_PTE_PS)) {
			WRITE_ONCE(table[i], 0);
		} else if ((table[i] & RINGLET_SPTE_LARGE) ||
			   (start <= gva && gva + size <= end)) {
			WRITE_ONCE(table[i], table[i] & ~RINGLET_SPTE_LARGE);
			free_below(shadow, half, table_of(table[i]), level - 1);
		} else {
			clear_range(shadow, half, table_of(table[i]), level - 1,
				    gva, start, end);
		}
	}
}

/**
 * ringlet_tags_flush_range() - flush one of the guest's address spaces
 * @shadow: whose
 * @root: guest CR3 without PCID: each tag that has it is concerned, current or
 *	not, for the guest's vCPUs do not know one another's PCIDs
 * @start: first address, page-aligned, in the lower half
 * @end: first address beyond; 0 for the whole lower half
 */
void ringlet_tags_flush_range(struct ringlet_shadow *shadow, u64 root,
			      u64 start, u64 end)
{
	int i;

	for (i = 0; i < RINGLET_TAGS; i++) {
		struct ringlet_tag *tag = &shadow->tags[i];

		if (!tag->live || tag->cr3 != root)
			continue;
		if (!end) {
			flush_tag(shadow, tag);
			continue;
		}
		clear_range(shadow, &tag->lower, tag->lower.top, 4, 0, start,
			    end);
		if (tag->split)
			clear_range(shadow, &tag->klower, tag->klower.top, 4, 0,
				    start, end);
		mark_stale(shadow, tag);
	}
}

/*
 * The entry of a level that leads to the table for an address, with the table.
 * If a large leaf is in its place it goes: it had more than what comes now.
 */
static u64 *make_table(struct ringlet_shadow *shadow, struct ringlet_half *half,
		       u64 *entry, u64 gva, int level)
{
	if (*entry & RINGLET_PTE_PS) {
		WRITE_ONCE(*entry, 0);
		mark_half(shadow, half);
	}
	if (*entry)
		return table_of(*entry);
	if (!new_table(shadow, half, entry, level - 1))
		return NULL;
	if (half == &shadow->upper && level == 4)
		link_upper(shadow, ringlet_index(gva, 4));
	else if (level == 4)
		link_lower(shadow, shadow->current_tag, ringlet_index(gva, 4));
	return table_of(*entry);
}

static u64 *find_place(struct ringlet_shadow *shadow, struct ringlet_half *half,
		       u64 gva, int from, int to)
{
	u64 *table = half->top, *entry;
	int level;

	if (half != &shadow->upper)
		shadow->current_tag->used = ++shadow->clock;
	for (level = 4; level > to; level--) {
		entry = &table[ringlet_index(gva, level)];
		table = make_table(shadow, half, entry, gva, level);
		if (!table)
			return NULL;
		if (from == level)
			*entry |= RINGLET_SPTE_LARGE | WRITTEN;
		else if (level == to + 1)
			*entry |= WRITTEN;
	}
	return &table[ringlet_index(gva, to)];
}

/**
 * ringlet_tags_leaf() - the place of a leaf, with tables made on the way
 * @shadow: whose
 * @half: the upper, or one of the current tag's
 * @gva: the address
 * @from: level of the guest's leaf: tables that a larger page fills are marked
 *
 * Return: the leaf's place; NULL if there is no memory for a table.
 */
u64 *ringlet_tags_leaf(struct ringlet_shadow *shadow, struct ringlet_half *half,
		       u64 gva, int from)
{
	return find_place(shadow, half, gva, from, 1);
}

/**
 * ringlet_tags_large_leaf() - the place of a leaf of 2 MiB
 * @shadow: whose
 * @half: as for ringlet_tags_leaf()
 * @gva: any address in it
 * @from: as for ringlet_tags_leaf(); 2 or 3
 *
 * A table that is there goes, and the tag is stale: the CPU must not find both
 * sizes for one address (X86_BUG_ITLB_MULTIHIT makes a machine check of it).
 *
 * Return: the leaf's place; NULL if there is no memory for a table.
 */
u64 *ringlet_tags_large_leaf(struct ringlet_shadow *shadow,
			     struct ringlet_half *half, u64 gva, int from)
{
	u64 *leaf = find_place(shadow, half, gva, from, 2), entry;

	if (!leaf || !*leaf || (*leaf & RINGLET_PTE_PS))
		return leaf;
	entry = *leaf;
	WRITE_ONCE(*leaf, 0);
	free_table(shadow, half, table_of(entry));
	mark_half(shadow, half);
	return leaf;
}

/**
 * ringlet_tags_split() - give the kernel root a lower half of its own
 * @shadow: whose current tag needs it: the guest has a supervisor page there
 *
 * It has it until another address space takes the tag: what has mapped such a
 * page once will do so again. (Linux patches its text through one, thousands of
 * times at boot, with a flush each time.)
 */
void ringlet_tags_split(struct ringlet_shadow *shadow)
{
	struct ringlet_tag *tag = shadow->current_tag;

	tag->split = true;
	link_all(shadow, tag);
	mark_stale(shadow, tag);
}

/**
 * ringlet_tags_root() - what CR3 is to be for a tag
 * @shadow: whose
 * @tag: a live one
 * @user: for guest user mode
 *
 * Return: the root, with a hardware PCID of the tag's own if there are PCIDs.
 */
u64 ringlet_tags_root(const struct ringlet_shadow *shadow,
		      const struct ringlet_tag *tag, bool user)
{
	u64 pcid = 0;

	if (shadow->pcid)
		pcid = shadow->pcid + 2 * (tag - shadow->tags) + !user;
	return __pa(user ? tag->uroot : tag->kroot) | pcid;
}

/**
 * ringlet_tags_init() - make an empty shadow, with CR3 = 0
 * @shadow: zeroed but for the fields that say what the host is like
 *
 * Return: 0 or -ENOMEM.
 */
int ringlet_tags_init(struct ringlet_shadow *shadow)
{
	int ret;

	ret = new_half(&shadow->upper);
	if (ret)
		return ret;
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
	free_half(shadow, &shadow->upper);
}
