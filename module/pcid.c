// SPDX-License-Identifier: GPL-2.0
/*
 * Hardware PCIDs for shadow roots: a group for each vCPU, in it a pair for each
 * of its tags, user and kernel.
 *
 * The host uses 1 to 6, their KPTI twins from 2049, and from 7.3 on, with
 * INVLPGB, 7 to 2046 on all CPUs at once; 3072 to 4095 are nobody's. When the
 * groups run out, the last one is shared: who has that one must load its roots
 * without NOFLUSH, every time, for another vCPU may have run on the same PCIDs
 * in between, and is slower for it.
 */
#include <linux/bitmap.h>
#include <linux/spinlock.h>
#include "pcid.h"

#define LAST (RINGLET_PCID_GROUPS - 1)

static DEFINE_SPINLOCK(lock);
static DECLARE_BITMAP(groups, RINGLET_PCID_GROUPS);

static unsigned int group_of(unsigned int pcid)
{
	return (pcid - RINGLET_PCID_FIRST) / RINGLET_PCID_GROUP;
}

/**
 * ringlet_pcid_alloc() - PCIDs for a vCPU's roots
 *
 * Context: any; takes a spinlock.
 * Return: the first of RINGLET_PCID_GROUP.
 */
unsigned int ringlet_pcid_alloc(void)
{
	unsigned int group;

	spin_lock(&lock);
	group = find_first_zero_bit(groups, LAST);
	if (group < LAST)
		__set_bit(group, groups);
	spin_unlock(&lock);
	return RINGLET_PCID_FIRST + RINGLET_PCID_GROUP * group;
}

/**
 * ringlet_pcid_shared() - are these PCIDs used by several vCPUs?
 * @pcid: what ringlet_pcid_alloc() returned
 *
 * Return: true if they may be, and roots must be loaded without NOFLUSH.
 */
bool ringlet_pcid_shared(unsigned int pcid)
{
	return group_of(pcid) >= LAST;
}

/**
 * ringlet_pcid_free() - give a group back
 * @pcid: what ringlet_pcid_alloc() returned
 *
 * Context: any; takes a spinlock.
 */
void ringlet_pcid_free(unsigned int pcid)
{
	if (ringlet_pcid_shared(pcid))
		return;
	spin_lock(&lock);
	__clear_bit(group_of(pcid), groups);
	spin_unlock(&lock);
}
