// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's init when the launcher was given a command: mounts what programs
 * expect, takes the command over the control port (wire.h), runs it with pipes
 * for stdin, stdout and stderr, moves bytes between the pipes and the ports,
 * reports the status and powers off.
 *
 * Runs as process 1 inside the guest, from the initramfs that the launcher
 * made; it may do what it likes there and must not exit. Pipes and not the
 * ports themselves, because a port can be opened once only and programs open
 * /dev/stderr again.
 *
 * Its own messages go to the console, and so to the launcher's log.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../types.h"
#include "../wire.h"

#define PORT_WAIT_SECONDS 60 /* a slow host under a slow emulator */
#define RELAY_SIZE 32768 /* the most that a port takes at once */

#define PATH_DEFAULT \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static _Noreturn void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static _Noreturn __printf(1, 2) void give_up(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	dprintf(STDERR_FILENO, "ringlet-init: ");
	vdprintf(STDERR_FILENO, fmt, args);
	dprintf(STDERR_FILENO, "\n");
	va_end(args);
	power_off();
}

/* ---- The world that programs expect ---- */

static const struct {
	const char *type, *path, *options;
	unsigned long flags;
} mounts[] = {
	{ "proc", "/proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "devtmpfs", "/dev", NULL, MS_NOSUID },
	{ "devpts", "/dev/pts", "ptmxmode=0666,mode=0620,gid=5",
	  MS_NOSUID | MS_NOEXEC },
	{ "tmpfs", "/dev/shm", "mode=1777", MS_NOSUID | MS_NODEV },
	{ "tmpfs", "/run", "mode=0755", MS_NOSUID | MS_NODEV },
	{ "tmpfs", "/tmp", "mode=1777", MS_NOSUID | MS_NODEV },
};

static void mount_all(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mounts); i++) {
		mkdir(mounts[i].path, 0755);
		if (mount(mounts[i].type, mounts[i].path, mounts[i].type,
			  mounts[i].flags, mounts[i].options) &&
		    errno != EBUSY)
			dprintf(STDERR_FILENO,
				"ringlet-init: cannot mount %s: %s\n",
				mounts[i].path, strerror(errno));
	}
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

static void bring_loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo",
			     .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return; /* a kernel without a network */
	ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
}

/* ---- Ports ---- */

static void pause_briefly(void)
{
	static const struct timespec two_ms = { .tv_nsec = 2000000 };

	nanosleep(&two_ms, NULL);
}

/* Reads the name of port @entry of sysfs; false if it has none yet. */
static bool port_has_name(const char *entry, const char *name)
{
	char path[PATH_MAX], text[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return !strcmp(text, name);
}

static int try_open_port(const char *name)
{
	DIR *dir = opendir("/sys/class/virtio-ports");
	char path[PATH_MAX];
	struct dirent *entry;
	int fd = -1;

	if (!dir)
		return -1;
	while (fd < 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    !port_has_name(entry->d_name, name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	closedir(dir);
	return fd;
}

/*
 * The launcher opens its end of every port as soon as the guest has it. To be
 * seen as an end of file later, a hangup must have been seen to be gone first.
 */
static bool port_connected(int fd)
{
	struct pollfd pfd = { .fd = fd };

	poll(&pfd, 1, 0);
	return !(pfd.revents & POLLHUP);
}

static int open_port(const char *name)
{
	time_t end = time(NULL) + PORT_WAIT_SECONDS;
	int fd = -1;

	while (time(NULL) < end) {
		if (fd < 0)
			fd = try_open_port(name);
		if (fd >= 0 && port_connected(fd))
			return fd;
		pause_briefly();
	}
	give_up("no port %s; has the kernel CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES?",
		name);
}

/* ---- Messages ---- */

static void read_exactly(int fd, void *buf, size_t len)
{
	ssize_t n;

	while (len) {
		n = read(fd, buf, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			give_up("the launcher went away");
		buf += n;
		len -= n;
	}
}

static void write_exactly(int fd, const void *buf, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, buf, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			give_up("cannot write to the launcher: %s",
				strerror(errno));
		buf += n;
		len -= n;
	}
}

static void say_hello(int control)
{
	struct {
		struct wire_header header;
		u32 version;
	} hello = { { WIRE_MAGIC, WIRE_HELLO, sizeof(u32) }, WIRE_VERSION };

	write_exactly(control, &hello, sizeof(hello));
}

struct request {
	char **argv;
	char **env;
	u32 envc;
};

/* The launcher is trusted; the lengths are checked against a stale build. */
static void read_request(int control, struct request *request)
{
	struct wire_header header;
	u32 counts[2], i;
	char *text, *end;

	read_exactly(control, &header, sizeof(header));
	if (header.magic != WIRE_MAGIC || header.type != WIRE_REQUEST ||
	    header.len < sizeof(counts) || header.len > WIRE_REQUEST_MAX)
		give_up("the launcher's request makes no sense");
	read_exactly(control, counts, sizeof(counts));
	header.len -= sizeof(counts);
	text = malloc(header.len + 1);
	request->argv =
		calloc((size_t)counts[0] + counts[1] + 2, sizeof(char *));
	if (!text || !request->argv)
		give_up("out of memory");
	read_exactly(control, text, header.len);
	text[header.len] = '\0';

	request->env = request->argv + counts[0] + 1;
	request->envc = counts[1];
	for (end = text + header.len, i = 0; i < counts[0] + counts[1]; i++) {
		if (text >= end)
			give_up("the launcher's request is short");
		request->argv[i < counts[0] ? i : i + 1] = text;
		text += strlen(text) + 1;
	}
}

static void send_status(int control, u32 kind, u32 value, const char *text)
{
	struct {
		struct wire_header header;
		u32 kind;
		u32 value;
		char text[WIRE_STATUS_MAX - 2 * sizeof(u32)];
	} status = { .kind = kind, .value = value };
	size_t len = strnlen(text, sizeof(status.text));

	memcpy(status.text, text, len);
	status.header = (struct wire_header){
		WIRE_MAGIC,
		WIRE_STATUS,
		2 * sizeof(u32) + len,
	};
	write_exactly(control, &status,
		      sizeof(status.header) + status.header.len);
}

static void wait_for_done(int control)
{
	struct pollfd pfd = { .fd = control, .events = POLLIN };

	/* As long as whoever reads the output likes: the launcher has a timeout. */
	poll(&pfd, 1, -1);
}

/* ---- The command ---- */

struct child {
	pid_t pid;
	int in, out, err; /* our ends of its pipes */
	int start_error; /* errno of exec, 0 if it started */
};

static void set_environment(const struct request *request)
{
	u32 i;

	clearenv();
	setenv("PATH", PATH_DEFAULT, 1);
	setenv("HOME", access("/root", X_OK) ? "/" : "/root", 1);
	setenv("USER", "root", 1);
	setenv("LOGNAME", "root", 1);
	for (i = 0; i < request->envc; i++)
		putenv(request->env[i]);
}

static _Noreturn void become_command(const struct request *request, int in,
				     int out, int err, int report)
{
	sigset_t none;
	int error;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	set_environment(request);
	execvp(request->argv[0], request->argv);
	error = errno;
	write_exactly(report, &error, sizeof(error));
	_exit(127);
}

static void make_pipe(int fds[2])
{
	if (pipe2(fds, O_CLOEXEC))
		give_up("cannot make a pipe: %s", strerror(errno));
}

static void start_command(const struct request *request, struct child *child)
{
	int in[2], out[2], err[2], report[2];

	make_pipe(in);
	make_pipe(out);
	make_pipe(err);
	make_pipe(report);
	child->pid = fork();
	if (child->pid < 0)
		give_up("cannot fork: %s", strerror(errno));
	if (!child->pid)
		become_command(request, in[0], out[1], err[1], report[1]);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	close(report[1]);
	/* exec closes the other end: then this reads nothing. */
	child->start_error = 0;
	if (read(report[0], &child->start_error, sizeof(int)) != sizeof(int))
		child->start_error = 0;
	close(report[0]);
	child->in = in[1];
	child->out = out[0];
	child->err = err[0];
}

/* ---- Moving bytes ---- */

/**
 * struct relay - one direction between a port and a pipe
 * @from: -1 after its end
 * @to: -1 once nobody reads there, or all was written
 * @start: first byte not yet written
 * @len: bytes not yet written
 */
struct relay {
	int from, to;
	size_t start, len;
	char buf[RELAY_SIZE];
};

static void make_nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void relay_open(struct relay *relay, int from, int to)
{
	relay->from = from;
	relay->to = to;
	relay->start = 0;
	relay->len = 0;
	make_nonblocking(from);
	make_nonblocking(to);
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void relay_close(struct relay *relay)
{
	close_end(&relay->from);
	close_end(&relay->to);
	relay->len = 0;
}

/* Returns false when there is nothing to read at the moment, or ever. */
static bool relay_read(struct relay *relay)
{
	ssize_t n;

	if (relay->from < 0 || relay->len)
		return relay->len;
	n = read(relay->from, relay->buf, sizeof(relay->buf));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		relay_close(relay);
		return false;
	}
	relay->start = 0;
	relay->len = n;
	return true;
}

/* Returns false when the other side takes nothing at the moment. */
static bool relay_write(struct relay *relay)
{
	ssize_t n = write(relay->to, relay->buf + relay->start, relay->len);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0) {
		relay_close(relay);
		return false;
	}
	relay->start += n;
	relay->len -= n;
	return true;
}

/*
 * Once only: between two that are quick enough, bytes would go on moving and
 * nobody would see the command's end.
 */
static void relay_move(struct relay *relay)
{
	if (relay_read(relay))
		relay_write(relay);
}

static int add_poll(struct pollfd *pfd, int fd, short events)
{
	*pfd = (struct pollfd){ .fd = fd, .events = events };
	return 1;
}

/* @to is looked at even with nothing to write: its reader may go away. */
static int relay_poll(const struct relay *relay, struct pollfd *pfd)
{
	int n = 0;

	n += add_poll(&pfd[n], relay->from, relay->len ? 0 : POLLIN);
	n += add_poll(&pfd[n], relay->to, relay->len ? POLLOUT : 0);
	if (relay->len)
		pfd[0].fd = -1;
	return n;
}

static void relay_serve(struct relay *relay, const struct pollfd *pfd)
{
	if (pfd[1].revents & (POLLERR | POLLHUP))
		relay_close(relay);
	else
		relay_move(relay);
}

/* Reaps whatever ended; true, and @status, if the command was among it. */
static bool reap(pid_t pid, int *status)
{
	bool found = false;
	int other;
	pid_t got;

	while ((got = waitpid(-1, &other, WNOHANG)) > 0) {
		if (got == pid) {
			*status = other;
			found = true;
		}
	}
	return found;
}

static struct relay relays[3];

static void serve_until_exit(const struct child *child, int signal_fd,
			     int *status)
{
	struct signalfd_siginfo info;
	struct pollfd pfd[7];
	int i, n;

	while (!reap(child->pid, status)) {
		for (i = 0, n = 0; i < 3; i++)
			n += relay_poll(&relays[i], &pfd[n]);
		n += add_poll(&pfd[n], signal_fd, POLLIN);
		if (poll(pfd, n, -1) < 0)
			continue;
		for (i = 0; i < 3; i++)
			relay_serve(&relays[i], &pfd[2 * i]);
		if (pfd[6].revents && read(signal_fd, &info, sizeof(info)) < 0)
			continue;
	}
}

/* The other side may take nothing for long, and may go away. */
static void wait_for_room(struct relay *relay)
{
	struct pollfd pfd[2];

	relay_poll(relay, pfd);
	if (poll(pfd, 2, -1) > 0 && pfd[1].revents & (POLLERR | POLLHUP))
		relay_close(relay);
}

/*
 * What the command wrote is in the pipe when it is dead, and no more is moved
 * than there is by then. Processes that it left behind may hold the pipe open
 * for ever, and may write for ever: they are not waited for.
 */
static void drain(struct relay *relay)
{
	int left = 0;

	if (relay->from >= 0 && ioctl(relay->from, FIONREAD, &left))
		give_up("cannot see what is in a pipe: %s", strerror(errno));
	while (relay->len || left > 0) {
		if (!relay->len) {
			if (!relay_read(relay))
				return;
			left -= relay->len;
		}
		if (!relay_write(relay) && relay->len)
			wait_for_room(relay);
	}
}

static int watch_children(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void report(int control, const struct child *child,
		   const struct request *request, int status)
{
	char text[512];

	if (child->start_error) {
		snprintf(text, sizeof(text), "cannot run %s in the guest: %s",
			 request->argv[0], strerror(child->start_error));
		send_status(control, WIRE_NOT_STARTED,
			    child->start_error == ENOENT ? 127 : 126, text);
	} else if (WIFSIGNALED(status)) {
		send_status(control, WIRE_SIGNALLED, WTERMSIG(status), "");
	} else {
		send_status(control, WIRE_EXITED, WEXITSTATUS(status), "");
	}
}

int main(void)
{
	int control, in, out, err, signal_fd, status = 0;
	struct request request;
	struct child child;

	mount_all();
	bring_loopback_up();
	signal_fd = watch_children();
	in = open_port(WIRE_PORT_STDIN);
	out = open_port(WIRE_PORT_STDOUT);
	err = open_port(WIRE_PORT_STDERR);
	control = open_port(WIRE_PORT_CONTROL);
	say_hello(control);
	read_request(control, &request);

	start_command(&request, &child);
	relay_open(&relays[0], in, child.in);
	relay_open(&relays[1], child.out, out);
	relay_open(&relays[2], child.err, err);
	serve_until_exit(&child, signal_fd, &status);
	drain(&relays[1]);
	drain(&relays[2]);

	sync();
	report(control, &child, &request, status);
	wait_for_done(control);
	power_off();
}
