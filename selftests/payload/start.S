/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The payload kernel's assembler: first instruction, gates, and the way into a
 * context and back. Guest kernel mode; every address is absolute, for there is
 * one vCPU and one stack of each kind.
 *
 * A gate knows nothing of who was interrupted: it writes all registers down,
 * has arrived() in runtime.c look, and returns to whoever called
 * resume_context(). If nobody did, arrived() does not return.
 */
#include "uapi/ringlet.h"

	.text
	.globl _start
_start:
	/* As they are found: a payload looks for what is nobody's business. */
	index = 0
	.irp	reg, rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	movq	%\reg, initial + index * 8
	index = index + 1
	.endr
	index = 16
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movups	%xmm\n, initial + index * 8
	index = index + 2
	.endr
	stmxcsr	initial + 48 * 8
	rdfsbase %rax
	movq	%rax, initial + 49 * 8
	rdgsbase %rax
	movq	%rax, initial + 50 * 8
	movq	$stack_end, %rsp
	movq	%rsi, %rdi
	xorl	%ebp, %ebp
	call	start
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
	movq	%rax, arrival + 0 * 8
	movq	%rdx, arrival + 2 * 8
	movq	%rbx, arrival + 3 * 8
	movq	%rsp, arrival + 4 * 8
	movq	%rbp, arrival + 5 * 8
	movq	%rsi, arrival + 6 * 8
	movq	%rdi, arrival + 7 * 8
	movq	%r8, arrival + 8 * 8
	movq	%r9, arrival + 9 * 8
	movq	%r10, arrival + 10 * 8
	movq	%r12, arrival + 12 * 8
	movq	%r13, arrival + 13 * 8
	movq	%r14, arrival + 14 * 8
	movq	%r15, arrival + 15 * 8
	movq	$stack_of_events_end, %rsp
	pushfq
	popq	%rsi
	cld
	movl	%ecx, %edi
	call	arrived
	movq	resumer_rsp, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

/* void resume_context(const u64 *gpr): RAX, RCX, R11 and RSP are in the frame. */
	.globl resume_context
resume_context:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, resumer_rsp
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
	.skip 0x4000
stack_end:
	.skip 0x4000
stack_of_events_end:
	.skip 0x1000
	.globl kernel_stack_end
kernel_stack_end:
	.globl arrival
arrival:
	.skip 16 * 8
	.globl initial
initial:
	.skip 51 * 8
resumer_rsp:
	.skip 8

	.section .note.GNU-stack, "", @progbits
