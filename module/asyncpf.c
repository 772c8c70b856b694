// SPDX-License-Identifier: GPL-2.0
/*
 * Asynchronous page faults of the host's own hypervisor. A host that is a KVM
 * guest lets KVM say "that page is not there yet": a #PF with a token in CR2,
 * injected at CPL 3 alone, and flags in a word of the CPU's that tell it from
 * a real one. A Ringlet guest is always at CPL 3, so our IDT gets these. They
 * are the host's: nothing of the guest's has faulted. Not taken, the flags
 * would be found at the host's own next fault, which is a panic if it comes
 * from the kernel. Linux, arch/x86/kernel/kvm.c; Documentation/virt/kvm/x86/msr.rst.
 *
 * Host kernel, around the run loop: as KVM does it for guests of its own.
 */
#include "ringlet.h"

#include <asm/kvm_para.h>
#include <asm/msr.h>
#include <asm/trapnr.h>

static bool enabled __ro_after_init;

/**
 * ringlet_asyncpf_init() - does the host get such faults?
 *
 * It is asked once: the host sets all its CPUs up alike.
 *
 * Return: false if it does, and the kernel lets only kvm.ko take them.
 */
bool __init ringlet_asyncpf_init(void)
{
	u64 value;

	if (!kvm_para_available() || rdmsrq_safe(MSR_KVM_ASYNC_PF_EN, &value))
		return true;
	enabled = value & KVM_ASYNC_PF_ENABLED;
	return !enabled || RINGLET_TAKES_ASYNC_PF;
}

/**
 * ringlet_asyncpf_end() - addresses below which a fault may be one of these
 *
 * A token has 32 bits. The switcher leaves faults below to the module, which
 * looks; all others it serves, as anywhere.
 *
 * Return: 0 if there are none.
 */
u64 ringlet_asyncpf_end(void)
{
	return enabled ? BIT_ULL(32) : 0;
}

/**
 * ringlet_asyncpf_note() - was it one that ended the stay?
 * @vcpu: just left the guest
 *
 * Before the host can fault by itself, be it in an NMI that reads user memory:
 * older kernels panic if the word is set then. If so, the exit's vector is changed
 * to RINGLET_VECTOR_ASYNC_PF.
 *
 * Context: interrupts off.
 */
void ringlet_asyncpf_note(struct ringlet_vcpu *vcpu)
{
	struct ringlet_gprs *gprs = ringlet_gprs(vcpu);

	if (likely(!enabled) || gprs->vector != X86_TRAP_PF)
		return;
	if (ringlet_async_pf_flags() & KVM_PV_REASON_PAGE_NOT_PRESENT)
		gprs->vector = RINGLET_VECTOR_ASYNC_PF;
}

/**
 * ringlet_asyncpf_wait() - until the page is there
 * @vcpu: whose stay one has ended
 *
 * Returns at once if it has come meanwhile.
 *
 * Context: sleeps, and not for signals: the token is nobody else's to wait for.
 */
void ringlet_asyncpf_wait(struct ringlet_vcpu *vcpu)
{
	local_irq_disable();
	ringlet_async_pf_wait((u32)vcpu->window.state->cr2);
	local_irq_enable();
}
