// SPDX-License-Identifier: GPL-2.0
/*
 * The queue of flushes that other vCPUs ask for: nothing that was asked is
 * forgotten, what is covered is not kept twice, what does not fit in becomes a
 * flush of everything, and nonsense is refused.
 */
#include <kunit/test.h>
#include <linux/errno.h>

#include "../../include/uapi/ringlet.h"
#include "../flush.h"

#define ROOT 0x1000ULL
#define OTHER 0x2000ULL
#define LOWER_HALF_END (1ULL << 47)

static const struct parse_case {
	const char *name;
	u64 root;
	u64 start;
	u64 end;
	int ret;
} parse_cases[] = {
	{ "a range", ROOT, 0x1000, 0x2000, 0 },
	{ "all of a root", ROOT, 0, 0, 0 },
	{ "all of the lower half", ROOT, 0, LOWER_HALF_END, 0 },
	{ "everything", RINGLET_FLUSH_EVERYTHING, 0, 0, 0 },
	{ "a PCID", ROOT + 1, 0, 0, -EINVAL },
	{ "beyond physical memory", RINGLET_MAX_GPA, 0, 0, -EINVAL },
	{ "an empty range", ROOT, 0x1000, 0x1000, -EINVAL },
	{ "from behind", ROOT, 0x2000, 0x1000, -EINVAL },
	{ "not on a page", ROOT, 0x1001, 0x3000, -EINVAL },
	{ "to the middle of a page", ROOT, 0x1000, 0x2001, -EINVAL },
	{ "into the upper half", ROOT, 0, LOWER_HALF_END + 0x1000, -EINVAL },
	{ "round the end", ROOT, 0x1000, 0xfffffffffffff000, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(parse, parse_cases, name);

static void parse(struct kunit *test)
{
	const struct parse_case *c = test->param_value;
	struct ringlet_flush flush = {};

	KUNIT_EXPECT_EQ(test,
			ringlet_flush_parse(c->root, c->start, c->end, &flush),
			c->ret);
	if (c->ret)
		return;
	KUNIT_EXPECT_EQ(test, flush.root, c->root);
	KUNIT_EXPECT_EQ(test, flush.end, c->end);
}

static void add(struct ringlet_flush_queue *queue, u64 root, u64 start, u64 end)
{
	struct ringlet_flush flush = { root, start, end };

	ringlet_flush_add(queue, &flush);
}

static void covered(struct kunit *test)
{
	struct ringlet_flush_queue queue = {};

	add(&queue, ROOT, 0x1000, 0x4000);
	add(&queue, ROOT, 0x2000, 0x3000);
	add(&queue, ROOT, 0x1000, 0x4000);
	KUNIT_EXPECT_EQ(test, queue.n, 1u);
	add(&queue, OTHER, 0x2000, 0x3000);
	add(&queue, ROOT, 0x3000, 0x5000);
	KUNIT_EXPECT_EQ(test, queue.n, 3u);
	/* A whole root swallows its ranges, and then holds them. */
	add(&queue, ROOT, 0, 0);
	KUNIT_EXPECT_EQ(test, queue.n, 2u);
	add(&queue, ROOT, 0x9000, 0xa000);
	KUNIT_EXPECT_EQ(test, queue.n, 2u);
	KUNIT_EXPECT_EQ(test, queue.entry[0].root, OTHER);
	KUNIT_EXPECT_EQ(test, queue.entry[1].root, ROOT);
	KUNIT_EXPECT_EQ(test, queue.entry[1].end, 0ULL);
	KUNIT_EXPECT_FALSE(test, queue.everything);
}

static void too_many(struct kunit *test)
{
	struct ringlet_flush_queue queue = {};
	u64 i;

	for (i = 0; i < RINGLET_FLUSHES; i++)
		add(&queue, ROOT, i << 13, (i << 13) + 0x1000);
	KUNIT_EXPECT_EQ(test, queue.n, (unsigned int)RINGLET_FLUSHES);
	KUNIT_EXPECT_FALSE(test, queue.everything);
	add(&queue, ROOT, i << 13, (i << 13) + 0x1000);
	KUNIT_EXPECT_TRUE(test, queue.everything);
	KUNIT_EXPECT_LE(test, queue.n, (unsigned int)RINGLET_FLUSHES);
}

static void everything(struct kunit *test)
{
	struct ringlet_flush_queue queue = {};

	add(&queue, RINGLET_FLUSH_EVERYTHING, 0, 0);
	KUNIT_EXPECT_TRUE(test, queue.everything);
}

static struct kunit_case cases[] = { KUNIT_CASE_PARAM(parse, parse_gen_params),
				     KUNIT_CASE(covered),
				     KUNIT_CASE(too_many),
				     KUNIT_CASE(everything),
				     {} };

static struct kunit_suite suite = {
	.name = "ringlet-flush",
	.test_cases = cases,
};

kunit_test_suite(suite);
