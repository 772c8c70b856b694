// SPDX-License-Identifier: GPL-2.0
/*
 * Gates: tell the module where the guest kernel wants to be entered.
 *
 * Linux fills an IDT as it always does; each entry of interest becomes a
 * SET_GATE hypercall with our gate (entry.S) for the handler that the entry
 * names. The table in memory is kept, but nobody reads it. System calls get
 * their gates when LSTAR and CSTAR are written.
 *
 * Runs in guest kernel mode in process context, at boot, interrupts off.
 */
#include <linux/init.h>
#include <linux/printk.h>

#include <asm/desc.h>
#include <asm/idtentry.h>
#include <asm/irq_vectors.h>
#include <asm/proto.h>
#include <asm/segment.h>
#include <asm/trapnr.h>

#include "ringlet.h"

#ifndef CONFIG_XEN_PV
/*
 * Handlers that natively run on an IST stack. Here they are entered on the
 * current stack, or on the task's, and reach the same C code.
 */
DEFINE_IDTENTRY_RAW(xenpv_exc_nmi)
{
	exc_nmi(regs);
}

DEFINE_IDTENTRY_RAW_ERRORCODE(xenpv_exc_double_fault)
{
	exc_double_fault(regs, error_code);
}

DEFINE_IDTENTRY_RAW(xenpv_exc_debug)
{
	if (user_mode(regs))
		noist_exc_debug(regs);
	else
		exc_debug(regs);
}

#ifdef CONFIG_X86_MCE
DEFINE_IDTENTRY_RAW(xenpv_exc_machine_check)
{
	if (user_mode(regs))
		noist_exc_machine_check(regs);
	else
		exc_machine_check(regs);
}
#endif
#endif /* !CONFIG_XEN_PV */

/* Our gate in front of the native handler at @native; 0 if there is none. */
static unsigned long __ref gate_for(unsigned long native)
{
	unsigned long early = (unsigned long)early_idt_handler_array;
	const struct ringlet_gate *gate;
	unsigned int i;

	if (native >= early &&
	    native < early + sizeof(early_idt_handler_array)) {
		i = (native - early) / EARLY_IDT_HANDLER_SIZE;
		return (unsigned long)ringlet_early_gates[i];
	}

	for (gate = ringlet_gates; gate < ringlet_gates_end; gate++)
		if (gate->native == native)
			return gate->ours;

	return 0;
}

static void set_gate(unsigned int gate, unsigned long address)
{
	long ret = ringlet_hypercall2(RINGLET_HC_SET_GATE, gate, address);

	if (RINGLET_HC_IS_ERROR(ret))
		pr_warn("ringlet: gate %#x was refused (%ld)\n", gate, ret);
}

/*
 * pv_ops.cpu.write_idt_entry. Vectors that never arise here (device
 * interrupts; exceptions that only confidential guests know) have no gate.
 */
void ringlet_write_idt_entry(gate_desc *idt, int vector, const gate_desc *gate)
{
	native_write_idt_entry(idt, vector, gate);

	if (vector >= RINGLET_GATE_EXCEPTIONS && vector != RINGLET_GATE_INT80)
		return;

	set_gate(vector, gate->bits.p ? gate_for(gate_offset(gate)) : 0);
}

/* LSTAR or CSTAR was written with @native. */
void ringlet_set_syscall_gate(unsigned int gate, unsigned long native)
{
	unsigned long address = 0;

	if (native == (unsigned long)entry_SYSCALL_64)
		address = (unsigned long)ringlet_entry_SYSCALL_64;
#ifdef CONFIG_IA32_EMULATION
	if (native == (unsigned long)entry_SYSCALL_compat)
		address = (unsigned long)ringlet_entry_SYSCALL_compat;
#endif

	set_gate(gate, address);
}
