/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_OPTIONS_H
#define LAUNCHER_OPTIONS_H

#include <stdio.h>

#include "types.h"

/* clang-format off */
enum option_kind {
	OPTION_FLAG,		/* bool: given */
	OPTION_STRING,		/* const char * */
	OPTION_SIZE,		/* u64: bytes; a plain number is MiB */
	OPTION_SECONDS,		/* double, greater than 0 */
	OPTION_CPUS,		/* u32: 1 to RINGLET_MAX_VCPUS */
	OPTION_IGNORED,		/* has an argument that nobody needs */
	OPTION_IGNORED_FLAG,
};

/* clang-format on */

/**
 * struct option_spec - one row of a command's option table
 * @name: as typed, with its dashes
 * @arg: what stands for its argument in the help, or NULL
 * @help: the help's text; lines after the first are indented there. NULL
 *	hides the option
 * @kind: of the value
 * @offset: of the value in the command's structure
 */
struct option_spec {
	const char *name;
	const char *arg;
	const char *help;
	enum option_kind kind;
	size_t offset;
};

struct option_table {
	const struct option_spec *specs;
	size_t n;
};

int options_parse(const struct option_table *table, int argc, char **argv,
		  void *values, char *error, size_t error_len);
void options_print(const struct option_table *table, FILE *file);

#endif
