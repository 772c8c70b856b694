// SPDX-License-Identifier: GPL-2.0
/*
 * What processes do that a launcher is one of: forked, replaced by exec, traced,
 * stopped, dumped, killed at any moment; its fds passed on and kept by others.
 * Runs in the disposable host, with the ioctls alone; the guest is a loop on one
 * 2 MiB page that counts.
 *
 *	processes fork | outlived | exec | passed | borrowed | stopped | dumped | starved
 *	processes traced | watched [ROUNDS]
 *	processes random ROUNDS SEED	killed at ROUNDS random moments
 *	processes hold WHAT		says "ready" and has WHAT until it is killed:
 *					device, vm, vcpu, mapping, socket, running
 *	processes churn SECONDS		guests, although the module comes and goes
 *
 * Status 0, or a line on stderr that says what was not so.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "uapi/ringlet.h"

#define MEMORY (2UL << 20)
#define CR3 0x1000
#define CODE 0x10000
#define FLUSHER 0x11000
#define ARMER 0x12000
#define COUNTER 0x20000
#define MARK 0x30000
#define MARK_TEXT "this is guest memory in a core dump"
#define VCPUS 2

struct guest {
	int vm;
	int vcpu[VCPUS];
	struct ringlet_run *run[VCPUS];
	unsigned char *memory;
	pthread_t threads[VCPUS];
	volatile pid_t tid[VCPUS];
};

/* clang-format off */
/* Counts a thousand times, asks the module for something, and again. */
static const unsigned char loop[] = {
	0xb9, 0xe8, 0x03, 0x00, 0x00, /* mov $1000, %ecx */
	0xf0, 0x48, 0xff, 0x04, 0x25, 0x00, 0x00, 0x02, 0x00, /* lock incq COUNTER */
	0xff, 0xc9, /* dec %ecx */
	0x75, 0xf3, /* jnz the incq */
	0xb8, RINGLET_HC_YIELD, 0x00, 0x00, 0x00, /* mov, %eax */
	0xbf, 0x00, 0x00, 0x00, 0x00, /* mov $0, %edi */
	0x0f, 0x05, /* syscall */
	0xeb, 0xe0, /* jmp */
};

/* clang-format on */

#define MUST(cond)                                                            \
	do {                                                                  \
		if (!(cond)) {                                                \
			fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, \
				__LINE__, #cond, strerror(errno));            \
			_exit(1);                                             \
		}                                                             \
	} while (0)

static uint64_t counter(const struct guest *guest)
{
	return *(volatile uint64_t *)(guest->memory + COUNTER);
}

/* Does the guest run? It has ten seconds to show it. */
static int moves(const struct guest *guest)
{
	uint64_t before = counter(guest);

	for (int i = 0; i < 10000; i++) {
		if (counter(guest) - before > 2000)
			return 1;
		usleep(1000);
	}
	return 0;
}

static int open_device(void)
{
	return open("/dev/ringlet", O_RDWR | O_CLOEXEC);
}

/* Shared, so that a parent which made the memory sees the guest count. */
static unsigned char *new_memory(void)
{
	void *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MUST(memory != MAP_FAILED);
	return memory;
}

static void load(unsigned char *memory)
{
	*(uint64_t *)(memory + CR3) = 0x2003;
	*(uint64_t *)(memory + 0x2000) = 0x3003;
	*(uint64_t *)(memory + 0x3000) = 0x83;
	memcpy(memory + CODE, loop, sizeof(loop));
	strcpy((char *)memory + MARK, MARK_TEXT);
}

static void set_rip(int vcpu, uint64_t rip)
{
	struct ringlet_regs regs;

	MUST(!ioctl(vcpu, RINGLET_GET_REGS, &regs));
	regs.rip = rip;
	regs.cr3 = CR3;
	MUST(!ioctl(vcpu, RINGLET_SET_REGS, &regs));
}

/* Without a thread yet. @memory: NULL for some of its own. */
static void set_up(struct guest *guest, int device, unsigned char *memory)
{
	struct ringlet_memory slot = { .size = MEMORY };

	guest->memory = memory;
	if (!memory)
		guest->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(guest->memory != MAP_FAILED);
	load(guest->memory);
	slot.hva = (uintptr_t)guest->memory;
	guest->vm = ioctl(device, RINGLET_CREATE_VM, 0);
	MUST(guest->vm >= 0);
	MUST(!ioctl(guest->vm, RINGLET_SET_MEMORY, &slot));
	for (int i = 0; i < VCPUS; i++) {
		guest->vcpu[i] = ioctl(guest->vm, RINGLET_CREATE_VCPU, i);
		MUST(guest->vcpu[i] >= 0);
		guest->run[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				     MAP_SHARED, guest->vcpu[i], 0);
		MUST(guest->run[i] != MAP_FAILED);
	}
	for (int i = 0; i < VCPUS; i++)
		set_rip(guest->vcpu[i], CODE);
}

/* Until the guest is over, of which others are the reason; or should be. */
static void run_vcpu(const struct guest *guest, int id)
{
	const struct ringlet_run *run = guest->run[id];
	int ret;

	do {
		ret = ioctl(guest->vcpu[id], RINGLET_RUN, 0);
		if (!ret && run->exit_reason == RINGLET_EXIT_KILLED)
			fprintf(stderr, "%s\n", run->message);
	} while (!ret || errno == EINTR);
	fprintf(stderr, "vCPU %d is over: %s\n", id, strerror(errno));
}

struct start {
	struct guest *guest;
	int id;
};

static void *vcpu_thread(void *arg)
{
	struct start *start = arg;
	struct guest *guest = start->guest;
	int id = start->id;

	guest->tid[id] = gettid();
	free(start);
	run_vcpu(guest, id);
	return NULL;
}

static void start_vcpu(struct guest *guest, int id)
{
	struct start *start = malloc(sizeof(*start));

	MUST(start);
	*start = (struct start){ guest, id };
	guest->tid[id] = 0;
	MUST(!pthread_create(&guest->threads[id], NULL, vcpu_thread, start));
	while (!guest->tid[id])
		usleep(100);
}

/* Made and running. */
static void start(struct guest *guest, int device, unsigned char *memory)
{
	set_up(guest, device, memory);
	for (int i = 0; i < VCPUS; i++)
		start_vcpu(guest, i);
	MUST(moves(guest));
}

#define EIO_FROM(call) MUST((call) < 0 && errno == EIO)

/* What a process that is not the VM's can do with its fds: close them. */
static void strangers(int vm, int vcpu)
{
	struct ringlet_memory slot = { .size = 4096,
				       .gpa = 1UL << 32,
				       .hva = 4096 };
	struct ringlet_regs regs = {};

	EIO_FROM(ioctl(vm, RINGLET_SET_MEMORY, &slot));
	EIO_FROM(ioctl(vm, RINGLET_CREATE_VCPU, 5));
	EIO_FROM(ioctl(vm, RINGLET_IRQ_RAISE, 1));
	EIO_FROM(ioctl(vcpu, RINGLET_RUN, 0));
	EIO_FROM(ioctl(vcpu, RINGLET_GET_REGS, &regs));
	EIO_FROM(ioctl(vcpu, RINGLET_SET_REGS, &regs));
}

static int ended(pid_t pid)
{
	int status;

	MUST(waitpid(pid, &status, __WALL) == pid);
	return status;
}

/* ---- The cases ---- */

/* A fork's child: its copy of the memory stands still, the parent's guest goes on. */
static int c_fork(void)
{
	int device = open_device();
	struct guest guest, own;
	uint64_t before;
	pid_t pid;

	start(&guest, device, NULL);
	for (int i = 0; i < 10; i++) {
		pid = fork();
		MUST(pid >= 0);
		if (!pid) {
			before = counter(&guest);
			strangers(guest.vm, guest.vcpu[0]);
			usleep(20000);
			MUST(counter(&guest) == before);
			MUST(guest.run[0]->exit_reason <= RINGLET_EXIT_KILLED);
			start(&own, device, NULL);
			_exit(0);
		}
		MUST(moves(&guest));
		MUST(!ended(pid));
	}
	MUST(moves(&guest));
	return 0;
}

/* Wait until @pid, whose parent is another, is gone: the pipe it had is closed. */
static int last_words(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 1 && byte == 'k';
}

/* The process that made the VM is gone, and another still has its fds. */
static int c_outlived(void)
{
	struct guest guest;
	int pipes[2];
	pid_t pid;

	MUST(!pipe(pipes));
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		start(&guest, open_device(), NULL);
		pid = getpid();
		if (fork()) {
			kill(pid, SIGKILL);
			_exit(1);
		}
		while (getppid() == pid)
			usleep(1000);
		strangers(guest.vm, guest.vcpu[1]);
		MUST(guest.run[1]->exit_reason <= RINGLET_EXIT_KILLED);
		close(guest.vm);
		EIO_FROM(ioctl(guest.vcpu[0], RINGLET_RUN, 0));
		MUST(write(pipes[1], "k", 1) == 1);
		_exit(0);
	}
	close(pipes[1]);
	MUST(ended(pid) == SIGKILL);
	MUST(last_words(pipes[0]));
	return 0;
}

/* What is left of an exec: the fds, if they were not to be closed. */
static int c_held(int argc, char **argv)
{
	struct guest own;
	int vm, vcpu;

	MUST(argc > 3);
	vm = atoi(argv[2]);
	vcpu = atoi(argv[3]);
	strangers(vm, vcpu);
	start(&own, open_device(), NULL);
	/* One VM of this mm's and one of another's, side by side. */
	strangers(vm, vcpu);
	return 0;
}

/* exec() by a thread while the others are in the guest, or by the first. */
static void *exec_self(void *arg)
{
	struct guest *guest = arg;
	char vm[12], vcpu[12];

	snprintf(vm, sizeof(vm), "%d", guest->vm);
	snprintf(vcpu, sizeof(vcpu), "%d", guest->vcpu[1]);
	fcntl(guest->vm, F_SETFD, 0);
	fcntl(guest->vcpu[1], F_SETFD, 0);
	execl("/proc/self/exe", "processes", "held", vm, vcpu, NULL);
	MUST(!"exec");
	return NULL;
}

static int c_exec(void)
{
	struct guest guest;
	pthread_t thread;
	pid_t pid;

	for (int i = 0; i < 20; i++) {
		pid = fork();
		MUST(pid >= 0);
		if (!pid) {
			start(&guest, open_device(), NULL);
			if (i & 1)
				exec_self(&guest);
			MUST(!pthread_create(&thread, NULL, exec_self, &guest));
			for (;;)
				pause();
		}
		MUST(!ended(pid));
	}
	return 0;
}

static void send_fds(int socket, const int *fds, int n)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(8 * sizeof(int))];
	} control = {};
	struct iovec byte = { "", 1 };
	struct msghdr message = { .msg_iov = &byte,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen =
					  CMSG_SPACE(n * sizeof(int)) };

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
	MUST(sendmsg(socket, &message, 0) == 1);
}

static void receive_fds(int socket, int *fds, int n)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(8 * sizeof(int))];
	} control = {};
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	MUST(recvmsg(socket, &message, 0) == 1);
	MUST(control.header.cmsg_len == CMSG_LEN(n * sizeof(int)));
	memcpy(fds, CMSG_DATA(&control.header), n * sizeof(int));
}

/* Fds sent to a process that has a VM of its own, and outlives the sender. */
static void receiver(int socket, pid_t sender)
{
	struct ringlet_run *run;
	struct guest own;
	int fds[2];

	start(&own, open_device(), NULL);
	receive_fds(socket, fds, 2);
	strangers(fds[0], fds[1]);
	run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0);
	MUST(run != MAP_FAILED && run->exit_reason <= RINGLET_EXIT_KILLED);
	kill(sender, SIGKILL);
	while (getppid() == sender)
		usleep(1000);
	strangers(fds[0], fds[1]);
	close(fds[0]);
	close(fds[1]);
	run->immediate_exit = 1;
	MUST(!munmap(run, 4096));
	MUST(moves(&own));
}

static int c_passed(void)
{
	struct guest guest;
	int sockets[2], pipes[2];
	pid_t pid, sender;

	MUST(!pipe(pipes));
	sender = fork();
	MUST(sender >= 0);
	if (!sender) {
		MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
		sender = getpid();
		pid = fork();
		MUST(pid >= 0);
		if (!pid) {
			receiver(sockets[1], sender);
			MUST(write(pipes[1], "k", 1) == 1);
			_exit(0);
		}
		start(&guest, open_device(), NULL);
		send_fds(sockets[0], (int[]){ guest.vm, guest.vcpu[0] }, 2);
		for (;;)
			pause();
	}
	close(pipes[1]);
	MUST(ended(sender) == SIGKILL);
	MUST(last_words(pipes[0]));
	return 0;
}

/* Another process with the same memory may run the vCPU, and die in it. */
static int borrower(void *arg)
{
	struct guest *guest = arg;

	run_vcpu(guest, 0);
	return 0;
}

static int c_borrowed(void)
{
	static unsigned char stack[1 << 16];
	struct guest guest;
	pid_t pid;

	set_up(&guest, open_device(), NULL);
	for (int i = 0; i < 50; i++) {
		pid = clone(borrower, stack + sizeof(stack), CLONE_VM | SIGCHLD,
			    &guest);
		MUST(pid > 0);
		MUST(moves(&guest));
		usleep(rand() % 2000);
		kill(pid, SIGKILL);
		MUST(ended(pid) == SIGKILL);
	}
	start_vcpu(&guest, 0);
	MUST(moves(&guest));
	return 0;
}

static void nothing(int sig)
{
	(void)sig;
}

/* A child with a guest whose memory this process sees, too. */
static pid_t child_with_guest(struct guest *guest)
{
	struct guest *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned char *memory = new_memory();
	pid_t pid;

	MUST(shared != MAP_FAILED);
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* A step's trap may be on its way when the tracer lets go. */
		signal(SIGTRAP, nothing);
		start(shared, open_device(), memory);
		for (;;)
			pause();
	}
	guest->memory = memory;
	MUST(moves(guest));
	for (int i = 0; i < VCPUS; i++) {
		while (!shared->tid[i])
			usleep(1000);
		guest->tid[i] = shared->tid[i];
	}
	return pid;
}

static int c_stopped(void)
{
	struct guest guest;
	pid_t pid = child_with_guest(&guest);
	uint64_t before;
	int status;

	for (int i = 0; i < 30; i++) {
		usleep(rand() % 5000);
		kill(pid, SIGSTOP);
		MUST(waitpid(pid, &status, WUNTRACED) == pid);
		MUST(WIFSTOPPED(status));
		/* Its other threads are on their way. */
		usleep(20000);
		before = counter(&guest);
		usleep(20000);
		MUST(counter(&guest) == before);
		kill(pid, SIGCONT);
		MUST(moves(&guest));
	}
	kill(pid, SIGSTOP);
	kill(pid, SIGKILL);
	MUST(ended(pid) == SIGKILL);
	return 0;
}

static int contains(const char *path, const char *text)
{
	int fd = open(path, O_RDONLY), found = 0;
	size_t length = strlen(text);
	off_t size;
	char *all;

	MUST(fd >= 0);
	size = lseek(fd, 0, SEEK_END);
	all = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	MUST(all != MAP_FAILED);
	/* Page by page: the program's own text has it elsewhere. */
	for (off_t at = 0; !found && at + (off_t)length <= size; at += 4096)
		found = !memcmp(all + at, text, length);
	munmap(all, size);
	close(fd);
	return found;
}

/* A core dump with guest memory, while vCPUs run; the file is in this folder. */
static int c_dumped(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct guest guest;
	int status;
	pid_t pid;

	for (int i = 0; i < 5; i++) {
		unlink("core");
		pid = fork();
		MUST(pid >= 0);
		if (!pid) {
			setrlimit(RLIMIT_CORE, &unlimited);
			start(&guest, open_device(), NULL);
			if (i & 1)
				syscall(SYS_tgkill, getpid(), guest.tid[0],
					SIGQUIT);
			abort();
		}
		status = ended(pid);
		MUST(WIFSIGNALED(status) && WCOREDUMP(status));
		MUST(contains("core", MARK_TEXT));
	}
	unlink("core");
	return 0;
}

static void trace(long request, pid_t pid, unsigned long addr,
		  unsigned long data)
{
	if (ptrace(request, pid, addr, data) < 0) {
		fprintf(stderr, "ptrace %ld: %s\n", request, strerror(errno));
		_exit(1);
	}
}

static void stops(pid_t pid)
{
	MUST(WIFSTOPPED(ended(pid)));
}

/* Until it has stopped for this, whatever else it stops for before. */
static void interrupt(pid_t pid)
{
	trace(PTRACE_INTERRUPT, pid, 0, 0);
	for (;;) {
		int status = ended(pid);

		MUST(WIFSTOPPED(status));
		if (status >> 16 == PTRACE_EVENT_STOP)
			return;
		/*
		 * Which took this wish with it if it came later: ptrace_stop().
		 * While it is stopped, or a second wish may outlive the first.
		 */
		trace(PTRACE_INTERRUPT, pid, 0, 0);
		trace(PTRACE_CONT, pid, 0, 0);
	}
}

static void debug_register(pid_t pid, int n, unsigned long value)
{
	trace(PTRACE_POKEUSER, pid,
	      offsetof(struct user, u_debugreg) + n * sizeof(long), value);
}

/* Hardware breakpoints of the launcher's thread, at addresses of the guest's. */
static void breakpoints(const struct guest *guest, pid_t tid)
{
	int status;

	debug_register(tid, 0, CODE + 5);
	debug_register(tid, 1, COUNTER);
	/* Both on: the first when executed, the second when written, 8 bytes. */
	debug_register(tid, 7, 0x5 | 9UL << 20);
	trace(PTRACE_CONT, tid, 0, 0);
	MUST(moves(guest));
	MUST(!waitpid(tid, &status, WNOHANG | __WALL));
	interrupt(tid);
	debug_register(tid, 7, 0);
}

static void one_trace(const struct guest *guest, pid_t tid, int round)
{
	struct user_regs_struct regs;

	trace(PTRACE_SEIZE, tid, 0, 0);
	interrupt(tid);
	trace(PTRACE_GETREGS, tid, 0, (unsigned long)&regs);
	for (int i = 0; i < 5; i++) {
		trace(round & 1 ? PTRACE_SINGLESTEP : PTRACE_SYSCALL, tid, 0,
		      0);
		/* RUN itself has no end; nor has a step over it. */
		usleep(rand() % 3000);
		interrupt(tid);
	}
	if (!(round & 3))
		breakpoints(guest, tid);
	trace(PTRACE_DETACH, tid, 0, 0);
	MUST(moves(guest));
}

static int c_traced(int rounds)
{
	struct guest guest;
	pid_t pid = child_with_guest(&guest);

	for (int i = 0; i < rounds; i++)
		one_trace(&guest, guest.tid[i / 4 % VCPUS], i);
	/* The old way, which stops the thread by a signal. */
	trace(PTRACE_ATTACH, guest.tid[0], 0, 0);
	stops(guest.tid[0]);
	trace(PTRACE_CONT, guest.tid[0], 0, 0);
	MUST(moves(&guest));
	syscall(SYS_tgkill, pid, guest.tid[0], SIGSTOP);
	stops(guest.tid[0]);
	trace(PTRACE_DETACH, guest.tid[0], 0, 0);
	MUST(moves(&guest));
	/* And killed by its tracer, a vCPU's thread being stopped. */
	trace(PTRACE_ATTACH, guest.tid[1], 0, 0);
	stops(guest.tid[1]);
	trace(PTRACE_KILL, guest.tid[1], 0, 0);
	MUST(ended(guest.tid[1]) == SIGKILL);
	MUST(ended(pid) == SIGKILL);
	return 0;
}

/* ---- A watchpoint of the launcher's own ---- */

/* clang-format off */
/* Arms one of the guest's, where nobody writes, and counts. */
static const unsigned char armer[] = {
	0xb8, RINGLET_HC_SET_DR, 0x00, 0x00, 0x00, /* mov, %eax */
	0xbf, 0x00, 0x00, 0x00, 0x00, /* mov $0, %edi */
	0xbe, 0x08, 0x00, 0x03, 0x00, /* mov $MARK + 8, %esi */
	0x0f, 0x05, /* syscall */
	0xb8, RINGLET_HC_SET_DR, 0x00, 0x00, 0x00, /* mov, %eax */
	0xbf, 0x07, 0x00, 0x00, 0x00, /* mov $7, %edi */
	0xbe, 0x01, 0x04, 0x0d, 0x00, /* mov, %esi: the first on, writes, 8 bytes */
	0x0f, 0x05, /* syscall */
	0xb8, 0x00, 0x00, 0x01, 0x00, /* mov $CODE, %eax */
	0xff, 0xe0, /* jmp *%rax */
};

/* clang-format on */

/* It is armed again when RUN is back, for the thread that has both. */
static int c_watched(int rounds)
{
	static volatile uint64_t watched;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (uintptr_t)&watched,
		.bp_len = HW_BREAKPOINT_LEN_8,
		.exclude_kernel = 1,
	};
	struct itimerval tick = { { 0, 2000 }, { 0, 2000 } };
	struct sigaction action = { .sa_handler = nothing };
	uint64_t hits, before;
	struct guest guest;
	int fd;

	set_up(&guest, open_device(), NULL);
	memcpy(guest.memory + ARMER, armer, sizeof(armer));
	set_rip(guest.vcpu[0], ARMER);
	fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	MUST(fd >= 0);
	MUST(!sigaction(SIGALRM, &action, NULL));
	MUST(!setitimer(ITIMER_REAL, &tick, NULL));
	for (int i = 1; i <= rounds; i++) {
		before = counter(&guest);
		/* The tick may come before it is in the guest. */
		do
			MUST(ioctl(guest.vcpu[0], RINGLET_RUN, 0) < 0 &&
			     errno == EINTR);
		while (counter(&guest) == before);
		watched = i;
		MUST(read(fd, &hits, sizeof(hits)) == sizeof(hits));
		MUST(hits == (uint64_t)i);
	}
	return 0;
}

/* ---- A vCPU whose thread is a process that gets no CPU ---- */

/* clang-format off */
/* Counts flushes that it has vCPU 1 do. */
static const unsigned char flusher[] = {
	0xf0, 0x48, 0xff, 0x04, 0x25, 0x00, 0x00, 0x02, 0x00, /* lock incq COUNTER */
	0xb8, RINGLET_HC_FLUSH_VCPUS, 0x00, 0x00, 0x00, /* mov, %eax */
	0xbf, 0x02, 0x00, 0x00, 0x00, /* mov $2, %edi: vCPU 1 */
	0xbe, 0x00, 0x10, 0x00, 0x00, /* mov $CR3, %esi */
	0x31, 0xd2, /* xor %edx, %edx */
	0x45, 0x31, 0xd2, /* xor %r10d, %r10d: all of it */
	0x0f, 0x05, /* syscall */
	0xeb, 0xdf, /* jmp */
};

/* clang-format on */

static void pin(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	MUST(!sched_setaffinity(tid, sizeof(set), &set));
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	MUST(fd >= 0 && write(fd, text, strlen(text)) > 0);
	close(fd);
}

/* All that CPU 1 has, until it is killed, but not for ever. It has it when this returns. */
static pid_t hog(void)
{
	struct sched_param param = { .sched_priority = 50 };
	time_t end;
	int go[2];
	pid_t pid;
	char c;

	MUST(!pipe(go));
	pid = fork();
	MUST(pid >= 0);
	if (pid) {
		MUST(read(go[0], &c, 1) == 1);
		close(go[0]);
		close(go[1]);
		return pid;
	}
	pin(0, 1);
	MUST(!sched_setscheduler(0, SCHED_FIFO, &param));
	MUST(write(go[1], "", 1) == 1);
	end = time(NULL) + 15;
	while (time(NULL) < end)
		;
	_exit(0);
}

static long flush_waits(void)
{
	char line[80], pattern[64];
	long value = -1;
	glob_t found;
	FILE *file;

	snprintf(pattern, sizeof(pattern),
		 "/sys/kernel/debug/ringlet/%d-*/counters", getpid());
	MUST(!glob(pattern, 0, NULL, &found));
	file = fopen(found.gl_pathv[0], "r");
	MUST(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "flush_waits %ld", &value) == 1)
			break;
	fclose(file);
	globfree(&found);
	return value;
}

/* A flush waits for a vCPU only while that is in the guest. */
static int c_starved(void)
{
	uint64_t before, flushed;
	long waits, waited;
	struct guest guest;
	int status;
	pid_t pid;

	pin(0, 0);
	set_up(&guest, open_device(), NULL);
	memcpy(guest.memory + FLUSHER, flusher, sizeof(flusher));
	set_rip(guest.vcpu[0], FLUSHER);
	for (int i = 0; i < VCPUS; i++)
		start_vcpu(&guest, i);
	MUST(moves(&guest));
	pin(guest.tid[1], 1);
	waits = flush_waits();
	usleep(500000);
	waits = flush_waits() - waits;
	write_file("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	pid = hog();
	before = counter(&guest);
	waited = flush_waits();
	/* The machine that emulates this host may have other things to do. */
	for (int i = 0; i < 20; i++) {
		usleep(500000);
		flushed = counter(&guest) - before;
		if (flushed > 100)
			break;
	}
	waited = flush_waits() - waited;
	MUST(!waitpid(pid, &status, WNOHANG));
	kill(pid, SIGKILL);
	write_file("/proc/sys/kernel/sched_rt_runtime_us", "950000");
	printf("waits with a CPU %ld; %llu flushes without one, %ld waits\n",
	       waits, (unsigned long long)flushed, waited);
	fflush(stdout);
	/* From 6.8 on the scheduler lends it 50 ms of each second all the same. */
	MUST(flushed > 100 && waited < (long)flushed / 4);
	MUST(ended(pid) == SIGKILL);
	return 0;
}

/* ---- Random moments ---- */

#define ACTS 14

/* What those had come to who were killed; after an exec nobody counts. */
struct reached {
	volatile int guests;
	int acts[ACTS];
};

static struct reached *reached;

static void any_act(struct guest *guest, int device)
{
	unsigned char *somewhere = guest->memory + rand() % 512 * 4096UL;
	unsigned int act = rand() % ACTS;
	char seed[12];

	if (reached)
		reached->acts[act]++;
	switch (act) {
	case 0:
		if (!fork()) {
			usleep(rand() % 3000);
			if (rand() % 2)
				execl("/proc/self/exe", "processes", "sleep",
				      NULL);
			_exit(0);
		}
		break;
	case 1:
		madvise(somewhere, 4096, MADV_DONTNEED);
		break;
	case 2:
		munmap(somewhere, 4096);
		break;
	case 3:
		mprotect(somewhere, 65536,
			 rand() % 2 ? PROT_READ : PROT_READ | PROT_WRITE);
		break;
	case 4:
		ioctl(guest->vm, RINGLET_IRQ_RAISE, 1 + rand() % 47);
		break;
	case 5:
		close(guest->vcpu[rand() % VCPUS]);
		break;
	case 6:
		close(guest->vm);
		break;
	case 7:
		munmap(guest->run[rand() % VCPUS], 4096);
		break;
	case 8:
		if (!vfork())
			_exit(0);
		break;
	case 9:
		ioctl(guest->vm, RINGLET_CREATE_VCPU, 2 + rand() % 3);
		break;
	case 10:
		fcntl(guest->vm, F_SETFD, 0);
		snprintf(seed, sizeof(seed), "%d", rand());
		execl("/proc/self/exe", "processes", "act", seed, NULL);
		break;
	case 11:
		syscall(SYS_tgkill, getpid(), guest->tid[rand() % VCPUS],
			SIGCONT);
		break;
	case 12:
		start(guest, device, NULL);
		break;
	default:
		usleep(rand() % 1000);
	}
}

/* Its own memory is among what it takes away; the host would print a line. */
static void leave(int sig)
{
	_exit(sig);
}

/* Whatever comes to its mind, until it is killed. */
static int c_act(unsigned int seed)
{
	struct guest guest;
	int device = open_device();

	signal(SIGSEGV, leave);
	signal(SIGBUS, leave);
	srand(seed);
	if (device < 0)
		return 1;
	start(&guest, device, NULL);
	if (reached)
		reached->guests++;
	for (;;)
		any_act(&guest, device);
}

/* By turns in its first moments, which are the making of a guest, and after them. */
static void live_and_die(unsigned int seed, int late)
{
	int before = reached->guests;
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid) {
		/* A group, for it has children. */
		setpgid(0, 0);
		/* It may well fail at something: that is no news. */
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		_exit(c_act(seed));
	}
	setpgid(pid, pid);
	for (int i = 0; late && reached->guests == before && i < 10000; i++)
		usleep(1000);
	usleep(rand() % 20000);
	kill(-pid, SIGKILL);
	ended(pid);
}

static int c_random(int rounds, unsigned int seed)
{
	int kinds = 0, acts = 0;

	reached = mmap(NULL, sizeof(*reached), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(reached != MAP_FAILED);
	srand(seed);
	for (int i = 0; i < rounds; i++) {
		unsigned int its = rand();

		live_and_die(its, i & 1);
	}
	for (int i = 0; i < ACTS; i++) {
		kinds += reached->acts[i] > 0;
		acts += reached->acts[i];
	}
	printf("# %d of %d had a guest that ran; %d acts of %d kinds\n",
	       reached->guests, rounds, acts, kinds);
	MUST(reached->guests >= rounds / 2 && acts >= rounds / 4);
	/* Of 400 acts each kind is one, but for one time in 10^11. */
	MUST(kinds == ACTS || acts < 400);
	return 0;
}

/* ---- For rmmod ---- */

static int c_hold(const char *what)
{
	int device = open_device(), sockets[2];
	struct guest guest;

	MUST(device >= 0);
	if (!strcmp(what, "running"))
		start(&guest, device, NULL);
	else if (strcmp(what, "device"))
		set_up(&guest, device, NULL);
	if (strcmp(what, "device"))
		close(device);
	if (!strcmp(what, "socket")) {
		MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
		send_fds(sockets[0], &guest.vm, 1);
	}
	if (!strcmp(what, "vcpu") || !strcmp(what, "mapping") ||
	    !strcmp(what, "socket"))
		close(guest.vm);
	for (int i = 0;
	     i < VCPUS && strcmp(what, "running") && strcmp(what, "device");
	     i++) {
		if (strcmp(what, "vcpu"))
			close(guest.vcpu[i]);
		if (strcmp(what, "mapping"))
			munmap(guest.run[i], 4096);
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}

/*
 * Guests, as often as there is a module. Prints how many. On a slow machine
 * most of the time goes to who loads and unloads: so it lasts until some ran.
 */
static int c_churn(int seconds)
{
	time_t end = time(NULL) + seconds;
	long guests = 0, without = 0;
	struct guest guest;
	int device;
	pid_t pid;

	while (time(NULL) < end || guests < 5) {
		device = open_device();
		if (device < 0) {
			without++;
			usleep(100);
			continue;
		}
		pid = fork();
		MUST(pid >= 0);
		if (!pid) {
			start(&guest, device, NULL);
			_exit(0);
		}
		close(device);
		MUST(!ended(pid));
		guests++;
	}
	printf("%ld %ld\n", guests, without);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 20;
	static const struct {
		const char *name;
		int (*run)(void);
	} cases[] = {
		{ "fork", c_fork },	    { "outlived", c_outlived },
		{ "exec", c_exec },	    { "passed", c_passed },
		{ "borrowed", c_borrowed }, { "stopped", c_stopped },
		{ "dumped", c_dumped },	    { "starved", c_starved },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (!strcmp(what, cases[i].name))
			return cases[i].run();
	if (!strcmp(what, "held"))
		return c_held(argc, argv);
	if (!strcmp(what, "traced"))
		return c_traced(n);
	if (!strcmp(what, "watched"))
		return c_watched(n);
	if (!strcmp(what, "random"))
		return c_random(n, argc > 3 ? atoi(argv[3]) : 1);
	if (!strcmp(what, "act"))
		return c_act(n);
	if (!strcmp(what, "hold"))
		return c_hold(argc > 2 ? argv[2] : "");
	if (!strcmp(what, "churn"))
		return c_churn(n);
	if (!strcmp(what, "sleep"))
		return usleep(5000);
	fprintf(stderr, "processes: what is '%s'?\n", what);
	return 2;
}
