/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the halves of the instruction fuzzer: insns.c, which runs cases as an
 * ordinary process, and insns_guest.c, which runs the same in a guest. Both see
 * the batch and the code at once, by memory that they share; what a case may
 * write to is each half's own, at the same address.
 */
#ifndef INSNS_H
#define INSNS_H

#include <linux/types.h>

/* clang-format off */
#define GUEST_MEMORY	0x1400000UL
#define IMAGE_GPA	0x1000000UL	/* payload.ld */
#define ZERO_PAGE_GPA	0x10000UL
#define COMMAND_GPA	0x11000UL
#define TABLES_GPA	0x20000UL	/* the boot map: three pages */
#define BATCH_GPA	0x200000UL
#define CODE_GPA	0xe00000UL

/* The same for both; nothing else is mapped for gigabytes around. */
#define CODE_VA		0x100000000000UL
#define DATA_VA		(CODE_VA + 0x100000)	/* a page to write, one to read */
#define KERNEL_CODE_VA	0xffffc90000000000UL	/* the code, for guest kernel mode */

#define CASES		512
#define CODE_SLOT	64
#define CODE_SIZE	(CASES * CODE_SLOT)
#define FPU_SIZE	832			/* XSAVE of x87, SSE and AVX */
#define FPU_MASK	7
#define STEPS_MAX	8

/* Outcomes beside exceptions, in the numbers of the guest's gates */
#define OUTCOME_INT80	0x80
#define OUTCOME_SYSCALL	0x100
#define OUTCOME_SYSCALL32 0x101
#define OUTCOME_TIMEOUT	0x102
/* clang-format on */

struct insn_case {
	__u64 gpr[16]; /* the SDM's order */
	__u64 rflags; /* with TF: a step at a time */
	__u64 fsbase;
	__u64 gsbase;
	__u32 offset; /* of the code */
	__u32 steps; /* how many, with TF */
	__u32 data; /* how the data page is filled */
	__u32 insist; /* on TF: set it again where the code cleared it */
};

struct insn_outcome {
	__u64 vector;
	__u64 error;
	__u64 cr2;
	__u64 gpr[16];
	__u64 rip;
	__u64 rflags;
	__u64 cs;
	__u64 ss;
	__u64 fsbase;
	__u64 gsbase;
	__u64 selectors; /* DS, ES, FS, GS, 16 bits each */
	__u64 memory; /* a hash of the data page */
	__u64 last; /* RIP before the last step */
	__u32 steps;
	__u32 unused;
	__u64 more[2];
	__u8 fpu[FPU_SIZE] __attribute__((aligned(64)));
};

struct insn_batch {
	__u64 n;
	volatile __u64 done;
	__u64 kernel; /* in guest kernel mode */
	__u64 xcr0;
	__u64 unused[4];
	__u8 fpu[FPU_SIZE] __attribute__((aligned(64)));
	struct insn_case cases[CASES];
	struct insn_outcome outcomes[CASES] __attribute__((aligned(64)));
};

/* A page of words that differ from one another and from page to page. */
static inline void insn_fill(__u64 *page, __u64 how)
{
	__u64 word = how * 0x9e3779b97f4a7c15 + 1;
	int i;

	for (i = 0; i < 512; i++) {
		word ^= word << 13;
		word ^= word >> 7;
		word ^= word << 17;
		page[i] = word;
	}
}

static inline __u64 insn_hash(const __u64 *page)
{
	__u64 hash = 0;
	int i;

	for (i = 0; i < 512; i++)
		hash = (hash << 5 | hash >> 59) ^ page[i];
	return hash;
}

/* DS, ES, FS and GS as they are, from bit 0 up. */
static inline __u64 selectors(void)
{
	__u64 ds, es, fs, gs;

	asm volatile("mov %%ds, %0" : "=r"(ds));
	asm volatile("mov %%es, %0" : "=r"(es));
	asm volatile("mov %%fs, %0" : "=r"(fs));
	asm volatile("mov %%gs, %0" : "=r"(gs));
	return (ds & 0xffff) | (es & 0xffff) << 16 | (fs & 0xffff) << 32 |
	       gs << 48;
}

#endif
