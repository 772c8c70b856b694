// SPDX-License-Identifier: GPL-2.0
/*
 * walk.h for the module: see there. No locks, no guest memory but through the
 * walker's read(), so that KUnit can run it under User-Mode Linux.
 */
#ifdef __KERNEL__
#include <linux/errno.h>
#endif
#include "walk.h"

/**
 * ringlet_walk() - translate an address as the guest's CPU would
 * @walker: the tables
 * @gva: the address, canonical
 * @access: RINGLET_PF_W, _U, _I: what is being done
 * @t: receives the translation, or in @t->error the fault's error code
 *
 * Accessed and Dirty bits are neither tested nor set.
 *
 * Return: 0 if the access is allowed; 1 if it is a fault of the guest's; a
 * negative errno of walker->read() if a table is not in guest memory.
 */
int ringlet_walk(const struct ringlet_walker *walker, u64 gva, u32 access,
		 struct ringlet_translation *t)
{
	return ringlet_walk_by(walker->read, walker->context, walker->cr3, gva,
			       access, t);
}

/**
 * ringlet_make_spte() - the shadow leaf for a translation
 * @t: a translation whose leaf has A set, and D if it was a write
 * @pfn: the host's frame
 * @host_writable: the host lets us write that frame
 * @private_nx: the leaf goes below the split of a kernel root that has its own
 *	tables there: SMEP must be in the leaf, not in the top-level entry. It
 *	always is above the split, where no top-level entry says it
 *
 * Every leaf is the user's to the CPU: the guest runs at CPL 3 in both modes,
 * and what tells them apart is in which root the leaf is. W waits until the
 * guest's entry is dirty, so that the first write is seen. G is never set: a
 * global entry would survive the way back to the host.
 *
 * Return: the entry.
 */
u64 ringlet_make_spte(const struct ringlet_translation *t, u64 pfn,
		      bool host_writable, bool private_nx)
{
	return ringlet_spte(t, pfn, host_writable, private_nx);
}
