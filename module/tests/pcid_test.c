// SPDX-License-Identifier: GPL-2.0
/*
 * Hardware PCIDs: each vCPU its own group while there are groups, one shared
 * group for the rest, which says so, and every group that is given back can be
 * had again.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>

#include "../pcid.h"

/* All but the last, which is shared. */
#define OWN (RINGLET_PCID_GROUPS - 1)
#define NTH(n) (RINGLET_PCID_FIRST + RINGLET_PCID_GROUP * (n))
#define SHARED NTH(OWN)

static void give_back_all(void)
{
	unsigned int i;

	for (i = 0; i < OWN; i++)
		ringlet_pcid_free(NTH(i));
}

static void take_all(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < OWN; i++)
		KUNIT_ASSERT_NE(test, ringlet_pcid_alloc(), SHARED);
}

static void groups_differ(struct kunit *test)
{
	unsigned long *seen =
		kunit_kzalloc(test, BITS_TO_LONGS(4096) * 8, GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, seen);
	for (i = 0; i < OWN; i++) {
		unsigned int pcid = ringlet_pcid_alloc();

		/* All of the group are nobody else's and PCIDs at all. */
		KUNIT_ASSERT_GE(test, pcid, 3072);
		KUNIT_ASSERT_LT(test, pcid + RINGLET_PCID_GROUP - 1, 4096);
		KUNIT_EXPECT_FALSE(test, ringlet_pcid_shared(pcid));
		KUNIT_EXPECT_GE(test,
				find_next_bit(seen, pcid + RINGLET_PCID_GROUP,
					      pcid),
				pcid + RINGLET_PCID_GROUP);
		bitmap_set(seen, pcid, RINGLET_PCID_GROUP);
	}
}

static void last_group_is_shared(struct kunit *test)
{
	int i;

	take_all(test);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, ringlet_pcid_alloc(), SHARED);
	KUNIT_EXPECT_TRUE(test, ringlet_pcid_shared(SHARED));
	KUNIT_EXPECT_LE(test, SHARED + RINGLET_PCID_GROUP, 4096);
}

static void freed_group_comes_again(struct kunit *test)
{
	unsigned int pcid;

	take_all(test);
	ringlet_pcid_free(NTH(10));
	ringlet_pcid_free(NTH(30));
	pcid = ringlet_pcid_alloc();
	KUNIT_EXPECT_EQ(test, pcid, NTH(10));
	pcid = ringlet_pcid_alloc();
	KUNIT_EXPECT_EQ(test, pcid, NTH(30));
	KUNIT_EXPECT_EQ(test, ringlet_pcid_alloc(), SHARED);
}

/* A sharer that goes does not take the group away from the others. */
static void shared_group_is_never_free(struct kunit *test)
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
	KUNIT_CASE(groups_differ),
	KUNIT_CASE(last_group_is_shared),
	KUNIT_CASE(freed_group_comes_again),
	KUNIT_CASE(shared_group_is_never_free),
	{}
};

static struct kunit_suite pcid_test_suite = {
	.name = "ringlet-pcid",
	.exit = pcid_test_exit,
	.test_cases = pcid_test_cases,
};

kunit_test_suite(pcid_test_suite);
