// SPDX-License-Identifier: GPL-2.0
/*
 * More than one vCPU: counting them, bringing them up and taking them down,
 * interrupts between them, and remote TLB flushes.
 *
 * CPU n is vCPU n. There is no APIC, but 6.12 counts CPUs by APIC IDs and sends
 * its interrupts through the APIC driver: so there is a driver, whose vectors
 * become interrupt lines or NMIs by one hypercall for all targets, and IDs that
 * are the vCPUs' numbers. Mainline's smp_ops then serve as they are, apart from
 * starting and stopping.
 *
 * Runs in guest kernel mode; what is sent is sent in any context, NMI among
 * them.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/sched/hotplug.h>
#include <linux/sched/task_stack.h>
#include <linux/smp.h>

#include <asm/apic.h>
#include <asm/cpu.h>
#include <asm/fpu/api.h>
#include <asm/hw_irq.h>
#include <asm/irq_stack.h>
#include <asm/nmi.h>
#include <asm/paravirt.h>
#include <asm/smp.h>
#include <asm/spec-ctrl.h>
#include <asm/tlb.h>
#include <asm/tlbflush.h>
#include <asm/x86_init.h>

#include "ringlet.h"

/* ---- Interrupts between vCPUs ---- */

/* Lines of ours; the handler is ringlet_ipi(). */
enum {
	LINE_RESCHEDULE = RINGLET_IRQ_IPI,
	LINE_CALL,
	LINE_CALL_SINGLE,
	LINE_IRQ_WORK,
	LINE_STOP,
};

static unsigned int line_of(int vector)
{
	switch (vector) {
	case RESCHEDULE_VECTOR:
		return LINE_RESCHEDULE;
	case CALL_FUNCTION_VECTOR:
		return LINE_CALL;
	case CALL_FUNCTION_SINGLE_VECTOR:
		return LINE_CALL_SINGLE;
	case IRQ_WORK_VECTOR:
		return LINE_IRQ_WORK;
	case REBOOT_VECTOR:
		return LINE_STOP;
	case NMI_VECTOR:
		return RINGLET_IPI_NMI;
	}

	WARN_ONCE(1, "ringlet: nobody waits for vector %#x\n", vector);
	return LINE_RESCHEDULE;
}

static void send(unsigned long vcpus, int vector)
{
	if (vcpus)
		ringlet_hypercall2(RINGLET_HC_SEND_IPI, vcpus, line_of(vector));
}

static unsigned long vcpus_of(const struct cpumask *mask)
{
	/* There are never more than 64: RINGLET_MAX_VCPUS. */
	return cpumask_bits(mask)[0];
}

static void ringlet_send_IPI(int cpu, int vector)
{
	send(BIT(cpu), vector);
}

/*
 * A function call is waited for, mostly. If the host keeps one of its targets
 * from running that had better have our CPU. KVM's guests do the same.
 */
static void ringlet_send_IPI_mask(const struct cpumask *mask, int vector)
{
	int cpu;

	send(vcpus_of(mask), vector);
	if (vector != CALL_FUNCTION_VECTOR)
		return;

	for_each_cpu(cpu, mask) {
		if (ringlet_vcpu_preempted(cpu)) {
			ringlet_hypercall1(RINGLET_HC_YIELD, cpu);
			break;
		}
	}
}

static void ringlet_send_IPI_mask_allbutself(const struct cpumask *mask,
					     int vector)
{
	send(vcpus_of(mask) & ~BIT(smp_processor_id()), vector);
}

static void ringlet_send_IPI_all(int vector)
{
	send(vcpus_of(cpu_online_mask), vector);
}

static void ringlet_send_IPI_allbutself(int vector)
{
	ringlet_send_IPI_mask_allbutself(cpu_online_mask, vector);
}

static void ringlet_send_IPI_self(int vector)
{
	send(BIT(smp_processor_id()), vector);
}

static u32 ringlet_apic_read(u32 reg)
{
	return reg == APIC_ID ? READ_ONCE(ringlet_shared->vcpu_id) : 0;
}

static void ringlet_apic_write(u32 reg, u32 value)
{
}

static u32 ringlet_get_apic_id(u32 value)
{
	return value;
}

static void ringlet_apic_eoi(void)
{
}

static u64 ringlet_icr_read(void)
{
	return 0;
}

static void ringlet_icr_write(u32 low, u32 id)
{
}

static struct apic ringlet_apic __ro_after_init = {
	.name = "Ringlet",
	.cpu_present_to_apicid = default_cpu_present_to_apicid,
	.max_apic_id = UINT_MAX,
	.get_apic_id = ringlet_get_apic_id,
	.calc_dest_apicid = apic_flat_calc_apicid,
	.send_IPI = ringlet_send_IPI,
	.send_IPI_mask = ringlet_send_IPI_mask,
	.send_IPI_mask_allbutself = ringlet_send_IPI_mask_allbutself,
	.send_IPI_all = ringlet_send_IPI_all,
	.send_IPI_allbutself = ringlet_send_IPI_allbutself,
	.send_IPI_self = ringlet_send_IPI_self,
	.read = ringlet_apic_read,
	.write = ringlet_apic_write,
	.eoi = ringlet_apic_eoi,
	.icr_read = ringlet_icr_read,
	.icr_write = ringlet_icr_write,
};

static void __init ringlet_install_apic(void)
{
	apic_install_driver(&ringlet_apic);
}

/* ---- Stopping ---- */

static void __noreturn stop_self(void)
{
	for (;;)
		ringlet_hypercall0(RINGLET_HC_VCPU_STOP);
}

/* Out of whatever this vCPU was at; it will not come back. */
static void stop_for_good(void)
{
	local_irq_disable();
	set_cpu_online(smp_processor_id(), false);
	stop_self();
}

static int stop_by_nmi(unsigned int type, struct pt_regs *regs)
{
	stop_for_good();
	return NMI_HANDLED;
}

static bool others_stop_within(unsigned int ms)
{
	while (num_online_cpus() > 1 && ms--)
		mdelay(1);

	return num_online_cpus() == 1;
}

/* As native_stop_other_cpus(): first politely, then by NMI. */
static void ringlet_stop_other_cpus(int wait)
{
	static atomic_t stopping = ATOMIC_INIT(0);

	if (atomic_xchg(&stopping, 1))
		return;

	ringlet_send_IPI_allbutself(REBOOT_VECTOR);
	if (others_stop_within(1000))
		return;

	pr_emerg("Shutting down CPUs by NMI\n");
	register_nmi_handler(NMI_LOCAL, stop_by_nmi, NMI_FLAG_FIRST,
			     "ringlet_stop");
	ringlet_send_IPI_allbutself(NMI_VECTOR);
	others_stop_within(10);
}

/* Line @line was raised: is it one of ours? In sysvec_ringlet, IF clear. */
bool ringlet_ipi(unsigned int line)
{
	switch (line) {
	case LINE_RESCHEDULE:
		inc_irq_stat(irq_resched_count);
		scheduler_ipi();
		return true;
	case LINE_CALL:
		inc_irq_stat(irq_call_count);
		generic_smp_call_function_interrupt();
		return true;
	case LINE_CALL_SINGLE:
		inc_irq_stat(irq_call_count);
		generic_smp_call_function_single_interrupt();
		return true;
	case LINE_IRQ_WORK:
		irq_work_run();
		return true;
	case LINE_STOP:
		stop_for_good();
		return true;
	}

	return false;
}

/* ---- Coming up and going down ---- */

/*
 * start_secondary() without the APIC, microcode and the comparison of TSCs:
 * either the host vouches for them, or they are no clock here.
 */
asmlinkage __visible void notrace ringlet_start_secondary(void)
{
	int cpu = raw_smp_processor_id();

	ringlet_reset_cpu_state();
	cr4_init();
	cpu_init_exception_handling(false);
	cpuhp_ap_sync_alive();

	cpu_init();
	fpu__init_cpu();
	rcutree_report_cpu_starting(cpu);

	smp_store_cpu_info(cpu);
	set_cpu_sibling_map(cpu);
	notify_cpu_starting(cpu);
	cpu_data(cpu).loops_per_jiffy = loops_per_jiffy;
	speculative_store_bypass_ht_init();

	lock_vector_lock();
	set_cpu_online(cpu, true);
	lapic_online();
	unlock_vector_lock();

	local_irq_enable();
	x86_cpuinit.setup_percpu_clockev();
	cpu_startup_entry(CPUHP_AP_ONLINE_IDLE);
}

static int ringlet_kick_ap(unsigned int cpu, struct task_struct *idle)
{
	unsigned long cr3 = __pa_symbol(swapper_pg_dir);
	long ret;

	/* The FPU context is blank, nobody can own it. */
	per_cpu(fpu_fpregs_owner_ctx, cpu) = NULL;
	ret = common_cpu_up(cpu, idle);
	if (ret)
		return ret;

	ringlet_set_cr3(cpu, cr3);
	ret = ringlet_hypercall5(RINGLET_HC_VCPU_START, cpu,
				 (unsigned long)ringlet_secondary_entry,
				 (unsigned long)task_pt_regs(idle),
				 per_cpu_offset(cpu), cr3);
	if (RINGLET_HC_IS_ERROR(ret))
		pr_err("ringlet: vCPU %u does not start (%ld)\n", cpu, ret);

	return ret;
}

/* Whoever waits for @cpu to come up or to die lets it run meanwhile. */
static void ringlet_poll_sync_state(void)
{
	cpu_relax();
}

#ifdef CONFIG_HOTPLUG_CPU
static int ringlet_cpu_disable(void)
{
	cpu_disable_common();
	return 0;
}

static void __noreturn ringlet_play_dead(void)
{
	play_dead_common();
	stop_self();
}

/*
 * It has said that it is dead, but is still on its stack for some
 * instructions. Only then may it be started again.
 */
static void ringlet_cleanup_dead_cpu(unsigned int cpu)
{
	while (ringlet_vcpu_state(cpu) & RINGLET_VCPU_STARTED)
		ringlet_hypercall1(RINGLET_HC_YIELD, cpu);
}
#endif

/* ---- Remote TLB flushes ---- */

/*
 * Does @cpu have to be told? As should_flush_tlb() of mm/tlb.c: a vCPU that is
 * lazy or runs another mm finds out by the mm's generation when it switches;
 * but not if page tables were freed, which its walks may be using.
 */
static bool must_flush(int cpu, const struct flush_tlb_info *info)
{
	struct mm_struct *loaded;

	if (info->freed_tables || !info->mm)
		return true;

	loaded = per_cpu(cpu_tlbstate.loaded_mm, cpu);
	smp_rmb(); /* is_lazy is at least as new; pairs with switch_mm */
	if (per_cpu(cpu_tlbstate_shared.is_lazy, cpu))
		return false;

	return loaded == info->mm || loaded == LOADED_MM_SWITCHING;
}

/*
 * The module flushes for the others: an interrupt of theirs would cost each of
 * them an exit to take it, one for each page and one to return, and would wait
 * for those that have IF clear or no CPU of the host's. It waits for those only
 * that are in the guest at this moment; what another vCPU's shadow of @mm is,
 * it finds by the page table's address.
 *
 * The others do not note that they have flushed up to info->new_tlb_gen, as
 * flush_tlb_func() would. So they flush once more at their next switch to @mm.
 */
static void ringlet_flush_tlb_multi(const struct cpumask *cpus,
				    const struct flush_tlb_info *info)
{
	int cpu, this_cpu = smp_processor_id();
	unsigned long vcpus = 0, start = 0, end = 0;
	u64 root = RINGLET_FLUSH_EVERYTHING;

	/* Once a second, and then it is about more than the TLB. */
	if (info->trim_cpumask) {
		native_flush_tlb_multi(cpus, info);
		return;
	}

	for_each_cpu_and(cpu, cpus, cpu_online_mask)
		if (cpu != this_cpu && must_flush(cpu, info))
			vcpus |= BIT(cpu);

	if (info->mm)
		root = __pa(info->mm->pgd);
	if (info->mm && info->end != TLB_FLUSH_ALL && !info->freed_tables) {
		start = info->start & PAGE_MASK;
		end = PAGE_ALIGN(info->end);
	}
	if (vcpus)
		ringlet_hypercall4(RINGLET_HC_FLUSH_VCPUS, vcpus, root, start,
				   end);

	if (cpumask_test_cpu(this_cpu, cpus))
		native_flush_tlb_multi(cpumask_of(this_cpu), info);
}

/* ---- Setting up ---- */

/* Instead of a firmware's tables. The first is the boot vCPU. */
static void __init ringlet_count_cpus(void)
{
	unsigned int n = READ_ONCE(ringlet_shared->nr_vcpus), id;

	topology_register_boot_apic(0);
	for (id = 0; id < n; id++)
		topology_register_apic(id, CPU_ACPIID_INVALID, true);

	/* Pretend to be a properly enumerated system, as Xen PV does. */
	smp_found_config = 1;
}

static void __init ringlet_prepare_boot_cpu(void)
{
	native_smp_prepare_boot_cpu();
	/* Before alternatives: they patch the lock operations in. */
	ringlet_init_spinlocks();
}

static void __init ringlet_prepare_cpus(unsigned int max_cpus)
{
	smp_prepare_cpus_common();
	speculative_store_bypass_ht_init();
}

/* In ringlet_init_platform(): static calls and keys can be changed. */
void __init ringlet_init_smp_platform(void)
{
	if (READ_ONCE(ringlet_shared->nr_vcpus) < 2)
		return;

	pv_ops.mmu.flush_tlb_multi = ringlet_flush_tlb_multi;
	/* Lockless walkers are not held off by an interrupt any more. */
	pv_ops.mmu.tlb_remove_table = tlb_remove_table;
}

void __init ringlet_init_smp(void)
{
	x86_init.mpparse.parse_smp_cfg = ringlet_count_cpus;
	x86_init.irqs.intr_mode_init = ringlet_install_apic;
	x86_cpuinit.parallel_bringup = false;

	smp_ops.smp_prepare_boot_cpu = ringlet_prepare_boot_cpu;
	smp_ops.smp_prepare_cpus = ringlet_prepare_cpus;
	smp_ops.kick_ap_alive = ringlet_kick_ap;
	smp_ops.poll_sync_state = ringlet_poll_sync_state;
	smp_ops.stop_other_cpus = ringlet_stop_other_cpus;
#ifdef CONFIG_CRASH_DUMP
	smp_ops.crash_stop_other_cpus = NULL;
#endif
#ifdef CONFIG_HOTPLUG_CPU
	smp_ops.cpu_disable = ringlet_cpu_disable;
	smp_ops.play_dead = ringlet_play_dead;
	smp_ops.cleanup_dead_cpu = ringlet_cleanup_dead_cpu;
#endif
}
