// SPDX-License-Identifier: GPL-2.0
/*
 * ringlet run: the options of a guest, and how its end becomes ours.
 */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "machine.h"
#include "options.h"

#define DEFAULT_MEM (512 * MiB)

struct run_options {
	struct machine_config config;
	const char *status_file;
	bool help;
};

#define CONFIG(member) offsetof(struct run_options, config.member)

static const struct option_spec run_specs[] = {
	{ "--kernel", "FILE", "guest kernel: a vmlinux or a bzImage (needed)",
	  OPTION_STRING, CONFIG(kernel) },
	{ "--initrd", "FILE",
	  "initial root file system; `none' for none\n(default: a busybox)",
	  OPTION_STRING, CONFIG(initrd) },
	{ "--mem", "SIZE",
	  "guest memory: K, M, G; a plain number is MiB\n(default: 512M)",
	  OPTION_SIZE, CONFIG(mem) },
	{ "--cpus", "N",
	  "virtual CPUs, up to 64, also more than the host has\n(default: 1)",
	  OPTION_CPUS, CONFIG(cpus) },
	{ "--append", "WORDS", "add to the kernel command line", OPTION_STRING,
	  CONFIG(append) },
	{ "--timeout", "SECONDS",
	  "end the guest after this time, with status 124", OPTION_SECONDS,
	  CONFIG(timeout) },
	{ "--log", "FILE",
	  "write the console's output here; with a command\ninstead of to stderr",
	  OPTION_STRING, CONFIG(log) },
	{ "--status-file", "FILE", "write how it ended here, as JSON",
	  OPTION_STRING, offsetof(struct run_options, status_file) },
	{ "--help", NULL, "print this", OPTION_FLAG,
	  offsetof(struct run_options, help) },
};

static const struct option_table run_table = { run_specs,
					       ARRAY_SIZE(run_specs) };

void help_run(FILE *file)
{
	fputs("usage: ringlet run --kernel FILE [OPTION...] [-- COMMAND [ARGUMENT...]]\n\n"
	      "Starts a guest: with its console here (Ctrl-A x quits), or to run COMMAND in\n"
	      "it, with stdin, stdout, stderr and exit status as if it had run here.\n\n",
	      file);
	options_print(&run_table, file);
	fputs("\nexit status: the command's own, 128+n if signal n ended it; 0 for a poweroff\n"
	      "without a command; 255 the guest died; 124 timeout; 125 launcher, module or\n"
	      "input at fault; 128+n if signal n ended the launcher.\n",
	      file);
}

static void choose_initrd(struct machine_config *config)
{
	if (config->initrd && !strcmp(config->initrd, "none")) {
		config->initrd = NULL;
		return;
	}
	if (!config->initrd)
		config->initrd = initramfs_find_default();
	if (!config->initrd)
		die("no initramfs.cpio here or installed; give --initrd, or make initramfs.cpio");
}

int cmd_run(int argc, char **argv)
{
	struct run_options options = { .config = { .mem = DEFAULT_MEM,
						   .cpus = 1 } };
	struct machine_config *config = &options.config;
	static struct machine machine;
	struct outcome outcome;
	char error[512];
	int rest;

	rest = 1 + options_parse(&run_table, argc - 1, argv + 1, &options,
				 error, sizeof(error));
	if (options.help) {
		help_run(stdout);
		return 0;
	}
	status_set_file(options.status_file);
	if (*error)
		die("%s", error);
	if (rest < argc && strcmp(argv[rest - 1], "--"))
		die("what is `%s'? a command for the guest goes behind --",
		    argv[rest]);
	if (!config->kernel)
		die("no kernel; give --kernel vmlinux or --kernel bzImage");
	if (rest < argc)
		config->command = argv + rest;
	else if (!strcmp(argv[argc - 1], "--"))
		die("no command behind --; leave out -- for a console");
	choose_initrd(config);

	machine_set_up(&machine, config);
	machine_run(&machine, &outcome);
	status_exit(&outcome);
}
