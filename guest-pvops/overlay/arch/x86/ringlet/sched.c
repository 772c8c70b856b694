// SPDX-License-Identifier: GPL-2.0
/*
 * What the guest's scheduler and locks know of the host's: which vCPUs do not
 * run although they would, how much time was taken from each, and how to sleep
 * until another vCPU has let go of a lock.
 *
 * The first two are read from the status page, any time, for any vCPU, without
 * a hypercall.
 *
 * Runs in guest kernel mode, in any context.
 */
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/jump_label.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/static_call.h>

#include <asm/paravirt.h>
#ifdef CONFIG_PARAVIRT_SPINLOCKS
#include <asm/qspinlock.h> /* not without SMP */
#endif

#include "ringlet.h"

u32 ringlet_vcpu_state(int cpu)
{
	return READ_ONCE(ringlet_status[cpu].state);
}

bool ringlet_vcpu_preempted(long cpu)
{
	return ringlet_vcpu_state(cpu) & RINGLET_VCPU_PREEMPTED;
}

static u64 ringlet_steal_clock(int cpu)
{
	return READ_ONCE(ringlet_status[cpu].steal);
}

/* Static calls and keys can be changed: see ringlet_init_platform(). */
void __init ringlet_init_steal_clock(void)
{
	static_call_update(pv_steal_clock, ringlet_steal_clock);
}

static int __init ringlet_enable_steal_clock(void)
{
	if (!ringlet_guest)
		return 0;

	static_key_slow_inc(&paravirt_steal_enabled);
	static_key_slow_inc(&paravirt_steal_rq_enabled);
	return 0;
}
arch_initcall(ringlet_enable_steal_clock);

#ifdef CONFIG_PARAVIRT_SPINLOCKS
static void ringlet_kick(int cpu)
{
	ringlet_hypercall1(RINGLET_HC_KICK, cpu);
}

/*
 * A kick is remembered, so the look at the byte and the sleep need not be one.
 * But nothing may eat it in between: an interrupt whose handler waits for a
 * lock would, so there is none. Once asleep interrupts are taken if they were,
 * and then the wait is over, too: the caller looks again.
 */
static void ringlet_wait(u8 *byte, u8 value)
{
	if (in_nmi())
		return;

	if (irqs_disabled()) {
		if (READ_ONCE(*byte) == value)
			ringlet_hypercall1(RINGLET_HC_WAIT, 0);
		return;
	}

	local_irq_disable();
	if (READ_ONCE(*byte) == value) {
		/* WAIT does it where lockdep does not see it; as safe_halt(). */
		trace_hardirqs_on();
		ringlet_hypercall1(RINGLET_HC_WAIT, 1);
	} else {
		local_irq_enable();
	}
}

PV_CALLEE_SAVE_REGS_THUNK(ringlet_vcpu_preempted);

void __init ringlet_init_spinlocks(void)
{
	if (num_possible_cpus() == 1 || nopvspin) {
		static_branch_disable(&virt_spin_lock_key);
		pr_info("ringlet: paravirtual spinlocks are off\n");
		return;
	}

	__pv_init_lock_hash();
	pv_ops.lock.queued_spin_lock_slowpath = __pv_queued_spin_lock_slowpath;
	pv_ops.lock.queued_spin_unlock =
		PV_CALLEE_SAVE(__pv_queued_spin_unlock);
	pv_ops.lock.wait = ringlet_wait;
	pv_ops.lock.kick = ringlet_kick;
	pv_ops.lock.vcpu_is_preempted = PV_CALLEE_SAVE(ringlet_vcpu_preempted);
	/* The slow path does not hijack the lock any more. */
	static_branch_disable(&virt_spin_lock_key);
}
#else
void __init ringlet_init_spinlocks(void)
{
}
#endif
