// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/ringlet: opening it, agreeing on versions, making a VM. The ioctls are
 * described in include/uapi/ringlet.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "memory.h"
#include "status.h"
#include "vm.h"

static const char *open_advice(int err)
{
	switch (err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "the module is not loaded; as root: modprobe ringlet, or insmod ringlet.ko";
	case EACCES:
	case EPERM:
		return "no permission; join the group kvm (usermod -aG kvm USER), log in again";
	default:
		return "see dmesg for the module's reason";
	}
}

/* Returns 0, or -1 with a sentence in @error. Also the doctor's. */
int vm_open_module(struct vm *vm, char *error, size_t len)
{
	int version;

	vm->dev_fd = open(VM_DEVICE_NODE, O_RDWR | O_CLOEXEC);
	if (vm->dev_fd < 0) {
		snprintf(error, len, "cannot open " VM_DEVICE_NODE " (%s): %s",
			 strerror(errno), open_advice(errno));
		return -1;
	}
	version = ioctl(vm->dev_fd, RINGLET_GET_API_VERSION, 0);
	if (version != RINGLET_API_VERSION) {
		snprintf(
			error, len,
			"the module speaks API %d and this launcher %d: update %s",
			version, RINGLET_API_VERSION,
			version < RINGLET_API_VERSION ?
				"the module (rmmod, then load the new one)" :
				"the launcher");
		return -1;
	}
	if (ioctl(vm->dev_fd, RINGLET_GET_INFO, &vm->info)) {
		snprintf(error, len,
			 "the module does not answer (%s): see dmesg",
			 strerror(errno));
		return -1;
	}
	if (vm->info.abi_version != RINGLET_ABI_VERSION) {
		snprintf(
			error, len,
			"the module speaks guest ABI %u and this launcher %d: update %s",
			vm->info.abi_version, RINGLET_ABI_VERSION,
			vm->info.abi_version < RINGLET_ABI_VERSION ?
				"the module" :
				"the launcher");
		return -1;
	}
	return 0;
}

void vm_create(struct vm *vm, const struct memory *mem)
{
	struct ringlet_memory slot;
	u32 i;

	vm->fd = ioctl(vm->dev_fd, RINGLET_CREATE_VM, 0);
	if (vm->fd < 0)
		die("the module makes no VM (%s): see dmesg", strerror(errno));
	fcntl(vm->fd, F_SETFD, FD_CLOEXEC);
	for (i = 0; i < mem->nr_slots; i++) {
		slot = (struct ringlet_memory){
			.gpa = mem->slot[i].gpa,
			.size = mem->slot[i].size,
			.hva = (uintptr_t)mem->slot[i].hva,
		};
		if (ioctl(vm->fd, RINGLET_SET_MEMORY, &slot))
			die("the module does not take %lluM of memory (%s): give less --mem",
			    mem->size / MiB, strerror(errno));
	}
}
