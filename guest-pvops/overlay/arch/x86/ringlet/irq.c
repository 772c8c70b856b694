// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts: the virtual interrupt flag's C half, the one interrupt gate and
 * the irqchip behind it.
 *
 * There is no APIC. The module raises one of 64 lines, a bit in
 * ringlet_shared.irq_pending, and enters the guest at one gate. Line 0 is the
 * timer, the last 16 are what vCPUs send one another (smp.c); line n is Linux's
 * IRQ n, so that a device described on the command
 * line as virtio_mmio.device=4K@0xd0000000:5 interrupts on line 5. Lines are
 * edges.
 *
 * The handler runs in guest kernel mode on the interrupt stack, IF clear.
 */
#include <linux/hardirq.h>
#include <linux/interrupt.h>
#include <linux/irq.h>

#include <asm/hw_irq.h>
#include <asm/i8259.h>
#include <asm/idtentry.h>
#include <asm/irq_regs.h>
#include <asm/paravirt.h>
#include <asm/x86_init.h>

#include "ringlet.h"

/* STI and HLT in one: no interrupt can slip in between. */
static noinstr void ringlet_safe_halt(void)
{
	ringlet_hypercall0(RINGLET_HC_HALT);
}

/*
 * With IF clear nothing would ever wake us: the last vCPU's end is the guest's.
 * An early exception ends here, too, and there is no panic() before it.
 */
static noinstr void ringlet_halt(void)
{
	if (READ_ONCE(ringlet_shared->flags) & X86_EFLAGS_IF) {
		ringlet_safe_halt();
		return;
	}
	if (num_online_cpus() > 1) {
		ringlet_hypercall0(RINGLET_HC_VCPU_STOP);
		return;
	}

	instrumentation_begin();
	if (system_state < SYSTEM_RUNNING)
		ringlet_shutdown(RINGLET_SHUTDOWN_PANIC,
				 "halted before it was up");
	ringlet_shutdown(RINGLET_SHUTDOWN_POWEROFF, NULL);
}

DEFINE_IDTENTRY_SYSVEC(sysvec_ringlet)
{
	struct pt_regs *old_regs = set_irq_regs(regs);
	unsigned long lines;
	unsigned int line;

	inc_irq_stat(irq_hv_callback_count);

	/*
	 * Pending goes first: a line that is raised after the exchange sets it
	 * again and is delivered when IF is.
	 */
	WRITE_ONCE(ringlet_shared->pending, 0);
	lines = xchg(&ringlet_shared->irq_pending, 0);

	for_each_set_bit(line, &lines, RINGLET_IRQ_LINES) {
		if (line == RINGLET_IRQ_TIMER)
			ringlet_timer_interrupt();
		else if (!ringlet_ipi(line))
			generic_handle_irq(line);
	}

	set_irq_regs(old_regs);
}

/* Lines cannot be masked; the core remembers an edge that it did not want. */
static void line_noop(struct irq_data *data)
{
}

/* Raise a line from inside, for an edge that came while it was disabled. */
static int line_retrigger(struct irq_data *data)
{
	set_bit(data->irq, (unsigned long *)&ringlet_shared->irq_pending);
	WRITE_ONCE(ringlet_shared->pending, 1);
	return 1;
}

static struct irq_chip ringlet_chip = {
	.name = "Ringlet",
	.irq_ack = line_noop,
	.irq_mask = line_noop,
	.irq_unmask = line_noop,
	.irq_retrigger = line_retrigger,
};

static void __init ringlet_init_IRQ(void)
{
	unsigned int line;
	int irq;

	for (line = RINGLET_IRQ_TIMER + 1; line < RINGLET_IRQ_IPI; line++) {
		irq = irq_alloc_desc_at(line, 0);
		if (irq != line) {
			pr_warn("ringlet: no descriptor for IRQ %u (%d)\n",
				line, irq);
			continue;
		}
		irq_set_chip_and_handler_name(line, &ringlet_chip,
					      handle_edge_irq, "edge");
		irq_clear_status_flags(line, IRQ_NOREQUEST);
	}

	ringlet_hypercall2(RINGLET_HC_SET_GATE, RINGLET_GATE_INTERRUPT,
			   (unsigned long)ringlet_asm_sysvec_ringlet);
}

void __init ringlet_init_irq_ops(void)
{
	pv_ops.irq.save_fl = __PV_IS_CALLEE_SAVE(ringlet_save_fl);
	pv_ops.irq.irq_disable = __PV_IS_CALLEE_SAVE(ringlet_irq_disable);
	pv_ops.irq.irq_enable = __PV_IS_CALLEE_SAVE(ringlet_irq_enable);
	pv_ops.irq.safe_halt = ringlet_safe_halt;
	pv_ops.irq.halt = ringlet_halt;
}

void __init ringlet_init_irqs(void)
{
	legacy_pic = &null_legacy_pic;

	x86_init.irqs.pre_vector_init = x86_init_noop;
	x86_init.irqs.intr_init = ringlet_init_IRQ;
	x86_init.irqs.intr_mode_select = x86_init_noop;
	x86_init.irqs.intr_mode_init = x86_init_noop;
}
