// SPDX-License-Identifier: GPL-2.0
/*
 * The launcher's end of "ringlet.control" (see wire.h): hands the command to
 * the init in the guest and takes its status.
 *
 * Called with the console device's lock held, from whichever thread found
 * something to move. What arrives is the guest's and is checked; a guest that
 * talks nonsense gets no status, which the launcher then says.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "guest-command.h"

static void put_u32(u8 **p, u32 value)
{
	memcpy(*p, &value, sizeof(value));
	*p += sizeof(value);
}

static u32 get_u32(const u8 *p)
{
	u32 value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static void put_header(u8 **p, u32 type, u32 len)
{
	put_u32(p, WIRE_MAGIC);
	put_u32(p, type);
	put_u32(p, len);
}

static u32 count_strings(char **strings, size_t *bytes)
{
	u32 n;

	for (n = 0; strings[n]; n++)
		*bytes += strlen(strings[n]) + 1;
	return n;
}

static void put_strings(u8 **p, char **strings)
{
	for (; *strings; strings++)
		*p = (u8 *)stpcpy((char *)*p, *strings) + 1;
}

void guest_command_init(struct guest_command *command, char **argv, char **env,
			int wake_fd)
{
	size_t len = 2 * sizeof(u32);
	u32 argc = count_strings(argv, &len);
	u32 envc = count_strings(env, &len);
	u8 *p;

	command->wake_fd = wake_fd;
	if (len > WIRE_REQUEST_MAX)
		die("the arguments have %zu bytes of %d possible; put them into a file",
		    len, WIRE_REQUEST_MAX);
	command->request_len = sizeof(struct wire_header) + len;
	command->request = malloc(command->request_len);
	if (!command->request)
		die("out of memory");
	p = command->request;
	put_header(&p, WIRE_REQUEST, len);
	put_u32(&p, argc);
	put_u32(&p, envc);
	put_strings(&p, argv);
	put_strings(&p, env);
}

/* Once: after it init powers the guest off. */
void guest_command_done(struct guest_command *command)
{
	static u8 message[sizeof(struct wire_header)];
	u8 *p = message;

	put_header(&p, WIRE_DONE, 0);
	command->out = message;
	command->out_len = sizeof(message);
	command->out_done = 0;
	command->done = true;
}

static bool take_hello(struct guest_command *command, const u8 *data, u32 len)
{
	if (len != sizeof(u32) || get_u32(data) != WIRE_VERSION ||
	    command->started)
		return false;
	command->out = command->request;
	command->out_len = command->request_len;
	command->started = true;
	eventfd_write(command->wake_fd, 1);
	return true;
}

static bool take_status(struct guest_command *command, const u8 *data, u32 len)
{
	struct outcome *outcome = &command->outcome;
	u32 kind, value;

	if (len < 2 * sizeof(u32) || !command->started || command->ended)
		return false;
	kind = get_u32(data);
	value = get_u32(data + sizeof(u32));
	if (kind == WIRE_EXITED && value <= 255)
		outcome_set(outcome, STATUS_EXIT, value,
			    "the command exited with status %u", value);
	else if (kind == WIRE_SIGNALLED && value > 0 && value <= 64)
		outcome_set(outcome, STATUS_SIGNAL, EXIT_SIGNAL(value),
			    "signal %u ended the command", value);
	else if (kind == WIRE_NOT_STARTED && (value == 126 || value == 127))
		outcome_set(outcome, STATUS_EXIT, value, "%.*s",
			    (int)(len - 2 * sizeof(u32)),
			    (const char *)data + 2 * sizeof(u32));
	else
		return false;
	status_make_plain(outcome->message);
	command->ended = true;
	eventfd_write(command->wake_fd, 1);
	if (kind == WIRE_NOT_STARTED)
		say("%s", outcome->message);
	return true;
}

static bool take_message(struct guest_command *command)
{
	const u8 *data = command->in + sizeof(struct wire_header);
	struct wire_header header;

	memcpy(&header, command->in, sizeof(header));
	if (header.magic != WIRE_MAGIC || header.len > WIRE_STATUS_MAX)
		return false;
	switch (header.type) {
	case WIRE_HELLO:
		return take_hello(command, data, header.len);
	case WIRE_STATUS:
		return take_status(command, data, header.len);
	default:
		return false;
	}
}

/* Bytes that the message in @in lacks; 0 if it is nonsense. */
static size_t bytes_missing(const struct guest_command *command)
{
	struct wire_header header;

	if (command->in_len < sizeof(header))
		return sizeof(header) - command->in_len;
	memcpy(&header, command->in, sizeof(header));
	if (header.magic != WIRE_MAGIC || header.len > WIRE_STATUS_MAX)
		return 0;
	return sizeof(header) + header.len - command->in_len;
}

static bool message_complete(const struct guest_command *command)
{
	return command->in_len >= sizeof(struct wire_header) &&
	       !bytes_missing(command);
}

/* Once: each may wait for a full stderr, with the device's lock held. */
static void say_nonsense(struct guest_command *command)
{
	if (!command->nonsense)
		say("the guest's init talks nonsense; was the launcher built whole?");
	command->nonsense = true;
}

/* From the guest. Takes all: what makes no sense is dropped, and said. */
static size_t control_put(void *data, const u8 *buf, size_t len)
{
	struct guest_command *command = data;
	size_t done = 0, n;

	while (done < len) {
		n = min(bytes_missing(command), len - done);
		memcpy(command->in + command->in_len, buf + done, n);
		command->in_len += n;
		done += n;
		if (!message_complete(command))
			continue;
		if (!take_message(command)) {
			say_nonsense(command);
			done = len;
		}
		command->in_len = 0;
	}
	return len;
}

static size_t control_get(void *data, u8 *buf, size_t len)
{
	struct guest_command *command = data;
	size_t n = min(command->out_len - command->out_done, len);

	memcpy(buf, command->out + command->out_done, n);
	command->out_done += n;
	return n;
}

const struct port_ops guest_command_ops = {
	.put = control_put,
	.get = control_get,
};
