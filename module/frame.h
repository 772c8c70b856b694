/* SPDX-License-Identifier: GPL-2.0 */
/* Frames and gates of the guest ABI; see frame.c. */
#ifndef RINGLET_FRAME_H
#define RINGLET_FRAME_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/types.h>

#include "../include/uapi/ringlet.h"
#include "../switcher/window.h"

#define RINGLET_RFLAGS_IF BIT_ULL(9)

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

#endif
