/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The payload kernel's assembler: first instructions, gates, and the way into a
 * context and back. Guest kernel mode. Each vCPU has an area with its stacks
 * and what it writes down at a gate; it finds it by its number, which LSL of
 * the CPU-number entry gives it, because nothing else is out of a payload's
 * reach: GS base and shared page are what it plays with.
 *
 * A gate knows nothing of who was interrupted: it writes all registers down,
 * has arrived() in runtime.c look, and returns to whoever called
 * resume_context(). If nobody did, arrived() does not return.
 */
#include "uapi/ringlet.h"
#include "runtime.h"

/* As they are found: a payload looks for what is nobody's business. */
	.macro note_registers to
	index = 0
	.irp	reg, rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	movq	%\reg, \to + index * 8
	index = index + 1
	.endr
	index = 16
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movups	%xmm\n, \to + index * 8
	index = index + 2
	.endr
	stmxcsr	\to + 48 * 8
	rdfsbase %rax
	movq	%rax, \to + 49 * 8
	rdgsbase %rax
	movq	%rax, \to + 50 * 8
	.endm

	.text
	.globl _start
_start:
	note_registers initial
	movq	$areas + AREA_STACK_END, %rsp
	movq	%rsi, %rdi
	xorl	%ebp, %ebp
	call	start
	ud2

/* Where VCPU_START lets others begin: on the stack of its area. */
	.globl other_start
other_start:
	note_registers initial_other
	call	other_main
	ud2

/*
 * The gates, 16 bytes apart, by exception vector and then in the order of
 * gate_numbers[] in runtime.c. RCX and R11 are free, nothing else is.
 */
	.balign 16
	.globl gates
gates:
	index = 0
	.rept 36
	.balign 16
	movl	$index, %ecx
	jmp	gate
	index = index + 1
	.endr

gate:
	movl	$CPU_NUMBER_SELECTOR, %r11d
	lsll	%r11d, %r11d
	imulq	$AREA_SIZE, %r11, %r11
	addq	$areas, %r11
	movq	%rax, 0 * 8(%r11)
	movq	%rdx, 2 * 8(%r11)
	movq	%rbx, 3 * 8(%r11)
	movq	%rsp, 4 * 8(%r11)
	movq	%rbp, 5 * 8(%r11)
	movq	%rsi, 6 * 8(%r11)
	movq	%rdi, 7 * 8(%r11)
	movq	%r8, 8 * 8(%r11)
	movq	%r9, 9 * 8(%r11)
	movq	%r10, 10 * 8(%r11)
	movq	%r12, 12 * 8(%r11)
	movq	%r13, 13 * 8(%r11)
	movq	%r14, 14 * 8(%r11)
	movq	%r15, 15 * 8(%r11)
	leaq	AREA_EVENTS_END(%r11), %rsp
	pushfq
	popq	%rsi
	cld
	movl	%ecx, %edi
	movq	%r11, %rbx
	call	arrived
	movq	AREA_RESUMER_RSP(%rbx), %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

/*
 * void resume_context(const u64 *gpr, struct area *area): RAX, RCX, R11 and RSP
 * are in the frame.
 */
	.globl resume_context
resume_context:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, AREA_RESUMER_RSP(%rsi)
	movq	2 * 8(%rdi), %rdx
	movq	3 * 8(%rdi), %rbx
	movq	5 * 8(%rdi), %rbp
	movq	6 * 8(%rdi), %rsi
	movq	8 * 8(%rdi), %r8
	movq	9 * 8(%rdi), %r9
	movq	10 * 8(%rdi), %r10
	movq	12 * 8(%rdi), %r12
	movq	13 * 8(%rdi), %r13
	movq	14 * 8(%rdi), %r14
	movq	15 * 8(%rdi), %r15
	movq	7 * 8(%rdi), %rdi
	movl	$RINGLET_HC_IRET, %eax
	syscall
	ud2

/* u64 hypercall(u64 nr, u64 a, u64 b, u64 c) */
	.globl hypercall
hypercall:
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	syscall
	ret

/* u64 hypercall5(u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e) */
	.globl hypercall5
hypercall5:
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	movq	%r9, %r8
	syscall
	ret

	.macro note type, value
	.balign 4
	.long 2f - 1f, 8, \type
1:	.asciz RINGLET_NOTE_NAME
2:	.balign 4
	.quad \value
	.endm

	.section .note, "a", @note
	note RINGLET_NOTE_ABI, RINGLET_ABI_VERSION
	note RINGLET_NOTE_ENTRY, _start

	.bss
	.balign 16
	.globl initial
initial:
	.skip 51 * 8
	.balign 16
	.globl initial_other
initial_other:
	.skip 51 * 8

	.section .note.GNU-stack, "", @progbits
