// SPDX-License-Identifier: GPL-2.0
/*
 * The measured side: user space of the place that is measured.
 *
 * A line "OPERATION N" on stdin is answered by "bench begin"; a line later it
 * runs, and "bench end OPERATION N NANOSECONDS" says what it took; after
 * another line it cleans up and says "bench ready". Between begin and that
 * last line nothing else happens here, so counters read then are of the
 * operation, with a constant for the talking; N and 2N times make it go away.
 * The word "bench" is there because a console may carry a kernel's words too.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "bench.h"

uint64_t own_time;
int workers;

static const struct operation *const tables[] = {
	syscall_operations, memory_operations, process_operations,
	time_operations,    cpu_operations,    parallel_operations,
};

const struct operation *find_operation(const char *name)
{
	const struct operation *op;

	for (unsigned int i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (op = tables[i]; op->name; op++)
			if (!strcmp(op->name, name))
				return op;
	return NULL;
}

/* By bytes: what is not asked for yet stays in the pipe, for nobody's buffer. */
static bool get_line(char *line, size_t size)
{
	size_t n = 0;
	char c;

	while (read(0, &c, 1) == 1) {
		if (c == '\n') {
			line[n] = 0;
			return true;
		}
		if (n + 1 < size)
			line[n++] = c;
	}
	return false;
}

static void say(const char *text)
{
	must(write(1, text, strlen(text)) == (ssize_t)strlen(text), "stdout");
}

static bool measure(const struct operation *op, long n)
{
	char line[128];
	uint64_t begun, took;

	workers = op->workers;
	if (op->prepare)
		op->prepare(n);
	own_time = 0;
	say("bench begin\n");
	if (!get_line(line, sizeof(line)))
		return false;
	begun = now();
	op->run(n);
	took = now() - begun;
	snprintf(line, sizeof(line), "bench end %s %ld %llu\n", op->name, n,
		 (unsigned long long)(own_time ? own_time : took));
	say(line);
	if (!get_line(line, sizeof(line)))
		return false;
	if (op->clean)
		op->clean(n);
	return true;
}

void stay_on_cpu(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	must(!sched_setaffinity(0, sizeof(cpus), &cpus), "one CPU");
}

int serve(void)
{
	const struct operation *op;
	char line[128], name[32];
	struct termios tty;
	long n;

	/* One CPU, as the guests have: no wake-ups across CPUs, no migration. */
	stay_on_cpu(0);
	/* A timer is to fire when it is due, not when others are. */
	prctl(PR_SET_TIMERSLACK, 1);
	if (!tcgetattr(0, &tty)) {
		cfmakeraw(&tty);
		tcsetattr(0, TCSANOW, &tty);
	}
	say("\nbench ready\n");
	while (get_line(line, sizeof(line))) {
		if (sscanf(line, "%31s %ld", name, &n) != 2)
			break;
		op = find_operation(name);
		must(op && n > 0, "no such operation");
		if (!measure(op, n))
			break;
		say("bench ready\n");
	}
	return 0;
}

int be_init(void)
{
	mkdir("/proc", 0755);
	mkdir("/dev", 0755);
	mkdir("/tmp", 0777);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("tmp", "/tmp", "tmpfs", 0, NULL);
	setenv("PATH", "/usr/bin:/bin", 1);
	/* What an exec is to have is this file, not the kernel's name for it. */
	own_path = "/bench";
	serve();
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
