// SPDX-License-Identifier: GPL-2.0
/*
 * Command lines by table: the help is printed from the same rows that are
 * parsed, and `make check` compares the manual page with it. getopt_long()
 * would do for `ringlet run`, but not for QEMU's one-dash words.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../include/uapi/ringlet.h"
#include "options.h"

static const struct option_spec *find(const struct option_table *table,
				      const char *word, size_t len)
{
	size_t i;

	for (i = 0; i < table->n; i++)
		if (strlen(table->specs[i].name) == len &&
		    !strncmp(table->specs[i].name, word, len))
			return &table->specs[i];
	return NULL;
}

static bool parse_size(const char *text, u64 *value)
{
	static const char units[] = "KMGT";
	const char *unit;
	u64 scale = MiB;
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (end == text || *text == '-' || errno)
		return false;
	if (*end) {
		unit = strchr(units, *end & ~0x20);
		if (!unit || end[1])
			return false;
		scale = KiB << (10 * (unit - units));
	}
	if (*value > (1ULL << 46) / scale)
		return false;
	/* Whole huge pages, so that no part of one is left over. */
	*value = ALIGN_UP(*value * scale, 2 * MiB);
	return true;
}

/* Too little would be no nanosecond, which to a timer means never. */
static bool parse_seconds(const char *text, double *value)
{
	char *end;

	*value = strtod(text, &end);
	return end != text && !*end && *value >= 1e-6 && *value < 1e9;
}

static bool parse_cpus(const char *text, u32 *value)
{
	unsigned long n;
	char *end;

	n = strtoul(text, &end, 10);
	*value = n;
	return end != text && !*end && *text != '-' && n >= 1 &&
	       n <= RINGLET_MAX_VCPUS;
}

static bool store(const struct option_spec *spec, const char *text,
		  void *values)
{
	void *value = (char *)values + spec->offset;

	switch (spec->kind) {
	case OPTION_FLAG:
		*(bool *)value = true;
		return true;
	case OPTION_STRING:
		*(const char **)value = text;
		return true;
	case OPTION_SIZE:
		return parse_size(text, value);
	case OPTION_SECONDS:
		return parse_seconds(text, value);
	case OPTION_CPUS:
		return parse_cpus(text, value);
	default:
		return true;
	}
}

static const char *expected(const struct option_spec *spec)
{
	switch (spec->kind) {
	case OPTION_SIZE:
		return "a size such as 512M or 2G";
	case OPTION_CPUS:
		return "a number from 1 to " STRINGIFY(RINGLET_MAX_VCPUS);
	default:
		return "a number of seconds, a microsecond at least";
	}
}

static bool takes_argument(const struct option_spec *spec)
{
	return spec->kind != OPTION_FLAG && spec->kind != OPTION_IGNORED_FLAG;
}

/*
 * Parses one option at argv[i]; returns how many words it took. The first
 * fault is written to @error, and parsing goes on: a later option may say
 * where to report it.
 */
static int parse_one(const struct option_table *table, int argc, char **argv,
		     int i, void *values, char *error, size_t error_len)
{
	const char *word = argv[i], *text = strchr(word, '=');
	const struct option_spec *spec;
	char fault[256] = "";
	int words = 1;

	spec = find(table, word, text ? (size_t)(text - word) : strlen(word));
	if (text && spec && !takes_argument(spec))
		spec = NULL;
	if (text) {
		text++;
	} else if (spec && takes_argument(spec) && i + 1 < argc) {
		text = argv[i + 1];
		words = 2;
	}
	if (!spec)
		snprintf(fault, sizeof(fault), "no option %s here; see --help",
			 word);
	else if (takes_argument(spec) && !text)
		snprintf(fault, sizeof(fault),
			 "%s needs an argument; see --help", word);
	else if (!store(spec, text, values))
		snprintf(fault, sizeof(fault), "%s %s: give %s", spec->name,
			 text, expected(spec));
	if (*fault && !*error)
		snprintf(error, error_len, "%s", fault);
	return words;
}

/*
 * Returns the index of the first word that is no option's, "--" skipped.
 * @error stays empty if all is well.
 */
int options_parse(const struct option_table *table, int argc, char **argv,
		  void *values, char *error, size_t error_len)
{
	int i = 0;

	*error = '\0';
	while (i < argc && argv[i][0] == '-' && argv[i][1]) {
		if (!strcmp(argv[i], "--"))
			return i + 1;
		i += parse_one(table, argc, argv, i, values, error, error_len);
	}
	return i;
}

#define HELP_COLUMN 24

void options_print(const struct option_table *table, FILE *file)
{
	const struct option_spec *spec;
	const char *line, *end;
	int n;

	for (spec = table->specs; spec < table->specs + table->n; spec++) {
		if (!spec->help)
			continue;
		n = fprintf(file, "  %s%s%s", spec->name, spec->arg ? " " : "",
			    spec->arg ? spec->arg : "");
		for (line = spec->help; line; line = end ? end + 1 : NULL) {
			end = strchr(line, '\n');
			fprintf(file, "%*s%.*s\n",
				n < HELP_COLUMN ? HELP_COLUMN - n : 1, "",
				end ? (int)(end - line) : (int)strlen(line),
				line);
			n = 0;
		}
	}
}
