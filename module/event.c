// SPDX-License-Identifier: GPL-2.0
/*
 * Entering the guest kernel (exceptions, system calls, interrupts) and
 * returning from it: the guest ABI's own events, see the uapi header.
 *
 * The interrupted context goes into the shared page, never onto a guest stack:
 * what is there need not be mapped, and the switcher, which serves most
 * exceptions and system calls by itself (fast.c, switch.S), may not touch guest
 * addresses. The busy flag holds further events off until the guest has copied
 * the frame.
 *
 * All that comes from the shared page is read once and checked: the guest may
 * write there at any time, and with several vCPUs while we read.
 *
 * Host kernel, process context; vcpu->mutex held.
 */
#include "ringlet.h"

#include <linux/nospec.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>
#include <asm/trapnr.h>

#include "frame.h"
#include "trace.h"

/* The window's GDT has Linux's user segments where Linux has them. */
static_assert(RINGLET_USER_CS == __USER_CS);
static_assert(RINGLET_USER_SS == __USER_DS);

/**
 * ringlet_event_set_gate() - SET_GATE hypercall
 * @vcpu: whose
 * @gate: RINGLET_GATE_*, or a vector below 32
 * @address: canonical, in the upper half; 0 for none
 *
 * Return: 0 or -EINVAL.
 */
int ringlet_event_set_gate(struct ringlet_vcpu *vcpu, u64 gate, u64 address)
{
	int index = ringlet_gate_index(gate);

	if (index < 0 || !ringlet_gate_address_valid(address))
		return -EINVAL;
	index = array_index_nospec(index, RINGLET_GATES);
	vcpu->window.state->gates[index] = address;
	return 0;
}

static bool virtual_if(struct ringlet_vcpu *vcpu)
{
	return READ_ONCE(ringlet_shared(vcpu)->flags) & X86_EFLAGS_IF;
}

static void set_virtual_if(struct ringlet_vcpu *vcpu, bool on)
{
	WRITE_ONCE(ringlet_shared(vcpu)->flags, on ? X86_EFLAGS_IF : 0);
}

/* What SWAPGS does natively, and the change of hardware root with it. */
static void enter_kernel_mode(struct ringlet_vcpu *vcpu)
{
	struct ringlet_window_state *state = vcpu->window.state;

	if (!ringlet_user_mode(vcpu))
		return;
	WRITE_ONCE(ringlet_shared(vcpu)->user_gsbase, state->gsbase);
	state->gsbase = state->kernel_gsbase;
	state->ds_flags &= ~RINGLET_DS_USER;
}

static void enter_user_mode(struct ringlet_vcpu *vcpu)
{
	struct ringlet_window_state *state = vcpu->window.state;
	u64 gsbase = READ_ONCE(ringlet_shared(vcpu)->user_gsbase);

	state->kernel_gsbase = state->gsbase;
	/* WRGSBASE in the switcher must not fault. */
	state->gsbase = ringlet_canonical(gsbase) ? gsbase : 0;
	state->ds_flags |= RINGLET_DS_USER;
}

/* Exceptions whose gate is missing turn into others, as natively. */
static enum ringlet_next no_gate(struct ringlet_vcpu *vcpu, unsigned int gate)
{
	switch (gate) {
	case RINGLET_GATE_SYSCALL:
	case RINGLET_GATE_SYSCALL32:
		return ringlet_event_deliver(vcpu, X86_TRAP_UD, 0);
	case RINGLET_GATE_INT80:
		return ringlet_event_deliver(vcpu, X86_TRAP_GP, gate * 8 + 2);
	}
	return ringlet_kill(
		vcpu, "the guest has no handler for %s %u",
		gate < RINGLET_GATE_EXCEPTIONS ? "exception" : "gate", gate);
}

/**
 * ringlet_event_deliver() - enter the guest kernel through a gate
 * @vcpu: whose
 * @gate: RINGLET_GATE_* or an exception vector
 * @error: error code, 0 if there is none
 *
 * Return: RINGLET_RESUME, or the guest is dead.
 */
enum ringlet_next ringlet_event_deliver(struct ringlet_vcpu *vcpu,
					unsigned int gate, u64 error)
{
	struct ringlet_gprs *gprs = ringlet_gprs(vcpu);
	int index = ringlet_gate_index(gate);

	trace_ringlet_inject(vcpu->id, gate, error, gprs->rip,
			     ringlet_user_mode(vcpu));
	if (index < 0 || !vcpu->window.state->gates[index])
		return no_gate(vcpu, gate);
	if (READ_ONCE(ringlet_shared(vcpu)->busy))
		return ringlet_kill(
			vcpu,
			"event %#x (error %#llx, CR2 %#llx) before the guest kernel had taken the frame of the last one",
			gate, error, READ_ONCE(ringlet_shared(vcpu)->cr2));
	ringlet_frame_enter(ringlet_shared(vcpu), gprs, ringlet_user_mode(vcpu),
			    vcpu->window.state->gates[index], gate, error);
	enter_kernel_mode(vcpu);
	return RINGLET_RESUME;
}

/**
 * ringlet_event_page_fault() - the guest's own page fault
 * @vcpu: whose
 * @gva: for CR2
 * @error: error code in the guest's terms: U is its user mode, P its entry's
 *
 * Return: RINGLET_RESUME, or the guest is dead.
 */
enum ringlet_next ringlet_event_page_fault(struct ringlet_vcpu *vcpu, u64 gva,
					   u32 error)
{
	WRITE_ONCE(ringlet_shared(vcpu)->cr2, gva);
	return ringlet_event_deliver(vcpu, X86_TRAP_PF, error);
}

/**
 * ringlet_event_interrupt() - deliver pending interrupts if the guest takes them
 * @vcpu: about to enter the guest
 *
 * Raised lines move from the module's word to the shared page here, where only
 * the owner writes it besides the guest.
 *
 * Return: RINGLET_RESUME, or the guest is dead.
 */
enum ringlet_next ringlet_event_interrupt(struct ringlet_vcpu *vcpu)
{
	struct ringlet_shared *shared = ringlet_shared(vcpu);
	u64 lines;

	if (atomic64_read(&vcpu->irq_pending)) {
		lines = atomic64_xchg(&vcpu->irq_pending, 0);
		atomic64_or(lines, (atomic64_t *)&shared->irq_pending);
		WRITE_ONCE(shared->pending, 1);
	}
	if (!READ_ONCE(shared->pending) || READ_ONCE(shared->busy))
		return RINGLET_RESUME;
	if (!ringlet_user_mode(vcpu) && !virtual_if(vcpu))
		return RINGLET_RESUME;
	return ringlet_event_deliver(vcpu, RINGLET_GATE_INTERRUPT, 0);
}

static enum ringlet_next return_to_user(struct ringlet_vcpu *vcpu,
					const struct ringlet_frame *frame)
{
	struct ringlet_gprs *gprs = ringlet_gprs(vcpu);
	u64 error;

	set_virtual_if(vcpu, true);
	enter_user_mode(vcpu);
	gprs->cs = frame->cs & 0xffff;
	gprs->ss = frame->ss & 0xffff;
	/* A context that IRETQ could not load: natively a #GP of the user's. */
	/* A 32-bit segment has 32-bit addresses, whatever the frame says. */
	if (gprs->cs == RINGLET_USER32_CS)
		gprs->rip = (u32)gprs->rip;
	if (!ringlet_frame_user_valid(frame, &error))
		return ringlet_event_deliver(vcpu, X86_TRAP_GP, error);
	return RINGLET_RESUME;
}

/**
 * ringlet_event_return() - the IRET hypercall
 * @vcpu: whose; in guest kernel mode
 *
 * Return: RINGLET_RESUME, or the guest is dead.
 */
enum ringlet_next ringlet_event_return(struct ringlet_vcpu *vcpu)
{
	struct ringlet_gprs *gprs = ringlet_gprs(vcpu);
	struct ringlet_frame frame;

	memcpy(&frame, &ringlet_shared(vcpu)->ret, sizeof(frame));
	barrier(); /* from here on only the copy */
	WRITE_ONCE(ringlet_shared(vcpu)->nmi_blocked, 0);
	ringlet_frame_load(&frame, gprs);
	if (frame.cs & 3)
		return return_to_user(vcpu, &frame);
	gprs->cs = __USER_CS;
	gprs->ss = __USER_DS;
	if (!ringlet_canonical(frame.rip))
		return ringlet_kill(
			vcpu,
			"the guest kernel returned to %#llx, which is not canonical",
			frame.rip);
	set_virtual_if(vcpu, frame.rflags & X86_EFLAGS_IF);
	return RINGLET_RESUME;
}
