// SPDX-License-Identifier: GPL-2.0
/*
 * A module that is played: linked into the launcher in place of /dev/ringlet
 * (the linker's --wrap), it runs no guest but the words of RINGLET_SCRIPT, so
 * that exit statuses, signals, timeouts and the terminal can be tested on a
 * machine that must not load the module. Words, separated by spaces:
 *
 *	say:TEXT  flood  hang  poweroff  reboot  panic:TEXT  kill:TEXT  fail:ERRNO
 *	mmio:GPA,VALUE		a write of 32 bits to where no memory is
 *	crash			a bug of the launcher's, in its vCPU's thread
 *	breach:NR,A,B,C		a system call of a launcher that is not itself any more
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../include/uapi/ringlet.h"
#include "../types.h"
#include "scripted.h"

static int dev_fd = -1, vm_fd = -1, vcpu_fd = -1;
static u8 *memory;
static const char *next;

int __wrap_open(const char *path, int flags, int mode)
{
	if (strcmp(path, "/dev/ringlet"))
		return __real_open(path, flags, mode);
	dev_fd = memfd_create("ringlet", MFD_CLOEXEC);
	return dev_fd;
}

static int get_info(struct ringlet_info *info)
{
	*info = (struct ringlet_info){
		.api_version = RINGLET_API_VERSION,
		.abi_version = RINGLET_ABI_VERSION,
		.run_size = 4096,
		.max_vcpus = 1,
		.module_version = "scripted",
	};
	return 0;
}

static int create_vcpu(void)
{
	vcpu_fd = memfd_create("vcpu", 0);
	if (ftruncate(vcpu_fd, 4096))
		return -1;
	next = getenv("RINGLET_SCRIPT");
	return vcpu_fd;
}

static int wait_for_signal(const struct ringlet_run *run)
{
	static const struct timespec tick = { .tv_nsec = 10000000 };

	while (!run->immediate_exit)
		if (nanosleep(&tick, NULL))
			break;
	errno = EINTR;
	return -1;
}

static int console(struct ringlet_run *run, const char *text, size_t len)
{
	run->exit_reason = RINGLET_EXIT_CONSOLE;
	run->console.gpa = 0x90000;
	run->console.len = len;
	memcpy(memory + run->console.gpa, text, len);
	return 0;
}

static int end(struct ringlet_run *run, u32 exit, u32 reason, const char *text)
{
	run->exit_reason = exit;
	run->shutdown.reason = reason;
	snprintf(run->message, sizeof(run->message), "%s", text);
	return 0;
}

static int mmio_write(struct ringlet_run *run, const char *words)
{
	char *comma;
	u32 value;

	run->exit_reason = RINGLET_EXIT_MMIO;
	run->mmio.gpa = strtoull(words, &comma, 0);
	run->mmio.is_write = 1;
	run->mmio.len = sizeof(value);
	value = *comma ? strtoul(comma + 1, NULL, 0) : 0;
	memcpy(run->mmio.data, &value, sizeof(value));
	return 0;
}

/* What it returns, if it does, is said on the console. */
static int breach(struct ringlet_run *run, const char *words)
{
	long args[4] = { 0 };
	char text[64];

	if (sscanf(words, "%li,%li,%li,%li", &args[0], &args[1], &args[2],
		   &args[3]) < 1)
		return -1;
	errno = 0;
	syscall(args[0], args[1], args[2], args[3], 0, -1, 0);
	snprintf(text, sizeof(text), "errno %d", errno);
	return console(run, text, strlen(text));
}

static int run_word(struct ringlet_run *run, const char *word)
{
	const char *text = strchr(word, ':') ? strchr(word, ':') + 1 : "";

	if (!strncmp(word, "say:", 4))
		return console(run, text, strlen(text));
	if (!strcmp(word, "poweroff"))
		return end(run, RINGLET_EXIT_SHUTDOWN,
			   RINGLET_SHUTDOWN_POWEROFF, "");
	if (!strcmp(word, "reboot"))
		return end(run, RINGLET_EXIT_SHUTDOWN, RINGLET_SHUTDOWN_REBOOT,
			   "");
	if (!strncmp(word, "panic:", 6))
		return end(run, RINGLET_EXIT_SHUTDOWN, RINGLET_SHUTDOWN_PANIC,
			   text);
	if (!strncmp(word, "kill:", 5))
		return end(run, RINGLET_EXIT_KILLED, 0, text);
	if (!strncmp(word, "mmio:", 5))
		return mmio_write(run, text);
	if (!strcmp(word, "crash"))
		__builtin_trap();
	if (!strncmp(word, "breach:", 7))
		return breach(run, text);
	if (!strncmp(word, "fail:", 5)) {
		errno = atoi(text);
		return -1;
	}
	return wait_for_signal(run);
}

static int run_vcpu(void)
{
	static struct ringlet_run *run;
	char word[256];
	size_t len;

	if (!run)
		run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
			   vcpu_fd, 0);
	if (run->immediate_exit) {
		errno = EINTR;
		return -1;
	}
	len = strcspn(next, " ");
	snprintf(word, sizeof(word), "%.*s", (int)len, next);
	/* "flood" and "hang" stay. */
	if (!strcmp(word, "flood"))
		return console(run, "0123456789abcdef\n", 17);
	if (strcmp(word, "hang"))
		next += len + (next[len] == ' ');
	return run_word(run, word);
}

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	switch (request) {
	case RINGLET_GET_API_VERSION:
		return RINGLET_API_VERSION;
	case RINGLET_GET_INFO:
		return get_info(arg);
	case RINGLET_CREATE_VM:
		vm_fd = memfd_create("vm", 0);
		return vm_fd;
	case RINGLET_SET_MEMORY:
		memory = (u8 *)(uintptr_t)((struct ringlet_memory *)arg)->hva;
		return 0;
	case RINGLET_CREATE_VCPU:
		return create_vcpu();
	case RINGLET_SET_REGS:
	case RINGLET_IRQ_RAISE:
		return 0;
	case RINGLET_RUN:
		return run_vcpu();
	default:
		return __real_ioctl(fd, request, arg);
	}
}
