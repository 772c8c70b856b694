// SPDX-License-Identifier: GPL-2.0
/*
 * ringlet doctor: one line for each thing that a guest needs of this machine,
 * and the fix where it is missing. It only looks: nothing is loaded, made or
 * changed. What the module itself refuses it says in dmesg; the lines about
 * the CPU here are the same rules, for a machine that has no module yet.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "command.h"
#include "kernel-image.h"
#include "options.h"
#include "status.h"
#include "vm.h"

struct doctor_options {
	const char *kernel;
	bool help;
};

static const struct option_spec doctor_specs[] = {
	{ "--kernel", "FILE", "look at this guest kernel, too", OPTION_STRING,
	  offsetof(struct doctor_options, kernel) },
	{ "--help", NULL, "print this", OPTION_FLAG,
	  offsetof(struct doctor_options, help) },
};

static const struct option_table doctor_table = { doctor_specs,
						  ARRAY_SIZE(doctor_specs) };

void help_doctor(FILE *file)
{
	fputs("usage: ringlet doctor [OPTION...]\n\n"
	      "Says whether a guest will run on this machine, and what to mend. Exit status 0:\n"
	      "it will; 1: it will not.\n\n",
	      file);
	options_print(&doctor_table, file);
}

enum verdict { OK, WARN, FAIL };

static bool failed;

/* One line; after the dash is what to do about it. */
static __printf(2, 3) void line(enum verdict verdict, const char *fmt, ...)
{
	static const char *const words[] = { "ok  ", "warn", "FAIL" };
	va_list args;

	if (verdict == FAIL)
		failed = true;
	printf("%s  ", words[verdict]);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

/* The first line of a file that has one; empty if there is none. */
static void read_line(const char *path, char *text, size_t len)
{
	FILE *file = fopen(path, "r");

	*text = '\0';
	if (!file)
		return;
	if (!fgets(text, len, file))
		*text = '\0';
	text[strcspn(text, "\n")] = '\0';
	fclose(file);
}

/* ---- The CPU, as Linux shows it ---- */

static char cpu_flags[8192];

static void read_cpu_flags(void)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char text[8192];

	if (!file)
		return;
	while (!*cpu_flags && fgets(text, sizeof(text), file))
		if (!strncmp(text, "flags", 5) && strchr(text, ':'))
			snprintf(cpu_flags, sizeof(cpu_flags), "%s ",
				 strchr(text, ':') + 1);
	fclose(file);
	for (char *p = cpu_flags; *p; p++)
		if (*p == '\n')
			*p = ' ';
}

static bool has_flag(const char *flag)
{
	char word[64];

	snprintf(word, sizeof(word), " %s ", flag);
	return strstr(cpu_flags, word);
}

static void check_needed_flag(const char *flag, const char *fix)
{
	if (has_flag(flag))
		line(OK, "CPU: %s", flag);
	else
		line(FAIL, "CPU: no %s - %s", flag, fix);
}

static void check_cpu(void)
{
	read_cpu_flags();
	check_needed_flag(
		"fsgsbase",
		"a CPU of 2012 or later has it; remove nofsgsbase from the host's command line");
	check_needed_flag(
		"nx",
		"switch it on in the firmware; remove noexec=off from the host's command line");
	if (!has_flag("pcid"))
		line(WARN, "CPU: no pcid - guests run, more slowly");
	else if (!has_flag("pge"))
		line(FAIL, "CPU: pcid without pge - boot with nopcid");
	if (has_flag("fred"))
		line(FAIL, "CPU: FRED is on - boot with fred=off");
}

/* ---- The kernel that runs here ---- */

static void check_machine(void)
{
	char text[256];

	read_line("/sys/hypervisor/type", text, sizeof(text));
	if (!strcmp(text, "xen") && !has_flag("hypervisor"))
		line(FAIL,
		     "host: runs as a Xen PV guest - use a Xen HVM or PVH guest");
	if (has_flag("tdx_guest") || has_flag("sev_guest") ||
	    !access("/sys/kernel/coco", F_OK) ||
	    !access("/dev/tdx_guest", F_OK) || !access("/dev/sev-guest", F_OK))
		line(FAIL, "host: a confidential VM - use an ordinary one");
	/* Nothing that a user may read says whether SME is on by default. */
	read_line("/proc/cmdline", text, sizeof(text));
	if (has_flag("sme") && strstr(text, "mem_encrypt=on"))
		line(FAIL,
		     "host: memory encryption is on - boot with mem_encrypt=off");
}

/* The headers that a build would take are those of the kernel that runs. */
static void check_headers(const char *release)
{
	char path[512], text[256];

	snprintf(path, sizeof(path),
		 "/lib/modules/%s/build/include/generated/utsrelease.h",
		 release);
	read_line(path, text, sizeof(text));
	if (!*text)
		line(WARN,
		     "host: no headers of %s - to build the module: apt install linux-headers-%s",
		     release, release);
	else if (!strstr(text, release))
		line(WARN,
		     "host: the headers of %s are another kernel's - apt install linux-headers-%s, or reboot",
		     release, release);
	else
		line(OK, "host: headers of %s", release);
}

/* Where a module that is not signed with a key the kernel has gets no further. */
static const char *signing_rule(void)
{
	static char rule[300];
	char text[256];

	read_line("/sys/kernel/security/lockdown", text, sizeof(text));
	if (strstr(text, "[integrity]") || strstr(text, "[confidentiality]")) {
		snprintf(rule, sizeof(rule), "lockdown is %s", text);
		return rule;
	}
	/* Y, too, if the kernel was built with CONFIG_MODULE_SIG_FORCE. */
	read_line("/sys/module/module/parameters/sig_enforce", text,
		  sizeof(text));
	if (*text == 'Y' || *text == '1')
		return "module.sig_enforce or CONFIG_MODULE_SIG_FORCE is on";
	return NULL;
}

static void check_signing(bool loaded)
{
	const char *rule = signing_rule();
	char text[256];

	if (!rule)
		line(OK, "host: takes unsigned modules");
	else if (loaded)
		line(OK,
		     "host: takes signed modules only, and took this one (%s)",
		     rule);
	else
		line(WARN,
		     "host: takes signed modules only (%s) - sign ringlet.ko with an enrolled key (mokutil --import)",
		     rule);
	read_line("/proc/sys/kernel/modules_disabled", text, sizeof(text));
	if (*text == '1' && !loaded)
		line(FAIL,
		     "host: takes no more modules (kernel.modules_disabled=1) - reboot, and load ringlet earlier");
}

/* Is a module installed for the kernel that runs? modules.dep names them all. */
static bool module_installed(const char *release)
{
	char path[512], text[4096];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", release);
	file = fopen(path, "r");
	while (file && !found && fgets(text, sizeof(text), file)) {
		text[strcspn(text, ":")] = '\0';
		found = strstr(text, "/ringlet.ko");
	}
	if (file)
		fclose(file);
	return found;
}

static void check_installed(const char *release)
{
	if (module_installed(release))
		line(OK, "module: installed for %s", release);
	else
		line(WARN,
		     "module: not installed for %s - as root, in the source: make && make install",
		     release);
}

static void check_module(void)
{
	struct vm vm = { .dev_fd = -1 };
	char error[256];

	if (vm_open_module(&vm, error, sizeof(error)))
		line(FAIL, "module: %s", error);
	else
		line(OK,
		     "module: version %.*s, API %u, guest ABI %u, guests of up to %u CPUs",
		     (int)sizeof(vm.info.module_version),
		     vm.info.module_version, vm.info.api_version,
		     vm.info.abi_version, vm.info.max_vcpus);
	if (vm.dev_fd >= 0)
		close(vm.dev_fd);
}

static void check_kernel(const char *path)
{
	struct kernel_image image;

	if (kernel_image_open(&image, path))
		line(OK, "kernel: %s (%s%s), guest ABI %llu", path,
		     image.packed ? "bzImage, " : "vmlinux",
		     image.packed ? image.packed : "",
		     (unsigned long long)image.abi);
	else
		line(FAIL, "kernel: %s", image.error);
	kernel_image_close(&image);
}

int cmd_doctor(int argc, char **argv)
{
	struct doctor_options options = { 0 };
	struct utsname uts;
	bool loaded;
	char error[256];
	int rest;

	rest = 1 + options_parse(&doctor_table, argc - 1, argv + 1, &options,
				 error, sizeof(error));
	if (options.help) {
		help_doctor(stdout);
		return 0;
	}
	if (*error)
		die("%s", error);
	if (rest < argc)
		die("what is `%s'? see ringlet doctor --help", argv[rest]);

	uname(&uts);
	check_cpu();
	check_machine();
	loaded = !access(VM_DEVICE_NODE, F_OK);
	if (!loaded) {
		check_headers(uts.release);
		check_installed(uts.release);
	}
	check_signing(loaded);
	check_module();
	if (options.kernel)
		check_kernel(options.kernel);
	puts(failed ? "\nNo guest will run here before what FAILs is mended." :
		      "\nGuests can run here.");
	return failed;
}
