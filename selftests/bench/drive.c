// SPDX-License-Identifier: GPL-2.0
/*
 * The measuring side: starts a command that serves (serve.c), tells it what to
 * do, and prints what it took. In the host's user space, always.
 *
 *   bench drive [--exact] OPERATION,BASE,N,ROUNDS… -- COMMAND [ARGUMENT…]
 *
 * Each OPERATION is run N times, ROUNDS times over, and its BASE likewise,
 * once, which is subtracted. ROUNDS 0: do it once, measure nothing. A line for
 * each, as soon as it is known, separated by tabs:
 *
 *   OPERATION  NANOSECONDS PER ONE  WORLD SWITCHES PER ONE  ROUNDS  BY REASON
 *
 * World switches are from the debugfs counters of the Ringlet guest that
 * COMMAND is, "-" if it is none; a host interrupt that took the guest by
 * surprise is among the reasons, but not in the sum, and so are fills, events
 * and flushes that the switcher served by itself ("direct_").
 *
 * Without --exact: time is the median of the rounds, over N. With it, for a
 * machine whose clock counts instructions: N and 2N times in each round, the
 * least of the rounds, the difference over N. What disturbs (a tick, the
 * host's own work) only ever adds, and what is done once goes away. World
 * switches are always found so.
 *
 * The operation "boot" is the time from COMMAND's exec to its first word; it
 * comes first, and COMMAND is started ROUNDS times for it.
 */
#define _GNU_SOURCE
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define MAX_ROUNDS 99
#define MAX_REASONS 32
/* Seconds for an answer: what hangs is not to take the rest with it. */
#define PATIENCE 400

/* Exits by reason, and what did not have to leave, in the order of the file. */
struct counters {
	int n;
	char names[MAX_REASONS][32];
	double values[MAX_REASONS];
};

/* What one operation, or its base, takes. */
struct figure {
	char name[32];
	double ns;
	struct counters exits;
};

static pid_t served;
static FILE *to, *from;
static bool exact;

/* ---- Counters ---- */

static void read_counters(struct counters *c)
{
	char path[80], name[32];
	glob_t found;
	double value;
	FILE *file;

	c->n = 0;
	snprintf(path, sizeof(path), "/sys/kernel/debug/ringlet/%d-*/counters", served);
	if (glob(path, 0, NULL, &found))
		return;
	file = fopen(found.gl_pathv[0], "r");
	globfree(&found);
	must(file, "counters");
	while (c->n < MAX_REASONS && fscanf(file, " %31s %lf", name, &value) == 2) {
		bool exits = !strncmp(name, "exits_", 6) && strcmp(name, "exits_total");

		if (!exits && strncmp(name, "direct_", 7))
			continue;
		strcpy(c->names[c->n], exits ? name + 6 : name);
		c->values[c->n++] = value;
	}
	fclose(file);
}

static bool counted(const struct counters *c, int i)
{
	return strcmp(c->names[i], "interrupt") && strncmp(c->names[i], "direct_", 7);
}

static double sum(const struct counters *c)
{
	double total = 0;

	for (int i = 0; i < c->n; i++)
		total += counted(c, i) ? c->values[i] : 0;
	return total;
}

/* The guest that said something still has to fall asleep. */
static void settled_counters(struct counters *c)
{
	double before = -1;

	for (int tries = 0; tries < 100; tries++) {
		read_counters(c);
		if (!c->n || sum(c) == before)
			return;
		before = sum(c);
		usleep(4000);
	}
}

/* ---- Talking ---- */

static char line[256];

/* The next line of the program's, without the word; others are the console's. */
static const char *hear(void)
{
	char *word;

	alarm(PATIENCE);
	while (fgets(line, sizeof(line), from)) {
		word = strstr(line, "bench ");
		if (word) {
			word[strcspn(word, "\r\n")] = 0;
			return word + 6;
		}
		fprintf(stderr, "  %s", line);
	}
	must(false, "the measured side has gone");
	return "";
}

static void expect(const char *word)
{
	const char *heard = hear();

	if (strcmp(heard, word)) {
		fprintf(stderr, "bench: '%s' instead of '%s'\n", heard, word);
		must(false, "the measured side");
	}
}

static void tell(const char *text)
{
	must(fputs(text, to) >= 0 && !fflush(to), "telling");
}

static void run(const char *name, long n, double *ns, struct counters *exits)
{
	struct counters before;
	char ask[80], done[32];
	long times;

	snprintf(ask, sizeof(ask), "%s %ld\n", name, n);
	tell(ask);
	expect("begin");
	settled_counters(&before);
	tell("go\n");
	must(sscanf(hear(), "end %31s %ld %lf", done, &times, ns) == 3 &&
	     !strcmp(done, name) && times == n, "an answer");
	settled_counters(exits);
	for (int i = 0; i < exits->n; i++)
		exits->values[i] -= before.values[i];
	tell("on\n");
	expect("ready");
}

/* ---- Figures ---- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double reduce(double *values, int n, bool least)
{
	qsort(values, n, sizeof(*values), compare);
	if (least)
		return values[0];
	return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

/* Once is enough only for a whole job, whose constant part is nothing to it. */
static void measure(struct figure *f, const char *name, long n, int rounds)
{
	static double ns[2][MAX_ROUNDS], column[MAX_ROUNDS];
	static struct counters exits[2][MAX_ROUNDS];
	double least[2];
	bool twice = n > 1;

	for (int r = 0; r < rounds; r++)
		for (int k = 0; k <= twice; k++)
			run(name, n << k, &ns[k][r], &exits[k][r]);
	snprintf(f->name, sizeof(f->name), "%s", name);
	for (int k = 0; k <= twice; k++)
		least[k] = reduce(ns[k], rounds, exact);
	if (twice)
		f->ns = exact ? (least[1] - least[0]) / n : least[1] / (2 * n);
	else
		f->ns = least[0];
	f->exits = exits[0][0];
	for (int i = 0; i < f->exits.n; i++) {
		for (int k = 0; k <= twice; k++) {
			for (int r = 0; r < rounds; r++)
				column[r] = exits[k][r].values[i];
			least[k] = reduce(column, rounds, true);
		}
		f->exits.values[i] = twice ? (least[1] - least[0]) / n : least[0];
	}
}

static void subtract(struct figure *f, const struct figure *base)
{
	f->ns -= base->ns;
	for (int i = 0; i < f->exits.n; i++)
		f->exits.values[i] -= base->exits.values[i];
}

static void print(const struct figure *f, int rounds)
{
	const struct counters *c = &f->exits;
	const char *comma = "";

	printf("%s\t%.1f\t", f->name, f->ns);
	if (c->n)
		printf("%.3f", sum(c));
	else
		printf("-");
	printf("\t%d\t", rounds);
	for (int i = 0; i < c->n; i++) {
		if (c->values[i] < 0.0005 && c->values[i] > -0.0005)
			continue;
		printf("%s%s=%.3f", comma, c->names[i], c->values[i]);
		comma = " ";
	}
	printf("%s\n", *comma ? "" : "-");
	fflush(stdout);
}

static void one_operation(const char *words)
{
	static struct figure bases[8];
	static int known;
	char name[32], base[32];
	struct figure f;
	long n;
	int rounds, b;

	must(sscanf(words, "%31[^,],%31[^,],%ld,%d", name, base, &n, &rounds) == 4 &&
	     n > 0 && rounds >= 0 && rounds <= MAX_ROUNDS, "OPERATION,BASE,N,ROUNDS");
	if (!rounds) {
		run(name, n, &f.ns, &f.exits);
		return;
	}
	fprintf(stderr, "%s\n", name);
	measure(&f, name, n, rounds);
	if (strcmp(base, "-")) {
		for (b = 0; b < known && strcmp(bases[b].name, base); b++)
			;
		must(b < 8, "that many bases");
		if (b == known) {
			measure(&bases[b], base, n, rounds > 5 ? rounds : 5);
			known++;
		}
		subtract(&f, &bases[b]);
	}
	print(&f, rounds);
}

static void start(char **command)
{
	int in[2], out[2];

	must(!pipe(in) && !pipe(out), "pipe");
	served = fork();
	must(served >= 0, "fork");
	if (!served) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], 0);
		dup2(out[1], 1);
		for (int i = 0; i < 2; i++) {
			close(in[i]);
			close(out[i]);
		}
		execvp(*command, command);
		must(false, *command);
	}
	close(in[0]);
	close(out[1]);
	to = fdopen(in[1], "w");
	from = fdopen(out[0], "r");
}

/* A word that is no operation is the end; not each place sees that of its input. */
static void stop(void)
{
	tell("end\n");
	fclose(to);
	for (int tries = 0; tries < 100; tries++) {
		if (waitpid(served, NULL, WNOHANG))
			return;
		usleep(100000);
	}
	kill(served, SIGKILL);
	waitpid(served, NULL, 0);
}

/* Starts it as often as asked; the last one stays. */
static void boot(const char *words, char **command)
{
	struct figure f = { .name = "boot" };
	double ns[MAX_ROUNDS];
	int rounds = 1;

	if (words)
		must(sscanf(words, "boot,-,1,%d", &rounds) == 1 && rounds > 0 &&
		     rounds <= MAX_ROUNDS, "boot,-,1,ROUNDS");
	for (int r = 0; r < rounds; r++) {
		if (r)
			stop();
		ns[r] = now();
		start(command);
		expect("ready");
		ns[r] = now() - ns[r];
	}
	f.ns = reduce(ns, rounds, exact);
	settled_counters(&f.exits);
	print(&f, rounds);
}

int drive(int argc, char **argv)
{
	int i = 0, command;

	if (!strcmp(argv[0], "--exact")) {
		exact = true;
		i++;
	}
	for (command = i; command < argc && strcmp(argv[command], "--"); command++)
		;
	must(command + 1 < argc, "no command");
	if (!strncmp(argv[i], "boot,", 5))
		boot(argv[i++], argv + command + 1);
	else
		boot(NULL, argv + command + 1);
	for (; i < command; i++)
		one_operation(argv[i]);
	stop();
	return 0;
}
