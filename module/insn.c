// SPDX-License-Identifier: GPL-2.0
/*
 * A decoder for the instructions that Ringlet carries out for a guest: the MOVs
 * that Linux's readl() and writel() are made of, and what a pv_ops kernel still
 * executes although ring 3 may not. Anything else is "unknown", and its #GP or
 * its access to nothing is the guest's problem. Pure logic.
 */
#include "insn.h"

struct cursor {
	const u8 *bytes;
	unsigned int available;
	unsigned int at;
	bool operand16;
	u8 rex;
	bool overrun;
};

static u8 next(struct cursor *c)
{
	if (c->at >= c->available || c->at >= RINGLET_INSN_MAX) {
		c->overrun = true;
		return 0;
	}
	return c->bytes[c->at++];
}

/* Prefixes; LOCK and REP never belong to what we know. */
static u8 opcode(struct cursor *c)
{
	u8 byte;

	for (;;) {
		byte = next(c);
		if (byte == 0x66)
			c->operand16 = true;
		else if (byte != 0x2e && byte != 0x36 && byte != 0x3e &&
			 byte != 0x26 && byte != 0x64 && byte != 0x65)
			break;
	}
	if ((byte & 0xf0) == 0x40) {
		c->rex = byte;
		byte = next(c);
	}
	return byte;
}

static unsigned int operand_size(const struct cursor *c)
{
	if (c->rex & 8)
		return 8;
	return c->operand16 ? 2 : 4;
}

/* Step over ModRM, SIB and displacement; false if it names no memory. */
static bool modrm(struct cursor *c, unsigned int *reg)
{
	u8 byte = next(c);
	unsigned int mod = byte >> 6, rm = byte & 7;

	*reg = (byte >> 3 & 7) | (c->rex & 4) << 1;
	if (mod == 3)
		return false;
	if (rm == 4 && (next(c) & 7) == 5 && mod == 0)
		c->at += 4;
	if (mod == 1)
		c->at += 1;
	else if (mod == 2 || (mod == 0 && rm == 5))
		c->at += 4;
	return true;
}

/* AH, CH, DH, BH: a byte register without REX. Linux never uses them here. */
static bool high_byte(const struct cursor *c, const struct ringlet_insn *insn)
{
	return insn->size == 1 && !c->rex && insn->reg >= 4;
}

static bool decode_mov(struct cursor *c, u8 op, struct ringlet_insn *insn)
{
	insn->size = op & 1 ? operand_size(c) : 1;
	insn->kind = op & 2 ? RINGLET_INSN_LOAD : RINGLET_INSN_STORE;
	insn->zero_extend = insn->size == 4;
	return modrm(c, &insn->reg) && !high_byte(c, insn);
}

static bool decode_mov_imm(struct cursor *c, u8 op, struct ringlet_insn *insn)
{
	unsigned int bytes, i;
	u32 imm = 0;

	insn->kind = RINGLET_INSN_STORE_IMM;
	insn->size = op & 1 ? operand_size(c) : 1;
	if (!modrm(c, &insn->reg) || (insn->reg & 7))
		return false;
	bytes = insn->size == 8 ? 4 : insn->size;
	for (i = 0; i < bytes; i++)
		imm |= (u32)next(c) << (8 * i);
	insn->imm = (s64)(s32)imm;
	return true;
}

static bool decode_port(struct cursor *c, u8 op, struct ringlet_insn *insn)
{
	insn->kind = op & 2 ? RINGLET_INSN_OUT : RINGLET_INSN_IN;
	/* There are no ports of 64 bits; REX.W overrides 66 all the same. */
	insn->size = op & 1 ? (operand_size(c) == 2 ? 2 : 4) : 1;
	if (!(op & 8))
		next(c); /* the port as an immediate */
	return true;
}

static bool decode_two_byte(struct cursor *c, struct ringlet_insn *insn)
{
	u8 op = next(c);

	switch (op) {
	case 0x01:
		insn->kind = RINGLET_INSN_XSETBV;
		return next(c) == 0xd1;
	case 0xb6:
	case 0xb7:
		insn->kind = RINGLET_INSN_LOAD;
		insn->size = op == 0xb6 ? 1 : 2;
		insn->zero_extend = true;
		/* To a 16-bit register it would keep the rest: nobody does. */
		return !c->operand16 && modrm(c, &insn->reg);
	}
	return false;
}

static bool decode_one_byte(struct cursor *c, u8 op, struct ringlet_insn *insn)
{
	switch (op) {
	case 0x0f:
		return decode_two_byte(c, insn);
	case 0x88 ... 0x8b:
		return decode_mov(c, op, insn);
	case 0xc6 ... 0xc7:
		return decode_mov_imm(c, op, insn);
	case 0xe4 ... 0xe7:
	case 0xec ... 0xef:
		return decode_port(c, op, insn);
	case 0xf4:
		insn->kind = RINGLET_INSN_HLT;
		return true;
	case 0xfa:
		insn->kind = RINGLET_INSN_CLI;
		return true;
	case 0xfb:
		insn->kind = RINGLET_INSN_STI;
		return true;
	}
	return false;
}

/**
 * ringlet_decode() - decode one instruction
 * @bytes: from its first
 * @available: number of them
 * @insn: receives the result
 *
 * Return: true if it is one that is known, complete within @available.
 */
bool ringlet_decode(const u8 *bytes, unsigned int available,
		    struct ringlet_insn *insn)
{
	struct cursor c = { .bytes = bytes, .available = available };
	u8 op = opcode(&c);

	*insn = (struct ringlet_insn){ .kind = RINGLET_INSN_UNKNOWN };
	if (!decode_one_byte(&c, op, insn) || c.overrun || c.at > available ||
	    c.at > RINGLET_INSN_MAX) {
		insn->kind = RINGLET_INSN_UNKNOWN;
		return false;
	}
	insn->length = c.at;
	return true;
}
