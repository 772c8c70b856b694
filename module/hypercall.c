// SPDX-License-Identifier: GPL-2.0
/*
 * The hypercalls, one function each, dispatched by the table that the uapi
 * header defines them in. Arguments are the guest's word: each function checks
 * its own and returns a negative errno to the guest, or ends it.
 *
 * Host kernel, process context; vcpu->mutex held. Some of them
 * (ringlet_hypercalls_at_once) with interrupts off.
 */
#include "ringlet.h"

#include <linux/nospec.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <asm/desc_defs.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>

#include "descriptor.h"
#include "trace.h"

typedef enum ringlet_next (*hypercall_fn)(struct ringlet_vcpu *vcpu,
					  const u64 *args, u64 *result);

static u64 *window_gdt(struct ringlet_vcpu *vcpu)
{
	return (u64 *)(vcpu->window.desc + RINGLET_DESC_GDT);
}

static enum ringlet_next hypercall_IRET(struct ringlet_vcpu *vcpu,
					const u64 *args, u64 *result)
{
	enum ringlet_next next = ringlet_event_return(vcpu);

	*result = ringlet_gprs(vcpu)->rax;
	return next;
}

static enum ringlet_next hypercall_SET_GATE(struct ringlet_vcpu *vcpu,
					    const u64 *args, u64 *result)
{
	*result = ringlet_event_set_gate(vcpu, args[0], args[1]);
	return RINGLET_RESUME;
}

static enum ringlet_next hypercall_LOAD_CR3(struct ringlet_vcpu *vcpu,
					    const u64 *args, u64 *result)
{
	int ret = ringlet_tags_load_cr3(&vcpu->shadow, args[0]);

	*result = ret;
	/* No guest expects that: it is the launcher's to hear. */
	return ret == -ENOMEM ? -ENOMEM : RINGLET_RESUME;
}

static enum ringlet_next hypercall_FLUSH_TLB(struct ringlet_vcpu *vcpu,
					     const u64 *args, u64 *result)
{
	switch (args[0]) {
	case RINGLET_FLUSH_USER:
		ringlet_tags_flush_user(&vcpu->shadow);
		break;
	case RINGLET_FLUSH_ALL:
		ringlet_tags_flush_all(&vcpu->shadow);
		break;
	case RINGLET_FLUSH_ADDR:
		ringlet_tags_flush_address(&vcpu->shadow, args[1]);
		break;
	default:
		*result = -EINVAL;
	}
	return RINGLET_RESUME;
}

/* Most are empty. */
static __always_inline bool tls_valid(u64 descriptor)
{
	return !descriptor || ringlet_tls_valid(descriptor);
}

static enum ringlet_next hypercall_LOAD_TLS(struct ringlet_vcpu *vcpu,
					    const u64 *args, u64 *result)
{
	u64 *tls = window_gdt(vcpu) + GDT_ENTRY_TLS_MIN;

	BUILD_BUG_ON(GDT_ENTRY_TLS_ENTRIES != 3);
	if (!tls_valid(args[0]) || !tls_valid(args[1]) || !tls_valid(args[2])) {
		*result = -EINVAL;
		return RINGLET_RESUME;
	}
	tls[0] = ringlet_tls_sane(args[0]);
	tls[1] = ringlet_tls_sane(args[1]);
	tls[2] = ringlet_tls_sane(args[2]);
	return RINGLET_RESUME;
}

/* As native load_gs_index(): a selector that cannot be loaded loads null. */
static enum ringlet_next hypercall_LOAD_GS(struct ringlet_vcpu *vcpu,
					   const u64 *args, u64 *result)
{
	const u64 *gdt = window_gdt(vcpu);
	u16 selector = ringlet_sane_selector(gdt, GDT_ENTRIES, args[0]);
	u64 descriptor = 0;

	if (selector >= 4)
		descriptor =
			gdt[array_index_nospec(selector >> 3, GDT_ENTRIES)];

	vcpu->window.state->gs = selector;
	WRITE_ONCE(ringlet_shared(vcpu)->user_gsbase,
		   (descriptor >> 16 & 0xffffff) | (descriptor >> 56 << 24));
	return RINGLET_RESUME;
}

static enum ringlet_next hypercall_HALT(struct ringlet_vcpu *vcpu,
					const u64 *args, u64 *result)
{
	WRITE_ONCE(ringlet_shared(vcpu)->flags, X86_EFLAGS_IF);
	return ringlet_sched_halt(vcpu);
}

/* The run loop delivers before it enters: to come here is all there is to it. */
static enum ringlet_next hypercall_DELIVER(struct ringlet_vcpu *vcpu,
					   const u64 *args, u64 *result)
{
	return RINGLET_RESUME;
}

static enum ringlet_next hypercall_SET_TIMER(struct ringlet_vcpu *vcpu,
					     const u64 *args, u64 *result)
{
	ringlet_vcpu_set_timer(vcpu, args[0]);
	return RINGLET_RESUME;
}

static enum ringlet_next hypercall_CLOCK(struct ringlet_vcpu *vcpu,
					 const u64 *args, u64 *result)
{
	switch (args[0]) {
	case RINGLET_CLOCK_MONOTONIC:
		*result = ktime_get_ns();
		break;
	case RINGLET_CLOCK_REALTIME:
		*result = ktime_get_real_ns();
		break;
	default:
		*result = -EINVAL;
	}
	return RINGLET_RESUME;
}

static enum ringlet_next hypercall_CPUID(struct ringlet_vcpu *vcpu,
					 const u64 *args, u64 *result)
{
	struct ringlet_gprs *gprs = ringlet_gprs(vcpu);
	u32 out[4];

	ringlet_cpuid(vcpu, args[0], args[1], out);
	gprs->rdi = out[0];
	gprs->rsi = out[1];
	gprs->rdx = out[2];
	gprs->r10 = out[3];
	return RINGLET_RESUME;
}

static enum ringlet_next hypercall_CONSOLE(struct ringlet_vcpu *vcpu,
					   const u64 *args, u64 *result)
{
	if (!args[1])
		return RINGLET_RESUME;
	if (!ringlet_gpa_to_user(vcpu->vm, args[0], args[1])) {
		*result = -EFAULT;
		return RINGLET_RESUME;
	}
	vcpu->run->exit_reason = RINGLET_EXIT_CONSOLE;
	vcpu->run->console.gpa = args[0];
	vcpu->run->console.len = args[1];
	return RINGLET_TO_LAUNCHER;
}

static enum ringlet_next hypercall_SHUTDOWN(struct ringlet_vcpu *vcpu,
					    const u64 *args, u64 *result)
{
	u64 len = min_t(u64, args[2], RINGLET_SHUTDOWN_TEXT_MAX);
	struct ringlet_run *run = vcpu->run;
	void __user *text;

	if (args[0] > RINGLET_SHUTDOWN_PANIC) {
		*result = -EINVAL;
		return RINGLET_RESUME;
	}
	memset(run->message, 0, sizeof(run->message));
	text = len ? ringlet_gpa_to_user(vcpu->vm, args[1], len) : NULL;
	if (text && copy_from_user(run->message, text, len))
		memset(run->message, 0, sizeof(run->message));
	run->exit_reason = RINGLET_EXIT_SHUTDOWN;
	run->shutdown.reason = args[0];
	ringlet_vm_end(vcpu->vm);
	return RINGLET_TO_LAUNCHER;
}

/* Debug register number to its place in vcpu->dr[]; -1 if there is none. */
static int dr_index(u64 nr)
{
	if (nr < 4)
		return nr;
	if (nr == 6 || nr == 7)
		return nr - 2;
	return -1;
}

static u64 *dr_of(struct ringlet_vcpu *vcpu, unsigned int index)
{
	return &vcpu->dr[array_index_nospec(index, ARRAY_SIZE(vcpu->dr))];
}

/* DR0-3: an address that fits the CPU, not the switcher's; 6, 7: 32 bits. */
static bool dr_valid(int index, u64 value)
{
	if (index >= 4)
		return !(value >> 32);
	return ringlet_canonical(value) &&
	       (value < RINGLET_HOLE_START || value >= RINGLET_HOLE_END);
}

static enum ringlet_next hypercall_GET_DR(struct ringlet_vcpu *vcpu,
					  const u64 *args, u64 *result)
{
	int index = dr_index(args[0]);

	if (index < 0)
		*result = -EINVAL;
	else
		ringlet_gprs(vcpu)->rdi = *dr_of(vcpu, index);
	return RINGLET_RESUME;
}

static enum ringlet_next hypercall_SET_DR(struct ringlet_vcpu *vcpu,
					  const u64 *args, u64 *result)
{
	int index = dr_index(args[0]);

	if (index < 0 || !dr_valid(index, args[1]))
		*result = -EINVAL;
	else
		*dr_of(vcpu, index) = args[1];
	return RINGLET_RESUME;
}

/*
 * Of CR4 only what user mode can feel: prctl(PR_SET_TSC). Guest kernel mode
 * runs at CPL 3, too, and reads the TSC at any time.
 */
static enum ringlet_next hypercall_SET_CR4(struct ringlet_vcpu *vcpu,
					   const u64 *args, u64 *result)
{
	struct ringlet_window_state *state = vcpu->window.state;

	vcpu->forbid_tsc = args[0] & X86_CR4_TSD;
	/* The visit goes on: what it began with no longer holds. */
	state->guest_cr4 &= ~(u64)X86_CR4_TSD;
	state->ds_flags &= ~RINGLET_DS_TSD;
	if (vcpu->forbid_tsc)
		state->ds_flags |= RINGLET_DS_TSD;
	return RINGLET_RESUME;
}

static enum ringlet_next hypercall_VCPU_START(struct ringlet_vcpu *vcpu,
					      const u64 *args, u64 *result)
{
	*result = ringlet_smp_start(vcpu, args);
	return RINGLET_RESUME;
}

static enum ringlet_next hypercall_VCPU_STOP(struct ringlet_vcpu *vcpu,
					     const u64 *args, u64 *result)
{
	ringlet_smp_stop(vcpu);
	return RINGLET_RESUME;
}

static enum ringlet_next hypercall_SEND_IPI(struct ringlet_vcpu *vcpu,
					    const u64 *args, u64 *result)
{
	*result = ringlet_smp_send_ipi(vcpu, args[0], args[1]);
	return RINGLET_RESUME;
}

static enum ringlet_next hypercall_FLUSH_VCPUS(struct ringlet_vcpu *vcpu,
					       const u64 *args, u64 *result)
{
	*result = ringlet_smp_flush(vcpu, args);
	return RINGLET_RESUME;
}

static enum ringlet_next hypercall_WAIT(struct ringlet_vcpu *vcpu,
					const u64 *args, u64 *result)
{
	*result = ringlet_sched_wait(vcpu, args[0]);
	return RINGLET_RESUME;
}

static enum ringlet_next hypercall_KICK(struct ringlet_vcpu *vcpu,
					const u64 *args, u64 *result)
{
	*result = ringlet_sched_kick(vcpu, args[0]);
	return RINGLET_RESUME;
}

static enum ringlet_next hypercall_YIELD(struct ringlet_vcpu *vcpu,
					 const u64 *args, u64 *result)
{
	*result = ringlet_sched_yield(vcpu, args[0]);
	return RINGLET_RESUME;
}

/* clang-format off */
#define DISPATCH(nr, name, ...) [nr] = hypercall_##name,
/* clang-format on */
static const hypercall_fn hypercalls[] = { RINGLET_HYPERCALLS(DISPATCH) };

/*
 * A bit for each hypercall that can be served within the visit: its function
 * neither sleeps nor enables interrupts nor takes a lock that may sleep on some
 * kernel (spinlock_t does with PREEMPT_RT), touches no guest memory but the
 * shared page, and leaves alone what is prepared once a visit: FPU, XCR0, debug
 * registers, roots, the switcher's inhibitors. So SET_DR and SET_GATE are not
 * among them.
 */
const u64 ringlet_hypercalls_at_once =
	BIT_ULL(RINGLET_HC_IRET) | BIT_ULL(RINGLET_HC_LOAD_TLS) |
	BIT_ULL(RINGLET_HC_LOAD_GS) | BIT_ULL(RINGLET_HC_DELIVER) |
	BIT_ULL(RINGLET_HC_SET_TIMER) | BIT_ULL(RINGLET_HC_CLOCK) |
	BIT_ULL(RINGLET_HC_CPUID) | BIT_ULL(RINGLET_HC_GET_DR) |
	BIT_ULL(RINGLET_HC_SET_CR4);
static_assert(RINGLET_HC_COUNT <= 64);

#define SYSCALL_LENGTH 2

/* Nothing of it survives the function, which may put results in their place. */
static noinline enum ringlet_next traced(struct ringlet_vcpu *vcpu, u64 nr,
					 const u64 *args, u64 *result)
{
	const u64 a0 = args[0], a1 = args[1], a2 = args[2];
	enum ringlet_next next = hypercalls[nr](vcpu, args, result);

	trace_ringlet_hypercall(vcpu->id, nr, a0, a1, a2, *result);
	return next;
}

/**
 * ringlet_hypercall() - SYSCALL in guest kernel mode
 * @vcpu: whose; RAX is the number
 *
 * If the host cannot do it now, it has not been done: the guest is before its
 * SYSCALL again, for the launcher to call RUN once more.
 *
 * Return: what to do next.
 */
enum ringlet_next ringlet_hypercall(struct ringlet_vcpu *vcpu)
{
	struct ringlet_gprs *gprs = ringlet_gprs(vcpu);
	const u64 *args = &gprs->rdi;
	u64 nr = gprs->rax, result = 0;
	enum ringlet_next next;

	BUILD_BUG_ON(&gprs->rsi != &gprs->rdi + 1);
	BUILD_BUG_ON(&gprs->rdx != &gprs->rdi + 2);
	BUILD_BUG_ON(&gprs->r10 != &gprs->rdi + 3);
	BUILD_BUG_ON(&gprs->r8 != &gprs->rdi + 4);

	ringlet_left(vcpu, RINGLET_LEFT_HYPERCALL);
	if (nr >= ARRAY_SIZE(hypercalls)) {
		gprs->rax = -ENOSYS;
		return RINGLET_RESUME;
	}
	nr = array_index_nospec(nr, ARRAY_SIZE(hypercalls));
	if (trace_ringlet_hypercall_enabled())
		next = traced(vcpu, nr, args, &result);
	else
		next = hypercalls[nr](vcpu, args, &result);
	if (next < 0)
		gprs->rip -= SYSCALL_LENGTH;
	else
		gprs->rax = result;
	return next;
}
