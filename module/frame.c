// SPDX-License-Identifier: GPL-2.0
/*
 * Frames and gates of the guest ABI: how an interrupted context is written
 * down for the guest kernel, and what of a frame that the guest has written may
 * go into registers. Pure logic on copies; event.c knows when, and reads and
 * writes the shared page.
 */
#include <linux/bits.h>
#include <linux/build_bug.h>

#include "descriptor.h"
#include "frame.h"
#include "paging.h"

/* Places of the gates that are no exceptions. */
enum {
	INDEX_INT80 = RINGLET_GATE_EXCEPTIONS,
	INDEX_SYSCALL,
	INDEX_SYSCALL32,
	INDEX_INTERRUPT,
};

static_assert(INDEX_INTERRUPT + 1 == RINGLET_GATES);
static_assert(INDEX_SYSCALL == RINGLET_GATE_PLACE_SYSCALL);

/**
 * ringlet_gate_index() - a gate's place in a table of RINGLET_GATES
 * @gate: RINGLET_GATE_*, or a vector below 32
 *
 * Return: the place; negative if there is no such gate.
 */
int ringlet_gate_index(u64 gate)
{
	if (gate < RINGLET_GATE_EXCEPTIONS)
		return gate;
	switch (gate) {
	case RINGLET_GATE_INT80:
		return INDEX_INT80;
	case RINGLET_GATE_SYSCALL:
		return INDEX_SYSCALL;
	case RINGLET_GATE_SYSCALL32:
		return INDEX_SYSCALL32;
	case RINGLET_GATE_INTERRUPT:
		return INDEX_INTERRUPT;
	}
	return -1;
}

/**
 * ringlet_gate_address_valid() - can the guest kernel be entered there?
 * @address: canonical and in the upper half, or 0 for none
 *
 * Return: true if so.
 */
bool ringlet_gate_address_valid(u64 address)
{
	return !address ||
	       (ringlet_canonical(address) && ringlet_upper_half(address));
}

/**
 * ringlet_frame_load() - put what a frame holds into registers
 * @frame: a copy that the guest cannot write
 * @gprs: receives all but the selectors, which depend on the mode
 */
void ringlet_frame_load(const struct ringlet_frame *frame,
			struct ringlet_gprs *gprs)
{
	gprs->rip = frame->rip;
	gprs->rflags = ringlet_sane_rflags(frame->rflags);
	gprs->rsp = frame->rsp;
	gprs->rax = frame->rax;
	gprs->rcx = frame->rcx;
	gprs->r11 = frame->r11;
}

/**
 * ringlet_frame_user_valid() - could IRETQ load this user context?
 * @frame: a copy that the guest cannot write
 * @error: receives #GP's error code if not
 *
 * Return: true if so. Natively the #GP is the user's: IRETQ has switched when
 * it finds out.
 */
bool ringlet_frame_user_valid(const struct ringlet_frame *frame, u64 *error)
{
	if (frame->cs != RINGLET_USER_CS && frame->cs != RINGLET_USER32_CS) {
		*error = frame->cs & 0xfffc;
		return false;
	}
	if (frame->ss != RINGLET_USER_SS) {
		*error = frame->ss & 0xfffc;
		return false;
	}
	*error = 0;
	return ringlet_canonical(frame->rip);
}
