/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Load every register of the extended state with a pattern, wait, store every
 * register. One function, so that no compiled code runs in between: whatever
 * differs afterwards was changed from outside.
 *
 * World: user mode. Between load and store nothing touches vector state, and
 * the only memory written is what WINDOW_TOUCH names. AVX-512 instructions run
 * only if `have` says so, AVX ones likewise.
 */
#include "vectors_regs.h"

	.text
	.globl	vector_window
	.type	vector_window, @function
vector_window:			/* rdi in, rsi out, edx have, ecx what, r8 arg */
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	sub	$16, %rsp
	mov	%rdi, %r12
	mov	%rsi, %r13
	mov	%edx, %ebx
	mov	%ecx, %r14d
	xor	%ebp, %ebp
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)

	/* x87: pushed from the last to the first, so x87[i] is ST(i). */
	fninit
	.irp	n, 7, 6, 5, 4, 3, 2, 1, 0
	fldt	IMAGE_X87 + \n * 16(%r12)
	.endr
	fldcw	IMAGE_FCW(%r12)
	ldmxcsr	IMAGE_MXCSR(%r12)

	test	$HAVE_AVX512, %ebx
	jnz	.Lload512
	test	$HAVE_AVX, %ebx
	jnz	.Lload256
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqa	\n * 64(%r12), %xmm\n
	.endr
	jmp	.Lloaded
.Lload256:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vmovdqa	\n * 64(%r12), %ymm\n
	.endr
	jmp	.Lloaded
.Lload512:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vmovdqa64 \n * 64(%r12), %zmm\n
	.endr
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	vmovdqa64 \n * 64(%r12), %zmm\n
	.endr
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7
	kmovq	IMAGE_K + \n * 8(%r12), %k\n
	.endr
.Lloaded:
	test	$HAVE_PKRU, %ebx
	jz	1f
	mov	IMAGE_PKRU(%r12), %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	wrpkru
1:
	cmp	$WINDOW_SYSCALL, %r14d
	je	.Lsyscall
	cmp	$WINDOW_TOUCH, %r14d
	je	.Ltouch
2:	dec	%r8
	jnz	2b
	jmp	.Lstore
.Lsyscall:
	mov	%r8, %rax
	syscall
	mov	%rax, %rbp
	jmp	.Lstore
.Ltouch:
	movb	$1, (%r8)

.Lstore:
	test	$HAVE_PKRU, %ebx
	jz	3f
	xor	%ecx, %ecx
	rdpkru
	mov	%eax, IMAGE_PKRU(%r13)
	xor	%eax, %eax
	xor	%edx, %edx
	wrpkru
3:
	test	$HAVE_AVX512, %ebx
	jnz	.Lstore512
	test	$HAVE_AVX, %ebx
	jnz	.Lstore256
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqa	%xmm\n, \n * 64(%r13)
	.endr
	jmp	.Lstored
.Lstore256:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vmovdqa	%ymm\n, \n * 64(%r13)
	.endr
	vzeroupper
	jmp	.Lstored
.Lstore512:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vmovdqa64 %zmm\n, \n * 64(%r13)
	.endr
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	vmovdqa64 %zmm\n, \n * 64(%r13)
	.endr
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7
	kmovq	%k\n, IMAGE_K + \n * 8(%r13)
	.endr
	vzeroupper
.Lstored:
	stmxcsr	IMAGE_MXCSR(%r13)
	fnstcw	IMAGE_FCW(%r13)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7
	fstpt	IMAGE_X87 + \n * 16(%r13)
	.endr
	fninit
	ldmxcsr	(%rsp)
	fldcw	4(%rsp)
	mov	%rbp, %rax
	add	$16, %rsp
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	.size	vector_window, . - vector_window

	.section .note.GNU-stack, "", @progbits
