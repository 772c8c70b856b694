/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_STREAM_H
#define LAUNCHER_STREAM_H

#include <pthread.h>

#include "types.h"

#define STREAM_SIZE (256 * KiB)

/**
 * struct stream - bytes on their way between the guest and a descriptor
 * @lock: guards the rest
 * @changed: something here changed
 * @thread: moves the bytes with blocking calls
 * @started: there is a thread
 * @fd: the descriptor, -1 if the bytes go nowhere
 * @copy_fd: a file that gets what goes to @fd too, or -1
 * @wake_fd: eventfd of the I/O thread
 * @name: for messages
 * @on_stderr: an output that is seen in one place with our own messages
 * @filter: sees what an input reads first and may shorten it; in the thread
 * @filter_data: for @filter
 * @starved: the I/O thread could not go on and wants to be woken
 * @finish: no bytes will be put (or got) any more
 * @closed: the other end is gone: EOF, EPIPE, an error
 * @error: errno of that error; valid once closed
 * @copy_error: errno of what ended @copy_fd, or 0
 * @start: index of the first byte
 * @len: number of bytes
 * @buf: ring of bytes
 */
struct stream {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool started;
	int fd;
	int copy_fd;
	int wake_fd;
	const char *name;
	bool on_stderr;
	size_t (*filter)(void *data, u8 *buf, size_t len);
	void *filter_data;
	bool starved;
	bool finish;
	bool closed;
	int error;
	int copy_error;
	size_t start;
	size_t len;
	u8 buf[STREAM_SIZE];
};

struct stream *stream_new(int fd, int copy_fd, int wake_fd, const char *name);
void stream_start_output(struct stream *s);
void stream_start_input(struct stream *s);

size_t stream_put(struct stream *s, const u8 *data, size_t len);
bool stream_wait_room(struct stream *s, int milliseconds);
size_t stream_get(struct stream *s, u8 *data, size_t len);
void stream_finish(struct stream *s);
bool stream_drained(struct stream *s);
bool stream_closed(struct stream *s);
int stream_error(struct stream *s);
int stream_copy_error(struct stream *s);
bool stream_at_eof(struct stream *s);

#endif
