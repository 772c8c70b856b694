/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_MACHINE_H
#define LAUNCHER_MACHINE_H

#include "guest-command.h"
#include "initramfs.h"
#include "kernel-image.h"
#include "memory.h"
#include "status.h"
#include "stream.h"
#include "tty.h"
#include "types.h"
#include "vcpu.h"
#include "virtio-console.h"
#include "vm.h"

/**
 * struct machine_config - what a command of the launcher asks for
 * @kernel: file
 * @initrd: file, or NULL for none
 * @append: the user's part of the kernel command line
 * @mem: bytes
 * @cpus: virtual CPUs
 * @timeout: seconds, 0 for none
 * @log: file for the console's output, or NULL
 * @command: NULL-terminated arguments, or NULL for a console
 * @bare: give the kernel no command line but the user's
 */
struct machine_config {
	const char *kernel;
	const char *initrd;
	const char *append;
	u64 mem;
	u32 cpus;
	double timeout;
	const char *log;
	char **command;
	bool bare;
};

/**
 * struct machine - a guest and all that belongs to it
 * @config: what was asked for
 * @mem: its memory
 * @vm: the module's VM
 * @vcpu: its CPUs, config->cpus of them
 * @running: vCPUs whose threads have not left; guarded by @lock
 * @console: its console device, with the ports below
 * @input: our stdin
 * @console_out: what the guest prints on its console
 * @log_fd: --log, or -1
 * @out: the command's stdout
 * @err: the command's stderr
 * @command: the command
 * @escape: the Ctrl-A keys
 * @on_tty: the console is a terminal
 * @sent_eof: the guest's terminal was told just now that input ended
 * @wake_fd: eventfd: something in a stream or a vCPU changed
 * @lock: guards @ended and @outcome
 * @ended: there is an outcome
 * @outcome: how it ended
 */
struct machine {
	const struct machine_config *config;
	struct memory mem;
	struct vm vm;
	struct vcpu vcpu[RINGLET_MAX_VCPUS];
	u32 running;
	struct virtio_console console;
	struct stream *input;
	struct stream *console_out;
	int log_fd;
	struct stream *out;
	struct stream *err;
	struct guest_command command;
	struct tty_escape escape;
	bool on_tty;
	bool sent_eof;
	int wake_fd;
	pthread_mutex_t lock;
	bool ended;
	struct outcome outcome;
};

void machine_set_up(struct machine *m, const struct machine_config *config);
void machine_run(struct machine *m, struct outcome *outcome);

/* machine-ports.c: */
void machine_add_ports(struct machine *m);
void machine_open_log(struct machine *m);
void machine_open_streams(struct machine *m);
void machine_start_streams(struct machine *m);
void machine_serve_ports(struct machine *m);
bool machine_input_ended(struct machine *m);
void machine_flush(struct machine *m);
bool machine_flushed(struct machine *m);
bool machine_output_failed(struct machine *m, struct outcome *outcome);
bool machine_copy_failed(struct machine *m, struct outcome *outcome);

void machine_end(struct machine *m, const struct outcome *outcome);

#endif
