// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: the launcher's own, reached through its page tables.
 *
 * Nothing is pinned. A shadow leaf is made from the frame that the launcher's
 * page tables show at that moment, and an mmu_notifier tells when that stops
 * being true: swap, KSM, fork, migration and madvise() all work on guest memory
 * as on any other. Guest page tables and instructions are read through user
 * addresses: a fault there is the host's to serve.
 *
 * What is known of frames is in the VM's frame table (linear.c): an entry says
 * that the module vouches for it, and every leaf is made from one. Leaves are
 * made by two: here, and by the switcher, on its vCPU, interrupts off, from an
 * entry that it has read a moment ago and without any lock.
 *
 * So an invalidation, in this order, (1) clears the entries of its range, (2)
 * tells every vCPU to drop its shadow, which the owner does before it next
 * enters, (3) throws those out that are in the guest and waits until they are.
 * The switcher may have read an entry before (1) and write its leaf after: but
 * then it was in the guest at (3), cannot be interrupted in between, and has
 * left when (3) ends; its leaf is in a table that is emptied before it enters
 * again. What the CPU has cached of the leaves, and of the linear map itself,
 * whose leaves are the entries, goes with it: dropping a shadow marks all tags
 * as stale (shadow.c). A vCPU that was not in the guest at (3) has yet to look
 * at its requests and finds the one made in (2).
 *
 * A fill here that raced with an invalidation is thrown away by sequence count,
 * as KVM's is. All leaves go for one frame: there is no reverse map. Entries of
 * frames outside the range stay, for these have not changed, and with them their
 * bits in `shadowed`: bit and entry are set and cleared together, and a later
 * invalidation that finds the bit drops all leaves although perhaps none is
 * concerned. (The bits are there to be searched.)
 *
 * Host kernel. Fills run in the vCPU's thread, notifiers in anybody's.
 */
#include "ringlet.h"

#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "walk.h"

/* Frames that are vouched for at once: as many as fit on the stack. */
#define CHUNK 64

static struct ringlet_memslot *find_slot(struct ringlet_vm *vm, u64 gpa)
{
	u64 gfn = gpa >> PAGE_SHIFT;
	int i;

	for (i = 0; i < vm->nr_slots; i++)
		if (gfn - vm->slots[i].gfn < vm->slots[i].npages)
			return &vm->slots[i];
	return NULL;
}

/*
 * The launcher's address of a page. Masked: a guest's walk with an address out
 * of the slot would otherwise read the launcher's memory beyond it while the CPU
 * speculates, and use what it read as the next table's address (Spectre v1).
 */
static unsigned long slot_hva(const struct ringlet_memslot *slot, u64 gpa)
{
	u64 gfn = array_index_nospec((gpa >> PAGE_SHIFT) - slot->gfn,
				     slot->npages);

	return slot->hva + (gfn << PAGE_SHIFT);
}

/**
 * ringlet_gpa_to_user() - launcher's address of guest memory
 * @vm: the VM
 * @gpa: guest-physical address
 * @len: bytes, at least 1
 *
 * Return: the address, or NULL if not all of it is in one memory slot.
 */
void __user *ringlet_gpa_to_user(struct ringlet_vm *vm, u64 gpa,
				 unsigned long len)
{
	struct ringlet_memslot *slot = find_slot(vm, gpa);
	u64 offset;

	if (!slot)
		return NULL;
	offset = gpa - (slot->gfn << PAGE_SHIFT);
	if (len > (slot->npages << PAGE_SHIFT) - offset)
		return NULL;
	return (void __user *)(slot_hva(slot, gpa) + offset_in_page(gpa));
}

/* For ringlet_walk(); -EFAULT if that is not memory. */
static int read_gpte(void *context, u64 gpa, u64 *entry)
{
	u64 __user *where = ringlet_gpa_to_user(context, gpa, sizeof(*entry));

	if (!where || get_user(*entry, where))
		return -EFAULT;
	return 0;
}

/**
 * ringlet_read_gptes() - read several entries of a guest page table
 * @vm: whose
 * @gpa: where, 8-byte aligned
 * @entries: receives them
 * @n: how many; they do not cross a page
 *
 * Return: 0; -EFAULT if that is not memory.
 */
int ringlet_read_gptes(struct ringlet_vm *vm, u64 gpa, u64 *entries, int n)
{
	unsigned long size = n * sizeof(*entries);
	u64 __user *where = ringlet_gpa_to_user(vm, gpa, size);

	if (!where || copy_from_user(entries, where, size))
		return -EFAULT;
	return 0;
}

static int set_bits(struct ringlet_vm *vm, struct ringlet_translation *t,
		    int level, u64 bits)
{
	u64 __user *where =
		ringlet_gpa_to_user(vm, t->entry_gpa[level], sizeof(u64));
	u64 old = t->entry[level];
	int ret;

	if ((old & bits) == bits)
		return 0;
	if (!where || !access_ok(where, sizeof(u64)))
		return -EFAULT;
	/* The guest's other CPUs write here, too: only if it is still that. */
	ret = __try_cmpxchg_user(where, &old, old | bits, fault);
	if (ret)
		return ret < 0 ? ret : -EAGAIN;
	t->entry[level] |= bits;
	return 0;
}

/**
 * ringlet_mark_accessed() - set Accessed, and Dirty, as the guest's CPU would
 * @vm: the VM
 * @t: a walk that allowed the access; its entries are updated
 * @access: RINGLET_PF_W if it was a write
 *
 * Return: 0; -EAGAIN if an entry has changed since the walk; -EFAULT.
 */
int ringlet_mark_accessed(struct ringlet_vm *vm, struct ringlet_translation *t,
			  u32 access)
{
	int level, ret;

	for (level = RINGLET_LEVELS; level >= t->level; level--) {
		ret = set_bits(vm, t, level, ringlet_ad_bits(t, level, access));
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * ringlet_walk_guest() - ringlet_walk() in a vCPU's current address space
 * @vcpu: whose
 * @gva: the address, canonical
 * @access: RINGLET_PF_W, _U, _I: what is being done
 * @t: receives the translation, or the fault's error code
 *
 * Return: as ringlet_walk().
 */
int ringlet_walk_guest(struct ringlet_vcpu *vcpu, u64 gva, u32 access,
		       struct ringlet_translation *t)
{
	struct ringlet_walker walker = {
		.cr3 = vcpu->shadow.current_tag->cr3,
		.read = read_gpte,
		.context = vcpu->vm,
	};

	return ringlet_walk(&walker, gva, access, t);
}

/**
 * ringlet_read_guest() - read guest memory at a virtual address
 * @vcpu: whose current mode and address space
 * @gva: address
 * @data: receives the bytes
 * @len: how many
 *
 * Return: 0; 1 if the guest's tables do not allow it; a negative errno.
 */
int ringlet_read_guest(struct ringlet_vcpu *vcpu, u64 gva, void *data,
		       unsigned int len)
{
	struct ringlet_translation t;
	void __user *where;
	unsigned int n;
	int ret;

	while (len) {
		n = min_t(unsigned int, len, PAGE_SIZE - offset_in_page(gva));
		if (!ringlet_canonical(gva))
			return 1;
		ret = ringlet_walk_guest(
			vcpu, gva, ringlet_user_mode(vcpu) ? RINGLET_PF_U : 0,
			&t);
		if (ret)
			return ret;
		where = ringlet_gpa_to_user(vcpu->vm, t.gpa, n);
		if (!where || copy_from_user(data, where, n))
			return -EFAULT;
		gva += n;
		data += n;
		len -= n;
	}
	return 0;
}

/*
 * Get the frame behind @hva. A write must have it writable. A read asks for
 * writable first, so that the write that often follows finds it so, takes what
 * is mapped read-only (KSM) if that is what there is, and otherwise has the host
 * make a page of the launcher's own: the shared zero page would be replaced at
 * the first write, which would cost all shadows.
 */
static int get_frame(unsigned long hva, bool write, struct page **page,
		     bool *writable)
{
	int n;

	*writable = true;
	if (get_user_pages_fast_only(hva, 1, FOLL_WRITE, page) == 1)
		return 0;
	if (!write && get_user_pages_fast_only(hva, 1, 0, page) == 1) {
		*writable = false;
		return 0;
	}
	n = get_user_pages_fast(hva, 1, FOLL_WRITE, page);
	if (n == 1)
		return 0;
	/* A launcher may lend memory that it has mapped read-only. */
	if (!write && get_user_pages_fast(hva, 1, 0, page) == 1) {
		*writable = false;
		return 0;
	}
	return n < 0 ? n : -EFAULT;
}

/* Frames of a slot that an address range covers; false if none. */
static bool overlap(struct ringlet_memslot *slot, unsigned long start,
		    unsigned long end, unsigned long *first,
		    unsigned long *last)
{
	unsigned long slot_end = slot->hva + (slot->npages << PAGE_SHIFT);

	start = max(start, slot->hva);
	end = min(end, slot_end);
	if (start >= end)
		return false;
	*first = (start - slot->hva) >> PAGE_SHIFT;
	*last = (end - 1 - slot->hva) >> PAGE_SHIFT;
	return true;
}

/* Can any leaf point into the range? Context: mn_lock held. */
static bool range_shadowed(struct ringlet_vm *vm, unsigned long start,
			   unsigned long end)
{
	unsigned long first, last;
	int i;

	for (i = 0; i < vm->nr_slots; i++) {
		struct ringlet_memslot *slot = &vm->slots[i];

		if (overlap(slot, start, end, &first, &last) &&
		    find_next_bit(slot->shadowed, last + 1, first) <= last)
			return true;
	}
	return false;
}

static bool range_ours(struct ringlet_vm *vm, unsigned long start,
		       unsigned long end)
{
	unsigned long first, last;
	int i;

	for (i = 0; i < vm->nr_slots; i++)
		if (overlap(&vm->slots[i], start, end, &first, &last))
			return true;
	return false;
}

/*
 * Forget frames of a slot, and have all shadows dropped before their vCPUs run
 * again. In this order. Context: mn_lock held; throw_out() is to follow, and
 * mn_throwing counts it.
 *
 * The bits are cleared before the vCPUs are out: until then another
 * invalidation that finds its bits clear must wait, too, and mn_throwing says
 * so.
 */
static void forget(struct ringlet_vm *vm, struct ringlet_memslot *slot,
		   unsigned long first, unsigned long last)
{
	unsigned long begin = first, end;
	struct ringlet_vcpu *vcpu;
	u32 id = 0;

	/* Of a huge slot mostly little is known. */
	for_each_set_bitrange_from(begin, end, slot->shadowed, last + 1)
		ringlet_linear_clear(&vm->linear, slot->gfn + begin,
				     end - begin);
	bitmap_clear(slot->shadowed, first, last - first + 1);
	while ((vcpu = ringlet_vm_next_vcpu(vm, &id)))
		ringlet_request(vcpu, RINGLET_REQ_FLUSH);
}

/*
 * Frames between which mn_lock is given up for a moment, 256 KiB of stores: 64
 * GiB can go at once (munmap(), a soft-dirty scan, the OOM reaper), and all
 * vCPUs that fault meanwhile spin. Not after the last: the small ranges, which
 * are most, would queue up behind those vCPUs.
 */
#define FORGET_AT_ONCE 32768UL

/*
 * The same for an address range. What else is invalidated in such a moment finds
 * that mn_throwing has counted this one, and that the flush is requested
 * for all that is forgotten by then.
 */
static void forget_range(struct ringlet_vm *vm, unsigned long start,
			 unsigned long end)
{
	unsigned long first, last;
	int i;

	for (i = 0; i < vm->nr_slots; i++) {
		struct ringlet_memslot *slot = &vm->slots[i];

		if (!overlap(slot, start, end, &first, &last))
			continue;
		while ((first = find_next_bit(slot->shadowed, last + 1,
					      first)) <= last) {
			forget(vm, slot, first,
			       min(last, first + FORGET_AT_ONCE - 1));
			first += FORGET_AT_ONCE;
			if (first > last)
				break;
			spin_unlock(&vm->mn_lock);
			cpu_relax();
			spin_lock(&vm->mn_lock);
		}
	}
}

/* Wait until no vCPU runs on what was requested to be flushed. */
static void throw_out(struct ringlet_vm *vm)
{
	struct ringlet_vcpu *vcpu;
	u32 id = 0;

	while ((vcpu = ringlet_vm_next_vcpu(vm, &id)))
		ringlet_vcpu_kick(vcpu, true);
	spin_lock(&vm->mn_lock);
	vm->mn_throwing--;
	spin_unlock(&vm->mn_lock);
}

/*
 * The guest's writes do not set the host entry's Dirty bit: without this a page
 * in the swap cache would be taken for clean and dropped.
 */
static void dirty(struct page *page)
{
	if (!PageDirty(page))
		set_page_dirty_lock(page);
}

/* Has no invalidation begun or ended since @seq? Context: mn_lock held. */
static bool still_true(struct ringlet_vm *vm, unsigned long seq)
{
	return !vm->mn_active && vm->mn_seq == seq;
}

/*
 * Vouch for a frame. Context: mn_lock held, still_true().
 *
 * An entry that is there may get more rights: the host made a page writable in
 * its place, after a fork or a soft-dirty scan. Other vCPUs' CPUs may still have
 * it read-only in the linear map; a switcher that writes there all the same
 * takes a fault, which drops what was cached, and leaves the rest to us.
 */
static void vouch(struct ringlet_vm *vm, struct ringlet_memslot *slot, u64 gfn,
		  u64 pte)
{
	u64 *entry = ringlet_linear_entry(&vm->linear, gfn);

	__set_bit(gfn - slot->gfn, slot->shadowed);
	if (!*entry || (pte & RINGLET_PTE_W))
		WRITE_ONCE(*entry, pte);
}

/*
 * Vouch for the frames from @gfn on that are present in the host, writable, up
 * to the first that is not. Returns their number.
 */
static int vouch_chunk(struct ringlet_vm *vm, struct ringlet_memslot *slot,
		       u64 gfn, int n)
{
	unsigned long hva = slot->hva + ((gfn - slot->gfn) << PAGE_SHIFT);
	unsigned long seq = READ_ONCE(vm->mn_seq);
	struct page *pages[CHUNK];
	int i;

	smp_rmb(); /* the count before the frames */
	n = max(get_user_pages_fast_only(hva, n, FOLL_WRITE, pages), 0);
	for (i = 0; i < n; i++)
		dirty(pages[i]);
	spin_lock(&vm->mn_lock);
	for (i = 0; i < n && still_true(vm, seq); i++)
		vouch(vm, slot, gfn + i,
		      ringlet_linear_pte(page_to_pfn(pages[i]), true));
	spin_unlock(&vm->mn_lock);
	for (i = 0; i < n; i++)
		put_page(pages[i]);
	return n;
}

/*
 * Vouch for a frame's neighbours as far as the host has them writable: with
 * memory that is warm in the host the switcher then finds what it needs. All
 * 2 MiB if the frame is part of a huge page, for then a leaf may be as large.
 */
static void vouch_around(struct ringlet_vm *vm, struct ringlet_memslot *slot,
			 u64 gfn, bool huge)
{
	u64 mask = (huge ? 512 : CHUNK) - 1;
	u64 first = max(gfn & ~mask, slot->gfn);
	u64 end = min((gfn | mask) + 1, slot->gfn + slot->npages);
	int n, got;

	while (first < end) {
		n = min((first | (CHUNK - 1)) + 1, end) - first;
		got = vouch_chunk(vm, slot, first, n);
		/* A gap before the frame itself: once more, behind it. */
		if (got < n && gfn - first < n && first + got <= gfn)
			first = gfn + 1;
		else
			first += n;
	}
}

static bool known(struct ringlet_vm *vm, u64 gfn, bool write)
{
	u64 *entry = ringlet_linear_entry(&vm->linear, gfn);

	return entry &&
	       (READ_ONCE(*entry) & (write ? RINGLET_PTE_W : RINGLET_PTE_P));
}

/**
 * ringlet_know_frame() - see that the frame table has a frame
 * @vm: whose
 * @gpa: an address in it, in guest memory
 * @write: it is to be written
 *
 * Context: process context, the launcher's mm.
 * Return: 0, but it may be gone again; -EAGAIN if the host is changing its mind
 * about its memory; what get_user_pages() failed with.
 */
int ringlet_know_frame(struct ringlet_vm *vm, u64 gpa, bool write)
{
	struct ringlet_memslot *slot = find_slot(vm, gpa);
	u64 gfn = gpa >> PAGE_SHIFT;
	unsigned long hva = slot_hva(slot, gpa);
	unsigned long seq;
	struct page *page;
	bool writable, huge, ok;
	int ret;

	if (known(vm, gfn, write))
		return 0;
	seq = READ_ONCE(vm->mn_seq);
	smp_rmb(); /* the count before the frame */
	ret = get_frame(hva, write, &page, &writable);
	if (ret)
		return ret;
	if (writable)
		dirty(page);
	huge = PageCompound(page);
	spin_lock(&vm->mn_lock);
	ok = still_true(vm, seq);
	if (ok)
		vouch(vm, slot, gfn,
		      ringlet_linear_pte(page_to_pfn(page), writable));
	spin_unlock(&vm->mn_lock);
	put_page(page);
	if (!ok)
		return -EAGAIN;
	vouch_around(vm, slot, gfn, huge);
	return 0;
}

/**
 * ringlet_frames_large() - may 2 MiB of guest memory be one leaf?
 * @vm: whose
 * @gpa: an address in it
 *
 * Return: true if so, at this moment.
 */
bool ringlet_frames_large(struct ringlet_vm *vm, u64 gpa)
{
	bool large;

	spin_lock(&vm->mn_lock);
	large = ringlet_linear_large(&vm->linear, gpa >> PAGE_SHIFT);
	spin_unlock(&vm->mn_lock);
	return large;
}

/**
 * ringlet_map_frame() - make the shadow leaf for a translation
 * @vm: the VM
 * @t: an allowed walk, Accessed and Dirty set
 * @write: the access was a write
 * @private_nx: see ringlet_make_spte()
 * @large: a leaf of 2 MiB
 * @leaf: where to
 *
 * Return: 0; -EAGAIN if the frame table does not have it (any more).
 */
int ringlet_map_frame(struct ringlet_vm *vm,
		      const struct ringlet_translation *t, bool write,
		      bool private_nx, bool large, u64 *leaf)
{
	u64 gfn = t->gpa >> PAGE_SHIFT, entry, spte;
	int ret = -EAGAIN;

	spin_lock(&vm->mn_lock);
	if (!known(vm, gfn, write))
		goto out;
	if (large && !ringlet_linear_large(&vm->linear, gfn))
		goto out;
	entry = *ringlet_linear_entry(&vm->linear, large ? gfn & ~511ULL : gfn);
	spte = ringlet_make_spte(t, (entry & RINGLET_PTE_ADDR) >> PAGE_SHIFT,
				 entry & RINGLET_PTE_W, private_nx);
	WRITE_ONCE(*leaf, large ? spte | RINGLET_PTE_PS : spte);
	ret = 0;
out:
	spin_unlock(&vm->mn_lock);
	return ret;
}

/* Context: vm->lock held. */
static int make_linear(struct ringlet_vm *vm)
{
	u64 end = 0;
	int i, ret;

	for (i = 0; i < vm->nr_slots; i++)
		end = max(end, vm->slots[i].gfn + vm->slots[i].npages);
	ret = ringlet_linear_init(&vm->linear, end);
	for (i = 0; i < vm->nr_slots && !ret; i++)
		ret = ringlet_linear_add(&vm->linear, vm->slots[i].gfn,
					 vm->slots[i].npages);
	return ret;
}

/**
 * ringlet_memory_map() - make the frame table
 * @vm: its slots are complete; its lock is held; may be called again
 *
 * Return: 0 or -ENOMEM.
 */
int ringlet_memory_map(struct ringlet_vm *vm)
{
	int ret;

	static_assert(RINGLET_LINEAR_MAX ==
		      RINGLET_LINEAR_GIBS * RINGLET_FRAMES_PER_GIB * PAGE_SIZE);

	if (vm->linear.level2)
		return 0;
	ret = make_linear(vm);
	if (ret)
		ringlet_linear_exit(&vm->linear);
	return ret;
}

static struct ringlet_vm *vm_of(struct mmu_notifier *mn)
{
	return container_of(mn, struct ringlet_vm, mn);
}

/*
 * May be called where sleeping is not allowed (the OOM reaper). It waits for
 * mn_lock, under which nobody sleeps or allocates, and for vCPUs to leave; on
 * PREEMPT_RT that lock may sleep, as the one that KVM takes here.
 */
static int mn_invalidate_range_start(struct mmu_notifier *mn,
				     const struct mmu_notifier_range *range)
{
	struct ringlet_vm *vm = vm_of(mn);
	bool known, flush;

	spin_lock(&vm->mn_lock);
	vm->mn_active++;
	known = range_shadowed(vm, range->start, range->end);
	flush = known || vm->mn_throwing;
	vm->mn_throwing += flush;
	if (known)
		forget_range(vm, range->start, range->end);
	spin_unlock(&vm->mn_lock);
	if (flush)
		throw_out(vm);
	return 0;
}

static void mn_invalidate_range_end(struct mmu_notifier *mn,
				    const struct mmu_notifier_range *range)
{
	struct ringlet_vm *vm = vm_of(mn);

	spin_lock(&vm->mn_lock);
	if (range_ours(vm, range->start, range->end))
		WRITE_ONCE(vm->mn_seq, vm->mn_seq + 1);
	vm->mn_active--;
	spin_unlock(&vm->mn_lock);
}

/*
 * Ageing. Shadow leaves have no Accessed bit to test one by one: a frame counts
 * as young if a leaf may point to it, and to clear that its entry goes and all
 * leaves are dropped; those in use come back.
 */
static ringlet_young mn_clear_young(struct mmu_notifier *mn,
				    struct mm_struct *mm, unsigned long start,
				    unsigned long end)
{
	struct ringlet_vm *vm = vm_of(mn);
	bool young;

	spin_lock(&vm->mn_lock);
	young = range_shadowed(vm, start, end);
	vm->mn_throwing += young;
	if (young)
		forget_range(vm, start, end);
	spin_unlock(&vm->mn_lock);
	if (young)
		throw_out(vm);
	return young;
}

static ringlet_young mn_test_young(struct mmu_notifier *mn,
				   struct mm_struct *mm, unsigned long address)
{
	struct ringlet_vm *vm = vm_of(mn);
	bool young;

	spin_lock(&vm->mn_lock);
	young = range_shadowed(vm, address, address + PAGE_SIZE);
	spin_unlock(&vm->mn_lock);
	return young;
}

/*
 * No release(): once the last user of an mm is gone, which is before it unmaps
 * anything, nobody can RUN, and what the frame table says is looked at no more.
 */
static const struct mmu_notifier_ops mn_ops = {
	.invalidate_range_start = mn_invalidate_range_start,
	.invalidate_range_end = mn_invalidate_range_end,
	.clear_flush_young = mn_clear_young,
	.clear_young = mn_clear_young,
	.test_young = mn_test_young,
};

/**
 * ringlet_memory_register() - begin to follow the launcher's mm
 * @vm: its mm is current's
 *
 * Return: 0 or a negative errno.
 */
int ringlet_memory_register(struct ringlet_vm *vm)
{
	spin_lock_init(&vm->mn_lock);
	vm->mn.ops = &mn_ops;
	return mmu_notifier_register(&vm->mn, vm->mm);
}

/**
 * ringlet_memory_unregister() - stop following it
 * @vm: no vCPU runs any more
 */
void ringlet_memory_unregister(struct ringlet_vm *vm)
{
	mmu_notifier_unregister(&vm->mn, vm->mm);
}
