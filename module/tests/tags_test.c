// SPDX-License-Identifier: GPL-2.0
/*
 * The shadow's bookkeeping: tags come, go and are evicted as a TLB with PCIDs
 * would have it; both roots show what they should, with four levels and with
 * five; a flush takes away what it must, all of a large page at once, and
 * nothing else, and says what the CPU may have cached of it; what is not there
 * is 0; every table is counted and freed.
 *
 * Roots are read here as the CPU reads them, from the top down.
 */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/mm.h>

#include "../../include/uapi/ringlet.h"
#include "../tags.h"

/* clang-format off */
#define NOFLUSH		BIT_ULL(63)
#define SLOT		(0xabc000 | RINGLET_TABLE_FLAGS)
#define KERNEL_SLOT	(0xdef000 | RINGLET_TABLE_FLAGS)
#define RECURSIVE	270
#define PCID		3088
#define LARGE		(0x40000000 | RINGLET_TABLE_FLAGS | RINGLET_PTE_D)
#define LEAF		(0x123000 | RINGLET_TABLE_FLAGS | RINGLET_PTE_D)
#define USER_GVA	0x00007f1234567000ULL
#define TEXT_GVA	0x0000000000401000ULL
#define KERNEL_GVA	0xffffffff81234000ULL
#define DIRECT_GVA	0xffff888012345000ULL
#define MIB2		BIT_ULL(21)
#define GIB		BIT_ULL(30)
/* clang-format on */

/* What an entry of the tables holds for an address, as a root leads there. */
struct found {
	u64 leaf;
	bool nx;
};

/* Level of a root's entries. */
static int root_level(const struct ringlet_shadow *shadow)
{
	return shadow->la57 ? 5 : 4;
}

static struct found look(const struct ringlet_shadow *shadow, u64 *root,
			 u64 gva)
{
	struct found found = {};
	u64 *table = root;
	int level;

	for (level = root_level(shadow);; level--) {
		u64 entry = table[gva >> (12 + 9 * (level - 1)) & 511];

		found.nx |= entry >> 63;
		if (level == 1 || !entry) {
			found.leaf = entry;
			return found;
		}
		/* A large leaf stands for the small one that it contains. */
		if (level == 2 && (entry & RINGLET_PTE_PS)) {
			found.leaf = (entry & ~RINGLET_PTE_PS) +
				     (gva & (MIB2 - 1) & ~0xfffULL);
			return found;
		}
		table = __va(entry & RINGLET_PTE_ADDR);
	}
}

static u64 in_user_root(const struct ringlet_shadow *shadow, u64 gva)
{
	return look(shadow, shadow->current_tag->uroot, gva).leaf;
}

static u64 in_kernel_root(const struct ringlet_shadow *shadow, u64 gva)
{
	return look(shadow, shadow->current_tag->kroot, gva).leaf;
}

/* Put a leaf where shadow.c would, for a guest's leaf of a level. */
static void fill(struct kunit *test, struct ringlet_half *half, u64 gva,
		 int from, u64 value)
{
	struct ringlet_shadow *shadow = test->priv;
	u64 *leaf = ringlet_tags_leaf(shadow, half, gva, from);

	KUNIT_ASSERT_NOT_NULL(test, leaf);
	WRITE_ONCE(*leaf, value);
}

static void fill_user(struct kunit *test, u64 gva)
{
	struct ringlet_shadow *shadow = test->priv;

	fill(test, &shadow->current_tag->lower, gva, 1, LEAF);
}

static void fill_upper(struct kunit *test, u64 gva)
{
	struct ringlet_shadow *shadow = test->priv;

	fill(test, &shadow->upper, gva, 1, LEAF);
}

static void fill_large(struct kunit *test, struct ringlet_half *half, u64 gva,
		       int from, u64 value)
{
	struct ringlet_shadow *shadow = test->priv;
	u64 *leaf = ringlet_tags_large_leaf(shadow, half, gva, from);

	KUNIT_ASSERT_NOT_NULL(test, leaf);
	WRITE_ONCE(*leaf, value | RINGLET_PTE_PS);
}

static void load(struct kunit *test, u64 cr3)
{
	KUNIT_ASSERT_EQ(test, ringlet_tags_load_cr3(test->priv, cr3), 0);
}

/* ---- Roots ---- */

static void empty_roots_have_the_slot_only(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_tag *tag = shadow->current_tag;
	int i;

	KUNIT_EXPECT_EQ(test, tag->uroot[271], SLOT);
	KUNIT_EXPECT_EQ(test, tag->kroot[271], KERNEL_SLOT);
	for (i = 0; i < 512; i++) {
		bool table = shadow->la57 && (i == 0 || i == 511);

		if (i == 271)
			continue;
		KUNIT_EXPECT_EQ(test, !!tag->kroot[i], table || i == RECURSIVE);
		KUNIT_EXPECT_EQ(test, !!tag->uroot[i], table && !i);
	}
	KUNIT_EXPECT_EQ(test, shadow->pages, 0);
}

static void user_page_is_in_both_roots(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_tag *tag = shadow->current_tag;

	fill_user(test, USER_GVA);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), LEAF);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, USER_GVA), LEAF);
	/* SMEP is the kernel root's top-level entry. */
	KUNIT_EXPECT_FALSE(test, look(shadow, tag->uroot, USER_GVA).nx);
	KUNIT_EXPECT_TRUE(test, look(shadow, tag->kroot, USER_GVA).nx);
	KUNIT_EXPECT_EQ(test, shadow->pages, 3);
}

static void kernel_page_is_in_all_kernel_roots(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	int pcid;

	for (pcid = 1; pcid <= 3; pcid++)
		load(test, 0x1000 * pcid | pcid);
	fill_upper(test, KERNEL_GVA);
	load(test, 0x9000 | 9);
	for (pcid = 0; pcid < RINGLET_TAGS; pcid++) {
		struct ringlet_tag *tag = &shadow->tags[pcid];

		if (!tag->live)
			continue;
		KUNIT_EXPECT_EQ(test, look(shadow, tag->kroot, KERNEL_GVA).leaf,
				LEAF);
		KUNIT_EXPECT_FALSE(test,
				   look(shadow, tag->kroot, KERNEL_GVA).nx);
		KUNIT_EXPECT_EQ(test, look(shadow, tag->uroot, KERNEL_GVA).leaf,
				0);
	}
}

static void whole_upper_half_is_reached(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	fill_upper(test, DIRECT_GVA);
	fill_upper(test, RINGLET_SHARED_VA);
	fill_upper(test, ~0xfffULL);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, DIRECT_GVA), LEAF);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, RINGLET_SHARED_VA), LEAF);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, ~0xfffULL), LEAF);
	KUNIT_EXPECT_EQ(test, shadow->current_tag->kroot[271], KERNEL_SLOT);
}

/* By way of the recursive entry a leaf's place is a page of the kernel root. */
static u64 *recursive_leaf(const struct ringlet_shadow *shadow, u64 gva)
{
	u64 *table = shadow->current_tag->kroot;
	int level;

	/* The root once more, then all levels but the leaf's own. */
	table = __va(table[RECURSIVE] & RINGLET_PTE_ADDR);
	for (level = root_level(shadow); level > 1; level--)
		table = __va(table[gva >> (12 + 9 * (level - 1)) & 511] &
			     RINGLET_PTE_ADDR);
	return &table[gva >> 12 & 511];
}

static void kernel_root_contains_itself(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_tag *tag;
	u64 entry;
	int pcid;

	for (pcid = 0; pcid < 3; pcid++) {
		load(test, 0x1000 * pcid | pcid);
		tag = shadow->current_tag;
		fill_user(test, USER_GVA);
		fill_upper(test, KERNEL_GVA);
		ringlet_tags_split(shadow);
		fill(test, &tag->klower, TEXT_GVA, 1, LEAF);
		entry = tag->kroot[RECURSIVE];
		KUNIT_EXPECT_PTR_EQ(test, (u64 *)__va(entry & RINGLET_PTE_ADDR),
				    tag->kroot);
		/* The switcher may write there, and nobody else even read. */
		KUNIT_EXPECT_TRUE(test, entry & RINGLET_PTE_P);
		KUNIT_EXPECT_TRUE(test, entry & RINGLET_PTE_W);
		KUNIT_EXPECT_TRUE(test, entry & RINGLET_PTE_NX);
		KUNIT_EXPECT_FALSE(test, entry & RINGLET_PTE_U);
		KUNIT_EXPECT_EQ(test, tag->uroot[RECURSIVE], 0);
		KUNIT_EXPECT_EQ(test, *recursive_leaf(shadow, TEXT_GVA), LEAF);
		KUNIT_EXPECT_EQ(test, *recursive_leaf(shadow, KERNEL_GVA),
				LEAF);
	}
}

/* Where the guest's tables may not lead, the hole, its entries never go. */
static void hole_is_not_the_guests(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_tag *tag = shadow->current_tag;
	u64 own = tag->kroot[RECURSIVE];
	int i;

	if (shadow->la57)
		kunit_skip(test, "the hole is in a table of its own there");
	for (i = 256; i < 272; i++)
		fill_upper(test, ~0ULL << 48 | (u64)i << 39);
	ringlet_tags_flush_user(shadow);
	ringlet_tags_split(shadow);
	load(test, 0x1000 | 1);
	for (i = 256; i < 270; i++) {
		KUNIT_EXPECT_EQ(test, tag->kroot[i], 0);
		KUNIT_EXPECT_EQ(test, shadow->current_tag->kroot[i], 0);
	}
	KUNIT_EXPECT_EQ(test, tag->kroot[RECURSIVE], own);
	KUNIT_EXPECT_EQ(test, tag->kroot[271], KERNEL_SLOT);
	KUNIT_EXPECT_EQ(test, shadow->current_tag->kroot[271], KERNEL_SLOT);
}

static void nothing_recursive_where_it_is_not_wanted(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	ringlet_tags_exit(shadow);
	shadow->recursive = 0;
	KUNIT_ASSERT_EQ(test, ringlet_tags_init(shadow), 0);
	KUNIT_EXPECT_EQ(test, shadow->current_tag->kroot[RECURSIVE], 0);
}

/* ---- Hardware roots ---- */

/* Every root of every tag has a PCID that no other has. */
static void roots_have_pcids_of_their_own(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	u64 seen = 0, root;
	int i;

	for (i = 0; i < 2 * RINGLET_TAGS; i++) {
		load(test, i / 2);
		root = ringlet_tags_root(shadow, shadow->current_tag, i & 1);
		KUNIT_EXPECT_PTR_EQ(test, (u64 *)__va(root & RINGLET_PTE_ADDR),
				    i & 1 ? shadow->current_tag->uroot :
					    shadow->current_tag->kroot);
		KUNIT_EXPECT_EQ(test, root >> 52, 0);
		KUNIT_ASSERT_GE(test, root & 0xfff, PCID);
		KUNIT_ASSERT_LT(test, root & 0xfff, PCID + 16);
		KUNIT_EXPECT_FALSE(test, seen & BIT_ULL((root & 0xfff) - PCID));
		seen |= BIT_ULL((root & 0xfff) - PCID);
	}
}

static void host_without_pcids(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	shadow->pcid = 0;
	load(test, 0x1000 | 3);
	KUNIT_EXPECT_EQ(test, __pa(shadow->current_tag->kroot),
			ringlet_tags_root(shadow, shadow->current_tag, false));
	KUNIT_EXPECT_EQ(test, __pa(shadow->current_tag->uroot),
			ringlet_tags_root(shadow, shadow->current_tag, true));
}

/* As shadow.c does at each entry. */
static void enter(struct ringlet_shadow *shadow)
{
	int i;

	shadow->changed = false;
	for (i = 0; i < RINGLET_TAGS; i++)
		shadow->tags[i].stale = false;
}

/* Are just the tags of the bits in @tags stale? */
static void expect_stale(struct kunit *test, unsigned int tags)
{
	struct ringlet_shadow *shadow = test->priv;
	unsigned int stale = 0;
	int i;

	for (i = 0; i < RINGLET_TAGS; i++)
		if (shadow->tags[i].live && shadow->tags[i].stale)
			stale |= BIT(i);
	KUNIT_EXPECT_EQ(test, stale, tags);
	if (tags)
		KUNIT_EXPECT_TRUE(test, shadow->changed);
	enter(shadow);
}

/* What takes away or narrows something says what may be cached of it. */
static void what_is_taken_is_stale(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	load(test, 0x1000 | 1);
	load(test, 0x2000 | 2);
	expect_stale(test, 7); /* they are new */

	fill_user(test, USER_GVA);
	ringlet_tags_flush_user(shadow);
	expect_stale(test, BIT(2));
	fill_user(test, USER_GVA);
	ringlet_tags_flush_address(shadow, USER_GVA);
	expect_stale(test, BIT(2));
	fill_upper(test, KERNEL_GVA);
	ringlet_tags_flush_address(shadow, KERNEL_GVA);
	expect_stale(test, 7);
	fill_upper(test, KERNEL_GVA);
	ringlet_tags_flush_all(shadow);
	expect_stale(test, 7);
	ringlet_tags_split(shadow);
	expect_stale(test, BIT(2));
	load(test, 0x1000 | 1);
	expect_stale(test, BIT(1));
	load(test, 0x9000 | 9 | NOFLUSH); /* evicts 1 */
	expect_stale(test, BIT(1));
	ringlet_tags_mark_current(shadow);
	expect_stale(test, BIT(1));
	ringlet_tags_mark_all(shadow);
	expect_stale(test, 7);
}

/* And what only adds something does not: that is what NOFLUSH is for. */
static void what_is_added_is_not_stale(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	load(test, 0x1000 | 1);
	load(test, 0x2000 | 2);
	enter(shadow);
	fill_user(test, USER_GVA);
	fill_upper(test, KERNEL_GVA);
	fill(test, &shadow->upper, DIRECT_GVA, 3, LEAF);
	load(test, 0x1000 | 1 | NOFLUSH);
	KUNIT_EXPECT_FALSE(test, shadow->changed);
	fill_user(test, USER_GVA);
	expect_stale(test, 0);
	/* Another CR3 under the same PCID is for the switcher to know. */
	load(test, 0x3000 | 1 | NOFLUSH);
	KUNIT_EXPECT_TRUE(test, shadow->changed);
	expect_stale(test, 0);
}

/* ---- Tags ---- */

static void address_spaces_are_apart(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	load(test, 0x1000 | 1);
	fill_user(test, USER_GVA);
	load(test, 0x2000 | 2);
	KUNIT_EXPECT_EQ(test, shadow->current_tag->cr3, 0x2000);
	KUNIT_EXPECT_EQ(test, shadow->current_tag->pcid, 2);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), 0);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, USER_GVA), 0);
}

static void noflush_keeps_a_tag(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	load(test, 0x1000 | 1);
	fill_user(test, USER_GVA);
	load(test, 0x2000 | 2);
	load(test, 0x1000 | 1 | NOFLUSH);
	KUNIT_EXPECT_EQ(test, shadow->current_tag->cr3, 0x1000);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), LEAF);
	/* The PCID is what counts: as on hardware, another CR3 keeps it too. */
	load(test, 0x7000 | 1 | NOFLUSH);
	KUNIT_EXPECT_EQ(test, shadow->current_tag->cr3, 0x7000);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), LEAF);
}

static void flushing_load_empties_its_tag_only(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	fill_upper(test, KERNEL_GVA);
	load(test, 0x1000 | 1);
	fill_user(test, USER_GVA);
	load(test, 0x2000 | 2);
	fill_user(test, USER_GVA);
	load(test, 0x1000 | 1);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), 0);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, KERNEL_GVA), LEAF);
	load(test, 0x2000 | 2 | NOFLUSH);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), LEAF);
}

/* NOFLUSH on a PCID whose tag was evicted must not bring old leaves back. */
static void tag_is_evicted_by_its_place(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	int i;

	for (i = 0; i < RINGLET_TAGS; i++) {
		load(test, 0x1000 * i | i);
		fill_user(test, USER_GVA);
	}
	load(test, 0x50000 | (2 + RINGLET_TAGS) | NOFLUSH);
	KUNIT_EXPECT_PTR_EQ(test, shadow->current_tag, &shadow->tags[2]);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), 0);
	fill_user(test, USER_GVA);
	for (i = 0; i < RINGLET_TAGS; i++) {
		load(test, 0x1000 * i | i | NOFLUSH);
		KUNIT_EXPECT_PTR_EQ(test, shadow->current_tag,
				    &shadow->tags[i]);
		KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA),
				i == 2 ? 0 : LEAF);
	}
}

/* More address spaces than tags, for long: one tag per PCID, none lost. */
static void many_address_spaces(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	int i, j;

	for (i = 0; i < 1000; i++) {
		load(test, (u64)i << 12 | (i * 7 % 4096));
		KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), 0);
		fill_user(test, USER_GVA);
	}
	for (i = 0; i < RINGLET_TAGS; i++)
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_NE(test, shadow->tags[i].pcid,
					shadow->tags[j].pcid);
	KUNIT_EXPECT_EQ(test, shadow->pages, 3 * RINGLET_TAGS);
}

static void cr3_beyond_memory_is_refused(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	int bit;

	load(test, 0x1000 | 1);
	for (bit = 46; bit < 63; bit++)
		KUNIT_EXPECT_EQ(test,
				ringlet_tags_load_cr3(shadow, BIT_ULL(bit) | 2),
				-EINVAL);
	KUNIT_EXPECT_EQ(test, shadow->current_tag->cr3, 0x1000);
	KUNIT_EXPECT_EQ(test, shadow->current_tag->pcid, 1);
	load(test, RINGLET_MAX_GPA - 0x1000);
}

/* ---- Flushes ---- */

static void flush_user_keeps_the_upper_half(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	fill_upper(test, KERNEL_GVA);
	fill_user(test, USER_GVA);
	fill_user(test, TEXT_GVA);
	ringlet_tags_flush_user(shadow);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), 0);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, TEXT_GVA), 0);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, KERNEL_GVA), LEAF);
}

static void flush_all_leaves_nothing(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	int i;

	fill_upper(test, KERNEL_GVA);
	for (i = 1; i < 4; i++) {
		load(test, 0x1000 * i | i);
		fill_user(test, USER_GVA);
	}
	ringlet_tags_flush_all(shadow);
	for (i = 1; i < 4; i++) {
		load(test, 0x1000 * i | i | NOFLUSH);
		KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), 0);
		KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, KERNEL_GVA), 0);
	}
	/* And all of it can be made again. */
	fill_upper(test, KERNEL_GVA);
	fill_user(test, USER_GVA);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, KERNEL_GVA), LEAF);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), LEAF);
}

/* A flush empties tables and keeps them: the next leaves need none. */
static void flush_keeps_tables(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	unsigned long pages;
	int round;

	for (round = 0; round < 3; round++) {
		fill_user(test, USER_GVA);
		fill_user(test, TEXT_GVA);
		fill_upper(test, KERNEL_GVA);
		if (!round)
			pages = shadow->pages;
		KUNIT_EXPECT_EQ(test, shadow->pages, pages);
		ringlet_tags_flush_user(shadow);
		KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), 0);
		KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, TEXT_GVA), 0);
		fill_user(test, TEXT_GVA);
		ringlet_tags_flush_all(shadow);
		KUNIT_EXPECT_EQ(test, in_user_root(shadow, TEXT_GVA), 0);
		KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, KERNEL_GVA), 0);
		KUNIT_EXPECT_EQ(test, shadow->pages, pages);
	}
}

/*
 * The switcher's own leaves are known by what the CPU does when it writes them
 * through the recursive entry: it sets D in the entry that leads to the table.
 */
static void flush_finds_the_switchers_leaves(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	u64 gva[] = { KERNEL_GVA, USER_GVA };
	u64 *table, *leaf;
	int i, level;

	for (i = 0; i < ARRAY_SIZE(gva); i++) {
		fill_upper(test, KERNEL_GVA);
		fill_user(test, USER_GVA);
		ringlet_tags_flush_all(shadow);
		leaf = recursive_leaf(shadow, gva[i]);
		table = shadow->current_tag->kroot;
		for (level = root_level(shadow); level > 2; level--)
			table = __va(
				table[gva[i] >> (12 + 9 * (level - 1)) & 511] &
				RINGLET_PTE_ADDR);
		KUNIT_EXPECT_FALSE(test,
				   table[gva[i] >> 21 & 511] & RINGLET_PTE_D);
		*leaf = LEAF;
		table[gva[i] >> 21 & 511] |= RINGLET_PTE_D;
		KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, gva[i]), LEAF);
		ringlet_tags_flush_all(shadow);
		KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, gva[i]), 0);
	}
}

/* So many, and no more: memory goes back when a flush finds too many. */
static void flush_frees_what_is_too_much(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_tag *tag = shadow->current_tag;
	int i;

	/* A table of levels 3 and 2 each, the rest are level 1's. */
	for (i = 0; i < RINGLET_KEEP_LOWER - 2; i++)
		fill_user(test, i * MIB2);
	KUNIT_ASSERT_EQ(test, tag->lower.count, RINGLET_KEEP_LOWER);
	ringlet_tags_flush_user(shadow);
	KUNIT_EXPECT_EQ(test, tag->lower.count, RINGLET_KEEP_LOWER);
	fill_user(test, i * MIB2);
	ringlet_tags_flush_user(shadow);
	KUNIT_EXPECT_EQ(test, tag->lower.count, 0);
	KUNIT_EXPECT_EQ(test, shadow->pages, 0);
	fill_user(test, USER_GVA);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, USER_GVA), LEAF);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), LEAF);
	ringlet_tags_flush_user(shadow);

	for (i = 0; i < RINGLET_KEEP_UPPER; i++)
		fill_upper(test, (DIRECT_GVA & ~(GIB - 1)) + i * MIB2);
	KUNIT_ASSERT_GT(test, shadow->upper.count, RINGLET_KEEP_UPPER);
	load(test, 0x1000 | 1);
	ringlet_tags_flush_all(shadow);
	KUNIT_EXPECT_EQ(test, shadow->upper.count, 0);
	for (i = 0; i < 2; i++) {
		load(test, 0x1000 * i | i | NOFLUSH);
		KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, DIRECT_GVA), 0);
	}
	fill_upper(test, DIRECT_GVA);
	for (i = 0; i < 2; i++) {
		load(test, 0x1000 * i | i | NOFLUSH);
		KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, DIRECT_GVA), LEAF);
	}
}

/* A table that is kept forgets that a large page was in it. */
static void flush_forgets_large_pages(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_half *half = &shadow->current_tag->lower;
	int level;

	for (level = 2; level <= 3; level++) {
		fill(test, half, USER_GVA, level, LEAF);
		ringlet_tags_flush_user(shadow);
		fill_user(test, USER_GVA);
		fill_user(test, USER_GVA + 0x1000);
		fill_user(test, USER_GVA ^ MIB2);
		ringlet_tags_flush_address(shadow, USER_GVA);
		KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), 0);
		KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA + 0x1000),
				LEAF);
		KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA ^ MIB2),
				LEAF);
		ringlet_tags_flush_user(shadow);
	}
}

static void flush_address_takes_one_page(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	fill_user(test, USER_GVA);
	fill_user(test, USER_GVA + 0x1000);
	ringlet_tags_flush_address(shadow, USER_GVA + 0xabc);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), 0);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, USER_GVA), 0);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA + 0x1000), LEAF);
}

static void flush_address_is_of_the_current_tag(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	load(test, 0x1000 | 1);
	fill_user(test, USER_GVA);
	load(test, 0x2000 | 2);
	fill_user(test, USER_GVA);
	ringlet_tags_flush_address(shadow, USER_GVA);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), 0);
	load(test, 0x1000 | 1 | NOFLUSH);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), LEAF);
}

/* The upper half is one for all tags: a flush there is for all of them. */
static void flush_address_in_the_upper_half(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	load(test, 0x1000 | 1);
	fill_upper(test, KERNEL_GVA);
	fill_upper(test, KERNEL_GVA + 0x1000);
	load(test, 0x2000 | 2);
	ringlet_tags_flush_address(shadow, KERNEL_GVA);
	load(test, 0x1000 | 1 | NOFLUSH);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, KERNEL_GVA), 0);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, KERNEL_GVA + 0x1000),
			LEAF);
}

/* What is not there, or is no address at all, is no reason to fall over. */
static void flush_address_of_nothing(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	ringlet_tags_flush_address(shadow, USER_GVA);
	ringlet_tags_flush_address(shadow, KERNEL_GVA);
	fill_user(test, USER_GVA);
	ringlet_tags_flush_address(shadow, USER_GVA ^ MIB2);
	ringlet_tags_flush_address(shadow, USER_GVA ^ GIB);
	ringlet_tags_flush_address(shadow, 0x800000000000);
	/* Not canonical, with the indices of the page that is there. */
	ringlet_tags_flush_address(shadow, USER_GVA | BIT_ULL(50));
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), LEAF);
}

/* INVLPG anywhere in a large guest page takes all leaves made of it. */
static void large_page(struct kunit *test, u64 gva, int level, bool upper)
{
	struct ringlet_shadow *shadow = test->priv;
	u64 size = ringlet_level_size(level), base = gva & ~(size - 1);
	struct ringlet_half *half = upper ? &shadow->upper :
					    &shadow->current_tag->lower;
	u64 places[] = { 0, 0x1000, size / 2, size - 0x1000 };
	int i, j;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		/* Neighbours on both sides, not part of it. */
		fill(test, half, base - 0x1000, 1, LEAF);
		fill(test, half, base + size, 1, LEAF);
		for (j = 0; j < ARRAY_SIZE(places); j++)
			fill(test, half, base + places[j], level, LEAF);

		ringlet_tags_flush_address(shadow, base + places[i] + 0x123);
		for (j = 0; j < ARRAY_SIZE(places); j++)
			KUNIT_EXPECT_EQ(test, 0,
					in_kernel_root(shadow,
						       base + places[j]));
		KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, base - 0x1000),
				LEAF);
		KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, base + size),
				LEAF);
		ringlet_tags_flush_all(shadow);
	}
}

static void large_pages(struct kunit *test)
{
	large_page(test, USER_GVA, 2, false);
	large_page(test, USER_GVA, 3, false);
	large_page(test, KERNEL_GVA, 2, true);
	large_page(test, DIRECT_GVA, 3, true);
}

/* Once it is flushed, what was a large page may be small ones: each its own. */
static void large_page_becomes_small(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_half *half = &shadow->current_tag->lower;

	fill(test, half, USER_GVA, 2, LEAF);
	ringlet_tags_flush_address(shadow, USER_GVA);
	fill(test, half, USER_GVA, 1, LEAF);
	fill(test, half, USER_GVA + 0x1000, 1, LEAF);
	ringlet_tags_flush_address(shadow, USER_GVA);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), 0);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA + 0x1000), LEAF);
}

/* Small pages that a large one joins, unflushed, go with it. */
static void small_pages_beside_a_large_one(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_half *half = &shadow->current_tag->lower;

	fill(test, half, USER_GVA, 1, LEAF);
	fill(test, half, USER_GVA + 0x1000, 2, LEAF);
	ringlet_tags_flush_address(shadow, USER_GVA + 0x1000);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), 0);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA + 0x1000), 0);
}

/* A range, page by page; its neighbours in every table stay. */
static void flush_range(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	u64 start = USER_GVA & ~(MIB2 - 1), end = start + 2 * MIB2;
	u64 gone[] = { start, start + 0x1000, start + MIB2 - 0x1000,
		       start + MIB2, end - 0x1000 };
	u64 stays[] = { start - 0x1000, end, end + GIB, TEXT_GVA };
	int i;

	load(test, 0x1000 | 1);
	for (i = 0; i < ARRAY_SIZE(gone); i++)
		fill_user(test, gone[i]);
	for (i = 0; i < ARRAY_SIZE(stays); i++)
		fill_user(test, stays[i]);
	ringlet_tags_flush_range(shadow, 0x1000, start, end);
	for (i = 0; i < ARRAY_SIZE(gone); i++)
		KUNIT_EXPECT_EQ(test, in_user_root(shadow, gone[i]), 0);
	for (i = 0; i < ARRAY_SIZE(stays); i++)
		KUNIT_EXPECT_EQ(test, in_user_root(shadow, stays[i]), LEAF);
	/* And what is left can be filled and flushed again. */
	fill_user(test, start);
	ringlet_tags_flush_range(shadow, 0x1000, start, start + 0x1000);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, start), 0);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, start - 0x1000), LEAF);
}

/* By the root, whatever the PCID and whichever is current. */
static void flush_range_of_a_root(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	int pcid;

	for (pcid = 1; pcid <= 3; pcid++) {
		load(test, (pcid == 2 ? 0x2000 : 0x1000) | pcid);
		fill_user(test, USER_GVA);
		fill_user(test, TEXT_GVA);
	}
	ringlet_tags_flush_range(shadow, 0x1000, USER_GVA, USER_GVA + 0x1000);
	ringlet_tags_flush_range(shadow, 0x3000, 0, 0);
	for (pcid = 1; pcid <= 3; pcid++) {
		load(test, (pcid == 2 ? 0x2000 : 0x1000) | pcid | NOFLUSH);
		KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA),
				pcid == 2 ? LEAF : 0);
		KUNIT_EXPECT_EQ(test, in_user_root(shadow, TEXT_GVA), LEAF);
	}
	ringlet_tags_flush_range(shadow, 0x1000, 0, 0);
	for (pcid = 1; pcid <= 3; pcid++) {
		load(test, (pcid == 2 ? 0x2000 : 0x1000) | pcid | NOFLUSH);
		KUNIT_EXPECT_EQ(test, in_user_root(shadow, TEXT_GVA),
				pcid == 2 ? LEAF : 0);
	}
}

/* A range that touches a large guest page takes all of it. */
static void flush_range_in_a_large_page(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	u64 base = USER_GVA & ~(MIB2 - 1);
	struct ringlet_half *half;

	load(test, 0x1000 | 1);
	half = &shadow->current_tag->lower;
	fill(test, half, base, 2, LEAF);
	fill(test, half, base + MIB2 - 0x1000, 2, LEAF);
	fill(test, half, base + MIB2, 1, LEAF);
	ringlet_tags_flush_range(shadow, 0x1000, base + 0x5000, base + 0x6000);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, base), 0);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, base + MIB2 - 0x1000), 0);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, base + MIB2), LEAF);
}

/* ---- Large leaves ---- */

static void large_leaf(struct kunit *test, u64 gva, bool upper, int from)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_half *half = upper ? &shadow->upper :
					    &shadow->current_tag->lower;
	u64 base = gva & ~(MIB2 - 1);
	unsigned int count;

	fill(test, half, base - 0x1000, 1, LEAF);
	fill(test, half, base + MIB2, 1, LEAF);
	count = half->count;
	fill_large(test, half, gva, from, LARGE);
	KUNIT_EXPECT_EQ(test, half->count, count);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, base), LARGE);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, base + 0x1ff000),
			LARGE + 0x1ff000);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, base + 0x1000),
			upper ? 0 : LARGE + 0x1000);
	/* By any of its addresses, and nothing besides. */
	enter(shadow);
	ringlet_tags_flush_address(shadow, base + 0x123456);
	KUNIT_EXPECT_TRUE(test, shadow->current_tag->stale);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, base), 0);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, base + 0x1ff000), 0);
	if (from == 2) {
		KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, base - 0x1000),
				LEAF);
		KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, base + MIB2),
				LEAF);
	}
	/* With a flush. */
	fill_large(test, half, gva, from, LARGE);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, base), LARGE);
	if (upper)
		ringlet_tags_flush_all(shadow);
	else
		ringlet_tags_flush_user(shadow);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, base), 0);
	ringlet_tags_flush_all(shadow);
}

static void large_leaves(struct kunit *test)
{
	int from;

	for (from = 2; from <= 3; from++) {
		large_leaf(test, USER_GVA, false, from);
		large_leaf(test, KERNEL_GVA, true, from);
		large_leaf(test, DIRECT_GVA, true, from);
	}
}

/* One INVLPG for a guest's 1 GiB page takes large leaves and small ones. */
static void large_leaves_of_a_huge_page(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	fill_large(test, &shadow->upper, DIRECT_GVA, 3, LARGE);
	fill_large(test, &shadow->upper, DIRECT_GVA + MIB2, 3, LARGE);
	fill(test, &shadow->upper, DIRECT_GVA + 2 * MIB2, 3, LEAF);
	ringlet_tags_flush_address(shadow, DIRECT_GVA + 5 * MIB2);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, DIRECT_GVA), 0);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, DIRECT_GVA + MIB2), 0);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, DIRECT_GVA + 2 * MIB2), 0);
}

/* Where one size takes the other's place the CPU must forget the other. */
static void large_leaf_and_small_ones(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_half *half = &shadow->current_tag->lower;
	unsigned long pages;

	fill(test, half, USER_GVA, 1, LEAF);
	pages = shadow->pages;
	enter(shadow);
	fill_large(test, half, USER_GVA, 2, LARGE);
	KUNIT_EXPECT_EQ(test, shadow->pages, pages - 1);
	expect_stale(test, 1);
	/* Again, or with more rights, is nothing new. */
	fill_large(test, half, USER_GVA + 0x1000, 2, LARGE);
	expect_stale(test, 0);

	fill(test, half, USER_GVA, 1, LEAF);
	KUNIT_EXPECT_EQ(test, shadow->pages, pages);
	expect_stale(test, 1);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), LEAF);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA + 0x1000), 0);
	load(test, 0x1000 | 1);
	enter(shadow);
	fill_large(test, &shadow->upper, KERNEL_GVA, 2, LARGE);
	expect_stale(test, 0);
	fill(test, &shadow->upper, KERNEL_GVA, 2, LEAF);
	expect_stale(test, 3);
	fill_large(test, &shadow->upper, KERNEL_GVA, 2, LARGE);
	expect_stale(test, 3);
}

/* ---- A supervisor page in the lower half ---- */

static void split_gives_the_kernel_its_own(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_tag *tag = shadow->current_tag;

	fill_user(test, USER_GVA);
	ringlet_tags_split(shadow);
	fill(test, &tag->klower, TEXT_GVA, 1, LEAF);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, TEXT_GVA), LEAF);
	KUNIT_EXPECT_FALSE(test, look(shadow, tag->kroot, TEXT_GVA).nx);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, TEXT_GVA), 0);
	/* The user's page stays the user's; the kernel faults it in anew. */
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), LEAF);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, USER_GVA), 0);
	KUNIT_EXPECT_EQ(test, tag->kroot[271], KERNEL_SLOT);
}

static void split_leaves_other_tags_alone(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	load(test, 0x1000 | 1);
	fill_user(test, USER_GVA);
	load(test, 0x2000 | 2);
	ringlet_tags_split(shadow);
	load(test, 0x1000 | 1 | NOFLUSH);
	KUNIT_EXPECT_FALSE(test, shadow->current_tag->split);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, USER_GVA), LEAF);
	load(test, 0x2000 | 2 | NOFLUSH);
	KUNIT_EXPECT_TRUE(test, shadow->current_tag->split);
}

static void split_flushes_address_in_both(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_tag *tag = shadow->current_tag;

	ringlet_tags_split(shadow);
	fill(test, &tag->klower, USER_GVA, 1, LEAF);
	fill(test, &tag->lower, USER_GVA, 1, LEAF);
	ringlet_tags_flush_address(shadow, USER_GVA);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, USER_GVA), 0);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), 0);
}

/* A flush empties both halves, and leaves them two. */
static void flush_keeps_a_split(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_tag *tag;
	unsigned long pages;
	int i;

	load(test, 0x1000 | 1);
	tag = shadow->current_tag;
	ringlet_tags_split(shadow);
	fill(test, &tag->klower, TEXT_GVA, 1, LEAF);
	fill_user(test, USER_GVA);
	pages = shadow->pages;
	for (i = 0; i < 2; i++) {
		if (i)
			load(test, 0x1000 | 1);
		else
			ringlet_tags_flush_user(shadow);
		KUNIT_EXPECT_TRUE(test, tag->split);
		KUNIT_EXPECT_EQ(test, shadow->pages, pages);
		KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, TEXT_GVA), 0);
		KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), 0);
		fill(test, &tag->klower, TEXT_GVA, 1, LEAF);
		KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, TEXT_GVA), LEAF);
		KUNIT_EXPECT_EQ(test, in_user_root(shadow, TEXT_GVA), 0);
	}
	for (i = 0; i < RINGLET_KEEP_SPLIT; i++)
		fill(test, &tag->klower, i * GIB, 1, LEAF);
	ringlet_tags_flush_user(shadow);
	KUNIT_EXPECT_EQ(test, tag->klower.count, 0);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, GIB), 0);
	KUNIT_EXPECT_TRUE(test, tag->split);
}

/* Whoever gets the tag next, by PCID or by CR3, begins with one. */
static void another_address_space_ends_a_split(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	u64 next[] = { 0x2000 | 1, 0x3000 | 1 | NOFLUSH,
		       0x3000 | (1 + RINGLET_TAGS) };
	struct ringlet_tag *tag;
	int i;

	load(test, 0x1000 | 1);
	tag = shadow->current_tag;
	for (i = 0; i < ARRAY_SIZE(next); i++) {
		ringlet_tags_flush_user(shadow);
		ringlet_tags_split(shadow);
		fill(test, &tag->klower, TEXT_GVA, 1, LEAF);
		load(test, 0);
		enter(shadow);
		load(test, next[i]);
		KUNIT_EXPECT_PTR_EQ(test, shadow->current_tag, tag);
		KUNIT_EXPECT_FALSE(test, tag->split);
		KUNIT_EXPECT_EQ(test, tag->klower.count, 0);
		expect_stale(test, BIT(1));
		KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, TEXT_GVA), 0);
		fill_user(test, TEXT_GVA);
		KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, TEXT_GVA), LEAF);
		KUNIT_EXPECT_TRUE(test, look(shadow, tag->kroot, TEXT_GVA).nx);
		/* The next split begins with nothing of the last. */
		ringlet_tags_split(shadow);
		KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, TEXT_GVA), 0);
	}
}

/* ---- Counting and freeing ---- */

static void tables_are_counted(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	fill_user(test, USER_GVA);
	KUNIT_EXPECT_EQ(test, shadow->pages, 3);
	fill_user(test, USER_GVA + 0x1000);
	KUNIT_EXPECT_EQ(test, shadow->pages, 3);
	fill_user(test, USER_GVA + MIB2);
	KUNIT_EXPECT_EQ(test, shadow->pages, 4);
	fill_user(test, USER_GVA + GIB);
	KUNIT_EXPECT_EQ(test, shadow->pages, 6);
	fill_user(test, TEXT_GVA);
	KUNIT_EXPECT_EQ(test, shadow->pages, 9);
	fill_upper(test, KERNEL_GVA);
	KUNIT_EXPECT_EQ(test, shadow->pages, 12);
	ringlet_tags_flush_address(shadow, USER_GVA);
	KUNIT_EXPECT_EQ(test, shadow->pages, 12);
	ringlet_tags_flush_user(shadow);
	KUNIT_EXPECT_EQ(test, shadow->pages, 12);
	KUNIT_EXPECT_EQ(test, shadow->upper.count, 3);
	KUNIT_EXPECT_EQ(test, shadow->current_tag->lower.count, 9);
}

/* So many tables for PCID, as a list of single pages. */
static void fill_tag(struct kunit *test, int pcid, int n)
{
	struct ringlet_shadow *shadow = test->priv;
	unsigned long want = shadow->pages + n;
	u64 gva;

	load(test, 0x1000 * pcid | pcid | NOFLUSH);
	for (gva = 0; shadow->pages < want; gva += MIB2)
		fill_user(test, gva);
}

/* The oldest tag goes first and whole, the current one last but the kernel's. */
static void oldest_tables_are_given_back(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_tag *tag = shadow->tags;

	fill_upper(test, KERNEL_GVA);
	fill_tag(test, 1, 10);
	fill_tag(test, 2, 20);
	fill_tag(test, 3, 30);
	/* Used once more, so 2 is the oldest; and 3 is current. */
	load(test, 0x1001 | NOFLUSH);
	fill_user(test, 0x1000);
	load(test, 0x3003 | NOFLUSH);
	enter(shadow);
	KUNIT_EXPECT_EQ(test, ringlet_tags_give_back(shadow, 1), 20);
	KUNIT_EXPECT_EQ(test, tag[2].lower.count, 0);
	expect_stale(test, BIT(2));
	enter(shadow);
	KUNIT_EXPECT_EQ(test, ringlet_tags_give_back(shadow, 11), 40);
	KUNIT_EXPECT_EQ(test, tag[1].lower.count, 0);
	KUNIT_EXPECT_EQ(test, tag[3].lower.count, 0);
	expect_stale(test, BIT(1) | BIT(3));
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, 0), 0);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, KERNEL_GVA), LEAF);
	KUNIT_EXPECT_EQ(test, ringlet_tags_give_back(shadow, 100), 3);
	expect_stale(test, 0xf);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, KERNEL_GVA), 0);
	KUNIT_EXPECT_EQ(test, ringlet_tags_give_back(shadow, 100), 0);
	KUNIT_EXPECT_EQ(test, shadow->given_back, 63);
	fill_user(test, USER_GVA);
	fill_upper(test, KERNEL_GVA);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, USER_GVA), LEAF);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, KERNEL_GVA), LEAF);
}

/* The kernel's own lower half is its tag's, and what is split stays so. */
static void split_tables_are_given_back(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	fill_user(test, USER_GVA);
	ringlet_tags_split(shadow);
	fill(test, &shadow->current_tag->klower, TEXT_GVA, 1, LEAF);
	KUNIT_EXPECT_EQ(test, ringlet_tags_give_back(shadow, 1), 6);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, TEXT_GVA), 0);
	fill(test, &shadow->current_tag->klower, TEXT_GVA, 1, LEAF);
	KUNIT_EXPECT_EQ(test, in_kernel_root(shadow, TEXT_GVA), LEAF);
	KUNIT_EXPECT_EQ(test, in_user_root(shadow, TEXT_GVA), 0);
}

/* A part of the guest's memory for all of its vCPUs, and some for each. */
static void limit_scales(struct kunit *test)
{
	unsigned long gib = 1 << 18, each = RINGLET_TABLES_PER_VCPU;

	KUNIT_EXPECT_EQ(test, ringlet_tags_limit(0, 1), each);
	KUNIT_EXPECT_EQ(test, ringlet_tags_limit(gib, 1), each + 16384);
	KUNIT_EXPECT_EQ(test, ringlet_tags_limit(gib, 64), each + 256);
	KUNIT_EXPECT_EQ(test, ringlet_tags_limit(64 * gib, 64), each + 16384);
}

static void exit_frees_all(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	int i;

	for (i = 0; i < 20; i++) {
		load(test, 0x1000 * i | i);
		fill_user(test, USER_GVA);
		ringlet_tags_split(shadow);
		fill(test, &shadow->current_tag->klower, TEXT_GVA, 2, LEAF);
		fill_upper(test, KERNEL_GVA + i * GIB);
	}
	ringlet_tags_exit(shadow);
	KUNIT_EXPECT_EQ(test, shadow->pages, 0);
	KUNIT_EXPECT_NULL(test, shadow->upper.top);
	for (i = 0; i < RINGLET_TAGS; i++)
		KUNIT_EXPECT_FALSE(test, shadow->tags[i].live);
	/* A second time does nothing. */
	ringlet_tags_exit(shadow);
}

/* ---- A CPU that caches all it can ---- */

/* The first four are in the lower half. */
static const u64 model_gvas[] = {
	USER_GVA,   USER_GVA + 0x1000,	 USER_GVA ^ MIB2,   TEXT_GVA,
	KERNEL_GVA, KERNEL_GVA + 0x1000, KERNEL_GVA ^ MIB2, DIRECT_GVA,
};

/* What it has cached, by root (two for each tag) and address. */
struct model {
	u32 seed;
	bool clean[2 * RINGLET_TAGS];
	struct found tlb[2 * RINGLET_TAGS][ARRAY_SIZE(model_gvas)];
};

static u32 any(struct model *model, u32 limit)
{
	model->seed = model->seed * 1664525 + 1013904223;
	return (model->seed >> 8) % limit;
}

/* The guest's entry says less, or nothing, or is new: a leaf, if one lacks. */
static void model_fill(struct kunit *test, struct model *model)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_tag *tag = shadow->current_tag;
	u64 gva = model_gvas[any(model, ARRAY_SIZE(model_gvas))];
	u64 frame = (u64)any(model, 1 << 20) << 12;
	struct ringlet_half *half = &shadow->upper;
	int from = 1 + any(model, 3);
	u64 flags = RINGLET_PTE_P | RINGLET_PTE_U | RINGLET_PTE_A;
	bool user = any(model, 2);
	u64 old;

	if (!ringlet_upper_half(gva)) {
		half = tag->split && !user ? &tag->klower : &tag->lower;
		user = half == &tag->lower;
	} else {
		user = false;
	}
	old = user ? in_user_root(shadow, gva) : in_kernel_root(shadow, gva);
	if (old && from < 3)
		return;
	if (old) /* the first write */
		fill(test, half, gva, 1, old | RINGLET_PTE_W);
	else if (from > 1 && any(model, 2))
		fill_large(test, half, gva, from,
			   (frame & ~(MIB2 - 1)) | flags);
	else
		fill(test, half, gva, from, frame | flags);
}

static void model_change(struct kunit *test, struct model *model)
{
	struct ringlet_shadow *shadow = test->priv;
	u32 pcid = any(model, 12);
	u64 gva;

	switch (any(model, 21)) {
	case 0:
		load(test, 0x1000 * pcid | pcid);
		break;
	case 1 ... 4:
		load(test, 0x1000 * pcid | pcid | NOFLUSH);
		break;
	case 5:
		ringlet_tags_flush_user(shadow);
		break;
	case 6:
		if (!any(model, 4))
			ringlet_tags_flush_all(shadow);
		break;
	case 7 ... 9:
		ringlet_tags_flush_address(
			shadow, model_gvas[any(model, ARRAY_SIZE(model_gvas))]);
		break;
	case 10:
		if (!any(model, 4))
			ringlet_tags_split(shadow);
		break;
	case 11:
		gva = model_gvas[any(model, 4)];
		ringlet_tags_flush_range(shadow, 0x1000 * pcid, gva,
					 any(model, 3) ? gva + 0x1000 : 0);
		break;
	case 12:
		if (!any(model, 4))
			ringlet_tags_give_back(shadow, any(model, 20));
		break;
	default:
		model_fill(test, model);
	}
}

/* As ringlet_shadow_enter() does: a load without NOFLUSH forgets one PCID. */
static void model_enter(struct ringlet_shadow *shadow, struct model *model)
{
	int tag = shadow->current_tag - shadow->tags, i;

	if (shadow->changed)
		for (i = 0; i < 2 * RINGLET_TAGS; i++)
			model->clean[i] &= !shadow->tags[i / 2].stale;
	enter(shadow);
	for (i = 2 * tag; i < 2 * tag + 2; i++) {
		if (!model->clean[i])
			memset(model->tlb[i], 0, sizeof(model->tlb[i]));
		model->clean[i] = true;
	}
}

/* Is what the CPU would use what the tables say, or less? */
static void model_access(struct kunit *test, struct model *model)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_tag *tag = shadow->current_tag;
	int which = any(model, ARRAY_SIZE(model_gvas)), user = any(model, 2);
	struct found *cached =
		&model->tlb[2 * (tag - shadow->tags) + user][which];
	struct found now =
		look(shadow, user ? tag->uroot : tag->kroot, model_gvas[which]);

	if (cached->leaf) {
		KUNIT_ASSERT_EQ(test, cached->leaf,
				cached->leaf & (now.leaf | RINGLET_PTE_A));
		KUNIT_ASSERT_EQ(test, cached->leaf & RINGLET_PTE_ADDR,
				now.leaf & RINGLET_PTE_ADDR);
		KUNIT_ASSERT_TRUE(test, cached->nx || !now.nx);
	} else {
		*cached = now;
	}
}

/*
 * An entry that is not there is 0, wherever it is: with L1TF the address in it
 * would be one that the guest can look up in the CPU's cache.
 */
static bool nothing_but_zero(const u64 *table, int level)
{
	int i;

	for (i = 0; i < 512; i++) {
		if (!table[i])
			continue;
		if (!(table[i] & RINGLET_PTE_P))
			return false;
		if (level > 1 && !(table[i] & RINGLET_PTE_PS) &&
		    !nothing_but_zero(__va(table[i] & RINGLET_PTE_ADDR),
				      level - 1))
			return false;
	}
	return true;
}

/* The roots themselves, without what is beside the halves, and all below. */
static void expect_nothing_but_zero(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	struct ringlet_tag *tag;

	if (!shadow->upper.top)
		return;
	KUNIT_EXPECT_TRUE(test, nothing_but_zero(shadow->upper.top, 4));
	for (tag = shadow->tags; tag < shadow->tags + RINGLET_TAGS; tag++) {
		if (!tag->live)
			continue;
		KUNIT_EXPECT_TRUE(test, nothing_but_zero(tag->lower.top, 4));
		KUNIT_EXPECT_TRUE(test, nothing_but_zero(tag->uroot, 1));
		KUNIT_EXPECT_TRUE(test, nothing_but_zero(tag->kroot, 1));
		if (tag->split)
			KUNIT_EXPECT_TRUE(test,
					  nothing_but_zero(tag->klower.top, 4));
	}
}

static void cpu_that_caches_all_it_can(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	struct model *model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	int i, j;

	KUNIT_ASSERT_NOT_NULL(test, model);
	for (i = 0; i < 20000; i++) {
		for (j = any(model, 4); j; j--)
			model_change(test, model);
		model_enter(shadow, model);
		for (j = any(model, 8); j; j--)
			model_access(test, model);
		if (i % 200 == 0)
			expect_nothing_but_zero(test);
	}
}

static int tags_test_init(struct kunit *test, bool la57)
{
	struct ringlet_shadow *shadow;

	shadow = kunit_kzalloc(test, sizeof(*shadow), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, shadow);
	shadow->slot = SLOT;
	shadow->kernel_slot = KERNEL_SLOT;
	shadow->recursive = RECURSIVE;
	shadow->pcid = PCID;
	shadow->la57 = la57;
	test->priv = shadow;
	return ringlet_tags_init(shadow);
}

static int tags_test_init_48(struct kunit *test)
{
	return tags_test_init(test, false);
}

static int tags_test_init_la57(struct kunit *test)
{
	return tags_test_init(test, true);
}

static void tags_test_exit(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;

	expect_nothing_but_zero(test);
	ringlet_tags_exit(shadow);
	KUNIT_EXPECT_EQ(test, shadow->pages, 0);
}

/*
 * A guest whose instruction needs four leaves, and there is memory for three: they
 * are made again each time that all went for the fourth. That must end.
 */
static void giving_way_ends(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	int times = 0, i;

	while (times < 1000 && ringlet_tags_may_give_way(shadow)) {
		times++;
		for (i = 0; i < 3; i++)
			ringlet_tags_filled(shadow);
	}
	KUNIT_EXPECT_GE(test, times, RINGLET_WAYS_GIVEN);
	KUNIT_EXPECT_LT(test, times, 2 * RINGLET_WAYS_GIVEN);
	/* Asked for in earnest, tables are there: the next shortage is another. */
	for (i = 0; i < RINGLET_FILLS_PER_WAY; i++)
		ringlet_tags_filled(shadow);
	KUNIT_EXPECT_TRUE(test, ringlet_tags_may_give_way(shadow));
}

static void giving_way_now_and_then(struct kunit *test)
{
	struct ringlet_shadow *shadow = test->priv;
	int times, i;

	for (times = 0; times < 1000; times++) {
		KUNIT_ASSERT_TRUE(test, ringlet_tags_may_give_way(shadow));
		for (i = 0; i < RINGLET_FILLS_PER_WAY; i++)
			ringlet_tags_filled(shadow);
	}
}

/* KUnit writes results into cases: each suite has its own. */
/* clang-format off */
#define TAGS_TEST_CASES						\
	KUNIT_CASE(empty_roots_have_the_slot_only),			\
	KUNIT_CASE(user_page_is_in_both_roots),				\
	KUNIT_CASE(kernel_page_is_in_all_kernel_roots),			\
	KUNIT_CASE(whole_upper_half_is_reached),			\
	KUNIT_CASE(kernel_root_contains_itself),			\
	KUNIT_CASE(hole_is_not_the_guests),				\
	KUNIT_CASE(nothing_recursive_where_it_is_not_wanted),		\
	KUNIT_CASE(roots_have_pcids_of_their_own),			\
	KUNIT_CASE(host_without_pcids),					\
	KUNIT_CASE(what_is_taken_is_stale),				\
	KUNIT_CASE(what_is_added_is_not_stale),				\
	KUNIT_CASE(address_spaces_are_apart),				\
	KUNIT_CASE(noflush_keeps_a_tag),				\
	KUNIT_CASE(flushing_load_empties_its_tag_only),			\
	KUNIT_CASE(tag_is_evicted_by_its_place),			\
	KUNIT_CASE(many_address_spaces),				\
	KUNIT_CASE(cr3_beyond_memory_is_refused),			\
	KUNIT_CASE(flush_user_keeps_the_upper_half),			\
	KUNIT_CASE(flush_all_leaves_nothing),				\
	KUNIT_CASE(flush_keeps_tables),					\
	KUNIT_CASE(flush_finds_the_switchers_leaves),			\
	KUNIT_CASE(flush_frees_what_is_too_much),			\
	KUNIT_CASE(flush_forgets_large_pages),				\
	KUNIT_CASE(flush_address_takes_one_page),			\
	KUNIT_CASE(flush_address_is_of_the_current_tag),		\
	KUNIT_CASE(flush_address_in_the_upper_half),			\
	KUNIT_CASE(flush_address_of_nothing),				\
	KUNIT_CASE(flush_range),					\
	KUNIT_CASE(flush_range_of_a_root),				\
	KUNIT_CASE(flush_range_in_a_large_page),			\
	KUNIT_CASE(large_pages),					\
	KUNIT_CASE(large_page_becomes_small),				\
	KUNIT_CASE(small_pages_beside_a_large_one),			\
	KUNIT_CASE(large_leaves),					\
	KUNIT_CASE(large_leaves_of_a_huge_page),			\
	KUNIT_CASE(large_leaf_and_small_ones),				\
	KUNIT_CASE(cpu_that_caches_all_it_can),				\
	KUNIT_CASE(split_gives_the_kernel_its_own),			\
	KUNIT_CASE(split_leaves_other_tags_alone),			\
	KUNIT_CASE(split_flushes_address_in_both),			\
	KUNIT_CASE(flush_keeps_a_split),				\
	KUNIT_CASE(another_address_space_ends_a_split),			\
	KUNIT_CASE(tables_are_counted),					\
	KUNIT_CASE(oldest_tables_are_given_back),			\
	KUNIT_CASE(split_tables_are_given_back),			\
	KUNIT_CASE(giving_way_ends),					\
	KUNIT_CASE(giving_way_now_and_then),				\
	KUNIT_CASE(limit_scales),					\
	KUNIT_CASE(exit_frees_all),					\
	{}
/* clang-format on */

static struct kunit_case tags_test_cases[] = { TAGS_TEST_CASES };
static struct kunit_case tags_test_cases_la57[] = { TAGS_TEST_CASES };

static struct kunit_suite tags_test_suite = {
	.name = "ringlet-tags",
	.init = tags_test_init_48,
	.exit = tags_test_exit,
	.test_cases = tags_test_cases,
};

static struct kunit_suite tags_test_suite_la57 = {
	.name = "ringlet-tags-la57",
	.init = tags_test_init_la57,
	.exit = tags_test_exit,
	.test_cases = tags_test_cases_la57,
};

kunit_test_suites(&tags_test_suite, &tags_test_suite_la57);
