/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The smallest guest kernel there is: an ELF file with Ringlet's notes and one instruction that
 * faults before any gate is set, so that the module must end it and say why. With -DABI=N it
 * claims an ABI that launcher and module do not speak. Runs as a guest, if it runs.
 */
#include "uapi/ringlet.h"

#if ABI == 0
#undef ABI
#define ABI RINGLET_ABI_VERSION
#endif

	.text
	.globl _start
_start:
	ud2

	.macro note type, value
	.balign 4
	.long 2f - 1f, 8, \type
1:	.asciz RINGLET_NOTE_NAME
2:	.balign 4
	.quad \value
	.endm

	.section .note, "a", @note
	note RINGLET_NOTE_ABI, ABI
	note RINGLET_NOTE_ENTRY, _start

	.section .note.GNU-stack, "", @progbits
