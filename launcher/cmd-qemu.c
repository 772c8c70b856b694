// SPDX-License-Identifier: GPL-2.0
/*
 * qemu-system-ringlet: the launcher under the name that kunit.py composes from
 * ringlet.py, with as much of QEMU's command line as kunit.py uses. It is no
 * QEMU: a word that would change what runs is refused.
 *
 * The console is stdin and stdout; stdin's end means nothing, since kunit.py
 * never types; a guest that powers off or restarts ends us, as -no-reboot asks.
 */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "machine.h"
#include "options.h"

#define DEFAULT_MEM (128 * MiB) /* QEMU's */

struct qemu_options {
	struct machine_config config;
	const char *serial;
	bool help;
	bool version;
};

#define QEMU(member) offsetof(struct qemu_options, member)

/* clang-format off */
static const struct option_spec qemu_specs[] = {
	{ "-kernel", "FILE", "guest kernel", OPTION_STRING, QEMU(config.kernel) },
	{ "-append", "WORDS", "kernel command line", OPTION_STRING, QEMU(config.append) },
	{ "-initrd", "FILE", "initial root file system", OPTION_STRING, QEMU(config.initrd) },
	{ "-m", "SIZE", "memory; a plain number is MiB", OPTION_SIZE, QEMU(config.mem) },
	{ "-serial", "stdio", "the console; nothing else will do", OPTION_STRING, QEMU(serial) },
	{ "-smp", "N", "virtual CPUs; no more than their number", OPTION_CPUS, QEMU(config.cpus) },
	{ "-no-reboot", NULL, "as always here", OPTION_IGNORED_FLAG, 0 },
	{ "-nodefaults", NULL, "as always here", OPTION_IGNORED_FLAG, 0 },
	{ "-nographic", NULL, "as always here", OPTION_IGNORED_FLAG, 0 },
	{ "-display", "none", "ignored", OPTION_IGNORED, 0 },
	{ "-monitor", "none", "ignored", OPTION_IGNORED, 0 },
	{ "-accel", "NAME", "ignored: this is the accelerator", OPTION_IGNORED, 0 },
	{ "-cpu", "NAME", "ignored: the guest sees this CPU", OPTION_IGNORED, 0 },
	{ "-help", NULL, "print this", OPTION_FLAG, QEMU(help) },
	{ "--help", NULL, NULL, OPTION_FLAG, QEMU(help) },
	{ "-version", NULL, "print the version", OPTION_FLAG, QEMU(version) },
	{ "--version", NULL, NULL, OPTION_FLAG, QEMU(version) },
};

/* clang-format on */

static const struct option_table qemu_table = { qemu_specs,
						ARRAY_SIZE(qemu_specs) };

static void help_qemu(void)
{
	puts("qemu-system-ringlet is no QEMU: it is `ringlet run' for kunit.py, see ringlet(1).\n");
	options_print(&qemu_table, stdout);
}

static void check(const struct qemu_options *options)
{
	const char *serial = options->serial;

	if (!options->config.kernel)
		die("no kernel; give -kernel vmlinux or -kernel bzImage");
	if (serial && strcmp(serial, "stdio") && strcmp(serial, "mon:stdio"))
		die("-serial %s is not possible; the console is always stdio",
		    serial);
}

int cmd_qemu(int argc, char **argv)
{
	struct qemu_options options = {
		.config = { .mem = DEFAULT_MEM, .cpus = 1, .bare = true },
	};
	static struct machine machine;
	struct outcome outcome;
	char error[512];
	int rest;

	status_set_program("qemu-system-ringlet");
	rest = 1 + options_parse(&qemu_table, argc - 1, argv + 1, &options,
				 error, sizeof(error));
	if (options.help) {
		help_qemu();
		return 0;
	}
	if (options.version) {
		puts("qemu-system-ringlet (ringlet " LAUNCHER_VERSION
		     ", not QEMU)");
		return 0;
	}
	if (*error)
		die("%s", error);
	if (rest < argc)
		die("what is `%s'? qemu-system-ringlet takes no disk images; see -help",
		    argv[rest]);
	check(&options);

	machine_set_up(&machine, &options.config);
	machine_run(&machine, &outcome);
	status_exit(&outcome);
}
