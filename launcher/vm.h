/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_VM_H
#define LAUNCHER_VM_H

#include "../include/uapi/ringlet.h"
#include "types.h"

#define VM_DEVICE_NODE "/dev/ringlet"

struct memory;

/**
 * struct vm - the module's side of a guest
 * @dev_fd: /dev/ringlet
 * @fd: the VM
 * @info: what the module offers
 */
struct vm {
	int dev_fd;
	int fd;
	struct ringlet_info info;
};

int vm_open_module(struct vm *vm, char *error, size_t len);
void vm_create(struct vm *vm, const struct memory *mem);

#endif
