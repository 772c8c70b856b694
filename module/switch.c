// SPDX-License-Identifier: GPL-2.0
/*
 * The C around the switcher: what must be put aside before a guest may run and
 * put back after, and what the host is owed for what arrived meanwhile.
 *
 * Everything from ringlet_switch_to_guest()'s first line to its last runs with
 * interrupts off on one CPU: a visit to the guest. No MSR of ours stays behind:
 * KVM samples LSTAR and its kin when it enables a CPU and must never find our
 * values there (pitfalls 4), so they are written at entry and what was found is
 * put back at exit.
 */
#include "ringlet.h"

#include <linux/kvm_host.h>
#include <linux/moduleparam.h>
#include <asm/apic.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/mce.h>
#include <asm/msr.h>
#include <asm/sync_core.h>
#include <asm/trapnr.h>

#include "descriptor.h"
#include "trace.h"

/* For comparison, and for whoever doubts the switcher's own paths. */
static bool direct = true;
module_param(direct, bool, 0644);
MODULE_PARM_DESC(
	direct,
	"serve system calls, returns and faults of guests in the switcher (default: Y)");

/*
 * MSRs that decide where and how ring 3 can enter ring 0, or that ring 3 can
 * read. None of them can be taken for granted: KVM leaves its guest's LSTAR,
 * STAR, SFMASK, TSC_AUX and even EFER.SCE in place until its thread returns to
 * user mode, which may be long after ours was scheduled.
 */
enum guarded_msr {
	GUARDED_EFER,
	GUARDED_STAR,
	GUARDED_LSTAR,
	GUARDED_SFMASK,
	GUARDED_CSTAR,
	GUARDED_SYSENTER_CS,
	GUARDED_TSC_AUX,
	GUARDED_U_CET,
	GUARDED_PEBS_ENABLE,
	GUARDED_DEBUGCTL,
	GUARDED_COUNT
};

static const u32 guarded_msrs[GUARDED_COUNT] = {
	[GUARDED_EFER] = MSR_EFER,
	[GUARDED_STAR] = MSR_STAR,
	[GUARDED_LSTAR] = MSR_LSTAR,
	[GUARDED_SFMASK] = MSR_SYSCALL_MASK,
	[GUARDED_CSTAR] = MSR_CSTAR,
	[GUARDED_SYSENTER_CS] = MSR_IA32_SYSENTER_CS,
	[GUARDED_TSC_AUX] = MSR_TSC_AUX,
	[GUARDED_U_CET] = RINGLET_MSR_U_CET,
	[GUARDED_PEBS_ENABLE] = MSR_IA32_PEBS_ENABLE,
	[GUARDED_DEBUGCTL] = MSR_IA32_DEBUGCTLMSR,
};

/* Not on every CPU; a bit for each that is on this one. Set once. */
static unsigned int present_msrs;

/* Linux's: entries at 0x10 for SYSCALL, 0x23 for SYSRET. */
#define LINUX_STAR ((u64)__USER32_CS << 48 | (u64)__KERNEL_CS << 32)
/* What a SYSCALL must clear before our stub can run: IF, TF, DF, AC, NT, ... */
#define SYSCALL_CLEARS                                                     \
	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF |   \
	 X86_EFLAGS_SF | X86_EFLAGS_TF | X86_EFLAGS_IF | X86_EFLAGS_DF |   \
	 X86_EFLAGS_OF | X86_EFLAGS_IOPL | X86_EFLAGS_NT | X86_EFLAGS_RF | \
	 X86_EFLAGS_AC | X86_EFLAGS_ID)

/* What the guest must not see or change, as it was found. */
struct host_state {
	u64 msr[GUARDED_COUNT];
	unsigned int written; /* a bit for each of those that differed */
	unsigned long dr[4], dr7;
	bool guest_dr;
};

static unsigned long window_address(struct ringlet_vcpu *vcpu, char *text)
{
	return vcpu->window.base + (text - ringlet_text_start);
}

/**
 * ringlet_switch_init() - find out which MSRs this host has
 *
 * Of the two ways that 32-bit code can enter ring 0, each vendor's CPUs have
 * one in long mode: SYSCALL is AMD's, SYSENTER Intel's, and the other's is #UD,
 * whatever its MSR holds (SDM vol. 2B, SYSCALL; APM vol. 3, SYSENTER). Linux
 * relies on that for CSTAR, too. A hypervisor's word on who made the CPU is not
 * to be relied on.
 */
void __init ringlet_switch_init(void)
{
	u8 vendor = boot_cpu_has(X86_FEATURE_HYPERVISOR) ?
			    X86_VENDOR_UNKNOWN :
			    boot_cpu_data.x86_vendor;

	if (vendor != X86_VENDOR_INTEL)
		present_msrs |= BIT(GUARDED_CSTAR);
	if (vendor != X86_VENDOR_AMD && vendor != X86_VENDOR_HYGON)
		present_msrs |= BIT(GUARDED_SYSENTER_CS);
	if (boot_cpu_has(X86_FEATURE_RDTSCP))
		present_msrs |= BIT(GUARDED_TSC_AUX);
	if (ringlet_host_has_user_cet())
		present_msrs |= BIT(GUARDED_U_CET);
	if (boot_cpu_has(X86_FEATURE_PEBS))
		present_msrs |= BIT(GUARDED_PEBS_ENABLE);
	if (boot_cpu_has(X86_FEATURE_BTS))
		present_msrs |= BIT(GUARDED_DEBUGCTL);
}

/* Not by way of pv_ops: Xen PV is refused, and nobody else has a word here. */
static __always_inline u64 get_msr(u32 msr)
{
	u32 low, high;

	native_rdmsr(msr, low, high);
	return low | (u64)high << 32;
}

static __always_inline void set_msr(u32 msr, u64 value)
{
	native_wrmsr(msr, (u32)value, (u32)(value >> 32));
}

/* Give an MSR the bits of @set and, of what it has, those of @keep. */
static __always_inline void load_msr(struct host_state *host,
				     enum guarded_msr which, u64 keep, u64 set)
{
	u64 found = get_msr(guarded_msrs[which]);
	u64 wanted = (found & keep) | set;

	if (wanted == found)
		return;
	host->msr[which] = found;
	host->written |= BIT(which);
	set_msr(guarded_msrs[which], wanted);
}

/* Those that few CPUs have, or few that matter. */
static void load_rare_msrs(struct host_state *host)
{
	/* No user CET of the launcher's. */
	if (present_msrs & BIT(GUARDED_U_CET))
		load_msr(host, GUARDED_U_CET, 0, 0);
	if (present_msrs & BIT(GUARDED_PEBS_ENABLE))
		load_msr(host, GUARDED_PEBS_ENABLE, 0, 0);
	/* Like PEBS, BTS writes to addresses that are not mapped. */
	if (present_msrs & BIT(GUARDED_DEBUGCTL))
		load_msr(host, GUARDED_DEBUGCTL,
			 ~(u64)(DEBUGCTLMSR_TR | DEBUGCTLMSR_BTS |
				DEBUGCTLMSR_BTINT),
			 0);
}

static void load_guest_msrs(struct ringlet_vcpu *vcpu, struct host_state *host)
{
	host->written = 0;
	load_msr(host, GUARDED_EFER, ~0ULL, EFER_SCE | EFER_NX);
	/* The low half is for legacy mode. */
	load_msr(host, GUARDED_STAR, U32_MAX, LINUX_STAR);
	load_msr(host, GUARDED_LSTAR, 0, window_address(vcpu, ringlet_lstar));
	/* More than enough is enough. */
	load_msr(host, GUARDED_SFMASK, ~0ULL, SYSCALL_CLEARS);
	if (present_msrs & BIT(GUARDED_CSTAR))
		load_msr(host, GUARDED_CSTAR, 0,
			 window_address(vcpu, ringlet_cstar));
	/* Null is #GP. */
	if (present_msrs & BIT(GUARDED_SYSENTER_CS))
		load_msr(host, GUARDED_SYSENTER_CS, 0, 0);
	if (present_msrs & BIT(GUARDED_TSC_AUX))
		load_msr(host, GUARDED_TSC_AUX, 0, vcpu->id);
	if (present_msrs >> GUARDED_U_CET)
		load_rare_msrs(host);
}

static void restore_host_msrs(const struct host_state *host)
{
	unsigned int left = host->written;
	int i;

	for (; left; left &= left - 1) {
		i = __ffs(left);
		set_msr(guarded_msrs[i], host->msr[i]);
	}
}

/*
 * The launcher's or perf's breakpoints are on linear addresses and would fire
 * on the guest's: DR7 is clear before the guest runs, or the guest's own.
 */
static void load_guest_debug(struct ringlet_vcpu *vcpu, struct host_state *host)
{
	struct ringlet_window_state *state = vcpu->window.state;
	int i;

	/* INT1 leaves it as it is, and 6.1 boots with a bus lock in it. */
	if (boot_cpu_has(X86_FEATURE_BUS_LOCK_DETECT))
		set_debugreg(DR6_RESERVED, 6);
	host->guest_dr = vcpu->dr[5] & 0xff;
	host->dr7 = 0;
	state->guest_dr7 = 0;
	if (!host->guest_dr && !hw_breakpoint_active())
		return;
	get_debugreg(host->dr7, 7);
	set_debugreg(0UL, 7);
	if (!host->guest_dr)
		return;
	for (i = 0; i < 4; i++) {
		host->dr[i] = native_get_debugreg(i);
		native_set_debugreg(i, vcpu->dr[i]);
	}
	/* Armed by the switcher, under its own IDT. */
	state->guest_dr7 = ringlet_sane_dr7(vcpu->dr[5]);
}

/*
 * #DB after a locked access that went to the bus (DR6.BLD is 0 for it; SDM vol.
 * 3B, 18.3.1.6): the host looks out for them with DEBUGCTL, which it shares with
 * the guest. The guest did not ask, and does not hear of it.
 */
static bool only_bus_lock(unsigned long dr6)
{
	return !(dr6 & (DR_BUS_LOCK | DR_TRAP_BITS | DR_STEP | DR_SWITCH)) &&
	       boot_cpu_has(X86_FEATURE_BUS_LOCK_DETECT);
}

static void restore_host_debug(struct ringlet_vcpu *vcpu,
			       const struct host_state *host)
{
	unsigned long dr6;
	int i;

	/* #DB of the guest, by breakpoint or TF, leaves its reason in DR6. */
	if (ringlet_gprs(vcpu)->vector == X86_TRAP_DB ||
	    (vcpu->window.state->pending & RINGLET_PENDING_DB)) {
		get_debugreg(dr6, 6);
		vcpu->bus_lock = only_bus_lock(dr6);
		if (!vcpu->bus_lock)
			vcpu->dr[4] = dr6 | DR_BUS_LOCK;
		set_debugreg(DR6_RESERVED, 6);
	}
	if (host->guest_dr)
		for (i = 0; i < 4; i++)
			native_set_debugreg(i, host->dr[i]);
	if (host->dr7)
		set_debugreg(host->dr7, 7);
}

/* Why the switcher must leave all to the module during the visit to come. */
static u32 inhibitors(struct ringlet_vcpu *vcpu)
{
	u32 flags = 0;

	if (!READ_ONCE(direct))
		flags |= RINGLET_DS_OFF;
	if (trace_ringlet_exit_enabled() || trace_ringlet_hypercall_enabled() ||
	    trace_ringlet_fault_enabled() || trace_ringlet_inject_enabled())
		flags |= RINGLET_DS_TRACE;
	if (!vcpu->window.state->gates[RINGLET_GATE_PLACE_SYSCALL])
		flags |= RINGLET_DS_GATE;
	if (vcpu->forbid_tsc)
		flags |= RINGLET_DS_TSD;
	if (vcpu->nmi_pending)
		flags |= RINGLET_DS_NMI;
	return flags;
}

/*
 * Fill in what the switcher needs of this CPU. Read anew at every visit: the
 * thread may have moved.
 */
static void prepare_cpu(struct ringlet_vcpu *vcpu)
{
	struct ringlet_window_state *state = vcpu->window.state;
	struct desc_struct *rw = get_cpu_gdt_rw(raw_smp_processor_id());
	unsigned long cr4 = native_read_cr4();

	native_store_gdt(&state->host_gdtr);
	store_idt(&state->host_idtr);
	store_ldt(state->host_ldt);
	state->host_gdtr_rw.address = (unsigned long)rw;
	state->host_gdtr_rw.size = GDT_SIZE - 1;
	state->host_tss = (unsigned long)&rw[GDT_ENTRY_TSS];
	state->host_cr3_noflush = cr4 & X86_CR4_PCIDE ? BIT_ULL(63) : 0;
	/*
	 * PKE off: WRPKRU is not privileged and all our leaves are the user's.
	 * LASS off: it refuses ring 3 the upper half, whatever the tables say.
	 * TSD is the launcher's prctl() unless the guest asks for its users.
	 * PGE stays: to change it empties the TLB, twice a stay. Only if the
	 * guest cannot get past one of the host's global entries (shadow.c) it
	 * must do without them, once.
	 */
	state->guest_cr4 = cr4 & ~(X86_CR4_PKE | X86_CR4_LASS | X86_CR4_TSD);
	if (vcpu->spurious > 1)
		state->guest_cr4 &= ~X86_CR4_PGE;
}

static u16 sane_selector(struct ringlet_vcpu *vcpu, u16 selector)
{
	const u64 *gdt = (u64 *)(vcpu->window.desc + RINGLET_DESC_GDT);

	return ringlet_sane_selector(gdt, GDT_ENTRIES, selector);
}

/*
 * A segment that LOAD_TLS took away while it was loaded: its selector becomes
 * null, and its base goes with it, as when Linux loads it anew. In kernel mode
 * GS is the user's still, and its base in the shared page.
 */
static void sane_segments(struct ringlet_vcpu *vcpu)
{
	struct ringlet_window_state *state = vcpu->window.state;
	u16 fs = sane_selector(vcpu, state->fs);
	u16 gs = sane_selector(vcpu, state->gs);

	state->ds = sane_selector(vcpu, state->ds);
	state->es = sane_selector(vcpu, state->es);
	if (fs != state->fs)
		state->fsbase = 0;
	if (gs != state->gs && ringlet_user_mode(vcpu))
		state->gsbase = 0;
	else if (gs != state->gs)
		WRITE_ONCE(ringlet_shared(vcpu)->user_gsbase, 0);
	state->fs = fs;
	state->gs = gs;
}

/*
 * The switcher loads these at CPL 0: a fault there would be ours. CS and SS can
 * only be right, but CS is what keeps the guest in ring 3. What the guest left
 * in the others it could load itself, but LOAD_TLS may have changed the GDT
 * since. Mostly they are null.
 */
static void sane_registers(struct ringlet_vcpu *vcpu)
{
	struct ringlet_window_state *state = vcpu->window.state;

	if (state->gprs.cs != __USER32_CS)
		state->gprs.cs = __USER_CS;
	else /* IRETQ checks the limit; emulation may have gone past it. */
		state->gprs.rip = (u32)state->gprs.rip;
	if (state->gprs.ss != __USER_DS) {
		if (sane_selector(vcpu, state->gprs.ss) < 4)
			state->gprs.ss = __USER_DS;
		state->gprs.ss |= 3;
	}
	if ((state->ds | state->es | state->fs | state->gs) & ~3)
		sane_segments(vcpu);
	state->gprs.rflags = ringlet_sane_rflags(state->gprs.rflags);
}

/*
 * What a hypercall served during the visit may have changed: mode, registers.
 * The roots were flushed, if they had to be, by the visit's first stay.
 */
static void prepare_stay(struct ringlet_vcpu *vcpu, bool again)
{
	struct ringlet_window_state *state = vcpu->window.state;
	bool user = ringlet_user_mode(vcpu);

	if (again) {
		state->guest_cr3 = user ? state->uroot : state->kroot;
		state->first_cr3 = 0;
	}
	if (vcpu->forbid_tsc) {
		state->guest_cr4 &= ~X86_CR4_TSD;
		if (user)
			state->guest_cr4 |= X86_CR4_TSD;
	}
	sane_registers(vcpu);
	/* A fault in the switcher leaves what is here by then. */
	state->gprs.vector = 0;
}

/* Everything that stays as it is until the visit ends. */
static void prepare_visit(struct ringlet_vcpu *vcpu)
{
	struct ringlet_window_state *state = vcpu->window.state;

	prepare_cpu(vcpu);
	ringlet_shadow_enter(vcpu);
	state->ds_flags = (state->ds_flags & RINGLET_DS_USER) |
			  inhibitors(vcpu);
}

/*
 * By an address that the compiler never saw: a host that checks the types of
 * indirect calls (kCFI) finds no hash before it.
 */
static void __nocfi enter_window(struct ringlet_vcpu *vcpu, bool again)
{
	typedef void (*enter_fn)(bool again);
	enter_fn enter = (enter_fn)window_address(vcpu, ringlet_enter);

	enter(again);
}

/*
 * The host's perf changes these from its NMI: while it uses them the guest is
 * in and out again, so that ours are in force as shortly as can be.
 */
#define PERF_MSRS (BIT(GUARDED_PEBS_ENABLE) | BIT(GUARDED_DEBUGCTL))

/**
 * ringlet_switch_to_guest() - run the guest until something ends that
 * @vcpu: its state is in the window; RIP is canonical (the run loop sees to
 *	that), and so are the bases (event.c and SET_REGS do)
 *
 * This is a visit to the guest, of one stay or, while exits need little enough,
 * of several: MSRs, debug and FPU registers remain the guest's in between. The
 * host's own code that runs there (the handler of such an exit, and NMIs) uses
 * none of them: the kernel has no floating point and executes no SYSCALL, its
 * NMI entry takes the CPU's number from the GDT because KVM leaves a guest's
 * TSC_AUX about, too, and whoever samples the MSRs does so from an IPI.
 *
 * On return ringlet_gprs(vcpu)->vector says what it was. What arrived for the
 * host is still to be handed over: ringlet_switch_finish().
 *
 * Context: interrupts and preemption off, the launcher's mm loaded, between
 * kernel_fpu_begin_mask() and kernel_fpu_end().
 */
void ringlet_switch_to_guest(struct ringlet_vcpu *vcpu)
{
	struct host_state host;
	bool again = false;

	BUILD_BUG_ON((int)RINGLET_VECTOR_SYSCALL != RINGLET_GATE_SYSCALL);
	BUILD_BUG_ON((int)RINGLET_VECTOR_SYSCALL32 != RINGLET_GATE_SYSCALL32);

	prepare_visit(vcpu);
	ringlet_speculation_enter(vcpu);
	ringlet_fpu_load(vcpu);
	load_guest_debug(vcpu, &host);
	load_guest_msrs(vcpu, &host);

	do {
		prepare_stay(vcpu, again);
		enter_window(vcpu, again);
		again = !(host.written & PERF_MSRS) && ringlet_vcpu_again(vcpu);
	} while (again);

	ringlet_asyncpf_note(vcpu);
	ringlet_shadow_leave(vcpu);
	restore_host_msrs(&host);
	restore_host_debug(vcpu, &host);
	ringlet_fpu_save(vcpu);
}

/*
 * One more NMI, to ourselves, is how the host gets the one that we took: as
 * the hardware brings it, with further ones blocked until its handler's IRET.
 * `int $2` would not block them, and where the CPU does not either (after an NMI
 * in the switcher itself; after any, if the way out was by IRETQ) a second one
 * in the first instructions of the host's entry writes its frame over the
 * first's, which then returns to itself for ever.
 *
 * The IRET first: an NMI that came while they were blocked is taken by itself
 * and does not merge with ours. As Linux tests its NMIs (nmi_selftest.c): ICR
 * has no shorthand for an NMI to oneself (SDM vol. 3A, 11.6.1). Without an APIC
 * there is one source of NMIs, and INT it is.
 */
static void pass_on_nmi(void)
{
	if (!boot_cpu_has(X86_FEATURE_APIC)) {
		asm volatile("int $2" : : : "memory");
		return;
	}
	iret_to_self();
	apic->send_IPI_mask(cpumask_of(smp_processor_id()), NMI_VECTOR);
}

/*
 * As KVM does: a machine check that hit the guest hit user mode. `int $18`
 * would make a kernel-mode error of it, and a panic of a recoverable one.
 * A host without machine-check support (Debian's cloud flavour) leaves CR4.MCE
 * off, and the CPU shuts down by itself.
 */
static void pass_on_mce(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs regs = {
		.cs = 3,
		.flags = X86_EFLAGS_IF,
	};

	do_machine_check(&regs);
#endif
}

/**
 * ringlet_is_interrupt() - did a device of the host's end the stay?
 * @vcpu: just left the guest
 * @vector: why
 *
 * Vector 0x80 is INT 80 where the host has a gate for it; a host booted with
 * ia32_emulation=0 may give the number to a device, and then its window has no
 * such gate for the guest.
 *
 * Return: true if @vector is to be handed to the host.
 */
bool ringlet_is_interrupt(struct ringlet_vcpu *vcpu, u64 vector)
{
	if (vector < FIRST_EXTERNAL_VECTOR || vector >= 256)
		return false;
	return vector != RINGLET_GATE_INT80 ||
	       !vcpu->window.idt[RINGLET_GATE_INT80].bits.dpl;
}

/*
 * What was on its way to us when the switcher faulted: an interrupt that its
 * handler does not see is never acknowledged, and holds up all others. A stub's
 * first instructions have not said yet which it is; its address does.
 */
static u64 lost_vector(struct ringlet_vcpu *vcpu)
{
	struct ringlet_window_state *state = vcpu->window.state;
	u64 rip = state->fault_rip;

	if (rip - window_address(vcpu, ringlet_stubs) <
	    NR_VECTORS * RINGLET_STUB_SIZE)
		return (rip - window_address(vcpu, ringlet_stubs)) /
		       RINGLET_STUB_SIZE;
	if (rip == window_address(vcpu, ringlet_stub_nmi))
		return X86_TRAP_NMI;
	return state->lost_vector;
}

/**
 * ringlet_switch_finish() - hand the host what arrived in the guest
 * @vcpu: just returned from ringlet_switch_to_guest()
 *
 * Context: interrupts off on entry, on at return; preemption off throughout.
 */
void ringlet_switch_finish(struct ringlet_vcpu *vcpu)
{
	struct ringlet_window_state *state = vcpu->window.state;
	u64 vector = state->gprs.vector;
	u32 pending = state->pending;
	gate_desc *idt;

	state->pending = 0;
	/*
	 * Perhaps fast.c met a bad page on its walk. What the host makes of
	 * that it does on the way to user mode: do not go there before, the
	 * guest will fault again.
	 */
	if (vector == X86_TRAP_PF && (pending & RINGLET_PENDING_MCE)) {
		vcpu->handled = true;
		vcpu->next = RINGLET_RESUME;
	}
	if (vector == RINGLET_VECTOR_FAULTED)
		vector = lost_vector(vcpu);
	/* First NMIs: after one from the guest they are blocked still. */
	if (vector == X86_TRAP_NMI || (pending & RINGLET_PENDING_NMI))
		pass_on_nmi();
	if (vector == X86_TRAP_MC || (pending & RINGLET_PENDING_MCE))
		pass_on_mce();

	if (ringlet_is_interrupt(vcpu, vector)) {
		idt = (gate_desc *)state->host_idtr.address;
		ringlet_call_host_gate(gate_offset(&idt[vector]));
		/* On again by the handler's IRET; lockdep has not seen that. */
		local_irq_disable();
	}
	local_irq_enable();
}
