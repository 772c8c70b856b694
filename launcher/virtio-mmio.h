/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_VIRTIO_MMIO_H
#define LAUNCHER_VIRTIO_MMIO_H

#include <pthread.h>

#include "types.h"
#include "virtqueue.h"

#define VIRTIO_MMIO_SIZE 0x1000

struct virtio_device;

/**
 * struct virtio_ops - what a kind of device does; the device's lock is held
 * @notify: the driver put buffers into a queue
 * @reset: the driver reset the device; the queues are already
 */
struct virtio_ops {
	void (*notify)(struct virtio_device *dev, u32 queue);
	void (*reset)(struct virtio_device *dev);
};

/**
 * struct virtio_device - the part that all devices share
 * @lock: guards all of the device, its kind's part too. Taken by vCPU threads
 *	for a register access and by the I/O thread for data from outside
 * @name: for messages
 * @gpa: its registers
 * @irq: its interrupt line
 * @vm_fd: where to raise it
 * @id: virtio's device number
 * @features: what it offers
 * @driver_features: what the driver took
 * @feature_sel: half of @features that the driver reads
 * @driver_feature_sel: half that it writes
 * @status: the driver's progress, and our NEEDS_RESET
 * @interrupt_status: what the driver has not acknowledged
 * @queue_sel: queue that the queue registers mean
 * @generation: counts changes of @config
 * @broken: the driver broke a rule once, and that was said
 * @config: the kind's configuration space
 * @config_len: its length
 * @queues: its queues
 * @nr_queues: how many
 * @ops: its kind
 */
struct virtio_device {
	pthread_mutex_t lock;
	const char *name;
	u64 gpa;
	u32 irq;
	int vm_fd;
	u32 id;
	u64 features;
	u64 driver_features;
	u32 feature_sel;
	u32 driver_feature_sel;
	u32 status;
	u32 interrupt_status;
	u32 queue_sel;
	u32 generation;
	bool broken;
	void *config;
	u32 config_len;
	struct virtqueue *queues;
	u32 nr_queues;
	const struct virtio_ops *ops;
};

void virtio_device_init(struct virtio_device *dev, const struct memory *mem);
bool virtio_mmio_access(struct virtio_device *dev, u64 gpa, u8 *data, u32 len,
			bool is_write);
void virtio_interrupt(struct virtio_device *dev, u32 why);
void virtio_check_queue(struct virtio_device *dev, struct virtqueue *vq);
bool virtio_has_feature(const struct virtio_device *dev, u32 bit);

#endif
