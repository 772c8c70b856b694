// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction fuzzer with a differential oracle: the same bytes, with the
 * same registers and the same memory, run as an ordinary process of the host and
 * in guest user mode, and must come to the same: vector, error code, CR2, RIP,
 * every register, flags, selectors, bases, FPU and memory. Then they run in
 * guest kernel mode, where only the host's health and the sentence of a death
 * count. Runs in the disposable host.
 *
 *	insns [--seed N] [--seconds N] [--batch N] [--corpus FILE]
 *
 * This process is the guest's launcher and a child of it is the ordinary
 * process: it lives in a signal handler, on a stack of its own, and each return
 * from the handler is the start of the next case. Code, cases and outcomes are
 * in one memory file, the guest's memory; the page that a case may write to is
 * the child's own. System calls of a case are SIGSYS, by seccomp.
 *
 * Two outcomes that differ are looked at one step after the other. The first
 * step that differs is intended to, if it is one of the few instructions that
 * excuses[] has, the guest did what selftests/payload/instructions says of it,
 * and nothing else differs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <asm/bootparam.h>

#include "fuzz.h"
#include "insns.h"
#include "kcov.h"

#define TF 0x100
#define NT 0x4000
#define RF 0x10000ULL
#define ID 0x200000
#define STATUS_FLAGS 0x8d5ULL
/*
 * IOPL, VM, VIF, VIP: no program can set them, nor clear them. After some faults
 * TCG has garbage in RFLAGS, see forget_tcg(), and a process that has got them so
 * is of no use any more.
 */
#define STICKY 0x1a3000
#define STICKY_STATUS 3
#define STUCK_TICKS 3 /* a step that has run for so long is endless */
#define TICK_US 20000
#define ROUNDS 4

static u8 *memory; /* the guest's, and where the batch is */
static struct insn_batch *batch;
static int memory_fd;
static u64 host_xcr0;
static bool failed;

/* ---- The ordinary process ---- */

static struct {
	u64 fsbase;
	u32 at; /* the case that runs */
	u32 steps;
	u64 last;
	unsigned int ticks;
	bool running;
	void *stack; /* that it began on */
	size_t stack_size;
	int go, done; /* pipes */
} native;

#define NATIVE_FILE "/proc/self/maps"

/* Linux's order in a signal frame, by the SDM's. */
static const u8 greg_of[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8,	 REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static u64 vector_of(int sig, const siginfo_t *info, const greg_t *g)
{
	const u8 *rip = (const u8 *)g[REG_RIP];

	if (sig == SIGALRM)
		return OUTCOME_TIMEOUT;
	if (sig != SIGSYS)
		return g[REG_TRAPNO];
	if (info->si_arch == AUDIT_ARCH_X86_64)
		return OUTCOME_SYSCALL;
	/* Only near our own code is there something to read. */
	if ((u64)rip - CODE_VA - 2 < CODE_SIZE && rip[-2] == 0xcd)
		return OUTCOME_INT80;
	return OUTCOME_SYSCALL32;
}

static void note_outcome(int sig, const siginfo_t *info, const ucontext_t *u,
			 u64 seen, u64 fsbase, u64 gsbase)
{
	struct insn_outcome *o = &batch->outcomes[native.at];
	const greg_t *g = u->uc_mcontext.gregs;
	const u8 *fpu = (const u8 *)u->uc_mcontext.fpregs;
	unsigned int i;

	o->vector = vector_of(sig, info, g);
	o->error = o->vector < 32 ? g[REG_ERR] : 0;
	o->cr2 = o->vector == 14 ? g[REG_CR2] : 0;
	for (i = 0; i < 16; i++)
		o->gpr[i] = g[greg_of[i]];
	o->rip = g[REG_RIP];
	o->rflags = g[REG_EFL];
	o->cs = g[REG_CSGSFS] & 0xffff;
	o->ss = (u64)g[REG_CSGSFS] >> 48;
	o->fsbase = fsbase;
	o->gsbase = gsbase;
	o->selectors = seen;
	o->memory = insn_hash((const u64 *)DATA_VA);
	o->last = native.last;
	o->steps = native.steps;
	for (i = 0; i < FPU_SIZE; i++)
		o->fpu[i] = fpu[i];
}

/* Wait for the parent's word when a batch is done. */
static void next_batch(void)
{
	char c = 0;

	if (write(native.done, &c, 1) != 1)
		_exit(0);
	if (read(native.go, &c, 1) != 1)
		_exit(0);
	native.at = batch->done;
}

static void start_case(ucontext_t *u)
{
	const struct insn_case *x = &batch->cases[native.at];
	greg_t *g = u->uc_mcontext.gregs;
	u8 *fpu = (u8 *)u->uc_mcontext.fpregs;
	unsigned int i;

	insn_fill((u64 *)DATA_VA, x->data);
	for (i = 0; i < 16; i++)
		g[greg_of[i]] = x->gpr[i];
	g[REG_RIP] = CODE_VA + x->offset;
	g[REG_EFL] = x->rflags;
	g[REG_CSGSFS] = (u64)RINGLET_USER_SS << 48 | RINGLET_USER_CS;
	for (i = 0; i < FPU_SIZE; i++)
		/* The kernel keeps its own notes in there. */
		if (i < 464 || i >= 520)
			fpu[i] = batch->fpu[i];
	/* All else, PKRU too, as after reset: what is not in the header is. */
	*(u64 *)(fpu + 512) = *(u64 *)(batch->fpu + 512);
	native.steps = 1;
	native.ticks = 0;
	native.last = g[REG_RIP];
}

/* True if the case goes on. */
static bool one_more(int sig, ucontext_t *u)
{
	const struct insn_case *x = &batch->cases[native.at];
	greg_t *g = u->uc_mcontext.gregs;

	if (sig == SIGALRM)
		return ++native.ticks < STUCK_TICKS;
	if (sig == SIGSYS || g[REG_TRAPNO] != 1)
		return false;
	if (x->insist)
		g[REG_EFL] |= TF;
	if (!(g[REG_EFL] & TF) || native.steps >= x->steps)
		return false;
	native.steps++;
	native.ticks = 0;
	native.last = g[REG_RIP];
	return true;
}

/*
 * NT and ID are not in what a signal's return loads from its frame: they stay
 * as the handler leaves them. To be called last.
 */
static void leave_flags(const ucontext_t *u)
{
	u64 flags = 0x202 | (u->uc_mcontext.gregs[REG_EFL] & (NT | ID));

	asm volatile("push %0; popfq" : : "r"(flags) : "memory", "cc");
}

/* The code's own: nothing before the FS base is back may use libc. */
__attribute__((optimize("no-stack-protector"))) static void
on_event(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	u64 fsbase, gsbase, seen = selectors();
	const struct insn_case *x;

	/* AC would hit the handler itself. */
	asm volatile("pushq $0x202; popfq" : : : "memory", "cc");
	asm volatile("rdfsbase %0" : "=r"(fsbase));
	asm volatile("rdgsbase %0" : "=r"(gsbase));
	if (native.running && one_more(sig, u)) {
		leave_flags(u);
		return;
	}
	if (native.running)
		note_outcome(sig, info, u, seen, fsbase, gsbase);
	asm volatile("mov %0, %%ds" : : "r"(0));
	asm volatile("mov %0, %%es" : : "r"(0));
	if (seen >> 32) {
		asm volatile("mov %0, %%fs" : : "r"(0));
		asm volatile("mov %0, %%gs" : : "r"(0));
	}
	asm volatile("wrfsbase %0" : : "r"(native.fsbase) : "memory");
	if (native.running)
		batch->done = ++native.at;
	else
		munmap(native.stack, native.stack_size);
	if (u->uc_mcontext.gregs[REG_EFL] & STICKY)
		_exit(STICKY_STATUS);
	native.running = true;
	while (batch->done >= batch->n)
		next_batch();
	start_case(u);
	/* TCG's XSAVE and XRSTOR leave x87's last addresses alone. */
	asm volatile("fninit");
	x = &batch->cases[native.at];
	asm volatile("wrgsbase %0" : : "r"(x->gsbase));
	asm volatile("wrfsbase %0" : : "r"(x->fsbase) : "memory");
	leave_flags(u);
}

/* System calls are for this program's text; a case's are SIGSYS. */
static void forbid_syscalls(void)
{
	u32 high = (u64)forbid_syscalls >> 32;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, instruction_pointer) +
				 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	};
	struct sock_fprog prog = { ARRAY_SIZE(filter), filter };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog)) {
		perror("seccomp");
		_exit(2);
	}
}

/*
 * A case that jumps to the vDSO would find code there, and one that writes below
 * the end of all addresses the stack, if it is where it is without ASLR. The
 * stack is still needed: it goes with the first signal, on_event().
 */
static void drop_mappings(void)
{
	FILE *maps = fopen(NATIVE_FILE, "r");
	unsigned long start, end;
	char line[256];
	struct {
		unsigned long start, end;
	} found[8];
	unsigned int n = 0;

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		if (strstr(line, "[stack]")) {
			native.stack = (void *)start;
			native.stack_size = end - start;
		}
		if ((strstr(line, "[vdso]") || strstr(line, "[vvar")) &&
		    n < ARRAY_SIZE(found)) {
			found[n].start = start;
			found[n++].end = end;
		}
	}
	if (maps)
		fclose(maps);
	while (n--)
		munmap((void *)found[n].start, found[n].end - found[n].start);
}

static void *map_at(u64 address, size_t size, int prot, int fd, off_t offset)
{
	void *m = mmap((void *)address, size, prot,
		       MAP_FIXED_NOREPLACE | MAP_POPULATE |
			       (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS :
					 MAP_SHARED),
		       fd, offset);

	if (m != (void *)address) {
		perror("mmap");
		_exit(2);
	}
	return m;
}

static void native_main(void)
{
	static const int signals[] = { SIGSEGV, SIGILL, SIGTRAP, SIGFPE,
				       SIGBUS,	SIGSYS, SIGALRM };
	struct sigaction action = { .sa_sigaction = on_event,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct itimerval tick = { { 0, TICK_US }, { 0, TICK_US } };
	stack_t stack = { .ss_size = 0x20000 };
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	map_at(CODE_VA, CODE_SIZE, PROT_READ | PROT_EXEC, memory_fd, CODE_GPA);
	map_at(DATA_VA, 0x2000, PROT_READ | PROT_WRITE, -1, 0);
	insn_fill((u64 *)(DATA_VA + 0x1000), 1);
	mprotect((void *)(DATA_VA + 0x1000), 0x1000, PROT_READ);
	stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	sigaltstack(&stack, NULL);
	sigfillset(&action.sa_mask);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
	drop_mappings();
	asm volatile("rdfsbase %0" : "=r"(native.fsbase));
	asm volatile("mov %0, %%ds; mov %0, %%es" : : "r"(0));
	forbid_syscalls();
	setitimer(ITIMER_REAL, &tick, NULL);
	asm volatile("int3");
	_exit(2);
}

static pid_t native_pid;
static int to_native, from_native;

static void start_native(void)
{
	int go[2], done[2];
	char c;

	if (pipe(go) || pipe(done)) {
		perror("pipe");
		exit(2);
	}
	batch->n = batch->done = 0;
	native_pid = fork();
	if (!native_pid) {
		native.go = go[0];
		native.done = done[1];
		close(go[1]);
		close(done[0]);
		native_main();
	}
	close(go[0]);
	close(done[1]);
	to_native = go[1];
	from_native = done[0];
	if (read(from_native, &c, 1) != 1) {
		printf("# the ordinary process did not start\n");
		exit(2);
	}
}

/* The batch from its start; what ends the process ends the case, too. */
static void run_native(void)
{
	u64 n = batch->n, done;
	int status;
	char c = 0;

	batch->done = 0;
	while (batch->done < n) {
		if (write(to_native, &c, 1) == 1 &&
		    read(from_native, &c, 1) == 1)
			continue;
		waitpid(native_pid, &status, 0);
		count("native process ended with status %#x", status);
		done = batch->done;
		/* As good an outcome as any: it cannot be the guest's. */
		if (!WIFEXITED(status) || WEXITSTATUS(status) != STICKY_STATUS)
			batch->outcomes[done++].vector = ~0ULL;
		close(to_native);
		close(from_native);
		start_native();
		batch->n = n;
		batch->done = done;
	}
}

/* ---- The guest ---- */

extern const u8 guest_image[], guest_image_end[];
extern const u64 guest_entry, guest_end;

static int device = -1, vm = -1, vcpu = -1;
static struct ringlet_run *run_page;
static struct kcov *kcov;

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	perror(what);
	exit(2);
}

static u64 *table(unsigned int page)
{
	return (u64 *)(memory + TABLES_GPA + page * 0x1000);
}

/* What the launcher would do: see "Start" in abi.md. */
static void load_guest(void)
{
	struct boot_params *params = (void *)(memory + ZERO_PAGE_GPA);
	unsigned int i;
	u64 *word;

	/* By words: TCG's REP STOSB is slow, and this is done often. */
	for (word = (u64 *)(memory + IMAGE_GPA);
	     word < (u64 *)(memory + guest_end - RINGLET_BOOT_MAP_BASE); word++)
		*(volatile u64 *)word = 0;
	memcpy(memory + IMAGE_GPA, guest_image, guest_image_end - guest_image);
	memset(params, 0, sizeof(*params));
	params->e820_entries = 1;
	params->e820_table[0].size = GUEST_MEMORY;
	params->e820_table[0].type = 1;
	params->hdr.cmd_line_ptr = COMMAND_GPA;
	strcpy((char *)memory + COMMAND_GPA, "payload=cases");
	table(0)[511] = (TABLES_GPA + 0x1000) | 3;
	table(1)[510] = (TABLES_GPA + 0x2000) | 3;
	for (i = 0; i < 512; i++)
		table(2)[i] = (u64)i << 21 | 0x83;
}

static void stop_guest(void)
{
	if (run_page)
		munmap(run_page, 0x1000);
	if (vcpu >= 0)
		close(vcpu);
	if (vm >= 0)
		close(vm);
}

/* One exit; false if the guest is over. */
static bool run_once(bool *done)
{
	int error = ioctl(vcpu, RINGLET_RUN, 0) ? errno : 0;
	char text[513] = "";

	kcov_take(kcov);
	if (error) {
		if (error == EINTR)
			return true;
		fprintf(stderr, "RUN: %s\n", strerror(error));
		failed = true;
		return false;
	}
	switch (run_page->exit_reason) {
	case RINGLET_EXIT_CONSOLE:
		if (run_page->console.gpa == BATCH_GPA) {
			*done = true;
			return true;
		}
		if (run_page->console.len < sizeof(text) && !batch->kernel) {
			memcpy(text, memory + run_page->console.gpa,
			       run_page->console.len);
			printf("# the guest says: %s", text);
			failed = true;
		}
		return true;
	case RINGLET_EXIT_MMIO:
		return true;
	case RINGLET_EXIT_SHUTDOWN:
		count("death shutdown %u", run_page->shutdown.reason);
		return false;
	}
	run_page->message[sizeof(run_page->message) - 1] = '\0';
	count_death(run_page->message);
	if (!batch->kernel || strstr(run_page->message, "bug of Ringlet")) {
		printf("# killed: %s\n", run_page->message);
		failed = true;
	}
	return false;
}

static void start_guest(void)
{
	struct ringlet_memory slot = { 0, GUEST_MEMORY, (uintptr_t)memory, 0 };
	struct ringlet_regs regs = { .rip = guest_entry,
				     .rflags = 2,
				     .cr3 = TABLES_GPA };
	bool done = false;

	stop_guest();
	load_guest();
	batch->done = batch->n = 0;
	do /* the tick may hit the host's list of all mappings being locked */
		vm = ioctl(device, RINGLET_CREATE_VM, 0);
	while (vm < 0 && errno == EINTR);
	check(vm, "CREATE_VM");
	check(ioctl(vm, RINGLET_SET_MEMORY, &slot), "SET_MEMORY");
	vcpu = ioctl(vm, RINGLET_CREATE_VCPU, 0);
	check(vcpu, "CREATE_VCPU");
	run_page =
		mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	regs.gpr[6] = ZERO_PAGE_GPA;
	check(ioctl(vcpu, RINGLET_SET_REGS, &regs), "SET_REGS");
	while (!done)
		if (!run_once(&done)) {
			printf("# the guest did not start\n");
			exit(2);
		}
}

/* What changes with each step of the guest's; in kernel mode it could write that itself. */
static u64 progress(u64 kernel)
{
	u64 at = batch->done < CASES ? batch->done : 0;
	const volatile struct insn_outcome *o = &batch->outcomes[at];

	return batch->done << 32 | (kernel ? 0 : o->steps);
}

/* The batch from its start. What the guest dies of is its own in kernel mode. */
static void run_guest(void)
{
	u64 n = batch->n, before, kernel = batch->kernel;
	unsigned int stuck = 0;
	bool done = false, alive;

	batch->done = 0;
	while (!done) {
		before = progress(kernel);
		alive = run_once(&done);
		if (done)
			break;
		stuck = progress(kernel) == before ? stuck + 1 : 0;
		if (alive && stuck < STUCK_TICKS)
			continue;
		if (alive && !kernel) {
			/* For ever in user mode: its interrupt is the outcome. */
			ioctl(vm, RINGLET_IRQ_RAISE, 1);
			if (stuck < 100)
				continue;
			printf("# case %llu of the batch does not end\n",
			       batch->done);
			failed = true;
		}
		if (alive)
			count("kernel case without an end");
		before = batch->done;
		if (before >= n)
			before = n - 1;
		batch->outcomes[before].vector = ~0ULL;
		start_guest();
		batch->kernel = kernel;
		batch->n = n;
		batch->done = before + 1;
		stuck = 0;
	}
	batch->done = 0;
}

/* ---- Cases ---- */

/* clang-format off */
#define INSTRUCTION(name, bytes, kernel, user, decides, tcg) \
	{ name, bytes, user " " tcg },
/* clang-format on */
static const struct instruction {
	const char *name;
	const char *bytes;
	const char *outcomes; /* in user mode */
} instructions[] = {
#include "instructions.h"
};

/* The bytes, at most 15, of pairs of hexadecimal digits. */
static unsigned int hex_bytes(const char *text, u8 *bytes)
{
	unsigned int n, value;

	for (n = 0; n < 15 && text[0] > ' ' && text[1] > ' '; n++, text += 2) {
		if (sscanf(text, "%2x", &value) != 1)
			break;
		bytes[n] = value;
	}
	return n;
}

static bool is_prefix(u8 byte)
{
	static const u8 prefixes[] = { 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e,
				       0x36, 0x3e, 0x26, 0x64, 0x65 };

	return memchr(prefixes, byte, sizeof(prefixes));
}

static bool is_rex(u8 byte)
{
	return (byte & 0xf0) == 0x40;
}

/* A memory operand by one of the registers, or any ModRM at all. */
static unsigned int some_modrm(u64 *rng, u8 *bytes)
{
	unsigned int n = 0, i;

	bytes[n++] = random64(rng);
	if (one_in(rng, 3))
		bytes[0] &= 0x3f; /* (reg) */
	if ((bytes[0] & 0xc7) == 5 && one_in(rng, 2)) {
		/* RIP-relative: to the data, or near it */
		u32 disp = DATA_VA - CODE_VA + below(rng, 0x3000) - 0x800;

		memcpy(bytes + n, &disp, 4);
		return n + 4;
	}
	for (i = 0; i < 10; i++)
		bytes[n++] = one_in(rng, 3) ? 0 : random64(rng);
	return n;
}

/* An instruction by its form: prefixes, opcode of some map, operands. */
static unsigned int by_form(u64 *rng, u8 *b)
{
	static const u8 prefixes[] = { 0x66, 0x67, 0xf2, 0xf3, 0xf0,
				       0x64, 0x65, 0x36, 0x2e };
	unsigned int n = 0;

	while (one_in(rng, 4) && n < 4)
		b[n++] = PICK(rng, prefixes);
	switch (below(rng, 16)) {
	case 0: /* VEX */
		b[n++] = 0xc4;
		b[n++] = (random64(rng) & 0xe0) | (1 + below(rng, 3));
		b[n++] = random64(rng);
		b[n++] = random64(rng);
		break;
	case 1:
		b[n++] = 0xc5;
		b[n++] = random64(rng);
		b[n++] = random64(rng);
		break;
	case 2:
		b[n++] = 0x0f;
		b[n++] = one_in(rng, 2) ? 0x38 : 0x3a;
		b[n++] = random64(rng);
		break;
	case 3: /* where the system instructions are */
		b[n++] = 0x0f;
		b[n++] = below(rng, 3) ? below(rng, 10) :
					 0xa0 + below(rng, 0x30);
		break;
	case 4:
	case 5:
	case 6:
	case 7:
	case 8:
		if (one_in(rng, 3))
			b[n++] = 0x40 + below(rng, 16);
		b[n++] = 0x0f;
		b[n++] = random64(rng);
		break;
	case 9: /* EVEX: not on this CPU, or on this */
		b[n++] = 0x62;
		b[n++] = random64(rng);
		b[n++] = random64(rng);
		b[n++] = random64(rng);
		b[n++] = random64(rng);
		break;
	default:
		if (one_in(rng, 2))
			b[n++] = 0x40 + below(rng, 16);
		b[n++] = random64(rng);
	}
	return n + some_modrm(rng, b + n);
}

static char corpus[512][32];
static unsigned int corpus_size;

/* The code of a batch, and where each case begins and how far it steps at most. */
static struct {
	u8 code[CODE_SIZE + 1]; /* asserts() looks one ahead */
	u32 offset[CASES];
	u32 steps[CASES];
} text;

static unsigned int from_table(u64 *rng, u8 *b)
{
	u64 i = below(rng, ARRAY_SIZE(instructions) + corpus_size);

	return hex_bytes(i < ARRAY_SIZE(instructions) ?
				 instructions[i].bytes :
				 corpus[i - ARRAY_SIZE(instructions)],
			 b);
}

static unsigned int some_code(u64 *rng, u8 *b)
{
	unsigned int n, i;

	switch (below(rng, 8)) {
	case 0:
		n = 1 + below(rng, 15);
		for (i = 0; i < n; i++)
			b[i] = random64(rng);
		return n;
	case 1:
		n = from_table(rng, b);
		break;
	default:
		n = by_form(rng, b);
	}
	if (one_in(rng, 8)) /* a bit or a byte of it changed */
		b[below(rng, n)] ^= one_in(rng, 2) ? 1ULL << below(rng, 8) :
						     random64(rng);
	return n;
}

static u64 some_value(u64 *rng)
{
	static const u64 pages[] = {
		DATA_VA,
		DATA_VA,
		DATA_VA + 0x1000,
		DATA_VA + 0x2000,
		CODE_VA,
		CODE_VA + CODE_SIZE,
		0x7ffffffff000,
		0x800000000000,
		0xffff800000000000,
		0xffff878000000000,
		0xff0f000000000000,
		0xffff888000000000,
		0xffffffff81000000,
		0xffffffffffffd000,
		0x8000000000000000,
		0,
	};

	switch (below(rng, 8)) {
	case 0:
		return random64(rng);
	case 1:
		return below(rng, 256);
	case 2:
		return -below(rng, 256);
	case 3:
		return PICK(rng, pages) - below(rng, 64);
	case 4:
		return PICK(rng, pages) + below(rng, 64);
	default:
		return DATA_VA + below(rng, 0x1000);
	}
}

/* RFLAGS that a signal's return can load: CF PF AF ZF SF DF OF RF AC. */
static u64 some_flags(u64 *rng)
{
	u64 flags = 0x202 | (random64(rng) & 0x8d5);

	if (one_in(rng, 4))
		flags |= 0x400;
	if (one_in(rng, 8))
		flags |= 0x40000;
	return flags;
}

/*
 * QEMU 10.0's TCG does not survive some of what is #UD on hardware, and the host
 * goes with it. It ends with an assertion of its own at these: VPINSRW, VPERMILPS
 * and VPERMILPD without the prefix 66 in their VEX, and VROUNDSS and VROUNDSD
 * with VEX.L. It takes VEX for 0F with the opcodes 38 and 3A for another way into
 * those maps, too. Gives the byte of VEX that has L and the prefix.
 */
static u8 *asserts(u8 *b)
{
	bool three = b[0] == 0xc4;
	unsigned int map = three ? b[1] & 31 : 1;
	u8 *vex = b + 1 + three, op = vex[1];

	if ((b[0] & 0xfe) != 0xc4)
		return NULL;
	if (map == 1 && (op == 0x38 || op == 0x3a)) {
		map = op == 0x38 ? 2 : 3;
		op = vex[2];
	}
	if (((map == 1 && op == 0xc4) || (map == 2 && (op & 0xfe) == 0x0c)) &&
	    !(*vex & 3))
		return vex;
	if (map == 3 && (op & 0xfe) == 0x0a && (*vex & 7) == 5)
		return vex;
	return NULL;
}

/*
 * And it has MOV to and from segment registers that there are not: numbers 6 and
 * 7 are LDTR and TR; those above, by REX.R, which means nothing there, are GDTR,
 * IDTR, CR0 and so on. A REX that is not the last prefix should mean nothing,
 * either. It has MOV to CS, too.
 */
static bool spare_segments(u8 *code, unsigned int i)
{
	u8 *b = code + i, reg = b[1] >> 3 & 7;
	bool changed = false;
	unsigned int p;

	if (b[0] != 0x8c && b[0] != 0x8e)
		return false;
	for (p = i; p && (is_prefix(code[p - 1]) || is_rex(code[p - 1])); p--) {
		if ((code[p - 1] & 0xf4) != 0x44)
			continue;
		code[p - 1] &= ~4;
		changed = true;
	}
	if (reg >= 6 || (reg == 1 && b[0] == 0x8e)) {
		b[1] = (b[1] & ~0x38) | 3 << 3; /* DS */
		changed = true;
	}
	return changed;
}

/*
 * And at x87's operands of 10 bytes and more it reads and writes behind the page,
 * in the host's physical memory, if less of the operand than one of its words is
 * before the page's end. FLDENV, FNSTENV, FRSTOR, FNSAVE, FBLD, FBSTP, and FLD and
 * FSTP of 80 bits: they become those with /0 to /3, of at most 8 bytes.
 */
static bool spare_x87(u8 *b)
{
	u8 reg = b[1] >> 3 & 7;

	if (b[1] >= 0xc0)
		return false;
	if (b[0] == 0xdb ? reg != 5 && reg != 7 :
			   (b[0] != 0xd9 && b[0] != 0xdd && b[0] != 0xdf) ||
				   (reg != 4 && reg != 6))
		return false;
	b[1] &= ~0x20;
	return true;
}

static bool in_tcg; /* QEMU's software CPU, which has flaws of its own */

static bool look_for_tcg(void)
{
	unsigned int a = 0x40000000, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b == 0x54474354 && c == 0x43544743 && d == 0x47435447;
}

/*
 * From whichever byte it is run: steps and jumps go where they like. What is
 * changed may be another instruction's, so until there is nothing left.
 */
static void spare_tcg(void)
{
	bool changed;
	unsigned int i;
	u8 *vex;

	do {
		changed = false;
		for (i = 0; i < CODE_SIZE - 1; i++)
			changed |= spare_segments(text.code, i) |
				   spare_x87(text.code + i);
		for (i = 0; i < CODE_SIZE - 3; i++) {
			vex = asserts(text.code + i);
			if (!vex)
				continue;
			*vex = (*vex & ~7) | 1; /* 66, and no L */
			changed = true;
		}
	} while (changed);
}

/* The end of the last slot is the end of the code: what follows is not there. */
static void make_code(u64 *rng, unsigned int i)
{
	bool sequence = one_in(rng, 3);
	unsigned int n = 0, limit = CODE_SLOT - 24;
	u8 *slot = text.code + i * CODE_SLOT;

	memset(slot, 0xcc, CODE_SLOT);
	if (i == CASES - 1) {
		n = CODE_SLOT - 1 - below(rng, 15);
		limit = CODE_SLOT;
	}
	text.offset[i] = i * CODE_SLOT + n;
	text.steps[i] = sequence ? 1 + below(rng, STEPS_MAX) : 1;
	do {
		u8 bytes[32];
		unsigned int len = some_code(rng, bytes), room = CODE_SLOT - n;

		memcpy(slot + n, bytes, len < room ? len : room);
		n += len;
	} while (n < limit && text.steps[i] > 1);
}

/* The first ones are the corpus, and the tables' rows, as they are. */
static void put_corpus(u64 number)
{
	unsigned int all = ARRAY_SIZE(instructions) + corpus_size, i;

	for (i = 0; i < CASES - 1 && number * CASES + i < all; i++) {
		unsigned int at = number * CASES + i;
		u8 *slot = text.code + i * CODE_SLOT;

		memset(slot, 0xcc, CODE_SLOT);
		hex_bytes(at < ARRAY_SIZE(instructions) ?
				  instructions[at].bytes :
				  corpus[at - ARRAY_SIZE(instructions)],
			  slot);
	}
}

static void make_text(u64 seed, u64 number)
{
	u64 rng = mix(mix(seed) + number);
	unsigned int i;

	for (i = 0; i < CASES; i++)
		make_code(&rng, i);
	put_corpus(number);
	if (in_tcg)
		spare_tcg();
}

static void make_case(u64 *rng, unsigned int i)
{
	struct insn_case *x = &batch->cases[i];
	unsigned int r;

	x->offset = text.offset[i];
	x->steps = text.steps[i];
	x->rflags = some_flags(rng);
	if (one_in(rng, 8))
		x->steps = 1; /* as far as it goes */
	else
		x->rflags |= TF;
	for (r = 0; r < 16; r++)
		x->gpr[r] = some_value(rng);
	if (!one_in(rng, 4))
		x->gpr[4] = DATA_VA + 0x800 + (below(rng, 64) << 3);
	if (one_in(rng, 2))
		x->gpr[1] = below(rng, 16);
	x->fsbase = DATA_VA + below(rng, 0x1000);
	x->gsbase = DATA_VA + below(rng, 0x1000);
	x->data = below(rng, 16);
	x->insist = 0;
}

/* One FPU for all of a batch: as after FNINIT, or as it happens to be. */
static void make_fpu(u64 *rng)
{
	static const u16 controls[] = { 0x37f, 0x37f, 0x300, 0x27f };
	static const u32 mxcsr[] = { 0x1f80, 0x1f80, 0, 0x9fc0 };
	u8 *f = batch->fpu;
	unsigned int i;

	for (i = 0; i < FPU_SIZE; i++)
		f[i] = i < 32 || (i >= 416 && i < 576) ? 0 : random64(rng);
	*(u16 *)f = PICK(rng, controls);
	f[4] = random64(rng); /* which x87 registers are in use */
	*(u32 *)(f + 24) = PICK(rng, mxcsr);
	*(u32 *)(f + 28) = 0xffff;
	*(u64 *)(f + 512) = FPU_MASK & batch->xcr0;
}

/* ---- The oracle ---- */

static struct insn_outcome natively[CASES];

static bool beyond_48(u64 address)
{
	return (u64)((long long)(address << 16) >> 16) != address;
}

/* TCG's own flaws with RFLAGS, which depend on what was before, or is beside. */
static void forget_tcg(struct insn_outcome *o)
{
	/*
	 * It jumps to addresses that are not canonical and faults there, with RF.
	 * A CPU faults at the jump. Ringlet does not let a guest return to there,
	 * and that #GP has no RF, as IRETQ's has none.
	 */
	if (o->vector == 13 && beyond_48(o->rip))
		o->rflags &= ~RF;
	/*
	 * It has RF in the frame of INT if a page fault on that instruction, which
	 * may have been the host's or the shadow's own affair, left it set. A CPU
	 * clears it before (SDM vol. 3B, 18.3.1.1).
	 */
	if (o->vector == 3 || o->vector == 4 || o->vector == OUTCOME_INT80)
		o->rflags &= ~RF;
	/*
	 * Not a step at a time, it may have thrown away what the flags are to be
	 * made of when an instruction faults: garbage, after OR and SETP to memory
	 * that is not there.
	 */
	else if (o->vector != 1 && o->vector < 32 &&
		 (!(o->rflags & TF) || (o->rflags & STICKY)))
		o->rflags = 0;
}

/* What of an outcome the other half could not know. */
static void forget(struct insn_outcome *o)
{
	memset(o->fpu + 464, 0, 48);
	memset(o->fpu + 520, 0, 56);
	*(u64 *)(o->fpu + 512) &= FPU_MASK;
	/* MXCSR_MASK is the CPU's, and x87's pointers have no selectors. */
	*(u32 *)(o->fpu + 28) = 0;
	if (o->vector >= 0x100) {
		/* Where the system call came from is in RCX and R11 natively. */
		o->gpr[1] = o->gpr[11] = 0;
		o->cs = o->ss = 0;
	}
	/* Linux says P of all addresses that are not user's, mapped or not. */
	if (o->vector == 14 && o->cr2 >= 0x7ffffffff000)
		o->error &= ~1ULL;
	if (in_tcg)
		forget_tcg(o);
	if (o->vector == OUTCOME_INT80 || o->vector == OUTCOME_SYSCALL32)
		o->gpr[0] = 0;
	if (o->vector == OUTCOME_TIMEOUT)
		memset(o, 0, sizeof(*o));
	o->more[0] = o->more[1] = o->unused = 0;
}

static bool alike(const struct insn_outcome *x, const struct insn_outcome *y)
{
	static struct insn_outcome a, b;

	a = *x;
	b = *y;
	forget(&a);
	forget(&b);
	return !memcmp(&a, &b, sizeof(a));
}

/* The opcode of an instruction, behind prefixes: as far as a table row goes. */
static const u8 *opcode(const u8 *b, unsigned int *prefixes)
{
	unsigned int i;

	*prefixes = 0;
	for (i = 0; i < 14 && (is_prefix(*b) || is_rex(*b)); i++, b++)
		if (*b == 0x66 || *b == 0xf2 || *b == 0xf3)
			*prefixes |= *b == 0x66 ? 1 : *b == 0xf2 ? 2 : 4;
	return b;
}

/*
 * What of selftests/payload/instructions, which is the table in abi.md, may come
 * to something else in a guest than in a process: the row, and what the guest
 * must have done by it. RUNS: the same, but for the results that allow() forgets.
 */
/* clang-format off */
enum excuse { NONE, SGDT, SIDT, SLDT, STR, SMSW, RDPKRU, WRPKRU, RDTSC, RDTSCP,
	      RDRAND, RDSEED, CPUID, XGETBV, XSAVE, XRSTOR, XSAVEC };

static const struct {
	const char *row;
	const char *outcome;
} excuses[] = {
	/* The host's kernel carries these out for its processes, if UMIP is on. */
	[SGDT]	 = { "SGDT", "#GP" },
	[SIDT]	 = { "SIDT", "#GP" },
	[SLDT]	 = { "SLDT", "#GP" },
	[STR]	 = { "STR", "#GP" },
	[SMSW]	 = { "SMSW", "#GP" },
	/* The guest has no protection keys. */
	[RDPKRU] = { "RDPKRU", "#UD" },
	[WRPKRU] = { "WRPKRU", "#UD" },
	/* Time, and chance. */
	[RDTSC]	 = { "RDTSC", "runs" },
	[RDTSCP] = { "RDTSCP", "runs" },
	[RDRAND] = { "RDRAND", "runs" },
	[RDSEED] = { "RDSEED", "runs" },
	/* They see that XCR0 and CR4 have no protection keys. */
	[CPUID]	 = { "CPUID", "runs" },
	[XGETBV] = { "XGETBV", "runs" },
	[XSAVE]	 = { "XSAVE", "runs" },
	[XRSTOR] = { "XRSTOR", "runs" },
	[XSAVEC] = { "XSAVEC", "runs" },
};
/* clang-format on */

/* @o is behind the 0f. */
static enum excuse system_row(const u8 *o)
{
	unsigned int reg = o[1] >> 3 & 7;

	if (reg == 4)
		return SMSW;
	if (o[1] < 0xc0)
		return reg == 0 ? SGDT : reg == 1 ? SIDT : NONE;
	switch (o[1]) {
	case 0xd0:
		return XGETBV;
	case 0xee:
		return RDPKRU;
	case 0xef:
		return WRPKRU;
	case 0xf9:
		return RDTSCP;
	}
	return NONE;
}

static enum excuse excuse_of(const u8 *o, unsigned int prefixes)
{
	unsigned int reg = o[2] >> 3 & 7;
	bool memory = o[2] < 0xc0;

	if (o[0] != 0x0f)
		return NONE;
	switch (o[1]) {
	case 0x00:
		return reg == 0 ? SLDT : reg == 1 ? STR : NONE;
	case 0x01:
		return system_row(o + 1);
	case 0x31:
		return RDTSC;
	case 0xa2:
		return CPUID;
	case 0xae: /* XSAVEOPT, 6, is XSAVE's kin */
		if (!memory || prefixes)
			return NONE;
		return reg == 5 ? XRSTOR : reg == 4 || reg == 6 ? XSAVE : NONE;
	case 0xc7:
		if (memory)
			return reg == 4 ? XSAVEC : NONE;
		return reg == 6 ? RDRAND : reg == 7 ? RDSEED : NONE;
	}
	return NONE;
}

/* True of XSAVE and its kin if they were asked for what the guest has not. */
static bool more_than_guest_has(const struct insn_outcome *o)
{
	u64 asked = (u32)o->gpr[0] | o->gpr[2] << 32;

	return asked & host_xcr0 & ~batch->xcr0;
}

/* Forget what an instruction that both carried out may leave different. */
static void allow(enum excuse excuse, const u8 *o, struct insn_outcome *x)
{
	bool rex_b = (o[-1] & 0xf1) == 0x41;

	switch (excuse) {
	case RDTSC:
	case RDTSCP:
		x->gpr[0] = x->gpr[2] = 0;
		break;
	case RDRAND:
	case RDSEED:
		x->gpr[(o[2] & 7) + 8 * rex_b] = 0;
		x->rflags &= ~STATUS_FLAGS;
		break;
	case CPUID: /* XSAVE's size by XCR0, and OSPKE */
		x->gpr[3] = 0;
		x->gpr[1] &= ~0x10ULL;
		break;
	case XGETBV:
		x->gpr[0] &= batch->xcr0;
		break;
	default:
		break;
	}
}

/*
 * The #GP or #UD of the table, where the process went on: without a trap after
 * it, if it was the host's kernel that carried the instruction out.
 */
static bool refused(const struct insn_outcome *process,
		    const struct insn_outcome *guest, u64 vector)
{
	return guest->vector == vector && !guest->error &&
	       guest->rip == guest->last &&
	       (process->vector != vector || process->rip != guest->rip);
}

static bool excused(enum excuse excuse, const u8 *o,
		    const struct insn_outcome *process,
		    const struct insn_outcome *guest)
{
	static struct insn_outcome a, b;

	if (!strcmp(excuses[excuse].outcome, "#GP"))
		return refused(process, guest, 13);
	if (!strcmp(excuses[excuse].outcome, "#UD"))
		return refused(process, guest, 6);
	if (excuse == XSAVE || excuse == XSAVEC)
		return more_than_guest_has(process);
	if (excuse == XRSTOR)
		return more_than_guest_has(process) ||
		       refused(process, guest, 13);
	a = *process;
	b = *guest;
	allow(excuse, o, &a);
	allow(excuse, o, &b);
	return alike(&a, &b);
}

/* Did the guest do what the table says of this instruction? */
static const char *intended(const u8 *code, const struct insn_outcome *process,
			    const struct insn_outcome *guest)
{
	unsigned int prefixes, i;
	const u8 *o = opcode(code, &prefixes);
	enum excuse excuse = excuse_of(o, prefixes);

	if (!excuse || !excused(excuse, o, process, guest))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(instructions); i++)
		if (!strcmp(instructions[i].name, excuses[excuse].row) &&
		    strstr(instructions[i].outcomes, excuses[excuse].outcome))
			return excuses[excuse].row;
	return NULL;
}

/* 57-bit addresses natively, 48 bits in the guest: "State" in abi.md. */
static const char *long_address(const struct insn_outcome *process,
				const struct insn_outcome *guest)
{
	if (process->vector == 14 && beyond_48(process->cr2) &&
	    guest->vector == 13 && !guest->error && guest->rip == process->rip)
		return "#GP for an address of more than 48 bits";
	if (beyond_48(process->gsbase) && !guest->gsbase)
		return "no GS base that is not canonical in 48 bits";
	return NULL;
}

static void print_outcome(const char *who, const struct insn_outcome *o,
			  const struct insn_outcome *other)
{
	unsigned int i;

	printf("# %s: vector %#llx error %#llx CR2 %#llx RIP %#llx RFLAGS %#llx CS %#llx SS %#llx selectors %#llx steps %u",
	       who, o->vector, o->error, o->cr2, o->rip, o->rflags, o->cs,
	       o->ss, o->selectors, o->steps);
	for (i = 0; i < 16; i++)
		if (o->gpr[i] != other->gpr[i])
			printf(" r%u %#llx", i, o->gpr[i]);
	if (o->fsbase != other->fsbase || o->gsbase != other->gsbase)
		printf(" bases %#llx %#llx", o->fsbase, o->gsbase);
	if (o->memory != other->memory)
		printf(" memory %#llx", o->memory);
	for (i = 0; i < FPU_SIZE; i++)
		if (o->fpu[i] != other->fpu[i])
			printf(" fpu[%u] %#x", i, o->fpu[i]);
	printf("\n");
}

/* The instruction that the last step began with, all zeroes if it is not ours. */
static void read_code(const struct insn_outcome *o, u8 *code)
{
	u64 at = o->last - CODE_VA;
	unsigned int i;

	for (i = 0; i < 16; i++)
		code[i] = at + i < CODE_SIZE ? memory[CODE_GPA + at + i] : 0;
}

static bool count_intended(const struct insn_outcome *process,
			   const struct insn_outcome *guest)
{
	u8 code[20] = ""; /* and a byte before it that is no prefix */
	const char *why;

	read_code(guest, code + 1);
	why = intended(code + 1, process, guest);
	if (!why)
		why = long_address(process, guest);
	if (why)
		count("intended %s", why);
	return why;
}

static void report_difference(const struct insn_outcome *process,
			      const struct insn_outcome *guest, u64 seed,
			      u64 number, unsigned int i)
{
	unsigned int b;
	u8 code[16];

	failed = true;
	count("difference");
	printf("# differs at step %u: ", guest->steps);
	read_code(guest, code);
	for (b = 0; b < 16; b++)
		printf("%02x", code[b]);
	printf(" (insns --seed %llu --batch %llu, case %u)\n", seed, number, i);
	print_outcome("process", process, guest);
	print_outcome("guest", guest, process);
}

static void run_both(void)
{
	batch->kernel = 0;
	run_native();
	memcpy(natively, batch->outcomes, batch->n * sizeof(*natively));
	run_guest();
}

/* What can be seen to be intended at a glance is not looked at more closely. */
static bool differs(const struct insn_outcome *process,
		    const struct insn_outcome *guest)
{
	if (alike(process, guest))
		return false;
	return process->steps != guest->steps || process->last != guest->last ||
	       !count_intended(process, guest);
}

/* No instruction with REP has more rounds in the memory that there is. */
#define ROUNDS_MAX 65536

/* The case alone, so many steps of it: past a POPF that clears TF, too. */
static bool alike_after(const struct insn_case *x, unsigned int steps)
{
	batch->cases[0] = *x;
	batch->cases[0].rflags |= TF;
	batch->cases[0].insist = 1;
	batch->cases[0].steps = steps;
	batch->n = 1;
	run_both();
	return alike(&natively[0], &batch->outcomes[0]);
}

/*
 * The case alone, up to the step at which the two begin to differ. False if they
 * do not. An instruction with REP is as many steps as it has rounds, so there may
 * be more than are worth to be taken one by one.
 */
static bool examine(const struct insn_case *x, u64 seed, u64 number,
		    unsigned int i)
{
	struct insn_outcome *guest = &batch->outcomes[0];
	unsigned int same = 0, other, steps;

	for (other = 1; alike_after(x, other); other *= 2) {
		if (guest->steps < other || guest->vector != 1 ||
		    other >= ROUNDS_MAX)
			return false;
		same = other;
	}
	while (other - same > 1) {
		steps = (same + other) / 2;
		if (alike_after(x, steps))
			same = steps;
		else
			other = steps;
	}
	if (alike_after(x, other))
		return false;
	if (!count_intended(&natively[0], guest))
		report_difference(&natively[0], guest, seed, number, i);
	return true;
}

/*
 * Alone they were alike. That was time, which is another for each, unless they
 * differ again: then a case before it left something behind.
 */
static void examine_again(u64 seed, u64 number, const u8 *doubtful)
{
	unsigned int i;

	batch->n = CASES;
	run_both();
	for (i = 0; i < CASES; i++) {
		if (!doubtful[i])
			continue;
		if (alike(&natively[i], &batch->outcomes[i])) {
			count("differed once");
			continue;
		}
		printf("# after others only:\n");
		report_difference(&natively[i], &batch->outcomes[i], seed,
				  number, i);
	}
}

/* A guest kernel can have written anything here: it is counted if it can be. */
static void count_batch(const char *mode)
{
	char name[64];
	u64 steps = 0;
	unsigned int i;

	snprintf(name, sizeof(name), "cases %s", mode);
	count_n(CASES, name);
	for (i = 0; i < CASES; i++) {
		const struct insn_outcome *o = &batch->outcomes[i];

		if (o->vector > OUTCOME_TIMEOUT || o->steps > STEPS_MAX)
			continue;
		steps += o->steps;
		count("vector %s %#llx", mode, o->vector);
	}
	snprintf(name, sizeof(name), "instructions %s", mode);
	count_n(steps, name);
}

/* ROUNDS batches have the same code, which an emulator need translate only once. */
static void make_batch(u64 seed, u64 number)
{
	static u64 made = ~0ULL;
	u64 rng = mix(seed * 0x1000003 + number), nr = (number - 1) / ROUNDS;
	u8 *code = memory + CODE_GPA;
	unsigned int i;

	if (made != nr)
		make_text(seed, nr);
	made = nr;
	/* A guest kernel may have written there. */
	if (memcmp(code, text.code, CODE_SIZE))
		memcpy(code, text.code, CODE_SIZE);
	make_fpu(&rng);
	for (i = 0; i < CASES; i++)
		make_case(&rng, i);
}

static void run_batch(u64 seed, u64 number)
{
	static struct insn_case cases[CASES];
	static u8 differ[CASES];
	bool doubtful = false;
	unsigned int i;

	make_batch(seed, number);
	batch->n = CASES;
	run_both();
	count_batch("user");
	for (i = 0; i < CASES; i++)
		differ[i] = differs(&natively[i], &batch->outcomes[i]);
	memcpy(cases, batch->cases, sizeof(cases));
	/*
	 * Twice, if it must be: once in some ten million instructions the first
	 * look at an SGDT behind a long REP saw nothing, and why is not known.
	 */
	for (i = 0; i < CASES; i++) {
		differ[i] = differ[i] && !examine(&cases[i], seed, number, i) &&
			    !examine(&cases[i], seed, number, i);
		doubtful |= differ[i];
	}
	memcpy(batch->cases, cases, sizeof(cases));
	if (doubtful)
		examine_again(seed, number, differ);
	memcpy(batch->cases, cases, sizeof(cases));
	batch->n = CASES;
	batch->kernel = 1;
	run_guest();
	count_batch("kernel");
	/* What it did to its gates and tables, nobody knows. */
	start_guest();
}

static void read_corpus(const char *file)
{
	FILE *f = fopen(file, "r");
	char line[256];

	if (!f) {
		perror(file);
		exit(2);
	}
	while (fgets(line, sizeof(line), f) && corpus_size < ARRAY_SIZE(corpus))
		if (sscanf(line, "%31[0-9a-f]", corpus[corpus_size]) == 1)
			corpus_size++;
	fclose(f);
}

static void on_tick(int sig)
{
	(void)sig;
}

static void set_up(void)
{
	/* RUN returns, and all other calls go on. */
	struct sigaction action = { .sa_handler = on_tick,
				    .sa_flags = SA_RESTART };
	struct itimerval tick = { { 0, TICK_US }, { 0, TICK_US } };
	cpu_set_t cpus;
	u32 low, high;

	memory_fd = memfd_create("guest", 0);
	if (memory_fd < 0 || ftruncate(memory_fd, GUEST_MEMORY)) {
		perror("memfd");
		exit(2);
	}
	memory = mmap(NULL, GUEST_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED,
		      memory_fd, 0);
	batch = (void *)(memory + BATCH_GPA);
	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	host_xcr0 = low | (u64)high << 32;
	batch->xcr0 = host_xcr0 & 0xe7;
	/*
	 * One after the other, on the CPU that has the vCPU's number: then what
	 * shows numbers of CPUs is the same, too.
	 */
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	check(sched_setaffinity(0, sizeof(cpus), &cpus), "CPU 0");
	in_tcg = look_for_tcg();
	device = open("/dev/ringlet", O_RDWR);
	check(device, "/dev/ringlet");
	start_native();
	kcov = kcov_start();
	start_guest();
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &tick, NULL);
}

int main(int argc, char **argv)
{
	u64 seed = time(NULL), number = 0, only = 0;
	time_t start = time(NULL), end = 0;
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--seed"))
			seed = strtoull(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--seconds"))
			end = time(NULL) + atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--batch"))
			only = strtoull(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--corpus"))
			read_corpus(argv[i + 1]);
	}
	counts_init();
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("# seed %llu\n", seed);
	set_up();
	do {
		number = only ? only : number + 1;
		fprintf(stderr, "insns --seed %llu --batch %llu\n", seed,
			number);
		run_batch(seed, number);
	} while (time(NULL) < end);
	count_n(time(NULL) - start, "seconds");
	counts_print();
	kcov_end(stdout);
	kill(native_pid, SIGKILL);
	if (failed)
		printf("# again: insns --seed %llu --batch N\n", seed);
	return failed;
}
