// SPDX-License-Identifier: GPL-2.0
/*
 * Hardware PCIDs for shadow roots: a pair for each vCPU, user and kernel.
 *
 * The host uses 1 to 6, their KPTI twins from 2049, and from 7.3 on, with
 * INVLPGB, 7 to 2046 on all CPUs at once; 3072 to 4095 are nobody's. Every
 * entry loads its root without NOFLUSH, so two vCPUs with the same pair are
 * slower than they need be and nothing worse: when the pairs run out, the last
 * one is shared.
 */
#include <linux/bitmap.h>
#include <linux/spinlock.h>
#include "pcid.h"

static DEFINE_SPINLOCK(lock);
static DECLARE_BITMAP(pairs, RINGLET_PCID_PAIRS);

/**
 * ringlet_pcid_alloc() - two PCIDs for a vCPU's roots
 *
 * Context: any; takes a spinlock.
 * Return: the even one of a pair; its successor is the other.
 */
unsigned int ringlet_pcid_alloc(void)
{
	unsigned int pair;

	spin_lock(&lock);
	pair = find_first_zero_bit(pairs, RINGLET_PCID_PAIRS - 1);
	if (pair < RINGLET_PCID_PAIRS - 1)
		__set_bit(pair, pairs);
	spin_unlock(&lock);
	return RINGLET_PCID_FIRST + 2 * pair;
}

/**
 * ringlet_pcid_free() - give a pair back
 * @pcid: what ringlet_pcid_alloc() returned
 *
 * Context: any; takes a spinlock.
 */
void ringlet_pcid_free(unsigned int pcid)
{
	unsigned int pair = (pcid - RINGLET_PCID_FIRST) / 2;

	if (pair >= RINGLET_PCID_PAIRS - 1)
		return; /* the shared pair */
	spin_lock(&lock);
	__clear_bit(pair, pairs);
	spin_unlock(&lock);
}
