// SPDX-License-Identifier: GPL-2.0
/*
 * The user's terminal: raw while an interactive guest runs, put back however
 * the launcher ends short of SIGKILL; its size; and the Ctrl-A keys.
 *
 * tty_restore() may run in a signal handler.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "status.h"
#include "tty.h"

#define CTRL_A 0x01

static struct termios saved, raw;
static int tty_fd = -1;
/* @saved is what there was before we first touched it. */
static bool touched;

/*
 * To set a terminal from the background stops who does it (SIGTTOU), and it is
 * another's then: that of the shell whose "kill %1" ends us.
 */
static bool is_ours(void)
{
	pid_t foreground = tcgetpgrp(tty_fd);

	return foreground < 0 || foreground == getpgrp();
}

void tty_restore(void)
{
	if (touched && is_ours())
		tcsetattr(tty_fd, TCSADRAIN, &saved);
}

/* As it is now: while we are in the background it is another's, readline's perhaps. */
static bool save(void)
{
	if (tcgetattr(tty_fd, &saved))
		return false;
	raw = saved;
	cfmakeraw(&raw);
	/* Early kernel messages end in a bare newline. */
	raw.c_oflag |= OPOST | ONLCR;
	touched = true;
	return true;
}

/* After a stop the shell may have changed the terminal. */
void tty_resume(void)
{
	if (tty_fd >= 0 && is_ours() && (touched || save()))
		tcsetattr(tty_fd, TCSADRAIN, &raw);
}

/* Started in the background, we came to the front: a shell's "fg" need not stop us for that. */
void tty_take(void)
{
	if (!touched)
		tty_resume();
}

static void restore_and_die(int signal)
{
	/* SA_RESETHAND: this time it kills. */
	if (touched && is_ours())
		tcsetattr(tty_fd, TCSANOW, &saved);
	raise(signal);
}

/* Those that the machine itself does not take; SIGPIPE and SIGUSR1 are others'. */
static void catch_fatal_signals(void)
{
	static const int fatal[] = {
		SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
		SIGFPE,	 SIGSEGV, SIGUSR2, SIGALRM, SIGXCPU,
		SIGIO,	 SIGPWR,  SIGPROF, SIGXFSZ, SIGVTALRM,
	};
	struct sigaction action = {
		.sa_handler = restore_and_die,
		.sa_flags = SA_RESETHAND | SA_NODEFER,
	};
	size_t i;
	int rt;

	for (i = 0; i < ARRAY_SIZE(fatal); i++)
		sigaction(fatal[i], &action, NULL);
	for (rt = SIGRTMIN; rt <= SIGRTMAX; rt++)
		sigaction(rt, &action, NULL);
}

/*
 * What the launcher's threads but the first block: all, but for faults of their
 * own, which the kernel would make fatal at once, and what the sandbox raises.
 */
void tty_thread_mask(sigset_t *mask)
{
	sigfillset(mask);
	sigdelset(mask, SIGSYS);
	sigdelset(mask, SIGILL);
	sigdelset(mask, SIGBUS);
	sigdelset(mask, SIGFPE);
	sigdelset(mask, SIGSEGV);
}

void tty_make_raw(int fd)
{
	tty_fd = fd;
	atexit(tty_restore);
	catch_fatal_signals();
	tty_resume();
}

bool tty_size(int fd, u16 *cols, u16 *rows)
{
	struct winsize ws;

	if (ioctl(fd, TIOCGWINSZ, &ws) || !ws.ws_col || !ws.ws_row)
		return false;
	*cols = ws.ws_col;
	*rows = ws.ws_row;
	return true;
}

static void print_keys(void)
{
	static const char text[] =
		"\nCtrl-A x  quit    Ctrl-A a  send Ctrl-A    Ctrl-A ?  this help\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		return;
}

/* Takes the Ctrl-A keys out of what was typed; returns the new length. */
size_t tty_filter(struct tty_escape *escape, u8 *buf, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		if (!escape->armed) {
			if (buf[i] == CTRL_A)
				escape->armed = true;
			else
				buf[n++] = buf[i];
			continue;
		}
		escape->armed = false;
		if (buf[i] == 'x' || buf[i] == 'X')
			escape->quit = true;
		else if (buf[i] == 'a' || buf[i] == CTRL_A)
			buf[n++] = CTRL_A;
		else if (buf[i] == '?' || buf[i] == 'h')
			print_keys();
	}
	return n;
}
