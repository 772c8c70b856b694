// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU's life and its run loop.
 *
 * The thread that calls RINGLET_RUN *is* the vCPU while it runs: it owns the
 * window, the shadow tables and the virtual registers. Others only set bits
 * (requests, irq_pending) and, if it may be in the guest, kick it. The loop
 * handles the bits with interrupts on, then turns them off, says that it is in
 * the guest, and looks at the bits once more before it enters: whoever sets one
 * after that look finds the mode to be IN_GUEST and sends the IPI.
 *
 * Host kernel, process context, the launcher's mm; vcpu->mutex held.
 */
#include "ringlet.h"

#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/cpu.h>
#include <asm/fpu/api.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>
#include <asm/trapnr.h>
#include <asm/tsc.h>

#include "descriptor.h"
#define CREATE_TRACE_POINTS
#include "trace.h"

static void ipi_noop(void *unused)
{
}

/*
 * Not to a CPU that goes offline meanwhile, which the host would report. It
 * cannot while we do not sleep, and it throws the vCPU out by itself.
 */
static void interrupt_guest(struct ringlet_vcpu *vcpu)
{
	int this_cpu = get_cpu(), cpu;

	if (READ_ONCE(vcpu->mode) == RINGLET_IN_GUEST) {
		cpu = READ_ONCE(vcpu->cpu);
		if (cpu != this_cpu && cpu_online(cpu))
			ringlet_send_reschedule(cpu);
	}
	put_cpu();
}

/**
 * ringlet_vcpu_kick() - have a vCPU look at its requests
 * @vcpu: any; set the request first
 * @wait: do not return while it is still in the guest as it was
 *
 * Context: with @wait, interrupts on; without, any.
 */
void ringlet_vcpu_kick(struct ringlet_vcpu *vcpu, bool wait)
{
	smp_mb(); /* the request before the mode; pairs with enter_guest() */
	wake_up(&vcpu->wait);
	if (!wait) {
		interrupt_guest(vcpu);
		return;
	}
	/* Once is enough: it will not enter again without seeing the request. */
	if (READ_ONCE(vcpu->mode) == RINGLET_IN_GUEST)
		smp_call_function_single(READ_ONCE(vcpu->cpu), ipi_noop, NULL,
					 1);
}

/**
 * ringlet_vcpu_raise() - raise an interrupt line
 * @vcpu: whose
 * @line: below RINGLET_IRQ_LINES
 *
 * Context: any.
 */
void ringlet_vcpu_raise(struct ringlet_vcpu *vcpu, unsigned int line)
{
	if (!(atomic64_fetch_or(BIT_ULL(line), &vcpu->irq_pending) &
	      BIT_ULL(line)))
		ringlet_vcpu_kick(vcpu, false);
}

static enum hrtimer_restart timer_expired(struct hrtimer *timer)
{
	struct ringlet_vcpu *vcpu =
		container_of(timer, struct ringlet_vcpu, timer);

	ringlet_vcpu_raise(vcpu, RINGLET_IRQ_TIMER);
	return HRTIMER_NORESTART;
}

/**
 * ringlet_vcpu_set_timer() - arm the one-shot timer
 * @vcpu: whose
 * @ns: nanoseconds from now; ~0 to disarm
 *
 * Context: any but the timer's own.
 */
void ringlet_vcpu_set_timer(struct ringlet_vcpu *vcpu, u64 ns)
{
	if (ns == ~0ULL)
		/* Running elsewhere right now: as if we had come too late. */
		hrtimer_try_to_cancel(&vcpu->timer);
	else
		hrtimer_start(&vcpu->timer,
			      ns_to_ktime(min_t(u64, ns, KTIME_MAX / 2)),
			      HRTIMER_MODE_REL);
}

/**
 * ringlet_kill() - end the guest with a sentence that says what it did
 * @vcpu: whose act it was
 * @why: printf format
 *
 * The other vCPUs are told by the run loop: this one may have interrupts off.
 *
 * Return: RINGLET_TO_LAUNCHER, the report being in the run page.
 */
enum ringlet_next ringlet_kill(struct ringlet_vcpu *vcpu, const char *why, ...)
{
	struct ringlet_gprs *gprs = ringlet_gprs(vcpu);
	struct ringlet_run *run = vcpu->run;
	va_list args;
	int n;

	/* Within a visit only the switcher knows the guest's CR3. */
	if (vcpu->mode == RINGLET_IN_GUEST)
		ringlet_shadow_leave(vcpu);
	va_start(args, why);
	n = vscnprintf(run->message, sizeof(run->message), why, args);
	va_end(args);
	scnprintf(
		run->message + n, sizeof(run->message) - n,
		" (vCPU %u, %s mode, RIP %#llx, RSP %#llx, RFLAGS %#llx, CR3 %#llx, last exit %#llx error %#llx, RAX %#llx, RDI %#llx, RSI %#llx, GS base %#llx)",
		vcpu->id, ringlet_user_mode(vcpu) ? "user" : "kernel",
		gprs->rip, gprs->rsp, gprs->rflags,
		vcpu->shadow.current_tag->cr3, gprs->vector, gprs->error,
		gprs->rax, gprs->rdi, gprs->rsi, vcpu->window.state->gsbase);
	run->exit_reason = RINGLET_EXIT_KILLED;
	WRITE_ONCE(vcpu->vm->dead, true);
	ringlet_left(vcpu, RINGLET_LEFT_FATAL);
	return RINGLET_TO_LAUNCHER;
}

/*
 * #AC without RFLAGS.AC: the host forbids locked accesses that cross a cache
 * line. It decides what becomes of its own threads that do, and of this one.
 */
static enum ringlet_next split_lock(struct ringlet_vcpu *vcpu)
{
	if (ringlet_split_lock_allowed(ringlet_gprs(vcpu)->rip))
		return RINGLET_RESUME;
	return ringlet_kill(
		vcpu,
		"a locked access across a cache line, which the host forbids (boot it with split_lock_detect=off)");
}

/*
 * A fault at CPL 0: the guest's registers are lost. A memory error is the
 * machine's, and the host has been told of it.
 */
static enum ringlet_next switcher_faulted(struct ringlet_vcpu *vcpu)
{
	struct ringlet_window_state *state = vcpu->window.state;
	u64 offset = state->fault_rip - vcpu->window.base;

	if (state->fault_vector == X86_TRAP_MC)
		return ringlet_kill(
			vcpu,
			"the switcher met a memory error (at text+%#llx): the machine's, see the host's log",
			offset);
	return ringlet_kill(
		vcpu,
		"the switcher itself faulted (vector %llu at text+%#llx): a bug of Ringlet, please report it",
		state->fault_vector, offset);
}

static enum ringlet_next exception(struct ringlet_vcpu *vcpu,
				   unsigned int vector, u64 error)
{
	enum ringlet_next next;

	if (vector == X86_TRAP_GP && !ringlet_user_mode(vcpu) && !error) {
		ringlet_left(vcpu, RINGLET_LEFT_EMULATED);
		if (ringlet_emulate(vcpu, &next))
			return next;
	}
	ringlet_left(vcpu, RINGLET_LEFT_EXCEPTION);
	if (vector == X86_TRAP_AC &&
	    !(ringlet_gprs(vcpu)->rflags & X86_EFLAGS_AC))
		return split_lock(vcpu);
	/* It costs an exit. What its own threads pay the host tells no module. */
	if (vector == X86_TRAP_DB && vcpu->bus_lock)
		return RINGLET_RESUME;
	return ringlet_event_deliver(vcpu, vector, error);
}

static enum ringlet_next syscall(struct ringlet_vcpu *vcpu, unsigned int gate)
{
	if (!ringlet_user_mode(vcpu) && gate == RINGLET_GATE_SYSCALL)
		return ringlet_hypercall(vcpu);
	ringlet_left(vcpu, RINGLET_LEFT_SYSCALL);
	return ringlet_event_deliver(vcpu, gate, 0);
}

/* The one place that knows what each vector means, but for SYSCALL. */
static noinline enum ringlet_next handle_event(struct ringlet_vcpu *vcpu)
{
	struct ringlet_window_state *state = vcpu->window.state;
	u64 vector = state->gprs.vector, error = state->gprs.error;

	if (ringlet_is_interrupt(vcpu, vector)) {
		ringlet_left(vcpu, RINGLET_LEFT_INTERRUPT);
		return RINGLET_RESUME;
	}
	switch (vector) {
	case RINGLET_VECTOR_ASYNC_PF:
		ringlet_left(vcpu, RINGLET_LEFT_INTERRUPT);
		ringlet_asyncpf_wait(vcpu);
		return RINGLET_RESUME;
	case RINGLET_VECTOR_ABORTED:
		ringlet_left(vcpu, RINGLET_LEFT_ABORTED);
		return RINGLET_RESUME;
	case RINGLET_VECTOR_FAULTED:
		return switcher_faulted(vcpu);
	case X86_TRAP_NMI:
		ringlet_left(vcpu, RINGLET_LEFT_NMI);
		return RINGLET_RESUME;
	case X86_TRAP_MC:
		ringlet_left(vcpu, RINGLET_LEFT_MCE);
		return RINGLET_RESUME;
	case X86_TRAP_PF:
		return ringlet_shadow_fault(vcpu, state->cr2, error);
	case RINGLET_GATE_INT80:
		ringlet_left(vcpu, RINGLET_LEFT_SYSCALL);
		return ringlet_event_deliver(vcpu, RINGLET_GATE_INT80, 0);
	}
	return exception(vcpu, vector, error);
}

/* The way of a hypercall is short: what the others need of a frame is theirs. */
static __always_inline enum ringlet_next handle_exit(struct ringlet_vcpu *vcpu)
{
	u64 vector = ringlet_gprs(vcpu)->vector;

	if (vector == RINGLET_VECTOR_SYSCALL ||
	    vector == RINGLET_VECTOR_SYSCALL32)
		return syscall(vcpu, vector);
	return handle_event(vcpu);
}

/* What need_resched(), signal_pending() and their kin would look at. */
#define WORK_FLAGS                                                    \
	(RINGLET_TIF_RESCHED | _TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL | \
	 _TIF_NOTIFY_RESUME)

/* Something of our own that must be handled with interrupts on. */
static __always_inline bool own_work(struct ringlet_vcpu *vcpu)
{
	return (read_thread_flags() & WORK_FLAGS) || READ_ONCE(vcpu->requests);
}

static bool must_not_enter(struct ringlet_vcpu *vcpu)
{
	return own_work(vcpu) || READ_ONCE(vcpu->vm->dead) ||
	       atomic64_read(&vcpu->irq_pending);
}

/* The one place that counts exits. */
static __always_inline enum ringlet_next count_exit(struct ringlet_vcpu *vcpu)
{
	enum ringlet_next next;

	vcpu->total_exits++;
	next = handle_exit(vcpu);
	vcpu->exits[vcpu->left]++;
	if (vcpu->left != RINGLET_LEFT_SPURIOUS)
		vcpu->spurious = 0;
	trace_ringlet_exit(vcpu->id, vcpu->left, ringlet_gprs(vcpu)->vector,
			   ringlet_gprs(vcpu)->rip);
	return next;
}

/* What the guest must find as it enters. */
static __always_inline enum ringlet_next before_entry(struct ringlet_vcpu *vcpu)
{
	enum ringlet_next next;

	if (vcpu->nmi_pending) {
		next = ringlet_smp_nmi(vcpu);
		if (next)
			return next;
	}
	if (ringlet_event_pending(vcpu)) {
		next = ringlet_event_interrupt(vcpu);
		if (next)
			return next;
	}
	/* IRETQ would fault on it at CPL 0; natively it faults at CPL 3. */
	if (!ringlet_canonical(ringlet_gprs(vcpu)->rip))
		return ringlet_event_deliver(vcpu, X86_TRAP_GP, 0);
	return RINGLET_RESUME;
}

/*
 * Exits that are handled within the visit, with interrupts off: short, never
 * asleep, and without a touch of guest memory but the shared page. Not if the
 * host is owed an NMI.
 */
static bool at_once(struct ringlet_vcpu *vcpu)
{
	const struct ringlet_window_state *state = vcpu->window.state;

	if (state->pending)
		return false;
	switch (state->gprs.vector) {
	case RINGLET_VECTOR_SYSCALL:
		return ringlet_user_mode(vcpu) ||
		       (state->gprs.rax < RINGLET_HC_COUNT &&
			(ringlet_hypercalls_at_once >> state->gprs.rax & 1));
	case RINGLET_VECTOR_SYSCALL32:
		return true;
	case RINGLET_GATE_INT80:
		return !ringlet_is_interrupt(vcpu, RINGLET_GATE_INT80);
	}
	return false;
}

/**
 * ringlet_vcpu_again() - is the visit to go on?
 * @vcpu: just left the guest
 *
 * If the exit is one of those that can be handled at once, it is. What others
 * want of the vCPU meanwhile need not be looked for: they find it IN_GUEST and
 * send an IPI, which hits the guest at its next instruction, as does a device's
 * interrupt. What the handler itself caused must be: a wake-up that wants this
 * CPU, a request to the vCPU it runs for.
 *
 * Context: interrupts off, in a visit, see ringlet_switch_to_guest().
 * Return: true if the guest is to be entered again.
 */
bool ringlet_vcpu_again(struct ringlet_vcpu *vcpu)
{
	enum ringlet_next next;

	if (!at_once(vcpu))
		return false;
	next = count_exit(vcpu);
	if (next == RINGLET_RESUME)
		next = before_entry(vcpu);
	if (next != RINGLET_RESUME || own_work(vcpu)) {
		vcpu->handled = true;
		vcpu->next = next;
		return false;
	}
	trace_ringlet_entry(vcpu->id, ringlet_gprs(vcpu)->rip,
			    ringlet_user_mode(vcpu));
	return true;
}

/*
 * To RCU a visit is what user mode is, and it must be told: a tick that ends a
 * stay comes from CPL 0 as it sees it, with preemption off. A vCPU that never
 * sleeps would hold up each grace period; and that of Tasks RCU, where only who
 * gives up the CPU by itself counts, for as long as chance will have it, while
 * those who wait for it, to take a tracer or a probe away, hold the locks of CPU
 * hotplug and text patching.
 */
static void note_quiescent(void)
{
	rcu_note_context_switch(false);
}

/*
 * Into the guest and back. Returns false if it was not entered.
 *
 * kernel_fpu_begin() and _end() both with interrupts off: between them nothing
 * but the guest runs, and what is handed to the host afterwards may use the
 * FPU itself.
 */
static bool enter_guest(struct ringlet_vcpu *vcpu)
{
	bool entered = false;

	preempt_disable();
	local_irq_disable();
	WRITE_ONCE(vcpu->cpu, smp_processor_id());
	WRITE_ONCE(vcpu->mode, RINGLET_IN_GUEST);
	smp_mb(); /* the mode before the requests; pairs with the kick */
	if (!must_not_enter(vcpu)) {
		trace_ringlet_entry(vcpu->id, ringlet_gprs(vcpu)->rip,
				    ringlet_user_mode(vcpu));
		note_quiescent();
		/* Ticks that end this stay count as guest time. */
		current->flags |= PF_VCPU;
		vcpu->handled = false;
		kernel_fpu_begin_mask(0);
		ringlet_switch_to_guest(vcpu);
		kernel_fpu_end();
		entered = true;
	}
	WRITE_ONCE(vcpu->mode, RINGLET_OUTSIDE);
	if (entered) {
		ringlet_switch_finish(vcpu);
		current->flags &= ~PF_VCPU;
	} else {
		local_irq_enable();
	}
	preempt_enable();
	return entered;
}

static enum ringlet_next handle_requests(struct ringlet_vcpu *vcpu)
{
	if (likely(!READ_ONCE(vcpu->requests)))
		return RINGLET_RESUME;
	if (test_and_clear_bit(RINGLET_REQ_FLUSH, &vcpu->requests))
		ringlet_tags_flush_all(&vcpu->shadow);
	if (test_and_clear_bit(RINGLET_REQ_RECLAIM, &vcpu->requests))
		ringlet_shadow_reclaim(vcpu);
	return ringlet_smp_requests(vcpu);
}

static enum ringlet_next run_once(struct ringlet_vcpu *vcpu)
{
	enum ringlet_next next;

	next = handle_requests(vcpu);
	if (next || ringlet_smp_stopped(vcpu))
		return next;
	next = before_entry(vcpu);
	if (next)
		return next;
	if (!enter_guest(vcpu))
		return RINGLET_RESUME;
	return vcpu->handled ? vcpu->next : count_exit(vcpu);
}

/* Is RUN to return instead of entering the guest? An errno if so. */
static int must_return(struct ringlet_vcpu *vcpu)
{
	if (READ_ONCE(vcpu->vm->dead))
		return -ESHUTDOWN;
	if (signal_pending(current) || test_thread_flag(TIF_NOTIFY_RESUME) ||
	    READ_ONCE(vcpu->run->immediate_exit)) {
		vcpu->run->exit_reason = RINGLET_EXIT_INTR;
		return -EINTR;
	}
	return 0;
}

/*
 * Work that the thread has for its way to user mode is a reason to go there. But
 * if it was there when RUN began it waits for one stay: a tracer that stops the
 * launcher at its system calls makes such work each time (a thread that has lost
 * the CPU owes rseq a word), and no guest would ever be entered.
 */
static int run(struct ringlet_vcpu *vcpu)
{
	bool put_off = test_and_clear_thread_flag(TIF_NOTIFY_RESUME);
	enum ringlet_next next;
	int ret;

	if (vcpu->mmio.pending)
		ringlet_emulate_mmio_done(vcpu);
	do {
		ret = must_return(vcpu);
		if (!ret) {
			ringlet_resched();
			next = run_once(vcpu);
		}
		if (put_off)
			set_thread_flag(TIF_NOTIFY_RESUME);
		put_off = false;
	} while (!ret && next == RINGLET_RESUME);
	if (ret)
		return ret;
	if (READ_ONCE(vcpu->vm->dead))
		ringlet_vm_end(vcpu->vm);
	return next < 0 ? (int)next : 0;
}

/* What a later version may give a meaning to is not to be garbage now. */
static bool run_page_valid(const struct ringlet_run *run)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(run->reserved); i++)
		if (READ_ONCE(run->reserved[i]))
			return false;
	return true;
}

/**
 * ringlet_vcpu_run() - the RUN ioctl
 * @vcpu: with its mutex held, in its own mm
 *
 * Return: 0 with run->exit_reason set; -EINTR; -ESHUTDOWN if the guest is over,
 * by another vCPU's doing or before; -EINVAL for a run page whose reserved fields
 * are not 0; -ENOMEM, -EFAULT and the like if the host could not go on.
 */
int ringlet_vcpu_run(struct ringlet_vcpu *vcpu)
{
	int ret;

	if (!run_page_valid(vcpu->run))
		return -EINVAL;
	ringlet_sched_begin(vcpu);
	ret = run(vcpu);
	ringlet_sched_end(vcpu);
	ringlet_speculation_launcher(vcpu);
	return ret;
}

/**
 * ringlet_vcpu_get_regs() - the GET_REGS ioctl
 * @vcpu: with its mutex held
 * @regs: receives the registers
 *
 * Return: 0.
 */
int ringlet_vcpu_get_regs(struct ringlet_vcpu *vcpu, struct ringlet_regs *regs)
{
	struct ringlet_window_state *state = vcpu->window.state;
	int i;

	memset(regs, 0, sizeof(*regs));
	for (i = 0; i < 16; i++)
		regs->gpr[i] = *ringlet_gpr(vcpu, i);
	regs->rip = state->gprs.rip;
	regs->rflags = (state->gprs.rflags & ~X86_EFLAGS_IF) |
		       (READ_ONCE(ringlet_shared(vcpu)->flags) & X86_EFLAGS_IF);
	regs->cr2 = READ_ONCE(ringlet_shared(vcpu)->cr2);
	regs->cr3 = vcpu->shadow.current_tag->cr3 |
		    vcpu->shadow.current_tag->pcid;
	regs->fsbase = state->fsbase;
	regs->gsbase = state->gsbase;
	regs->user_mode = ringlet_user_mode(vcpu);
	return 0;
}

static bool regs_valid(struct ringlet_vcpu *vcpu,
		       const struct ringlet_regs *regs)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(regs->reserved); i++)
		if (regs->reserved[i])
			return false;
	return !ringlet_user_mode(vcpu) && !regs->user_mode &&
	       ringlet_canonical(regs->rip) &&
	       ringlet_canonical(regs->fsbase) &&
	       ringlet_canonical(regs->gsbase);
}

/**
 * ringlet_vcpu_set_regs() - the SET_REGS ioctl
 * @vcpu: with its mutex held, in guest kernel mode
 * @regs: the registers
 *
 * Return: 0; -EINVAL for values that cannot be loaded, or user mode; -ENOMEM.
 */
int ringlet_vcpu_set_regs(struct ringlet_vcpu *vcpu,
			  const struct ringlet_regs *regs)
{
	struct ringlet_window_state *state = vcpu->window.state;
	int i, ret;

	if (!regs_valid(vcpu, regs))
		return -EINVAL;
	ret = ringlet_tags_load_cr3(&vcpu->shadow, regs->cr3);
	if (ret)
		return ret;
	for (i = 0; i < 16; i++)
		*ringlet_gpr(vcpu, i) = regs->gpr[i];
	state->gprs.rip = regs->rip;
	/* The guest may have been in a segment of 32 bits. */
	state->gprs.cs = __USER_CS;
	state->gprs.ss = __USER_DS;
	state->gprs.rflags = ringlet_sane_rflags(regs->rflags);
	state->fsbase = regs->fsbase;
	state->gsbase = regs->gsbase;
	WRITE_ONCE(ringlet_shared(vcpu)->cr2, regs->cr2);
	WRITE_ONCE(ringlet_shared(vcpu)->flags, regs->rflags & X86_EFLAGS_IF);
	ringlet_smp_begin(vcpu, RINGLET_STARTED);
	return 0;
}

static void init_shared(struct ringlet_vcpu *vcpu)
{
	struct ringlet_shared *shared = ringlet_shared(vcpu);

	shared->abi = RINGLET_ABI_VERSION;
	shared->vcpu_id = vcpu->id;
	shared->tsc_khz = tsc_khz;
	if (!check_tsc_unstable() && tsc_khz)
		shared->features |= RINGLET_FEATURE_TSC_STABLE;
}

/**
 * ringlet_vcpu_reset() - registers that are not 0 after a reset
 * @vcpu: whose
 */
void ringlet_vcpu_reset(struct ringlet_vcpu *vcpu)
{
	struct ringlet_gprs *gprs = ringlet_gprs(vcpu);

	gprs->cs = __USER_CS;
	gprs->ss = __USER_DS;
	gprs->rflags = ringlet_sane_rflags(0);
	memset(vcpu->dr, 0, sizeof(vcpu->dr));
	vcpu->dr[4] = 0xffff0ff0; /* DR6 and DR7 after reset */
	vcpu->dr[5] = 0x400;
}

/**
 * ringlet_vcpu_create() - make a vCPU
 * @vm: its VM, with its lock held and its memory known
 * @id: its number
 *
 * Return: the vCPU, or an ERR_PTR.
 */
struct ringlet_vcpu *ringlet_vcpu_create(struct ringlet_vm *vm, u32 id)
{
	struct ringlet_vcpu *vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	int ret = -ENOMEM;

	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	vcpu->vm = vm;
	vcpu->id = id;
	mutex_init(&vcpu->mutex);
	init_waitqueue_head(&vcpu->wait);
	spin_lock_init(&vcpu->life_lock);
	spin_lock_init(&vcpu->flush_lock);
	ringlet_sched_create(vcpu);
	hrtimer_setup(&vcpu->timer, timer_expired, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL);
	if (!zalloc_cpumask_var(&vcpu->kick_mask, GFP_KERNEL_ACCOUNT))
		goto err_vcpu;
	vcpu->run = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vcpu->run)
		goto err_mask;
	ret = ringlet_window_create(vcpu);
	if (ret)
		goto err_run;
	ret = ringlet_shadow_init(vcpu);
	if (ret)
		goto err_window;
	ret = ringlet_fpu_create(vcpu);
	if (ret)
		goto err_shadow;
	init_shared(vcpu);
	ringlet_vcpu_reset(vcpu);
	/* The boot vCPU runs, the others wait for VCPU_START. */
	atomic_set(&vcpu->life, id ? RINGLET_STOPPED : RINGLET_STARTED);
	ringlet_sched_started(vcpu, !id);
	return vcpu;

err_shadow:
	ringlet_tags_exit(&vcpu->shadow);
err_window:
	ringlet_window_destroy(vcpu);
err_run:
	free_page((unsigned long)vcpu->run);
err_mask:
	free_cpumask_var(vcpu->kick_mask);
err_vcpu:
	kfree(vcpu);
	return ERR_PTR(ret);
}

/**
 * ringlet_vcpu_destroy() - undo ringlet_vcpu_create()
 * @vcpu: nobody runs it, and its VM's notifier is gone
 */
void ringlet_vcpu_destroy(struct ringlet_vcpu *vcpu)
{
	hrtimer_cancel(&vcpu->timer);
	ringlet_fpu_destroy(vcpu);
	ringlet_tags_exit(&vcpu->shadow);
	ringlet_window_destroy(vcpu);
	free_page((unsigned long)vcpu->run);
	free_cpumask_var(vcpu->kick_mask);
	mutex_destroy(&vcpu->mutex);
	kfree(vcpu);
}
