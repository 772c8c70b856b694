/* SPDX-License-Identifier: GPL-2.0 */
/* Frames and gates of the guest ABI; see frame.c. */
#ifndef RINGLET_FRAME_H
#define RINGLET_FRAME_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/types.h>

#include "../include/uapi/ringlet.h"
#include "../switcher/window.h"

/* clang-format off */
#define RINGLET_RFLAGS_FIXED	BIT_ULL(1)
#define RINGLET_RFLAGS_IF	BIT_ULL(9)
/* clang-format on */

int ringlet_gate_index(u64 gate);
bool ringlet_gate_address_valid(u64 address);

void ringlet_frame_load(const struct ringlet_frame *frame,
			struct ringlet_gprs *gprs);
bool ringlet_frame_user_valid(const struct ringlet_frame *frame, u64 *error);

/**
 * ringlet_frame_save() - write an interrupted context down
 * @frame: receives it; error, vector and rax are not touched
 * @gprs: the registers
 * @user_mode: they are guest user mode's
 * @virtual_if: the guest kernel took interrupts
 *
 * Guest user mode always takes interrupts, whatever its RFLAGS say: the CPU's
 * own IF is the host's. Guest kernel mode ran with the user's selectors.
 */
static __always_inline void ringlet_frame_save(struct ringlet_frame *frame,
					       const struct ringlet_gprs *gprs,
					       bool user_mode, bool virtual_if)
{
	u64 rflags = gprs->rflags & ~RINGLET_RFLAGS_IF;

	if (user_mode || virtual_if)
		rflags |= RINGLET_RFLAGS_IF;
	frame->rip = gprs->rip;
	frame->cs = user_mode ? gprs->cs : RINGLET_KERNEL_CS;
	frame->rflags = rflags;
	frame->rsp = gprs->rsp;
	frame->ss = user_mode ? gprs->ss : RINGLET_KERNEL_SS;
	frame->rcx = gprs->rcx;
	frame->r11 = gprs->r11;
}

/**
 * ringlet_frame_enter() - into the guest kernel by a gate
 * @shared: the vCPU's shared page; not busy, or what it holds is lost
 * @gprs: the registers of what is interrupted; receives the handler's
 * @user_mode: they are guest user mode's
 * @gate: the handler's address
 * @vector: what the guest kernel is told of the reason
 * @error: the same
 *
 * The part that does not depend on who delivers: the caller sees to GS bases,
 * mode and root, which the switcher has in the CPU and the module in memory.
 */
static __always_inline void ringlet_frame_enter(struct ringlet_shared *shared,
						struct ringlet_gprs *gprs,
						bool user_mode, u64 gate,
						unsigned int vector, u64 error)
{
	ringlet_frame_save(&shared->event, gprs, user_mode,
			   READ_ONCE(shared->flags) & RINGLET_RFLAGS_IF);
	shared->event.error = error;
	shared->event.vector = vector;
	WRITE_ONCE(shared->busy, 1);
	WRITE_ONCE(shared->flags, 0);
	gprs->rip = gate;
	gprs->cs = RINGLET_USER_CS;
	gprs->ss = RINGLET_USER_SS;
	/* AC, TF, NT, RF and DF are clear in a handler (pitfalls 18). */
	gprs->rflags = RINGLET_RFLAGS_IF | RINGLET_RFLAGS_FIXED;
}

#endif
