/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The little that a test program needs: check() prints one KTAP line, the plan
 * comes at the end. Everything else is the launcher's own code, linked in.
 */
#ifndef LAUNCHER_TESTS_KTAP_H
#define LAUNCHER_TESTS_KTAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "../types.h"

static int ktap_count, ktap_failed;

static inline __printf(2, 3) bool check(bool ok, const char *fmt, ...)
{
	va_list args;

	printf("%sok %d ", ok ? "" : "not ", ++ktap_count);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	if (!ok)
		ktap_failed++;
	return ok;
}

static inline int ktap_start(void)
{
	printf("KTAP version 1\n");
	return 0;
}

static inline int ktap_end(void)
{
	printf("1..%d\n", ktap_count);
	return ktap_failed != 0;
}

#endif
