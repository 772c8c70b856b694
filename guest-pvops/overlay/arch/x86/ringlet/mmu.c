// SPDX-License-Identifier: GPL-2.0
/*
 * pv_ops.mmu: CR2, CR3 and the TLB.
 *
 * Linux keeps its page tables as on bare metal and writes them without
 * asking. What the CPU uses are the module's shadows of them, and a shadow
 * behaves as a TLB does: it may lag behind until Linux flushes. So the flushes
 * and the CR3 loads are all that has to reach the module.
 *
 * Runs in guest kernel mode, interrupts mostly off.
 */
#include <linux/init.h>
#include <linux/percpu.h>

#include <asm/paravirt.h>
#include <asm/processor-flags.h>

#include "ringlet.h"

/* What CR3 reads as. The NOFLUSH bit is an order, not part of the value. */
static DEFINE_PER_CPU(unsigned long, ringlet_cr3);

static unsigned long ringlet_read_cr3(void)
{
	return this_cpu_read(ringlet_cr3);
}

static void ringlet_write_cr3(unsigned long cr3)
{
	this_cpu_write(ringlet_cr3, cr3 & ~X86_CR3_PCID_NOFLUSH);
	ringlet_hypercall1(RINGLET_HC_LOAD_CR3, cr3);
}

/* What VCPU_START loads on another vCPU. */
void ringlet_set_cr3(unsigned int cpu, unsigned long cr3)
{
	per_cpu(ringlet_cr3, cpu) = cr3;
}

static noinstr void ringlet_write_cr2(unsigned long cr2)
{
	WRITE_ONCE(ringlet_shared->cr2, cr2);
}

static void ringlet_flush_tlb_user(void)
{
	ringlet_hypercall2(RINGLET_HC_FLUSH_TLB, RINGLET_FLUSH_USER, 0);
}

static void ringlet_flush_tlb_kernel(void)
{
	ringlet_hypercall2(RINGLET_HC_FLUSH_TLB, RINGLET_FLUSH_ALL, 0);
}

static void ringlet_flush_tlb_one_user(unsigned long address)
{
	ringlet_hypercall2(RINGLET_HC_FLUSH_TLB, RINGLET_FLUSH_ADDR, address);
}

void __init ringlet_init_mmu_ops(void)
{
	pv_ops.mmu.read_cr2 = __PV_IS_CALLEE_SAVE(ringlet_read_cr2);
	pv_ops.mmu.write_cr2 = ringlet_write_cr2;
	pv_ops.mmu.read_cr3 = ringlet_read_cr3;
	pv_ops.mmu.write_cr3 = ringlet_write_cr3;
	pv_ops.mmu.flush_tlb_user = ringlet_flush_tlb_user;
	pv_ops.mmu.flush_tlb_kernel = ringlet_flush_tlb_kernel;
	pv_ops.mmu.flush_tlb_one_user = ringlet_flush_tlb_one_user;
}
