// SPDX-License-Identifier: GPL-2.0
/*
 * Reads counters of the kernel that it runs on, for each operation:
 *
 *   bench within FILE OPERATION,N…
 *
 * FILE has a line "name value" for each counter. Each OPERATION is run N and 2N
 * times; a line OPERATION, NAME, how much the counter went up for each of N,
 * separated by tabs. User space, in a guest whose kernel counts something.
 */
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define MAX_COUNTERS 32

struct counters {
	int n;
	char names[MAX_COUNTERS][32];
	double values[MAX_COUNTERS];
};

static void read_counters(const char *path, struct counters *c)
{
	FILE *file = fopen(path, "r");

	must(file, path);
	for (c->n = 0; c->n < MAX_COUNTERS; c->n++)
		if (fscanf(file, "%31s %lf", c->names[c->n], &c->values[c->n]) != 2)
			break;
	fclose(file);
	must(c->n, "no counters");
}

/* How much the counters go up while @op is run @n times. */
static void count(const char *path, const struct operation *op, long n, struct counters *c)
{
	struct counters before;

	workers = op->workers;
	if (op->prepare)
		op->prepare(n);
	read_counters(path, &before);
	op->run(n);
	read_counters(path, c);
	for (int i = 0; i < c->n; i++)
		c->values[i] -= before.values[i];
	if (op->clean)
		op->clean(n);
}

int within(int argc, char **argv)
{
	static struct counters once, twice;
	const struct operation *op;
	char name[32];
	long n;

	stay_on_cpu(0);
	for (int i = 1; i < argc; i++) {
		must(sscanf(argv[i], "%31[^,],%ld", name, &n) == 2 && n > 0, "OPERATION,N");
		op = find_operation(name);
		must(op, "no such operation");
		/* Before the first time is not like before the others. */
		count(argv[0], op, n, &once);
		count(argv[0], op, n, &once);
		count(argv[0], op, 2 * n, &twice);
		for (int k = 0; k < once.n; k++)
			printf("%s\t%s\t%.2f\n", name, once.names[k],
			       (twice.values[k] - once.values[k]) / n);
	}
	return 0;
}
