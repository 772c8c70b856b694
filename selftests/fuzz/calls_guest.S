/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest of the hypercall fuzzer: it makes the calls that the launcher has
 * written down for it, and writes down what came of each. Guest kernel mode, on
 * every vCPU at once; no stack, every address absolute.
 *
 * The records of a vCPU are in its area (calls.h). Whatever happens, an event at
 * any gate, or a return to anywhere that lives, ends in `next': the one thing
 * that must survive is the vCPU's number in the shared page, and if that is
 * overwritten, another area serves as well.
 */
#include "uapi/ringlet.h"
#include "calls.h"

#define SHARED(field) (RINGLET_SHARED_VA + RINGLET_SHARED_##field)

	.text
	.globl calls_image, calls_image_end
calls_image:
	/* The launcher and the fuzzer's records know these places. */
	jmp	next			/* IMAGE_START */
	.org	IMAGE_AFTER
	jmp	after
	.org	IMAGE_GATES
	index = 0
	.rept	GATES
	.balign	16
	movl	$index, %ecx
	jmp	gate
	index = index + 1
	.endr

gate:
	movb	$0, SHARED(BUSY)
	movb	$0, SHARED(PENDING)
	cmpl	$GATES - 1, %ecx	/* an interrupt: take the lines */
	jne	1f
	xorl	%eax, %eax
	xchgq	%rax, SHARED(IRQ_PENDING)
1:	movl	SHARED(VCPU_ID), %eax
	andl	$AREA_MASK, %eax
	shll	$AREA_SHIFT, %eax
	leaq	AREAS_VA(%rax), %r14
	movq	AREA_POS(%r14), %r15
	decq	%r15
	cmpq	$RECORDS, %r15
	jae	next
	shlq	$RECORD_SHIFT, %r15
	leaq	AREA_RECORDS(%r14, %r15), %r15
	incl	%ecx
	movq	%rcx, RECORD_EVENT(%r15)
	jmp	next

after:
	movq	%rax, RECORD_RESULT(%r15)
next:
	movl	SHARED(VCPU_ID), %eax
	andl	$AREA_MASK, %eax
	shll	$AREA_SHIFT, %eax
	leaq	AREAS_VA(%rax), %r14
	movq	AREA_POS(%r14), %r15
	cmpq	AREA_N(%r14), %r15
	jae	full
	cmpq	$RECORDS, %r15
	jae	full
	incq	AREA_POS(%r14)
	shlq	$RECORD_SHIFT, %r15
	leaq	AREA_RECORDS(%r14, %r15), %r15

	/* A word anywhere, which may fault. */
	movq	RECORD_POKE(%r15), %rbx
	testq	%rbx, %rbx
	jz	1f
	movq	RECORD_POKE_VALUE(%r15), %rcx
	movq	%rcx, (%rbx)
1:
	/* A frame to return to: the launcher or another vCPU may be at it. */
	movq	RECORD_FRAME(%r15), %rsi
	testq	%rsi, %rsi
	jz	1f
	movq	$SHARED(RETURN), %rdi
	movl	$10, %ecx
	cld
	rep movsq
1:
	movq	RECORD_ARGS + 0(%r15), %rdi
	movq	RECORD_ARGS + 8(%r15), %rsi
	movq	RECORD_ARGS + 16(%r15), %rdx
	movq	RECORD_ARGS + 24(%r15), %r10
	movq	RECORD_ARGS + 32(%r15), %r8
	movq	RECORD_NR(%r15), %rax
	syscall
	jmp	after

full:
	movl	$RINGLET_HC_CONSOLE_NR, %eax
	movl	%r14d, %edi
	andl	$~(BOOT_BASE & 0xffffffff), %edi
	movl	$AREA_DONE, %esi
	syscall
	jmp	next
calls_image_end:

/* What guest user mode runs, each 16 bytes from the last: USER_SNIPPETS. */
	.globl calls_user, calls_user_end
	.balign	16
calls_user:
	int3
	.balign	16, 0xcc
	syscall
	int3
	.balign	16, 0xcc
	int	$0x80
	int3
	.balign	16, 0xcc
	ud2
	.balign	16, 0xcc
1:	jmp	1b			/* until an interrupt */
	.balign	16, 0xcc
	movq	%rax, (%rdi)
	int3
	.balign	16, 0xcc
	movq	(%rsi), %rax
	int3
	.balign	16, 0xcc
	rdtsc
	int3
	.balign	16, 0xcc
	int	$0x2
	.balign	16, 0xcc
	movl	%edx, %gs
	movl	%edx, %ds
	int3
	.balign	16, 0xcc
	wrgsbase %rdi
	wrfsbase %rsi
	syscall
	.balign	16, 0xcc
	jmp	*%rdi
	.balign	16, 0xcc
	xorl	%edx, %edx
	divl	%edx
	.balign	16, 0xcc
	pushq	%rdi
	popfq
	nop
	int3
	.balign	16, 0xcc
	sysenter
	.balign	16, 0xcc
	fldz
	vmovaps	%ymm0, %ymm1
	int3
	.balign	16, 0xcc
calls_user_end:

	.section .note.GNU-stack, "", @progbits
