/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_VCPU_H
#define LAUNCHER_VCPU_H

#include <pthread.h>
#include <time.h>

#include "status.h"
#include "types.h"
#include "vm.h"

struct vcpu;

/**
 * struct vcpu_ops - what a vCPU thread hands over; called in that thread
 * @mmio: an access outside memory
 * @console: early messages
 * @ended: the guest is over; called once per vCPU, last; without an outcome if
 *	another vCPU has it
 */
struct vcpu_ops {
	void (*mmio)(struct vcpu *vcpu, u64 gpa, u8 *data, u32 len,
		     bool is_write);
	void (*console)(struct vcpu *vcpu, u64 gpa, u64 len);
	void (*ended)(struct vcpu *vcpu, const struct outcome *outcome);
};

/**
 * struct vcpu - one virtual CPU and the thread that runs it
 * @fd: the module's vCPU
 * @run: its run page
 * @thread: the thread
 * @stop: the I/O thread wants it to leave
 * @ops: whom it hands over to
 * @data: theirs
 */
struct vcpu {
	int fd;
	struct ringlet_run *run;
	pthread_t thread;
	bool stop;
	const struct vcpu_ops *ops;
	void *data;
};

void vcpu_create(struct vcpu *vcpu, const struct vm *vm, u32 id);
void vcpu_set_boot_state(struct vcpu *vcpu, u64 entry, u64 zero_page, u64 pgd);
void vcpu_start(struct vcpu *vcpu);
void vcpu_stop(struct vcpu *vcpu);
bool vcpu_wait(struct vcpu *vcpu, const struct timespec *until);

#endif
