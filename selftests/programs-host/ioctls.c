// SPDX-License-Identifier: GPL-2.0
/*
 * Every ioctl with every argument that it must refuse: each bit of each flags
 * word and reserved field, numbers that are too large, pointers to nothing, and
 * every request that there is none for. Each is to be the errno that
 * Documentation/ioctl.md says, and to leave the VM and the vCPU as they were.
 *
 * Runs in the disposable host as one who may open /dev/ringlet. Prints a line
 * for each case that is not so and a count; status 0 if all are.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uapi/ringlet.h"

#define MEMORY (4UL << 20)
#define USER_END (1UL << 63)

static int device, vm, vcpu, cases, wrong;
static struct ringlet_run *run;
static struct ringlet_memory good;

/* What SET_REGS and RUN could have changed. */
static struct ringlet_regs before;

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static void unchanged(const char *what)
{
	struct ringlet_regs now;

	if (vcpu <= 0)
		return;
	if (ioctl(vcpu, RINGLET_GET_REGS, &now))
		fail("GET_REGS");
	if (!memcmp(&now, &before, sizeof(now)))
		return;
	wrong++;
	printf("%s: the vCPU has changed\n", what);
}

static void refuses(const char *what, int fd, unsigned long request,
		    unsigned long arg, int error)
{
	int ret = ioctl(fd, request, arg);

	cases++;
	if (ret >= 0 || errno != error) {
		wrong++;
		printf("%s, argument %#lx: %s instead of %s\n", what, arg,
		       ret >= 0 ? "taken" : strerrorname_np(errno),
		       strerrorname_np(error));
	}
	unchanged(what);
}

/* A number with each bit set that none that is right has. */
static void refuses_bits(const char *what, int fd, unsigned long request,
			 int from, int error)
{
	for (int bit = from; bit < 64; bit++)
		refuses(what, fd, request, 1UL << bit, error);
}

/* What must be a pointer to something of the caller's. */
static void refuses_pointers(const char *what, int fd, unsigned long request)
{
	refuses(what, fd, request, 0, EFAULT);
	refuses(what, fd, request, USER_END, EFAULT);
}

static void refuses_memory(const char *what, struct ringlet_memory memory,
			   int error)
{
	refuses(what, vm, RINGLET_SET_MEMORY, (uintptr_t)&memory, error);
}

static void refuses_regs(const char *what, const struct ringlet_regs *regs)
{
	refuses(what, vcpu, RINGLET_SET_REGS, (uintptr_t)regs, EINVAL);
}

static void on_device(void)
{
	refuses_bits("GET_API_VERSION", device, RINGLET_GET_API_VERSION, 0,
		     EINVAL);
	refuses_pointers("GET_INFO", device, RINGLET_GET_INFO);
	refuses_bits("CREATE_VM", device, RINGLET_CREATE_VM, 0, EINVAL);
}

static void memory_slots(void)
{
	struct ringlet_memory m;

	refuses_pointers("SET_MEMORY", vm, RINGLET_SET_MEMORY);
	for (int bit = 0; bit < 64; bit++) {
		m = good;
		m.flags = 1UL << bit;
		refuses_memory("SET_MEMORY flags", m, EINVAL);
	}
	for (int bit = 0; bit < 12; bit++) {
		m = good;
		m.gpa |= 1UL << bit;
		refuses_memory("SET_MEMORY gpa", m, EINVAL);
		m = good;
		m.size |= 1UL << bit;
		refuses_memory("SET_MEMORY size", m, EINVAL);
		m = good;
		m.hva |= 1UL << bit;
		refuses_memory("SET_MEMORY hva", m, EINVAL);
	}
	for (int bit = 46; bit < 64; bit++) {
		m = good;
		m.gpa = 1UL << bit;
		refuses_memory("SET_MEMORY gpa", m, EINVAL);
		m = good;
		m.size = 2UL << bit;
		if (m.size)
			refuses_memory("SET_MEMORY size", m, EINVAL);
	}
	for (int bit = 57; bit < 64; bit++) {
		m = good;
		m.hva = 1UL << bit;
		refuses_memory("SET_MEMORY hva", m, EINVAL);
	}
	m = good;
	m.size = 0;
	refuses_memory("SET_MEMORY size", m, EINVAL);
	m = good;
	m.size = -4096UL;
	refuses_memory("SET_MEMORY size", m, EINVAL);
	m = good;
	m.gpa = -4096UL;
	refuses_memory("SET_MEMORY gpa", m, EINVAL);
	/* None of them has taken the place. */
	if (ioctl(vm, RINGLET_SET_MEMORY, &good))
		fail("SET_MEMORY after all that were refused");
	refuses_memory("SET_MEMORY again", good, EEXIST);
	/* The first of eight. */
	m = good;
	for (int i = 1; i < 8; i++) {
		m.gpa += good.size;
		if (ioctl(vm, RINGLET_SET_MEMORY, &m))
			fail("SET_MEMORY of eight slots");
	}
	m.gpa += good.size;
	refuses_memory("SET_MEMORY, a ninth", m, E2BIG);
}

static void on_vm(void)
{
	refuses("CREATE_VCPU without memory", vm, RINGLET_CREATE_VCPU, 0,
		EINVAL);
	refuses("IRQ_RAISE without vCPU", vm, RINGLET_IRQ_RAISE, 1, ENXIO);
	memory_slots();
	refuses_bits("CREATE_VCPU", vm, RINGLET_CREATE_VCPU, 6, EINVAL);
	vcpu = ioctl(vm, RINGLET_CREATE_VCPU, 0);
	if (vcpu < 0 || ioctl(vcpu, RINGLET_GET_REGS, &before))
		fail("CREATE_VCPU");
	refuses("CREATE_VCPU again", vm, RINGLET_CREATE_VCPU, 0, EEXIST);
	refuses_memory("SET_MEMORY after a vCPU", good, EBUSY);
	refuses("IRQ_RAISE of the timer's line", vm, RINGLET_IRQ_RAISE,
		RINGLET_IRQ_TIMER, EINVAL);
	for (int line = RINGLET_IRQ_IPI; line < 300; line++)
		refuses("IRQ_RAISE", vm, RINGLET_IRQ_RAISE, line, EINVAL);
	refuses_bits("IRQ_RAISE", vm, RINGLET_IRQ_RAISE, 6, EINVAL);
}

static void registers(void)
{
	struct ringlet_regs regs;

	refuses_pointers("GET_REGS", vcpu, RINGLET_GET_REGS);
	refuses("SET_REGS", vcpu, RINGLET_SET_REGS, 0, EFAULT);
	for (int bit = 0; bit < 32; bit++) {
		for (int i = 0; i < 3; i++) {
			regs = before;
			regs.rip = 0x1000;
			regs.reserved[i] = 1U << bit;
			refuses_regs("SET_REGS reserved", &regs);
		}
		regs = before;
		regs.user_mode = 1U << bit;
		refuses_regs("SET_REGS user_mode", &regs);
	}
	for (int bit = 46; bit < 63; bit++) {
		regs = before;
		regs.cr3 = 1UL << bit;
		refuses_regs("SET_REGS cr3", &regs);
	}
	for (int bit = 47; bit < 64; bit++) {
		regs = before;
		regs.rip = 1UL << bit;
		refuses_regs("SET_REGS rip", &regs);
		regs = before;
		regs.fsbase = 1UL << bit;
		refuses_regs("SET_REGS fsbase", &regs);
		regs = before;
		regs.gsbase = 1UL << bit;
		refuses_regs("SET_REGS gsbase", &regs);
	}
}

static void run_page(void)
{
	size_t sizes[] = { 8192, 4096, 4096 };
	off_t offsets[] = { 0, 4096, 1L << 40 };

	for (int i = 0; i < 3; i++) {
		cases++;
		if (mmap(NULL, sizes[i], PROT_READ, MAP_SHARED, vcpu,
			 offsets[i]) == MAP_FAILED &&
		    errno == EINVAL)
			continue;
		wrong++;
		printf("mmap of %zu at %#lx: not EINVAL\n", sizes[i],
		       (long)offsets[i]);
	}
	run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		fail("mmap");
	for (int i = 0; i < 7; i++) {
		for (int bit = 0; bit < 64; bit++) {
			run->reserved[i] = 1UL << bit;
			refuses("RUN, reserved fields", vcpu, RINGLET_RUN, 0,
				EINVAL);
			run->reserved[i] = 0;
		}
	}
}

static void on_vcpu(void)
{
	refuses_bits("RUN", vcpu, RINGLET_RUN, 0, EINVAL);
	registers();
	run_page();
}

/* Every other request, of our type and of others, with each direction. */
static void unknown(const char *what, int fd, const unsigned long *known)
{
	static char buffer[16384];

	for (unsigned long nr = 0; nr < 256; nr++) {
		for (unsigned long dir = 0; dir < 4; dir++) {
			for (unsigned long size = 0; size < 256; size += 8) {
				unsigned long r =
					_IOC(dir, RINGLET_IOC, nr, size);
				int i = 0;

				while (known[i] && known[i] != r)
					i++;
				if (!known[i])
					refuses(what, fd, r, (uintptr_t)buffer,
						ENOTTY);
			}
		}
		/* KVM's, for one. */
		refuses(what, fd, _IOC(0, 0xae, nr, 0), 0, ENOTTY);
	}
}

int main(void)
{
	const unsigned long of_device[] = { RINGLET_GET_API_VERSION,
					    RINGLET_GET_INFO, RINGLET_CREATE_VM,
					    0 };
	const unsigned long of_vm[] = { RINGLET_SET_MEMORY, RINGLET_CREATE_VCPU,
					RINGLET_IRQ_RAISE, 0 };
	const unsigned long of_vcpu[] = { RINGLET_RUN, RINGLET_GET_REGS,
					  RINGLET_SET_REGS, 0 };
	void *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	good.size = MEMORY;
	good.hva = (uintptr_t)memory;
	device = open("/dev/ringlet", O_RDWR | O_CLOEXEC);
	if (device < 0)
		fail("/dev/ringlet");
	on_device();
	vm = ioctl(device, RINGLET_CREATE_VM, 0);
	if (vm < 0)
		fail("CREATE_VM");
	on_vm();
	on_vcpu();
	unknown("an unknown request on the device", device, of_device);
	unknown("an unknown request on a VM", vm, of_vm);
	unknown("an unknown request on a vCPU", vcpu, of_vcpu);
	printf("%d cases, %d wrong\n", cases, wrong);
	return !!wrong;
}
