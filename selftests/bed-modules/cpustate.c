// SPDX-License-Identifier: GPL-2.0
/*
 * The disposable host's registers, as a file: /proc/cpustate has one line for each CPU and thing
 * that must be the same before and after guests ran. It only reads. An MSR that a CPU does not
 * have is 0.
 *
 * CR3 is not among them, it differs with every process; CR4.PCE and TS-like bits that the host
 * itself turns on demand are printed as they are, tests compare in an idle host. The top-level
 * entry of the guard hole is the reader's own: a process that never ran a guest must have none.
 */
#include <asm/desc.h>
#include <asm/fpu/xcr.h>
#include <asm/msr.h>
#include <asm/special_insns.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/smp.h>

#define GUARD_HOLE_SLOT 271

static const struct {
	u32 msr;
	const char *name;
} msrs[] = {
	{ MSR_EFER, "EFER" },
	{ MSR_STAR, "STAR" },
	{ MSR_LSTAR, "LSTAR" },
	{ MSR_CSTAR, "CSTAR" },
	{ MSR_SYSCALL_MASK, "SFMASK" },
	{ MSR_IA32_SYSENTER_CS, "SYSENTER_CS" },
	{ MSR_IA32_SYSENTER_ESP, "SYSENTER_ESP" },
	{ MSR_IA32_SYSENTER_EIP, "SYSENTER_EIP" },
	{ MSR_TSC_AUX, "TSC_AUX" },
	{ MSR_KERNEL_GS_BASE, "KERNEL_GS_BASE" },
	{ MSR_IA32_DEBUGCTLMSR, "DEBUGCTL" },
	{ MSR_IA32_SPEC_CTRL, "SPEC_CTRL" },
	{ MSR_IA32_PEBS_ENABLE, "PEBS_ENABLE" },
	{ MSR_IA32_U_CET, "U_CET" },
	{ MSR_IA32_S_CET, "S_CET" },
	{ MSR_IA32_PL3_SSP, "PL3_SSP" },
	{ MSR_IA32_XSS, "XSS" },
};

struct cpu_state {
	unsigned long cr0, cr4, tr, ldtr, dr6, dr7;
	u64 xcr0;
	u64 msr[ARRAY_SIZE(msrs)];
	struct desc_ptr gdt, idt;
	u64 tss[2];
};

static void cpu_state_read(void *info)
{
	struct cpu_state *s = info;
	u32 low, high;
	unsigned int i;
	u16 ldtr;

	s->cr0 = read_cr0();
	s->cr4 = __read_cr4();
	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		if (!rdmsr_safe(msrs[i].msr, &low, &high))
			s->msr[i] = low | (u64)high << 32;
	native_store_gdt(&s->gdt);
	store_idt(&s->idt);
	s->tr = native_store_tr();
	store_ldt(ldtr);
	s->ldtr = ldtr;
	asm("mov %%db6, %0" : "=r"(s->dr6));
	asm("mov %%db7, %0" : "=r"(s->dr7));
	if (s->cr4 & X86_CR4_OSXSAVE)
		s->xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	memcpy(s->tss, (void *)s->gdt.address + (s->tr & ~7), sizeof(s->tss));
}

static int cpustate_show(struct seq_file *m, void *v)
{
	const pgd_t *pgd = current->mm->pgd;
	unsigned int cpu, i;

	for_each_online_cpu(cpu) {
		struct cpu_state s = {};
		int err = smp_call_function_single(cpu, cpu_state_read, &s, 1);

		if (err)
			return err;
		seq_printf(m, "%u CR0 %lx\n%u CR4 %lx\n", cpu, s.cr0, cpu,
			   s.cr4);
		for (i = 0; i < ARRAY_SIZE(msrs); i++)
			seq_printf(m, "%u %s %llx\n", cpu, msrs[i].name,
				   s.msr[i]);
		seq_printf(m, "%u GDTR %lx %x\n", cpu, s.gdt.address,
			   s.gdt.size);
		seq_printf(m, "%u IDTR %lx %x\n", cpu, s.idt.address,
			   s.idt.size);
		seq_printf(m, "%u TR %lx %llx %llx\n", cpu, s.tr, s.tss[0],
			   s.tss[1]);
		seq_printf(m, "%u LDTR %lx\n%u DR6 %lx\n%u DR7 %lx\n", cpu,
			   s.ldtr, cpu, s.dr6, cpu, s.dr7);
		seq_printf(m, "%u XCR0 %llx\n", cpu, s.xcr0);
	}
	seq_printf(m, "PGD %d %lx\n", GUARD_HOLE_SLOT,
		   pgd_val(pgd[GUARD_HOLE_SLOT]));
	return 0;
}

static int __init cpustate_init(void)
{
	return proc_create_single("cpustate", 0400, NULL, cpustate_show) ?
		       0 :
		       -ENOMEM;
}
module_init(cpustate_init);

static void __exit cpustate_exit(void)
{
	remove_proc_entry("cpustate", NULL);
}
module_exit(cpustate_exit);

MODULE_DESCRIPTION("Ringlet's test bed: the host's registers as a file");
MODULE_LICENSE("GPL");
