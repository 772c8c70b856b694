/* SPDX-License-Identifier: GPL-2.0 */
/* A VM's linear map, whose leaves are its frame table; see linear.c. */
#ifndef RINGLET_LINEAR_H
#define RINGLET_LINEAR_H

#include <linux/types.h>

#include "paging.h"

/* clang-format off */
#define RINGLET_LINEAR_GIBS	256	/* of the map; the table goes on */
#define RINGLET_FRAMES_PER_GIB	(1UL << 18)
/* clang-format on */

/**
 * struct ringlet_linear - a VM's linear map and frame table
 * @level2: its level-2 tables, by GiB; NULL beyond the map where no memory is
 * @nr_gibs: of them
 * @hole: the level-1 table of all that is not memory, always empty
 * @nr_frames: frames below this are in the map and have a table, be it @hole
 */
struct ringlet_linear {
	u64 **level2;
	unsigned int nr_gibs;
	u64 *hole;
	u64 nr_frames;
};

int ringlet_linear_init(struct ringlet_linear *linear, u64 end);
int ringlet_linear_add(struct ringlet_linear *linear, u64 gfn, u64 npages);
void ringlet_linear_exit(struct ringlet_linear *linear);
void ringlet_linear_link(const struct ringlet_linear *linear, u64 *level3);
u64 *ringlet_linear_entry(const struct ringlet_linear *linear, u64 gfn);
void ringlet_linear_clear(struct ringlet_linear *linear, u64 gfn, u64 npages);
bool ringlet_linear_large(const struct ringlet_linear *linear, u64 gfn);
u64 ringlet_linear_pte(u64 pfn, bool writable);

#endif
