/* SPDX-License-Identifier: GPL-2.0 */
/* The instruction fuzzer's guest, as insns.c loads it; IMAGE, ENTRY and END are the Makefile's. */
	.section .rodata
	.globl guest_image, guest_image_end, guest_entry, guest_end
	.balign	8
guest_entry:
	.quad	ENTRY
guest_end:
	.quad	END
guest_image:
	.incbin	IMAGE
guest_image_end:

	.section .note.GNU-stack, "", @progbits
