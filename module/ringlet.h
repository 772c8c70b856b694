/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module's own structures and what its files offer one another, file by
 * file. Everything runs in the host kernel, on the host's tables; the only code
 * that does not is in switcher/.
 *
 * Who owns what. A vCPU's window, shadow tables and virtual registers belong
 * to the thread that runs it (vcpu->mutex), for a moment to a shrinker that
 * finds the mutex free; nobody else reads or writes them. Others reach a vCPU
 * through the fields that struct ringlet_vcpu calls atomic or gives a lock to.
 * What the vCPUs of a VM share is the memory slots (fixed once a vCPU exists)
 * and, for the mmu_notifier, the frame table and its lock.
 */
#ifndef RINGLET_H
#define RINGLET_H

#include "compat/compat.h"

#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "../include/uapi/ringlet.h"
#include "../switcher/window.h"
#include "exits.h"
#include "flush.h"
#include "frame.h"
#include "linear.h"
#include "paging.h"
#include "tags.h"

#define RINGLET_MODULE_VERSION "0.1"

struct ringlet_slot;
struct ringlet_vcpu;

/**
 * struct ringlet_window - one vCPU's window, see switcher/window.h
 * @base: its address in the slot, the same in both worlds
 * @index: its place among the mm's windows
 * @slot: the mm's slot that it is in
 * @state: kernel's address of the state page
 * @desc: of the descriptor page: GDT, TSS, IST stacks
 * @idt: of the IDT page
 * @shared: of the page shared with the guest
 * @table: page table of the window; in the launcher's tree and the vCPU's own
 * @root_entry: top-level entry of the vCPU's own tree, for its user roots
 * @kernel_entry: for its kernel roots: the same, and the linear map
 * @own: the vCPU's own upper tables, [0] next to the top
 * @kernel: those of the kernel roots, down to level 3; the rest is in @own
 * @pcid: first of the hardware PCIDs of its roots, 0 if there are none
 */
struct ringlet_window {
	unsigned long base;
	unsigned int index;
	struct ringlet_slot *slot;
	struct ringlet_window_state *state;
	u8 *desc;
	gate_desc *idt;
	struct ringlet_shared *shared;
	u64 *table;
	u64 root_entry;
	u64 kernel_entry;
	u64 *own[3];
	u64 *kernel[2];
	unsigned int pcid;
};

/**
 * struct ringlet_memslot - guest memory
 * @gfn: first guest frame
 * @npages: frames
 * @hva: launcher's address
 * @shadowed: a bit for each frame that a shadow leaf may point to or that the
 *	frame table has; both are written under mn_lock
 */
struct ringlet_memslot {
	u64 gfn;
	unsigned long npages;
	unsigned long hva;
	unsigned long *shadowed;
};

/**
 * struct ringlet_vm - a guest
 * @kref: the VM's fd and each vCPU's hold one
 * @mm: the launcher's; mmgrab'ed: its page tables outlive its users
 * @mn: follows changes of @mm
 * @mn_lock: protects @mn_active, @mn_seq and setting leaves against them
 * @mn_active: invalidations under way
 * @mn_seq: counts those that ended
 * @mn_throwing: flushes requested whose vCPUs may still be in the guest
 * @lock: memory slots and the making of vCPUs
 * @slots: memory; immutable once nr_vcpus is not 0
 * @nr_slots: of them
 * @linear: frame table; its tables are fixed once a vCPU exists, its entries are
 *	written under @mn_lock
 * @vcpus: by number; set once, under @lock, then read without
 * @nr_vcpus: made so far
 * @nr_guest_vcpus: of these, numbered from 0 without a gap
 * @status: the status page, see the uapi header
 * @number: of all VMs since the module was loaded, from 1
 * @dead: the guest ended; RUN is refused
 * @debugfs: directory with the counters
 * @all: among all VMs, for the shrinker
 */
struct ringlet_vm {
	struct kref kref;
	struct mm_struct *mm;
	struct mmu_notifier mn;
	spinlock_t mn_lock; /* mn_active, mn_seq, leaves against them */
	unsigned int mn_active;
	unsigned long mn_seq;
	unsigned int mn_throwing;
	struct mutex lock; /* slots, making of vCPUs */
	struct ringlet_memslot slots[RINGLET_MEMORY_SLOTS];
	int nr_slots;
	struct ringlet_linear linear;
	struct ringlet_vcpu *vcpus[RINGLET_MAX_VCPUS];
	int nr_vcpus;
	u32 nr_guest_vcpus;
	struct ringlet_status *status;
	u64 number;
	bool dead;
	struct dentry *debugfs;
	struct list_head all;
};

/* ringlet_vcpu.requests, handled by the owner before it enters the guest. */
enum ringlet_request {
	RINGLET_REQ_FLUSH, /* drop all shadow tables */
	RINGLET_REQ_FLUSH_SOME, /* what ringlet_vcpu.flushes says */
	RINGLET_REQ_NMI, /* an NMI has come */
	RINGLET_REQ_RECLAIM, /* free as many tables as ringlet_vcpu.reclaim says */
	RINGLET_REQ_START, /* begin as ringlet_vcpu.start says */
};

/* ringlet_vcpu.life */
enum ringlet_life {
	RINGLET_STOPPED,
	RINGLET_STARTING, /* another vCPU is about to start it */
	RINGLET_STARTED,
};

/**
 * struct ringlet_start - how a vCPU is to begin
 * @rip: there
 * @rsp: on this stack
 * @gsbase: with this GS base
 * @cr3: and these tables
 * @gates: and these gates
 */
struct ringlet_start {
	u64 rip;
	u64 rsp;
	u64 gsbase;
	u64 cr3;
	u64 gates[RINGLET_GATES];
};

/* ringlet_vcpu.mode: whether an IPI is needed to reach it. */
enum ringlet_mode {
	RINGLET_OUTSIDE,
	RINGLET_IN_GUEST,
};

/* What a handler wants of the run loop. Negative: an errno for the launcher. */
enum ringlet_next {
	RINGLET_FIRST_ERRNO = -4095, /* makes the type a signed one */
	RINGLET_RESUME = 0, /* enter the guest again */
	RINGLET_TO_LAUNCHER, /* run->exit_reason is set: RUN returns 0 */
};

/**
 * struct ringlet_vcpu - a virtual CPU
 * @vm: its VM
 * @id: its number
 * @mutex: held while it runs; protects all that is not said to be atomic
 * @window: its window
 * @shadow: its shadow tables
 * @run: page shared with the launcher
 * @dr: guest debug registers 0-3, [4] = DR6, [5] = DR7
 * @forbid_tsc: guest CR4.TSD: RDTSC faults in guest user mode
 * @mmio: an access that the launcher is serving
 * @mmio.pending: there is one
 * @mmio.is_write: of this kind
 * @mmio.len: bytes
 * @mmio.reg: register that a read goes to (SDM encoding order)
 * @mmio.zero_extend: clear the rest of it (MOVZX and 32-bit loads)
 * @xcr0: guest XCR0
 * @fpu: guest's FPU image; size and layout as the CPU says
 * @life: enum ringlet_life; from STOPPED to STARTING by whoever starts it,
 *	the rest by its own thread
 * @start: how it is to begin; the starter's while @life is STARTING
 * @life_lock: held while @life and the status page change from or to STOPPED
 * @flush_lock: protects @flushes
 * @flushes: what other vCPUs want flushed
 * @reclaim: tables that the host wants back; atomic
 * @nmi_pending: an NMI waits to be delivered
 * @kicked: its WAIT is over, or the next one is; atomic
 * @asleep: it sleeps because the guest wants it to
 * @poll_ns: how long the next HALT polls
 * @notifier: tells when its thread is scheduled in and out
 * @runner_lock: protects @runner
 * @runner: the thread that is in RUN, or NULL
 * @last_runner: pid of the thread that @run_delay belongs to
 * @run_delay: that thread's time on run queues when it was last looked at
 * @kick_mask: scratch, of the CPUs that it throws others out on
 * @irq_pending: raised lines; atomic, from any context
 * @timer: the one-shot timer
 * @requests: atomic bits, enum ringlet_request
 * @mode: enum ringlet_mode, atomic
 * @cpu: where it runs while in the guest
 * @last_cpu: where it last ran; -1 at first
 * @wait: where HALT sleeps
 * @left: reason of the exit being handled
 * @handled: the last exit was handled within the visit
 * @next: and this came of it
 * @bus_lock: the last #DB was the host's, after a bus lock
 * @spurious: exits in a row that were faults for which nothing was missing
 * @trained: the guest ran since RUN last returned
 * @exits: by reason
 * @total_exits: returns of the switcher
 * @halts: sleeps in HALT
 * @halts_polled: of these, ended while polling
 * @waits: sleeps in WAIT
 * @ipis: interrupts and NMIs sent to vCPUs
 * @remote_flushes: flushes asked of vCPUs
 * @flush_waits: of these, for how many it had to wait
 * @vm_barriers: IBPBs after another VM
 * @launcher_barriers: IBPBs before RUN returned
 */
struct ringlet_vcpu {
	struct ringlet_vm *vm;
	u32 id;
	struct mutex mutex; /* all but the atomic fields */
	struct ringlet_window window;
	struct ringlet_shadow shadow;
	struct ringlet_run *run;
	u64 dr[6];
	bool forbid_tsc;
	struct {
		bool pending;
		bool is_write;
		u8 len;
		u8 reg;
		bool zero_extend;
	} mmio;
	u64 xcr0;
	void *fpu;
	atomic_t life;
	spinlock_t life_lock; /* life and the status page, from and to STOPPED */
	struct ringlet_start start;
	spinlock_t flush_lock; /* flushes */
	struct ringlet_flush_queue flushes;
	atomic_long_t reclaim;
	bool nmi_pending;
	bool kicked;
	bool asleep;
	unsigned int poll_ns;
	struct preempt_notifier notifier;
	spinlock_t runner_lock; /* runner */
	struct task_struct *runner;
	pid_t last_runner;
	u64 run_delay;
	cpumask_var_t kick_mask;
	atomic64_t irq_pending;
	struct hrtimer timer;
	unsigned long requests;
	int mode;
	int cpu;
	int last_cpu;
	wait_queue_head_t wait;
	enum ringlet_exit left;
	bool handled;
	enum ringlet_next next;
	bool bus_lock;
	unsigned int spurious;
	bool trained;

	__data_racy u64 exits[RINGLET_LEFT_COUNT];
	__data_racy u64 total_exits;
	__data_racy u64 halts;
	__data_racy u64 halts_polled;
	__data_racy u64 waits;
	__data_racy u64 ipis;
	__data_racy u64 remote_flushes;
	__data_racy u64 flush_waits;
	__data_racy u64 vm_barriers;
	__data_racy u64 launcher_barriers;
};

/* vcpu.c: the run loop */
struct ringlet_vcpu *ringlet_vcpu_create(struct ringlet_vm *vm, u32 id);
void ringlet_vcpu_destroy(struct ringlet_vcpu *vcpu);
int ringlet_vcpu_run(struct ringlet_vcpu *vcpu);
bool ringlet_vcpu_again(struct ringlet_vcpu *vcpu);
int ringlet_vcpu_get_regs(struct ringlet_vcpu *vcpu, struct ringlet_regs *regs);
int ringlet_vcpu_set_regs(struct ringlet_vcpu *vcpu,
			  const struct ringlet_regs *regs);
void ringlet_vcpu_raise(struct ringlet_vcpu *vcpu, unsigned int line);
void ringlet_vcpu_kick(struct ringlet_vcpu *vcpu, bool wait);
void ringlet_vcpu_reset(struct ringlet_vcpu *vcpu);
void ringlet_vcpu_set_timer(struct ringlet_vcpu *vcpu, u64 ns);
__printf(2, 3) enum ringlet_next
	ringlet_kill(struct ringlet_vcpu *vcpu, const char *why, ...);

/* smp.c: what vCPUs do to one another */
struct ringlet_vcpu *ringlet_vm_vcpu(struct ringlet_vm *vm, u64 id);
struct ringlet_vcpu *ringlet_vm_next_vcpu(struct ringlet_vm *vm, u32 *id);
int ringlet_smp_start(struct ringlet_vcpu *vcpu, const u64 args[5]);
void ringlet_smp_stop(struct ringlet_vcpu *vcpu);
bool ringlet_smp_begin(struct ringlet_vcpu *vcpu, enum ringlet_life life);
bool ringlet_smp_stopped(struct ringlet_vcpu *vcpu);
int ringlet_smp_send_ipi(struct ringlet_vcpu *vcpu, u64 mask, u64 line);
enum ringlet_next ringlet_smp_nmi(struct ringlet_vcpu *vcpu);
int ringlet_smp_flush(struct ringlet_vcpu *vcpu, const u64 args[4]);
enum ringlet_next ringlet_smp_requests(struct ringlet_vcpu *vcpu);

/* asyncpf.c: page faults of the host's own hypervisor */
bool ringlet_asyncpf_init(void);
u64 ringlet_asyncpf_end(void);
void ringlet_asyncpf_note(struct ringlet_vcpu *vcpu);
void ringlet_asyncpf_wait(struct ringlet_vcpu *vcpu);

/* sched.c: sleeping, and what the guest knows of the host's scheduler */
void ringlet_sched_init(void);
void ringlet_sched_exit(void);
void ringlet_sched_create(struct ringlet_vcpu *vcpu);
void ringlet_sched_started(struct ringlet_vcpu *vcpu, bool started);
void ringlet_sched_begin(struct ringlet_vcpu *vcpu);
void ringlet_sched_end(struct ringlet_vcpu *vcpu);
bool ringlet_sched_never(struct ringlet_vcpu *vcpu);
void ringlet_sched_sleep(struct ringlet_vcpu *vcpu,
			 bool (*over)(struct ringlet_vcpu *vcpu));
enum ringlet_next ringlet_sched_halt(struct ringlet_vcpu *vcpu);
int ringlet_sched_wait(struct ringlet_vcpu *vcpu, u64 interruptible);
int ringlet_sched_kick(struct ringlet_vcpu *vcpu, u64 id);
int ringlet_sched_yield(struct ringlet_vcpu *vcpu, u64 id);

/* vm.c: VMs and memory slots */
struct ringlet_vm *ringlet_vm_create(void);
void ringlet_vm_get(struct ringlet_vm *vm);
void ringlet_vm_put(struct ringlet_vm *vm);
void ringlet_vm_end(struct ringlet_vm *vm);
unsigned long ringlet_vm_pages(struct ringlet_vm *vm);
int ringlet_vm_set_memory(struct ringlet_vm *vm,
			  const struct ringlet_memory *memory);
int ringlet_vm_create_vcpu(struct ringlet_vm *vm, u32 id,
			   struct ringlet_vcpu **vcpup);

/* memory.c: guest memory through the launcher's mm */
void __user *ringlet_gpa_to_user(struct ringlet_vm *vm, u64 gpa,
				 unsigned long len);
int ringlet_read_guest(struct ringlet_vcpu *vcpu, u64 gva, void *data,
		       unsigned int len);
int ringlet_know_frame(struct ringlet_vm *vm, u64 gpa, bool write);
bool ringlet_frames_large(struct ringlet_vm *vm, u64 gpa);
int ringlet_map_frame(struct ringlet_vm *vm,
		      const struct ringlet_translation *t, bool write,
		      bool private_nx, bool large, u64 *leaf);
int ringlet_read_gptes(struct ringlet_vm *vm, u64 gpa, u64 *entries, int n);
int ringlet_walk_guest(struct ringlet_vcpu *vcpu, u64 gva, u32 access,
		       struct ringlet_translation *t);
int ringlet_mark_accessed(struct ringlet_vm *vm, struct ringlet_translation *t,
			  u32 access);
int ringlet_memory_map(struct ringlet_vm *vm);
int ringlet_memory_register(struct ringlet_vm *vm);
void ringlet_memory_unregister(struct ringlet_vm *vm);

/* shadow.c: shadow page tables */
int ringlet_shadow_init(struct ringlet_vcpu *vcpu);
void ringlet_shadow_divide(struct ringlet_vm *vm);
unsigned long ringlet_shadow_reclaim(struct ringlet_vcpu *vcpu);
enum ringlet_next ringlet_shadow_fault(struct ringlet_vcpu *vcpu, u64 gva,
				       u32 error);
void ringlet_shadow_enter(struct ringlet_vcpu *vcpu);
void ringlet_shadow_leave(struct ringlet_vcpu *vcpu);

/* shrinker.c: what the host wants back */
int ringlet_shrinker_init(void);
void ringlet_shrinker_ask_others(struct ringlet_vcpu *vcpu);
void ringlet_shrinker_exit(void);
void ringlet_shrinker_add_vm(struct ringlet_vm *vm);
void ringlet_shrinker_remove_vm(struct ringlet_vm *vm);

/* window.c: the slot, windows and their tables */
int ringlet_window_create(struct ringlet_vcpu *vcpu);
void ringlet_window_destroy(struct ringlet_vcpu *vcpu);
unsigned long ringlet_window_slot_base(void);
bool ringlet_window_reaches_memory(void);

/* switch.c: around the switcher */
void ringlet_switch_init(void);
void ringlet_switch_to_guest(struct ringlet_vcpu *vcpu);
void ringlet_switch_finish(struct ringlet_vcpu *vcpu);
bool ringlet_is_interrupt(struct ringlet_vcpu *vcpu, u64 vector);

/* fpu.c */
int ringlet_fpu_init(void);
int ringlet_fpu_create(struct ringlet_vcpu *vcpu);
void ringlet_fpu_reset(struct ringlet_vcpu *vcpu);
void ringlet_fpu_destroy(struct ringlet_vcpu *vcpu);
void ringlet_fpu_load(struct ringlet_vcpu *vcpu);
void ringlet_fpu_save(struct ringlet_vcpu *vcpu);
u64 ringlet_fpu_xcr0_mask(void);

/* event.c: entering the guest kernel, returning from it */
enum ringlet_next ringlet_event_deliver(struct ringlet_vcpu *vcpu,
					unsigned int gate, u64 error);
enum ringlet_next ringlet_event_page_fault(struct ringlet_vcpu *vcpu, u64 gva,
					   u32 error);
enum ringlet_next ringlet_event_return(struct ringlet_vcpu *vcpu);
enum ringlet_next ringlet_event_interrupt(struct ringlet_vcpu *vcpu);
int ringlet_event_set_gate(struct ringlet_vcpu *vcpu, u64 gate, u64 address);

/* hypercall.c */
enum ringlet_next ringlet_hypercall(struct ringlet_vcpu *vcpu);
extern const u64 ringlet_hypercalls_at_once;

/* cpuid.c: what the guest is told about its CPU */
void ringlet_cpuid(struct ringlet_vcpu *vcpu, u32 leaf, u32 subleaf,
		   u32 out[4]);

/* emulate.c: instructions that ring 3 may not execute, and MMIO */
bool ringlet_emulate(struct ringlet_vcpu *vcpu, enum ringlet_next *next);
enum ringlet_next ringlet_emulate_mmio(struct ringlet_vcpu *vcpu, u64 gpa);
void ringlet_emulate_mmio_done(struct ringlet_vcpu *vcpu);
u64 *ringlet_gpr(struct ringlet_vcpu *vcpu, unsigned int reg);

/* speculation.c: barriers between guests, and between guest and launcher */
void ringlet_speculation_init(struct dentry *debugfs);
void ringlet_speculation_enter(struct ringlet_vcpu *vcpu);
void ringlet_speculation_launcher(struct ringlet_vcpu *vcpu);

/* debug.c: counters */
void ringlet_debug_init(void);
void ringlet_debug_exit(void);
void ringlet_debug_add_vm(struct ringlet_vm *vm);
void ringlet_debug_remove_vm(struct ringlet_vm *vm);

/* device.c: /dev/ringlet */
int ringlet_device_init(void);
void ringlet_device_exit(void);

static inline struct ringlet_gprs *ringlet_gprs(struct ringlet_vcpu *vcpu)
{
	return &vcpu->window.state->gprs;
}

static inline struct ringlet_shared *ringlet_shared(struct ringlet_vcpu *vcpu)
{
	return vcpu->window.shared;
}

/* Guest user mode; else guest kernel mode. The switcher changes it, too. */
static inline bool ringlet_user_mode(struct ringlet_vcpu *vcpu)
{
	return vcpu->window.state->ds_flags & RINGLET_DS_USER;
}

/* Was a line raised that the guest has not seen, masked or not? */
static inline bool ringlet_event_pending(struct ringlet_vcpu *vcpu)
{
	return atomic64_read(&vcpu->irq_pending) ||
	       READ_ONCE(ringlet_shared(vcpu)->pending);
}

static inline void ringlet_request(struct ringlet_vcpu *vcpu,
				   enum ringlet_request request)
{
	set_bit(request, &vcpu->requests);
}

/* Say what the exit being handled was; the run loop counts the last word. */
static inline void ringlet_left(struct ringlet_vcpu *vcpu,
				enum ringlet_exit why)
{
	vcpu->left = why;
}

#endif
