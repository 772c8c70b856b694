// SPDX-License-Identifier: GPL-2.0
/*
 * The launcher's table of contents.
 *
 *	cmd-run.c		ringlet run: options of a guest
 *	cmd-doctor.c		ringlet doctor: will it work here?
 *	cmd-qemu.c		qemu-system-ringlet: the same for kunit.py
 *	machine.c		a guest from its parts: set-up, then the I/O loop
 *	machine-ports.c		its console's ports and our stdio
 *	kernel-image.c		vmlinux and bzImage; unpack.c: the packings
 *	initramfs.c		the initrd, and our init in it
 *	boot.c			what the kernel finds at its start
 *	memory.c		guest memory
 *	vm.c, vcpu.c		the module's ioctls
 *	virtio-mmio.c		a device's registers; virtqueue.c: its rings
 *	virtio-console.c	the console device
 *	guest-command.c		what we say to our init (wire.h)
 *	init/init.c		that init, a program of its own in the guest
 *	stream.c, tty.c		our side of stdin, stdout, stderr
 *	sandbox.c		what is given up before the guest runs
 *	options.c, status.c	command lines, exit status
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "status.h"
#include "types.h"

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

static const struct command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
	void (*help)(FILE *file);
} commands[] = {
	{ "run", "start a guest", cmd_run, help_run },
	{ "doctor", "say whether a guest will run here, and what to mend",
	  cmd_doctor, help_doctor },
	{ "help", "explain a command", cmd_help, NULL },
	{ "version", "print the version", cmd_version, NULL },
};

static const struct command *find_command(const char *name)
{
	size_t i;

	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	if (!strcmp(name, "--version"))
		name = "version";
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void print_help(FILE *file)
{
	size_t i;

	fputs("ringlet runs Linux guests on x86-64 without VT-x or SVM.\n\n"
	      "usage: ringlet COMMAND [OPTION...]\n\n",
	      file);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(file, "  %-22s%s\n", commands[i].name,
			commands[i].summary);
	fputs("\n`ringlet help COMMAND' explains one; ringlet(1) is the manual.\n",
	      file);
}

static int cmd_help(int argc, char **argv)
{
	const struct command *command = argc > 1 ? find_command(argv[1]) : NULL;

	if (argc > 1 && !command)
		die("no command %s; see ringlet --help", argv[1]);
	if (command && command->help)
		command->help(stdout);
	else
		print_help(stdout);
	return 0;
}

static int cmd_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("ringlet " LAUNCHER_VERSION);
	return 0;
}

/*
 * A descriptor below 3 that we open later would be taken for stdio. What goes
 * to a stdout that was closed is not lost in silence: it cannot be written.
 */
static void fill_standard_fds(void)
{
	static const int flags[] = { O_RDONLY, O_RDONLY, O_WRONLY };
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", flags[fd]);
}

/* For the commands that print and end: as much as said that all is printed. */
static int flush_stdout(int status)
{
	if (fflush(stdout) || ferror(stdout))
		die("cannot write to stdout: %s", strerror(errno));
	return status;
}

int main(int argc, char **argv)
{
	const char *name = argc ? strrchr(argv[0], '/') : NULL;
	const struct command *command;

	fill_standard_fds();
	name = name ? name + 1 : argc ? argv[0] : "ringlet";
	if (!strcmp(name, "qemu-system-ringlet"))
		return cmd_qemu(argc, argv);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_FAULT;
	}
	command = find_command(argv[1]);
	if (!command)
		die("no command %s; see ringlet --help", argv[1]);
	return flush_stdout(command->run(argc - 1, argv + 1));
}
