/* SPDX-License-Identifier: GPL-2.0 */
/* What other vCPUs want a vCPU to flush before it runs again; see flush.c. */
#ifndef RINGLET_FLUSH_H
#define RINGLET_FLUSH_H

#include <linux/types.h>

/* Waiting flushes that are told apart; one more, and all is flushed. */
#define RINGLET_FLUSHES 8

/**
 * struct ringlet_flush - one request
 * @root: guest CR3 without PCID: every tag with that base is concerned
 * @start: first address, page-aligned, in the lower half
 * @end: first address beyond; 0 for all of the lower half
 */
struct ringlet_flush {
	u64 root;
	u64 start;
	u64 end;
};

/**
 * struct ringlet_flush_queue - requests that wait
 * @n: how many
 * @everything: too many, or asked for: all tags and the upper half
 * @entry: the requests
 */
struct ringlet_flush_queue {
	unsigned int n;
	bool everything;
	struct ringlet_flush entry[RINGLET_FLUSHES];
};

int ringlet_flush_parse(u64 root, u64 start, u64 end,
			struct ringlet_flush *flush);
void ringlet_flush_add(struct ringlet_flush_queue *queue,
		       const struct ringlet_flush *flush);

#endif
