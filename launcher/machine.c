// SPDX-License-Identifier: GPL-2.0
/*
 * A guest from its parts, in two phases. machine_set_up() reads files, opens
 * the module and fills guest memory; every fault ends in die() and no guest
 * has run. machine_run() opens what is left to open, gives up all privileges
 * (sandbox.c), starts the vCPUs' threads and is then the I/O thread: it waits for
 * signals, the timeout and moved bytes until there is an outcome.
 *
 * Threads: the I/O thread (main), one per vCPU, one per stream. Locks, outer
 * first: a device's, a stream's, the machine's.
 */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "boot.h"
#include "machine.h"
#include "sandbox.h"

#define CONSOLE_GPA 0xd0000000ULL
#define CONSOLE_IRQ 5

_Static_assert(CONSOLE_GPA - MEMORY_LOW_END <=
		       MEMORY_HIGH_START - MEMORY_LOW_END - VIRTIO_MMIO_SIZE,
	       "devices lie between low and high memory");

#define EOF_AGAIN_MS 1000
#define STOP_SECONDS 5 /* for all vCPUs together */
#define FLUSH_SECONDS 2 /* for a reader that is slow when a signal comes */

void machine_end(struct machine *m, const struct outcome *outcome)
{
	pthread_mutex_lock(&m->lock);
	if (!m->ended) {
		m->outcome = *outcome;
		m->ended = true;
	}
	pthread_mutex_unlock(&m->lock);
	eventfd_write(m->wake_fd, 1);
}

static bool machine_ended(struct machine *m)
{
	bool ended;

	pthread_mutex_lock(&m->lock);
	ended = m->ended;
	pthread_mutex_unlock(&m->lock);
	return ended;
}

/* ---- What vCPU threads hand over ---- */

static void vcpu_mmio(struct vcpu *vcpu, u64 gpa, u8 *data, u32 len,
		      bool is_write)
{
	struct machine *m = vcpu->data;

	if (len > sizeof(u64))
		return;
	/* An address without a device reads as a bus without one does. */
	if (!virtio_mmio_access(&m->console.dev, gpa, data, len, is_write) &&
	    !is_write)
		memset(data, 0xff, len);
}

static void vcpu_console(struct vcpu *vcpu, u64 gpa, u64 len)
{
	struct machine *m = vcpu->data;
	const u8 *bytes = memory_ptr(&m->mem, gpa, len);
	size_t n;

	while (bytes && len && !machine_ended(m)) {
		n = stream_put(m->console_out, bytes, len);
		bytes += n;
		len -= n;
		if (len)
			stream_wait_room(m->console_out, 100);
	}
}

/*
 * Of the vCPUs of a guest that is over one says why, maybe not the first that
 * leaves. If none does that is a fault, and nobody is left to wait for. The one
 * that says it does so before it is counted out: else the last to leave could
 * come between, and find that nobody has.
 */
static void vcpu_ended(struct vcpu *vcpu, const struct outcome *outcome)
{
	struct machine *m = vcpu->data;
	struct outcome lost;
	bool last;

	if (outcome)
		machine_end(m, outcome);
	pthread_mutex_lock(&m->lock);
	last = !--m->running;
	pthread_mutex_unlock(&m->lock);
	if (last && !outcome) {
		outcome_set(
			&lost, STATUS_ERROR, EXIT_FAULT,
			"the guest is over and the module does not say why: see dmesg");
		machine_end(m, &lost);
	}
}

static const struct vcpu_ops vcpu_ops = {
	.mmio = vcpu_mmio,
	.console = vcpu_console,
	.ended = vcpu_ended,
};

/* ---- Setting up ---- */

static bool plain_word(const char *word)
{
	size_t n;

	for (n = 0; word[n]; n++)
		if (!isalnum((unsigned char)word[n]) &&
		    !strchr("-+._", word[n]))
			return false;
	return n > 0 && n <= 32;
}

/* The user's part comes last, so that it wins where an option is given twice. */
static char *make_cmdline(const struct machine_config *config)
{
	const char *append = config->append ? config->append : "";
	const char *term = getenv("TERM");
	char term_arg[48] = "";
	char *cmdline;
	int n;

	if (!config->bare && term && plain_word(term))
		snprintf(term_arg, sizeof(term_arg), "TERM=%s ", term);
	n = asprintf(&cmdline, "%s%s%svirtio_mmio.device=4K@0x%llx:%d%s%s",
		     config->bare ? "" : "console=hvc0 panic=-1 ",
		     config->command ? "rdinit=" INITRAMFS_INIT " " : "",
		     term_arg, CONSOLE_GPA, CONSOLE_IRQ, *append ? " " : "",
		     append);
	if (n < 0)
		die("out of memory");
	return cmdline;
}

/* What the user named, read and checked; nothing of the guest exists yet. */
static void read_inputs(const struct machine_config *config,
			struct kernel_image *image, struct initramfs *initramfs)
{
	memory_check_size(config->mem);
	if (!kernel_image_open(image, config->kernel))
		die("%s", image->error);
	if (config->initrd)
		initramfs_read(initramfs, config->initrd, config->mem);
	if (config->command)
		initramfs_add_init(initramfs);
}

static void fill_memory(struct machine *m, struct kernel_image *image,
			const struct initramfs *initramfs)
{
	char *cmdline = make_cmdline(m->config);

	memory_alloc(&m->mem, m->config->mem);
	if (!kernel_image_load(image, &m->mem))
		die("%s", image->error);
	boot_set_up(&m->mem, image, initramfs, cmdline);
	free(cmdline);
}

static void set_up_command(struct machine *m)
{
	char *env[2] = { NULL };
	const char *term = getenv("TERM");

	if (term && plain_word(term) && asprintf(&env[0], "TERM=%s", term) < 0)
		die("out of memory");
	guest_command_init(&m->command, m->config->command, env, m->wake_fd);
	free(env[0]);
}

void machine_set_up(struct machine *m, const struct machine_config *config)
{
	struct initramfs initramfs = { 0 };
	struct kernel_image image;
	char error[256];
	u32 i;

	m->config = config;
	pthread_mutex_init(&m->lock, NULL);
	status_open_file();
	m->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->wake_fd < 0)
		die("cannot make an eventfd: %s", strerror(errno));
	if (config->command)
		set_up_command(m);

	/* Inputs before the module: their faults are the same on every machine. */
	read_inputs(config, &image, &initramfs);
	fill_memory(m, &image, &initramfs);
	if (vm_open_module(&m->vm, error, sizeof(error)))
		die("%s", error);
	vm_create(&m->vm, &m->mem);
	if (config->cpus > m->vm.info.max_vcpus)
		die("the module carries guests of up to %u CPUs; give less --cpus",
		    m->vm.info.max_vcpus);
	for (i = 0; i < config->cpus; i++)
		vcpu_create(&m->vcpu[i], &m->vm, i);
	vcpu_set_boot_state(&m->vcpu[0], image.entry, BOOT_ZERO_PAGE, BOOT_PGD);

	initramfs_free(&initramfs);
	kernel_image_close(&image);
}

/* ---- The I/O thread ---- */

struct io_loop {
	int epoll_fd;
	int signal_fd;
	int timer_fd;
};

static void watch(struct io_loop *io, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (fd < 0 || epoll_ctl(io->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		die("cannot set up the I/O thread: %s", strerror(errno));
}

static void set_timer(struct io_loop *io, double seconds)
{
	struct itimerspec when = { 0 };

	when.it_value.tv_sec = seconds;
	when.it_value.tv_nsec = (seconds - when.it_value.tv_sec) * 1e9;
	timerfd_settime(io->timer_fd, 0, &when, NULL);
}

static bool is_ignored(int signal)
{
	struct sigaction action;

	return !sigaction(signal, NULL, &action) &&
	       action.sa_handler == SIG_IGN;
}

static void io_open(struct io_loop *io, struct machine *m)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	/* Unless nohup said otherwise. */
	if (!is_ignored(SIGHUP))
		sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGWINCH);
	sigaddset(&signals, SIGCONT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);

	io->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	io->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	io->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	watch(io, io->signal_fd);
	watch(io, io->timer_fd);
	watch(io, m->wake_fd);
}

static void take_size(struct machine *m)
{
	u16 cols, rows;

	if (m->on_tty && tty_size(m->input->fd, &cols, &rows))
		virtio_console_resize(&m->console, cols, rows);
}

static void serve_signal(struct machine *m, struct io_loop *io)
{
	struct signalfd_siginfo info;
	struct outcome outcome;

	if (read(io->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGWINCH:
		take_size(m);
		break;
	case SIGCONT:
		tty_resume();
		take_size(m);
		break;
	default:
		outcome_set(&outcome, STATUS_INTERRUPT,
			    EXIT_SIGNAL(info.ssi_signo),
			    "the launcher got SIG%s",
			    sigabbrev_np(info.ssi_signo));
		machine_end(m, &outcome);
		break;
	}
}

static void serve_timeout(struct machine *m)
{
	struct outcome outcome;

	outcome_set(
		&outcome, STATUS_TIMEOUT, EXIT_TIMEOUT,
		"the guest did not end within %g seconds; give more --timeout, or see its log",
		m->config->timeout);
	machine_end(m, &outcome);
}

static void flush_timed_out(struct machine *m)
{
	outcome_set(
		&m->outcome, STATUS_TIMEOUT, EXIT_TIMEOUT,
		"the guest ended, but what it wrote was not taken within %g seconds; give more --timeout, or read it faster",
		m->config->timeout);
}

/* Waits for one event and serves it. False if it was the timer. */
static bool serve_event(struct machine *m, struct io_loop *io)
{
	struct epoll_event event;
	int n, again = machine_input_ended(m) ? EOF_AGAIN_MS : -1;
	eventfd_t count;

	n = epoll_wait(io->epoll_fd, &event, 1, again);
	if (!n) {
		m->sent_eof = false;
		machine_serve_ports(m);
	}
	if (n != 1)
		return true;
	if (event.data.fd == io->timer_fd)
		return false;
	if (event.data.fd == io->signal_fd) {
		serve_signal(m, io);
	} else if (event.data.fd == m->wake_fd) {
		eventfd_read(m->wake_fd, &count);
		tty_take();
		machine_serve_ports(m);
	}
	return true;
}

/*
 * The guest is over; what it wrote is not yet. If it ended by itself its
 * output is waited for as long as the user likes to wait: --timeout counts on,
 * since the guest chose how much there is, and Ctrl-A x is heard. After a
 * signal or timeout it has two seconds.
 */
static void flush(struct machine *m, struct io_loop *io)
{
	bool own_end = m->outcome.reason != STATUS_INTERRUPT &&
		       m->outcome.reason != STATUS_TIMEOUT &&
		       m->outcome.reason != STATUS_QUIT;
	struct epoll_event event;
	eventfd_t count;

	if (!own_end)
		set_timer(io, FLUSH_SECONDS);
	for (machine_flush(m); !machine_flushed(m); machine_flush(m)) {
		if (epoll_wait(io->epoll_fd, &event, 1, -1) != 1)
			continue;
		if (event.data.fd == io->timer_fd) {
			if (own_end)
				flush_timed_out(m);
			return;
		}
		if (m->escape.quit)
			return;
		if (event.data.fd == io->signal_fd) {
			m->ended = false;
			serve_signal(m, io);
			if (m->ended)
				return;
			m->ended = true;
		} else {
			eventfd_read(m->wake_fd, &count);
		}
	}
}

static bool ended_itself(const struct outcome *outcome)
{
	return outcome->reason == STATUS_POWEROFF ||
	       outcome->reason == STATUS_REBOOT;
}

/*
 * An end that the guest or its user wanted means nothing if its output did not
 * get through; beside any other end, that is said.
 */
static void settle_output(struct machine *m)
{
	struct outcome *outcome = &m->outcome, failed;

	if (outcome->reason == STATUS_ERROR)
		return;
	if (!machine_output_failed(m, &failed) &&
	    !machine_copy_failed(m, &failed))
		return;
	if (ended_itself(outcome) || outcome->reason == STATUS_QUIT)
		*outcome = failed;
	else
		say("%s", failed.message);
}

/* A guest that powers off has said nothing yet about its command. */
static void settle_outcome(struct machine *m)
{
	struct outcome *outcome = &m->outcome;

	settle_output(m);
	if (!m->config->command || !ended_itself(outcome))
		return;
	if (m->command.ended)
		*outcome = m->command.outcome;
	else
		outcome_set(outcome, STATUS_NO_STATUS, EXIT_GUEST_DIED,
			    "the guest ended before its command; see its log");
}

static void start_vcpus(struct machine *m)
{
	u32 i;

	m->running = m->config->cpus;
	for (i = 0; i < m->config->cpus; i++) {
		m->vcpu[i].ops = &vcpu_ops;
		m->vcpu[i].data = m;
		vcpu_start(&m->vcpu[i]);
	}
}

/* All are told before one is waited for. */
static void stop_vcpus(struct machine *m)
{
	struct timespec until;
	u32 i, stuck = 0;

	for (i = 0; i < m->config->cpus; i++)
		vcpu_stop(&m->vcpu[i]);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_SECONDS;
	for (i = 0; i < m->config->cpus; i++)
		stuck += !vcpu_wait(&m->vcpu[i], &until);
	if (stuck)
		say("the module does not give %u vCPUs back: see dmesg", stuck);
}

void machine_run(struct machine *m, struct outcome *outcome)
{
	struct io_loop io;

	machine_open_log(m);
	io_open(&io, m);
	signal(SIGPIPE, SIG_IGN);
	machine_open_streams(m);
	sandbox_drop_privileges();
	machine_start_streams(m);
	virtio_console_init(&m->console, &m->mem, m->vm.fd, CONSOLE_GPA,
			    CONSOLE_IRQ, m->wake_fd);
	machine_add_ports(m);
	take_size(m);
	set_timer(&io, m->config->timeout);

	sandbox_enter();
	start_vcpus(m);
	while (!machine_ended(m))
		if (!serve_event(m, &io))
			serve_timeout(m);

	stop_vcpus(m);
	flush(m, &io);
	settle_outcome(m);
	*outcome = m->outcome;
	/* From here on signals end us, and the last sentence may wait for long. */
	tty_restore();
}
