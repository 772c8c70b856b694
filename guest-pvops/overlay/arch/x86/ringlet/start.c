// SPDX-License-Identifier: GPL-2.0
/*
 * The way from the first instruction to start_kernel(): what startup_64 and
 * x86_64_start_kernel() do on bare metal, without privileged instructions.
 *
 * Runs in guest kernel mode on the boot vCPU and the init stack, IF clear,
 * first on the launcher's page tables, then on early_top_pgt. The image is at
 * its link address and phys_base is 0, so these tables are right as linked.
 * Until the early gates are set a fault ends the guest.
 */
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/kasan.h>
#include <linux/pgtable.h>
#include <linux/printk.h>
#include <linux/string.h>

#include <asm/desc.h>
#include <asm/kasan.h>
#include <asm/page.h>
#include <asm/paravirt.h>
#include <asm/setup.h>
#include <asm/text-patching.h>
#include <asm/tlbflush.h>

#include "ringlet.h"

/*
 * Make mainline's ways back out end in ringlet_iret, and its substitute for
 * CMPXCHG16B in that instruction. They are taken before alternatives are
 * applied, so they are patched here, while the text is still writable.
 */
static void __init redirect(void)
{
	__text_gen_insn(&this_cpu_cmpxchg16b_emu, JMP32_INSN_OPCODE,
			&this_cpu_cmpxchg16b_emu, &ringlet_cmpxchg16b,
			JMP32_INSN_SIZE);
	__text_gen_insn(&early_xen_iret_patch, JMP32_INSN_OPCODE,
			&early_xen_iret_patch, &ringlet_iret, JMP32_INSN_SIZE);
#ifdef CONFIG_XEN_PV
	__text_gen_insn(&xen_iret, JMP32_INSN_OPCODE, &xen_iret, &ringlet_iret,
			JMP32_INSN_SIZE);
#endif
}

asmlinkage __visible void __init __noreturn
ringlet_start_kernel(unsigned long boot_params_gpa)
{
	clear_bss();
	redirect();
	ringlet_guest = true;

	/* It is, and lockdep has to know from the start. */
	early_boot_irqs_disabled = true;

	ringlet_init_cpu_ops();
	ringlet_init_irq_ops();
	ringlet_init_mmu_ops();

	write_cr3(__pa_symbol(early_top_pgt));
	clear_page(init_top_pgt);
	kasan_early_init();
	cr4_init_shadow();
	idt_setup_early_handler();

	ringlet_init_console();
	ringlet_init_platform_ops();

	if (READ_ONCE(ringlet_shared->abi) != RINGLET_ABI_VERSION)
		ringlet_shutdown(
			RINGLET_SHUTDOWN_PANIC,
			"This kernel and the ringlet module are of different ABI versions.");
	pr_info("Ringlet guest, ABI v%u\n", RINGLET_ABI_VERSION);

	/* From here on as x86_64_start_kernel(). */
	init_top_pgt[511] = early_top_pgt[511];
	x86_64_start_reservations((char *)boot_params_gpa);
}
