/* SPDX-License-Identifier: GPL-2.0 */
/*
 * x86-64 paging as the SDM (vol. 3A, chapter 4) defines it, for entries that
 * are not the kernel's own: the guest's and the shadow's. Not asm/pgtable.h:
 * this is pure logic that KUnit also runs under User-Mode Linux, whose
 * _PAGE_* bits are different ones.
 */
#ifndef RINGLET_PAGING_H
#define RINGLET_PAGING_H

#include <linux/bits.h>
#include <linux/types.h>

/* clang-format off */
#define RINGLET_PTE_P		BIT_ULL(0)
#define RINGLET_PTE_W		BIT_ULL(1)
#define RINGLET_PTE_U		BIT_ULL(2)
#define RINGLET_PTE_A		BIT_ULL(5)
#define RINGLET_PTE_D		BIT_ULL(6)
#define RINGLET_PTE_PS		BIT_ULL(7)	/* levels 2 and 3 */
#define RINGLET_PTE_NX		BIT_ULL(63)
#define RINGLET_PTE_ADDR	GENMASK_ULL(51, 12)

/*
 * Ours, in bits that the CPU ignores (SDM table 4-20: 11:9). In an entry that
 * points to a shadow table: the table has leaves that came from a larger guest
 * page, so one INVLPG takes them all away (pitfalls 9). In a leaf: it has all
 * the rights that the guest's entry gives, so that a fault on it is the
 * guest's own (pitfalls 20).
 */
#define RINGLET_SPTE_LARGE	BIT_ULL(9)
#define RINGLET_SPTE_FULL	BIT_ULL(10)

/* Page-fault error code, SDM vol. 3A figure 4-12. */
#define RINGLET_PF_P		BIT(0)
#define RINGLET_PF_W		BIT(1)
#define RINGLET_PF_U		BIT(2)
#define RINGLET_PF_RSVD		BIT(3)
#define RINGLET_PF_I		BIT(4)

#define RINGLET_LEVELS		4
/* clang-format on */

/* Index of an address in its table of a level; level 1 holds 4 KiB pages. */
static inline unsigned int ringlet_index(u64 gva, int level)
{
	return (gva >> (12 + 9 * (level - 1))) & 511;
}

/* Bytes that one entry of a level maps. */
static inline u64 ringlet_level_size(int level)
{
	return 1ULL << (12 + 9 * (level - 1));
}

/* Canonical for 48-bit addresses: all that a guest has, on any host. */
static inline bool ringlet_canonical(u64 gva)
{
	return (u64)((s64)(gva << 16) >> 16) == gva;
}

/* The upper half: the guest kernel's, the same under every tag. */
static inline bool ringlet_upper_half(u64 gva)
{
	return gva >> 63;
}

/**
 * struct ringlet_translation - the result of a walk of the guest's tables
 * @gpa: guest-physical address of the byte
 * @gva: what was translated
 * @entry: the entries met, by level; @entry[level] is the leaf
 * @entry_gpa: where each of them lies in guest memory
 * @level: of the leaf: 1, 2 (2 MiB) or 3 (1 GiB)
 * @writable: W on all levels
 * @user: U on all levels
 * @nx: NX on any level
 * @error: if the walk ended in a fault, its error code
 */
struct ringlet_translation {
	u64 gpa;
	u64 gva;
	u64 entry[RINGLET_LEVELS + 1];
	u64 entry_gpa[RINGLET_LEVELS + 1];
	int level;
	bool writable;
	bool user;
	bool nx;
	u32 error;
};

/**
 * struct ringlet_walker - whose tables, and how to read them
 * @cr3: guest CR3; bits other than the table's address are ignored
 * @read: reads the entry at a guest-physical address; 0, or a negative errno
 *	(-EFAULT: not memory)
 * @context: for @read
 */
struct ringlet_walker {
	u64 cr3;
	int (*read)(void *context, u64 gpa, u64 *entry);
	void *context;
};

int ringlet_walk(const struct ringlet_walker *walker, u64 gva, u32 access,
		 struct ringlet_translation *t);
bool ringlet_walk_neighbour(const struct ringlet_translation *t, u64 gva,
			    u64 gpte, struct ringlet_translation *n);
u64 ringlet_make_spte(const struct ringlet_translation *t, u64 pfn,
		      bool host_writable, bool private_nx);

#endif
