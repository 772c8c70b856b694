/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The world switch. With fast.c and stubs.S it is the only CPL-0 code that ever
 * runs on a shadow root.
 *
 * ringlet_enter() is called by the module, on the host's stack and tables, at
 * the window's address, interrupts off; it returns when the guest has left.
 * In between the CPU runs the guest at CPL 3 on a shadow root, and what ends
 * that (an interrupt, an exception, SYSCALL) arrives at the stubs below
 * through the window's own IDT and LSTAR.
 *
 * What can be settled between guest user and guest kernel stays here: SYSCALL
 * and the return from it, a change of address space whose roots are at hand,
 * and, in fast.c, exceptions and page faults. The module sees the rest, and
 * all of it while ds_flags says so.
 *
 * The text is three pages of the module, mapped once more in each vCPU's
 * window, just below that vCPU's data: every access is RIP-relative, so the
 * same bytes serve any number of windows, and nothing here calls or jumps out.
 * Nothing may be patched in, either: kprobes would make relative jumps of it.
 * This file is the first page, fast.c what follows, stubs.S the last page.
 * The window is all there is: guest addresses are never dereferenced (with
 * global pages such an access could reach *host* memory, pitfalls 2), and
 * neither per-CPU data nor the kernel's text exists on a shadow root.
 *
 * The order of the switch. In: IDT, GDT, TR, CR4, CR3. Out: CR3, CR4, GDT, TR,
 * selectors and bases, IDT last. The host's IDT is thus never live with our
 * GDT, TR or a shadow root: its NMI entry finds its stack through TR, its
 * per-CPU base through the GDT and repairs CR3 by a bit that ours does not
 * have. Our IDT, on the other hand, is at home in either world.
 *
 * NMI and #MC. From the guest: leave as for any vector; NMIs stay blocked until
 * the module executes an IRET, and sends itself another for the host's handler.
 * In the switcher: note it in `pending`, and while leaving, carry on. On every
 * way to the guest the last step before IRETQ or SYSRET is a look at that word;
 * an NMI later than this look finds the interrupted RIP in one of the ranges
 * below, where it is known what of the guest is in registers and what in
 * memory, and turns the way round. No path drops one, and none waits for the
 * guest's next exit.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/asm-offsets.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>
#include <asm/smap.h>
#include <asm/trapnr.h>
#include <asm/unwind_hints.h>
#include "../include/uapi/ringlet.h"
#include "../module/compat/asm.h"
#include "../module/compat/features.h"
#include "offsets.h"
#include "window.h"

/* A member of this window's struct ringlet_window_state. */
#define S(member)	(ringlet_text_start + S_##member)(%rip)

/* A member of the vCPU's shared page, by its alias in the window. */
#define SHARED(member)							\
	(ringlet_text_start + RINGLET_WINDOW_SHARED +			\
	 RINGLET_SHARED_##member)(%rip)
#define EVENT(member)							\
	(ringlet_text_start + RINGLET_WINDOW_SHARED +			\
	 RINGLET_SHARED_EVENT + RINGLET_FRAME_##member)(%rip)
#define RET_TO(member)							\
	(ringlet_text_start + RINGLET_WINDOW_SHARED +			\
	 RINGLET_SHARED_RETURN + RINGLET_FRAME_##member)(%rip)

/* The byte of the window's TSS descriptor that holds the busy bit. */
#define WINDOW_TSS_ACCESS						\
	(ringlet_text_start + RINGLET_WINDOW_DESC + RINGLET_DESC_GDT +	\
	 RINGLET_TSS_SELECTOR + 5)(%rip)

	.section .text.ringlet_switcher, "ax", @progbits
	.balign 4096
SYM_ENTRY(ringlet_text_start, SYM_L_GLOBAL, SYM_A_NONE)

/*
 * void ringlet_enter(bool again)
 *
 * The host's GDT, IDT and TSS addresses are in the window: the module read
 * them on this CPU with interrupts off. The rest is saved here. With @again
 * they have been off since the last time, and all of it is there still: CR3,
 * too, which only a flush IPI could have moved to another ASID.
 */
SYM_CODE_START(ringlet_enter)
	UNWIND_HINT_FUNC
	ENDBR
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, S(HOST_RSP)
	/*
	 * Zen 1 shows whoever divides by zero the last quotient: let it be that
	 * of 0 and 1, as the host has it on its way to a process and to VMRUN.
	 */
	ALTERNATIVE "", "xorl %eax, %eax; xorl %edx, %edx; movl $1, %ecx; divl %ecx",	\
		    RINGLET_BUG_DIVIDER
	testb	%dil, %dil
	jnz	.Lenter_window
	movq	%cr3, %rax
	movq	%rax, S(HOST_CR3)
	movq	%cr4, %rax
	movq	%rax, S(HOST_CR4)
	rdfsbase %rax
	movq	%rax, S(HOST_FSBASE)
	rdgsbase %rax
	movq	%rax, S(HOST_GSBASE)
	movw	%ds, S(HOST_DS)
	movw	%es, S(HOST_ES)
	movw	%fs, S(HOST_FS)
	movw	%gs, S(HOST_GS)

.Lenter_window:
	ANNOTATE_NOENDBR
	/* From the next instruction on NMIs are ours, and abort the entry. */
	lidt	S(GUEST_IDTR)
	lgdt	S(GUEST_GDTR)
	/* No LDT in the guest. Rarely is there one to put aside. */
	cmpw	$0, S(HOST_LDT)
	je	.Lenter_tr
	xorl	%eax, %eax
	lldt	%ax
.Lenter_tr:
	/* LTR insists on an available TSS and marks it busy: undo the last. */
	andb	$~2, WINDOW_TSS_ACCESS
	movl	$RINGLET_TSS_SELECTOR, %eax
	ltr	%ax
	/* PKE and LASS differ on hosts that use them; elsewhere skip the write. */
	movq	S(GUEST_CR4), %rax
	cmpq	S(HOST_CR4), %rax
	je	.Lenter_cr3
	movq	%rax, %cr4
.Lenter_cr3:
	/* A second root to flush? Both have the window, so either is good. */
	movq	S(FIRST_CR3), %rax
	testq	%rax, %rax
	jz	.Lenter_root
	movq	%rax, %cr3
.Lenter_root:
	movq	S(GUEST_CR3), %rax
	movq	%rax, %cr3
	UNWIND_HINT_NONE

	/*
	 * The guest's breakpoints are armed here and disarmed at the way out,
	 * under our IDT: it may have put one on the host's code, and the host's
	 * #DB would come back to an instruction breakpoint that it does not
	 * know for ever.
	 */
	movq	S(GUEST_DR7), %rax
	testq	%rax, %rax
	jz	.Lenter_selectors
	movq	%rax, %dr7
.Lenter_selectors:
	/* Null for null is nothing to do, and that is what they mostly are. */
	movq	S(DS), %rax
	orq	S(HOST_DS), %rax
	jz	.Lenter_bases
	movw	S(DS), %ds
	movw	S(ES), %es
	movw	S(FS), %fs
	movw	S(GS), %gs
.Lenter_bases:
	/* After the selectors: loading one clears or replaces its base. */
	movq	S(FSBASE), %rax
	wrfsbase %rax
	movq	S(GSBASE), %rax
	wrgsbase %rax

/*
 * To the guest, with all of its registers in memory: the entry's second half,
 * and where fast.c ends that has served the guest.
 */
.Lresume:
	ANNOTATE_NOENDBR
	leaq	S(GPRS), %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popq	%r11
	popq	%r9
	popq	%rcx
	popq	%rax
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%r10
	popq	%r8
	addq	$16, %rsp		/* vector, error */
/* With all but RIP to SS in registers; RSP points to those. */
.Lregisters_live:
	ANNOTATE_NOENDBR
	/*
	 * The guest is user mode to MDS and its kin: clear the buffers last,
	 * after every load of host or switcher data. VERW wants a memory
	 * operand with a writable data selector; it changes only ZF, which
	 * IRETQ sets.
	 */
	ALTERNATIVE_2 "jmp .Liretq", "", RINGLET_IF_VERW, "", RINGLET_OR_VERW
	verw	S(VERW_SELECTOR)
.Liretq:
	cmpl	$0, S(PENDING)
	jne	.Lleave_live
	iretq
/* With everything in registers: RIP in RCX, RFLAGS in R11. */
.Lsysret:
	ANNOTATE_NOENDBR
	cmpl	$0, S(PENDING)
	jne	.Lleave_sysret
	sysretq
	int3				/* nothing to speculate into */
.Lto_guest_end:
SYM_CODE_END(ringlet_enter)
_ASM_NOKPROBE(ringlet_enter)

/*
 * 32 returns that speculate into INT3. Not the kernel's FILL_RETURN_BUFFER:
 * where call depth is tracked that one writes a per-CPU variable relative to
 * RIP, which is wrong at this address. Without its loop, too: 34 instructions
 * and no branch to mispredict, for 82 and one. LFENCE: RSP is right before any
 * RET looks at it.
 */
.macro STUFF_RSB
	.rept	32
	ANNOTATE_INTRA_FUNCTION_CALL
	call	1f
	int3
1:
	.endr
	addq	$(32 * 8), %rsp
	lfence
.endm

.macro PUSH_GPRS
	pushq	%r8
	pushq	%r10
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%rax
	pushq	%rcx
	pushq	%r9
	pushq	%r11
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
.endm

/*
 * The way out. RSP points below ringlet_gprs.vector: the rest is pushed here.
 */
SYM_CODE_START_LOCAL(ringlet_leave)
	UNWIND_HINT_NONE
	cld
	PUSH_GPRS
.Lsave_cr2:
	movq	%cr2, %rax
	movq	%rax, S(CR2)
.Lsave_rest:
	rdfsbase %rax
	movq	%rax, S(FSBASE)
	rdgsbase %rax
	movq	%rax, S(GSBASE)
	movw	%ds, S(DS)
	movw	%es, S(ES)
	movw	%fs, S(FS)
	movw	%gs, S(GS)

/*
 * Put the host back. An abandoned entry joins here, from any of its steps:
 * nothing below depends on how far it got, and nothing saves guest state.
 */
.Lrestore_host:
	ANNOTATE_NOENDBR
	leaq	S(RIP), %rsp	/* a stack for what must not happen */
	cmpq	$0, S(GUEST_DR7)
	je	.Lrestore_cr3
	xorl	%eax, %eax
	movq	%rax, %dr7
.Lrestore_cr3:
	movq	S(HOST_CR3), %rax
	orq	S(HOST_CR3_NOFLUSH), %rax
	movq	%rax, %cr3
	/* Equal: it was never another. Else it may be the host's yet, or again. */
	movq	S(HOST_CR4), %rax
	cmpq	S(GUEST_CR4), %rax
	je	.Lrestore_gdt
	movq	%rax, %cr4
.Lrestore_gdt:
	/*
	 * The GDT that the host runs on is a read-only alias, where LTR could
	 * not set the busy bit: go through the writable one.
	 */
	lgdt	S(HOST_GDTR_RW)
	movq	S(HOST_TSS), %rax
	andb	$~2, 5(%rax)
	movl	$(GDT_ENTRY_TSS * 8), %eax
	ltr	%ax
	lgdt	S(HOST_GDTR)
	/* Before the selectors below, which may be of the launcher's LDT. */
	cmpw	$0, S(HOST_LDT)
	je	.Lrestore_selectors
	lldt	S(HOST_LDT)
.Lrestore_selectors:
	/* An interrupt from CPL 3 left SS null; AMD's SYSRET would keep it. */
	movl	$__KERNEL_DS, %eax
	movl	%eax, %ss
	movq	S(DS), %rax
	orq	S(HOST_DS), %rax
	jz	.Lrestore_bases
	movw	S(HOST_DS), %ds
	movw	S(HOST_ES), %es
	movw	S(HOST_FS), %fs
	movw	S(HOST_GS), %gs
.Lrestore_bases:
	movq	S(HOST_FSBASE), %rax
	wrfsbase %rax
	movq	S(HOST_GSBASE), %rax
	wrgsbase %rax
	lidt	S(HOST_IDTR)
	/* From here NMIs are the host's own business again. */
	movq	S(HOST_RSP), %rsp
	/* Guest values to speculate with; Linux clears its own where it enters. */
	.irp	reg, ecx, edx, esi, edi, r8d, r9d, r10d, r11d
	xorl	%\reg, %\reg
	.endr
	/*
	 * Against speculation, before the first RET and the first indirect
	 * branch. Which of these a host asks for, compat/features.h knows.
	 * Inline, because no call reaches the kernel from this address.
	 */
	ALTERNATIVE_2 "jmp .Lskip_ibpb", "", RINGLET_IF_IBPB, "", RINGLET_OR_IBPB
	movl	$MSR_IA32_PRED_CMD, %ecx
	movl	$PRED_CMD_IBPB, %eax
	xorl	%edx, %edx
	wrmsr
.Lskip_ibpb:
	/* Legacy IBRS must be written anew at each entry to take effect. */
	ALTERNATIVE "jmp .Lskip_ibrs", "", RINGLET_IF_IBRS
	movl	$MSR_IA32_SPEC_CTRL, %ecx
	rdmsr
	orl	$SPEC_CTRL_IBRS, %eax
	wrmsr
.Lskip_ibrs:
	ALTERNATIVE_2 "", "call ringlet_clear_bhb", RINGLET_IF_BHB,		\
		      "call ringlet_clear_bhb", RINGLET_OR_BHB
	/*
	 * A guest kernel's return addresses look like ours, which Linux's own
	 * rule for user mode ("user space can only insert user space addresses
	 * into the RSB") does not foresee: stuff the RSB, SMEP or not, wherever
	 * Spectre v2 is mitigated at all. RSB_VMEXIT would be too little: with
	 * eIBRS the CPU keeps a VMX guest's entries away, and ours is none.
	 * Call depth tracking needs nothing else: its count is that of before,
	 * and 32 good entries are at least what it can stand for.
	 */
	ALTERNATIVE_2 "jmp .Lskip_rsb", "", RINGLET_IF_RSB, "", RINGLET_OR_RSB
	STUFF_RSB
.Lskip_rsb:
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	/*
	 * Parts that train returns through the BTB (Retbleed, SRSO) have the
	 * kernel's untraining sequence before the first RET. It is a call, out
	 * of reach from here, and so is any direct jump: IRETQ is no predicted
	 * branch. It also unblocks NMIs, after an exit by one, as the module would
	 * do next.
	 */
	ALTERNATIVE_2 "jmp .Lret", "", RINGLET_IF_UNTRAIN, "", RINGLET_OR_UNTRAIN
	movq	%rsp, %rax
	pushq	$__KERNEL_DS
	pushq	%rax
	pushfq
	pushq	$__KERNEL_CS
	pushq	S(UNTRAIN)
	iretq
	/*
	 * Not RET: the return thunk is a relative jump that ends nowhere here.
	 * In the upper half of a cache line, where ITS does not reach it.
	 */
	.balign 64, 0xcc
	.skip	32, 0xcc
.Lret:
	ANNOTATE_UNRET_SAFE
	ret
	int3
SYM_CODE_END(ringlet_leave)
_ASM_NOKPROBE(ringlet_leave)

/*
 * Intel's sequence that overwrites the branch history ("Branch History
 * Injection", software sequence; Linux has it as clear_bhb_loop): its shape is
 * what was validated. The returns lie in upper halves of cache lines, for ITS.
 * On the host's stack; changes RAX and RCX. Its calls are not what objtool
 * expects of calls.
 */
SYM_FUNC_START_LOCAL(ringlet_clear_bhb)
	movl	$5, %ecx
	ANNOTATE_INTRA_FUNCTION_CALL
	call	.Lbhb_outer
	jmp	.Lbhb_end
	.balign 64, 0xcc
	.skip	32 - (.Lbhb_outer_end - .Lbhb_outer), 0xcc
.Lbhb_outer:
	ANNOTATE_INTRA_FUNCTION_CALL
	call	.Lbhb_inner
.Lbhb_outer_end:
	ANNOTATE_UNRET_SAFE
	ret
	.balign 64, 0xcc
	.skip	32 - (.Lbhb_inner_end - .Lbhb_inner), 0xcc
.Lbhb_inner:
	movl	$5, %eax
1:	jmp	2f
	nop
2:	subl	$1, %eax
	jnz	1b
	subl	$1, %ecx
	jnz	.Lbhb_outer
.Lbhb_inner_end:
	ANNOTATE_UNRET_SAFE
	ret
	int3
.Lbhb_end:
	lfence
	ANNOTATE_UNRET_SAFE
	ret
	int3
SYM_FUNC_END(ringlet_clear_bhb)
_ASM_NOKPROBE(ringlet_clear_bhb)
STACK_FRAME_NON_STANDARD ringlet_clear_bhb

/* What an exception would have pushed. */
.macro SYSCALL_FRAME cs:req vector:req
	movq	%rsp, S(RSP)
	leaq	S(RIP), %rsp
	movq	%rcx, S(RIP)
	movq	$\cs, S(CS)
	movq	%r11, S(RFLAGS)
	movq	$__USER_DS, S(SS)
	pushq	$0
	pushq	$\vector
.endm

/*
 * SYSCALL by the guest, user or kernel. CPL 0 on the guest's RSP: no push
 * before RSP is ours, and #DB, NMI, #MC and #DF have stacks of their own.
 * SFMASK is Linux's: IF, TF, DF, AC, NT and IOPL are clear.
 *
 * From guest user mode, with nothing in the way: into the guest kernel, by its
 * gate. What the ABI promises is in the event frame, RSP included; the rest of
 * the registers are the user's still. The gate's address was checked when it
 * was set: SYSRET would fault, at CPL 0, on one that is not canonical.
 */
SYM_CODE_START(ringlet_lstar)
	UNWIND_HINT_NONE
	ENDBR
	cmpl	$RINGLET_DS_USER, S(DS_FLAGS)
	ja	.Lsyscall_leave
	jb	.Lhypercall

	movq	%rsp, EVENT(RSP)
	movq	%rcx, EVENT(RIP)
	movq	%r11, EVENT(RFLAGS)
	movl	$0, SHARED(FLAGS)
	movb	$1, SHARED(BUSY)
	movl	$0, S(DS_FLAGS)
	rdgsbase %rcx
	movq	%rcx, SHARED(USER_GSBASE)
	movq	S(KERNEL_GSBASE), %rcx
	wrgsbase %rcx
	movq	S(KROOT), %rcx
	movq	%rcx, %cr3
	movq	S(GATE_SYSCALL), %rcx
	movl	$X86_EFLAGS_FIXED_IF, %r11d
	jmp	.Lsysret

.Lhypercall:
	testq	%rax, %rax			/* RINGLET_HC_IRET */
	jz	.Liret
	cmpq	$RINGLET_HC_LOAD_CR3, %rax
	je	.Lload_cr3
	cmpq	$RINGLET_HC_FLUSH_TLB, %rax
	jne	.Lsyscall_leave
	SYSCALL_FRAME RINGLET_USER_CS, RINGLET_VECTOR_SYSCALL
	jmp	ringlet_to_fast

.Lsyscall_leave:
	SYSCALL_FRAME RINGLET_USER_CS, RINGLET_VECTOR_SYSCALL
	jmp	ringlet_leave

/*
 * The guest kernel returns. RAX, RCX and R11 are in the frame and RSP is about
 * to be replaced: four registers to work with. Everything is checked before
 * anything is changed. A field of the frame that is read again need not be what
 * it was: what is loaded then is checked then, or may be anything. What is not
 * the common case (a user RIP of the upper half, a selector that is not
 * Linux's, an interrupt to be delivered first) is the module's.
 */
.Liret:
	cmpq	$RINGLET_USER_CS, RET_TO(CS)
	jne	.Liret_kernel
	cmpq	$RINGLET_USER_SS, RET_TO(SS)
	jne	.Liret_leave
	cmpb	$0, SHARED(PENDING)
	jne	.Liret_leave
	movq	RET_TO(RIP), %rcx
	movq	%rcx, %r11
	shrq	$47, %r11
	jnz	.Liret_leave
	/* WRGSBASE faults on what is not canonical. */
	movq	SHARED(USER_GSBASE), %rax
	movq	%rax, %r11
	shlq	$16, %r11
	sarq	$16, %r11
	cmpq	%rax, %r11
	jne	.Liret_leave

	rdgsbase %r11
	movq	%r11, S(KERNEL_GSBASE)
	wrgsbase %rax
	movl	$X86_EFLAGS_IF, SHARED(FLAGS)
	movb	$0, SHARED(NMI_BLOCKED)
	movl	$RINGLET_DS_USER, S(DS_FLAGS)
	movq	S(UROOT), %rax
	movq	%rax, %cr3
	movq	RET_TO(RFLAGS), %r11
	andl	$RINGLET_RFLAGS_GUEST, %r11d
	orl	$X86_EFLAGS_FIXED_IF, %r11d
	movq	RET_TO(RSP), %rsp
	movq	RET_TO(RAX), %rax
	/* SYSRET does for a system call's return: RCX and R11 say so. */
	cmpq	%rcx, RET_TO(RCX)
	jne	.Liret_frame
	cmpq	%r11, RET_TO(R11)
	jne	.Liret_frame
	testl	$(X86_EFLAGS_TF | X86_EFLAGS_RF), %r11d
	jz	.Lsysret
.Liret_frame:
	movq	%rcx, S(RIP)
	movq	%r11, S(RFLAGS)
	movq	%rsp, S(RSP)
	movq	$__USER_CS, S(CS)
	movq	$__USER_DS, S(SS)
	movq	RET_TO(RCX), %rcx
	movq	RET_TO(R11), %r11
	leaq	S(RIP), %rsp
	jmp	.Liretq

/* To guest kernel mode: after an exception or interrupt of its own. */
.Liret_kernel:
	cmpq	$RINGLET_KERNEL_CS, RET_TO(CS)
	jne	.Liret_leave
	movq	RET_TO(RIP), %rcx
	movq	%rcx, %rax
	shlq	$16, %rax
	sarq	$16, %rax
	cmpq	%rcx, %rax
	jne	.Liret_leave
	movq	RET_TO(RFLAGS), %r11
	movl	%r11d, %eax
	andl	$X86_EFLAGS_IF, %eax
	jz	.Liret_masked
	cmpb	$0, SHARED(PENDING)
	jne	.Liret_leave
.Liret_masked:
	movl	%eax, SHARED(FLAGS)
	movb	$0, SHARED(NMI_BLOCKED)
	andl	$RINGLET_RFLAGS_GUEST, %r11d
	orl	$X86_EFLAGS_FIXED_IF, %r11d
	movq	RET_TO(RSP), %rsp
	movq	RET_TO(RAX), %rax
	jmp	.Liret_frame

.Liret_leave:
	xorl	%eax, %eax			/* RINGLET_HC_IRET */
	jmp	.Lsyscall_leave

/*
 * The guest loads CR3. With NOFLUSH, and with both roots at hand, there is
 * nothing to be done but to load ours. Else the module must drop or make
 * tables. SYSRET goes back to where SYSCALL came from: RCX was the CPU's word,
 * but for the last instruction of the lower half it is not canonical.
 */
.Lload_cr3:
	movq	%rdi, %rax
	btrq	$63, %rax
	jnc	.Lload_cr3_leave
	movq	%rcx, S(RIP)
	shlq	$16, %rcx
	sarq	$16, %rcx
	cmpq	%rcx, S(RIP)
	jne	.Lload_cr3_refetch
	testl	$X86_EFLAGS_TF, %r11d
	jnz	.Lload_cr3_refetch
	movq	%rsp, S(RSP)
	movq	%rdi, S(SPILL)
	andl	$(RINGLET_ROOTS - 1), %edi
	movl	%edi, %ecx
	shll	$ROOT_SHIFT, %edi
	leaq	S(ROOTS), %rsp
	addq	%rdi, %rsp
	cmpq	%rax, ROOT_CR3(%rsp)
	jne	.Lload_cr3_unknown
	movq	%rcx, S(CURRENT_ROOT)
	/*
	 * A root without bit 63 has translations in the TLB that are not true
	 * any more. The user root's must be gone before SYSCALL's return
	 * loads it without a thought.
	 */
	movq	ROOT_UROOT(%rsp), %rcx
	movq	%rcx, %rax
	orq	S(NOFLUSH), %rax
	movq	%rax, S(UROOT)
	cmpq	%rax, %rcx
	je	.Lload_kroot
	movq	%rcx, %cr3
	movq	%rax, ROOT_UROOT(%rsp)
.Lload_kroot:
	movq	ROOT_KROOT(%rsp), %rax
	movq	%rax, %cr3
	orq	S(NOFLUSH), %rax
	movq	%rax, S(KROOT)
	movq	%rax, ROOT_KROOT(%rsp)
	movq	S(SPILL), %rdi
	movq	S(RIP), %rcx
	movq	S(RSP), %rsp
	xorl	%eax, %eax
	jmp	.Lsysret

.Lload_cr3_unknown:
	movq	S(SPILL), %rdi
	movq	S(RSP), %rsp
.Lload_cr3_refetch:
	movq	S(RIP), %rcx
.Lload_cr3_leave:
	movl	$RINGLET_HC_LOAD_CR3, %eax
	jmp	.Lsyscall_leave
SYM_CODE_END(ringlet_lstar)
_ASM_NOKPROBE(ringlet_lstar)

/* AMD: SYSCALL from a 32-bit code segment, which the guest may far-jump to. */
SYM_CODE_START(ringlet_cstar)
	UNWIND_HINT_NONE
	ENDBR
	SYSCALL_FRAME RINGLET_USER32_CS, RINGLET_VECTOR_SYSCALL32
	jmp	ringlet_leave
SYM_CODE_END(ringlet_cstar)
_ASM_NOKPROBE(ringlet_cstar)

/*
 * Ways to the guest that an NMI turned round: the guest has its new state, and
 * leaves before its first instruction.
 */
SYM_CODE_START_LOCAL(ringlet_turned_round)
	UNWIND_HINT_NONE
.Lleave_resume:
	ANNOTATE_NOENDBR
	movq	$RINGLET_VECTOR_ABORTED, S(VECTOR)
	jmp	.Lsave_cr2
.Lleave_sysret:
	ANNOTATE_NOENDBR
	movq	%rsp, S(RSP)
	leaq	S(RIP), %rsp
	movq	%rcx, S(RIP)
	movq	$__USER_CS, S(CS)
	movq	%r11, S(RFLAGS)
	movq	$__USER_DS, S(SS)
.Lleave_live:
	ANNOTATE_NOENDBR
	pushq	$0
	pushq	$RINGLET_VECTOR_ABORTED
	jmp	ringlet_leave
SYM_CODE_END(ringlet_turned_round)
_ASM_NOKPROBE(ringlet_turned_round)

/*
 * A vector on an IST stack. From the guest: move the frame to RSP0's place,
 * where ringlet_leave expects it (POP to memory needs no register), and leave.
 */
.macro IST_FROM_GUEST vector:req
	popq	S(RIP)
	popq	S(CS)
	popq	S(RFLAGS)
	popq	S(RSP)
	popq	S(SS)
	leaq	S(RIP), %rsp
	pushq	$0
	pushq	$\vector
	jmp	ringlet_leave
.endm

/*
 * NMI and #MC in the switcher itself: note it and go on, or, on a way to the
 * guest that has had its look at `pending`, or need not come so far, turn
 * round. A range ends after the IRETQ or SYSRET to the guest, which has not
 * happened while the saved RIP points at it.
 *
 * Nothing is pushed: next to `lidt` the stack is the *host's* NMI stack, and
 * just below this frame lies the word by which its entry code recognizes an
 * NMI inside an NMI.
 *
 * ANNOTATE_NOENDBR, at the labels: their addresses are taken, and no indirect
 * jump goes there. objtool asks.
 */
.macro TURN_ROUND_BEFORE end:req to:req done:req
	leaq	\end(%rip), %rcx
	cmpq	%rcx, %rax
	leaq	\to(%rip), %rcx
	jb	\done
.endm

.macro IST_NOTE_PENDING bit:req scratch:req
	orl	$\bit, S(PENDING)
	movq	%rax, \scratch + S(SCRATCH)
	movq	%rcx, \scratch + 8 + S(SCRATCH)
	movq	(%rsp), %rax			/* interrupted RIP */
	leaq	.Lenter_window(%rip), %rcx
	cmpq	%rcx, %rax
	jb	.Lgo_on_\@
	TURN_ROUND_BEFORE .Lresume, .Labort_entry, .Lturn_\@
	TURN_ROUND_BEFORE .Lregisters_live, .Lleave_resume, .Lturn_\@
	TURN_ROUND_BEFORE .Lsysret, .Lleave_live, .Lturn_\@
	TURN_ROUND_BEFORE .Lto_guest_end, .Lleave_sysret, .Lturn_\@
	jmp	.Lgo_on_\@
.Lturn_\@:
	movq	%rcx, (%rsp)
.Lgo_on_\@:
	movq	\scratch + S(SCRATCH), %rax
	movq	\scratch + 8 + S(SCRATCH), %rcx
	iretq
.endm

SYM_CODE_START(ringlet_stub_nmi)
	UNWIND_HINT_NONE
	ENDBR
	ASM_CLAC
	testb	$3, 8(%rsp)
	jz	.Lnmi_in_switcher
	IST_FROM_GUEST 2
.Lnmi_in_switcher:
	IST_NOTE_PENDING RINGLET_PENDING_NMI 0
SYM_CODE_END(ringlet_stub_nmi)
_ASM_NOKPROBE(ringlet_stub_nmi)

SYM_CODE_START(ringlet_stub_mce)
	UNWIND_HINT_NONE
	ENDBR
	ASM_CLAC
	testb	$3, 8(%rsp)
	jz	.Lmce_in_switcher
	IST_FROM_GUEST 18
/*
 * With EIPV it is the interrupted instruction that met the error (SDM vol. 3B,
 * 16.3.1.2), most likely in a guest's page table or shared page. To go back to
 * it would be to meet it again with MCIP set: the CPU shuts down. One that is
 * another CPU's has EIPV clear here.
 */
.Lmce_in_switcher:
	movq	%rax, 16 + S(SCRATCH)
	movq	%rcx, 24 + S(SCRATCH)
	movq	%rdx, 32 + S(SCRATCH)
	movl	$MSR_IA32_MCG_STATUS, %ecx
	rdmsr
	testl	$MCG_EIPV, %eax
	jnz	.Lmce_of_switcher
	movq	16 + S(SCRATCH), %rax
	movq	24 + S(SCRATCH), %rcx
	movq	32 + S(SCRATCH), %rdx
	IST_NOTE_PENDING RINGLET_PENDING_MCE 16
/* As a page fault of its own: fast.c leaves, what else it was is lost. */
.Lmce_of_switcher:
	orl	$RINGLET_PENDING_MCE, S(PENDING)
	pushq	$0
	pushq	$X86_TRAP_MC
	jmp	ringlet_fault_in_switcher
SYM_CODE_END(ringlet_stub_mce)
_ASM_NOKPROBE(ringlet_stub_mce)

/*
 * #DB in the switcher: a guest's breakpoint that an access of ours hit, or a
 * MOV SS that held one back until SYSCALL. It is not the host's and there is
 * nothing to single-step. RF, or an instruction breakpoint would hit again.
 */
SYM_CODE_START(ringlet_stub_db)
	UNWIND_HINT_NONE
	ENDBR
	ASM_CLAC
	testb	$3, 8(%rsp)
	jz	.Ldb_in_switcher
	IST_FROM_GUEST 1
.Ldb_in_switcher:
	orl	$RINGLET_PENDING_DB, S(PENDING)
	orl	$X86_EFLAGS_RF, 16(%rsp)
	iretq
SYM_CODE_END(ringlet_stub_db)
_ASM_NOKPROBE(ringlet_stub_db)

SYM_CODE_START(ringlet_stub_df)
	UNWIND_HINT_NONE
	ENDBR
	ASM_CLAC
	movq	8(%rsp), %rax
	movq	%rax, S(FAULT_RIP)
	movq	$8, S(FAULT_VECTOR)
	jmp	.Lfault_report
SYM_CODE_END(ringlet_stub_df)
_ASM_NOKPROBE(ringlet_stub_df)

/*
 * Any other exception at CPL 0 is a bug of ours (the module checks all that
 * IRETQ and the selector loads could refuse), but for a memory error, see
 * ringlet_stub_mce. The registers in the window are lost, so the guest is, too;
 * the host is not: say where, and put it back. If it is that which faults, it
 * can only be a selector of the host's: null ones do, and the way out must end.
 */
SYM_CODE_START_LOCAL(ringlet_fault_in_switcher)
	UNWIND_HINT_NONE
	/* The linear map's, in fast.c: see there. */
	cmpq	$X86_TRAP_PF, (%rsp)
	je	.Lfault_in_fast
	cmpq	$X86_TRAP_MC, (%rsp)
	jne	.Lfault_is_a_bug
.Lfault_in_fast:
	movq	16(%rsp), %rax			/* RIP */
	leaq	ringlet_stubs(%rip), %rcx
	cmpq	%rcx, %rax
	jae	.Lfault_is_a_bug
	/* By its distance: objtool has words for the address of C code. */
	leaq	ringlet_text_start(%rip), %rcx
	subq	%rcx, %rax
	jb	.Lfault_is_a_bug
	cmpq	$(.Lfast_text - ringlet_text_start), %rax
	jb	.Lfault_is_a_bug
	incq	S(FAST_FAULTS)
	jmp	.Lsave_rest
.Lfault_is_a_bug:
	popq	S(FAULT_VECTOR)
	addq	$8, %rsp			/* error code */
	popq	S(FAULT_RIP)
	cmpq	$X86_TRAP_MC, S(FAULT_VECTOR)
	je	.Lfault_report
	leaq	.Lrestore_host(%rip), %rax
	cmpq	%rax, S(FAULT_RIP)
	jb	.Lfault_report
	movq	$0, S(HOST_DS)			/* DS, ES, FS and GS */
.Lfault_report:
	/* No gate clears DF, and the host's C wants it clear. */
	cld
	movq	$-1, S(DS)			/* and the rest: who knows */
	/* It may have been an interrupt, on its way to the host. */
	movq	S(VECTOR), %rax
	movq	%rax, S(LOST_VECTOR)
	movq	$RINGLET_VECTOR_FAULTED, S(VECTOR)
	jmp	.Lrestore_host
SYM_CODE_END(ringlet_fault_in_switcher)
_ASM_NOKPROBE(ringlet_fault_in_switcher)

SYM_CODE_START_LOCAL(ringlet_abort_entry)
	UNWIND_HINT_NONE
.Labort_entry:
	ANNOTATE_NOENDBR
	cld
	movq	$RINGLET_VECTOR_ABORTED, S(VECTOR)
	jmp	.Lrestore_host
SYM_CODE_END(ringlet_abort_entry)
_ASM_NOKPROBE(ringlet_abort_entry)

SYM_CODE_START(ringlet_stub_common)
	UNWIND_HINT_NONE
	ASM_CLAC
	testb	$3, 24(%rsp)			/* CS of what was interrupted */
	jz	ringlet_fault_in_switcher
	cmpl	$RINGLET_DS_USER, S(DS_FLAGS)
	ja	ringlet_leave
	cmpq	$NUM_EXCEPTION_VECTORS, (%rsp)
	jae	ringlet_leave
	/* fall through */
SYM_CODE_END(ringlet_stub_common)
_ASM_NOKPROBE(ringlet_stub_common)

/*
 * To fast.c, which takes the state as its argument. It ends in one of the two
 * places below. The word pushed stands for the return address that it does not
 * have: the ABI wants the stack so.
 */
SYM_CODE_START_LOCAL(ringlet_to_fast)
	UNWIND_HINT_NONE
	cld
	PUSH_GPRS
	leaq	S(GPRS), %rdi
	leaq	(ringlet_text_start + RINGLET_WINDOW_DESC +		\
		 RINGLET_DESC_STACK)(%rip), %rsp
	pushq	$0
	jmp	ringlet_fast
SYM_CODE_END(ringlet_to_fast)
_ASM_NOKPROBE(ringlet_to_fast)
_ASM_NOKPROBE(ringlet_fast)

SYM_CODE_START(ringlet_fast_resume)
	UNWIND_HINT_NONE
	jmp	.Lresume
SYM_CODE_END(ringlet_fast_resume)
_ASM_NOKPROBE(ringlet_fast_resume)

/* CR2 is in the state already; the one in the CPU may be fast.c's own. */
SYM_CODE_START(ringlet_fast_leave)
	UNWIND_HINT_NONE
	jmp	.Lsave_rest
SYM_CODE_END(ringlet_fast_leave)
_ASM_NOKPROBE(ringlet_fast_leave)

	.balign 4096, 0xcc
.Lfast_text:

/*
 * Host, module text: where the switcher's IRETQ goes on parts whose returns
 * must be untrained. RSP points to ringlet_enter()'s return address.
 */
	.text
SYM_CODE_START(ringlet_untrain)
	UNWIND_HINT_FUNC
	ANNOTATE_NOENDBR		/* by IRETQ */
	CALL_UNTRAIN_RET
	RET
SYM_CODE_END(ringlet_untrain)

/*
 * void ringlet_call_host_gate(unsigned long handler)
 *
 * Host, module text. Hand an interrupt that arrived in the guest to the host's
 * own handler, as if it had arrived here: the frame below is the one that the
 * CPU would push. IF is set in it although interrupts are off: from 7.x on the
 * host re-arms its timer on the way out only if the interrupted context had
 * interrupts enabled, and the context that was really interrupted, the guest,
 * had. Returns with interrupts on. The caller holds preemption off.
 */
SYM_FUNC_START(ringlet_call_host_gate)
	pushq	%rbp
	movq	%rsp, %rbp
	andq	$-16, %rsp
	pushq	$__KERNEL_DS
	pushq	%rbp
	pushq	$(X86_EFLAGS_FIXED_IF)
	pushq	$__KERNEL_CS
	CALL_NOSPEC rdi
	/* The handler's IRETQ popped the frame, return address and all. */
	movq	%rbp, %rsp
	popq	%rbp
	RET
SYM_FUNC_END(ringlet_call_host_gate)

	.section .note.GNU-stack, "", @progbits
