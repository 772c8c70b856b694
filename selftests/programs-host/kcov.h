/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which places of the module a thread of ours came by: KCOV, as the debug host
 * has it. For programs that call the module themselves; the places are those
 * of the thread that calls it (interrupts and other threads' are not seen).
 *
 *	struct kcov *kcov = kcov_start();	NULL: this host has no KCOV
 *	ioctl(...);
 *	kcov_take(kcov);			after each call, or a few
 *	...
 *	kcov_end(stdout);			"# coverage: 812 of 1003 places, ..."
 *
 * Each thread has a struct kcov of its own, and so has a child: what is left of
 * its parent's is not for it. What they take goes to one set, which a process
 * shares with its children and may write to a file for others to read.
 */
#ifndef KCOV_H
#define KCOV_H

#include <stdbool.h>
#include <stdio.h>

struct kcov;

/* Begin to record what the calling thread does in the module. */
struct kcov *kcov_start(void);

/* Put what was recorded since the last time into the set, and forget it. */
void kcov_take(struct kcov *kcov);

/* Add to the set what kcov_end() wrote: offsets in the module, one a line. */
bool kcov_load(const char *path);

/*
 * A line of KTAP's diagnostics: how many of the module's places were reached,
 * and one for each function that has places and was never entered.
 */
void kcov_report(FILE *to);

/*
 * At a program's end: the report, unless @to is NULL, and the set is added to
 * the file that the environment names as COVERAGE. Nothing without a set.
 */
void kcov_end(FILE *to);

#endif
