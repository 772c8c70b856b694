/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_MEMORY_H
#define LAUNCHER_MEMORY_H

#include "types.h"

/* Devices live between the end of low RAM and 4 GiB. */
/* clang-format off */
#define MEMORY_LOW_END		0xd0000000ULL
#define MEMORY_HIGH_START	(4 * GiB)
#define MEMORY_MAX_SLOTS	2
/* clang-format on */

struct memory_slot {
	u64 gpa;
	u64 size;
	u8 *hva;
};

struct memory {
	u64 size;
	u32 nr_slots;
	struct memory_slot slot[MEMORY_MAX_SLOTS];
};

void memory_check_size(u64 size);
void memory_alloc(struct memory *mem, u64 size);
void *memory_ptr(const struct memory *mem, u64 gpa, u64 len);

#endif
