/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_VIRTQUEUE_H
#define LAUNCHER_VIRTQUEUE_H

#include <sys/uio.h>

#include "types.h"

struct memory;

#define VIRTQUEUE_MAX 128 /* entries that a device offers */

/**
 * struct virtqueue - a split ring, as far as the device keeps it
 * @mem: where the rings and buffers are
 * @num: entries; a power of two, at most VIRTQUEUE_MAX
 * @ready: set up, checked and in use
 * @indirect: the driver may use indirect descriptors
 * @desc_gpa: descriptor table, as the driver wrote it
 * @avail_gpa: available ring
 * @used_gpa: used ring
 * @last_avail: next entry of the available ring that the device takes
 * @used_idx: the device's own copy; what the ring says is the guest's to spoil
 * @error: why the ring is unusable, once it is
 */
struct virtqueue {
	const struct memory *mem;
	u32 num;
	bool ready;
	bool indirect;
	u64 desc_gpa;
	u64 avail_gpa;
	u64 used_gpa;
	u16 last_avail;
	u16 used_idx;
	const char *error;
};

/**
 * struct virtqueue_chain - one buffer that the driver made available
 * @head: its first descriptor, which names it in the used ring
 * @nr_out: parts that the device reads; they come first
 * @nr_in: parts that the device writes
 * @iov: the parts, all inside guest memory
 */
struct virtqueue_chain {
	u16 head;
	u32 nr_out;
	u32 nr_in;
	struct iovec iov[VIRTQUEUE_MAX];
};

bool virtqueue_enable(struct virtqueue *vq);
void virtqueue_reset(struct virtqueue *vq);
bool virtqueue_peek(struct virtqueue *vq, struct virtqueue_chain *chain);
bool virtqueue_pop(struct virtqueue *vq, const struct virtqueue_chain *chain,
		   u32 written);

#endif
