// SPDX-License-Identifier: GPL-2.0
/*
 * A person at a terminal, played: starts a command on a pseudo-terminal of its
 * own and goes through steps. For the tests of the launcher's console, on a
 * machine with the played module and in a disposable host with the real one.
 *
 *	pty STEP... -- COMMAND ARGUMENT...
 *
 *	expect:TEXT	wait until the terminal has shown it since the last one
 *	send:TEXT	type it; \r, \n and \xHH as in C
 *	size:ROWS,COLS	make the terminal that large
 *	kill:N		send the command signal N
 *	raw, cooked	the terminal is raw; it is as it was at first
 *	hangup		take the terminal away
 *	ends:STATUS	the command ends so; 128+N if a signal ended it
 *
 * Status 0 if all steps went well; else 1, with the step and what the terminal
 * showed on stderr. A step may take 60 seconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define STEP_SECONDS 60
#define TICK_MS 20

static int master = -1, slave = -1;
static struct termios first;
static pid_t child;
static int status = -1;
static char shown[1 << 20];
static size_t shown_len, expected_to;

static void start(char **argv)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };

	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) || unlockpt(master)) {
		perror("pty: no pseudo-terminal");
		exit(1);
	}
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	tcgetattr(slave, &first);
	ioctl(master, TIOCSWINSZ, &size);
	child = fork();
	if (child)
		return;
	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	dup2(slave, 0);
	dup2(slave, 1);
	dup2(slave, 2);
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(127);
}

/* Takes in what the terminal shows; waits a moment if that is nothing. */
static void look(void)
{
	struct pollfd pfd = { .fd = master, .events = POLLIN };
	ssize_t n;
	int ended;

	poll(&pfd, 1, TICK_MS);
	if (pfd.revents & POLLIN && shown_len < sizeof(shown) - 1) {
		n = read(master, shown + shown_len,
			 sizeof(shown) - 1 - shown_len);
		if (n > 0)
			shown_len += n;
	}
	if (status < 0 && waitpid(child, &ended, WNOHANG) == child)
		status = WIFSIGNALED(ended) ? 128 + WTERMSIG(ended) :
					      WEXITSTATUS(ended);
}

static bool seen(const char *text)
{
	char *found = memmem(shown + expected_to, shown_len - expected_to, text,
			     strlen(text));

	if (found)
		expected_to = found - shown + strlen(text);
	return found;
}

static bool is_raw(void)
{
	struct termios now;

	return !tcgetattr(slave, &now) &&
	       !(now.c_lflag & (ICANON | ECHO | ISIG));
}

static bool is_cooked(void)
{
	struct termios now;

	return !tcgetattr(slave, &now) && now.c_lflag == first.c_lflag &&
	       now.c_iflag == first.c_iflag && now.c_oflag == first.c_oflag;
}

static void type(const char *text)
{
	char byte;

	while (*text) {
		byte = *text++;
		if (byte == '\\' && *text == 'x') {
			byte = strtol((char[]){ text[1], text[2], 0 }, NULL,
				      16);
			text += 3;
		} else if (byte == '\\') {
			byte = *text == 'r' ? '\r' : '\n';
			text++;
		}
		if (write(master, &byte, 1) != 1)
			return;
	}
}

static void resize(const char *text)
{
	struct winsize size = { 0 };
	char *comma;

	size.ws_row = strtoul(text, &comma, 10);
	if (*comma)
		size.ws_col = strtoul(comma + 1, NULL, 10);
	ioctl(master, TIOCSWINSZ, &size);
}

/* True once the step is done; a step that acts is done at once. */
static bool try_step(const char *step, const char *text)
{
	if (!strncmp(step, "expect:", 7))
		return seen(text);
	if (!strncmp(step, "ends:", 5))
		return status == atoi(text);
	if (!strcmp(step, "raw"))
		return is_raw();
	if (!strcmp(step, "cooked"))
		return is_cooked();
	if (!strncmp(step, "send:", 5))
		type(text);
	else if (!strncmp(step, "size:", 5))
		resize(text);
	else if (!strncmp(step, "kill:", 5))
		kill(child, atoi(text));
	else if (!strcmp(step, "hangup"))
		close(master);
	else
		return false;
	return true;
}

static bool do_step(const char *step)
{
	const char *text = strchr(step, ':') ? strchr(step, ':') + 1 : "";
	time_t end = time(NULL) + STEP_SECONDS;

	while (!try_step(step, text)) {
		/* After its end and its last output nothing changes. */
		if (time(NULL) > end || (status >= 0 && strcmp(step, "cooked")))
			return try_step(step, text);
		look();
		if (status >= 0)
			look();
	}
	return true;
}

int main(int argc, char **argv)
{
	int i, command = 1;

	while (command < argc && strcmp(argv[command], "--"))
		command++;
	if (command + 1 >= argc) {
		fputs("usage: pty STEP... -- COMMAND ARGUMENT...\n", stderr);
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	start(argv + command + 1);
	for (i = 1; i < command; i++) {
		if (do_step(argv[i]))
			continue;
		fprintf(stderr, "pty: %s did not come; status %d; shown:\n",
			argv[i], status);
		fwrite(shown, 1, shown_len, stderr);
		kill(child, SIGKILL);
		return 1;
	}
	if (status < 0)
		kill(child, SIGKILL);
	return 0;
}
