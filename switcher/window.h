/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A vCPU's window: the run of pages that is mapped at the same address in the
 * launcher's page tables and in the vCPU's shadow roots, and the only memory
 * that the switcher may touch while a shadow root is loaded.
 *
 * Included by switch.S (through the numbers that offsets.c makes of it) and by
 * the module's C, which fills the window in and reads it after an exit. Module
 * code uses the kernel's own addresses of these pages, never the window's.
 *
 *	page 0 to 2	text, shared by all windows, read-only, executable
 *	page 3		struct ringlet_window_state: what this file is about
 *	page 4		GDT, TSS, the IST stacks and fast.c's stack
 *	page 5		IDT, read-only here
 *	page 6		the vCPU's shared page (struct ringlet_shared), aliased so
 *			that the switcher need not use the guest's address for it
 */
#ifndef RINGLET_SWITCHER_WINDOW_H
#define RINGLET_SWITCHER_WINDOW_H

/* clang-format off */
#define RINGLET_TEXT_PAGES	3
#define RINGLET_WINDOW_STATE	0x3000
#define RINGLET_WINDOW_DESC	0x4000
#define RINGLET_WINDOW_IDT	0x5000
#define RINGLET_WINDOW_SHARED	0x6000
#define RINGLET_WINDOW_PAGES	7

/*
 * One window every 2 MiB: its page table then hangs, unchanged, in both the
 * launcher's tree and the vCPU's own, and no two vCPUs share a table.
 */
#define RINGLET_WINDOW_STRIDE	0x200000

/* Inside the descriptor page. Linux's own GDT layout, so selectors agree. */
#define RINGLET_DESC_GDT	0x000
#define RINGLET_DESC_TSS	0x100
#define RINGLET_DESC_STACK	0x800	/* fast.c's grows down from here */
#define RINGLET_DESC_IST	0x800	/* four stacks up to the end of the page */
#define RINGLET_IST_SIZE	0x200

/*
 * Linux's IST numbers. Between `lidt` and `ltr` our IDT is live with the
 * host's TSS: an NMI in that moment must find a stack that is meant for NMIs,
 * so both TSSs number them alike.
 */
#define RINGLET_IST_DF		1
#define RINGLET_IST_NMI		2
#define RINGLET_IST_DB		3
#define RINGLET_IST_MCE		4

#define RINGLET_TSS_SELECTOR	0x40

/*
 * What ended a stay in the guest: a vector that the CPU delivered, or one of
 * these. They share numbers with the guest ABI's gates where both name the
 * same thing, and are asserted equal in switch.c.
 */
#define RINGLET_VECTOR_SYSCALL	0x100
#define RINGLET_VECTOR_SYSCALL32 0x101
#define RINGLET_VECTOR_ASYNC_PF	0x1fd	/* #PF, but from the host's hypervisor */
#define RINGLET_VECTOR_ABORTED	0x1fe	/* an NMI or #MC hit the switcher itself */
#define RINGLET_VECTOR_FAULTED	0x1ff	/* the switcher itself faulted */

/* ringlet_window_state.pending: what arrived while the switcher itself ran. */
#define RINGLET_PENDING_NMI	0x1
#define RINGLET_PENDING_MCE	0x2
#define RINGLET_PENDING_DB	0x4	/* the guest's; DR6 holds traces of it */

/*
 * ringlet_window_state.ds_flags: may the switcher serve the guest's system
 * calls, returns, faults and the rest by itself? Only if the word is 0 (guest
 * kernel mode) or RINGLET_DS_USER: one comparison tells the mode and whether
 * anything is in the way. Each inhibitor is one reason.
 */
#define RINGLET_DS_USER		0x1	/* mode, not an inhibitor: guest user runs */
#define RINGLET_DS_OFF		0x2	/* module parameter direct=0 */
#define RINGLET_DS_TRACE	0x4	/* a tracepoint wants to see everything */
#define RINGLET_DS_GATE		0x8	/* the guest has no SYSCALL gate */
#define RINGLET_DS_TSD		0x10	/* CR4 differs between the guest's modes */
#define RINGLET_DS_NMI		0x20	/* an NMI waits for the guest's IRET */

/*
 * RFLAGS that a guest may choose: CF PF AF ZF SF TF DF OF NT RF AC ID. NT, too:
 * IRETQ minds only the one in force when it executes, and every way in clears
 * that.
 */
#define RINGLET_RFLAGS_GUEST	0x254dd5

/* Gates: the exceptions by vector, then the others; see ringlet_gate_index(). */
#define RINGLET_GATES		36
#define RINGLET_GATE_PLACE_SYSCALL 33

/* Guest address spaces whose shadows are kept at once; Linux uses six PCIDs. */
#define RINGLET_ROOTS		8

/*
 * Beside its window a kernel root has, for the switcher's own use (a user root
 * has neither):
 *
 * - the VM's linear map, in the slot, LINEAR bytes from its start: guest-
 *   physical addresses up to RINGLET_LINEAR_MAX, writable where the host lets
 *   us write. The leaves of that map are the VM's frame table: a frame that the
 *   module does not vouch for at this moment has a zero there.
 * - its own tables: top-level entry RECURSIVE points to the root itself, so
 *   that the entry for an address, of each level, has an address of its own.
 */
#define RINGLET_LINEAR		0x4000000000	/* 256 GiB */
#define RINGLET_LINEAR_MAX	0x4000000000
#define RINGLET_RECURSIVE	270		/* in the guard hole, next to the slot */
/* clang-format on */

#ifndef __ASSEMBLY__

#include <linux/compiler.h>
#include <linux/types.h>
#include <asm/desc_defs.h>

/**
 * struct ringlet_gprs - the guest's registers, in the order they are pushed
 *
 * The end of the structure is the window TSS's RSP0: the CPU itself pushes
 * SS to RIP (and the error code) into place. The five that hold a hypercall's
 * arguments are next to one another, so that they are an array as they are.
 */
struct ringlet_gprs {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r9, rcx, rax;
	u64 rdi, rsi, rdx, r10, r8;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

/**
 * struct ringlet_root - a guest address space that has shadow roots
 * @cr3: guest CR3 with its PCID, NOFLUSH apart; ~0 if there is none
 * @kroot: hardware CR3 for guest kernel mode
 * @uroot: hardware CR3 for guest user mode
 * @split: supervisor pages below the split, so @kroot has a lower half of its
 *	own: user pages are for the module to map
 *
 * Bit 63 of @kroot and @uroot is what a load of it puts into the CPU's CR3: not
 * to flush the PCID. The module clears it when it has taken something away;
 * whoever loads such a root sets it, if the host uses PCIDs at all (@noflush).
 */
struct ringlet_root {
	u64 cr3;
	u64 kroot;
	u64 uroot;
	u64 split;
};

/**
 * struct ringlet_window_state - what the switcher reads and writes
 * @gprs: guest registers
 * @cr2: CR2 at the last exit
 * @fsbase: guest FS base
 * @gsbase: guest GS base
 * @ds: guest selector, checked by the module before entry
 * @es: same
 * @fs: same
 * @gs: same
 * @pending: RINGLET_PENDING_*
 * @ds_flags: RINGLET_DS_*
 * @kernel_gsbase: kernel mode's GS base while the guest is in user mode
 * @kroot: hardware CR3 for guest kernel mode during this stay
 * @uroot: same, for user mode; neither load flushes anything
 * @spill: a register of the CR3 switch
 * @gates: guest kernel's entry points, by ringlet_gate_index()
 * @verw_selector: a writable data selector, for VERW
 * @untrain: address of ringlet_untrain in the module
 * @guest_cr3: shadow root to load, with PCID
 * @first_cr3: loaded before that, only to flush its PCID; 0 if that is not
 *	needed
 * @noflush: bit 63 if roots may be loaded without a flush, else 0
 * @current_root: index of the guest's address space in @roots
 * @roots: by guest PCID modulo RINGLET_ROOTS
 * @leaves: address where the current kernel root's level-1 entries appear: the
 *	one for address x is at @leaves + (x >> 12 << 3), x cut to what the
 *	levels translate
 * @va_mask: bits of an address that the roots' levels translate
 * @frames: address of the frame table: the entry for gfn is @frames[gfn]
 * @nr_frames: frames that the table has; 0 if the switcher may not use it
 * @linear: address of guest-physical 0
 * @async_pf_end: a page fault below may be the host's own (module/asyncpf.c)
 * @guest_cr4: CR4 while the guest runs
 * @guest_dr7: DR7 while the guest runs, 0 if it has no breakpoints
 * @guest_gdtr: descriptor of the window's GDT
 * @guest_idtr: descriptor of the window's IDT
 * @host_rsp: host stack at entry
 * @host_cr3: host CR3 at entry, as it was
 * @host_cr3_noflush: bit 63 if the host runs with CR4.PCIDE, else 0
 * @host_cr4: host CR4 at entry
 * @host_fsbase: host bases at entry
 * @host_gsbase: same
 * @host_tss: address of the TSS descriptor in the CPU's writable GDT
 * @host_gdtr_rw: the CPU's writable GDT: LTR sets the busy bit there
 * @host_gdtr: the CPU's GDT as it was (its read-only alias)
 * @host_idtr: host IDT
 * @host_ds: host selectors at entry; the four are also looked at as one
 * @host_es: same
 * @host_fs: same
 * @host_gs: same
 * @host_ldt: host LDT selector, usually null
 * @fault_rip: where the switcher itself faulted, for the report
 * @fault_vector: with what
 * @lost_vector: which exit was about to be reported then; 0 is none
 * @fast_filled: shadow leaves made by fast.c
 * @fast_delivered: exceptions and faults delivered by it
 * @fast_flushed: addresses flushed by it
 * @fast_faults: page faults and memory errors that it had itself
 * @scratch: two words for the NMI stub, three for the #MC stub: neither can
 *	use the stack that it is on
 */
struct ringlet_window_state {
	struct ringlet_gprs gprs;
	u64 cr2;
	u64 fsbase;
	u64 gsbase;
	u16 ds, es, fs, gs;
	u32 pending;
	u32 ds_flags;
	u64 kernel_gsbase;
	u64 kroot;
	u64 uroot;
	u64 spill;
	u64 gates[RINGLET_GATES];
	u16 verw_selector;
	u64 untrain;
	u64 guest_cr3;
	u64 first_cr3;
	u64 noflush;
	u64 current_root;
	struct ringlet_root roots[RINGLET_ROOTS];
	u64 leaves;
	u64 va_mask;
	u64 frames;
	u64 nr_frames;
	u64 linear;
	u64 async_pf_end;
	u64 guest_cr4;
	u64 guest_dr7;
	struct desc_ptr guest_gdtr __aligned(16);
	struct desc_ptr guest_idtr __aligned(16);
	u64 host_rsp;
	u64 host_cr3;
	u64 host_cr3_noflush;
	u64 host_cr4;
	u64 host_fsbase;
	u64 host_gsbase;
	u64 host_tss;
	struct desc_ptr host_gdtr_rw __aligned(16);
	struct desc_ptr host_gdtr __aligned(16);
	struct desc_ptr host_idtr __aligned(16);
	u16 host_ds, host_es, host_fs, host_gs;
	u16 host_ldt;
	u64 fault_rip;
	u64 fault_vector;
	u64 lost_vector;
	u64 fast_filled;
	u64 fast_delivered;
	u64 fast_flushed;
	u64 fast_faults;
	u64 scratch[5];
};

/* The switcher's text, page-aligned in the module, and places in it. */
extern char ringlet_text_start[], ringlet_text_end[];
extern char ringlet_enter[], ringlet_stubs[];
extern char ringlet_stub_nmi[], ringlet_stub_mce[], ringlet_stub_db[];
extern char ringlet_stub_df[], ringlet_lstar[], ringlet_cstar[];
extern char ringlet_untrain[];

#define RINGLET_STUB_SIZE 16

/* The switcher's C, jumped to by switch.S; what of switch.S is module text. */
void __noreturn ringlet_fast(struct ringlet_window_state *s)
	__section(".text.ringlet_switcher");
void ringlet_call_host_gate(unsigned long handler);

#endif /* !__ASSEMBLY__ */
#endif
