/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel differences that C code sees. Included first in every file of the
 * module; the module itself reads as if only the newest kernel existed.
 * RINGLET_HAVE_* come from compat/probes.mk.
 */
#ifndef RINGLET_COMPAT_H
#define RINGLET_COMPAT_H

#include <linux/cpu.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/cpu.h>
#include <asm/cpufeature.h>
#ifdef RINGLET_HAVE_CPUID_API
#include <asm/cpuid/api.h>
#endif
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/processor-flags.h>

#include "data_racy.h"

/* 6.1 and 6.12 know no LASS, and 6.1 no CET for user mode. */
#ifndef X86_CR4_LASS
#define X86_CR4_LASS BIT_ULL(27)
#endif

/* SDM vol. 4, table 2-2; a name for it came with user shadow stacks. */
#define RINGLET_MSR_U_CET 0x6a0

static inline bool ringlet_host_has_user_cet(void)
{
#ifdef X86_FEATURE_USER_SHSTK
	return boot_cpu_has(X86_FEATURE_USER_SHSTK);
#else
	return false;
#endif
}

/* Does this host have barriers (IBPB) between programs that ask for them? */
static inline bool ringlet_host_uses_ibpb(void)
{
#ifdef X86_FEATURE_USE_IBPB
	return boot_cpu_has(X86_FEATURE_USE_IBPB);
#else
	return boot_cpu_has(X86_FEATURE_IBPB) && !cpu_mitigations_off();
#endif
}

/* Against VMSCAPE, a host has a barrier on a CPU's next way to user mode. */
static inline bool ringlet_host_has_user_barrier(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	return boot_cpu_has(X86_FEATURE_IBPB_EXIT_TO_USER);
#else
	return false;
#endif
}

static inline void ringlet_host_barrier_before_user(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	if (ringlet_host_has_user_barrier())
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
}

/* The kernel's own wrapper got a tracepoint that needs a header of its own. */
static inline void ringlet_send_reschedule(int cpu)
{
#ifdef RINGLET_HAVE_ARCH_SEND_RESCHEDULE
	arch_smp_send_reschedule(cpu);
#else
	smp_send_reschedule(cpu);
#endif
}

#ifndef RINGLET_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

/*
 * A kernel without KVM may lack these: then no vCPU of a guest is ever known to
 * be preempted. KVM selects the run delay as well, for the same end as ours.
 */
#ifdef CONFIG_PREEMPT_NOTIFIERS
#define ringlet_notifier_init preempt_notifier_init
#define ringlet_notifier_inc preempt_notifier_inc
#define ringlet_notifier_dec preempt_notifier_dec
#define ringlet_notifier_register preempt_notifier_register
#define ringlet_notifier_unregister preempt_notifier_unregister
#else
struct preempt_notifier {};

struct preempt_ops {
	void (*sched_in)(struct preempt_notifier *notifier, int cpu);
	void (*sched_out)(struct preempt_notifier *notifier,
			  struct task_struct *next);
};

static inline void ringlet_notifier_init(struct preempt_notifier *notifier,
					 struct preempt_ops *ops)
{
}

static inline void ringlet_notifier_inc(void)
{
}

static inline void ringlet_notifier_dec(void)
{
}

static inline void ringlet_notifier_register(struct preempt_notifier *notifier)
{
}

static inline void
ringlet_notifier_unregister(struct preempt_notifier *notifier)
{
}
#endif

static inline u64 ringlet_run_delay(const struct task_struct *task)
{
#ifdef CONFIG_SCHED_INFO
	return READ_ONCE(task->sched_info.run_delay);
#else
	return 0;
#endif
}

/* A shrinker was its owner's structure once, and registering it could fail. */
#ifdef RINGLET_HAVE_SHRINKER_ALLOC
static inline int ringlet_register_shrinker(struct shrinker *shrinker)
{
	shrinker_register(shrinker);
	return 0;
}
#else
static inline struct shrinker *shrinker_alloc(unsigned int flags,
					      const char *name)
{
	struct shrinker *shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);

	if (shrinker)
		shrinker->flags = flags;
	return shrinker;
}

static inline int ringlet_register_shrinker(struct shrinker *shrinker)
{
	return register_shrinker(shrinker, "%s", KBUILD_MODNAME);
}

/* One that was not registered is not minded. */
static inline void shrinker_free(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(shrinker);
}
#endif

/*
 * Kernels that resched lazily set another flag first, and preempt_enable() does
 * not look at it: like a return to user mode, the run loop must.
 */
#ifdef _TIF_NEED_RESCHED_LAZY
#define RINGLET_TIF_RESCHED (_TIF_NEED_RESCHED | _TIF_NEED_RESCHED_LAZY)
#else
#define RINGLET_TIF_RESCHED _TIF_NEED_RESCHED
#endif

static inline void ringlet_resched(void)
{
	cond_resched();
	if (read_thread_flags() & RINGLET_TIF_RESCHED)
		schedule();
}

/* Renamed, without a change, when they were. */
#ifndef RINGLET_HAVE_RDMSRQ
#define rdmsrq rdmsrl
#define rdmsrq_safe rdmsrl_safe
#endif

/*
 * What the host makes of a guest's access across cache lines that it forbids:
 * true if the guest may go on. Some kernels tell KVM alone.
 */
static inline bool ringlet_split_lock_allowed(unsigned long ip)
{
#ifdef RINGLET_HAVE_GUEST_SPLIT_LOCK
	return handle_guest_split_lock(ip);
#else
	return false;
#endif
}

/* KVM's asynchronous page faults (asyncpf.c): some kernels let KVM alone take them. */
#if defined(CONFIG_KVM_GUEST) && defined(RINGLET_HAVE_ASYNC_PF)
#define RINGLET_TAKES_ASYNC_PF true
#define ringlet_async_pf_flags kvm_read_and_reset_apf_flags
#define ringlet_async_pf_wait kvm_async_pf_task_wait_schedule
#else
#define RINGLET_TAKES_ASYNC_PF false
static inline u32 ringlet_async_pf_flags(void)
{
	return 0;
}

static inline void ringlet_async_pf_wait(u32 token)
{
}
#endif

/* What a notifier of ageing returns: true if the frame was used. */
#ifdef RINGLET_HAVE_BOOL_YOUNG
#define ringlet_young bool
#else
#define ringlet_young int
#endif

#ifndef RINGLET_HAVE_HRTIMER_SETUP
static inline void
hrtimer_setup(struct hrtimer *timer,
	      enum hrtimer_restart (*function)(struct hrtimer *),
	      clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

#endif
