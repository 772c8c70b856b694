// SPDX-License-Identifier: GPL-2.0
/*
 * Virtio's memory-mapped transport, version 2 (virtio 1.x, section 4.2): the
 * registers of one device, and the interrupt line behind them.
 *
 * virtio_mmio_access() runs in the vCPU thread whose guest touched a register,
 * with everything in it chosen by the guest. It takes the device's lock.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../include/uapi/ringlet.h"
#include "status.h"
#include "virtio-mmio.h"

#define VIRTIO_MMIO_MAGIC 0x74726976 /* "virt" */
#define VIRTIO_MMIO_VENDOR 0x544c4752 /* "RGLT" */

bool virtio_has_feature(const struct virtio_device *dev, u32 bit)
{
	return dev->driver_features >> bit & 1;
}

/*
 * The driver's handler reads the pending bits, acknowledges them (under our
 * lock), and only then looks into the rings. So a bit that is still set will
 * be noticed with all that went before it, and one edge is enough.
 */
void virtio_interrupt(struct virtio_device *dev, u32 why)
{
	if ((dev->interrupt_status & why) == why)
		return;
	dev->interrupt_status |= why;
	ioctl(dev->vm_fd, RINGLET_IRQ_RAISE, dev->irq);
}

/* Tells driver and user when the guest broke a queue. */
void virtio_check_queue(struct virtio_device *dev, struct virtqueue *vq)
{
	if (!vq->error)
		return;
	/* Once: a guest that does so all the time is not to fill a stderr. */
	if (!dev->broken)
		say("the guest broke its %s: %s", dev->name, vq->error);
	dev->broken = true;
	vq->error = NULL;
	dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	virtio_interrupt(dev, VIRTIO_MMIO_INT_CONFIG);
}

static void reset(struct virtio_device *dev)
{
	u32 i;

	dev->status = 0;
	dev->interrupt_status = 0;
	dev->driver_features = 0;
	dev->queue_sel = 0;
	/* While it can see what is in the queues. */
	dev->ops->reset(dev);
	for (i = 0; i < dev->nr_queues; i++)
		virtqueue_reset(&dev->queues[i]);
}

void virtio_device_init(struct virtio_device *dev, const struct memory *mem)
{
	u32 i;

	pthread_mutex_init(&dev->lock, NULL);
	for (i = 0; i < dev->nr_queues; i++)
		dev->queues[i].mem = mem;
}

static struct virtqueue *selected_queue(struct virtio_device *dev)
{
	return dev->queue_sel < dev->nr_queues ? &dev->queues[dev->queue_sel] :
						 NULL;
}

static u32 read_queue_register(struct virtio_device *dev, u32 offset)
{
	struct virtqueue *vq = selected_queue(dev);

	if (!vq)
		return 0;
	return offset == VIRTIO_MMIO_QUEUE_READY ? vq->ready : VIRTQUEUE_MAX;
}

static u32 read_register(struct virtio_device *dev, u32 offset)
{
	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return VIRTIO_MMIO_MAGIC;
	case VIRTIO_MMIO_VERSION:
		return 2;
	case VIRTIO_MMIO_DEVICE_ID:
		return dev->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VIRTIO_MMIO_VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return dev->feature_sel < 2 ?
			       dev->features >> (32 * dev->feature_sel) :
			       0;
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
	case VIRTIO_MMIO_QUEUE_READY:
		return read_queue_register(dev, offset);
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return dev->interrupt_status;
	case VIRTIO_MMIO_STATUS:
		return dev->status;
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return dev->generation;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
		return ~0; /* no shared memory regions */
	default:
		return 0;
	}
}

static void set_half(u64 *value, bool high, u32 half)
{
	u64 mask = high ? 0xffffffffULL : 0xffffffffULL << 32;

	*value = (*value & mask) | (u64)half << (high ? 32 : 0);
}

static void set_queue_ready(struct virtio_device *dev, struct virtqueue *vq,
			    bool ready)
{
	if (!ready) {
		vq->ready = false;
		return;
	}
	vq->indirect = virtio_has_feature(dev, VIRTIO_RING_F_INDIRECT_DESC);
	virtqueue_enable(vq);
	virtio_check_queue(dev, vq);
}

static void write_queue_register(struct virtio_device *dev, u32 offset,
				 u32 value)
{
	struct virtqueue *vq = selected_queue(dev);

	if (!vq || (vq->ready && offset != VIRTIO_MMIO_QUEUE_READY))
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		vq->num = value;
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		set_queue_ready(dev, vq, value & 1);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_half(&vq->desc_gpa, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH,
			 value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_half(&vq->avail_gpa, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH,
			 value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_half(&vq->used_gpa, offset == VIRTIO_MMIO_QUEUE_USED_HIGH,
			 value);
		break;
	}
}

static void write_status(struct virtio_device *dev, u32 value)
{
	if (!value) {
		reset(dev);
		return;
	}
	/* A driver that wants what was not offered does not get its OK. */
	if (dev->driver_features & ~dev->features)
		value &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	dev->status = (value & ~VIRTIO_CONFIG_S_NEEDS_RESET) |
		      (dev->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void write_register(struct virtio_device *dev, u32 offset, u32 value)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		dev->feature_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		dev->driver_feature_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		if (dev->driver_feature_sel < 2 &&
		    !(dev->status & VIRTIO_CONFIG_S_FEATURES_OK))
			set_half(&dev->driver_features, dev->driver_feature_sel,
				 value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		dev->queue_sel = value;
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		if (value < dev->nr_queues)
			dev->ops->notify(dev, value);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		dev->interrupt_status &= ~value;
		break;
	case VIRTIO_MMIO_STATUS:
		write_status(dev, value);
		break;
	default:
		write_queue_register(dev, offset, value);
		break;
	}
}

/* The configuration space may be read in any size, and past its end as 0. */
static void read_config(struct virtio_device *dev, u32 offset, u8 *data,
			u32 len)
{
	if (offset < dev->config_len)
		memcpy(data, (u8 *)dev->config + offset,
		       min(len, dev->config_len - offset));
}

static void access_register(struct virtio_device *dev, u32 offset, u8 *data,
			    u32 len, bool is_write)
{
	u32 value;

	/* The registers are 32 bits wide, and virtio wants them accessed so. */
	if (len != sizeof(value) || offset % sizeof(value))
		return;
	if (is_write) {
		memcpy(&value, data, sizeof(value));
		write_register(dev, offset, value);
	} else {
		value = read_register(dev, offset);
		memcpy(data, &value, sizeof(value));
	}
}

/* False if the address is not this device's. Reads of nothing give 0. */
bool virtio_mmio_access(struct virtio_device *dev, u64 gpa, u8 *data, u32 len,
			bool is_write)
{
	u64 offset = gpa - dev->gpa;

	if (gpa < dev->gpa || offset >= VIRTIO_MMIO_SIZE)
		return false;
	if (!is_write)
		memset(data, 0, len);
	pthread_mutex_lock(&dev->lock);
	if (offset < VIRTIO_MMIO_CONFIG)
		access_register(dev, offset, data, len, is_write);
	else if (!is_write)
		read_config(dev, offset - VIRTIO_MMIO_CONFIG, data, len);
	pthread_mutex_unlock(&dev->lock);
	return true;
}
