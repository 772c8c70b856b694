// SPDX-License-Identifier: GPL-2.0
/*
 * What the launcher tells its user at the end: one sentence on stderr, the
 * exit status, and the same as JSON in --status-file. It also holds die(),
 * with which every fault found before the guest starts leaves the program.
 *
 * May touch stderr and the status file, nothing else. The functions that do
 * not return are the main thread's, but for status_exit_at_once(); say() is
 * anybody's.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "status.h"

#define SENTENCE_WAIT_MS 2000 /* for a pipe that nobody reads */

#define STATUS_NAME(name, text, ...) [STATUS_##name] = text,
static const char *const reason_names[] = { STATUS_REASONS(STATUS_NAME) };

static const char *program = "ringlet";
static const char *status_file;
static int status_fd = -1;
/* It is where stdout or stderr goes, too. */
static bool status_shared;

const char *status_reason_name(enum status_reason reason)
{
	return reason_names[reason];
}

void status_set_program(const char *name)
{
	program = name;
}

void status_set_file(const char *path)
{
	status_file = path;
}

/* What a guest last wrote to where our sentences go ended in mid-line. */
static bool mid_line;

void status_note_output(bool in_mid_line)
{
	__atomic_store_n(&mid_line, in_mid_line, __ATOMIC_RELAXED);
}

/*
 * A pipe or terminal that takes nothing more, because nobody reads, must not
 * hold up our end for ever. @patience: milliseconds, or -1: until a signal.
 */
static bool can_write(int fd, int patience)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	struct timespec wait = { .tv_sec = patience / 1000 };
	sigset_t none;

	sigemptyset(&none);
	return ppoll(&pfd, 1, patience < 0 ? NULL : &wait,
		     patience < 0 ? &none : NULL) != 0;
}

/* Nothing more can be done about what cannot be written. */
static void put(int fd, const char *text, int patience)
{
	if (!can_write(fd, patience) || write(fd, text, strlen(text)) < 0)
		return;
}

static void print_sentence(const char *text, int patience)
{
	bool break_line =
		__atomic_exchange_n(&mid_line, false, __ATOMIC_RELAXED);
	char line[STATUS_MESSAGE_MAX + 64];

	/* In one call, so that it is one piece between a guest's lines. */
	snprintf(line, sizeof(line), "%s%s: %s\n", break_line ? "\n" : "",
		 program, text);
	put(STDERR_FILENO, line, patience);
}

void say(const char *fmt, ...)
{
	char text[STATUS_MESSAGE_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	print_sentence(text, SENTENCE_WAIT_MS);
}

void outcome_set(struct outcome *outcome, enum status_reason reason, int status,
		 const char *fmt, ...)
{
	va_list args;

	outcome->reason = reason;
	outcome->status = status;
	va_start(args, fmt);
	vsnprintf(outcome->message, sizeof(outcome->message), fmt, args);
	va_end(args);
}

/*
 * A file that stdout or stderr goes to as well: what is opened anew would begin
 * at its start and cut what they wrote, so ours comes behind theirs. A pipe is
 * not to be open for reading by ourselves, either: its reader's end would not
 * be one, and what is written then waits for ever.
 */
static int share_standard_fd(int fd)
{
	struct stat ours, theirs;
	int i;

	if (fstat(fd, &ours) ||
	    (!S_ISREG(ours.st_mode) && !S_ISFIFO(ours.st_mode)))
		return fd;
	for (i = STDOUT_FILENO; i <= STDERR_FILENO; i++) {
		if (fstat(i, &theirs) || theirs.st_dev != ours.st_dev ||
		    theirs.st_ino != ours.st_ino)
			continue;
		close(fd);
		status_shared = true;
		return fcntl(i, F_DUPFD_CLOEXEC, 3);
	}
	return fd;
}

/* A file that was longer must be cut; what is no file cannot be. */
static int cut_file(void)
{
	if (!status_shared && ftruncate(status_fd, 0) && errno != EINVAL)
		return -1;
	return 0;
}

/* Whatever is there stays what it is, a device for one, and is written over. */
static int open_file(void)
{
	struct stat st;
	bool fifo = !stat(status_file, &st) && S_ISFIFO(st.st_mode);
	/* A FIFO that is opened for both does not wait for a reader. */
	int flags = fifo ? O_RDWR : O_WRONLY | O_CREAT;

	status_fd = open(status_file, flags | O_CLOEXEC, 0666);
	if (status_fd >= 0)
		status_fd = share_standard_fd(status_fd);
	return status_fd < 0 ? -1 : cut_file();
}

/*
 * First of all: whether there will be a status file is known before the guest
 * starts, while it runs nothing more can be opened (sandbox.c), and the last
 * run's verdict is gone if this one does not live to give its own.
 */
void status_open_file(void)
{
	const char *path = status_file;

	/* It would open /dev/urandom when the first object is made. */
	json_object_seed(0);
	if (!path || !open_file())
		return;
	status_file = NULL;
	die("cannot write the status file %s: %s; name another --status-file",
	    path, strerror(errno));
}

/* What is at fault may be known before the file is open. */
static int write_json(json_t *root, int patience)
{
	if (status_fd < 0 ? open_file() : cut_file())
		return -1;
	/* A pipe that takes a byte takes 4096; it is less. */
	if (!can_write(status_fd, patience)) {
		errno = ETIMEDOUT;
		return -1;
	}
	return json_dumpfd(root, status_fd, JSON_INDENT(2));
}

/*
 * The message holds bytes of a guest's choosing: anything that is not
 * printable ASCII becomes '?', which JSON and terminals both take.
 */
void status_make_plain(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static bool write_status_file(const struct outcome *outcome, int patience)
{
	json_t *root;
	bool written;

	if (!status_file)
		return true;
	root = json_pack("{s:s, s:i, s:s}", "reason",
			 status_reason_name(outcome->reason), "status",
			 outcome->status, "message", outcome->message);
	written = root && !write_json(root, patience);
	if (!written)
		say("cannot write the status file %s: %s", status_file,
		    strerror(errno));
	json_decref(root);
	return written;
}

void status_exit(const struct outcome *outcome)
{
	struct outcome plain = *outcome;
	/* As with the guest's output: a reader may page through it for long. */
	int patience = plain.reason == STATUS_TIMEOUT ? SENTENCE_WAIT_MS : -1;

	status_make_plain(plain.message);
	/* An empty file says that we were killed: that must not look well. */
	if (!write_status_file(&plain, patience) && !plain.status)
		plain.status = EXIT_FAULT;
	switch (plain.reason) {
	case STATUS_NO_STATUS:
	case STATUS_PANIC:
	case STATUS_KILLED:
	case STATUS_TIMEOUT:
	case STATUS_ERROR:
		print_sentence(plain.message, patience);
		break;
	default:
		break;
	}
	exit(plain.status);
}

/*
 * From a signal's handler, at any moment of any thread: no memory, no locks, no
 * atexit(). The message is plain, the program's end one word of it.
 */
void status_exit_at_once(const char *fmt, ...)
{
	char text[STATUS_MESSAGE_MAX], json[STATUS_MESSAGE_MAX + 64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	print_sentence(text, SENTENCE_WAIT_MS);
	snprintf(
		json, sizeof(json),
		"{\n  \"reason\": \"%s\",\n  \"status\": %d,\n  \"message\": \"%s\"\n}",
		status_reason_name(STATUS_ERROR), EXIT_FAULT, text);
	if (status_fd >= 0 && !cut_file())
		put(status_fd, json, SENTENCE_WAIT_MS);
	_exit(EXIT_FAULT);
}

void die(const char *fmt, ...)
{
	struct outcome outcome = {
		.reason = STATUS_ERROR,
		.status = EXIT_FAULT,
	};
	va_list args;

	va_start(args, fmt);
	vsnprintf(outcome.message, sizeof(outcome.message), fmt, args);
	va_end(args);
	status_exit(&outcome);
}
