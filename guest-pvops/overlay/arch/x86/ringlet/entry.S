/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's assembler: first instruction, gates, return, hypercall, and the
 * interrupt flag's operations.
 *
 * All of it runs in guest kernel mode: CPL 3 with the user's selectors, GS
 * base the kernel's, virtual IF clear on entry through a gate. At a gate the
 * stack pointer still is the interrupted context's and RCX and R11 are lost;
 * every other register belongs to that context. The interrupted context is in
 * ringlet_shared.event, at an absolute address, so that a gate can copy it to
 * a stack with memory operands and without a free register. Until it clears
 * ringlet_shared.busy a gate must not fault.
 *
 * A gate makes what the CPU's own event delivery would have made and jumps to
 * mainline's handler. Mainline takes the detours that it has for a kernel at
 * CPL 3 (X86_FEATURE_XENPV): no SWAPGS, no stack switch, no IST, return by
 * hypercall.
 */
#include <linux/elfnote.h>
#include <linux/init.h>
#include <linux/linkage.h>
#include <linux/objtool.h>

#include <asm/asm.h>
#include <asm/asm-offsets.h>
#include <asm/frame.h>
#include <asm/percpu.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>
#include <asm/thread_info.h>
#include <asm/trapnr.h>
#include <asm/unwind_hints.h>
#include <uapi/asm/ringlet.h>

#include "../entry/calling.h"
#include "ringlet.h"

#define SHARED(field)	(RINGLET_SHARED_VA + RINGLET_SHARED_##field)
#define EVENT(field)	(SHARED(EVENT) + RINGLET_FRAME_##field)
#define RET_TO(field)	(SHARED(RETURN) + RINGLET_FRAME_##field)

/* The virtual IF: bit 9 of SHARED(FLAGS), as a byte of its own. */
#define SHARED_IF	(SHARED(FLAGS) + 1)
#define IF_SET		(X86_EFLAGS_IF >> 8)

	ELFNOTE(Ringlet, RINGLET_NOTE_ABI, .quad RINGLET_ABI_VERSION)
	ELFNOTE(Ringlet, RINGLET_NOTE_ENTRY, .quad startup_ringlet)

	__INIT
/*
 * The boot vCPU's first instruction. RSI = guest-physical address of struct
 * boot_params; the launcher's tables map the image at its link address. No
 * stack and no gate yet: a fault here ends the guest.
 */
SYM_CODE_START(startup_ringlet)
	UNWIND_HINT_END_OF_STACK
	ANNOTATE_NOENDBR

	leaq	__top_init_kernel_stack(%rip), %rsp

	/* The stack protector's canary and the init copy of per-CPU data. */
	leaq	INIT_PER_CPU_VAR(fixed_percpu_data)(%rip), %rax
	wrgsbase %rax

	movq	%rsi, %rdi
	xorl	%ebp, %ebp
	call	ringlet_start_kernel	/* does not return */
SYM_CODE_END(startup_ringlet)
	__FINIT

	.pushsection .noinstr.text, "ax"

/*
 * The hypercall: number in RAX, arguments in their registers, result in RAX,
 * RCX and R11 clobbered. A function of its own for two reasons: one SYSCALL
 * instruction to look at, and objtool wants hints around it.
 */
SYM_FUNC_START(ringlet_hypercall_thunk)
	ANNOTATE_NOENDBR
	UNWIND_HINT_SAVE
	syscall
	UNWIND_HINT_RESTORE
	RET
SYM_FUNC_END(ringlet_hypercall_thunk)

/*
 * pv_ops.irq: callee-save calls, they may change RAX and flags only. Each is
 * short enough that an event in the middle does not matter.
 */
SYM_FUNC_START(ringlet_save_fl)
	movl	SHARED(FLAGS), %eax
	RET
SYM_FUNC_END(ringlet_save_fl)

SYM_FUNC_START(ringlet_irq_disable)
	movb	$0, SHARED_IF
	RET
SYM_FUNC_END(ringlet_irq_disable)

/*
 * The flag first, then the test: an interrupt that comes between them is
 * delivered by the module itself, and the test then finds nothing. In the
 * other order it would wait for the next exit.
 */
SYM_FUNC_START(ringlet_irq_enable)
	FRAME_BEGIN
	movb	$IF_SET, SHARED_IF
	testb	$1, SHARED(PENDING)
	jz	.Lnothing_pending
	pushq	%rcx
	pushq	%r11
	movl	$RINGLET_HC_DELIVER, %eax
	call	ringlet_hypercall_thunk
	popq	%r11
	popq	%rcx
.Lnothing_pending:
	FRAME_END
	RET
SYM_FUNC_END(ringlet_irq_enable)

SYM_FUNC_START(ringlet_read_cr2)
	movq	SHARED(CR2), %rax
	RET
SYM_FUNC_END(ringlet_read_cr2)

/*
 * In the place of this_cpu_cmpxchg16b_emu, which SLUB calls until alternatives
 * are applied: that turns interrupts off by CLI, and POPF does not turn them on.
 */
SYM_FUNC_START(ringlet_cmpxchg16b)
	cmpxchg16b __percpu (%rsi)
	RET
SYM_FUNC_END(ringlet_cmpxchg16b)

	.popsection

	.pushsection .entry.text, "ax"

/* Copy the interrupted context to the stack as an IRET frame. */
.macro PUSH_EVENT_FRAME
	pushq	EVENT(SS)
	pushq	EVENT(RSP)
	pushq	EVENT(RFLAGS)
	pushq	EVENT(CS)
	pushq	EVENT(RIP)
.endm

/*
 * Everything a gate does before the handler: choose the stack as the CPU does
 * (the task's for events from user mode, else the current one, aligned), copy
 * the frame, restore RCX and R11, allow the next event.
 */
.macro RINGLET_ENTER has_error_code:req
	testb	$3, EVENT(CS)
	jz	.Lfrom_kernel_\@
	movq	PER_CPU_VAR(pcpu_hot + X86_top_of_stack), %rsp
	jmp	.Lon_stack_\@
.Lfrom_kernel_\@:
	andq	$-16, %rsp
.Lon_stack_\@:
	PUSH_EVENT_FRAME
	.if \has_error_code
	pushq	EVENT(ERROR)
	.endif
	movq	EVENT(RCX), %rcx
	movq	EVENT(R11), %r11
	movb	$0, SHARED(BUSY)
.endm

/*
 * A gate ringlet_<handler> in front of mainline's <handler>, and its line in
 * the table that gates.c searches for the handler in Linux's IDT. That is
 * <native> where mainline has another handler for a kernel at CPL 3.
 */
.macro ringlet_gate handler:req has_error_code:req native
SYM_CODE_START(ringlet_\handler)
	UNWIND_HINT_ENTRY
	ENDBR
	RINGLET_ENTER \has_error_code
	jmp	\handler
SYM_CODE_END(ringlet_\handler)
_ASM_NOKPROBE(ringlet_\handler)

	.pushsection .rodata.ringlet_gates, "a"
	.ifb \native
	.quad	\handler, ringlet_\handler
	.else
	.quad	\native, ringlet_\handler
	.endif
	.popsection
.endm

	.pushsection .rodata.ringlet_gates, "a"
	.balign	8
SYM_DATA_START(ringlet_gates)
	.popsection

ringlet_gate asm_exc_divide_error		0
ringlet_gate asm_xenpv_exc_debug		0, asm_exc_debug
ringlet_gate asm_xenpv_exc_nmi			0, asm_exc_nmi
ringlet_gate asm_exc_int3			0
ringlet_gate asm_exc_overflow			0
ringlet_gate asm_exc_bounds			0
ringlet_gate asm_exc_invalid_op			0
ringlet_gate asm_exc_device_not_available	0
ringlet_gate asm_xenpv_exc_double_fault		1, asm_exc_double_fault
ringlet_gate asm_exc_coproc_segment_overrun	0
ringlet_gate asm_exc_invalid_tss		1
ringlet_gate asm_exc_segment_not_present	1
ringlet_gate asm_exc_stack_segment		1
ringlet_gate asm_exc_general_protection		1
ringlet_gate asm_exc_page_fault			1
ringlet_gate asm_exc_spurious_interrupt_bug	0
ringlet_gate asm_exc_coprocessor_error		0
ringlet_gate asm_exc_alignment_check		1
ringlet_gate asm_exc_simd_coprocessor_error	0
#ifdef CONFIG_X86_MCE
ringlet_gate asm_xenpv_exc_machine_check	0, asm_exc_machine_check
#endif
#ifdef CONFIG_X86_CET
ringlet_gate asm_exc_control_protection		1
#endif
#ifdef CONFIG_IA32_EMULATION
ringlet_gate asm_int80_emulation		0
#endif
ringlet_gate asm_sysvec_ringlet			0

	.pushsection .rodata.ringlet_gates, "a"
SYM_DATA_END_LABEL(ringlet_gates, SYM_L_GLOBAL, ringlet_gates_end)
	.popsection

/*
 * System calls. The handler wants the selectors that SYSCALL stands for, not
 * those that happened to be loaded, and in RCX and R11 what SYSCALL puts
 * there: the frame's RIP and RFLAGS.
 */
.macro ringlet_syscall_gate name:req handler:req cs:req
SYM_CODE_START(\name)
	UNWIND_HINT_ENTRY
	ENDBR
	movq	PER_CPU_VAR(pcpu_hot + X86_top_of_stack), %rsp
	pushq	$__USER_DS
	pushq	EVENT(RSP)
	pushq	EVENT(RFLAGS)
	pushq	$\cs
	pushq	EVENT(RIP)
	movq	EVENT(RIP), %rcx
	movq	EVENT(RFLAGS), %r11
	movb	$0, SHARED(BUSY)
	jmp	\handler
SYM_CODE_END(\name)
_ASM_NOKPROBE(\name)
.endm

ringlet_syscall_gate ringlet_entry_SYSCALL_64, \
		     entry_SYSCALL_64_after_hwframe, __USER_CS
#ifdef CONFIG_IA32_EMULATION
ringlet_syscall_gate ringlet_entry_SYSCALL_compat, \
		     entry_SYSCALL_compat_after_hwframe, __USER32_CS
#endif

/*
 * IRET, to user or kernel mode: RSP points to an IRET frame, all other
 * registers have their final values. The virtual IF is clear here and NMIs are
 * blocked, so that no event can change ringlet_shared.ret on the way.
 */
SYM_CODE_START(ringlet_iret)
	UNWIND_HINT_UNDEFINED
	ANNOTATE_NOENDBR
	movb	$1, SHARED(NMI_BLOCKED)	/* until the IRET */
	movq	%rax, RET_TO(RAX)
	movq	%rcx, RET_TO(RCX)
	movq	%r11, RET_TO(R11)
	popq	RET_TO(RIP)
	popq	RET_TO(CS)
	popq	RET_TO(RFLAGS)
	popq	RET_TO(RSP)
	popq	RET_TO(SS)
	movl	$RINGLET_HC_IRET, %eax
	syscall
	int3
SYM_CODE_END(ringlet_iret)
_ASM_NOKPROBE(ringlet_iret)

/*
 * The first instruction of a vCPU that VCPU_START starts: on its idle task's
 * stack, with its own GS base, on swapper_pg_dir.
 */
#ifdef CONFIG_SMP
SYM_CODE_START(ringlet_secondary_entry)
	UNWIND_HINT_END_OF_STACK
	ANNOTATE_NOENDBR
	xorl	%ebp, %ebp
	call	ringlet_start_secondary	/* does not return */
	int3
SYM_CODE_END(ringlet_secondary_entry)
_ASM_NOKPROBE(ringlet_secondary_entry)
#endif

/*
 * Mainline's way out to user mode for a kernel at CPL 3. Where Xen is
 * configured as well it brings this symbol, and start.c redirects its
 * xen_iret to ours.
 */
#ifndef CONFIG_XEN_PV
SYM_CODE_START(xenpv_restore_regs_and_return_to_usermode)
	UNWIND_HINT_REGS
	POP_REGS

	/* This is the task's stack: erasing it below RSP is safe. */
	STACKLEAK_ERASE_NOCLOBBER

	addq	$8, %rsp	/* orig_ax */
	jmp	ringlet_iret
SYM_CODE_END(xenpv_restore_regs_and_return_to_usermode)
#endif

	.popsection

	__INIT
/* Gates in front of early_idt_handler_array, for use until trap_init(). */
	.balign	RINGLET_EARLY_GATE_SIZE, 0xcc
SYM_CODE_START_NOALIGN(ringlet_early_gates)
	i = 0
	.rept NUM_EXCEPTION_VECTORS
	UNWIND_HINT_ENTRY
	ENDBR
	RINGLET_ENTER ((EXCEPTION_ERRCODE_MASK >> i) & 1)
	jmp	early_idt_handler_array + i * EARLY_IDT_HANDLER_SIZE
	i = i + 1
	.fill	ringlet_early_gates + i * RINGLET_EARLY_GATE_SIZE - ., 1, 0xcc
	.endr
SYM_CODE_END(ringlet_early_gates)
	ANNOTATE_NOENDBR
	__FINIT
