/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to arch/x86/ringlet: the hypercall, the shared page, and what the
 * files here call of each other.
 *
 * Everything here is for guest kernel mode: CPL 3, the guest's own page
 * tables, with the vCPU's shared page at its fixed address.
 */
#ifndef ARCH_X86_RINGLET_RINGLET_H
#define ARCH_X86_RINGLET_RINGLET_H

/* Room for one gate of ringlet_early_gates[]. */
#define RINGLET_EARLY_GATE_SIZE 128

#ifndef __ASSEMBLY__

#include <linux/compiler.h>
#include <linux/init.h>
#include <linux/linkage.h>
#include <linux/ptrace.h>
#include <linux/types.h>

#include <asm/asm.h>
#include <asm/desc_defs.h>
#include <uapi/asm/ringlet.h>

/*
 * This vCPU's shared page. No per-CPU pointer leads to it: each vCPU sees its
 * own at the same address. The module writes to it as well, so every access is
 * READ_ONCE(), WRITE_ONCE() or atomic.
 */
#define ringlet_shared ((struct ringlet_shared *)RINGLET_SHARED_VA)

/* What may be known of each vCPU, by number; read-only. */
#define ringlet_status ((const struct ringlet_status *)RINGLET_STATUS_VA)

/* entry.S; its name is an address only, it is called by inline assembler. */
void ringlet_hypercall_thunk(void);

/*
 * Make hypercall @nr. An argument that the call does not use costs nothing: it
 * is a register with any value, so callers of the shorter forms pass 0.
 */
static __always_inline long ringlet_hypercall3(enum ringlet_hc nr,
					       unsigned long a1,
					       unsigned long a2,
					       unsigned long a3)
{
	unsigned long ret = nr;

	asm volatile("call ringlet_hypercall_thunk"
		     : "+a"(ret), ASM_CALL_CONSTRAINT
		     : "D"(a1), "S"(a2), "d"(a3)
		     : "rcx", "r11", "memory");
	return ret;
}

static __always_inline long
ringlet_hypercall5(enum ringlet_hc nr, unsigned long a1, unsigned long a2,
		   unsigned long a3, unsigned long a4, unsigned long a5)
{
	register unsigned long r10 asm("r10") = a4;
	register unsigned long r8 asm("r8") = a5;
	unsigned long ret = nr;

	asm volatile("call ringlet_hypercall_thunk"
		     : "+a"(ret), ASM_CALL_CONSTRAINT
		     : "D"(a1), "S"(a2), "d"(a3), "r"(r10), "r"(r8)
		     : "rcx", "r11", "memory");
	return ret;
}

static __always_inline long
ringlet_hypercall4(enum ringlet_hc nr, unsigned long a1, unsigned long a2,
		   unsigned long a3, unsigned long a4)
{
	return ringlet_hypercall5(nr, a1, a2, a3, a4, 0);
}

static __always_inline long
ringlet_hypercall2(enum ringlet_hc nr, unsigned long a1, unsigned long a2)
{
	unsigned long ret = nr;

	asm volatile("call ringlet_hypercall_thunk"
		     : "+a"(ret), ASM_CALL_CONSTRAINT
		     : "D"(a1), "S"(a2)
		     : "rcx", "r11", "memory");
	return ret;
}

static __always_inline long ringlet_hypercall1(enum ringlet_hc nr,
					       unsigned long a1)
{
	unsigned long ret = nr;

	asm volatile("call ringlet_hypercall_thunk"
		     : "+a"(ret), ASM_CALL_CONSTRAINT
		     : "D"(a1)
		     : "rcx", "r11", "memory");
	return ret;
}

static __always_inline long ringlet_hypercall0(enum ringlet_hc nr)
{
	unsigned long ret = nr;

	asm volatile("call ringlet_hypercall_thunk"
		     : "+a"(ret), ASM_CALL_CONSTRAINT
		     :
		     : "rcx", "r11", "memory");
	return ret;
}

/* entry.S */
struct ringlet_gate {
	unsigned long native; /* the handler that Linux's IDT names */
	unsigned long ours; /* the gate in front of it */
};

extern const struct ringlet_gate ringlet_gates[];
extern const struct ringlet_gate ringlet_gates_end[];
extern const char ringlet_early_gates[][RINGLET_EARLY_GATE_SIZE];

void ringlet_asm_sysvec_ringlet(void);
void ringlet_entry_SYSCALL_64(void);
void ringlet_entry_SYSCALL_compat(void);
void ringlet_iret(void);
unsigned long ringlet_save_fl(void);
void ringlet_irq_disable(void);
void ringlet_irq_enable(void);
unsigned long ringlet_read_cr2(void);
void ringlet_cmpxchg16b(void);

/* Installers, called once by ringlet_start_kernel(), in this order. */
void __init ringlet_init_cpu_ops(void);
void __init ringlet_init_irq_ops(void);
void __init ringlet_init_mmu_ops(void);
void __init ringlet_init_platform_ops(void);
void __init ringlet_init_console(void);

/* The parts of the platform, called by ringlet_init_platform_ops(). */
void __init ringlet_init_irqs(void);
void __init ringlet_init_time(void);
void __init ringlet_init_shutdown(void);

/* Second half of ringlet_init_time(), once static calls can be changed. */
void __init ringlet_init_sched_clock(void);

/* smp.c */
#ifdef CONFIG_SMP
void __init ringlet_init_smp(void);
void __init ringlet_init_smp_platform(void);
bool ringlet_ipi(unsigned int line);
#else
static inline void ringlet_init_smp(void)
{
}

static inline void ringlet_init_smp_platform(void)
{
}

static inline bool ringlet_ipi(unsigned int line)
{
	return false;
}
#endif
void ringlet_secondary_entry(void);
asmlinkage void ringlet_start_secondary(void);

/* A vCPU that was stopped begins anew: so do cpu.c's and mmu.c's memories. */
void ringlet_reset_cpu_state(void);
void ringlet_set_cr3(unsigned int cpu, unsigned long cr3);

/* sched.c */
void __init ringlet_init_steal_clock(void);
void __init ringlet_init_spinlocks(void);
u32 ringlet_vcpu_state(int cpu);
__visible bool ringlet_vcpu_preempted(long cpu);

/* gates.c */
void ringlet_write_idt_entry(gate_desc *idt, int vector, const gate_desc *gate);
void ringlet_set_syscall_gate(unsigned int gate, unsigned long native);

/* The one-shot timer's line was raised. */
void ringlet_timer_interrupt(void);

/*
 * Mainline's, in entry_64.S, cmpxchg16b_emu.S, traps.c and mce/core.c; no
 * header has them.
 */
void early_xen_iret_patch(void);
void xen_iret(void);
void this_cpu_cmpxchg16b_emu(void);
void noist_exc_debug(struct pt_regs *regs);
void noist_exc_machine_check(struct pt_regs *regs);

asmlinkage void __noreturn ringlet_start_kernel(unsigned long boot_params_gpa);
void __noreturn ringlet_shutdown(unsigned long reason, const char *text);

#endif /* !__ASSEMBLY__ */
#endif /* ARCH_X86_RINGLET_RINGLET_H */
