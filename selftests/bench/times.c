// SPDX-License-Identifier: GPL-2.0
/*
 * Operations: timers. User space of the place that is measured.
 */
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define DELAY 300000 /* ns to a timer's interrupt: within the loop below */

static int timer = -1;
static long turns; /* of a loop that takes twice as long */

static void spin(long n)
{
	while (n--)
		barrier();
}

static void timer_prepare(long n)
{
	uint64_t begun;

	(void)n;
	timer = timerfd_create(CLOCK_MONOTONIC, 0);
	must(timer >= 0, "timerfd");
	/* Once: both arms are to do the same. */
	while (!turns) {
		begun = now();
		spin(1000000);
		turns = 1000000 * 2.0 * DELAY / (now() - begun + 1);
	}
}

static void arm(long ns)
{
	struct itimerspec when = {
		.it_value = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 },
	};

	must(!timerfd_settime(timer, 0, &when, NULL), "timerfd_settime");
}

/* A timer that fires into a busy loop, */
static void timer_run(long n)
{
	while (n--) {
		arm(DELAY);
		spin(turns);
	}
}

/* and the same with one that does not. */
static void timer_base_run(long n)
{
	while (n--) {
		arm(3000000000L);
		spin(turns);
	}
	arm(0);
}

static void timer_clean(long n)
{
	(void)n;
	close(timer);
}

/* How late a sleeper runs again when nothing else does: from idle to user mode. */
static void idle_run(long n)
{
	struct timespec t;
	uint64_t due;

	while (n--) {
		due = now() + 2000000;
		t.tv_sec = due / 1000000000;
		t.tv_nsec = due % 1000000000;
		must(!clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), "sleep");
		own_time += now() - due;
	}
}

/* clang-format off */
const struct operation time_operations[] = {
	{ "timer", timer_prepare, timer_run, timer_clean },
	{ "timer-base", timer_prepare, timer_base_run, timer_clean },
	{ "idle", NULL, idle_run, NULL },
	{ }
};
/* clang-format on */
