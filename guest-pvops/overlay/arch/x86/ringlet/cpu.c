// SPDX-License-Identifier: GPL-2.0
/*
 * pv_ops.cpu: what a guest kernel at CPL 3 does instead of privileged
 * instructions: CPUID, model-specific registers, control and debug registers,
 * descriptor tables.
 *
 * Runs in guest kernel mode, in any context, interrupts on or off. Most of it
 * is answered here from constants; only CPUID, TLS descriptors, the GS
 * selector, gates and debug registers are hypercalls.
 */
#include <linux/init.h>
#include <linux/percpu.h>
#include <linux/printk.h>

#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include <asm/msr.h>
#include <asm/paravirt.h>
#include <asm/processor.h>
#include <asm/special_insns.h>

#include "ringlet.h"

/* PAT as it is after reset, which is also what the guest's frames have. */
#define PAT_RESET 0x0007040600070406ULL

/* HWCR.TscFreqSel: AMD's start-up code complains if the TSC may slow down. */
#define HWCR_TSC_FREQ_SEL BIT_ULL(24)

/*
 * Control registers are remembered, no more: the module gives the guest
 * kernel what these values promise and does not take it back.
 */
static DEFINE_PER_CPU(unsigned long, ringlet_cr0) = CR0_STATE;
#define CR4_START (X86_CR4_PAE | X86_CR4_PSE | X86_CR4_PGE)

static DEFINE_PER_CPU(unsigned long, ringlet_cr4) = CR4_START;

static unsigned long ringlet_read_cr0(void)
{
	return this_cpu_read(ringlet_cr0);
}

static void ringlet_write_cr0(unsigned long cr0)
{
	this_cpu_write(ringlet_cr0, cr0);
}

/* Called by __read_cr4(), which has no pv_ops entry. */
unsigned long ringlet_read_cr4(void)
{
	return this_cpu_read(ringlet_cr4);
}

static void ringlet_write_cr4(unsigned long cr4)
{
	unsigned long changed = this_cpu_read(ringlet_cr4) ^ cr4;

	this_cpu_write(ringlet_cr4, cr4);
	/* All else is ours to remember; TSD is the users' to feel. */
	if (changed & X86_CR4_TSD)
		ringlet_hypercall1(RINGLET_HC_SET_CR4, cr4);
}

/* The result comes back in the argument registers. */
static void ringlet_cpuid(unsigned int *eax, unsigned int *ebx,
			  unsigned int *ecx, unsigned int *edx)
{
	unsigned long ret = RINGLET_HC_CPUID;
	unsigned long a = *eax, b = *ecx, c, d;

	asm volatile("call ringlet_hypercall_thunk\n\t"
		     "movq %%r10, %[d]"
		     : "+a"(ret), "+D"(a), "+S"(b), "=d"(c), [d] "=r"(d),
		       ASM_CALL_CONSTRAINT
		     :
		     : "rcx", "r10", "r11", "memory");

	*eax = a;
	*ebx = b;
	*ecx = c;
	*edx = d;
}

/* Registers that have a value here; false for all others. */
static bool msr_read(unsigned int msr, u64 *value)
{
	switch (msr) {
	case MSR_EFER:
		*value = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX;
		return true;
	case MSR_FS_BASE:
		*value = rdfsbase();
		return true;
	case MSR_GS_BASE:
		*value = rdgsbase();
		return true;
	case MSR_KERNEL_GS_BASE:
		*value = READ_ONCE(ringlet_shared->user_gsbase);
		return true;
	case MSR_IA32_CR_PAT:
		*value = PAT_RESET;
		return true;
	case MSR_IA32_APICBASE:
		/* No APIC, but a boot CPU: else Linux suspects a kdump kernel. */
		*value = READ_ONCE(ringlet_shared->vcpu_id) ?
				 0 :
				 MSR_IA32_APICBASE_BSP;
		return true;
	case MSR_IA32_TSC:
		*value = rdtsc();
		return true;
	case MSR_K7_HWCR:
		*value = HWCR_TSC_FREQ_SEL;
		return true;
	case MSR_IA32_MISC_ENABLE:
		/* Else Intel's set-up takes REP MOVSB for slow. */
		*value = MSR_IA32_MISC_ENABLE_FAST_STRING;
		return true;
	case MSR_IA32_DEBUGCTLMSR:
	case MSR_IA32_PLATFORM_ID:
		*value = 0;
		return true;
	case MSR_IA32_UCODE_REV:
		/*
		 * Newer than any that Linux distrusts: 0 would cost Alder Lake
		 * its PCIDs, which are the module's, and Zen 5 its RDSEED, of
		 * which the host has judged. Intel's is the upper half, AMD's
		 * the lower.
		 */
		*value = ~0ULL;
		return true;
	}

	return false;
}

/* Registers that can be written, or whose writing has no effect here. */
static bool msr_write(unsigned int msr, u64 value)
{
	switch (msr) {
	case MSR_FS_BASE:
		wrfsbase(value);
		return true;
	case MSR_GS_BASE:
		wrgsbase(value);
		return true;
	case MSR_KERNEL_GS_BASE:
		WRITE_ONCE(ringlet_shared->user_gsbase, value);
		return true;
	case MSR_LSTAR:
		ringlet_set_syscall_gate(RINGLET_GATE_SYSCALL, value);
		return true;
	case MSR_CSTAR:
		ringlet_set_syscall_gate(RINGLET_GATE_SYSCALL32, value);
		return true;
	case MSR_EFER:
	case MSR_STAR:
	case MSR_SYSCALL_MASK:
	case MSR_IA32_SYSENTER_CS:
	case MSR_IA32_SYSENTER_ESP:
	case MSR_IA32_SYSENTER_EIP:
	case MSR_TSC_AUX:
	case MSR_IA32_CR_PAT:
	case MSR_IA32_DEBUGCTLMSR:
	case MSR_IA32_MISC_ENABLE:
	case MSR_IA32_UCODE_REV:
		return true;
	}

	return false;
}

static u64 ringlet_read_msr(unsigned int msr)
{
	u64 value = 0;

	if (!msr_read(msr, &value))
		pr_warn_once(
			"ringlet: there is no MSR %#x, it reads as 0 (at %pS)\n",
			msr, __builtin_return_address(0));

	return value;
}

static void ringlet_write_msr(unsigned int msr, unsigned int low,
			      unsigned int high)
{
	if (!msr_write(msr, low | (u64)high << 32))
		pr_warn_once("ringlet: there is no MSR %#x to write (at %pS)\n",
			     msr, __builtin_return_address(0));
}

static u64 ringlet_read_msr_safe(unsigned int msr, int *err)
{
	u64 value = 0;

	*err = msr_read(msr, &value) ? 0 : -EIO;
	return value;
}

static int ringlet_write_msr_safe(unsigned int msr, unsigned int low,
				  unsigned int high)
{
	return msr_write(msr, low | (u64)high << 32) ? 0 : -EIO;
}

static u64 ringlet_read_pmc(int counter)
{
	return 0;
}

static noinstr unsigned long ringlet_get_debugreg(int regno)
{
	unsigned long ret = RINGLET_HC_GET_DR;
	unsigned long value = regno;

	asm volatile("call ringlet_hypercall_thunk"
		     : "+a"(ret), "+D"(value), ASM_CALL_CONSTRAINT
		     :
		     : "rcx", "r11", "memory");

	return RINGLET_HC_IS_ERROR(ret) ? 0 : value;
}

static noinstr void ringlet_set_debugreg(int regno, unsigned long value)
{
	ringlet_hypercall2(RINGLET_HC_SET_DR, regno, value);
}

/*
 * Descriptor tables. The module keeps the GDT that the CPU uses; of ours only
 * the three TLS entries count, and most task switches do not change them. Ours
 * says what the module's has: Linux looks there for a user's segments.
 */
static struct desc_struct *tls_of(unsigned int cpu)
{
	return get_cpu_gdt_rw(cpu) + GDT_ENTRY_TLS_MIN;
}

static void ringlet_load_tls(struct thread_struct *t, unsigned int cpu)
{
	u64 tls[GDT_ENTRY_TLS_ENTRIES];

	BUILD_BUG_ON(sizeof(tls) != sizeof(t->tls_array));
	BUILD_BUG_ON(GDT_ENTRY_TLS_ENTRIES != 3);

	if (!memcmp(tls_of(cpu), t->tls_array, sizeof(tls)))
		return;

	memcpy(tls_of(cpu), t->tls_array, sizeof(tls));
	memcpy(tls, t->tls_array, sizeof(tls));
	ringlet_hypercall3(RINGLET_HC_LOAD_TLS, tls[0], tls[1], tls[2]);
}

/* First thing on a vCPU that was started: it may have been another's before. */
void ringlet_reset_cpu_state(void)
{
	this_cpu_write(ringlet_cr0, CR0_STATE);
	this_cpu_write(ringlet_cr4, CR4_START);
	memset(tls_of(smp_processor_id()), 0,
	       GDT_ENTRY_TLS_ENTRIES * sizeof(struct desc_struct));
}

/* Every exec() loads the null selector, and nearly always has it already. */
static void ringlet_load_gs_index(unsigned int selector)
{
	unsigned int loaded;

	savesegment(gs, loaded);
	if (!selector && !loaded) {
		WRITE_ONCE(ringlet_shared->user_gsbase, 0);
		return;
	}
	ringlet_hypercall1(RINGLET_HC_LOAD_GS, selector);
}

static unsigned long ringlet_store_tr(void)
{
	return GDT_ENTRY_TSS * 8;
}

void __init ringlet_init_cpu_ops(void)
{
	pv_info.name = "Ringlet";

	pv_ops.cpu.io_delay = paravirt_nop;
	pv_ops.cpu.cpuid = ringlet_cpuid;
	pv_ops.cpu.get_debugreg = ringlet_get_debugreg;
	pv_ops.cpu.set_debugreg = ringlet_set_debugreg;
	pv_ops.cpu.read_cr0 = ringlet_read_cr0;
	pv_ops.cpu.write_cr0 = ringlet_write_cr0;
	pv_ops.cpu.write_cr4 = ringlet_write_cr4;
	pv_ops.cpu.wbinvd = paravirt_nop;
	pv_ops.cpu.read_msr = ringlet_read_msr;
	pv_ops.cpu.write_msr = ringlet_write_msr;
	pv_ops.cpu.read_msr_safe = ringlet_read_msr_safe;
	pv_ops.cpu.write_msr_safe = ringlet_write_msr_safe;
	pv_ops.cpu.read_pmc = ringlet_read_pmc;

	pv_ops.cpu.load_tr_desc = paravirt_nop;
	pv_ops.cpu.set_ldt = paravirt_nop;
	pv_ops.cpu.load_gdt = paravirt_nop;
	pv_ops.cpu.load_idt = paravirt_nop;
	pv_ops.cpu.store_tr = ringlet_store_tr;
	pv_ops.cpu.load_tls = ringlet_load_tls;
	pv_ops.cpu.load_gs_index = ringlet_load_gs_index;
	pv_ops.cpu.write_idt_entry = ringlet_write_idt_entry;
	pv_ops.cpu.load_sp0 = paravirt_nop;

#ifdef CONFIG_X86_IOPL_IOPERM
	pv_ops.cpu.invalidate_io_bitmap = paravirt_nop;
	pv_ops.cpu.update_io_bitmap = paravirt_nop;
#endif
}
