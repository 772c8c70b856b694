// SPDX-License-Identifier: GPL-2.0
/*
 * The queue of flushes that other vCPUs have asked of one. Pure logic: smp.c
 * fills it under the target's lock, the target empties it before it enters the
 * guest.
 *
 * It need not be exact, only never too little: what does not fit in becomes a
 * flush of more.
 */
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "../include/uapi/ringlet.h"
#include "flush.h"

#define LOWER_HALF_END (1ULL << 47)

/**
 * ringlet_flush_parse() - check what a guest asks to have flushed
 * @root: CR3 without PCID, or RINGLET_FLUSH_EVERYTHING
 * @start: first address
 * @end: first address beyond; 0 for all of the root's lower half
 * @flush: receives it
 *
 * Return: 0, or -EINVAL for what can be no address space or no range.
 */
int ringlet_flush_parse(u64 root, u64 start, u64 end,
			struct ringlet_flush *flush)
{
	if (root != RINGLET_FLUSH_EVERYTHING &&
	    ((root & ~PAGE_MASK) || root >= RINGLET_MAX_GPA))
		return -EINVAL;
	if (end && (((start | end) & ~PAGE_MASK) || start >= end ||
		    end > LOWER_HALF_END))
		return -EINVAL;
	flush->root = root;
	flush->start = end ? start : 0;
	flush->end = end;
	return 0;
}

static bool covers(const struct ringlet_flush *big,
		   const struct ringlet_flush *small)
{
	if (big->root != small->root)
		return false;
	return !big->end || (small->end && big->start <= small->start &&
			     big->end >= small->end);
}

/**
 * ringlet_flush_add() - add a request
 * @queue: to this one
 * @flush: which ringlet_flush_parse() took
 */
void ringlet_flush_add(struct ringlet_flush_queue *queue,
		       const struct ringlet_flush *flush)
{
	unsigned int i, kept = 0;

	if (queue->everything)
		return;
	if (flush->root == RINGLET_FLUSH_EVERYTHING) {
		queue->everything = true;
		return;
	}
	for (i = 0; i < queue->n; i++)
		if (covers(&queue->entry[i], flush))
			return;
	for (i = 0; i < queue->n; i++)
		if (!covers(flush, &queue->entry[i]))
			queue->entry[kept++] = queue->entry[i];
	queue->n = kept;
	if (queue->n == RINGLET_FLUSHES)
		queue->everything = true;
	else
		queue->entry[queue->n++] = *flush;
}
