/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's init, a static program of its own, carried in the launcher as
 * bytes so that the launcher stays one file. initramfs.c wraps it in cpio.
 */
	.section .rodata
	.balign 16
	.globl init_blob
init_blob:
	.incbin "init/ringlet-init"
	.globl init_blob_end
init_blob_end:
	.byte 0
	.section .note.GNU-stack, "", @progbits
