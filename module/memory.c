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
 * An invalidation marks the frames, tells every vCPU to drop its shadow (the
 * owner does that before it next enters), throws those out that are in the
 * guest and waits until they are. A fill that raced with it is thrown away by
 * sequence count, as KVM's is. All leaves go for one frame: there is no reverse
 * map yet, but a bit for each frame tells if any leaf can be concerned at all.
 *
 * Host kernel. Fills run in the vCPU's thread, notifiers in anybody's.
 */
#include "ringlet.h"

#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

static struct ringlet_memslot *find_slot(struct ringlet_vm *vm, u64 gpa)
{
	u64 gfn = gpa >> PAGE_SHIFT;
	int i;

	for (i = 0; i < vm->nr_slots; i++)
		if (gfn - vm->slots[i].gfn < vm->slots[i].npages)
			return &vm->slots[i];
	return NULL;
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
	return (void __user *)(slot->hva + offset);
}

/**
 * ringlet_read_gpte() - read an entry of a guest page table
 * @context: the struct ringlet_vm
 * @gpa: where, 8-byte aligned
 * @entry: receives it
 *
 * Return: 0; -EFAULT if that is not memory.
 */
int ringlet_read_gpte(void *context, u64 gpa, u64 *entry)
{
	u64 __user *where = ringlet_gpa_to_user(context, gpa, sizeof(*entry));

	if (!where || get_user(*entry, where))
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
 * @write: it was a write
 *
 * Return: 0; -EAGAIN if an entry has changed since the walk; -EFAULT.
 */
int ringlet_mark_accessed(struct ringlet_vm *vm, struct ringlet_translation *t,
			  bool write)
{
	int level, ret;

	for (level = RINGLET_LEVELS; level >= t->level; level--) {
		u64 bits = RINGLET_PTE_A;

		if (write && level == t->level)
			bits |= RINGLET_PTE_D;
		ret = set_bits(vm, t, level, bits);
		if (ret)
			return ret;
	}
	return 0;
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
	struct ringlet_walker walker = {
		.cr3 = vcpu->shadow.current_tag->cr3,
		.read = ringlet_read_gpte,
		.context = vcpu->vm,
	};
	struct ringlet_translation t;
	void __user *where;
	unsigned int n;
	int ret;

	while (len) {
		n = min_t(unsigned int, len, PAGE_SIZE - offset_in_page(gva));
		if (!ringlet_canonical(gva))
			return 1;
		ret = ringlet_walk(&walker, gva,
				   ringlet_user_mode(vcpu) ? RINGLET_PF_U : 0,
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

/* Install the leaf unless an invalidation has begun or ended since @seq. */
static bool install(struct ringlet_vm *vm, struct ringlet_memslot *slot,
		    u64 gfn, unsigned long seq, u64 spte, u64 *leaf)
{
	bool ok;

	spin_lock(&vm->mn_lock);
	ok = !vm->mn_active && vm->mn_seq == seq;
	if (ok) {
		__set_bit(gfn - slot->gfn, slot->shadowed);
		slot->first =
			min_t(unsigned long, slot->first, gfn - slot->gfn);
		slot->last = max_t(unsigned long, slot->last, gfn - slot->gfn);
		WRITE_ONCE(*leaf, spte);
	}
	spin_unlock(&vm->mn_lock);
	return ok;
}

/**
 * ringlet_map_frame() - make the shadow leaf for a translation
 * @vcpu: whose shadow
 * @t: an allowed walk, Accessed and Dirty set; its address is memory
 * @write: the access was a write
 * @private_nx: see ringlet_make_spte()
 * @leaf: where to
 *
 * Context: process context, the launcher's mm.
 * Return: 0; -EAGAIN if the host is changing its mind about its memory: the
 * guest is to fault again; what get_user_pages() failed with.
 */
int ringlet_map_frame(struct ringlet_vcpu *vcpu,
		      const struct ringlet_translation *t, bool write,
		      bool private_nx, u64 *leaf)
{
	struct ringlet_memslot *slot = find_slot(vcpu->vm, t->gpa);
	u64 gfn = t->gpa >> PAGE_SHIFT, spte;
	unsigned long hva = slot->hva + ((gfn - slot->gfn) << PAGE_SHIFT);
	unsigned long seq = READ_ONCE(vcpu->vm->mn_seq);
	struct page *page;
	bool writable, done;
	int ret;

	smp_rmb(); /* the count before the frame */
	ret = get_frame(hva, write, &page, &writable);
	if (ret)
		return ret;
	spte = ringlet_make_spte(t, page_to_pfn(page), writable, private_nx);
	/*
	 * The guest's writes do not set the host entry's Dirty bit: without
	 * this a page in the swap cache would be taken for clean and dropped.
	 */
	if ((spte & RINGLET_PTE_W) && !PageDirty(page))
		set_page_dirty_lock(page);
	done = install(vcpu->vm, slot, gfn, seq, spte, leaf);
	put_page(page);
	return done ? 0 : -EAGAIN;
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
 * Have all shadows dropped before their vCPUs run again. mn_lock held.
 *
 * The bits are cleared before the vCPUs are out: until then another
 * invalidation that finds its bits clear must wait, too, and mn_throwing says
 * so.
 */
static void request_flush(struct ringlet_vm *vm)
{
	int i;

	for (i = 0; i < RINGLET_MAX_VCPUS; i++)
		if (vm->vcpus[i])
			ringlet_request(vm->vcpus[i], RINGLET_REQ_FLUSH);
}

static void clear_shadowed(struct ringlet_vm *vm)
{
	int i;

	for (i = 0; i < vm->nr_slots; i++) {
		struct ringlet_memslot *slot = &vm->slots[i];

		if (slot->first > slot->last)
			continue;
		bitmap_clear(slot->shadowed, slot->first,
			     slot->last - slot->first + 1);
		slot->first = slot->npages;
		slot->last = 0;
	}
}

static void clear_shadowed_range(struct ringlet_vm *vm, unsigned long start,
				 unsigned long end)
{
	unsigned long first, last;
	int i;

	for (i = 0; i < vm->nr_slots; i++)
		if (overlap(&vm->slots[i], start, end, &first, &last))
			bitmap_clear(vm->slots[i].shadowed, first,
				     last - first + 1);
}

/* Wait until no vCPU runs on what was requested to be flushed. */
static void throw_out(struct ringlet_vm *vm)
{
	int i;

	for (i = 0; i < RINGLET_MAX_VCPUS; i++)
		if (vm->vcpus[i])
			ringlet_vcpu_kick(vm->vcpus[i], true);
	spin_lock(&vm->mn_lock);
	vm->mn_throwing--;
	spin_unlock(&vm->mn_lock);
}

static struct ringlet_vm *vm_of(struct mmu_notifier *mn)
{
	return container_of(mn, struct ringlet_vm, mn);
}

/* May be called where sleeping is not allowed (the OOM reaper): it does not. */
static int mn_invalidate_range_start(struct mmu_notifier *mn,
				     const struct mmu_notifier_range *range)
{
	struct ringlet_vm *vm = vm_of(mn);
	bool flush;

	spin_lock(&vm->mn_lock);
	vm->mn_active++;
	flush = range_shadowed(vm, range->start, range->end);
	if (flush) {
		request_flush(vm);
		clear_shadowed(vm);
	}
	flush |= !!vm->mn_throwing;
	vm->mn_throwing += flush;
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
		vm->mn_seq++;
	vm->mn_active--;
	spin_unlock(&vm->mn_lock);
}

/*
 * Ageing. Shadow leaves have no Accessed bit to test one by one: a frame counts
 * as young if a leaf may point to it, and to clear that all leaves are dropped;
 * those in use come back. Only the range's own bits are cleared: its neighbours
 * were not asked about and are not to look idle.
 */
static int mn_clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
			  unsigned long start, unsigned long end)
{
	struct ringlet_vm *vm = vm_of(mn);
	bool young;

	spin_lock(&vm->mn_lock);
	young = range_shadowed(vm, start, end);
	if (young) {
		request_flush(vm);
		clear_shadowed_range(vm, start, end);
		vm->mn_throwing++;
	}
	spin_unlock(&vm->mn_lock);
	if (young)
		throw_out(vm);
	return young;
}

static int mn_test_young(struct mmu_notifier *mn, struct mm_struct *mm,
			 unsigned long address)
{
	struct ringlet_vm *vm = vm_of(mn);
	bool young;

	spin_lock(&vm->mn_lock);
	young = range_shadowed(vm, address, address + PAGE_SIZE);
	spin_unlock(&vm->mn_lock);
	return young;
}

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
