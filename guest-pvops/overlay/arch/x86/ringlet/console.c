// SPDX-License-Identifier: GPL-2.0
/*
 * The early console: the kernel's log by hypercall, from the first line until
 * a real console (hvc0, by virtio) takes over; with keep_bootcon, beyond.
 *
 * Runs in guest kernel mode, in any context, under the console lock; or, for
 * early_printk(), when there is nobody else yet.
 */
#include <linux/console.h>
#include <linux/init.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include <asm/page.h>

#include "ringlet.h"

/*
 * The module takes guest-physical addresses. Text may lie anywhere (vmalloc
 * areas and stacks are not contiguous), so it goes through a buffer of the
 * image, whose address is known.
 */
static char line[256];

static void ringlet_console_write(struct console *con, const char *text,
				  unsigned int length)
{
	while (length) {
		unsigned int n = min_t(unsigned int, length, sizeof(line));

		memcpy(line, text, n);
		ringlet_hypercall2(RINGLET_HC_CONSOLE, __pa_symbol(line), n);
		text += n;
		length -= n;
	}
}

static struct console ringlet_console = {
	.name = "ringlet",
	.write = ringlet_console_write,
	.flags = CON_PRINTBUFFER | CON_BOOT | CON_ANYTIME,
	.index = -1,
};

void __init ringlet_init_console(void)
{
	register_console(&ringlet_console);
#ifdef CONFIG_EARLY_PRINTK
	/* What an early exception says first. */
	early_console = &ringlet_console;
#endif
}
