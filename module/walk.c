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
 * ringlet_walk_neighbour() - translate an address by what a walk has found
 * @t: a walk that allowed its access
 * @gva: an address in the same 2 MiB
 * @gpte: its entry in the table that @t ended in; not used if that was a large
 *	page's
 * @n: receives the translation
 *
 * Return: true if a CPU may use and cache the entry without an access, which it
 * may if Accessed is set on all levels (SDM vol. 3A, 4.10.2.3).
 */
bool ringlet_walk_neighbour(const struct ringlet_translation *t, u64 gva,
			    u64 gpte, struct ringlet_translation *n)
{
	int level;

	*n = *t;
	n->gva = gva;
	n->gpa = t->gpa - t->gva + gva;
	if (t->level > 1)
		return t->entry[t->level] & RINGLET_PTE_A;
	n->entry[1] = gpte;
	n->entry_gpa[1] = (t->entry_gpa[1] & RINGLET_PTE_ADDR) +
			  8 * ringlet_index(gva, 1);
	n->writable = true;
	n->user = true;
	n->nx = false;
	for (level = 1; level <= RINGLET_LEVELS; level++) {
		n->writable &= !!(n->entry[level] & RINGLET_PTE_W);
		n->user &= !!(n->entry[level] & RINGLET_PTE_U);
		n->nx |= !!(n->entry[level] & RINGLET_PTE_NX);
	}
	n->gpa = (gpte & RINGLET_PTE_ADDR) | (gva & 0xfff);
	return (gpte & RINGLET_PTE_P) && (gpte & RINGLET_PTE_A) &&
	       !reserved_bits_set(gpte, 1);
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
