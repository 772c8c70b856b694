/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) */
/*
 * Ringlet's two interfaces, in the one file that module, launcher and guest
 * all include: the ioctl API between launcher and module (KVM's shape), and
 * the guest ABI between a guest kernel and whatever carries it.
 *
 * The file is plain C and plain assembler: it is compiled in the host kernel,
 * in user space, in the guest kernel's C and in its entry code. Nothing here
 * may depend on any of them. Layouts are asserted at the end of the file;
 * a number that the assembler needs is a #define, and the C structure is
 * checked against it, never the other way round.
 *
 * Documentation/abi.md explains the guest ABI, Documentation/ioctl.md the
 * API; `make check` compares their tables with the ones in this file.
 */
#ifndef _UAPI_RINGLET_H
#define _UAPI_RINGLET_H

/**
 * DOC: Versions
 *
 * RINGLET_API_VERSION counts incompatible changes of the ioctls,
 * RINGLET_ABI_VERSION those of the guest ABI. A kernel carries the ABI version
 * that it was built for in an ELF note; launcher and module compare it with
 * their own and say in one sentence who is too old.
 */
/* clang-format off */
#define RINGLET_API_VERSION	1
#define RINGLET_ABI_VERSION	1

/*
 * ELF notes of a guest kernel. The owner's name is "Ringlet"; each descriptor
 * is one little-endian 64-bit number.
 */
#define RINGLET_NOTE_NAME	"Ringlet"
#define RINGLET_NOTE_ABI	1	/* RINGLET_ABI_VERSION it was built for */
#define RINGLET_NOTE_ENTRY	2	/* virtual address of its first instruction */

/**
 * DOC: How a guest starts
 *
 * The launcher copies the kernel's PT_LOAD segments to their physical
 * addresses and builds page tables that map RINGLET_BOOT_MAP_BASE + x to
 * guest-physical x for the first RINGLET_BOOT_MAP_SIZE bytes. The boot vCPU
 * starts in guest kernel mode at the address of the entry note with RSI =
 * guest-physical address of Linux's struct boot_params ("zero page"), all
 * other general registers 0, virtual IF clear and FS/GS bases 0. There is no
 * stack yet. The hypervisor's hole [RINGLET_HOLE_START, RINGLET_HOLE_END) is
 * never the guest's: an access there is a page fault, whatever its tables say.
 */
#define RINGLET_BOOT_MAP_BASE	0xffffffff80000000
#define RINGLET_BOOT_MAP_SIZE	0x40000000
#define RINGLET_HOLE_START	0xffff800000000000
#define RINGLET_HOLE_END	0xffff880000000000

/**
 * DOC: The shared page
 *
 * One page per vCPU, owned by the module and lent to the guest. It appears at
 * the fixed address RINGLET_SHARED_VA in guest kernel mode only, and there
 * each vCPU sees its own: `cli` is one store to an absolute address and needs
 * no per-CPU pointer, and cannot be preempted half-way. The page lies in the
 * 2 MiB hole that Linux leaves at the top of the address space, two pages
 * below the end so that small negative error pointers still fault.
 */
#define RINGLET_SHARED_VA	0xffffffffffffd000

/**
 * DOC: The status page
 *
 * One page per VM, below the shared page: struct ringlet_status of each vCPU,
 * by number, a cache line each. Every vCPU sees all of it, in guest kernel mode
 * and read-only: what a lock's waiter wants to know of the vCPU that holds it
 * must not cost a hypercall. The module writes it and never reads it.
 */
#define RINGLET_STATUS_VA	0xffffffffffffc000

/*
 * Byte offsets in struct ringlet_shared, for assembler.
 *
 * FLAGS is a copy of RFLAGS in which only IF (bit 9) means anything: 1 if the
 * guest kernel takes interrupts. Reading the word gives what `pushf` gives
 * natively. IF lives in the byte FLAGS + 1 (value 2).
 */
#define RINGLET_SHARED_FLAGS		0x000
#define RINGLET_SHARED_PENDING		0x004
#define RINGLET_SHARED_BUSY		0x005
#define RINGLET_SHARED_NMI_BLOCKED	0x006
#define RINGLET_SHARED_CR2		0x008
#define RINGLET_SHARED_IRQ_PENDING	0x010
#define RINGLET_SHARED_USER_GSBASE	0x018
#define RINGLET_SHARED_ABI		0x020
#define RINGLET_SHARED_FEATURES		0x024
#define RINGLET_SHARED_TSC_KHZ		0x028
#define RINGLET_SHARED_VCPU_ID		0x02c
#define RINGLET_SHARED_NR_VCPUS		0x030
#define RINGLET_SHARED_EVENT		0x040
#define RINGLET_SHARED_RETURN		0x0a0

/* Byte offsets in struct ringlet_frame. */
#define RINGLET_FRAME_RIP	0x00
#define RINGLET_FRAME_CS	0x08
#define RINGLET_FRAME_RFLAGS	0x10
#define RINGLET_FRAME_RSP	0x18
#define RINGLET_FRAME_SS	0x20
#define RINGLET_FRAME_ERROR	0x28
#define RINGLET_FRAME_VECTOR	0x30
#define RINGLET_FRAME_RAX	0x38
#define RINGLET_FRAME_RCX	0x40
#define RINGLET_FRAME_R11	0x48

/* Bits of ringlet_shared.features. */
#define RINGLET_FEATURE_TSC_STABLE	0x1	/* RDTSC is a sound clock at tsc_khz */

/**
 * DOC: Selectors
 *
 * Linux's own. In a frame, guest kernel mode is CS 0x10 and SS 0x18, as it
 * would be natively, although the CPU runs both modes with the user's
 * selectors at CPL 3.
 */
#define RINGLET_KERNEL_CS	0x10
#define RINGLET_KERNEL_SS	0x18
#define RINGLET_USER32_CS	0x23
#define RINGLET_USER_SS		0x2b
#define RINGLET_USER_CS		0x33

/**
 * DOC: Gates
 *
 * Where the guest kernel wants to be entered. Gates 0 to 31 are the
 * exceptions by vector, 0x80 is `int $0x80`; the rest follow. On entry through
 * any gate the vCPU is in guest kernel mode with virtual IF clear, AC, TF, NT,
 * RF and DF clear; ringlet_shared.event holds the interrupted context; RCX and
 * R11 are undefined (their values are in the frame) and all other registers,
 * RSP among them, are the interrupted context's. If that was user mode, the GS
 * base is the one the guest kernel last had and ringlet_shared.user_gsbase the
 * user's. Event entry also sets ringlet_shared.busy; no further event is
 * delivered until the guest, having copied the frame, clears it. A fault of
 * the guest kernel's own while busy is set ends the guest.
 *
 * The SYSCALL gates' frames hold the user's RIP and RFLAGS as the SYSCALL
 * instruction would have left them in RCX and R11, and RSP; the rest of the
 * frame is undefined: the gate says what the selectors were.
 */
#define RINGLET_GATE_EXCEPTIONS	32
#define RINGLET_GATE_INT80	0x80
#define RINGLET_GATE_SYSCALL	0x100
#define RINGLET_GATE_SYSCALL32	0x101	/* AMD's compat-mode SYSCALL */
#define RINGLET_GATE_INTERRUPT	0x102	/* something in irq_pending */

/* Interrupt lines, bits of ringlet_shared.irq_pending. */
#define RINGLET_IRQ_LINES	64
#define RINGLET_IRQ_TIMER	0	/* the one-shot timer; then the launcher's, up to */
#define RINGLET_IRQ_IPI		48	/* from here on the guest's own, for SEND_IPI */

/**
 * DOC: More than one vCPU
 *
 * vCPUs have numbers from 0 without gaps; ringlet_shared.nr_vcpus says how many
 * there are. Number 0 is the boot vCPU. The others are stopped until
 * VCPU_START: that vCPU then starts in guest kernel mode at the given RIP with
 * the given RSP, GS base and CR3, all other general registers 0, virtual IF
 * clear, FS base 0, FPU and debug registers as after reset, an empty TLB and
 * the gates of the vCPU that started it. VCPU_STOP undoes it: interrupts that
 * were pending, the timer and a pending NMI are forgotten.
 *
 * An NMI (SEND_IPI of RINGLET_IPI_NMI) enters gate 2 whatever the virtual IF
 * says, but not while ringlet_shared.nmi_blocked is set: its delivery sets it,
 * IRET clears it, as the CPU's own blocking. The guest sets it, too, where an
 * NMI would find things half-done: before it fills ringlet_shared.ret.
 */
#define RINGLET_IPI_NMI		64	/* SEND_IPI's line that is none */

/* ringlet_status.state */
#define RINGLET_VCPU_STARTED	0x1	/* not stopped */
#define RINGLET_VCPU_PREEMPTED	0x2	/* would run, but the host does not let it */

/* FLUSH_VCPUS: a CR3 that stands for all of them, upper half and all. */
#define RINGLET_FLUSH_EVERYTHING	(~0ULL)

/**
 * DOC: Hypercalls
 *
 * SYSCALL in guest kernel mode: number in RAX; arguments in RDI, RSI, RDX,
 * R10, R8; result in RAX (0 or a value; a negative errno on failure, and
 * RINGLET_HC_IS_ERROR() tells). RCX and R11 are clobbered, everything else is
 * preserved except where the table says otherwise. An unknown number returns
 * -ENOSYS and changes nothing.
 *
 * RINGLET_HYPERCALLS() is the one table: the numbers, the module's dispatch
 * table, the tracepoint's names and the check of Documentation/abi.md are all
 * made from it. X(number, NAME, arguments used, meaning)
 */
#define RINGLET_HYPERCALLS(X)						\
	X(0,  IRET,        0, "return through ringlet_shared.ret")	\
	X(1,  SET_GATE,    2, "gate, address (0: none)")		\
	X(2,  LOAD_CR3,    1, "CR3 with PCID and NOFLUSH bits")	\
	X(3,  FLUSH_TLB,   2, "kind, address")				\
	X(4,  LOAD_TLS,    3, "three GDT descriptors")			\
	X(5,  LOAD_GS,     1, "selector for user mode's GS")		\
	X(6,  HALT,        0, "set IF, sleep until an interrupt")	\
	X(7,  DELIVER,     0, "deliver what is pending, if IF is set")	\
	X(8,  SET_TIMER,   1, "nanoseconds from now (~0: off)")	\
	X(9,  CLOCK,       1, "read a clock, nanoseconds")		\
	X(10, CPUID,       2, "leaf, subleaf; RDI RSI RDX R10 = result")	\
	X(11, CONSOLE,     2, "guest-physical address, length")	\
	X(12, SHUTDOWN,    3, "reason, address, length of a text")	\
	X(13, GET_DR,      1, "debug register 0-3, 6, 7; result in RDI")	\
	X(14, SET_DR,      2, "debug register, value")			\
	X(15, SET_CR4,     1, "CR4: TSD, for user mode; other bits are ignored") \
	X(16, VCPU_START,  5, "vCPU, RIP, RSP, GS base, CR3")		\
	X(17, VCPU_STOP,   0, "stop until VCPU_START")			\
	X(18, SEND_IPI,    2, "mask of vCPUs, line")			\
	X(19, FLUSH_VCPUS, 4, "mask of vCPUs, CR3, start, end (0: all)")	\
	X(20, WAIT,        1, "sleep until kicked; 1: set IF before")	\
	X(21, KICK,        1, "vCPU whose WAIT ends, this or the next")	\
	X(22, YIELD,       1, "vCPU that had better run than this one")

#define RINGLET_HC_IS_ERROR(x)	((unsigned long)(x) >= (unsigned long)-4095)

/* FLUSH_TLB kinds. */
#define RINGLET_FLUSH_USER	0	/* the current tag's user half (CR3 reload) */
#define RINGLET_FLUSH_ALL	1	/* every tag and the kernel half (PGE toggle) */
#define RINGLET_FLUSH_ADDR	2	/* INVLPG of the address */

/* CLOCK ids. */
#define RINGLET_CLOCK_MONOTONIC	0	/* the host's, never goes back */
#define RINGLET_CLOCK_REALTIME	1	/* since the epoch, UTC */

/* SHUTDOWN reasons; also ringlet_run.shutdown.reason. */
#define RINGLET_SHUTDOWN_POWEROFF	0
#define RINGLET_SHUTDOWN_REBOOT		1
#define RINGLET_SHUTDOWN_PANIC		2
#define RINGLET_SHUTDOWN_TEXT_MAX	512	/* bytes of a panic's text that travel */

#ifdef __ASSEMBLY__
/* Hypercall numbers that assembler knows; asserted below. */
#define RINGLET_HC_IRET		0
#define RINGLET_HC_LOAD_CR3	2
#define RINGLET_HC_FLUSH_TLB	3
#define RINGLET_HC_DELIVER	7
#else /* !__ASSEMBLY__ */

/* clang-format on */
#include <linux/types.h>

#define RINGLET_HC_ENUM(nr, name, ...) RINGLET_HC_##name = nr,
/** enum ringlet_hc - hypercall numbers, see RINGLET_HYPERCALLS() */
enum ringlet_hc { RINGLET_HYPERCALLS(RINGLET_HC_ENUM) RINGLET_HC_COUNT };

#undef RINGLET_HC_ENUM

/**
 * struct ringlet_frame - an interrupted or resumed context
 * @rip: instruction pointer
 * @cs: code selector; RINGLET_KERNEL_CS means guest kernel mode
 * @rflags: flags; IF is the virtual one
 * @rsp: stack pointer
 * @ss: stack selector
 * @error: exception's error code, else 0
 * @vector: exception vector, or RINGLET_GATE_*
 * @rax: used by IRET only
 * @rcx: see there
 * @r11: see there
 */
struct ringlet_frame {
	__u64 rip;
	__u64 cs;
	__u64 rflags;
	__u64 rsp;
	__u64 ss;
	__u64 error;
	__u64 vector;
	__u64 rax;
	__u64 rcx;
	__u64 r11;
	__u64 reserved[2];
};

/**
 * struct ringlet_shared - one vCPU's page between guest kernel and module
 * @flags: bit 9 is the guest kernel's virtual interrupt flag
 * @pending: 1 if irq_pending has, or may have, a bit that IF holds back;
 *	set by the module, cleared by the guest's interrupt handler before it
 *	takes the bits
 * @busy: 1 while @event holds a frame that the guest has not copied
 * @nmi_blocked: 1 while no NMI may be delivered
 * @reserved0: 0
 * @cr2: the guest's CR2; written by the module before a page fault's event
 * @irq_pending: interrupt lines that were raised; exchanged by the guest
 * @user_gsbase: user mode's GS base while in kernel mode (KERNEL_GS_BASE)
 * @abi: RINGLET_ABI_VERSION of the module
 * @features: RINGLET_FEATURE_*
 * @tsc_khz: TSC frequency
 * @vcpu_id: this vCPU's number
 * @nr_vcpus: how many the guest has, numbered from 0
 * @reserved1: 0
 * @event: context that the last event interrupted
 * @ret: context that the IRET hypercall resumes
 *
 * The guest may write anything here at any time. The module copies a field
 * once, checks the copy and uses only that.
 */
struct ringlet_shared {
	__u32 flags;
	__u8 pending;
	__u8 busy;
	__u8 nmi_blocked;
	__u8 reserved0;
	__u64 cr2;
	__u64 irq_pending;
	__u64 user_gsbase;
	__u32 abi;
	__u32 features;
	__u32 tsc_khz;
	__u32 vcpu_id;
	__u32 nr_vcpus;
	__u32 reserved1[3];
	struct ringlet_frame event;
	struct ringlet_frame ret;
};

/**
 * struct ringlet_status - what all vCPUs may know of one
 * @steal: nanoseconds for which it would have run and the host did not let it
 * @state: RINGLET_VCPU_*
 * @reserved: 0
 */
struct ringlet_status {
	__u64 steal;
	__u32 state;
	__u32 reserved[13];
};

/* ---- The ioctl API: launcher and module ---- */

/**
 * struct ringlet_memory - RINGLET_SET_MEMORY: lend memory to the guest
 * @gpa: guest-physical address, page-aligned
 * @size: bytes, a multiple of the page size, not 0
 * @hva: the caller's address of it, page-aligned
 * @flags: must be 0
 *
 * Slots may not overlap and cannot be taken back; all must be there before
 * the first vCPU is made. -EBUSY after that, -EINVAL for a bad range, -E2BIG
 * past RINGLET_MEMORY_SLOTS, -EEXIST for an overlap, -ENOMEM if all slots
 * together are larger than the machine's memory.
 */
struct ringlet_memory {
	__u64 gpa;
	__u64 size;
	__u64 hva;
	__u64 flags;
};

/* clang-format off */
#define RINGLET_MEMORY_SLOTS	8
#define RINGLET_MAX_GPA		(1ULL << 46)	/* exclusive; L1TF: well below MAXPHYADDR/2 */
#define RINGLET_MAX_VCPUS	64
/* clang-format on */

/**
 * struct ringlet_regs - RINGLET_GET_REGS, RINGLET_SET_REGS: a vCPU's registers
 * @gpr: RAX RCX RDX RBX RSP RBP RSI RDI R8..R15, in the SDM's encoding order
 * @rip: instruction pointer
 * @rflags: flags, IF is the virtual one
 * @cr2: guest CR2
 * @cr3: guest CR3
 * @fsbase: FS base
 * @gsbase: GS base of the current mode
 * @user_mode: 1 in guest user mode, 0 in guest kernel mode
 * @reserved: must be 0
 *
 * SET_REGS takes only contexts in guest kernel mode (it exists to start a
 * vCPU, and does: a stopped one is not stopped afterwards) and refuses others
 * with -EINVAL.
 */
struct ringlet_regs {
	__u64 gpr[16];
	__u64 rip;
	__u64 rflags;
	__u64 cr2;
	__u64 cr3;
	__u64 fsbase;
	__u64 gsbase;
	__u32 user_mode;
	__u32 reserved[3];
};

/* ringlet_run.exit_reason */
/* clang-format off */
#define RINGLET_EXIT_INTR	0	/* a signal, or immediate_exit; RUN returned -EINTR */
#define RINGLET_EXIT_MMIO	1	/* access outside memory: serve it, RUN again */
#define RINGLET_EXIT_CONSOLE	2	/* bytes for the console */
#define RINGLET_EXIT_SHUTDOWN	3	/* the guest ended itself */
#define RINGLET_EXIT_KILLED	4	/* the guest was ended; message says why */
/* clang-format on */

/**
 * struct ringlet_run - a vCPU's run page, mmap'ed from its fd at offset 0
 * @exit_reason: RINGLET_EXIT_*, written when RINGLET_RUN returns
 * @immediate_exit: set by the launcher (from a signal handler): the next
 *	RINGLET_RUN returns -EINTR at once
 * @reserved: 0
 * @mmio: @mmio.gpa is accessed with @mmio.len (1, 2, 4, 8) bytes at the start
 *	of @mmio.data; for a read the launcher fills in data before it runs
 *	the vCPU again
 * @console: bytes at guest-physical @console.gpa; all in one memory slot
 * @shutdown: RINGLET_SHUTDOWN_*, with the guest's text in message
 * @message: a NUL-terminated sentence: the panic's text, or why the guest was
 *	killed
 */
struct ringlet_run {
	__u32 exit_reason;
	__u32 immediate_exit;
	__u64 reserved[7];
	union {
		struct {
			__u64 gpa;
			__u8 data[8];
			__u32 len;
			__u32 is_write;
		} mmio;
		struct {
			__u64 gpa;
			__u64 len;
		} console;
		struct {
			__u32 reason;
			__u32 reserved;
		} shutdown;
		__u8 padding[192];
	};
	char message[1024];
};

/**
 * struct ringlet_info - RINGLET_GET_INFO: what this module offers
 * @api_version: RINGLET_API_VERSION
 * @abi_version: RINGLET_ABI_VERSION
 * @run_size: bytes to mmap for a vCPU's run page
 * @max_vcpus: per VM
 * @module_version: the module's version string
 * @reserved: 0
 */
struct ringlet_info {
	__u32 api_version;
	__u32 abi_version;
	__u32 run_size;
	__u32 max_vcpus;
	char module_version[32];
	__u64 reserved[8];
};

/*
 * On /dev/ringlet: GET_API_VERSION, GET_INFO, CREATE_VM. On a VM's fd:
 * SET_MEMORY, CREATE_VCPU (argument: its number), IRQ_RAISE (argument: a line
 * below RINGLET_IRQ_IPI; the guest takes it as an edge). On a vCPU's fd: RUN,
 * GET_REGS, SET_REGS. A vCPU that is stopped waits in RUN. When a guest is over
 * one RUN says why, and the others return -ESHUTDOWN. A VM and its vCPUs can be
 * used only by the process that made the VM: -EIO from another mm. Unknown
 * flags and arguments are -EINVAL.
 */
/* clang-format off */
#define RINGLET_IOC		0xb7
#define RINGLET_GET_API_VERSION	_IO(RINGLET_IOC, 0x00)
#define RINGLET_GET_INFO	_IOR(RINGLET_IOC, 0x01, struct ringlet_info)
#define RINGLET_CREATE_VM	_IO(RINGLET_IOC, 0x02)	/* argument: flags, 0 */
#define RINGLET_SET_MEMORY	_IOW(RINGLET_IOC, 0x10, struct ringlet_memory)
#define RINGLET_CREATE_VCPU	_IO(RINGLET_IOC, 0x11)
#define RINGLET_IRQ_RAISE	_IO(RINGLET_IOC, 0x12)
#define RINGLET_RUN		_IO(RINGLET_IOC, 0x20)
#define RINGLET_GET_REGS	_IOR(RINGLET_IOC, 0x21, struct ringlet_regs)
#define RINGLET_SET_REGS	_IOW(RINGLET_IOC, 0x22, struct ringlet_regs)
/* clang-format on */

/* ---- Layout: what the assembler and old binaries count on ---- */

#define RINGLET_ASSERT_OFFSET(type, member, offset)                  \
	_Static_assert(__builtin_offsetof(type, member) == (offset), \
		       #type "." #member)

#define RINGLET_ASSERT_SHARED(member, name)                  \
	RINGLET_ASSERT_OFFSET(struct ringlet_shared, member, \
			      RINGLET_SHARED_##name)
RINGLET_ASSERT_SHARED(flags, FLAGS);
RINGLET_ASSERT_SHARED(pending, PENDING);
RINGLET_ASSERT_SHARED(busy, BUSY);
RINGLET_ASSERT_SHARED(nmi_blocked, NMI_BLOCKED);
RINGLET_ASSERT_SHARED(cr2, CR2);
RINGLET_ASSERT_SHARED(irq_pending, IRQ_PENDING);
RINGLET_ASSERT_SHARED(user_gsbase, USER_GSBASE);
RINGLET_ASSERT_SHARED(abi, ABI);
RINGLET_ASSERT_SHARED(features, FEATURES);
RINGLET_ASSERT_SHARED(tsc_khz, TSC_KHZ);
RINGLET_ASSERT_SHARED(vcpu_id, VCPU_ID);
RINGLET_ASSERT_SHARED(nr_vcpus, NR_VCPUS);
RINGLET_ASSERT_SHARED(event, EVENT);
RINGLET_ASSERT_SHARED(ret, RETURN);

#define RINGLET_ASSERT_FRAME(member, name)                  \
	RINGLET_ASSERT_OFFSET(struct ringlet_frame, member, \
			      RINGLET_FRAME_##name)
RINGLET_ASSERT_FRAME(rip, RIP);
RINGLET_ASSERT_FRAME(cs, CS);
RINGLET_ASSERT_FRAME(rflags, RFLAGS);
RINGLET_ASSERT_FRAME(rsp, RSP);
RINGLET_ASSERT_FRAME(ss, SS);
RINGLET_ASSERT_FRAME(error, ERROR);
RINGLET_ASSERT_FRAME(vector, VECTOR);
RINGLET_ASSERT_FRAME(rax, RAX);
RINGLET_ASSERT_FRAME(rcx, RCX);
RINGLET_ASSERT_FRAME(r11, R11);

#undef RINGLET_ASSERT_FRAME
#undef RINGLET_ASSERT_SHARED

_Static_assert(sizeof(struct ringlet_status) * RINGLET_MAX_VCPUS == 4096,
	       "struct ringlet_status");
_Static_assert(sizeof(struct ringlet_memory) == 32, "struct ringlet_memory");
_Static_assert(sizeof(struct ringlet_regs) == 192, "struct ringlet_regs");
_Static_assert(sizeof(struct ringlet_run) == 1280, "struct ringlet_run");
_Static_assert(sizeof(struct ringlet_info) == 112, "struct ringlet_info");
_Static_assert(RINGLET_HC_IRET == 0, "known to assembler");
_Static_assert(RINGLET_HC_LOAD_CR3 == 2, "known to assembler");
_Static_assert(RINGLET_HC_FLUSH_TLB == 3, "known to assembler");
_Static_assert(RINGLET_HC_DELIVER == 7, "known to assembler");

#endif /* !__ASSEMBLY__ */
#endif /* _UAPI_RINGLET_H */
