// SPDX-License-Identifier: GPL-2.0
/*
 * Time: the TSC where the host says it is a sound clock (then everything is
 * native, the vDSO included), else the host's monotonic clock by hypercall;
 * one one-shot timer per vCPU; the time of day at boot.
 *
 * Runs in guest kernel mode; the clock reads in any context, the timer's
 * functions with interrupts off.
 */
#include <linux/clockchips.h>
#include <linux/clocksource.h>
#include <linux/cpu.h>
#include <linux/hardirq.h>
#include <linux/init.h>
#include <linux/percpu.h>
#include <linux/time64.h>

#include <asm/cpufeature.h>
#include <asm/paravirt.h>
#include <asm/time.h>
#include <asm/tsc.h>
#include <asm/x86_init.h>

#include "ringlet.h"

#define TIMER_OFF (~0UL)

static bool tsc_is_clock(void)
{
	return READ_ONCE(ringlet_shared->features) & RINGLET_FEATURE_TSC_STABLE;
}

static unsigned long ringlet_tsc_khz(void)
{
	return READ_ONCE(ringlet_shared->tsc_khz);
}

static noinstr u64 ringlet_monotonic(void)
{
	return ringlet_hypercall1(RINGLET_HC_CLOCK, RINGLET_CLOCK_MONOTONIC);
}

static u64 ringlet_clocksource_read(struct clocksource *cs)
{
	return ringlet_monotonic();
}

/*
 * Nanoseconds, and their conversion to themselves. Rated above a TSC that is
 * not to be trusted, and below one that is.
 */
#define RATING_BELOW_TSC 250
#define NS_SHIFT 24

static struct clocksource ringlet_clocksource = {
	.name = "ringlet",
	.rating = 400,
	.read = ringlet_clocksource_read,
	.mask = CLOCKSOURCE_MASK(64),
	.mult = 1 << NS_SHIFT,
	.shift = NS_SHIFT,
	.flags = CLOCK_SOURCE_IS_CONTINUOUS | CLOCK_SOURCE_VALID_FOR_HRES,
};

static void ringlet_get_wallclock(struct timespec64 *now)
{
	*now = ns_to_timespec64(
		ringlet_hypercall1(RINGLET_HC_CLOCK, RINGLET_CLOCK_REALTIME));
}

/* The host's clock is not ours to set. */
static int ringlet_set_wallclock(const struct timespec64 *now)
{
	return -ENODEV;
}

static DEFINE_PER_CPU(struct clock_event_device, ringlet_timer);

static int ringlet_timer_set_next_event(unsigned long delta,
					struct clock_event_device *timer)
{
	ringlet_hypercall1(RINGLET_HC_SET_TIMER, delta);
	return 0;
}

static int ringlet_timer_off(struct clock_event_device *timer)
{
	ringlet_hypercall1(RINGLET_HC_SET_TIMER, TIMER_OFF);
	return 0;
}

void ringlet_timer_interrupt(void)
{
	struct clock_event_device *timer = this_cpu_ptr(&ringlet_timer);

	inc_irq_stat(apic_timer_irqs);
	if (timer->event_handler)
		timer->event_handler(timer);
}

/* On each vCPU, as it comes up. Deltas are nanoseconds. */
static void ringlet_setup_timer(void)
{
	unsigned int cpu = smp_processor_id();
	struct clock_event_device *timer = per_cpu_ptr(&ringlet_timer, cpu);

	timer->name = "ringlet";
	timer->features = CLOCK_EVT_FEAT_ONESHOT;
	timer->rating = 500;
	timer->cpumask = cpumask_of(cpu);
	timer->irq = -1;
	timer->set_next_event = ringlet_timer_set_next_event;
	timer->set_state_shutdown = ringlet_timer_off;
	timer->set_state_oneshot_stopped = ringlet_timer_off;

	clockevents_config_and_register(timer, NSEC_PER_SEC, 1000, S64_MAX);
}

static void __init ringlet_timer_init(void)
{
	if (tsc_is_clock())
		ringlet_clocksource.rating = RATING_BELOW_TSC;
	__clocksource_register(&ringlet_clocksource);

	ringlet_setup_timer();

	/*
	 * Mainline chooses a clock half-way through the initcalls, and goes by
	 * jiffies until then: every vCPU that is up has a periodic tick, busy
	 * or not. 64 of them, 250 times a second, are more than a host of two
	 * CPUs can carry, and such a guest does not finish its boot. With any
	 * clock that is none of the tick's own, idle vCPUs are silent.
	 */
	timekeeping_notify(&ringlet_clocksource);
}

/*
 * Static calls and keys can be changed only later than ringlet_init_time():
 * see ringlet_init_platform().
 */
void __init ringlet_init_sched_clock(void)
{
	if (tsc_is_clock())
		return;

	paravirt_set_sched_clock(ringlet_monotonic);
	mark_tsc_unstable("the host says so");
}

void __init ringlet_init_time(void)
{
	x86_platform.calibrate_tsc = ringlet_tsc_khz;
	x86_platform.calibrate_cpu = ringlet_tsc_khz;
	x86_platform.get_wallclock = ringlet_get_wallclock;
	x86_platform.set_wallclock = ringlet_set_wallclock;

	x86_init.timers.setup_percpu_clockev = x86_init_noop;
	x86_init.timers.timer_init = ringlet_timer_init;
	x86_init.timers.wallclock_init = x86_init_noop;
	x86_cpuinit.setup_percpu_clockev = ringlet_setup_timer;

	setup_force_cpu_cap(X86_FEATURE_TSC_KNOWN_FREQ);
	if (tsc_is_clock()) {
		setup_force_cpu_cap(X86_FEATURE_CONSTANT_TSC);
		setup_force_cpu_cap(X86_FEATURE_NONSTOP_TSC);
		setup_force_cpu_cap(X86_FEATURE_TSC_RELIABLE);
	}
}
