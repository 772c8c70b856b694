/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The register image that vectors.c and vectors_regs.S share, and its offsets
 * for the assembler. World: user mode.
 */
#ifndef _VECTORS_REGS_H
#define _VECTORS_REGS_H

/* Byte offsets in struct vector_image. */
#define IMAGE_ZMM 0 /* 32 x 64 */
#define IMAGE_K 2048 /* 8 x 8 */
#define IMAGE_X87 2112 /* 8 x 16, of which 10 count */
#define IMAGE_MXCSR 2240
#define IMAGE_FCW 2244
#define IMAGE_PKRU 2248
#define IMAGE_SIZE 2304

/* What this CPU and kernel offer: bits of `have`. SSE and x87 are always. */
#define HAVE_AVX 1
#define HAVE_AVX512 2 /* F, BW (64-bit masks) and the state in XCR0 */
#define HAVE_PKRU 4

/* What to do between load and store: vector_window()'s `what`. */
#define WINDOW_SPIN 0 /* count `arg` down */
#define WINDOW_SYSCALL 1 /* system call number `arg`, no arguments */
#define WINDOW_TOUCH 2 /* write one byte at `arg` */

#ifndef __ASSEMBLER__

#include <stdint.h>

struct vector_image {
	uint8_t zmm[32][64];
	uint64_t k[8];
	uint8_t x87[8][16];
	uint32_t mxcsr;
	uint16_t fcw;
	uint16_t pad;
	uint32_t pkru;
	uint8_t reserved[52];
} __attribute__((aligned(64)));

_Static_assert(__builtin_offsetof(struct vector_image, k) == IMAGE_K, "");
_Static_assert(__builtin_offsetof(struct vector_image, x87) == IMAGE_X87, "");
_Static_assert(__builtin_offsetof(struct vector_image, mxcsr) == IMAGE_MXCSR,
	       "");
_Static_assert(__builtin_offsetof(struct vector_image, fcw) == IMAGE_FCW, "");
_Static_assert(__builtin_offsetof(struct vector_image, pkru) == IMAGE_PKRU, "");
_Static_assert(sizeof(struct vector_image) == IMAGE_SIZE, "");

/*
 * Load everything from @in, do @what with @arg, store everything to @out.
 * Returns what the system call returned. MXCSR, FCW and PKRU are put back to
 * their defaults.
 */
uint64_t vector_window(const struct vector_image *in, struct vector_image *out,
		       unsigned int have, unsigned int what, uint64_t arg);

#endif /* !__ASSEMBLER__ */
#endif /* _VECTORS_REGS_H */
