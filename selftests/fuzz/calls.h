/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where things are in the guest of the hypercall fuzzer: for its launcher,
 * calls.c, and for the guest itself, calls_guest.S.
 */
#ifndef CALLS_H
#define CALLS_H

/* clang-format off */
#define BOOT_BASE	0xffffffff80000000
#define GATES		36		/* exceptions, INT80, SYSCALL, SYSCALL32, INTERRUPT */

/* Guest-physical */
#define PML4		0x1000
#define PDPT_LOW	0x2000
#define PD_LOW		0x3000
#define PDPT_HIGH	0x4000
#define PD_HIGH		0x5000
#define PT_LOOSE_HIGH	0x6000		/* these two are rewritten all the time */
#define PT_LOOSE_LOW	0x7000
#define PT_USER		0x8000
#define PML4_MORE	0x9000		/* four more address spaces */
#define IMAGE		0x100000
#define USER_CODE	0x110000
#define AREAS		0x200000
#define STABLE_SIZE	0x400000	/* nobody takes these 4 MiB away */
#define LOOSE		0x400000	/* but these, at any time */
#define LOOSE_SIZE	0x400000
#define READ_ONLY	0x900000
#define READ_ONLY_SIZE	0x10000

/* Virtual */
#define AREAS_VA	(BOOT_BASE + AREAS)
#define USER_CODE_VA	0x400000
#define LOOSE_VA	(BOOT_BASE + LOOSE)
#define LOOSE_HIGH_VA	(BOOT_BASE + 0x800000)	/* by PT_LOOSE_HIGH */
#define LOOSE_LOW_VA	0x800000		/* by PT_LOOSE_LOW */
#define LOOSE_USER_VA	0xa00000		/* the loose slot, for users */

/* Places in the image */
#define IMAGE_START	0x0
#define IMAGE_AFTER	0x10
#define IMAGE_GATES	0x20
#define USER_SNIPPETS	16

/* A vCPU's area */
#define AREA_MASK	63		/* of a vCPU number */
#define AREA_SHIFT	15
#define AREA_POS	0		/* records begun */
#define AREA_N		8		/* records there are */
#define AREA_FRAMES	0x40		/* frames for IRET */
#define AREA_RECORDS	0x800
#define AREA_DONE	16		/* CONSOLE of that many bytes: all are done */
#define RECORDS		192
#define FRAMES		16
#define RECORD_SHIFT	7
#define RECORD_NR	0
#define RECORD_ARGS	8
#define RECORD_POKE	48
#define RECORD_POKE_VALUE 56
#define RECORD_FRAME	64
#define RECORD_RESULT	72
#define RECORD_EVENT	80		/* a gate's place plus one */

#define RINGLET_HC_CONSOLE_NR 11
/* clang-format on */

#endif
