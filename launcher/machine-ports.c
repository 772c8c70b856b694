// SPDX-License-Identifier: GPL-2.0
/*
 * Connects the ports of a machine's console device with the launcher's stdin,
 * stdout, stderr and log, and with the command.
 *
 *   no command:  port 0 (hvc0) <- stdin, -> stdout (and a copy to --log)
 *   a command:   port 0 -> --log, or else stderr; stdin, stdout, stderr and
 *                control are ports of their own
 *
 * The port functions run under the device's lock, in a vCPU thread or the I/O
 * thread; the rest in the I/O thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"

#define END_OF_TRANSMISSION 0x04

/* ---- Ports ---- */

static size_t output_put(void *data, const u8 *buf, size_t len)
{
	return stream_put(data, buf, len);
}

static bool output_is_open(void *data)
{
	return !stream_closed(data);
}

static void output_finish(void *data)
{
	stream_finish(data);
}

static size_t discard(void *data, const u8 *buf, size_t len)
{
	(void)data;
	(void)buf;
	return len;
}

static size_t console_put(void *data, const u8 *buf, size_t len)
{
	struct machine *m = data;

	return stream_put(m->console_out, buf, len);
}

bool machine_input_ended(struct machine *m)
{
	return !m->config->command && !m->config->bare && !m->on_tty &&
	       stream_at_eof(m->input);
}

/*
 * A guest's terminal has no end of file but the one that is typed: when our
 * stdin ends, and was no terminal, type it, so that `echo ls | ringlet run`
 * leaves the shell as it would leave a shell here. What is typed while nobody
 * reads may be lost, and an end is one for every later reader too: so it is
 * typed again now and then.
 */
static size_t console_get(void *data, u8 *buf, size_t len)
{
	struct machine *m = data;
	size_t n;

	/* With a command, input is that of the command alone. */
	if (m->config->command || !len)
		return 0;
	n = stream_get(m->input, buf, len);
	if (!n && !m->sent_eof && machine_input_ended(m)) {
		m->sent_eof = true;
		buf[n++] = END_OF_TRANSMISSION;
	}
	return n;
}

/* Nothing goes into the command's stdin before init is there to take it. */
static size_t stdin_get(void *data, u8 *buf, size_t len)
{
	struct machine *m = data;

	return m->command.started ? stream_get(m->input, buf, len) : 0;
}

static bool stdin_is_open(void *data)
{
	struct machine *m = data;

	return !m->command.started || !stream_at_eof(m->input);
}

static void stdin_finish(void *data)
{
	struct machine *m = data;

	stream_finish(m->input);
}

static const struct port_ops console_ops = {
	.put = console_put,
	.get = console_get,
};

static const struct port_ops stdin_ops = {
	.put = discard,
	.get = stdin_get,
	.finish = stdin_finish,
	.is_open = stdin_is_open,
};

static const struct port_ops stdout_ops = {
	.put = output_put,
	.finish = output_finish,
	.is_open = output_is_open,
};

/* Our stderr stays open for our own messages, so it has no finish. */
static const struct port_ops stderr_ops = {
	.put = output_put,
	.is_open = output_is_open,
};

void machine_add_ports(struct machine *m)
{
	struct virtio_console *con = &m->console;

	virtio_console_add_port(con, NULL, &console_ops, m);
	if (!m->config->command)
		return;
	virtio_console_add_port(con, WIRE_PORT_STDIN, &stdin_ops, m);
	virtio_console_add_port(con, WIRE_PORT_STDOUT, &stdout_ops, m->out);
	virtio_console_add_port(con, WIRE_PORT_STDERR, &stderr_ops, m->err);
	virtio_console_add_port(con, WIRE_PORT_CONTROL, &guest_command_ops,
				&m->command);
}

/* ---- Streams ---- */

/*
 * A stream closes its descriptor to pass on an end of file, so it needs the
 * only one: the standard one is replaced by /dev/null.
 */
static int take_over(int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (own < 0 || null < 0 || dup2(null, fd) < 0)
		die("cannot set up file descriptor %d: %s", fd,
		    strerror(errno));
	close(null);
	return own;
}

static int share(int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (own < 0)
		die("cannot set up file descriptor %d: %s", fd,
		    strerror(errno));
	return own;
}

/* A FIFO waits for its reader here, as anywhere; a signal may still end that. */
void machine_open_log(struct machine *m)
{
	const char *path = m->config->log;

	m->log_fd = -1;
	if (!path)
		return;
	m->log_fd = open(path,
			 O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC,
			 0666);
	if (m->log_fd < 0)
		die("cannot write the log %s: %s; name another --log", path,
		    strerror(errno));
}

static size_t filter_keys(void *data, u8 *buf, size_t len)
{
	return tty_filter(data, buf, len);
}

static void set_up_console_streams(struct machine *m)
{
	m->on_tty = isatty(STDIN_FILENO) && !m->config->bare;
	m->input = stream_new(take_over(STDIN_FILENO), -1, m->wake_fd, "stdin");
	m->console_out = stream_new(take_over(STDOUT_FILENO), m->log_fd,
				    m->wake_fd, "stdout");
	if (m->on_tty) {
		m->input->filter = filter_keys;
		m->input->filter_data = &m->escape;
		tty_make_raw(m->input->fd);
	}
}

static void set_up_command_streams(struct machine *m)
{
	m->input = stream_new(take_over(STDIN_FILENO), -1, m->wake_fd, "stdin");
	m->out = stream_new(take_over(STDOUT_FILENO), -1, m->wake_fd, "stdout");
	m->err = stream_new(share(STDERR_FILENO), -1, m->wake_fd, "stderr");
	m->console_out =
		stream_new(m->log_fd >= 0 ? m->log_fd : share(STDERR_FILENO),
			   -1, m->wake_fd, "the log");
}

/* From here on the terminal is raw. */
void machine_open_streams(struct machine *m)
{
	if (m->config->command)
		set_up_command_streams(m);
	else
		set_up_console_streams(m);
}

void machine_start_streams(struct machine *m)
{
	if (m->config->command) {
		stream_start_output(m->out);
		stream_start_output(m->err);
	}
	stream_start_output(m->console_out);
	if (!m->config->command)
		stream_start_input(m->input);
}

/* ---- Called by the I/O thread when something moved ---- */

static bool lost(struct outcome *outcome, const char *name, int error)
{
	if (error)
		outcome_set(outcome, STATUS_ERROR, EXIT_FAULT,
			    "cannot write to %s: %s; output is lost", name,
			    strerror(error));
	return error;
}

/* Output that was lost is not a guest that went well. */
bool machine_output_failed(struct machine *m, struct outcome *outcome)
{
	struct stream *all[] = { m->out, m->err, m->console_out };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i] && lost(outcome, all[i]->name, stream_error(all[i])))
			return true;
	if (!m->console.lost)
		return false;
	outcome_set(
		outcome, STATUS_ERROR, EXIT_FAULT,
		"the guest took its console away with output in it; output is lost");
	return true;
}

/* Of a log that is a copy; a guest goes on without. */
bool machine_copy_failed(struct machine *m, struct outcome *outcome)
{
	return lost(outcome, "the log", stream_copy_error(m->console_out));
}

static void serve_console_mode(struct machine *m)
{
	struct outcome outcome;

	if (m->escape.quit) {
		outcome_set(&outcome, STATUS_QUIT, 0, "Ctrl-A x");
		machine_end(m, &outcome);
	} else if (machine_output_failed(m, &outcome)) {
		machine_end(m, &outcome);
	} else if (stream_closed(m->console_out)) {
		outcome_set(&outcome, STATUS_CLOSED, EXIT_SIGNAL(SIGPIPE),
			    "nobody reads the console any more");
		machine_end(m, &outcome);
	} else if (m->on_tty && stream_at_eof(m->input)) {
		outcome_set(&outcome, STATUS_INTERRUPT, EXIT_SIGNAL(SIGHUP),
			    "the terminal went away");
		machine_end(m, &outcome);
	}
}

static void serve_command_mode(struct machine *m)
{
	if (m->command.started)
		stream_start_input(m->input);
	if (m->command.ended && !m->command.done &&
	    virtio_console_output_empty(&m->console, true)) {
		pthread_mutex_lock(&m->console.dev.lock);
		guest_command_done(&m->command);
		pthread_mutex_unlock(&m->console.dev.lock);
		virtio_console_service(&m->console);
	}
}

void machine_serve_ports(struct machine *m)
{
	virtio_console_service(&m->console);
	if (m->config->command)
		serve_command_mode(m);
	else
		serve_console_mode(m);
}

/* After the guest: nothing will be put any more but what is in its rings. */
void machine_flush(struct machine *m)
{
	virtio_console_service(&m->console);
}

bool machine_flushed(struct machine *m)
{
	struct stream *all[] = { m->out, m->err, m->console_out };
	size_t i;

	/*
	 * The rings first: a stream that was full at machine_flush() may be
	 * empty by now, with the rest of what is for it still in the ring.
	 */
	if (!virtio_console_output_empty(&m->console, false))
		return false;
	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i] && !stream_drained(all[i]))
			return false;
	return true;
}
