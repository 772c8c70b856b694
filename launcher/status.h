/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_STATUS_H
#define LAUNCHER_STATUS_H

#include "types.h"

/*
 * How a run ended. STATUS_REASONS() is the one table: the names in the status
 * file and in the manual page come from it. X(name, text, meaning)
 */
/* clang-format off */
#define STATUS_REASONS(X)						\
	X(EXIT,		"exit",		"the command ended by itself")	\
	X(SIGNAL,	"signal",	"a signal ended the command")	\
	X(POWEROFF,	"poweroff",	"the guest powered itself off")	\
	X(REBOOT,	"reboot",	"the guest asked for a restart")	\
	X(NO_STATUS,	"no-status",	"the guest ended before its command did") \
	X(PANIC,	"panic",	"the guest kernel panicked")	\
	X(KILLED,	"killed",	"the module ended the guest")	\
	X(TIMEOUT,	"timeout",	"--timeout passed")		\
	X(INTERRUPT,	"interrupt",	"a signal ended the launcher")	\
	X(QUIT,		"quit",		"Ctrl-A x")			\
	X(CLOSED,	"closed",	"nobody reads the console any more")	\
	X(ERROR,	"error",	"launcher, module or input at fault")
/* clang-format on */

#define STATUS_ENUM(name, ...) STATUS_##name,
enum status_reason { STATUS_REASONS(STATUS_ENUM) };

#undef STATUS_ENUM

/* Exit statuses that are not the guest command's own. */
/* clang-format off */
#define EXIT_GUEST_DIED	255
#define EXIT_TIMEOUT	124
#define EXIT_FAULT	125
#define EXIT_SIGNAL(n)	(128 + (n))
/* clang-format on */

#define STATUS_MESSAGE_MAX 1200

struct outcome {
	enum status_reason reason;
	int status;
	char message[STATUS_MESSAGE_MAX];
};

const char *status_reason_name(enum status_reason reason);

void status_set_program(const char *name);
void status_set_file(const char *path);
void status_open_file(void);
void status_note_output(bool in_mid_line);
void status_make_plain(char *text);

__printf(4, 5) void outcome_set(struct outcome *outcome,
				enum status_reason reason, int status,
				const char *fmt, ...);

__printf(1, 2) void say(const char *fmt, ...);
_Noreturn __printf(1, 2) void status_exit_at_once(const char *fmt, ...);
_Noreturn __printf(1, 2) void die(const char *fmt, ...);
_Noreturn void status_exit(const struct outcome *outcome);

#endif
