// SPDX-License-Identifier: GPL-2.0
/*
 * The device's side of virtio's split rings. All that is read here was written
 * by the guest and may change while it is read: each field is copied once,
 * checked, and only the copy is used. A ring that breaks the rules is dead
 * until the driver resets the device; vq->error says what was wrong.
 *
 * The device's lock is held. Touches guest memory and nothing else.
 */
#include <linux/virtio_ring.h>
#include <string.h>

#include "memory.h"
#include "virtqueue.h"

static bool broken(struct virtqueue *vq, const char *why)
{
	vq->ready = false;
	vq->error = why;
	return false;
}

static u64 desc_size(u32 num)
{
	return (u64)num * sizeof(struct vring_desc);
}

static u64 avail_size(u32 num)
{
	return sizeof(struct vring_avail) + (u64)num * sizeof(__u16);
}

static u64 used_size(u32 num)
{
	return sizeof(struct vring_used) +
	       (u64)num * sizeof(struct vring_used_elem);
}

/* Guest memory never moves, so that what is checked here stays in bounds. */
bool virtqueue_enable(struct virtqueue *vq)
{
	if (!vq->num || vq->num > VIRTQUEUE_MAX || vq->num & (vq->num - 1))
		return broken(
			vq, "a queue's size is no power of two, or too large");
	if (vq->desc_gpa % 16 || vq->avail_gpa % 2 || vq->used_gpa % 4)
		return broken(vq, "a queue is misaligned");
	if (!memory_ptr(vq->mem, vq->desc_gpa, desc_size(vq->num)) ||
	    !memory_ptr(vq->mem, vq->avail_gpa, avail_size(vq->num)) ||
	    !memory_ptr(vq->mem, vq->used_gpa, used_size(vq->num)))
		return broken(vq, "a queue lies outside memory");
	vq->last_avail = 0;
	vq->used_idx = 0;
	vq->ready = true;
	return true;
}

void virtqueue_reset(struct virtqueue *vq)
{
	*vq = (struct virtqueue){ .mem = vq->mem };
}

static struct vring_avail *avail_ring(const struct virtqueue *vq)
{
	return memory_ptr(vq->mem, vq->avail_gpa, avail_size(vq->num));
}

static struct vring_used *used_ring(const struct virtqueue *vq)
{
	return memory_ptr(vq->mem, vq->used_gpa, used_size(vq->num));
}

static bool add_part(struct virtqueue *vq, struct virtqueue_chain *chain,
		     const struct vring_desc *desc)
{
	bool in = desc->flags & VRING_DESC_F_WRITE;
	u32 n = chain->nr_out + chain->nr_in;
	void *ptr = memory_ptr(vq->mem, desc->addr, desc->len);

	if (n == VIRTQUEUE_MAX)
		return broken(
			vq,
			"a buffer has too many parts, or its descriptors loop");
	if (!ptr)
		return broken(vq, "a buffer lies outside memory");
	if (!in && chain->nr_in)
		return broken(
			vq, "a buffer's readable part follows a writable one");

	chain->iov[n] = (struct iovec){ .iov_base = ptr, .iov_len = desc->len };
	if (in)
		chain->nr_in++;
	else
		chain->nr_out++;
	return true;
}

static void copy_desc(struct vring_desc *copy, const struct vring_desc *table,
		      u32 i)
{
	memcpy(copy, &table[i], sizeof(*copy));
	/* The compiler may not go back to the guest's table after this. */
	__asm__ volatile("" : "+m"(*copy) : : "memory");
}

/*
 * Follows one table from descriptor @i to its end. add_part() bounds the steps,
 * which is what ends a loop. Returns with @last set to a descriptor that
 * points to an indirect table, or to the chain's last.
 */
static bool walk_table(struct virtqueue *vq, struct virtqueue_chain *chain,
		       const struct vring_desc *table, u32 num, u32 i,
		       struct vring_desc *last)
{
	for (;;) {
		if (i >= num)
			return broken(vq,
				      "a descriptor's number is out of range");
		copy_desc(last, table, i);
		if (last->flags & VRING_DESC_F_INDIRECT)
			return true;
		if (!add_part(vq, chain, last))
			return false;
		if (!(last->flags & VRING_DESC_F_NEXT))
			return true;
		i = last->next;
	}
}

static bool walk_indirect(struct virtqueue *vq, struct virtqueue_chain *chain,
			  const struct vring_desc *desc)
{
	const struct vring_desc *table =
		memory_ptr(vq->mem, desc->addr, desc->len);
	struct vring_desc last;

	if (!vq->indirect)
		return broken(vq,
			      "an indirect table, which was not negotiated");
	if (desc->flags & VRING_DESC_F_NEXT)
		return broken(vq, "an indirect table with a next descriptor");
	if (!table || !desc->len || desc->len % sizeof(*table))
		return broken(
			vq,
			"an indirect table has a bad length or lies outside memory");

	if (!walk_table(vq, chain, table, desc->len / sizeof(*table), 0, &last))
		return false;
	if (last.flags & VRING_DESC_F_INDIRECT)
		return broken(vq, "an indirect table inside another");
	return true;
}

/*
 * Looks at the next available buffer without taking it, so that a device can
 * serve a part of it now and the rest later. False if there is none.
 */
bool virtqueue_peek(struct virtqueue *vq, struct virtqueue_chain *chain)
{
	const struct vring_desc *table;
	struct vring_avail *avail;
	struct vring_desc last;
	u16 idx;

	if (!vq->ready)
		return false;
	avail = avail_ring(vq);
	idx = __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE);
	if (idx == vq->last_avail)
		return false;
	if ((u16)(idx - vq->last_avail) > vq->num)
		return broken(vq,
			      "more buffers are available than the queue has");

	chain->head = __atomic_load_n(&avail->ring[vq->last_avail % vq->num],
				      __ATOMIC_RELAXED);
	chain->nr_out = 0;
	chain->nr_in = 0;
	table = memory_ptr(vq->mem, vq->desc_gpa, desc_size(vq->num));
	if (!walk_table(vq, chain, table, vq->num, chain->head, &last))
		return false;
	if (last.flags & VRING_DESC_F_INDIRECT)
		return walk_indirect(vq, chain, &last);
	return true;
}

/*
 * Gives the buffer that was peeked at back to the driver. True if the driver
 * wants an interrupt for it.
 */
bool virtqueue_pop(struct virtqueue *vq, const struct virtqueue_chain *chain,
		   u32 written)
{
	struct vring_used *used = used_ring(vq);
	struct vring_used_elem elem = { .id = chain->head, .len = written };
	u16 flags;

	memcpy(&used->ring[vq->used_idx % vq->num], &elem, sizeof(elem));
	vq->last_avail++;
	vq->used_idx++;
	__atomic_store_n(&used->idx, vq->used_idx, __ATOMIC_RELEASE);

	/* The driver sets the flag, then looks at idx; we do it in reverse. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	flags = __atomic_load_n(&avail_ring(vq)->flags, __ATOMIC_RELAXED);
	return !(flags & VRING_AVAIL_F_NO_INTERRUPT);
}
