// SPDX-License-Identifier: GPL-2.0
/*
 * What vCPUs of one guest do to one another: start, interrupt, NMI, flush.
 *
 * A vCPU's state is its own thread's. Another leaves a request (a bit, and
 * where a bit does not say it all, a mailbox beside it) and kicks; the owner
 * serves the request before it enters the guest again. That is all there is to
 * it, whatever the target is at: in the guest, in a handler, asleep in HALT,
 * scheduled out by the host, stopped, or with its launcher.
 *
 * Arguments are the guest's word. A vCPU that is not there is an errno.
 *
 * Host kernel, process context; the *acting* vCPU's mutex held, the target's
 * not.
 */
#include "ringlet.h"

#include <linux/nospec.h>
#include <linux/smp.h>
#include <asm/desc_defs.h>
#include <asm/segment.h>
#include <asm/trapnr.h>

#include "descriptor.h"
#include "flush.h"

/**
 * ringlet_vm_vcpu() - a vCPU by its number
 * @vm: the VM
 * @id: any number
 *
 * Return: the vCPU, or NULL.
 */
struct ringlet_vcpu *ringlet_vm_vcpu(struct ringlet_vm *vm, u64 id)
{
	if (id >= RINGLET_MAX_VCPUS)
		return NULL;
	id = array_index_nospec(id, RINGLET_MAX_VCPUS);
	/* Whole once it is there: pairs with its creation. */
	return smp_load_acquire(&vm->vcpus[id]);
}

/**
 * ringlet_vm_next_vcpu() - walk a VM's vCPUs
 * @vm: the VM
 * @id: the number to look from, 0 at first; moved behind the one that is found
 *
 * One that is made meanwhile is seen or not; none goes before its VM.
 *
 * Return: the next one, or NULL if there is none any more.
 */
struct ringlet_vcpu *ringlet_vm_next_vcpu(struct ringlet_vm *vm, u32 *id)
{
	struct ringlet_vcpu *vcpu = NULL;

	while (!vcpu && *id < RINGLET_MAX_VCPUS)
		vcpu = ringlet_vm_vcpu(vm, (*id)++);
	return vcpu;
}

static bool all_there(struct ringlet_vm *vm, u64 mask)
{
	unsigned int id;

	for (; mask; mask &= mask - 1) {
		id = __ffs64(mask);
		if (!ringlet_vm_vcpu(vm, id))
			return false;
	}
	return true;
}

static bool is_stopped(const struct ringlet_vcpu *vcpu)
{
	return atomic_read(&vcpu->life) == RINGLET_STOPPED;
}

/* ---- Starting and stopping ---- */

/**
 * ringlet_smp_begin() - give a vCPU another life, if it is stopped
 * @vcpu: which
 * @life: what it is from now on
 *
 * The status page changes with it: who has started a vCPU does not find it
 * stopped, and who finds it stopped can start it.
 *
 * Return: true if it was stopped.
 */
bool ringlet_smp_begin(struct ringlet_vcpu *vcpu, enum ringlet_life life)
{
	bool stopped;

	spin_lock(&vcpu->life_lock);
	stopped = is_stopped(vcpu);
	if (stopped) {
		atomic_set(&vcpu->life, life);
		ringlet_sched_started(vcpu, true);
	}
	spin_unlock(&vcpu->life_lock);
	return stopped;
}

/**
 * ringlet_smp_start() - the VCPU_START hypercall
 * @vcpu: who starts
 * @args: vCPU, RIP, RSP, GS base, CR3
 *
 * Return: 0; -ENOENT if there is no such vCPU; -EINVAL for values that cannot
 * be loaded; -EBUSY if it is not stopped.
 */
int ringlet_smp_start(struct ringlet_vcpu *vcpu, const u64 args[5])
{
	struct ringlet_vcpu *target = ringlet_vm_vcpu(vcpu->vm, args[0]);
	struct ringlet_start *start;

	if (!target)
		return -ENOENT;
	if (!ringlet_canonical(args[1]) || !ringlet_canonical(args[3]) ||
	    (args[4] & ~PAGE_MASK) || args[4] >= RINGLET_MAX_GPA)
		return -EINVAL;
	/* From here on the mailbox is ours, until the target has served it. */
	if (!ringlet_smp_begin(target, RINGLET_STARTING))
		return -EBUSY;
	start = &target->start;
	start->rip = args[1];
	start->rsp = args[2];
	start->gsbase = args[3];
	start->cr3 = args[4];
	BUILD_BUG_ON(sizeof(start->gates) != sizeof(vcpu->window.state->gates));
	memcpy(start->gates, vcpu->window.state->gates, sizeof(start->gates));
	smp_mb__before_atomic(); /* the mailbox before the bit */
	ringlet_request(target, RINGLET_REQ_START);
	ringlet_vcpu_kick(target, false);
	return 0;
}

static void reset_shared(struct ringlet_vcpu *vcpu)
{
	struct ringlet_shared *shared = ringlet_shared(vcpu);

	WRITE_ONCE(shared->flags, 0);
	WRITE_ONCE(shared->pending, 0);
	WRITE_ONCE(shared->busy, 0);
	WRITE_ONCE(shared->nmi_blocked, 0);
	WRITE_ONCE(shared->irq_pending, 0);
	WRITE_ONCE(shared->user_gsbase, 0);
}

/* Everything that a guest can have changed, as VCPU_START promises it. */
static enum ringlet_next serve_start(struct ringlet_vcpu *vcpu)
{
	struct ringlet_window_state *state = vcpu->window.state;
	const struct ringlet_start *start = &vcpu->start;
	u64 *gdt = (u64 *)(vcpu->window.desc + RINGLET_DESC_GDT);

	ringlet_tags_flush_all(&vcpu->shadow);
	/* It has no other error here: the CR3 was looked at. The next RUN then. */
	if (ringlet_tags_load_cr3(&vcpu->shadow, start->cr3)) {
		ringlet_request(vcpu, RINGLET_REQ_START);
		return -ENOMEM;
	}
	memset(&gdt[GDT_ENTRY_TLS_MIN], 0,
	       GDT_ENTRY_TLS_ENTRIES * sizeof(*gdt));
	reset_shared(vcpu);
	memcpy(state->gates, start->gates, sizeof(state->gates));
	memset(&state->gprs, 0, sizeof(state->gprs));
	ringlet_vcpu_reset(vcpu);
	state->gprs.rip = start->rip;
	state->gprs.rsp = start->rsp;
	state->gsbase = start->gsbase;
	state->fsbase = 0;
	state->ds = 0;
	state->es = 0;
	state->fs = 0;
	state->gs = 0;
	state->ds_flags &= ~RINGLET_DS_USER;
	state->kernel_gsbase = 0;
	vcpu->forbid_tsc = false;
	vcpu->nmi_pending = false;
	ringlet_fpu_reset(vcpu);
	atomic_set(&vcpu->life, RINGLET_STARTED);
	return RINGLET_RESUME;
}

/**
 * ringlet_smp_stop() - the VCPU_STOP hypercall
 * @vcpu: who stops
 *
 * Interrupts are forgotten here and not at the start, so that what is raised
 * after VCPU_START returned is kept.
 */
void ringlet_smp_stop(struct ringlet_vcpu *vcpu)
{
	ringlet_vcpu_set_timer(vcpu, ~0ULL);
	atomic64_set(&vcpu->irq_pending, 0);
	clear_bit(RINGLET_REQ_NMI, &vcpu->requests);
	WRITE_ONCE(vcpu->kicked, false);
	/* All of that before another vCPU may start this one. */
	spin_lock(&vcpu->life_lock);
	ringlet_sched_started(vcpu, false);
	atomic_set(&vcpu->life, RINGLET_STOPPED);
	spin_unlock(&vcpu->life_lock);
}

/**
 * ringlet_smp_stopped() - is there nothing to run?
 * @vcpu: whose thread this is
 *
 * If so, it sleeps until there may be.
 *
 * Return: true if the vCPU was found stopped.
 */
bool ringlet_smp_stopped(struct ringlet_vcpu *vcpu)
{
	if (likely(atomic_read(&vcpu->life) == RINGLET_STARTED))
		return false;
	ringlet_sched_sleep(vcpu, ringlet_sched_never);
	return true;
}

/* ---- Interrupts ---- */

/**
 * ringlet_smp_send_ipi() - the SEND_IPI hypercall
 * @vcpu: who sends
 * @mask: to whom; stopped ones do not hear it
 * @line: an interrupt line, or RINGLET_IPI_NMI
 *
 * Return: 0; -EINVAL, and nothing is sent, if a vCPU or the line is not there.
 */
int ringlet_smp_send_ipi(struct ringlet_vcpu *vcpu, u64 mask, u64 line)
{
	struct ringlet_vcpu *target;

	if (line > RINGLET_IPI_NMI || !all_there(vcpu->vm, mask))
		return -EINVAL;
	for (; mask; mask &= mask - 1) {
		target = ringlet_vm_vcpu(vcpu->vm, __ffs64(mask));
		if (is_stopped(target))
			continue;
		vcpu->ipis++;
		if (line != RINGLET_IPI_NMI) {
			ringlet_vcpu_raise(target, line);
		} else {
			ringlet_request(target, RINGLET_REQ_NMI);
			ringlet_vcpu_kick(target, false);
		}
	}
	return 0;
}

/**
 * ringlet_smp_nmi() - deliver a pending NMI, if it is not blocked
 * @vcpu: about to enter the guest
 *
 * What is blocked stays pending until the next exit: the guest's IRET in most
 * cases, the host's tick at the latest.
 *
 * Return: RINGLET_RESUME, or the guest is dead.
 */
enum ringlet_next ringlet_smp_nmi(struct ringlet_vcpu *vcpu)
{
	struct ringlet_shared *shared = ringlet_shared(vcpu);

	if (likely(!vcpu->nmi_pending) || READ_ONCE(shared->nmi_blocked) ||
	    READ_ONCE(shared->busy))
		return RINGLET_RESUME;
	vcpu->nmi_pending = false;
	WRITE_ONCE(shared->nmi_blocked, 1);
	return ringlet_event_deliver(vcpu, X86_TRAP_NMI, 0);
}

/* ---- Flushes ---- */

static void acknowledge(void *unused)
{
}

/*
 * Throw those out that are in the guest, and wait until they are: what they
 * find before they enter again is the request. The others are not waited for.
 */
static void throw_out(struct ringlet_vcpu *vcpu, u64 mask)
{
	struct ringlet_vcpu *target;

	cpumask_clear(vcpu->kick_mask);
	smp_mb(); /* the requests before the modes; pairs with enter_guest() */
	for (; mask; mask &= mask - 1) {
		target = ringlet_vm_vcpu(vcpu->vm, __ffs64(mask));
		if (READ_ONCE(target->mode) != RINGLET_IN_GUEST)
			continue;
		vcpu->flush_waits++;
		cpumask_set_cpu(READ_ONCE(target->cpu), vcpu->kick_mask);
	}
	if (cpumask_empty(vcpu->kick_mask))
		return;
	preempt_disable();
	/* One that was on this CPU is not in the guest: we are. */
	smp_call_function_many(vcpu->kick_mask, acknowledge, NULL, true);
	preempt_enable();
}

/**
 * ringlet_smp_flush() - the FLUSH_VCPUS hypercall
 * @vcpu: who asks; it may be among the targets
 * @args: mask, CR3, first address, end
 *
 * On return no target runs on translations that were to go, and none will.
 *
 * Return: 0, or -EINVAL.
 */
int ringlet_smp_flush(struct ringlet_vcpu *vcpu, const u64 args[4])
{
	struct ringlet_vcpu *target;
	struct ringlet_flush flush;
	u64 mask;
	int ret;

	ret = ringlet_flush_parse(args[1], args[2], args[3], &flush);
	if (ret || !all_there(vcpu->vm, args[0]))
		return -EINVAL;
	for (mask = args[0]; mask; mask &= mask - 1) {
		target = ringlet_vm_vcpu(vcpu->vm, __ffs64(mask));
		vcpu->remote_flushes++;
		spin_lock(&target->flush_lock);
		ringlet_flush_add(&target->flushes, &flush);
		spin_unlock(&target->flush_lock);
		ringlet_request(target, RINGLET_REQ_FLUSH_SOME);
	}
	throw_out(vcpu, args[0]);
	return 0;
}

static void serve_flush(struct ringlet_vcpu *vcpu)
{
	struct ringlet_flush_queue queue;
	unsigned int i;

	spin_lock(&vcpu->flush_lock);
	queue = vcpu->flushes;
	vcpu->flushes.n = 0;
	vcpu->flushes.everything = false;
	spin_unlock(&vcpu->flush_lock);
	if (queue.everything) {
		ringlet_tags_flush_all(&vcpu->shadow);
		return;
	}
	for (i = 0; i < queue.n; i++)
		ringlet_tags_flush_range(&vcpu->shadow, queue.entry[i].root,
					 queue.entry[i].start,
					 queue.entry[i].end);
}

/**
 * ringlet_smp_requests() - serve what other vCPUs have asked for
 * @vcpu: whose thread this is
 *
 * Return: RINGLET_RESUME, or the guest is dead.
 */
enum ringlet_next ringlet_smp_requests(struct ringlet_vcpu *vcpu)
{
	/* The bit before the queue: what is added meanwhile sets it again. */
	if (test_and_clear_bit(RINGLET_REQ_FLUSH_SOME, &vcpu->requests))
		serve_flush(vcpu);
	if (test_and_clear_bit(RINGLET_REQ_NMI, &vcpu->requests))
		vcpu->nmi_pending = true;
	if (test_and_clear_bit(RINGLET_REQ_START, &vcpu->requests))
		return serve_start(vcpu);
	return RINGLET_RESUME;
}
