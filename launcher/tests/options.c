// SPDX-License-Identifier: GPL-2.0
/* Option values and the keys after Ctrl-A. */
#include <string.h>

#include "../options.h"
#include "../tty.h"
#include "ktap.h"

struct values {
	u64 size;
	double seconds;
	u32 cpus;
};

static const struct option_spec specs[] = {
	{ "--size", "S", "", OPTION_SIZE, offsetof(struct values, size) },
	{ "--seconds", "S", "", OPTION_SECONDS,
	  offsetof(struct values, seconds) },
	{ "--cpus", "N", "", OPTION_CPUS, offsetof(struct values, cpus) },
};

static bool parse(char *option, char *text, struct values *values)
{
	static const struct option_table table = { specs, ARRAY_SIZE(specs) };
	char *argv[2] = { option, text };
	char error[128];

	*values = (struct values){ 0 };
	options_parse(&table, 2, argv, values, error, sizeof(error));
	return !*error;
}

static void test_sizes(void)
{
	static const struct {
		char *text;
		u64 size;
	} sizes[] = {
		{ "512", 512 * MiB },
		{ "512M", 512 * MiB },
		{ "512m", 512 * MiB },
		{ "2G", 2 * GiB },
		{ "65536K", 64 * MiB },
		{ "1M", 2 * MiB },
		{ "1T", 1024 * GiB },
		{ "", 0 },
		{ "M", 0 },
		{ "5MB", 0 },
		{ "-1", 0 },
		{ "1.5G", 0 },
		{ "99999999999999999999", 0 },
		{ "18014398509481984K", 0 },
	};
	struct values values;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		bool ok = parse("--size", sizes[i].text, &values);

		check(sizes[i].size ? ok && values.size == sizes[i].size : !ok,
		      "size \"%s\"", sizes[i].text);
	}
	check(parse("--seconds", "0.5", &values) && values.seconds == 0.5,
	      "half a second");
	check(!parse("--seconds", "0", &values), "no time at all");
	check(!parse("--seconds", "1e-10", &values), "as good as none");
	check(!parse("--seconds", "nan", &values), "not a number");
}

static void test_cpus(void)
{
	static const struct {
		char *text;
		u32 cpus;
	} numbers[] = {
		{ "1", 1 },  { "64", 64 }, { "0", 0 },	{ "65", 0 },
		{ "-1", 0 }, { "", 0 },	   { "4x", 0 }, { "4294967297", 0 },
	};
	struct values values;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		bool ok = parse("--cpus", numbers[i].text, &values);

		check(numbers[i].cpus ? ok && values.cpus == numbers[i].cpus :
					!ok,
		      "cpus \"%s\"", numbers[i].text);
	}
}

static bool filtered(const char *in, const char *out, bool quit)
{
	struct tty_escape escape = { 0 };
	u8 buf[64];
	size_t n = 0, i;

	/* Byte by byte, as typed. */
	for (i = 0; in[i]; i++) {
		u8 byte = in[i];

		if (tty_filter(&escape, &byte, 1))
			buf[n++] = byte;
	}
	return n == strlen(out) && !memcmp(buf, out, n) && escape.quit == quit;
}

int main(void)
{
	ktap_start();
	test_sizes();
	test_cpus();
	check(filtered("ls\r", "ls\r", false), "plain keys pass");
	check(filtered("a\001xb", "ab", true), "Ctrl-A x quits");
	check(filtered("\001a\001\001", "\001\001", false),
	      "Ctrl-A a and Ctrl-A Ctrl-A");
	check(filtered("\001zx", "x", false), "other keys are swallowed");
	return ktap_end();
}
