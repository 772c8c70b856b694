/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The walk of the guest's page tables, and what a shadow leaf made of it may
 * allow, as text to be compiled twice: into walk.c for the module, which reads
 * guest memory through the launcher's addresses, and into the switcher's
 * fast.c, which reads it through the VM's linear map and can call nothing. Pure
 * logic: no locks, no memory but through @read.
 *
 * The guest has CR0.WP, EFER.NXE and SMEP on and SMAP off, always; its
 * addresses are 48 bits wide even where the host's are 57.
 */
#ifndef RINGLET_WALK_H
#define RINGLET_WALK_H

#include <linux/compiler.h>

#include "paging.h"

/* Reserved bits of a guest entry: above 46 bits there is no guest memory. */
#define GPTE_RESERVED GENMASK_ULL(51, 46)

static __always_inline int walk_fault(struct ringlet_translation *t, u32 access,
				      u32 more)
{
	t->error = (access & (RINGLET_PF_W | RINGLET_PF_U | RINGLET_PF_I)) |
		   more;
	return 1;
}

static __always_inline bool reserved_bits_set(u64 gpte, int level)
{
	if (gpte & GPTE_RESERVED)
		return true;
	if (!(gpte & RINGLET_PTE_PS))
		return false;
	if (level == 4)
		return true;
	/* A large page's address below its size, PAT's bit 12 apart. */
	if (level > 1)
		return gpte & (ringlet_level_size(level) - 1) &
		       GENMASK_ULL(51, 13);
	return false;
}

/* Does the translation allow the access? CR0.WP = 1, SMEP = 1. */
static __always_inline bool access_allowed(const struct ringlet_translation *t,
					   u32 access)
{
	if ((access & RINGLET_PF_U) && !t->user)
		return false;
	if ((access & RINGLET_PF_W) && !t->writable)
		return false;
	if (!(access & RINGLET_PF_I))
		return true;
	return !t->nx && ((access & RINGLET_PF_U) || !t->user);
}

/* ringlet_walk(), see there, with a @read that the compiler can inline. */
static __always_inline int
ringlet_walk_by(int (*read)(void *context, u64 gpa, u64 *entry), void *context,
		u64 cr3, u64 gva, u32 access, struct ringlet_translation *t)
{
	u64 table = cr3 & RINGLET_PTE_ADDR;
	int level, ret;
	u64 gpte;

	t->gva = gva;
	t->writable = true;
	t->user = true;
	t->nx = false;
	for (level = RINGLET_LEVELS;; level--) {
		t->level = level;
		t->entry_gpa[level] = table + 8 * ringlet_index(gva, level);
		ret = read(context, t->entry_gpa[level], &gpte);
		if (ret)
			return ret;
		t->entry[level] = gpte;
		if (!(gpte & RINGLET_PTE_P))
			return walk_fault(t, access, 0);
		if (reserved_bits_set(gpte, level))
			return walk_fault(t, access,
					  RINGLET_PF_P | RINGLET_PF_RSVD);
		t->writable &= !!(gpte & RINGLET_PTE_W);
		t->user &= !!(gpte & RINGLET_PTE_U);
		t->nx |= !!(gpte & RINGLET_PTE_NX);
		if (level == 1 || (gpte & RINGLET_PTE_PS))
			break;
		table = gpte & RINGLET_PTE_ADDR;
	}
	t->gpa = (gpte & RINGLET_PTE_ADDR & ~(ringlet_level_size(level) - 1)) |
		 (gva & (ringlet_level_size(level) - 1));
	if (!access_allowed(t, access))
		return walk_fault(t, access, RINGLET_PF_P);
	return 0;
}

/* What a CPU sets in the entry of this level for an access that is allowed. */
static __always_inline u64 ringlet_ad_bits(const struct ringlet_translation *t,
					   int level, u32 access)
{
	if (level == t->level && (access & RINGLET_PF_W))
		return RINGLET_PTE_A | RINGLET_PTE_D;
	return RINGLET_PTE_A;
}

/* ringlet_make_spte(), see there. */
static __always_inline u64 ringlet_spte(const struct ringlet_translation *t,
					u64 pfn, bool host_writable,
					bool private_nx)
{
	u64 gpte = t->entry[t->level];
	u64 spte = pfn << 12 | RINGLET_PTE_P | RINGLET_PTE_U | RINGLET_PTE_A;
	bool smep = private_nx || ringlet_upper_half(t->gva);
	bool dirty = gpte & RINGLET_PTE_D;

	if (t->writable && dirty && host_writable)
		spte |= RINGLET_PTE_W | RINGLET_PTE_D;
	if (!t->writable || (spte & RINGLET_PTE_W))
		spte |= RINGLET_SPTE_FULL;
	if (t->nx || (smep && t->user))
		spte |= RINGLET_PTE_NX;
	return spte;
}

#endif
