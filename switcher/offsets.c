// SPDX-License-Identifier: GPL-2.0
/*
 * Numbers of struct ringlet_window_state for switch.S, made by the compiler.
 *
 * Never linked: kbuild compiles this file to assembler and turns the marked
 * lines into switcher/offsets.h, so the two sides of the world switch cannot
 * disagree about a layout.
 */
#include <linux/kbuild.h>
#include <linux/log2.h>
#include <asm/mce.h>
#include "window.h"

#define STATE(name, member)           \
	DEFINE(S_##name,              \
	       RINGLET_WINDOW_STATE + \
		       offsetof(struct ringlet_window_state, member))

int main(void)
{
	STATE(GPRS, gprs);
	STATE(VECTOR, gprs.vector);
	STATE(RIP, gprs.rip);
	STATE(CS, gprs.cs);
	STATE(RFLAGS, gprs.rflags);
	STATE(RSP, gprs.rsp);
	STATE(SS, gprs.ss);
	STATE(CR2, cr2);
	STATE(FSBASE, fsbase);
	STATE(GSBASE, gsbase);
	STATE(DS, ds);
	STATE(ES, es);
	STATE(FS, fs);
	STATE(GS, gs);
	STATE(PENDING, pending);
	STATE(DS_FLAGS, ds_flags);
	STATE(KERNEL_GSBASE, kernel_gsbase);
	STATE(KROOT, kroot);
	STATE(UROOT, uroot);
	STATE(SPILL, spill);
	STATE(GATE_SYSCALL, gates[RINGLET_GATE_PLACE_SYSCALL]);
	STATE(NOFLUSH, noflush);
	STATE(CURRENT_ROOT, current_root);
	STATE(ROOTS, roots);
	/* asm/mce.h is not for assembler. */
	DEFINE(MCG_EIPV, MCG_STATUS_EIPV);
	DEFINE(ROOT_CR3, offsetof(struct ringlet_root, cr3));
	DEFINE(ROOT_KROOT, offsetof(struct ringlet_root, kroot));
	DEFINE(ROOT_UROOT, offsetof(struct ringlet_root, uroot));
	DEFINE(ROOT_SHIFT, ilog2(sizeof(struct ringlet_root)));
	STATE(VERW_SELECTOR, verw_selector);
	STATE(UNTRAIN, untrain);
	STATE(GUEST_CR3, guest_cr3);
	STATE(FIRST_CR3, first_cr3);
	STATE(GUEST_CR4, guest_cr4);
	STATE(GUEST_DR7, guest_dr7);
	STATE(GUEST_GDTR, guest_gdtr);
	STATE(GUEST_IDTR, guest_idtr);
	STATE(HOST_RSP, host_rsp);
	STATE(HOST_CR3, host_cr3);
	STATE(HOST_CR3_NOFLUSH, host_cr3_noflush);
	STATE(HOST_CR4, host_cr4);
	STATE(HOST_FSBASE, host_fsbase);
	STATE(HOST_GSBASE, host_gsbase);
	STATE(HOST_TSS, host_tss);
	STATE(HOST_GDTR_RW, host_gdtr_rw);
	STATE(HOST_GDTR, host_gdtr);
	STATE(HOST_IDTR, host_idtr);
	STATE(HOST_DS, host_ds);
	STATE(HOST_ES, host_es);
	STATE(HOST_FS, host_fs);
	STATE(HOST_GS, host_gs);
	STATE(HOST_LDT, host_ldt);
	STATE(FAULT_RIP, fault_rip);
	STATE(FAULT_VECTOR, fault_vector);
	STATE(LOST_VECTOR, lost_vector);
	STATE(FAST_FAULTS, fast_faults);
	STATE(SCRATCH, scratch);
	return 0;
}
