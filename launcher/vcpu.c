// SPDX-License-Identifier: GPL-2.0
/*
 * A virtual CPU: a thread that does nothing but RINGLET_RUN and hand over what
 * comes out. There is one per vCPU and nothing here is shared between them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "tty.h"
#include "vcpu.h"

#define VCPU_SIGNAL SIGUSR1

/* In the order of struct ringlet_regs.gpr. */
#define GPR_RSI 6
#define RFLAGS_FIXED 0x2

void vcpu_create(struct vcpu *vcpu, const struct vm *vm, u32 id)
{
	vcpu->fd = ioctl(vm->fd, RINGLET_CREATE_VCPU, id);
	if (vcpu->fd < 0)
		die("the module makes no vCPU (%s): see dmesg",
		    strerror(errno));
	fcntl(vcpu->fd, F_SETFD, FD_CLOEXEC);
	if (vm->info.run_size < sizeof(*vcpu->run))
		die("the module's run page is too small: update the module");
	vcpu->run = mmap(NULL, vm->info.run_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		die("cannot map a vCPU's run page: %s", strerror(errno));
}

void vcpu_set_boot_state(struct vcpu *vcpu, u64 entry, u64 zero_page, u64 pgd)
{
	struct ringlet_regs regs = {
		.gpr[GPR_RSI] = zero_page,
		.rip = entry,
		.rflags = RFLAGS_FIXED,
		.cr3 = pgd,
	};

	if (ioctl(vcpu->fd, RINGLET_SET_REGS, &regs))
		die("the module does not take the kernel's start state (%s): see dmesg",
		    strerror(errno));
}

static void describe(const struct ringlet_run *run, char *text, size_t len)
{
	size_t n = strnlen(run->message, sizeof(run->message));

	n = min(n, len - 1);
	memcpy(text, run->message, n);
	text[n] = '\0';
	while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
		text[--n] = '\0';
}

static void describe_shutdown(const struct ringlet_run *run,
			      struct outcome *outcome)
{
	char text[sizeof(run->message)];

	describe(run, text, sizeof(text));
	switch (run->shutdown.reason) {
	case RINGLET_SHUTDOWN_POWEROFF:
		outcome_set(outcome, STATUS_POWEROFF, 0,
			    "the guest powered off");
		break;
	case RINGLET_SHUTDOWN_REBOOT:
		outcome_set(outcome, STATUS_REBOOT, 0,
			    "the guest asked for a restart");
		break;
	default:
		outcome_set(outcome, STATUS_PANIC, EXIT_GUEST_DIED,
			    "the guest kernel panicked: %s", text);
		break;
	}
}

/* Serves one exit. False if it was the last, with @outcome set. */
static bool serve_exit(struct vcpu *vcpu, struct outcome *outcome)
{
	struct ringlet_run *run = vcpu->run;
	char text[sizeof(run->message)];

	switch (run->exit_reason) {
	case RINGLET_EXIT_INTR:
		return true;
	case RINGLET_EXIT_MMIO:
		vcpu->ops->mmio(vcpu, run->mmio.gpa, run->mmio.data,
				run->mmio.len, run->mmio.is_write);
		return true;
	case RINGLET_EXIT_CONSOLE:
		vcpu->ops->console(vcpu, run->console.gpa, run->console.len);
		return true;
	case RINGLET_EXIT_SHUTDOWN:
		describe_shutdown(run, outcome);
		return false;
	case RINGLET_EXIT_KILLED:
		describe(run, text, sizeof(text));
		outcome_set(outcome, STATUS_KILLED, EXIT_GUEST_DIED,
			    "the guest was killed: %s", text);
		return false;
	default:
		outcome_set(
			outcome, STATUS_ERROR, EXIT_FAULT,
			"the module left the guest for a reason (%u) that this launcher does not know: update the launcher",
			run->exit_reason);
		return false;
	}
}

static void describe_error(int error, struct outcome *outcome)
{
	const char *name = strerrorname_np(error);

	outcome_set(outcome, STATUS_ERROR, EXIT_FAULT,
		    "the module cannot run the guest (%s, %s): %s",
		    name ? name : "an unknown error", strerror(error),
		    error == ENOMEM ?
			    "free memory of the host, or give less --mem" :
			    "see dmesg");
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	struct outcome outcome;

	while (!__atomic_load_n(&vcpu->stop, __ATOMIC_ACQUIRE)) {
		if (ioctl(vcpu->fd, RINGLET_RUN, 0)) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			/* Another vCPU ended the guest, and says how. */
			if (errno == ESHUTDOWN) {
				vcpu->ops->ended(vcpu, NULL);
				break;
			}
			describe_error(errno, &outcome);
			vcpu->ops->ended(vcpu, &outcome);
			break;
		}
		if (!serve_exit(vcpu, &outcome)) {
			vcpu->ops->ended(vcpu, &outcome);
			break;
		}
	}
	return NULL;
}

/* Only there so that a blocking RINGLET_RUN returns. */
static void kick(int signal)
{
	(void)signal;
}

void vcpu_start(struct vcpu *vcpu)
{
	struct sigaction action = { .sa_handler = kick };
	sigset_t mask, old;
	int err;

	sigaction(VCPU_SIGNAL, &action, NULL);
	tty_thread_mask(&mask);
	sigdelset(&mask, VCPU_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &mask, &old);
	err = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		die("cannot start a vCPU's thread: %s", strerror(err));
}

/*
 * The flag first, then the signal: a thread that is between the look at @stop
 * and RINGLET_RUN finds immediate_exit set.
 */
void vcpu_stop(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->stop, true, __ATOMIC_RELEASE);
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(vcpu->thread, VCPU_SIGNAL);
}

/* False if the thread does not come back, which would be the module's fault. */
bool vcpu_wait(struct vcpu *vcpu, const struct timespec *until)
{
	return !pthread_timedjoin_np(vcpu->thread, NULL, until);
}
