// SPDX-License-Identifier: GPL-2.0
/*
 * A launcher and a guest that mean harm, in one program: each case here once
 * hung a CPU of the host or took its memory. Runs in the disposable host, with
 * the ioctls alone; the guest is a few hypercalls on one 2 MiB page.
 *
 *	hostile ldt	RUN with a selector of an LDT in ES
 *	hostile dr	a guest that sets a breakpoint on the switcher
 *	hostile slots	memory slots without memory behind them
 *
 * Prints one word, "refused" or "survived", and has status 0; the host's health
 * is the test's to look at.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uapi/ringlet.h"

#define MEMORY (4UL << 20)
#define CODE 0x10000
#define CR3 0x1000
#define SWITCHER 0xffff878000000000 /* the slot's first window, 4 levels */

static unsigned char *code;

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	perror(what);
	exit(1);
}

/* mov rax, rdi, rsi; syscall */
static void hypercall(uint64_t nr, uint64_t a, uint64_t b)
{
	const struct {
		unsigned char opcode;
		uint64_t value;
	} loads[] = { { 0xb8, nr }, { 0xbf, a }, { 0xbe, b } };

	for (int i = 0; i < 3; i++) {
		*code++ = 0x48;
		*code++ = loads[i].opcode;
		memcpy(code, &loads[i].value, 8);
		code += 8;
	}
	*code++ = 0x0f;
	*code++ = 0x05;
}

static void use_ldt(void)
{
	struct user_desc desc = {
		.limit = 0xfffff,
		.seg_32bit = 1,
		.limit_in_pages = 1,
		.useable = 1,
	};

	check(syscall(SYS_modify_ldt, 1, &desc, sizeof(desc)), "modify_ldt");
	asm volatile("mov %0, %%es" : : "r"(7));
}

/* A guest of three tables and some code; it ends by SHUTDOWN. */
static int run_guest(int vm, int breakpoints, int ldt)
{
	unsigned char *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ringlet_memory slot = { .size = MEMORY,
				       .hva = (uintptr_t)memory };
	struct ringlet_regs regs;
	int vcpu;

	check(ioctl(vm, RINGLET_SET_MEMORY, &slot), "SET_MEMORY");
	vcpu = ioctl(vm, RINGLET_CREATE_VCPU, 0);
	check(vcpu, "CREATE_VCPU");
	*(uint64_t *)(memory + CR3) = 0x2003;
	*(uint64_t *)(memory + 0x2000) = 0x3003;
	*(uint64_t *)(memory + 0x3000) = 0x83;
	code = memory + CODE;
	if (breakpoints) {
		hypercall(RINGLET_HC_SET_DR, 0, SWITCHER);
		hypercall(RINGLET_HC_SET_DR, 7, 1);
	}
	hypercall(RINGLET_HC_SHUTDOWN, RINGLET_SHUTDOWN_POWEROFF, 0);
	check(ioctl(vcpu, RINGLET_GET_REGS, &regs), "GET_REGS");
	regs.rip = CODE;
	regs.cr3 = CR3;
	check(ioctl(vcpu, RINGLET_SET_REGS, &regs), "SET_REGS");
	if (ldt)
		use_ldt();
	while (ioctl(vcpu, RINGLET_RUN, 0))
		if (errno != EINTR)
			return -1;
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct ringlet_memory huge = { .size = 1UL << 43, .hva = 0x10000 };
	int device = open("/dev/ringlet", O_RDWR), vm;

	check(device, "/dev/ringlet");
	vm = ioctl(device, RINGLET_CREATE_VM, 0);
	check(vm, "CREATE_VM");
	if (!strcmp(what, "slots")) {
		if (!ioctl(vm, RINGLET_SET_MEMORY, &huge) || errno != ENOMEM)
			return 1;
		puts("refused");
		return 0;
	}
	check(run_guest(vm, !strcmp(what, "dr"), !strcmp(what, "ldt")), "RUN");
	puts("survived");
	return 0;
}
