// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes between the guest and the launcher's stdin, stdout, stderr and log.
 *
 * Each stream has a thread of its own that uses plain blocking read() and
 * write(). One epoll loop over non-blocking descriptors would be shorter, but
 * O_NONBLOCK belongs to the open file, which the launcher shares with the
 * shell and whatever else the terminal serves: setting it breaks them, and
 * regular files cannot be polled at all. So the descriptors stay as they are
 * found, and a full pipe or a stopped terminal holds up its stream alone.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "status.h"
#include "stream.h"
#include "tty.h"

#define CHUNK (16 * KiB)

/* Two descriptors of one terminal, pipe or file. */
static bool same_file(int a, int b)
{
	struct stat x, y;

	return a >= 0 && !fstat(a, &x) && !fstat(b, &y) &&
	       x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

struct stream *stream_new(int fd, int copy_fd, int wake_fd, const char *name)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		die("out of memory");
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->fd = fd;
	s->copy_fd = copy_fd;
	s->wake_fd = wake_fd;
	s->name = name;
	s->on_stderr = same_file(fd, STDERR_FILENO);
	return s;
}

static void wake_io_thread(struct stream *s)
{
	eventfd_write(s->wake_fd, 1);
}

/* ---- The ring; s->lock is held ---- */

static void ring_put(struct stream *s, const u8 *data, size_t len)
{
	size_t end = (s->start + s->len) % STREAM_SIZE;
	size_t first = min(len, STREAM_SIZE - end);

	memcpy(s->buf + end, data, first);
	memcpy(s->buf, data + first, len - first);
	s->len += len;
}

static void ring_get(struct stream *s, u8 *data, size_t len)
{
	size_t first = min(len, STREAM_SIZE - s->start);

	memcpy(data, s->buf + s->start, first);
	memcpy(data + first, s->buf, len - first);
	s->start = (s->start + len) % STREAM_SIZE;
	s->len -= len;
}

/* ---- Called by the vCPU threads and the I/O thread ---- */

/* Takes what there is room for; a closed stream takes and forgets all. */
size_t stream_put(struct stream *s, const u8 *data, size_t len)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	if (s->closed || s->finish) {
		n = len;
	} else {
		n = min(len, STREAM_SIZE - s->len);
		ring_put(s, data, n);
		s->starved = n < len;
	}
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return n;
}

static void add_milliseconds(struct timespec *t, int milliseconds)
{
	clock_gettime(CLOCK_REALTIME, t);
	t->tv_nsec += milliseconds * 1000000L;
	t->tv_sec += t->tv_nsec / 1000000000L;
	t->tv_nsec %= 1000000000L;
}

bool stream_wait_room(struct stream *s, int milliseconds)
{
	struct timespec until;
	bool room;

	add_milliseconds(&until, milliseconds);
	pthread_mutex_lock(&s->lock);
	if (s->len == STREAM_SIZE && !s->closed)
		pthread_cond_timedwait(&s->changed, &s->lock, &until);
	room = s->len < STREAM_SIZE || s->closed;
	pthread_mutex_unlock(&s->lock);
	return room;
}

size_t stream_get(struct stream *s, u8 *data, size_t len)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = min(len, s->len);
	ring_get(s, data, n);
	s->starved = n < len;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* The guest's end is closed: the descriptor follows once the ring is empty. */
void stream_finish(struct stream *s)
{
	pthread_mutex_lock(&s->lock);
	s->finish = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* An output: all is written, or cannot be. */
bool stream_drained(struct stream *s)
{
	bool drained;

	pthread_mutex_lock(&s->lock);
	drained = s->closed || !s->len;
	pthread_mutex_unlock(&s->lock);
	return drained;
}

bool stream_closed(struct stream *s)
{
	bool closed;

	pthread_mutex_lock(&s->lock);
	closed = s->closed;
	pthread_mutex_unlock(&s->lock);
	return closed;
}

/* An output: errno of what went wrong, or 0; a reader that left is not wrong. */
int stream_error(struct stream *s)
{
	int error;

	pthread_mutex_lock(&s->lock);
	error = s->closed ? s->error : 0;
	pthread_mutex_unlock(&s->lock);
	return error;
}

/* An output: the same of its copy. */
int stream_copy_error(struct stream *s)
{
	int error;

	pthread_mutex_lock(&s->lock);
	error = s->copy_error;
	pthread_mutex_unlock(&s->lock);
	return error;
}

/* An input: no more will come, and all was got. */
bool stream_at_eof(struct stream *s)
{
	bool eof;

	pthread_mutex_lock(&s->lock);
	eof = s->closed && !s->len;
	pthread_mutex_unlock(&s->lock);
	return eof;
}

/* ---- The streams' own threads ---- */

static bool wait_ready(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, -1) >= 0 || errno == EINTR;
}

static bool write_all(int fd, const u8 *data, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, data, len);
		if (n >= 0) {
			data += n;
			len -= n;
		} else if (errno == EAGAIN) {
			/* Somebody else made it non-blocking. */
			wait_ready(fd, POLLOUT);
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

/* The copy's end is not the stream's; a reader that left is not wrong here either. */
static void end_copy(struct stream *s, int error)
{
	pthread_mutex_lock(&s->lock);
	s->copy_fd = -1;
	s->copy_error = error == EPIPE ? 0 : error;
	pthread_mutex_unlock(&s->lock);
}

static bool write_chunk(struct stream *s, const u8 *data, size_t len)
{
	if (s->copy_fd >= 0 && !write_all(s->copy_fd, data, len))
		end_copy(s, errno);
	if (s->fd < 0)
		return true;
	if (write_all(s->fd, data, len)) {
		if (s->on_stderr)
			status_note_output(data[len - 1] != '\n');
		return true;
	}
	if (errno != EPIPE)
		s->error = errno;
	return false;
}

/*
 * Bytes leave the ring only when they are written, so that stream_drained()
 * means what it says.
 */
static void *output_thread(void *arg)
{
	struct stream *s = arg;
	size_t n;
	bool ok;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->len && !s->finish)
			pthread_cond_wait(&s->changed, &s->lock);
		if (!s->len)
			break;
		n = min(s->len, min(CHUNK, STREAM_SIZE - s->start));
		pthread_mutex_unlock(&s->lock);
		ok = write_chunk(s, s->buf + s->start, n);
		pthread_mutex_lock(&s->lock);
		if (!ok)
			break;
		s->start = (s->start + n) % STREAM_SIZE;
		s->len -= n;
		if (s->starved || !s->len)
			wake_io_thread(s);
		pthread_cond_broadcast(&s->changed);
	}
	/* Some file systems say so late that there was no room. */
	if (s->fd >= 0 && close(s->fd) && !s->error)
		s->error = errno;
	s->closed = true;
	pthread_cond_broadcast(&s->changed);
	wake_io_thread(s);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/*
 * A background job that reads the terminal is stopped by SIGTTIN, and a guest
 * whose command never reads would be stopped for nothing. The signal is
 * blocked here, so that the read fails instead, and we wait for our turn.
 */
static bool in_background(int fd)
{
	return errno == EIO && isatty(fd) && tcgetpgrp(fd) != getpgrp();
}

/* The I/O thread is told, which makes the terminal raw (tty.c). */
static void wait_for_foreground(struct stream *s)
{
	static const struct timespec pause = { .tv_nsec = 200000000 };

	pid_t foreground;

	do {
		nanosleep(&pause, NULL);
		foreground = tcgetpgrp(s->fd);
	} while (foreground >= 0 && foreground != getpgrp());
	wake_io_thread(s);
}

static ssize_t read_some(struct stream *s, u8 *data, size_t len)
{
	ssize_t n;

	for (;;) {
		n = read(s->fd, data, len);
		if (n >= 0)
			return n;
		if (errno == EAGAIN)
			wait_ready(s->fd, POLLIN);
		else if (in_background(s->fd))
			wait_for_foreground(s);
		else if (errno != EINTR)
			return -1;
	}
}

static void *input_thread(void *arg)
{
	struct stream *s = arg;
	u8 data[CHUNK];
	bool ended = false;
	ssize_t n;

	pthread_mutex_lock(&s->lock);
	while (!ended && !s->finish) {
		if (STREAM_SIZE - s->len < CHUNK) {
			pthread_cond_wait(&s->changed, &s->lock);
			continue;
		}
		pthread_mutex_unlock(&s->lock);
		n = read_some(s, data, sizeof(data));
		if (n <= 0)
			ended = true;
		else if (s->filter)
			n = s->filter(s->filter_data, data, n);
		pthread_mutex_lock(&s->lock);
		if (!ended)
			ring_put(s, data, n);
		wake_io_thread(s);
	}
	s->closed = true;
	close(s->fd);
	wake_io_thread(s);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void start_thread(struct stream *s, void *(*thread)(void *))
{
	sigset_t mask, old;
	int err;

	if (s->started)
		return;
	/* Signals are the I/O thread's alone. */
	tty_thread_mask(&mask);
	pthread_sigmask(SIG_SETMASK, &mask, &old);
	err = pthread_create(&s->thread, NULL, thread, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		die("cannot start a thread: %s", strerror(err));
	s->started = true;
}

void stream_start_output(struct stream *s)
{
	start_thread(s, output_thread);
}

void stream_start_input(struct stream *s)
{
	start_thread(s, input_thread);
}
