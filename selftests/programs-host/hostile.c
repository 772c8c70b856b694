// SPDX-License-Identifier: GPL-2.0
/*
 * A launcher and a guest that mean harm, in one program: each case here once
 * hung a CPU of the host or took its memory. Runs in the disposable host, with
 * the ioctls alone; the guest is a few hypercalls on one 2 MiB page.
 *
 *	hostile ldt	RUN with a selector of an LDT in ES
 *	hostile dr	a guest that sets a breakpoint on the switcher
 *	hostile slots	memory slots without memory behind them
 *	hostile windows	more vCPUs than a process can have, and memory after the one
 *			that failed
 *	hostile twovms	two VMs with the same addresses and other memory, on one CPU and
 *			on any
 *	hostile smp	a guest that lies about its other vCPUs: each lie is an errno
 *	hostile tables N SECONDS
 *			a guest of N vCPUs that wants as many shadow tables as it can
 *			get, for so long
 *
 * Prints one word, "refused" or "survived", and has status 0; the host's health
 * is the test's to look at. Where it came by in the module goes to the file
 * $COVERAGE, on a host with KCOV.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kcov.h"
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

/* mov rax, rdi, rsi, rdx, r10, r8; syscall */
static void hypercall5(uint64_t nr, const uint64_t args[5])
{
	const struct {
		unsigned char rex;
		unsigned char opcode;
		uint64_t value;
	} loads[] = {
		{ 0x48, 0xb8, nr },	 { 0x48, 0xbf, args[0] },
		{ 0x48, 0xbe, args[1] }, { 0x48, 0xba, args[2] },
		{ 0x49, 0xba, args[3] }, { 0x49, 0xb8, args[4] },
	};

	for (int i = 0; i < 6; i++) {
		*code++ = loads[i].rex;
		*code++ = loads[i].opcode;
		memcpy(code, &loads[i].value, 8);
		code += 8;
	}
	*code++ = 0x0f;
	*code++ = 0x05;
}

static void hypercall(uint64_t nr, uint64_t a, uint64_t b)
{
	hypercall5(nr, (const uint64_t[5]){ a, b });
}

/* cmp rax, result; je over; ud2 without a gate, which ends the guest */
static void expect(int32_t result)
{
	*code++ = 0x48;
	*code++ = 0x3d;
	memcpy(code, &result, 4);
	code += 4;
	memcpy(code, "\x74\x02\x0f\x0b", 4);
	code += 4;
}

#define HIGH 0xffffffff80000000
#define BAD 0x8000000000000000 /* not canonical */

/* There are vCPUs 0, which runs this, and 1, which is stopped. */
static void lies(void)
{
	const struct {
		uint64_t nr;
		uint64_t args[5];
		int32_t result;
	} all[] = {
		{ RINGLET_HC_VCPU_START, { 77, HIGH }, -ENOENT },
		{ RINGLET_HC_VCPU_START, { 2, HIGH }, -ENOENT },
		{ RINGLET_HC_VCPU_START, { -1UL, HIGH }, -ENOENT },
		{ RINGLET_HC_VCPU_START, { 1, BAD }, -EINVAL },
		{ RINGLET_HC_VCPU_START, { 1, HIGH, 0, BAD }, -EINVAL },
		{ RINGLET_HC_VCPU_START, { 1, HIGH, 0, 0, 1UL << 46 }, -EINVAL },
		{ RINGLET_HC_VCPU_START, { 1, HIGH, 0, 0, 0x1001 }, -EINVAL },
		{ RINGLET_HC_VCPU_START, { 0, HIGH }, -EBUSY },
		{ RINGLET_HC_SEND_IPI, { 4, 48 }, -EINVAL },
		{ RINGLET_HC_SEND_IPI, { -1UL, 48 }, -EINVAL },
		{ RINGLET_HC_SEND_IPI, { 2, 65 }, -EINVAL },
		{ RINGLET_HC_SEND_IPI, { 2, -1UL }, -EINVAL },
		{ RINGLET_HC_SEND_IPI, { 0, 48 }, 0 },
		{ RINGLET_HC_SEND_IPI, { 2, 48 }, 0 },
		{ RINGLET_HC_SEND_IPI, { 2, RINGLET_IPI_NMI }, 0 },
		{ RINGLET_HC_FLUSH_VCPUS, { 4, CR3 }, -EINVAL },
		{ RINGLET_HC_FLUSH_VCPUS, { 1, CR3 + 1 }, -EINVAL },
		{ RINGLET_HC_FLUSH_VCPUS, { 1, 1UL << 46 }, -EINVAL },
		{ RINGLET_HC_FLUSH_VCPUS, { 1, CR3, 0x2000, 0x1000 }, -EINVAL },
		{ RINGLET_HC_FLUSH_VCPUS, { 1, CR3, 0x1001, 0x3000 }, -EINVAL },
		{ RINGLET_HC_FLUSH_VCPUS, { 1, CR3, 0, HIGH }, -EINVAL },
		{ RINGLET_HC_FLUSH_VCPUS, { 3, CR3, 0, 1UL << 47 }, 0 },
		{ RINGLET_HC_FLUSH_VCPUS, { 3, CR3 }, 0 },
		{ RINGLET_HC_FLUSH_VCPUS, { 3, -1UL }, 0 },
		{ RINGLET_HC_WAIT, { 2 }, -EINVAL },
		{ RINGLET_HC_KICK, { 77 }, -ENOENT },
		{ RINGLET_HC_KICK, { 1 }, 0 },
		{ RINGLET_HC_KICK, { 0 }, 0 },
		{ RINGLET_HC_WAIT, { 0 }, 0 }, /* it was kicked */
		{ RINGLET_HC_YIELD, { -1UL }, -ENOENT },
		{ RINGLET_HC_YIELD, { 1 }, 0 },
		{ RINGLET_HC_YIELD, { 0 }, 0 },
		{ RINGLET_HC_VCPU_START, { 1, HIGH }, 0 },
		{ RINGLET_HC_VCPU_START, { 1, HIGH }, -EBUSY },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		hypercall5(all[i].nr, all[i].args);
		expect(all[i].result);
	}
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

/* The guest's memory, with the page at CODE where it lies. */
static unsigned char *make_memory(int vm)
{
	unsigned char *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ringlet_memory slot = { .size = MEMORY,
				       .hva = (uintptr_t)memory };

	check(ioctl(vm, RINGLET_SET_MEMORY, &slot), "SET_MEMORY");
	*(uint64_t *)(memory + CR3) = 0x2003;
	*(uint64_t *)(memory + 0x2000) = 0x3003;
	*(uint64_t *)(memory + 0x3000) = 0x83;
	code = memory + CODE;
	return memory;
}

static int make_vcpu(int vm, int id)
{
	struct ringlet_regs regs;
	int vcpu = ioctl(vm, RINGLET_CREATE_VCPU, id);

	check(vcpu, "CREATE_VCPU");
	check(ioctl(vcpu, RINGLET_GET_REGS, &regs), "GET_REGS");
	regs.rip = CODE;
	regs.cr3 = CR3;
	check(ioctl(vcpu, RINGLET_SET_REGS, &regs), "SET_REGS");
	return vcpu;
}

static void *run_for_ever(void *vcpu)
{
	while (!ioctl((intptr_t)vcpu, RINGLET_RUN, 0) || errno == EINTR)
		;
	perror("RUN");
	exit(1);
}

/*
 * One page is the tables of all levels for all of the lower half but its first
 * 512 GiB, and the page that they map: a shadow table for each 2 MiB. Reads them
 * one after the other: mov rbx, 1 << 39; l: mov al, [rbx]; add rbx, 2 << 20; jmp l
 */
static void want_tables(int vm, int vcpus, int seconds)
{
	static const char loop[] = "\x48\xbb\x00\x00\x00\x00\x80\x00\x00\x00"
				   "\x8a\x03\x48\x81\xc3\x00\x00\x20\x00"
				   "\xeb\xf5";
	uint64_t *memory = (uint64_t *)make_memory(vm);
	uint64_t *table = memory + 0x4000 / 8;
	pthread_t thread;

	for (int i = 0; i < 512; i++)
		table[i] = 0x4067;
	for (int i = 1; i < 256; i++)
		memory[CR3 / 8 + i] = 0x4067;
	memcpy(code, loop, sizeof(loop));
	for (intptr_t i = 0; i < vcpus; i++) {
		intptr_t vcpu = make_vcpu(vm, i);

		check(-pthread_create(&thread, NULL, run_for_ever,
				      (void *)vcpu),
		      "pthread_create");
	}
	sleep(seconds);
}

static int run_to_shutdown(int vcpu)
{
	struct ringlet_run *run;

	while (ioctl(vcpu, RINGLET_RUN, 0))
		if (errno != EINTR)
			return -1;
	run = mmap(NULL, 4096, PROT_READ, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		return -1;
	if (run->exit_reason != RINGLET_EXIT_SHUTDOWN) {
		fprintf(stderr, "%s\n", run->message);
		return -1;
	}
	return 0;
}

/* ---- Guest to guest ---- */

#define WORD 0x180000
#define TURNS 5000

static void emit(const void *bytes, size_t n)
{
	memcpy(code, bytes, n);
	code += n;
}

/* A word of its own, again and again, of which the other VM has another. */
static void keep_word(uint64_t value)
{
	int32_t turns = TURNS, back;
	unsigned char *loop;

	/* mov $value, %rbx; mov $turns, %r12d */
	emit("\x48\xbb", 2);
	emit(&value, sizeof(value));
	emit("\x41\xbc", 2);
	emit(&turns, sizeof(turns));
	loop = code;
	/* mov %rbx, WORD */
	emit("\x48\x89\x1c\x25\x00\x00\x18\x00", 8);
	hypercall(RINGLET_HC_YIELD, 0, 0);
	/* cmp WORD, %rbx; je over; ud2; over: dec %r12d; jnz loop */
	emit("\x48\x3b\x1c\x25\x00\x00\x18\x00", 8);
	emit("\x74\x02\x0f\x0b\x41\xff\xcc\x0f\x85", 9);
	back = loop - (code + sizeof(back));
	emit(&back, sizeof(back));
	hypercall(RINGLET_HC_SHUTDOWN, RINGLET_SHUTDOWN_POWEROFF, 0);
}

static void *run_to_end(void *vcpu)
{
	return (void *)(intptr_t)run_to_shutdown((intptr_t)vcpu);
}

/*
 * Both have the same CR3, tables and addresses; what differs is where that is.
 * On one CPU the host's tick changes from one to the other.
 */
static int two_vms(int device)
{
	const uint64_t words[2] = { 0x1111222233334444, 0x5555666677778888 };
	unsigned char *memory[2];
	pthread_t threads[2];
	void *result;
	int failed = 0;

	for (intptr_t i = 0; i < 2; i++) {
		int vm = ioctl(device, RINGLET_CREATE_VM, 0);

		check(vm, "CREATE_VM");
		memory[i] = make_memory(vm);
		keep_word(words[i]);
		check(-pthread_create(&threads[i], NULL, run_to_end,
				      (void *)(intptr_t)make_vcpu(vm, 0)),
		      "pthread_create");
	}
	for (int i = 0; i < 2; i++) {
		check(-pthread_join(threads[i], &result), "pthread_join");
		failed |= !!result;
		failed |= memcmp(memory[i] + WORD, &words[i], sizeof(words[i]));
	}
	return failed ? -1 : 0;
}

static int on_one_cpu_and_on_any(int device)
{
	cpu_set_t all, first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	check(sched_getaffinity(0, sizeof(all), &all), "CPUs");
	check(sched_setaffinity(0, sizeof(first), &first), "CPU 0");
	check(two_vms(device), "two VMs on one CPU");
	check(sched_setaffinity(0, sizeof(all), &all), "all CPUs");
	return two_vms(device);
}

/* ---- All windows ---- */

#define VMS 8
#define VCPUS 64 /* of each: all the windows that a process can have */

/*
 * A vCPU is refused when the VM's frame table is made already; then there is
 * more memory, and then a vCPU that uses it.
 */
static int want_windows(int device, int vm)
{
	/* mov rbx, 1 << 30; mov al, [rbx]; mov [rbx], al */
	static const char touch[] = "\x48\xbb\x00\x00\x00\x40\x00\x00\x00\x00"
				    "\x8a\x03\x88\x03";
	struct ringlet_memory more = { .gpa = 1UL << 30, .size = MEMORY };
	int vms[VMS], vcpus[VMS][VCPUS];
	unsigned char *memory;

	for (int i = 0; i < VMS; i++) {
		vms[i] = ioctl(device, RINGLET_CREATE_VM, 0);
		check(vms[i], "CREATE_VM");
		make_memory(vms[i]);
		for (int j = 0; j < VCPUS; j++) {
			vcpus[i][j] = ioctl(vms[i], RINGLET_CREATE_VCPU, j);
			check(vcpus[i][j], "CREATE_VCPU");
		}
	}
	memory = make_memory(vm);
	if (ioctl(vm, RINGLET_CREATE_VCPU, 0) >= 0 || errno != EMFILE)
		return -1;
	more.hva = (uintptr_t)mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(ioctl(vm, RINGLET_SET_MEMORY, &more), "SET_MEMORY");
	for (int j = 0; j < VCPUS; j++)
		close(vcpus[0][j]);
	close(vms[0]);
	*(uint64_t *)(memory + 0x2008) = 0x4003;
	*(uint64_t *)(memory + 0x4000) = more.gpa | 0x83;
	memcpy(code, touch, sizeof(touch) - 1);
	code += sizeof(touch) - 1;
	hypercall(RINGLET_HC_SHUTDOWN, RINGLET_SHUTDOWN_POWEROFF, 0);
	return run_to_shutdown(make_vcpu(vm, 0));
}

/* A guest of three tables and some code; it ends by SHUTDOWN. */
static int run_guest(int vm, int breakpoints, int ldt, int smp)
{
	int vcpu;

	make_memory(vm);
	vcpu = make_vcpu(vm, 0);
	if (breakpoints) {
		hypercall(RINGLET_HC_SET_DR, 0, SWITCHER);
		hypercall(RINGLET_HC_SET_DR, 7, 1);
	}
	if (smp) {
		check(ioctl(vm, RINGLET_CREATE_VCPU, 1), "CREATE_VCPU");
		lies();
	}
	hypercall(RINGLET_HC_SHUTDOWN, RINGLET_SHUTDOWN_POWEROFF, 0);
	if (ldt)
		use_ldt();
	return run_to_shutdown(vcpu);
}

static int try(int argc, char **argv)
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
	if (!strcmp(what, "tables") && argc == 4) {
		want_tables(vm, atoi(argv[2]), atoi(argv[3]));
		puts("survived");
		return 0;
	}
	if (!strcmp(what, "twovms")) {
		check(on_one_cpu_and_on_any(device), "two VMs");
		puts("survived");
		return 0;
	}
	if (!strcmp(what, "windows")) {
		check(want_windows(device, vm), "windows");
		puts("survived");
		return 0;
	}
	check(run_guest(vm, !strcmp(what, "dr"), !strcmp(what, "ldt"),
			!strcmp(what, "smp")),
	      "RUN");
	puts("survived");
	return 0;
}

int main(int argc, char **argv)
{
	struct kcov *kcov = kcov_start();
	int status = try(argc, argv);

	kcov_take(kcov);
	kcov_end(NULL);
	return status;
}
