// SPDX-License-Identifier: GPL-2.0
/*
 * Where the guest's scheduler and the host's meet: a vCPU that has nothing to
 * do (HALT), one that waits for a lock (WAIT, KICK), one that waits for another
 * to run (YIELD), and what the guest is told about the time that the host keeps
 * from it (the status page).
 *
 * Host kernel. The preemption notifiers run inside the host's scheduler,
 * interrupts off, its run queue locked: they store two words in our own page.
 * All else is process context with vcpu->mutex held.
 */
#include "ringlet.h"

#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/sched/task.h>
#include <asm/processor-flags.h>

/*
 * How long a vCPU that halts may keep its CPU in case the wake-up is near. To
 * sleep and be woken costs the host some microseconds; an idle guest must not
 * cost it a CPU. So the time starts at 0, doubles after a sleep that was shorter
 * than the limit and goes back after a longer one; and nobody is kept waiting:
 * a vCPU whose CPU is wanted does not poll at all.
 */
static unsigned int halt_poll_ns = 50000;
module_param(halt_poll_ns, uint, 0644);
MODULE_PARM_DESC(halt_poll_ns,
		 "longest time that a halted vCPU keeps its CPU, in ns");

#define POLL_FIRST_NS 5000

static struct ringlet_status *status_of(struct ringlet_vcpu *vcpu)
{
	return &vcpu->vm->status[vcpu->id];
}

/* ---- The status page ---- */

/* Read by other vCPUs at any time; written by the owner's thread and who starts it. */
static void set_state(struct ringlet_vcpu *vcpu, u32 set, u32 clear)
{
	struct ringlet_status *status = status_of(vcpu);

	set_mask_bits(&status->state, clear, set);
}

/**
 * ringlet_sched_started() - say that a vCPU was started or has stopped
 * @vcpu: the vCPU
 * @started: which
 */
void ringlet_sched_started(struct ringlet_vcpu *vcpu, bool started)
{
	set_state(vcpu, started ? RINGLET_VCPU_STARTED : 0,
		  started ? 0 : RINGLET_VCPU_STARTED);
}

/* Time on a run queue since the last look, of the thread that runs us now. */
static void account_steal(struct ringlet_vcpu *vcpu)
{
	struct ringlet_status *status = status_of(vcpu);
	u64 delay = ringlet_run_delay(current);

	WRITE_ONCE(status->steal, status->steal + delay - vcpu->run_delay);
	vcpu->run_delay = delay;
}

static void scheduled_in(struct preempt_notifier *notifier, int cpu)
{
	struct ringlet_vcpu *vcpu =
		container_of(notifier, struct ringlet_vcpu, notifier);

	set_state(vcpu, 0, RINGLET_VCPU_PREEMPTED);
	account_steal(vcpu);
}

/* A vCPU that sleeps by its own wish is idle, not preempted. */
static void scheduled_out(struct preempt_notifier *notifier,
			  struct task_struct *next)
{
	struct ringlet_vcpu *vcpu =
		container_of(notifier, struct ringlet_vcpu, notifier);

	if (!READ_ONCE(vcpu->asleep))
		set_state(vcpu, RINGLET_VCPU_PREEMPTED, 0);
}

static struct preempt_ops preempt_ops = {
	.sched_in = scheduled_in,
	.sched_out = scheduled_out,
};

/**
 * ringlet_sched_init() - have the host's scheduler tell us
 *
 * Once for the module, not for each VM as KVM does it: the scheduler is patched
 * for it, at two places, and each change of a kernel's text interrupts all of
 * the host's CPUs up to three times. Guests of ours come and go by the hundred. The
 * price is a look at an empty list at each of the host's context switches for
 * as long as the module is loaded.
 *
 * It also keeps guests away from a race of QEMU's TCG, which discards what it
 * translated of a page before it writes there: another CPU may translate the
 * INT3 of such a change once more and meet it when it is long over.
 *
 * Context: process, may sleep.
 */
void ringlet_sched_init(void)
{
	ringlet_notifier_inc();
}

/**
 * ringlet_sched_exit() - not any more
 *
 * Context: process, may sleep; no vCPU is left.
 */
void ringlet_sched_exit(void)
{
	ringlet_notifier_dec();
}

/**
 * ringlet_sched_create() - set up a vCPU that is being made
 * @vcpu: the vCPU
 */
void ringlet_sched_create(struct ringlet_vcpu *vcpu)
{
	spin_lock_init(&vcpu->runner_lock);
	ringlet_notifier_init(&vcpu->notifier, &preempt_ops);
}

/**
 * ringlet_sched_begin() - this thread is the vCPU from now on
 * @vcpu: with its mutex held
 */
void ringlet_sched_begin(struct ringlet_vcpu *vcpu)
{
	spin_lock(&vcpu->runner_lock);
	vcpu->runner = current;
	spin_unlock(&vcpu->runner_lock);
	/* What it waited while it was with its launcher is the guest's, too. */
	if (vcpu->last_runner != task_pid_nr(current))
		vcpu->run_delay = ringlet_run_delay(current);
	vcpu->last_runner = task_pid_nr(current);
	account_steal(vcpu);
	ringlet_notifier_register(&vcpu->notifier);
}

/**
 * ringlet_sched_end() - it is not any more
 * @vcpu: with its mutex held
 */
void ringlet_sched_end(struct ringlet_vcpu *vcpu)
{
	ringlet_notifier_unregister(&vcpu->notifier);
	spin_lock(&vcpu->runner_lock);
	vcpu->runner = NULL;
	spin_unlock(&vcpu->runner_lock);
}

/* ---- Sleeping ---- */

/* What ends any sleep: work for the thread itself. */
static bool disturbed(struct ringlet_vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests) || READ_ONCE(vcpu->vm->dead) ||
	       READ_ONCE(vcpu->run->immediate_exit);
}

/**
 * ringlet_sched_never() - a sleep that only requests end
 * @vcpu: whose
 *
 * Return: false.
 */
bool ringlet_sched_never(struct ringlet_vcpu *vcpu)
{
	return false;
}

/**
 * ringlet_sched_sleep() - sleep as the guest wishes
 * @vcpu: whose thread this is
 * @over: true when the guest's reason to sleep is gone
 *
 * A signal or a request ends the sleep, too.
 */
void ringlet_sched_sleep(struct ringlet_vcpu *vcpu,
			 bool (*over)(struct ringlet_vcpu *vcpu))
{
	WRITE_ONCE(vcpu->asleep, true);
	wait_event_interruptible(vcpu->wait, over(vcpu) || disturbed(vcpu));
	WRITE_ONCE(vcpu->asleep, false);
}

static bool interrupted(struct ringlet_vcpu *vcpu)
{
	return ringlet_event_pending(vcpu) || vcpu->nmi_pending;
}

/* Keep the CPU for a while. True if that was enough. */
static bool poll(struct ringlet_vcpu *vcpu)
{
	u64 until = ktime_get_ns() + vcpu->poll_ns;

	if (!vcpu->poll_ns)
		return false;
	do {
		if (interrupted(vcpu) || disturbed(vcpu))
			return true;
		cpu_relax();
	} while (single_task_running() && !need_resched() &&
		 !signal_pending(current) && ktime_get_ns() < until);
	return false;
}

/**
 * ringlet_sched_halt() - sleep until an interrupt is pending
 * @vcpu: whose
 *
 * The guest sees a HLT that may return early, which it must expect.
 *
 * Return: RINGLET_RESUME.
 */
enum ringlet_next ringlet_sched_halt(struct ringlet_vcpu *vcpu)
{
	unsigned int limit = READ_ONCE(halt_poll_ns);
	u64 begun = ktime_get_ns();

	vcpu->halts++;
	if (poll(vcpu)) {
		vcpu->halts_polled++;
		return RINGLET_RESUME;
	}
	ringlet_sched_sleep(vcpu, interrupted);
	if (ktime_get_ns() - begun > limit)
		vcpu->poll_ns = 0;
	else
		vcpu->poll_ns = clamp_t(unsigned int, 2 * vcpu->poll_ns,
					min(POLL_FIRST_NS, limit), limit);
	return RINGLET_RESUME;
}

static bool kicked(struct ringlet_vcpu *vcpu)
{
	return READ_ONCE(vcpu->kicked) || vcpu->nmi_pending;
}

static bool kicked_or_interrupted(struct ringlet_vcpu *vcpu)
{
	return kicked(vcpu) || ringlet_event_pending(vcpu);
}

/**
 * ringlet_sched_wait() - the WAIT hypercall
 * @vcpu: who waits
 * @interruptible: set the virtual IF, and let interrupts end the wait
 *
 * A kick that came before the wait ends it: the waiter's look at its lock and
 * this hypercall need not be one step.
 *
 * Return: 0, or -EINVAL.
 */
int ringlet_sched_wait(struct ringlet_vcpu *vcpu, u64 interruptible)
{
	if (interruptible > 1)
		return -EINVAL;
	if (interruptible)
		WRITE_ONCE(ringlet_shared(vcpu)->flags, X86_EFLAGS_IF);
	vcpu->waits++;
	ringlet_sched_sleep(vcpu,
			    interruptible ? kicked_or_interrupted : kicked);
	WRITE_ONCE(vcpu->kicked, false);
	return 0;
}

/**
 * ringlet_sched_kick() - the KICK hypercall
 * @vcpu: who kicks
 * @id: whom
 *
 * Return: 0, or -ENOENT.
 */
int ringlet_sched_kick(struct ringlet_vcpu *vcpu, u64 id)
{
	struct ringlet_vcpu *target = ringlet_vm_vcpu(vcpu->vm, id);

	if (!target)
		return -ENOENT;
	WRITE_ONCE(target->kicked, true);
	smp_mb(); /* pairs with the waiter's set_current_state() */
	wake_up(&target->wait);
	return 0;
}

/**
 * ringlet_sched_yield() - the YIELD hypercall
 * @vcpu: who could run and had better not
 * @id: for whom
 *
 * Nothing happens if the target does not wait for a CPU.
 *
 * Return: 0, or -ENOENT.
 */
int ringlet_sched_yield(struct ringlet_vcpu *vcpu, u64 id)
{
	struct ringlet_vcpu *target = ringlet_vm_vcpu(vcpu->vm, id);
	struct task_struct *task;

	if (!target)
		return -ENOENT;
	if (target == vcpu)
		return 0;
	spin_lock(&target->runner_lock);
	task = target->runner;
	if (task)
		get_task_struct(task);
	spin_unlock(&target->runner_lock);
	if (!task)
		return 0;
	yield_to(task, true);
	put_task_struct(task);
	return 0;
}
