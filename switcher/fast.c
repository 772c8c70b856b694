// SPDX-License-Identifier: GPL-2.0
/*
 * The switcher's C: what of a guest's exceptions, page faults and TLB flushes
 * can be settled without the module.
 *
 * Runs at CPL 0 with interrupts off, on the guest's own roots and on a stack of
 * 1.6 KiB in the window, at the window's address: no symbol of the kernel or of
 * the module can be reached from here, so there are no calls, no per-CPU data,
 * no tracing, no return even (it would need the kernel's thunk). What it may
 * touch is the window and, on a kernel root, the VM's linear map, its frame
 * table and the root's own tables; guest addresses are numbers. ringlet_fast()
 * is jumped to with all of the guest in s->gprs, and ends in one of two places
 * of switch.S: back to the guest, or out to the module with the guest as it
 * was, as if nothing had been tried. So "leave" is right wherever there is
 * doubt, and whoever reads this can check each "resume" by itself.
 *
 * An NMI or #MC in here is noted and seen on the way to the guest. A page fault
 * in here is one of the linear map's: the host took the frame away between the
 * look at the frame table and the access. It ends in "leave", from wherever it
 * was (switch.S): nothing is changed in s->gprs before the last such access. The
 * same for a memory error that such an access met. One in the window itself is
 * the guest's end, which may then be told in another exception's words.
 */
#include <linux/types.h>
#include <linux/compiler.h>
#include <linux/objtool.h>
#include <asm/barrier.h>
#include <asm/trapnr.h>

#include "../module/frame.h"
#include "../module/walk.h"
#include "window.h"

/* clang-format off */
#define NOFLUSH		BIT_ULL(63)
#define CR3_PCID	0xfffULL
/* clang-format on */

static __always_inline void __noreturn resume(void)
{
	asm volatile("jmp ringlet_fast_resume");
	__builtin_unreachable();
}

static __always_inline void __noreturn leave(void)
{
	asm volatile("jmp ringlet_fast_leave");
	__builtin_unreachable();
}

static __always_inline struct ringlet_shared *
shared_page(struct ringlet_window_state *s)
{
	return (void *)s + RINGLET_WINDOW_SHARED - RINGLET_WINDOW_STATE;
}

static __always_inline bool user_mode(const struct ringlet_window_state *s)
{
	return s->ds_flags & RINGLET_DS_USER;
}

static __always_inline void load_cr3(u64 root)
{
	asm volatile("mov %0, %%cr3" : : "r"(root) : "memory");
}

/*
 * Into the guest kernel by a gate, as ringlet_event_deliver() does it with what
 * is in memory. On either root.
 */
static __always_inline void __noreturn deliver(struct ringlet_window_state *s,
					       unsigned int place,
					       unsigned int vector, u64 error)
{
	struct ringlet_shared *shared = shared_page(s);
	u64 gate = s->gates[place], base;

	if (!gate || READ_ONCE(shared->busy))
		leave();
	ringlet_frame_enter(shared, &s->gprs, user_mode(s), gate, vector,
			    error);
	if (user_mode(s)) {
		asm volatile("rdgsbase %0" : "=r"(base));
		WRITE_ONCE(shared->user_gsbase, base);
		asm volatile("wrgsbase %0" : : "r"(s->kernel_gsbase));
		s->ds_flags = 0;
		load_cr3(s->kroot);
	}
	s->fast_delivered++;
	resume();
}

/*
 * All ones if a guest-physical address is in the frame table, else 0; by
 * arithmetic, so that it is right where the CPU has mispredicted a comparison.
 * Whatever is read at an address of the guest's choice is masked with it: the
 * TLB may hold the host's global entries, and what a misprediction reads by one
 * of these the guest could tell from its caches.
 */
static __always_inline u64 in_table(const struct ringlet_window_state *s,
				    u64 gpa)
{
	u64 mask;

	asm volatile("cmp %2, %1; sbb %0, %0"
		     : "=r"(mask)
		     : "r"(gpa >> 12), "m"(s->nr_frames)
		     : "cc");
	return mask;
}

/*
 * Its entry: 0 if the module does not vouch for a frame there. @gpa comes back
 * as what may be added to s->linear.
 */
static __always_inline u64 frame_of(const struct ringlet_window_state *s,
				    u64 *gpa)
{
	u64 mask = in_table(s, *gpa);

	*gpa &= mask;
	if (!mask)
		return 0;
	return READ_ONCE(((u64 *)s->frames)[*gpa >> 12]);
}

static __always_inline int read_gpte(void *context, u64 gpa, u64 *entry)
{
	const struct ringlet_window_state *s = context;

	if (!(frame_of(s, &gpa) & RINGLET_PTE_P))
		return -1;
	*entry = READ_ONCE(*(u64 *)(s->linear + gpa));
	return 0;
}

/* A, and D, in an entry of the guest's, unless it has changed since the walk. */
static __always_inline void set_bits(struct ringlet_window_state *s,
				     struct ringlet_translation *t, int level,
				     u64 bits)
{
	u64 old = t->entry[level], was = old, gpa = t->entry_gpa[level];

	if ((old & bits) == bits)
		return;
	if (!(frame_of(s, &gpa) & RINGLET_PTE_W))
		leave();
	asm volatile("lock cmpxchg %2, %1"
		     : "+a"(was), "+m"(*(u64 *)(s->linear + gpa))
		     : "r"(old | bits)
		     : "cc", "memory");
	if (was != old)
		leave();
	t->entry[level] |= bits;
}

static __always_inline void mark_accessed(struct ringlet_window_state *s,
					  struct ringlet_translation *t,
					  u32 access)
{
	int level;

	for (level = RINGLET_LEVELS; level >= t->level; level--)
		set_bits(s, t, level, ringlet_ad_bits(t, level, access));
}

/* Where the current kernel root's level-1 entry for an address appears. */
static __always_inline u64 *entry_for(const struct ringlet_window_state *s,
				      u64 address)
{
	return (u64 *)(s->leaves + ((address & s->va_mask) >> 12) * 8);
}

/*
 * The current kernel root's entries for @gva from level 4 to level 2, each
 * known to be there before the next is looked at: an entry's entry is a level
 * up. Returns the lowest level that is there and no leaf itself; 2 if the
 * level-1 entry may be used.
 */
static __always_inline int tables_for(const struct ringlet_window_state *s,
				      u64 gva, u64 *entries[5])
{
	int level;

	entries[1] = entry_for(s, gva);
	for (level = 2; level <= 4; level++)
		entries[level] = entry_for(s, (u64)entries[level - 1]);
	for (level = 4; level >= 2; level--)
		if (!(READ_ONCE(*entries[level]) & RINGLET_PTE_P) ||
		    (*entries[level] & RINGLET_PTE_PS))
			break;
	return level + 1;
}

static __always_inline const struct ringlet_root *
current_root(const struct ringlet_window_state *s)
{
	return &s->roots[s->current_root & (RINGLET_ROOTS - 1)];
}

static __always_inline bool split(const struct ringlet_window_state *s)
{
	return current_root(s)->split;
}

/*
 * Addresses about which the module has more to say than the guest's tables; all
 * of them where the switcher has no view of these.
 */
static __always_inline bool special(const struct ringlet_window_state *s,
				    u64 gva)
{
	if (!s->nr_frames)
		return true;
	if (!ringlet_canonical(gva))
		return true;
	/* If it is in two, only the kernel's is seen from the kernel root. */
	if (!ringlet_upper_half(gva))
		return split(s) && user_mode(s);
	return user_mode(s) || gva < RINGLET_HOLE_END ||
	       (gva & ~0xfffULL) == RINGLET_SHARED_VA ||
	       (gva & ~0xfffULL) == RINGLET_STATUS_VA;
}

/* Make the leaf for a walk that the guest's tables allowed. */
static __always_inline void fill(struct ringlet_window_state *s,
				 const struct ringlet_translation *t)
{
	u64 gpa = t->gpa, frame = frame_of(s, &gpa), spte, *entries[5];
	bool lower = !ringlet_upper_half(t->gva);

	if (!(frame & RINGLET_PTE_P))
		leave();
	/* A supervisor page below the split: the tag is to have two halves. */
	if (lower && !t->user && !split(s))
		leave();
	if (tables_for(s, t->gva, entries) != 2)
		leave();
	spte = ringlet_spte(t, (frame & RINGLET_PTE_ADDR) >> 12,
			    frame & RINGLET_PTE_W, lower && split(s));
	/* Nothing is missing: the module knows why a fault may be spurious. */
	if (*entries[1] == spte)
		leave();
	/* D, or a flush would not look there to take the mark away (tags.c). */
	if (t->level > 1)
		*entries[t->level] |= RINGLET_SPTE_LARGE | RINGLET_PTE_D;
	WRITE_ONCE(*entries[1], spte);
	s->fast_filled++;
}

static __always_inline void __noreturn page_fault(struct ringlet_window_state *s)
{
	u32 access = s->gprs.error & (RINGLET_PF_W | RINGLET_PF_I);
	struct ringlet_translation t;
	u64 gva = s->cr2;
	int ret;

	if (special(s, gva) || gva < s->async_pf_end)
		leave();
	if (user_mode(s)) {
		access |= RINGLET_PF_U;
		load_cr3(s->kroot);
	}
	ret = ringlet_walk_by(read_gpte, s, current_root(s)->cr3, gva, access,
			      &t);
	if (ret < 0)
		leave();
	if (ret) {
		WRITE_ONCE(shared_page(s)->cr2, gva);
		deliver(s, X86_TRAP_PF, X86_TRAP_PF, t.error);
	}
	mark_accessed(s, &t, access);
	fill(s, &t);
	if (user_mode(s))
		load_cr3(s->uroot);
	resume();
}

/* FLUSH_TLB of one address; the other kinds drop tables. */
static __always_inline void __noreturn
flush_address(struct ringlet_window_state *s)
{
	u64 gva = s->gprs.rsi, *entries[5];
	struct {
		u64 pcid, address;
	} desc;
	int level, i;

	if (s->gprs.rdi != RINGLET_FLUSH_ADDR || special(s, gva))
		leave();
	if (!ringlet_upper_half(gva) && split(s))
		leave();
	level = tables_for(s, gva, entries);
	/* One INVLPG stands for all of a large page of the guest's. */
	for (i = 4; i >= 2; i--) {
		if (i >= level && (*entries[i] & RINGLET_SPTE_LARGE))
			leave();
		if (i == level - 1 && (*entries[i] & RINGLET_PTE_P))
			leave();
	}
	if (level == 2)
		WRITE_ONCE(*entries[1], 0);
	asm volatile("invlpg (%0)" : : "r"(gva) : "memory");
	/* The same page under the other PCIDs that have it. */
	if (s->noflush && !ringlet_upper_half(gva)) {
		desc.pcid = s->uroot & CR3_PCID;
		desc.address = gva;
		asm volatile("invpcid %0, %1"
			     :
			     : "m"(desc), "r"(0UL)
			     : "memory");
	} else if (s->noflush) {
		for (i = 0; i < RINGLET_ROOTS; i++)
			if (i != s->current_root)
				s->roots[i].kroot &= ~NOFLUSH;
	}
	s->gprs.rax = 0;
	s->fast_flushed++;
	resume();
}

/**
 * ringlet_fast() - serve what the guest did, or leave it to the module
 * @s: the window's state; all of the guest but bases and selectors is in it
 *
 * Context: CPL 0, interrupts off, on a shadow root; see the head of this file.
 */
void __noreturn ringlet_fast(struct ringlet_window_state *s)
{
	u64 vector = s->gprs.vector;

	asm volatile("mov %%cr2, %0" : "=r"(s->cr2));
	/* IRETQ at CPL 0 would fault; the module knows better. */
	if (!ringlet_canonical(s->gprs.rip))
		leave();
	switch (vector) {
	case X86_TRAP_PF:
		page_fault(s);
	case RINGLET_VECTOR_SYSCALL:
		flush_address(s);
	case X86_TRAP_GP:
		/* In the kernel's mode perhaps an instruction to be emulated. */
		if (!user_mode(s))
			leave();
		fallthrough;
	case X86_TRAP_DE:
	case X86_TRAP_BP:
	case X86_TRAP_OF:
	case X86_TRAP_BR:
	case X86_TRAP_UD:
	case X86_TRAP_MF:
	case X86_TRAP_XF:
		deliver(s, vector, vector, s->gprs.error);
	}
	leave();
}

/* It has no end that objtool knows. */
STACK_FRAME_NON_STANDARD(ringlet_fast);
