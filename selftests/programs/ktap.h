/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all test programs share for talking: KTAP version 1 on stdout, in the
 * one shape that the compare needs (see README).
 *
 * World: user mode, on any x86-64 Linux: the build machine, the disposable
 * stock host, and a Ringlet guest. The lines "ok", "not ok", "1..N" and
 * "KTAP" are the same in all of them or something is wrong; whatever may
 * differ from run to run goes into a note, a line that begins with "# ".
 *
 * Every line is one write() of one buffer, with no stdio in between, so that a
 * fork can neither lose nor double output.
 */
#ifndef _KTAP_H
#define _KTAP_H

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KTAP_OK 0
#define KTAP_FAIL 1
#define KTAP_SKIPPED 4

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/**
 * struct ktap_test - one line of the plan
 * @name: what is claimed; part of the output that is compared
 * @run: returns KTAP_OK, KTAP_FAIL or KTAP_SKIPPED
 */
struct ktap_test {
	const char *name;
	int (*run)(void);
};

static char ktap_reason[128];

__attribute__((format(printf, 2, 0))) static inline void
ktap_vline(const char *prefix, const char *fmt, va_list ap)
{
	char line[512];
	size_t len;
	int n;

	n = snprintf(line, sizeof(line), "%s", prefix);
	n += vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	len = (size_t)n < sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;
	line[len++] = '\n';
	for (size_t done = 0; done < len;) {
		ssize_t ret = write(STDOUT_FILENO, line + done, len - done);

		if (ret < 0 && errno == EINTR)
			continue;
		if (ret <= 0)
			_exit(KTAP_FAIL); /* nobody is listening */
		done += ret;
	}
}

/* A line that is compared. */
__attribute__((format(printf, 1, 2))) static inline void
ktap_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	ktap_vline("", fmt, ap);
	va_end(ap);
}

/* A line that is not: times, addresses, counts, and why something failed. */
__attribute__((format(printf, 1, 2))) static inline void
ktap_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	ktap_vline("# ", fmt, ap);
	va_end(ap);
}

/* Leave a test that cannot run here. The reason is compared: keep it plain. */
#define SKIP(...)                                                        \
	do {                                                             \
		snprintf(ktap_reason, sizeof(ktap_reason), __VA_ARGS__); \
		return KTAP_SKIPPED;                                     \
	} while (0)

#define CHECK(cond)                                                         \
	do {                                                                \
		if (!(cond)) {                                              \
			ktap_note("%s:%d: not so: %s (errno %d)", __FILE__, \
				  __LINE__, #cond, errno);                  \
			return KTAP_FAIL;                                   \
		}                                                           \
	} while (0)

#define CHECK_EQ(a, b)                                                          \
	do {                                                                    \
		uint64_t _a = (uint64_t)(a), _b = (uint64_t)(b);                \
                                                                                \
		if (_a != _b) {                                                 \
			ktap_note(                                              \
				"%s:%d: %s is %#llx, not %#llx (%s; errno %d)", \
				__FILE__, __LINE__, #a,                         \
				(unsigned long long)_a,                         \
				(unsigned long long)_b, #b, errno);             \
			return KTAP_FAIL;                                       \
		}                                                               \
	} while (0)

/* Run a test's helper that itself uses CHECK(). */
#define CHECK_RUN(call)                                                 \
	do {                                                            \
		int _ret = (call);                                      \
                                                                        \
		if (_ret) {                                             \
			ktap_note("%s:%d: from %s", __FILE__, __LINE__, \
				  #call);                               \
			return _ret;                                    \
		}                                                       \
	} while (0)

static inline long ktap_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Run the whole plan; the return value is the program's exit status. */
static inline int ktap_run(const struct ktap_test *tests, int n)
{
	int failed = 0, skipped = 0;

	ktap_line("KTAP version 1");
	ktap_line("1..%d", n);
	for (int i = 0; i < n; i++) {
		long start = ktap_ms();
		int ret;

		errno = 0;
		ret = tests[i].run();
		if (ktap_ms() - start >= 100)
			ktap_note("took %ld ms", ktap_ms() - start);
		switch (ret) {
		case KTAP_OK:
			ktap_line("ok %d %s", i + 1, tests[i].name);
			break;
		case KTAP_SKIPPED:
			ktap_line("ok %d %s # SKIP %s", i + 1, tests[i].name,
				  ktap_reason);
			skipped++;
			break;
		default:
			ktap_line("not ok %d %s", i + 1, tests[i].name);
			failed++;
		}
	}
	if (failed)
		return KTAP_FAIL;
	return skipped == n ? KTAP_SKIPPED : KTAP_OK;
}

/* A number from argv, or what is used without it. */
static inline long ktap_arg(int argc, char **argv, int i, long otherwise)
{
	char *end;
	long n;

	if (i >= argc)
		return otherwise;
	n = strtol(argv[i], &end, 0);
	if (*end || end == argv[i] || n < 0) {
		fprintf(stderr, "%s: '%s' is not a count\n", argv[0], argv[i]);
		exit(KTAP_FAIL);
	}
	return n;
}

#endif /* _KTAP_H */
