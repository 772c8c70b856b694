// SPDX-License-Identifier: GPL-2.0
/*
 * Operations: processes, threads and whole jobs of them. User space of the
 * place that is measured.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static void spawn(char *const argv[])
{
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (!pid) {
		if (argv)
			execve(argv[0], argv, environ);
		_exit(argv ? 127 : 0);
	}
	wait_for(pid);
}

void fork_run(long n)
{
	while (n--)
		spawn(NULL);
}

static void exec_run(long n)
{
	char *const argv[] = { (char *)own_path, "nothing", NULL };

	while (n--)
		spawn(argv);
}

static void sh_run(long n)
{
	char *const argv[] = { "/bin/sh", "-c", "exit 0", NULL };

	while (n--)
		spawn(argv);
}

static void *thread_main(void *argument)
{
	return argument;
}

static void thread_run(long n)
{
	pthread_t thread;

	while (n--)
		must(!pthread_create(&thread, NULL, thread_main, NULL) &&
		     !pthread_join(thread, NULL), "thread");
}

/* A small project: unpacked, compiled file by file, linked, run. See ./compile. */
static void compile_run(long n)
{
	char *const argv[] = { "/bin/sh", "/compile", NULL };

	while (n--)
		spawn(argv);
}

/* One short file of that kind, for where the project would take an hour. */
static void compile_small_run(long n)
{
	char *const argv[] = { "/bin/sh", "/compile", "small", NULL };

	while (n--)
		spawn(argv);
}

/* clang-format off */
const struct operation process_operations[] = {
	{ "fork", NULL, fork_run, NULL },
	{ "exec", NULL, exec_run, NULL },
	{ "sh", NULL, sh_run, NULL },
	{ "thread", NULL, thread_run, NULL },
	{ "compile", NULL, compile_run, NULL },
	{ "compile-small", NULL, compile_small_run, NULL },
	{ }
};
/* clang-format on */
