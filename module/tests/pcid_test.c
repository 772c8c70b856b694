// SPDX-License-Identifier: GPL-2.0
/*
 * Hardware PCIDs: each vCPU its own pair while there are pairs, one shared pair
 * for the rest, and every pair that is given back can be had again.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>

#include "../pcid.h"

/* All but the last, which is shared. */
#define OWN (RINGLET_PCID_PAIRS - 1)
#define SHARED (RINGLET_PCID_FIRST + 2 * OWN)

static void give_back_all(void)
{
	unsigned int i;

	for (i = 0; i < OWN; i++)
		ringlet_pcid_free(RINGLET_PCID_FIRST + 2 * i);
}

static void take_all(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < OWN; i++)
		KUNIT_ASSERT_NE(test, ringlet_pcid_alloc(), SHARED);
}

static void pairs_differ(struct kunit *test)
{
	unsigned long *seen =
		kunit_kzalloc(test, BITS_TO_LONGS(4096) * 8, GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, seen);
	for (i = 0; i < OWN; i++) {
		unsigned int pcid = ringlet_pcid_alloc();

		/* Both of the pair are nobody else's and PCIDs at all. */
		KUNIT_ASSERT_GE(test, pcid, 3072);
		KUNIT_ASSERT_LT(test, pcid + 1, 4096);
		KUNIT_EXPECT_EQ(test, pcid % 2, 0);
		KUNIT_EXPECT_FALSE(test, test_bit(pcid, seen));
		__set_bit(pcid, seen);
	}
}

static void last_pair_is_shared(struct kunit *test)
{
	int i;

	take_all(test);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, ringlet_pcid_alloc(), SHARED);
	KUNIT_EXPECT_LT(test, SHARED + 1, 4096);
}

static void freed_pair_comes_again(struct kunit *test)
{
	unsigned int pcid;

	take_all(test);
	ringlet_pcid_free(RINGLET_PCID_FIRST + 2 * 100);
	ringlet_pcid_free(RINGLET_PCID_FIRST + 2 * 300);
	pcid = ringlet_pcid_alloc();
	KUNIT_EXPECT_EQ(test, pcid, RINGLET_PCID_FIRST + 2 * 100);
	pcid = ringlet_pcid_alloc();
	KUNIT_EXPECT_EQ(test, pcid, RINGLET_PCID_FIRST + 2 * 300);
	KUNIT_EXPECT_EQ(test, ringlet_pcid_alloc(), SHARED);
}

/* A sharer that goes does not take the pair away from the others. */
static void shared_pair_is_never_free(struct kunit *test)
{
	take_all(test);
	KUNIT_EXPECT_EQ(test, ringlet_pcid_alloc(), SHARED);
	ringlet_pcid_free(SHARED);
	ringlet_pcid_free(SHARED);
	KUNIT_EXPECT_EQ(test, ringlet_pcid_alloc(), SHARED);
}

static void pcid_test_exit(struct kunit *test)
{
	give_back_all();
}

static struct kunit_case pcid_test_cases[] = {
	KUNIT_CASE(pairs_differ),
	KUNIT_CASE(last_pair_is_shared),
	KUNIT_CASE(freed_pair_comes_again),
	KUNIT_CASE(shared_pair_is_never_free),
	{}
};

static struct kunit_suite pcid_test_suite = {
	.name = "ringlet-pcid",
	.exit = pcid_test_exit,
	.test_cases = pcid_test_cases,
};

kunit_test_suite(pcid_test_suite);
