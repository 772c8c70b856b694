/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The world switch, and the only CPL-0 code that ever runs on a shadow root.
 *
 * ringlet_enter() is called by the module, on the host's stack and tables, at
 * the window's address, interrupts off; it returns when the guest has left.
 * In between the CPU runs the guest at CPL 3 on a shadow root, and what ends
 * that (an interrupt, an exception, SYSCALL) arrives at the stubs below
 * through the window's own IDT and LSTAR.
 *
 * The text is two pages of the module, mapped once more in each vCPU's
 * window, just below that vCPU's data: every access is RIP-relative, so the
 * same bytes serve any number of windows, and nothing here calls or jumps out.
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
 * NMI and #MC. From the guest: leave as for any vector, without an IRET, so
 * that NMIs stay blocked until the host's handler, which the module calls with
 * `int $2`, executes its own. In the switcher: while entering, give up the
 * entry (all guest state is still in memory: the pops below change nothing
 * there); while leaving, carry on. Either way `pending` tells the module.
 * No path drops one.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/alternative.h>
#include <asm/asm-offsets.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>
#include <asm/smap.h>
#include <asm/unwind_hints.h>
#include "../module/compat/asm.h"
#include "offsets.h"
#include "window.h"

/* A member of this window's struct ringlet_window_state. */
#define S(member)	(ringlet_text_start + S_##member)(%rip)

/* The byte of the window's TSS descriptor that holds the busy bit. */
#define WINDOW_TSS_ACCESS						\
	(ringlet_text_start + RINGLET_WINDOW_DESC + RINGLET_DESC_GDT +	\
	 RINGLET_TSS_SELECTOR + 5)(%rip)

	.section .text.ringlet_switcher, "ax", @progbits
	.balign 4096
SYM_ENTRY(ringlet_text_start, SYM_L_GLOBAL, SYM_A_NONE)

/*
 * void ringlet_enter(void)
 *
 * The host's GDT, IDT and TSS addresses are in the window: the module read
 * them on this CPU with interrupts off. The rest is saved here.
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
	movw	S(DS), %ds
	movw	S(ES), %es
	movw	S(FS), %fs
	movw	S(GS), %gs
	/* After the selectors: loading one clears or replaces its base. */
	movq	S(FSBASE), %rax
	wrfsbase %rax
	movq	S(GSBASE), %rax
	wrgsbase %rax

	leaq	S(GPRS), %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	addq	$16, %rsp		/* vector, error */
	/*
	 * The guest is user mode to MDS and its kin: clear the buffers last,
	 * after every load of host or switcher data. VERW wants a memory
	 * operand with a writable data selector; it changes only ZF, which
	 * IRETQ sets.
	 */
	ALTERNATIVE "jmp .Lskip_verw", "", X86_FEATURE_CLEAR_CPU_BUF
	verw	S(VERW_SELECTOR)
.Lskip_verw:
	iretq
.Lenter_window_end:
SYM_CODE_END(ringlet_enter)

/*
 * 32 returns that speculate into INT3. Not the kernel's FILL_RETURN_BUFFER:
 * where call depth is tracked that one writes a per-CPU variable relative to
 * RIP, which is wrong at this address.
 */
.macro STUFF_RSB
	movl	$16, %eax
.Lstuff_\@:
	ANNOTATE_INTRA_FUNCTION_CALL
	call	.Lstuff_even_\@
	int3
.Lstuff_even_\@:
	ANNOTATE_INTRA_FUNCTION_CALL
	call	.Lstuff_odd_\@
	int3
.Lstuff_odd_\@:
	addq	$16, %rsp
	decl	%eax
	jnz	.Lstuff_\@
	lfence				/* a mispredicted JNZ stops here */
.endm

/*
 * The way out. RSP points below ringlet_gprs.vector: the rest is pushed here.
 */
SYM_CODE_START_LOCAL(ringlet_leave)
	UNWIND_HINT_NONE
	cld
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%rax
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%cr2, %rax
	movq	%rax, S(CR2)
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
	leaq	S(RIP), %rsp	/* a stack for what must not happen */
	cmpq	$0, S(GUEST_DR7)
	je	.Lrestore_cr3
	xorl	%eax, %eax
	movq	%rax, %dr7
.Lrestore_cr3:
	movq	S(HOST_CR3), %rax
	orq	S(HOST_CR3_NOFLUSH), %rax
	movq	%rax, %cr3
	movq	%cr4, %rcx
	movq	S(HOST_CR4), %rax
	cmpq	%rcx, %rax
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
	movw	S(HOST_DS), %ds
	movw	S(HOST_ES), %es
	movw	S(HOST_FS), %fs
	movw	S(HOST_GS), %gs
	movq	S(HOST_FSBASE), %rax
	wrfsbase %rax
	movq	S(HOST_GSBASE), %rax
	wrgsbase %rax
	lidt	S(HOST_IDTR)
	/* From here NMIs are the host's own business again. */
	movq	S(HOST_RSP), %rsp
	/*
	 * Before the first RET. A guest kernel's return addresses look like
	 * ours, which Linux's own rule for user mode ("user space can only
	 * insert user space addresses into the RSB") does not foresee: always
	 * stuff the RSB. On parts that train returns through the BTB (Retbleed,
	 * SRSO) the untraining sequence is a call that cannot reach the kernel
	 * from this address: an IBPB does the same, inline. Legacy IBRS must
	 * be written anew at each entry to the kernel to take effect.
	 */
	ALTERNATIVE "", "jmp .Libpb", X86_FEATURE_UNRET
	ALTERNATIVE "", "jmp .Libpb", X86_FEATURE_SRSO
	ALTERNATIVE "", "jmp .Libpb", X86_FEATURE_SRSO_ALIAS
	ALTERNATIVE "", "jmp .Libpb", X86_FEATURE_ENTRY_IBPB
	jmp	.Lskip_ibpb
.Libpb:
	movl	$MSR_IA32_PRED_CMD, %ecx
	movl	$PRED_CMD_IBPB, %eax
	xorl	%edx, %edx
	wrmsr
.Lskip_ibpb:
	ALTERNATIVE "jmp .Lskip_ibrs", "", X86_FEATURE_KERNEL_IBRS
	movl	$MSR_IA32_SPEC_CTRL, %ecx
	rdmsr
	orl	$SPEC_CTRL_IBRS, %eax
	wrmsr
.Lskip_ibrs:
	STUFF_RSB
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	/* Not RET: the return thunk is a relative jump that ends nowhere here. */
	ANNOTATE_UNRET_SAFE
	ret
	int3
SYM_CODE_END(ringlet_leave)

/*
 * SYSCALL by the guest, user or kernel. CPL 0 on the guest's RSP: no push
 * before RSP is ours, and #DB, NMI, #MC and #DF have stacks of their own.
 * SFMASK is Linux's: IF, TF, DF, AC, NT and IOPL are clear.
 */
SYM_CODE_START(ringlet_lstar)
	UNWIND_HINT_NONE
	ENDBR
	movq	%rsp, S(RSP)
	leaq	S(RIP), %rsp
	movq	$__USER_CS, S(CS)
	pushq	$0
	pushq	$RINGLET_VECTOR_SYSCALL
	jmp	.Lsyscall_frame
SYM_CODE_END(ringlet_lstar)

/* AMD: SYSCALL from a 32-bit code segment, which the guest may far-jump to. */
SYM_CODE_START(ringlet_cstar)
	UNWIND_HINT_NONE
	ENDBR
	movq	%rsp, S(RSP)
	leaq	S(RIP), %rsp
	movq	$__USER32_CS, S(CS)
	pushq	$0
	pushq	$RINGLET_VECTOR_SYSCALL32
.Lsyscall_frame:
	movq	%rcx, S(RIP)
	movq	%r11, S(RFLAGS)
	movq	$__USER_DS, S(SS)
	/*
	 * ds_flags is to be tested here: with no inhibitor set this SYSCALL
	 * could stay in the guest. RINGLET_DS_OFF always is, so far.
	 */
	jmp	ringlet_leave
SYM_CODE_END(ringlet_cstar)

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
 * NMI and #MC in the switcher itself: note it and go on, or, if the entry can
 * still be abandoned, resume at the way out. The range ends after the IRETQ to
 * the guest, which has not happened while the saved RIP points at it.
 *
 * Nothing is pushed: next to `lidt` the stack is the *host's* NMI stack, and
 * just below this frame lies the word by which its entry code recognizes an
 * NMI inside an NMI.
 */
.macro IST_NOTE_PENDING bit:req scratch:req
	orl	$\bit, S(PENDING)
	movq	%rax, \scratch + S(SCRATCH)
	movq	%rcx, \scratch + 8 + S(SCRATCH)
	movq	(%rsp), %rax			/* interrupted RIP */
	leaq	.Lenter_window(%rip), %rcx
	cmpq	%rcx, %rax
	jb	.Lresume_\@
	leaq	.Lenter_window_end(%rip), %rcx
	cmpq	%rcx, %rax
	jae	.Lresume_\@
	leaq	.Labort_entry(%rip), %rcx
	movq	%rcx, (%rsp)
.Lresume_\@:
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

SYM_CODE_START(ringlet_stub_mce)
	UNWIND_HINT_NONE
	ENDBR
	ASM_CLAC
	testb	$3, 8(%rsp)
	jz	.Lmce_in_switcher
	IST_FROM_GUEST 18
.Lmce_in_switcher:
	IST_NOTE_PENDING RINGLET_PENDING_MCE 16
SYM_CODE_END(ringlet_stub_mce)

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

SYM_CODE_START(ringlet_stub_df)
	UNWIND_HINT_NONE
	ENDBR
	ASM_CLAC
	movq	8(%rsp), %rax
	movq	%rax, S(FAULT_RIP)
	movq	$8, S(FAULT_VECTOR)
	movq	$RINGLET_VECTOR_FAULTED, S(VECTOR)
	jmp	.Lrestore_host
SYM_CODE_END(ringlet_stub_df)

/*
 * Any other exception at CPL 0 is a bug of ours (the module checks all that
 * IRETQ and the selector loads could refuse). The registers in the window are
 * lost, so the guest is, too; the host is not: say where, and put it back. If
 * it is that which faults, it can only be a selector of the host's: null ones
 * do, and the way out must end.
 */
SYM_CODE_START_LOCAL(ringlet_fault_in_switcher)
	UNWIND_HINT_NONE
	popq	S(FAULT_VECTOR)
	addq	$8, %rsp			/* error code */
	popq	S(FAULT_RIP)
	leaq	.Lrestore_host(%rip), %rax
	cmpq	%rax, S(FAULT_RIP)
	jb	.Lfault_report
	movq	$0, S(HOST_DS)			/* DS, ES, FS and GS */
.Lfault_report:
	movq	$RINGLET_VECTOR_FAULTED, S(VECTOR)
	jmp	.Lrestore_host
SYM_CODE_END(ringlet_fault_in_switcher)

SYM_CODE_START_LOCAL(ringlet_abort_entry)
	UNWIND_HINT_NONE
.Labort_entry:
	cld
	movq	$RINGLET_VECTOR_ABORTED, S(VECTOR)
	jmp	.Lrestore_host
SYM_CODE_END(ringlet_abort_entry)

SYM_CODE_START_LOCAL(ringlet_stub_common)
	UNWIND_HINT_NONE
	ASM_CLAC
	testb	$3, 24(%rsp)			/* CS of what was interrupted */
	jz	ringlet_fault_in_switcher
	jmp	ringlet_leave
SYM_CODE_END(ringlet_stub_common)

/*
 * The rest of the IDT: one stub of 16 bytes for each vector, the second page
 * of text. Vectors below 32 push an imm8, which leaves room for the zero that
 * stands in for an error code.
 */
/* #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX push an error code. */
#define EXCEPTIONS_WITH_ERROR						\
	((1 << 8) | (0x1f << 10) | (1 << 17) | (1 << 21) | (3 << 29))

	.balign 4096, 0xcc
SYM_CODE_START(ringlet_stubs)
	vector = 0
	.rept 256
	UNWIND_HINT_NONE
	ENDBR
	.if vector >= 32
	pushq	$0
	.elseif !((EXCEPTIONS_WITH_ERROR >> vector) & 1)
	pushq	$0
	.endif
	.if vector < 32
	.byte	0x6a, vector			/* pushq imm8 */
	.else
	.byte	0x68				/* pushq imm32 */
	.long	vector
	.endif
	.byte	0xe9				/* jmp rel32: short forms would move */
	.long	ringlet_stub_common - . - 4
	.balign 16, 0xcc
	vector = vector + 1
	.endr
SYM_CODE_END(ringlet_stubs)

	.balign 4096, 0xcc
SYM_ENTRY(ringlet_text_end, SYM_L_GLOBAL, SYM_A_NONE)

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
	.text
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
