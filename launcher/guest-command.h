/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_GUEST_COMMAND_H
#define LAUNCHER_GUEST_COMMAND_H

#include "status.h"
#include "types.h"
#include "virtio-console.h"
#include "wire.h"

/**
 * struct guest_command - the command after "--" and what became of it
 * @wake_fd: eventfd of the I/O thread, which acts on @started and @ended
 * @out: messages for init that it has not read yet
 * @out_len: their length
 * @out_done: bytes of them that are sent
 * @in: the message that is arriving
 * @in_len: bytes of it so far
 * @request: REQUEST, made beforehand
 * @request_len: its length
 * @started: init said hello and has the request
 * @ended: init reported; @outcome is valid
 * @done: DONE is sent
 * @nonsense: it was said that init talks nonsense
 * @outcome: the command's
 */
struct guest_command {
	int wake_fd;
	u8 *out;
	size_t out_len;
	size_t out_done;
	u8 in[sizeof(struct wire_header) + WIRE_STATUS_MAX];
	size_t in_len;
	u8 *request;
	size_t request_len;
	bool started;
	bool ended;
	bool done;
	bool nonsense;
	struct outcome outcome;
};

extern const struct port_ops guest_command_ops;

void guest_command_init(struct guest_command *command, char **argv, char **env,
			int wake_fd);
void guest_command_done(struct guest_command *command);

#endif
