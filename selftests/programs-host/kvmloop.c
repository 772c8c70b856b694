// SPDX-License-Identifier: GPL-2.0
/*
 * kvmloop [SECONDS]: a KVM guest of a few real-mode instructions, for hosts in which Ringlet guests
 * run beside it. It sums 1 to 1000 and writes 16 bits of that to a port, over and over; the host
 * checks each, and that a vector register of its own survives. It pauses a little now and then:
 * under emulation each exit costs milliseconds. 0 seconds (the default): until SIGTERM. Status 0
 * if all was right, and it says how often.
 *
 * Runs in the disposable host, as root or in the group kvm.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define CODE_GPA 0x1000
#define MEM_SIZE 0x10000
#define PORT 0x10
/* 1 + ... + 1000 in 16 bits. */
#define SUM ((1000 * 1001 / 2) & 0xffff)

static const uint8_t code[] = {
	0x31, 0xc0, /* again: xor %ax, %ax */
	0xb9, 0xe8, 0x03, /* mov $1000, %cx */
	0x01, 0xc8, /* next: add %cx, %ax */
	0xe2, 0xfc, /* loop next */
	0xe7, PORT, /* out %ax, $PORT */
	0xeb, 0xf3, /* jmp again */
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static int make_vcpu(int kvm, struct kvm_run **run)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEM_SIZE };
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rip = CODE_GPA, .rflags = 2 };
	int vm, vcpu, size;
	void *mem;

	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		err(1, "KVM_CREATE_VM");
	mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		err(1, "mmap");
	memcpy((char *)mem + CODE_GPA, code, sizeof(code));
	region.userspace_addr = (uintptr_t)mem;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		err(1, "KVM_SET_USER_MEMORY_REGION");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vcpu < 0 || size < 0)
		err(1, "KVM_CREATE_VCPU");
	*run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (*run == MAP_FAILED || ioctl(vcpu, KVM_GET_SREGS, &sregs))
		err(1, "KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) ||
	    ioctl(vcpu, KVM_SET_REGS, &regs))
		err(1, "KVM_SET_SREGS");
	return vcpu;
}

/* One exit: the guest's sum. */
static void step(int vcpu, struct kvm_run *run)
{
	uint16_t value;

	if (ioctl(vcpu, KVM_RUN, 0)) {
		if (stop)
			return;
		err(1, "KVM_RUN");
	}
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != PORT)
		errx(1, "exit reason %u", run->exit_reason);
	memcpy(&value, (char *)run + run->io.data_offset, sizeof(value));
	if (value != SUM)
		errx(1, "the guest's sum is %u, not %u", value, SUM);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	long seconds = argc > 1 ? atol(argv[1]) : 0, exits = 0;
	time_t end = time(NULL) + seconds;
	struct kvm_run *run;
	int kvm, vcpu;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		err(1, "/dev/kvm");
	vcpu = make_vcpu(kvm, &run);
	sigaction(SIGTERM, &sa, NULL);
	while (!stop && (!seconds || time(NULL) < end)) {
		double pattern = exits, kept = pattern;

		asm volatile("" : "+x"(kept));
		step(vcpu, run);
		asm volatile("" : "+x"(kept));
		if (kept != pattern)
			errx(1, "a vector register changed");
		if (!(++exits % 10))
			usleep(20000);
	}
	printf("%ld exits, all right\n", exits);
	return exits ? 0 : 1;
}
