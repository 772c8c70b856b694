// SPDX-License-Identifier: GPL-2.0
/*
 * The linear map: every frame of a slot has its place in it, holes have none,
 * and the map as the CPU walks it says the same as the table as the module reads
 * it; frames are forgotten by ranges, neither more nor less.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "../linear.h"

/* clang-format off */
#define FRAMES(bytes)	((u64)(bytes) >> 12)
#define GIB_FRAMES	FRAMES(SZ_1G)
#define LIMIT		(256 * GIB_FRAMES)
/* clang-format on */

/* A frame's entry as the CPU finds it, from level 3 down. */
static u64 walk(struct kunit *test, u64 gfn)
{
	u64 *level3 = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	u64 *table = level3, entry = 0;
	int shift;

	KUNIT_ASSERT_NOT_NULL(test, level3);
	ringlet_linear_link(test->priv, level3);
	for (shift = 18; shift >= 0; shift -= 9) {
		entry = table[gfn >> shift & 511];
		if (!entry)
			break;
		KUNIT_EXPECT_FALSE(test, entry & RINGLET_PTE_U);
		KUNIT_EXPECT_FALSE(test, entry & RINGLET_PTE_PS);
		table = __va(entry & RINGLET_PTE_ADDR);
	}
	kunit_kfree(test, level3);
	return entry;
}

/* Memory ends here in these tests. */
#define END (2 * LIMIT)

static void add(struct kunit *test, u64 gfn, u64 npages)
{
	struct ringlet_linear *linear = test->priv;

	if (!linear->level2)
		KUNIT_ASSERT_EQ(test, ringlet_linear_init(linear, END), 0);
	KUNIT_ASSERT_EQ(test, ringlet_linear_add(test->priv, gfn, npages), 0);
}

static void put(struct kunit *test, u64 gfn, u64 value)
{
	u64 *entry = ringlet_linear_entry(test->priv, gfn);

	KUNIT_ASSERT_NOT_NULL(test, entry);
	*entry = value;
}

static void every_frame_has_its_place(struct kunit *test)
{
	struct ringlet_linear *linear = test->priv;
	u64 gfn;

	add(test, 0, 1024);
	KUNIT_EXPECT_EQ(test, linear->nr_frames, 1024);
	for (gfn = 0; gfn < 1024; gfn++)
		put(test, gfn, ringlet_linear_pte(gfn + 7, gfn & 1));
	for (gfn = 0; gfn < 1024; gfn++)
		KUNIT_EXPECT_EQ(test, walk(test, gfn),
				ringlet_linear_pte(gfn + 7, gfn & 1));
	KUNIT_EXPECT_NULL(test, ringlet_linear_entry(linear, 1024));
	KUNIT_EXPECT_NULL(test, ringlet_linear_entry(linear, ~0ULL));
}

/* Below nr_frames everything can be read, memory or not. */
static void holes_read_as_zero(struct kunit *test)
{
	struct ringlet_linear *linear = test->priv;
	u64 gfn;

	add(test, 512, 512);
	add(test, 4 * GIB_FRAMES + 5, 1);
	KUNIT_EXPECT_EQ(test, linear->nr_frames, 4 * GIB_FRAMES + 512);
	for (gfn = 0; gfn < linear->nr_frames; gfn += 512) {
		bool memory = gfn == 512 || gfn == 4 * GIB_FRAMES;

		KUNIT_EXPECT_EQ(test, !!ringlet_linear_entry(linear, gfn),
				memory);
		if (memory)
			put(test, gfn + 5, ringlet_linear_pte(gfn, true));
		KUNIT_EXPECT_EQ(test, walk(test, gfn + 5),
				memory ? ringlet_linear_pte(gfn, true) : 0);
		KUNIT_EXPECT_EQ(test, walk(test, gfn + 6), 0);
	}
}

static void slots_may_share_a_table(struct kunit *test)
{
	add(test, 0, 100);
	put(test, 99, ringlet_linear_pte(1, true));
	add(test, 100, 100);
	KUNIT_EXPECT_EQ(test, walk(test, 99), ringlet_linear_pte(1, true));
	put(test, 100, ringlet_linear_pte(2, true));
	KUNIT_EXPECT_EQ(test, walk(test, 100), ringlet_linear_pte(2, true));
}

/* The map ends at 256 GiB, the table does not. */
static void nothing_mapped_beyond_the_end(struct kunit *test)
{
	struct ringlet_linear *linear = test->priv;

	add(test, END - 1, 1);
	KUNIT_EXPECT_EQ(test, linear->nr_frames, LIMIT);
	put(test, END - 1, ringlet_linear_pte(3, true));
	KUNIT_EXPECT_NULL(test, ringlet_linear_entry(linear, END));
	KUNIT_EXPECT_NULL(test, ringlet_linear_entry(linear, ~0ULL));
	KUNIT_EXPECT_NULL(test, ringlet_linear_entry(linear, LIMIT));
	add(test, LIMIT - 1, 1000);
	put(test, LIMIT - 1, ringlet_linear_pte(3, false));
	put(test, LIMIT, ringlet_linear_pte(4, false));
	KUNIT_EXPECT_EQ(test, walk(test, LIMIT - 1),
			ringlet_linear_pte(3, false));
	ringlet_linear_clear(linear, LIMIT - 1, 1000);
	KUNIT_EXPECT_EQ(test, walk(test, LIMIT - 1), 0);
	KUNIT_EXPECT_EQ(test, *ringlet_linear_entry(linear, LIMIT), 0);
	KUNIT_EXPECT_NE(test, *ringlet_linear_entry(linear, END - 1), 0);
}

/* All 512, in order, from an aligned frame, all writable: else it is not. */
static void large_frames_are_found(struct kunit *test)
{
	struct ringlet_linear *linear = test->priv;
	u64 gfn, bad[] = { 0, ringlet_linear_pte(0x40000 + 700, true),
			   ringlet_linear_pte(0x40000, false) };
	int i, at;

	add(test, 512, 1024);
	KUNIT_EXPECT_FALSE(test, ringlet_linear_large(linear, 512));
	KUNIT_EXPECT_FALSE(test, ringlet_linear_large(linear, 0));
	for (gfn = 512; gfn < 1536; gfn++) /* the second one is not aligned */
		put(test, gfn,
		    ringlet_linear_pte(0x40000 - 512 + gfn + (gfn >= 1024),
				       true));
	KUNIT_EXPECT_TRUE(test, ringlet_linear_large(linear, 512));
	KUNIT_EXPECT_TRUE(test, ringlet_linear_large(linear, 1023));
	KUNIT_EXPECT_FALSE(test, ringlet_linear_large(linear, 1024));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		for (at = 512; at < 1024; at += 73) {
			put(test, at, bad[i]);
			KUNIT_EXPECT_FALSE(test,
					   ringlet_linear_large(linear, 600));
			put(test, at,
			    ringlet_linear_pte(0x40000 - 512 + at, true));
			KUNIT_EXPECT_TRUE(test,
					  ringlet_linear_large(linear, 600));
		}
	for (gfn = 512; gfn < 1024; gfn++)
		put(test, gfn, ringlet_linear_pte(0x40000 + gfn, false));
	KUNIT_EXPECT_FALSE(test, ringlet_linear_large(linear, 512));
}

static void range_is_cleared(struct kunit *test, u64 first, u64 npages)
{
	u64 gfn;

	for (gfn = 0; gfn < 1536; gfn++)
		if (ringlet_linear_entry(test->priv, gfn))
			put(test, gfn, ringlet_linear_pte(gfn + 1, true));
	ringlet_linear_clear(test->priv, first, npages);
	for (gfn = 0; gfn < 1536; gfn++) {
		bool there = ringlet_linear_entry(test->priv, gfn) &&
			     gfn - first >= npages;

		KUNIT_EXPECT_EQ(test, walk(test, gfn),
				there ? ringlet_linear_pte(gfn + 1, true) : 0);
	}
}

static void ranges_are_cleared(struct kunit *test)
{
	add(test, 0, 512);
	add(test, 1024, 512);
	range_is_cleared(test, 0, 1536);
	range_is_cleared(test, 0, 1);
	range_is_cleared(test, 511, 1);
	range_is_cleared(test, 500, 24); /* into the hole */
	range_is_cleared(test, 600, 100); /* in it */
	range_is_cleared(test, 1000, 30); /* out of it */
	range_is_cleared(test, 500, 600); /* over it */
	range_is_cleared(test, 1030, 100000); /* past the end */
	range_is_cleared(test, 100000, 5);
	range_is_cleared(test, 7, 0);
}

/* The supervisor's, not executable, not global; D as W, for nobody sets it. */
static void entries_are_the_switchers(struct kunit *test)
{
	u64 pte = ringlet_linear_pte(0x12345, true);

	KUNIT_EXPECT_EQ(test, pte, 0x8000000012345063);
	pte = ringlet_linear_pte(0x12345, false);
	KUNIT_EXPECT_EQ(test, pte, 0x8000000012345021);
}

static int linear_test_init(struct kunit *test)
{
	test->priv =
		kunit_kzalloc(test, sizeof(struct ringlet_linear), GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

static void linear_test_exit(struct kunit *test)
{
	struct ringlet_linear *linear = test->priv;

	ringlet_linear_exit(linear);
	KUNIT_EXPECT_NULL(test, linear->hole);
	KUNIT_EXPECT_EQ(test, linear->nr_frames, 0);
	ringlet_linear_exit(linear);
}

static struct kunit_case linear_test_cases[] = {
	KUNIT_CASE(every_frame_has_its_place),
	KUNIT_CASE(holes_read_as_zero),
	KUNIT_CASE(slots_may_share_a_table),
	KUNIT_CASE(nothing_mapped_beyond_the_end),
	KUNIT_CASE(large_frames_are_found),
	KUNIT_CASE(ranges_are_cleared),
	KUNIT_CASE(entries_are_the_switchers),
	{}
};

static struct kunit_suite linear_test_suite = {
	.name = "ringlet-linear",
	.init = linear_test_init,
	.exit = linear_test_exit,
	.test_cases = linear_test_cases,
};

kunit_test_suite(linear_test_suite);
