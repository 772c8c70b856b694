/* SPDX-License-Identifier: GPL-2.0 */
/* The few instructions that are ever decoded; see insn.c. */
#ifndef RINGLET_INSN_H
#define RINGLET_INSN_H

#include <linux/types.h>

#define RINGLET_INSN_MAX 15 /* bytes; SDM vol. 2, 2.3.11 */

enum ringlet_insn_kind {
	RINGLET_INSN_UNKNOWN,
	RINGLET_INSN_LOAD, /* MOV or MOVZX from memory to a register */
	RINGLET_INSN_STORE, /* MOV from a register to memory */
	RINGLET_INSN_STORE_IMM, /* MOV of an immediate to memory */
	RINGLET_INSN_IN, /* a port to AL, AX or EAX */
	RINGLET_INSN_OUT,
	RINGLET_INSN_XSETBV,
	RINGLET_INSN_HLT,
	RINGLET_INSN_CLI,
	RINGLET_INSN_STI,
};

/**
 * struct ringlet_insn - what was decoded
 * @kind: of instruction
 * @length: bytes
 * @size: of the memory or port access: 1, 2, 4, 8
 * @reg: register, SDM encoding order; for loads and stores
 * @zero_extend: the load clears the rest of the register
 * @imm: STORE_IMM's value, sign-extended
 */
struct ringlet_insn {
	enum ringlet_insn_kind kind;
	unsigned int length;
	unsigned int size;
	unsigned int reg;
	bool zero_extend;
	u64 imm;
};

bool ringlet_decode(const u8 *bytes, unsigned int available,
		    struct ringlet_insn *insn);

#endif
