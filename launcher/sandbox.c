// SPDX-License-Identifier: GPL-2.0
/*
 * What the launcher gives up before a guest runs. A guest that finds a bug in
 * the devices is in this process, which has everything open that it will ever
 * need, and nothing else: so it keeps no capability, can gain none, and may
 * make only the system calls on the list below, which open nothing, start
 * nothing and reach no other process.
 *
 * A call that is not on the list is not made: SIGSYS comes instead, and its
 * handler ends the launcher with a sentence that has the call's number. What
 * would take that handler away, or get round it, ends it without one.
 *
 * The user id stays: with no way left to open a file it gives nothing, and
 * another one would take the log and the status file away from their owner.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
/* Not <termios.h>, which has no struct termios2. */
#include <asm/termbits.h>

#include "../include/uapi/ringlet.h"
#include "sandbox.h"
#include "status.h"
#include "tty.h"

#define CALL(name) SCMP_SYS(name)

/* Allowed with any argument. */
static const int calls[] = {
	/* bytes in and out of what is open */
	CALL(read), CALL(readv), CALL(write), CALL(writev), CALL(pwrite64),
	CALL(close), CALL(ftruncate), CALL(lseek), CALL(fstat), CALL(poll),
	CALL(ppoll),
	/* the I/O thread's waiting */
	CALL(epoll_wait), CALL(epoll_pwait), CALL(timerfd_settime),
	/* time; in the vDSO where the clock is sound */
	CALL(clock_gettime), CALL(gettimeofday), CALL(clock_nanosleep),
	CALL(nanosleep), CALL(restart_syscall),
	/* threads and their memory */
	CALL(futex), CALL(set_robust_list), CALL(rseq), CALL(sched_yield),
	CALL(gettid), CALL(getpid), CALL(exit), CALL(exit_group), CALL(brk),
	CALL(munmap), CALL(mremap), CALL(madvise),
	/* signals to ourselves */
	CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigaltstack),
	/* is the terminal ours? */
	CALL(getpgrp), CALL(getpgid),
};

/* ioctl() with these requests. */
static const unsigned int requests[] = {
	RINGLET_RUN, RINGLET_IRQ_RAISE, TIOCGWINSZ, TIOCGPGRP,
	TCGETS,	     TCSETS,		TCSETSW,    TCSETSF,
	/* what glibc makes of the same from 2.42 on */
	TCGETS2,     TCSETS2,		TCSETSW2,   TCSETSF2,
};

/* Where the rules do not fit together: a mistake of ours, or no memory. */
static void must(int error)
{
	if (error)
		die("cannot make the launcher's own fence: %s",
		    strerror(-error));
}

static void allow_some_arguments(scmp_filter_ctx ctx)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(requests); i++)
		must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(ioctl), 1,
				      SCMP_A1_32(SCMP_CMP_EQ, requests[i])));
	/* Threads, never processes. clone3's flags cannot be seen: as if it were not there. */
	must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(clone), 1,
			      SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD,
				      CLONE_THREAD)));
	must(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0));
	/* Memory, never code. */
	must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(mmap), 1,
			      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)));
	must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(mprotect), 1,
			      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)));
	must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(tgkill), 1,
			      SCMP_A0_32(SCMP_CMP_EQ, getpid())));
	/* Who takes the handler away does not live to use it. */
	must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(rt_sigaction), 1,
			      SCMP_A0_32(SCMP_CMP_NE, SIGSYS)));
	must(seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, CALL(rt_sigaction), 1,
			      SCMP_A0_32(SCMP_CMP_EQ, SIGSYS)));
}

static void forbidden(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	tty_restore();
	status_exit_at_once(
		"the launcher was about to make system call %d, which it never makes: a bug of Ringlet's, or a guest that broke out; please report it",
		info->si_syscall);
}

/*
 * What the parent left open is not for a guest to find: a server's sockets, a
 * shell's pipes. What came through an exec() is what would go through another;
 * all that we have opened would not. So it can be closed when everything that
 * the user named, /dev/fd/N too, has been opened anew.
 */
static void close_inherited(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int fd;

	if (!dir)
		die("cannot see which files were left open: /proc/self/fd: %s",
		    strerror(errno));
	while ((entry = readdir(dir))) {
		fd = atoi(entry->d_name);
		if (fd > STDERR_FILENO && !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
			close(fd);
	}
	closedir(dir);
}

/*
 * No capabilities, now or by any way later. Of the calling thread: before there
 * are others, who have what it has.
 */
void sandbox_drop_privileges(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { 0 };
	int cap;

	close_inherited();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		die("cannot give up new privileges: %s", strerror(errno));
	/* Only who has CAP_SETPCAP can; the others have less anyway. */
	for (cap = 0; !prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); cap++)
		;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, none))
		die("cannot give up capabilities: %s", strerror(errno));
}

/* From here on the list holds, for all threads, those to come, too. */
void sandbox_enter(void)
{
	struct sigaction action = { .sa_sigaction = forbidden,
				    .sa_flags = SA_SIGINFO };
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	size_t i;
	int error;

	if (!ctx)
		die("out of memory");
	sigaction(SIGSYS, &action, NULL);
	must(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1));
	/* Another architecture's numbers are other calls. */
	must(seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
			      SCMP_ACT_KILL_PROCESS));
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0));
	allow_some_arguments(ctx);
	error = seccomp_load(ctx);
	if (error)
		die("the host's kernel takes no seccomp filter (%s); it needs CONFIG_SECCOMP_FILTER",
		    strerror(-error));
	seccomp_release(ctx);
}
