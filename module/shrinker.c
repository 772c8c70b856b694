// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow tables are a cache, and a host that is short of memory gets them back:
 * a shrinker, as the kernel's own caches have.
 *
 * It is called by whoever wants memory, in any thread, with any locks held, a
 * vCPU's mutex among them (a thread that makes a table for itself may have to
 * reclaim). So it waits for nothing. Tables of a vCPU that nobody runs are
 * freed here, under its mutex, which makes this thread the owner for that
 * moment. One that is run is asked: it frees them when it next leaves the
 * guest, for which it is kicked, or wakes up, for a halted guest has no use for
 * them; or, if its launcher takes it out of RUN before that, the next time that
 * this is called. No CPU can be walking what is freed: that vCPU is not in the
 * guest, and before it enters again its tags, being stale, are flushed
 * (shadow.c).
 *
 * Memory that is short in a cgroup alone does not come here; there the fills
 * themselves give back, see new_table_page() in tags.c.
 *
 * Host kernel, process context, inside memory reclaim: no allocation.
 */
#include "ringlet.h"

static DEFINE_MUTEX(vms_lock); /* vms */
static LIST_HEAD(vms);
static struct shrinker *shrinker;

/* Tables of a vCPU in RUN that it was not asked for yet. */
static unsigned long not_asked(struct ringlet_vcpu *vcpu)
{
	long n = READ_ONCE(vcpu->shadow.pages) -
		 atomic_long_read(&vcpu->reclaim);

	return max(n, 0L);
}

static unsigned long count_vm(struct ringlet_vm *vm)
{
	struct ringlet_vcpu *vcpu;
	unsigned long n = 0;
	u32 id = 0;

	while ((vcpu = ringlet_vm_next_vcpu(vm, &id)))
		n += mutex_is_locked(&vcpu->mutex) ?
			     not_asked(vcpu) :
			     READ_ONCE(vcpu->shadow.pages);
	return n;
}

static unsigned long count_tables(struct shrinker *unused,
				  struct shrink_control *sc)
{
	struct ringlet_vm *vm;
	unsigned long n = 0;

	if (!mutex_trylock(&vms_lock))
		return 0;
	list_for_each_entry(vm, &vms, all)
		n += count_vm(vm);
	mutex_unlock(&vms_lock);
	return n;
}

/*
 * Take tables from a vCPU, or ask it for them. Returns how many were freed, and
 * adds to @asked how many it was asked for.
 */
static unsigned long take(struct ringlet_vcpu *vcpu, unsigned long n,
			  unsigned long *asked)
{
	unsigned long freed;

	/* Not in RUN: what it was asked for before and did not come to is due. */
	if (mutex_trylock(&vcpu->mutex)) {
		atomic_long_add(min(n, not_asked(vcpu)), &vcpu->reclaim);
		freed = ringlet_shadow_reclaim(vcpu);
		mutex_unlock(&vcpu->mutex);
		return freed;
	}
	n = min(n, not_asked(vcpu));
	if (!n)
		return 0;
	atomic_long_add(n, &vcpu->reclaim);
	ringlet_request(vcpu, RINGLET_REQ_RECLAIM);
	ringlet_vcpu_kick(vcpu, false);
	*asked += n;
	return 0;
}

static unsigned long scan_tables(struct shrinker *unused,
				 struct shrink_control *sc)
{
	unsigned long freed = 0, asked = 0, wanted = sc->nr_to_scan;
	struct ringlet_vcpu *vcpu;
	struct ringlet_vm *vm;

	if (!mutex_trylock(&vms_lock))
		return SHRINK_STOP;
	list_for_each_entry(vm, &vms, all) {
		u32 id = 0;

		while (freed + asked < wanted &&
		       (vcpu = ringlet_vm_next_vcpu(vm, &id)))
			freed += take(vcpu, wanted - freed - asked, &asked);
	}
	/* The next time another VM is the first. */
	list_rotate_left(&vms);
	mutex_unlock(&vms_lock);
	sc->nr_scanned = freed + asked;
	return sc->nr_scanned ? freed : SHRINK_STOP;
}

/**
 * ringlet_shrinker_ask_others() - have a guest's other vCPUs give back all
 * @vcpu: for whose table there was no memory; its thread
 */
void ringlet_shrinker_ask_others(struct ringlet_vcpu *vcpu)
{
	struct ringlet_vcpu *other;
	unsigned long asked = 0;
	u32 id = 0;

	while ((other = ringlet_vm_next_vcpu(vcpu->vm, &id)))
		if (other != vcpu)
			take(other, ULONG_MAX, &asked);
}

/**
 * ringlet_shrinker_add_vm() - let the host have a VM's tables
 * @vm: the VM, whole but for its vCPUs
 */
void ringlet_shrinker_add_vm(struct ringlet_vm *vm)
{
	mutex_lock(&vms_lock);
	list_add_tail(&vm->all, &vms);
	mutex_unlock(&vms_lock);
}

/**
 * ringlet_shrinker_remove_vm() - do not any more
 * @vm: the VM; on return nobody looks at it from here
 */
void ringlet_shrinker_remove_vm(struct ringlet_vm *vm)
{
	mutex_lock(&vms_lock);
	list_del(&vm->all);
	mutex_unlock(&vms_lock);
}

/**
 * ringlet_shrinker_init() - begin to listen to the host
 *
 * Return: 0 or -ENOMEM.
 */
int ringlet_shrinker_init(void)
{
	int ret;

	shrinker = shrinker_alloc(0, KBUILD_MODNAME);
	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = count_tables;
	shrinker->scan_objects = scan_tables;
	shrinker->seeks = DEFAULT_SEEKS;
	ret = ringlet_register_shrinker(shrinker);
	if (ret)
		shrinker_free(shrinker);
	return ret;
}

/**
 * ringlet_shrinker_exit() - listen no more
 */
void ringlet_shrinker_exit(void)
{
	shrinker_free(shrinker);
}
