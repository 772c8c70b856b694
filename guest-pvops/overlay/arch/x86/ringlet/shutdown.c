// SPDX-License-Identifier: GPL-2.0
/*
 * Ends: power-off, reboot and panic are told to the host with the reason.
 *
 * Runs in guest kernel mode, in any context; nothing here returns.
 */
#include <linux/console.h>
#include <linux/init.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/reboot.h>
#include <linux/string.h>

#include <asm/page.h>
#include <asm/reboot.h>

#include "ringlet.h"

/* In the image, because the hypercall wants a guest-physical address. */
static char message[RINGLET_SHUTDOWN_TEXT_MAX];

void __noreturn ringlet_shutdown(unsigned long reason, const char *text)
{
	ssize_t length = 0;

	if (text) {
		length = strscpy(message, text, sizeof(message));
		if (length < 0)
			length = sizeof(message) - 1;
	}

	for (;;)
		ringlet_hypercall3(RINGLET_HC_SHUTDOWN, reason,
				   __pa_symbol(message), length);
}

static void ringlet_power_off(void)
{
	do_kernel_power_off();
	ringlet_shutdown(RINGLET_SHUTDOWN_POWEROFF, NULL);
}

static void ringlet_halt_machine(void)
{
	ringlet_shutdown(RINGLET_SHUTDOWN_POWEROFF, NULL);
}

static void ringlet_restart(char *command)
{
	ringlet_shutdown(RINGLET_SHUTDOWN_REBOOT, NULL);
}

static void ringlet_emergency_restart(void)
{
	ringlet_shutdown(RINGLET_SHUTDOWN_REBOOT, NULL);
}

/* Other vCPUs need no stopping: the module ends them all. */
static void ringlet_machine_shutdown(void)
{
}

/*
 * The last of all notifiers. The log must be out first: after the hypercall
 * nobody reads it. panic_timeout is not waited for: whoever wants to look at
 * the machine has the log and the reason outside.
 */
static int ringlet_panic(struct notifier_block *nb, unsigned long event,
			 void *text)
{
	console_flush_on_panic(CONSOLE_FLUSH_PENDING);
	ringlet_shutdown(RINGLET_SHUTDOWN_PANIC, text);
}

static struct notifier_block ringlet_panic_notifier = {
	.notifier_call = ringlet_panic,
	.priority = INT_MIN,
};

void __init ringlet_init_shutdown(void)
{
	machine_ops.power_off = ringlet_power_off;
	machine_ops.halt = ringlet_halt_machine;
	machine_ops.restart = ringlet_restart;
	machine_ops.emergency_restart = ringlet_emergency_restart;
	machine_ops.shutdown = ringlet_machine_shutdown;

	atomic_notifier_chain_register(&panic_notifier_list,
				       &ringlet_panic_notifier);
}
