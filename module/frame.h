/* SPDX-License-Identifier: GPL-2.0 */
/* Frames and gates of the guest ABI; see frame.c. */
#ifndef RINGLET_FRAME_H
#define RINGLET_FRAME_H

#include <linux/types.h>

#include "../include/uapi/ringlet.h"
#include "../switcher/window.h"

/* Gates: the exceptions by vector, then the others. */
#define RINGLET_GATES (RINGLET_GATE_EXCEPTIONS + 4)

int ringlet_gate_index(u64 gate);
bool ringlet_gate_address_valid(u64 address);

void ringlet_frame_save(struct ringlet_frame *frame,
			const struct ringlet_gprs *gprs, bool user_mode,
			bool virtual_if);
void ringlet_frame_load(const struct ringlet_frame *frame,
			struct ringlet_gprs *gprs);
bool ringlet_frame_user_valid(const struct ringlet_frame *frame, u64 *error);

#endif
