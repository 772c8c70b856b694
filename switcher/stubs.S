/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The window's IDT leads here: one stub of 16 bytes for each vector, the last
 * page of the switcher's text. CPL 0, on a shadow root or, around the switch,
 * on the launcher's; nothing but the vector is known yet.
 *
 * A file of its own because fast.c's text lies between switch.S and this page.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/asm.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>
#include "../module/compat/asm.h"
#include "window.h"

	.section .text.ringlet_switcher, "ax", @progbits
/*
 * Vectors below 32 push an imm8, which leaves room for the zero that stands in
 * for an error code.
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
_ASM_NOKPROBE(ringlet_stubs)

	.balign 4096, 0xcc
SYM_ENTRY(ringlet_text_end, SYM_L_GLOBAL, SYM_A_NONE)

	.section .note.GNU-stack, "", @progbits
