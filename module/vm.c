// SPDX-License-Identifier: GPL-2.0
/*
 * VMs: the launcher's mm, memory slots and vCPUs of a guest, and their lives.
 *
 * A VM lives until its fd and those of its vCPUs are closed. That can be after
 * the launcher's mm has lost its users (fds travel, and a dying process closes
 * them last), so the VM holds the mm_struct: its top-level table must be there
 * for the slot to be removed from it.
 *
 * Host kernel, process context.
 */
#include "ringlet.h"

#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

static atomic64_t vms = ATOMIC64_INIT(0);

/**
 * ringlet_vm_create() - make a VM for the calling process
 *
 * Return: the VM with one reference, or an ERR_PTR.
 */
struct ringlet_vm *ringlet_vm_create(void)
{
	struct ringlet_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!vm)
		return ERR_PTR(-ENOMEM);
	kref_init(&vm->kref);
	mutex_init(&vm->lock);
	vm->status = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vm->status) {
		kfree(vm);
		return ERR_PTR(-ENOMEM);
	}
	vm->mm = current->mm;
	mmgrab(vm->mm);
	ret = ringlet_memory_register(vm);
	if (ret) {
		mmdrop(vm->mm);
		free_page((unsigned long)vm->status);
		kfree(vm);
		return ERR_PTR(ret);
	}
	vm->number = atomic64_inc_return(&vms);
	ringlet_shrinker_add_vm(vm);
	ringlet_debug_add_vm(vm);
	return vm;
}

static void destroy_vm(struct kref *kref)
{
	struct ringlet_vm *vm = container_of(kref, struct ringlet_vm, kref);
	struct ringlet_vcpu *vcpu;
	u32 id = 0;
	int i;

	ringlet_debug_remove_vm(vm);
	ringlet_shrinker_remove_vm(vm);
	/* First: its callbacks look at the vCPUs and the slots. */
	ringlet_memory_unregister(vm);
	while ((vcpu = ringlet_vm_next_vcpu(vm, &id)))
		ringlet_vcpu_destroy(vcpu);
	for (i = 0; i < vm->nr_slots; i++)
		vfree(vm->slots[i].shadowed);
	ringlet_linear_exit(&vm->linear);
	free_page((unsigned long)vm->status);
	mmdrop(vm->mm);
	mutex_destroy(&vm->lock);
	kfree(vm);
}

/**
 * ringlet_vm_end() - the guest is over
 * @vm: whose; its vCPUs stop where they are
 *
 * Context: process context.
 */
void ringlet_vm_end(struct ringlet_vm *vm)
{
	struct ringlet_vcpu *vcpu;
	u32 id = 0;

	WRITE_ONCE(vm->dead, true);
	while ((vcpu = ringlet_vm_next_vcpu(vm, &id)))
		ringlet_vcpu_kick(vcpu, false);
}

/**
 * ringlet_vm_get() - take a reference
 * @vm: the VM
 */
void ringlet_vm_get(struct ringlet_vm *vm)
{
	kref_get(&vm->kref);
}

/**
 * ringlet_vm_put() - drop a reference; with the last the VM goes
 * @vm: the VM
 *
 * Context: process context; may sleep.
 */
void ringlet_vm_put(struct ringlet_vm *vm)
{
	kref_put(&vm->kref, destroy_vm);
}

static bool memory_valid(const struct ringlet_memory *memory)
{
	u64 end_gpa, end_hva;

	if (memory->flags || !memory->size)
		return false;
	if (!PAGE_ALIGNED(memory->gpa | memory->size | memory->hva))
		return false;
	if (check_add_overflow(memory->gpa, memory->size, &end_gpa) ||
	    end_gpa > RINGLET_MAX_GPA)
		return false;
	return !check_add_overflow(memory->hva, memory->size, &end_hva) &&
	       end_hva <= TASK_SIZE_MAX;
}

static bool memory_overlaps(struct ringlet_vm *vm,
			    const struct ringlet_memory *memory)
{
	int i;

	for (i = 0; i < vm->nr_slots; i++) {
		u64 start = vm->slots[i].gfn << PAGE_SHIFT;
		u64 end = start + ((u64)vm->slots[i].npages << PAGE_SHIFT);

		if (memory->gpa < end && start < memory->gpa + memory->size)
			return true;
	}
	return false;
}

/**
 * ringlet_vm_pages() - size of a guest's memory
 * @vm: with its lock held, or its slots fixed
 *
 * Return: pages of all slots.
 */
unsigned long ringlet_vm_pages(struct ringlet_vm *vm)
{
	unsigned long pages = 0;
	int i;

	for (i = 0; i < vm->nr_slots; i++)
		pages += vm->slots[i].npages;
	return pages;
}

/* Context: vm->lock held. */
static int add_slot(struct ringlet_vm *vm, const struct ringlet_memory *memory)
{
	struct ringlet_memslot slot = {
		.gfn = memory->gpa >> PAGE_SHIFT,
		.npages = memory->size >> PAGE_SHIFT,
		.hva = memory->hva,
	};

	if (vm->nr_vcpus)
		return -EBUSY;
	if (vm->nr_slots == RINGLET_MEMORY_SLOTS)
		return -E2BIG;
	if (memory_overlaps(vm, memory))
		return -EEXIST;
	/* No machine can back more, and its bitmap would be a burden. */
	if (ringlet_vm_pages(vm) + slot.npages > totalram_pages())
		return -ENOMEM;
	slot.shadowed =
		__vmalloc(BITS_TO_LONGS(slot.npages) * sizeof(long),
			  GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN);
	if (!slot.shadowed)
		return -ENOMEM;
	/* The notifier goes by nr_slots: the slot is whole before it counts. */
	spin_lock(&vm->mn_lock);
	vm->slots[vm->nr_slots++] = slot;
	spin_unlock(&vm->mn_lock);
	return 0;
}

/**
 * ringlet_vm_set_memory() - add a memory slot
 * @vm: the VM
 * @memory: from the launcher; see the uapi header for errors
 *
 * Return: 0 or a negative errno.
 */
int ringlet_vm_set_memory(struct ringlet_vm *vm,
			  const struct ringlet_memory *memory)
{
	int ret;

	if (!memory_valid(memory))
		return -EINVAL;
	mutex_lock(&vm->lock);
	ret = add_slot(vm, memory);
	mutex_unlock(&vm->lock);
	return ret;
}

/*
 * Tell all vCPUs how many they are. Their numbers have no gaps: one beyond a
 * gap does not count. Context: vm->lock held.
 */
static void announce_vcpus(struct ringlet_vm *vm)
{
	struct ringlet_vcpu *vcpu;
	u32 n = 0, id = 0;

	while (n < RINGLET_MAX_VCPUS && vm->vcpus[n])
		n++;
	while ((vcpu = ringlet_vm_next_vcpu(vm, &id)))
		WRITE_ONCE(ringlet_shared(vcpu)->nr_vcpus, n);
	WRITE_ONCE(vm->nr_guest_vcpus, n);
}

/**
 * ringlet_vm_create_vcpu() - add a vCPU
 * @vm: the VM
 * @id: its number
 * @vcpup: receives it; it lives as long as the VM
 *
 * Return: 0; -EINVAL for a bad number, or if there is no memory yet; -EEXIST;
 * -ENOMEM and what ringlet_window_create() returns.
 */
int ringlet_vm_create_vcpu(struct ringlet_vm *vm, u32 id,
			   struct ringlet_vcpu **vcpup)
{
	struct ringlet_vcpu *vcpu;
	int ret = 0;

	if (id >= RINGLET_MAX_VCPUS)
		return -EINVAL;
	mutex_lock(&vm->lock);
	if (vm->vcpus[id]) {
		ret = -EEXIST;
	} else if (!vm->nr_slots) {
		ret = -EINVAL;
	} else {
		vcpu = ringlet_vcpu_create(vm, id);
		if (IS_ERR(vcpu)) {
			ret = PTR_ERR(vcpu);
			/* Slots can be added still: the table is for all of them. */
			if (!vm->nr_vcpus)
				ringlet_linear_exit(&vm->linear);
		} else {
			vm->nr_vcpus++;
			/* Notifiers and debugfs look without the lock. */
			smp_store_release(&vm->vcpus[id], vcpu);
			ringlet_shadow_divide(vm);
			announce_vcpus(vm);
			*vcpup = vcpu;
		}
	}
	mutex_unlock(&vm->lock);
	return ret;
}
