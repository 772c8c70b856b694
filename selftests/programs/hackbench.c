// SPDX-License-Identifier: GPL-2.0
/*
 * hackbench [GROUPS [MESSAGES]]: many that send to many, as the scheduler's
 * benchmark of that name has them: in each group ten senders write to ten
 * receivers each, over pipes and over sockets, as processes and as threads. All
 * wake all others, on all CPUs. Here nothing is timed: every message must arrive
 * whole, once, and those of a sender in their order.
 *
 * World: user mode, natively and in the guest, on any number of CPUs.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "ktap.h"

#define PEERS 10 /* senders, and receivers, of a group */
#define MOST_GROUPS 20
#define FILL 88 /* for messages of 104 bytes; 100 would leave a gap */

struct message {
	uint32_t sender;
	uint32_t receiver;
	uint64_t number;
	unsigned char fill[FILL];
};

enum over { PIPES, SOCKETS };

static long groups, messages;

/* One end of a group: its place among the senders, or receivers, and its fds. */
struct end {
	int (*work)(const struct end *end);
	int me;
	int fds[PEERS];
	pthread_t thread;
	pid_t pid;
};

/* Written by each thread or process at its end: it found all as it should be. */
static int report[2];

static void fill(struct message *m, int sender, int receiver, long number)
{
	m->sender = sender;
	m->receiver = receiver;
	m->number = number;
	memset(m->fill, sender * 16 + receiver + number, FILL);
}

static int transfer(int fd, void *data, size_t len, int out)
{
	while (len) {
		ssize_t n = out ? write(fd, data, len) : read(fd, data, len);

		if (n <= 0)
			return -1;
		data = (char *)data + n;
		len -= n;
	}
	return 0;
}

/* A message to each receiver in turn, so that all of them have work. */
static int send_all(const struct end *end)
{
	struct message m;

	for (long n = 0; n < messages; n++)
		for (int i = 0; i < PEERS; i++) {
			fill(&m, end->me, i, n);
			if (transfer(end->fds[i], &m, sizeof(m), 1))
				return -1;
		}
	return 0;
}

/* Messages of all senders, in any order among them. */
static int receive_all(const struct end *end)
{
	uint64_t next[PEERS] = {};
	struct message m, want;

	for (long n = 0; n < messages * PEERS; n++) {
		if (transfer(end->fds[0], &m, sizeof(m), 0))
			return -1;
		if (m.sender >= PEERS)
			return -1;
		fill(&want, m.sender, end->me, next[m.sender]++);
		if (memcmp(&m, &want, sizeof(m)))
			return -1;
	}
	return 0;
}

static void *work(void *arg)
{
	const struct end *end = arg;
	char good = !end->work(end);

	return write(report[1], &good, 1) == 1 ? arg : NULL;
}

/*
 * Pipes of a receiver are one, which all senders of its group write to: a
 * message is shorter than PIPE_BUF and arrives whole. Datagrams do, too.
 */
static int make_group(struct end *ends, enum over over)
{
	for (int i = 0; i < PEERS; i++) {
		struct end *receiver = &ends[PEERS + i];
		int fds[2];

		if (over == PIPES)
			CHECK(!pipe(fds));
		else
			CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
		receiver->work = receive_all;
		receiver->me = i;
		receiver->fds[0] = fds[0];
		for (int j = 0; j < PEERS; j++) {
			ends[j].work = send_all;
			ends[j].me = j;
			ends[j].fds[i] = fds[1];
		}
	}
	return KTAP_OK;
}

static void close_group(struct end *ends)
{
	for (int i = 0; i < PEERS; i++) {
		close(ends[0].fds[i]);
		close(ends[PEERS + i].fds[0]);
	}
}

static int begin(struct end *end, int threads)
{
	if (threads)
		return pthread_create(&end->thread, NULL, work, end);
	end->pid = fork();
	if (!end->pid)
		_exit(!work(end));
	return end->pid < 0;
}

static int finish(struct end *end, int threads)
{
	int status;

	if (threads)
		return pthread_join(end->thread, NULL);
	return waitpid(end->pid, &status, 0) != end->pid || status;
}

static int hackbench(enum over over, int threads)
{
	static struct end ends[MOST_GROUPS][2 * PEERS];
	long good = 0;
	char word;

	CHECK(!pipe(report));
	for (long g = 0; g < groups; g++)
		CHECK_RUN(make_group(ends[g], over));
	for (long g = 0; g < groups; g++)
		for (int i = 0; i < 2 * PEERS; i++)
			CHECK(!begin(&ends[g][i], threads));
	for (long n = 0; n < groups * 2 * PEERS; n++) {
		CHECK(read(report[0], &word, 1) == 1);
		good += word;
	}
	for (long g = 0; g < groups; g++)
		for (int i = 0; i < 2 * PEERS; i++)
			CHECK(!finish(&ends[g][i], threads));
	CHECK_EQ(good, groups * 2 * PEERS);
	for (long g = 0; g < groups; g++)
		close_group(ends[g]);
	close(report[0]);
	close(report[1]);
	return KTAP_OK;
}

static int t_process_pipe(void)
{
	return hackbench(PIPES, 0);
}

static int t_process_socket(void)
{
	return hackbench(SOCKETS, 0);
}

static int t_thread_pipe(void)
{
	return hackbench(PIPES, 1);
}

static int t_thread_socket(void)
{
	return hackbench(SOCKETS, 1);
}

int main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		{ "processes over pipes", t_process_pipe },
		{ "processes over sockets", t_process_socket },
		{ "threads over pipes", t_thread_pipe },
		{ "threads over sockets", t_thread_socket },
	};

	groups = ktap_arg(argc, argv, 1, 2);
	messages = ktap_arg(argc, argv, 2, 20);
	if (groups > MOST_GROUPS)
		return KTAP_FAIL;
	return ktap_run(tests, ARRAY_SIZE(tests));
}
