// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest could teach the CPU's predictors, kept from whom it may not
 * concern: barriers between VMs, and between a guest and its launcher. Between
 * guest and host kernel they are the switcher's, in switch.S.
 *
 * The host's choice is followed, never second-guessed: where its command line
 * turned a mitigation off, ours is off.
 *
 * Host kernel, around a visit to the guest.
 */
#include "ringlet.h"

#include <linux/percpu.h>
#include <linux/seq_file.h>
#include <asm/msr.h>

#include "compat/features.h"

/*
 * The VM that each CPU ran last, by number: an address may be another VM's
 * tomorrow. 0 is none.
 */
static DEFINE_PER_CPU(u64, last_vm);

static bool barriers __ro_after_init;

/*
 * Not indirect_branch_prediction_barrier(): from 6.15 on that is a call for KVM's
 * modules only.
 */
static void barrier_here(void)
{
	native_wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB, 0);
}

/**
 * ringlet_speculation_enter() - before a visit to the guest
 * @vcpu: about to be entered on this CPU
 *
 * What ran here since belonged to another guest? Then its training must not
 * steer this one. As KVM does when it loads a vCPU of another VM, and whatever
 * the launchers' own wishes (prctl()) are. vCPUs of one VM trust each other.
 *
 * Context: interrupts off.
 */
void ringlet_speculation_enter(struct ringlet_vcpu *vcpu)
{
	if (!barriers)
		return;
	if (this_cpu_read(last_vm) != vcpu->vm->number) {
		this_cpu_write(last_vm, vcpu->vm->number);
		barrier_here();
		vcpu->vm_barriers++;
	}
	vcpu->trained = true;
	ringlet_host_barrier_before_user();
}

/**
 * ringlet_speculation_launcher() - before RUN returns to the launcher
 * @vcpu: whose guest may have run
 *
 * To the predictors, guest and launcher are the same program: the same privilege,
 * the same page tables. The guest must not steer the launcher into showing what
 * is not the guest's. A host that has a barrier for the way to user mode (for
 * VMSCAPE) was told at each visit, CPU by CPU. Elsewhere it is done here, which
 * leaves out what the guest trained on CPUs that its vCPU was moved away from.
 *
 * Context: process context.
 */
void ringlet_speculation_launcher(struct ringlet_vcpu *vcpu)
{
	if (!vcpu->trained)
		return;
	vcpu->trained = false;
	if (ringlet_host_has_user_barrier())
		return;
	barrier_here();
	vcpu->launcher_barriers++;
}

static const char *on_off(bool on)
{
	return on ? "on" : "off";
}

/* clang-format off */
#define HOST_ASKS(what)							\
	on_off(boot_cpu_has(RINGLET_IF_##what) ||			\
	       boot_cpu_has(RINGLET_OR_##what))
/* clang-format on */

static int mitigations_show(struct seq_file *m, void *unused)
{
	/* The first seven as the switcher's alternatives were applied at load. */
	seq_printf(m, "entry_verw %s\n", HOST_ASKS(VERW));
	seq_printf(m, "entry_divider %s\n",
		   on_off(boot_cpu_has_bug(RINGLET_BUG_DIVIDER)));
	seq_printf(m, "exit_ibpb %s\n", HOST_ASKS(IBPB));
	seq_printf(m, "exit_ibrs %s\n", on_off(boot_cpu_has(RINGLET_IF_IBRS)));
	seq_printf(m, "exit_bhb %s\n", HOST_ASKS(BHB));
	seq_printf(m, "exit_rsb %s\n", HOST_ASKS(RSB));
	seq_printf(m, "exit_untrain %s\n", HOST_ASKS(UNTRAIN));
	seq_printf(m, "vm_ibpb %s\n", on_off(barriers));
	seq_printf(m, "launcher_ibpb %s\n", on_off(barriers));
	seq_printf(m, "linear_map %s\n",
		   on_off(ringlet_window_reaches_memory()));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(mitigations);

/**
 * ringlet_speculation_init() - follow the host's choice, and show it
 * @debugfs: the module's directory
 */
void __init ringlet_speculation_init(struct dentry *debugfs)
{
	barriers = ringlet_host_uses_ibpb();
	debugfs_create_file("mitigations", 0444, debugfs, NULL,
			    &mitigations_fops);
}
