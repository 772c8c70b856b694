// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctl and hypercall fuzzer: launchers that do what a launcher should not,
 * with guests that call what a guest should not. Runs in the disposable host, as
 * root; the host's log is the judge, and `report' of the errnos.
 *
 *	calls [--seed N] [--seconds N] [--episode N] [--verbose]
 *
 * An episode is a child process with a VM of its own: one to four vCPUs, a
 * thread each, that carry out lists of hypercalls (calls_guest.S), while one or
 * two other threads issue ioctls, take guest memory away and give it back, write
 * into page tables and frames that are being read, fork, kick, and close. It
 * ends in one of the ways in which a process can. The seed and the episode's
 * number make everything in it but the threads' timing: --episode N repeats that
 * one, over and over if --seconds is given.
 *
 * Not all that comes back is by chance: an errno that the documents do not name
 * is found by `report', a death that blames Ringlet itself, too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"
#include "fuzz.h"
#include "kcov.h"

#define VCPUS 4
#define CHAOS_THREADS 2
#define FDS 64
#define NO_RESULT 0xfeedfeedfeedfeed
#define ERRNOS 134
#define UNKNOWN_CALL RINGLET_HC_COUNT
#define TICK_NS 4000000
#define EPISODE_LIMIT 60 /* seconds; none should take three */

/* clang-format off */
#define HC_NAME(nr, name, ...) #name,
static const char *const call_names[] = { RINGLET_HYPERCALLS(HC_NAME) "unknown" };

enum { DEVICE, VM, VCPU };
static const struct request {
	const char *name;
	int on;
	unsigned long nr;
} requests[] = {
	{ "GET_API_VERSION", DEVICE, RINGLET_GET_API_VERSION },
	{ "GET_INFO", DEVICE, RINGLET_GET_INFO },
	{ "CREATE_VM", DEVICE, RINGLET_CREATE_VM },
	{ "SET_MEMORY", VM, RINGLET_SET_MEMORY },
	{ "CREATE_VCPU", VM, RINGLET_CREATE_VCPU },
	{ "IRQ_RAISE", VM, RINGLET_IRQ_RAISE },
	{ "RUN", VCPU, RINGLET_RUN },
	{ "GET_REGS", VCPU, RINGLET_GET_REGS },
	{ "SET_REGS", VCPU, RINGLET_SET_REGS },
};
/* clang-format on */

#define REQUESTS ARRAY_SIZE(requests)
#define REQUEST_UNKNOWN REQUESTS
#define REQUEST_MMAP (REQUESTS + 1)

/* Too many to have names until they are printed. */
struct stats {
	u64 calls[UNKNOWN_CALL + 1];
	u64 results[UNKNOWN_CALL + 1][ERRNOS];
	u64 requests[REQUESTS + 2][ERRNOS];
	u64 events[GATES];
};

struct record {
	u64 nr;
	u64 args[5];
	u64 poke;
	u64 poke_value;
	u64 frame;
	u64 result;
	u64 event;
	u64 unused[5];
};

struct area {
	volatile u64 pos;
	volatile u64 n;
	u64 unused[6];
	struct ringlet_frame frames[FRAMES];
	u64 more[56];
	struct record records[RECORDS];
};

_Static_assert(sizeof(struct record) == 1 << RECORD_SHIFT, "RECORD_SHIFT");
_Static_assert(offsetof(struct record, result) == RECORD_RESULT, "RESULT");
_Static_assert(offsetof(struct record, event) == RECORD_EVENT, "EVENT");
_Static_assert(offsetof(struct area, frames) == AREA_FRAMES, "AREA_FRAMES");
_Static_assert(offsetof(struct area, records) == AREA_RECORDS, "AREA_RECORDS");
_Static_assert(sizeof(struct area) <= 1 << AREA_SHIFT, "AREA_SHIFT");

static struct stats *stats;
static bool verbose;

/* ---- One episode's: a process each ---- */

struct vcpu {
	int id;
	int fd;
	pthread_t thread;
	volatile pid_t tid;
	struct ringlet_run *run;
	struct area *area;
	u64 random;
	u64 last_pos;
	unsigned int stuck;
	unsigned int strange;
	u8 nrs[RECORDS];
};

static u8 *stable, *loose;
static int device, vm;
static volatile int fds[FDS];
static struct vcpu vcpus[VCPUS];
static int nr_vcpus;
static bool wild;
static volatile bool over;
static pthread_t chaos_threads[CHAOS_THREADS];
static __thread struct kcov *kcov;

static int issue(int fd, unsigned int r, unsigned long arg)
{
	int ret = ioctl(fd, requests[r].nr, arg);
	int error = ret < 0 ? errno : 0;

	__sync_fetch_and_add(&stats->requests[r][error % ERRNOS], 1);
	kcov_take(kcov);
	errno = error;
	return ret;
}

static unsigned int request_of(unsigned long nr)
{
	unsigned int r;

	for (r = 0; r < REQUESTS; r++)
		if (requests[r].nr == nr)
			break;
	return r;
}

/* ---- Arguments ---- */

extern const u8 calls_image[], calls_image_end[], calls_user[],
	calls_user_end[];

static u64 gate_address(unsigned int place)
{
	return BOOT_BASE + IMAGE + IMAGE_GATES + 16 * place;
}

static u64 gate_number(unsigned int place)
{
	static const u16 others[] = { RINGLET_GATE_INT80, RINGLET_GATE_SYSCALL,
				      RINGLET_GATE_SYSCALL32,
				      RINGLET_GATE_INTERRUPT };

	return place < RINGLET_GATE_EXCEPTIONS ?
		       place :
		       others[place - RINGLET_GATE_EXCEPTIONS];
}

/* Addresses at which something begins, ends, or is not to be seen. */
static const u64 landmarks[] = {
	0,
	USER_CODE_VA,
	LOOSE_LOW_VA,
	LOOSE_USER_VA,
	0x00007fffffffffff,
	0x0000800000000000,
	0xffff7fffffffffff,
	RINGLET_HOLE_START,
	0xffff870000000000, /* the linear map's slot and its neighbours */
	0xffff878000000000, /* the switcher with 4 levels */
	0xffff87c000000000,
	RINGLET_HOLE_END,
	0xffff888000000000, /* the host's memory */
	0xffffc90000000000,
	0xffffea0000000000,
	0xfffffe0000000000, /* its entry area */
	0xff0f000000000000, /* the switcher with 5 */
	BOOT_BASE,
	BOOT_BASE + IMAGE,
	LOOSE_VA,
	LOOSE_HIGH_VA,
	0xffffffffa0000000, /* modules */
	0xffffffffff600000, /* vsyscall */
	RINGLET_STATUS_VA,
	RINGLET_SHARED_VA,
	0xffffffffffffe000,
	~0ULL,
};

static u64 some_bits(u64 *rng)
{
	u64 value = random64(rng);

	switch (below(rng, 6)) {
	case 0:
		return value;
	case 1:
		return value & 0xff;
	case 2:
		return 1ULL << (value & 63);
	case 3:
		return (1ULL << (value & 63)) - 1;
	case 4:
		return -(value & 0xffff);
	default:
		return value >> (value & 63);
	}
}

static u64 some_address(u64 *rng)
{
	u64 address = PICK(rng, landmarks);

	switch (below(rng, 8)) {
	case 0:
		return some_bits(rng);
	case 1:
		return address + below(rng, 0x4000000000);
	case 2:
		return address - 1 - below(rng, 16);
	case 3:
	case 4:
		return address + below(rng, 0x400000);
	default:
		return address + below(rng, 0x1000);
	}
}

/* Guest-physical; not of the stable slot, which nobody is to write to. */
static u64 loose_gpa(u64 *rng)
{
	switch (below(rng, 8)) {
	case 0:
		return READ_ONLY + below(rng, READ_ONLY_SIZE);
	case 1:
		return LOOSE + LOOSE_SIZE + below(rng, 0x10000);
	case 2:
		return some_bits(rng) & ~(STABLE_SIZE - 1);
	case 3:
		return RINGLET_MAX_GPA - below(rng, 0x4000);
	default:
		return LOOSE + below(rng, LOOSE_SIZE);
	}
}

static u64 some_gpa(u64 *rng)
{
	switch (below(rng, 6)) {
	case 0:
		return below(rng, STABLE_SIZE);
	case 1:
		return some_bits(rng);
	case 2:
		return STABLE_SIZE - below(rng, 64);
	default:
		return loose_gpa(rng);
	}
}

/* An entry for a table that nobody's life depends on. */
static u64 some_entry(u64 *rng)
{
	u64 flags = random64(rng) & 0xfff;

	if (!one_in(rng, 8))
		flags |= 1;
	if (one_in(rng, 16))
		return random64(rng) & ~(STABLE_SIZE - 1);
	if (one_in(rng, 4))
		flags |= 1ULL << 63;
	return (loose_gpa(rng) & 0x000ffffffffff000) | flags;
}

static u64 some_cr3(u64 *rng)
{
	u64 cr3 = one_in(rng, 3) ? PML4 : PML4_MORE + (below(rng, 4) << 12);

	switch (below(rng, wild ? 20 : 400)) {
	case 0:
		return some_bits(rng);
	case 1:
		return loose_gpa(rng) & ~0xfffULL;
	case 2:
		return cr3 | 1ULL << (46 + below(rng, 17));
	}
	if (one_in(rng, 16)) /* refused */
		cr3 |= 1ULL << (46 + below(rng, 6));
	return cr3 | below(rng, one_in(rng, 8) ? 4096 : 6) |
	       (one_in(rng, 2) ? 1ULL << 63 : 0);
}

static u64 some_vcpu(u64 *rng)
{
	switch (below(rng, 8)) {
	case 0:
		return some_bits(rng);
	case 1:
		return below(rng, 70);
	default:
		return below(rng, nr_vcpus);
	}
}

static u64 some_mask(u64 *rng)
{
	u64 mask = below(rng, 1ULL << nr_vcpus);

	return one_in(rng, 6) ? some_bits(rng) : mask;
}

static u64 some_descriptor(u64 *rng)
{
	u64 base = random64(rng) & 0xff0000ffffffffff;

	switch (below(rng, 6)) {
	case 0:
		return random64(rng);
	case 1: /* code, not present, a gate, 64-bit, ring 0 */
		return (base | 0x0040f20000000000) ^
		       (1ULL << (40 + below(rng, 16)));
	case 2:
		return 0;
	default:
		return base | 0x00cff20000000000;
	}
}

static void some_frame(u64 *rng, struct ringlet_frame *frame)
{
	bool user = one_in(rng, 2);

	frame->rip = user ? USER_CODE_VA +
				     USER_SNIPPETS *
					     below(rng, (calls_user_end -
							 calls_user) /
								USER_SNIPPETS) :
			    BOOT_BASE + IMAGE + IMAGE_AFTER;
	frame->cs = user ? RINGLET_USER_CS : RINGLET_KERNEL_CS;
	frame->ss = user ? RINGLET_USER_SS : RINGLET_KERNEL_SS;
	frame->rflags = one_in(rng, 3) ? random64(rng) : 0x202;
	frame->rsp = some_address(rng);
	frame->rax = random64(rng);
	frame->rcx = random64(rng);
	frame->r11 = random64(rng);
	switch (below(rng, 24)) {
	case 0:
		frame->cs = some_bits(rng);
		break;
	case 1:
		frame->ss = some_bits(rng);
		break;
	case 2:
		frame->cs = RINGLET_USER32_CS;
		break;
	case 3:
		frame->rip = some_address(rng) | 1;
		/* In the kernel's mode this is a death if not canonical. */
		if (!user && !wild && !one_in(rng, 32))
			frame->rip |= 0xffff800000000000;
		break;
	}
}

/* A page-aligned place in the lower half, and one after it. */
static void some_range(u64 *rng, u64 *args)
{
	if (one_in(rng, 4)) {
		args[0] = some_address(rng);
		args[1] = some_address(rng);
	} else if (one_in(rng, 4)) {
		args[0] = args[1] = 0;
	} else {
		args[0] = LOOSE_LOW_VA + (below(rng, 1024) << 12);
		args[1] = args[0] + (below(rng, 64) << 12);
	}
}

static void arguments(u64 *rng, struct vcpu *vcpu, struct record *r)
{
	u64 *a = r->args;
	unsigned int i;

	switch (r->nr) {
	case RINGLET_HC_IRET:
		some_frame(rng, &vcpu->area->frames[below(rng, FRAMES)]);
		i = below(rng, FRAMES);
		r->frame = AREAS_VA + ((u64)vcpu->id << AREA_SHIFT) +
			   AREA_FRAMES + i * sizeof(struct ringlet_frame);
		a[0] = LOOSE_USER_VA + below(rng, 0x200000);
		a[1] = some_address(rng);
		a[2] = some_bits(rng);
		break;
	case RINGLET_HC_SET_GATE:
		i = below(rng, GATES);
		a[0] = gate_number(i);
		a[1] = gate_address(i);
		if (one_in(rng, 8))
			a[0] = some_bits(rng);
		if (one_in(rng, 8)) /* refused: not in the upper half */
			a[1] &= ~(1ULL << (47 + below(rng, 17)));
		if (one_in(rng, wild ? 16 : 512))
			a[1] = some_address(rng);
		if (one_in(rng, wild ? 32 : 1024))
			a[1] = 0;
		break;
	case RINGLET_HC_LOAD_CR3:
		a[0] = some_cr3(rng);
		break;
	case RINGLET_HC_FLUSH_TLB:
		a[0] = below(rng, 4);
		a[1] = some_address(rng);
		break;
	case RINGLET_HC_LOAD_TLS:
		for (i = 0; i < 3; i++)
			a[i] = some_descriptor(rng);
		break;
	case RINGLET_HC_LOAD_GS:
		a[0] = one_in(rng, 2) ? 0x63 + 8 * below(rng, 4) :
					some_bits(rng);
		break;
	case RINGLET_HC_SET_TIMER:
		a[0] = one_in(rng, 4) ? some_bits(rng) : below(rng, 1000000);
		break;
	case RINGLET_HC_CLOCK:
	case RINGLET_HC_WAIT:
		a[0] = one_in(rng, 4) ? some_bits(rng) : below(rng, 3);
		break;
	case RINGLET_HC_CPUID:
		a[0] = (below(rng, 4) << 30) + below(rng, 0x20);
		a[1] = below(rng, 70);
		break;
	case RINGLET_HC_CONSOLE:
		/* Most fail, or are empty: each that does not is an exit. */
		a[0] = some_gpa(rng);
		a[1] = one_in(rng, 8) ? below(rng, 0x1000) : 0;
		if (one_in(rng, 2))
			a[1] = RINGLET_MAX_GPA - below(rng, 0x1000);
		break;
	case RINGLET_HC_SHUTDOWN:
		a[0] = 3 + (some_bits(rng) & ~(1ULL << 63));
		if (one_in(rng, wild ? 32 : 256))
			a[0] = below(rng, 3);
		a[1] = some_gpa(rng);
		a[2] = some_bits(rng);
		break;
	case RINGLET_HC_GET_DR:
		a[0] = one_in(rng, 4) ? some_bits(rng) : below(rng, 9);
		break;
	case RINGLET_HC_SET_DR:
		a[0] = one_in(rng, 8) ? some_bits(rng) : below(rng, 9);
		a[1] = one_in(rng, 2) ? some_address(rng) : some_bits(rng);
		/* A breakpoint on the guest's own loop is an event a step. */
		if (a[0] == 7 && !one_in(rng, 8))
			a[1] &= 0xffff0400;
		break;
	case RINGLET_HC_SET_CR4:
		a[0] = one_in(rng, 2) ? 4 : some_bits(rng);
		break;
	case RINGLET_HC_VCPU_START:
		a[0] = some_vcpu(rng);
		a[1] = BOOT_BASE + IMAGE;
		a[2] = some_address(rng);
		a[3] = one_in(rng, 2) ? 0 : some_address(rng);
		a[4] = PML4;
		if (one_in(rng, 8))
			a[1] = some_address(rng);
		if (one_in(rng, 16))
			a[4] = some_cr3(rng);
		break;
	case RINGLET_HC_SEND_IPI:
		a[0] = some_mask(rng);
		a[1] = one_in(rng, 8) ? some_bits(rng) : below(rng, 67);
		break;
	case RINGLET_HC_FLUSH_VCPUS:
		a[0] = some_mask(rng);
		a[1] = one_in(rng, 3) ? some_cr3(rng) :
					PML4_MORE + (below(rng, 4) << 12);
		if (one_in(rng, 8))
			a[1] = RINGLET_FLUSH_EVERYTHING;
		some_range(rng, a + 2);
		break;
	case RINGLET_HC_KICK:
	case RINGLET_HC_YIELD:
		a[0] = some_vcpu(rng);
		break;
	default:
		for (i = 0; i < 5; i++)
			a[i] = some_bits(rng);
	}
	/* Any value is worth a try where it cannot be the end. */
	if (one_in(rng, 64) && r->nr != RINGLET_HC_SHUTDOWN &&
	    (wild || r->nr != RINGLET_HC_LOAD_CR3))
		a[below(rng, 5)] = some_bits(rng);
}

/* What sleeps or ends something comes less often, but often enough. */
static u64 some_call(u64 *rng)
{
	static const u8 seldom[] = { RINGLET_HC_HALT, RINGLET_HC_VCPU_STOP,
				     RINGLET_HC_WAIT, RINGLET_HC_SHUTDOWN };
	u64 nr = below(rng, UNKNOWN_CALL + 1);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(seldom); i++)
		if (nr == seldom[i] && !one_in(rng, 2))
			return some_call(rng);
	if (nr == UNKNOWN_CALL)
		return UNKNOWN_CALL +
		       (one_in(rng, 2) ? below(rng, 64) : some_bits(rng) >> 1);
	return nr;
}

/* A word written before the call: the shared page, tables, where it faults. */
static void poke(u64 *rng, struct record *r)
{
	u64 offset;

	r->poke_value = some_bits(rng);
	switch (below(rng, 8)) {
	case 0:
	case 1:
		/* Not the vCPU's number, by which the guest finds its way. */
		offset = below(rng, sizeof(struct ringlet_shared) / 8) * 8;
		if (offset == RINGLET_SHARED_TSC_KHZ)
			offset = 0;
		/* An event on a busy page is a death. */
		if (!offset && !wild)
			r->poke_value &= ~0xff0000000000ULL;
		r->poke = RINGLET_SHARED_VA + offset;
		break;
	case 2:
		r->poke = BOOT_BASE + PT_LOOSE_HIGH + 8 * below(rng, 512);
		r->poke_value = some_entry(rng);
		break;
	case 3:
		r->poke = BOOT_BASE + PT_LOOSE_LOW + 8 * below(rng, 512);
		r->poke_value = some_entry(rng);
		break;
	case 4:
		r->poke = LOOSE_HIGH_VA + 8 * below(rng, 0x40000);
		break;
	case 5:
		r->poke = LOOSE_LOW_VA + 8 * below(rng, 0x80000);
		break;
	case 6:
		r->poke = LOOSE_VA + 8 * below(rng, LOOSE_SIZE / 8);
		break;
	default:
		r->poke = some_address(rng) & ~7ULL;
		if (r->poke >= BOOT_BASE && r->poke < LOOSE_VA)
			r->poke = 0xffffffffff600000;
		if (r->poke >= RINGLET_SHARED_VA)
			r->poke = RINGLET_STATUS_VA;
	}
}

static void fill_records(struct vcpu *vcpu)
{
	struct area *area = vcpu->area;
	u64 *rng = &vcpu->random;
	unsigned int i;

	for (i = 0; i < RECORDS; i++) {
		struct record *r = &area->records[i];

		memset(r, 0, sizeof(*r));
		r->result = NO_RESULT;
		r->nr = some_call(rng);
		arguments(rng, vcpu, r);
		if (one_in(rng, 4))
			poke(rng, r);
		vcpu->nrs[i] = r->nr > UNKNOWN_CALL ? UNKNOWN_CALL : r->nr;
	}
	area->pos = 0;
	area->n = RECORDS;
}

/* Count what was called, and forget it. */
static void harvest(struct vcpu *vcpu)
{
	struct area *area = vcpu->area;
	u64 n = area->pos, i;

	if (n > RECORDS)
		n = 0;
	area->pos = area->n = 0;
	for (i = 0; i < n; i++) {
		const struct record *r = &area->records[i];
		unsigned int nr = vcpu->nrs[i];

		__sync_fetch_and_add(&stats->calls[nr], 1);
		if (r->event && r->event <= GATES)
			__sync_fetch_and_add(&stats->events[r->event - 1], 1);
		if (nr == RINGLET_HC_IRET || r->result == NO_RESULT)
			continue;
		if (r->result > -(u64)ERRNOS)
			__sync_fetch_and_add(&stats->results[nr][-r->result],
					     1);
	}
}

/* ---- Guest memory ---- */

static void put_entry(u64 gpa, unsigned int index, u64 entry)
{
	((u64 *)(stable + gpa))[index] = entry;
}

static void make_guest(u64 *rng)
{
	unsigned int i;

	memcpy(stable + IMAGE, calls_image, calls_image_end - calls_image);
	memcpy(stable + USER_CODE, calls_user, calls_user_end - calls_user);
	put_entry(PDPT_LOW, 0, PD_LOW | 7);
	put_entry(PD_LOW, USER_CODE_VA >> 21, PT_USER | 7);
	put_entry(PT_USER, 0, USER_CODE | 5);
	put_entry(PD_LOW, LOOSE_LOW_VA >> 21, PT_LOOSE_LOW | 7);
	put_entry(PD_LOW, LOOSE_USER_VA >> 21, LOOSE | 0x87);
	put_entry(PDPT_HIGH, 510, PD_HIGH | 3);
	for (i = 0; i < (STABLE_SIZE + LOOSE_SIZE) >> 21; i++)
		put_entry(PD_HIGH, i, (u64)i << 21 | 0x183);
	put_entry(PD_HIGH, (LOOSE_HIGH_VA - BOOT_BASE) >> 21,
		  PT_LOOSE_HIGH | 7);
	for (i = 0; i < 5; i++) {
		u64 pml4 = i ? PML4_MORE + ((i - 1) << 12) : PML4;

		put_entry(pml4, 0, PDPT_LOW | 7);
		put_entry(pml4, 511, PDPT_HIGH | 3);
		if (i)
			put_entry(pml4, 1 + below(rng, 255), some_entry(rng));
	}
	for (i = 0; i < 512; i++) {
		put_entry(PT_LOOSE_HIGH, i, some_entry(rng));
		put_entry(PT_LOOSE_LOW, i, some_entry(rng));
	}
}

static void *memory(size_t size, int prot, int flags)
{
	void *m =
		mmap(NULL, size + 0x200000, prot, flags | MAP_NORESERVE, -1, 0);

	if (m == MAP_FAILED) {
		perror("mmap");
		_exit(2);
	}
	return (void *)(((u64)m + 0x1fffff) & ~0x1fffffULL);
}

static void lend(u64 gpa, u64 size, void *hva)
{
	struct ringlet_memory slot = { gpa, size, (uintptr_t)hva, 0 };

	if (issue(vm, 3, (unsigned long)&slot)) {
		perror("SET_MEMORY");
		_exit(2);
	}
}

static void make_memory(u64 *rng)
{
	int flags = MAP_ANONYMOUS | (one_in(rng, 3) ? MAP_SHARED : MAP_PRIVATE);

	stable = memory(STABLE_SIZE, PROT_READ | PROT_WRITE,
			MAP_ANONYMOUS | MAP_PRIVATE);
	loose = memory(LOOSE_SIZE, PROT_READ | PROT_WRITE, flags);
	if (one_in(rng, 2))
		madvise(loose, LOOSE_SIZE, MADV_HUGEPAGE);
	make_guest(rng);
	lend(0, STABLE_SIZE, stable);
	lend(LOOSE, LOOSE_SIZE, loose);
	if (one_in(rng, 2))
		lend(READ_ONLY, READ_ONLY_SIZE,
		     memory(READ_ONLY_SIZE, PROT_READ,
			    MAP_ANONYMOUS | MAP_PRIVATE));
}

/* ---- A vCPU's thread ---- */

/* From wherever it is: to the next record. */
static void restart(struct vcpu *vcpu)
{
	struct ringlet_regs regs;

	if (issue(vcpu->fd, 7, (unsigned long)&regs))
		return;
	if (regs.user_mode) {
		issue(vm, 5, 1);
		return;
	}
	regs.rip = BOOT_BASE + IMAGE;
	regs.rflags = 0x202;
	regs.cr3 = PML4;
	issue(vcpu->fd, 8, (unsigned long)&regs);
}

static void interrupted(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 0;
	if (vcpu->area->pos != vcpu->last_pos) {
		vcpu->last_pos = vcpu->area->pos;
		vcpu->stuck = 0;
		return;
	}
	if (++vcpu->stuck % 4 == 2)
		restart(vcpu);
	if (vcpu->stuck == 200) {
		count("episode a vCPU got nowhere");
		over = true;
	}
}

static void came_back(struct vcpu *vcpu)
{
	struct ringlet_run *run = vcpu->run;
	u64 i;

	count("exit %u", run->exit_reason);
	switch (run->exit_reason) {
	case RINGLET_EXIT_CONSOLE:
		if (run->console.len == AREA_DONE &&
		    run->console.gpa == AREAS + ((u64)vcpu->id << AREA_SHIFT)) {
			harvest(vcpu);
			fill_records(vcpu);
		} else if (run->console.len == AREA_DONE &&
			   ++vcpu->strange == 100) {
			over = true;
		}
		break;
	case RINGLET_EXIT_MMIO:
		for (i = 0; i < 8; i++)
			run->mmio.data[i] = random64(&vcpu->random);
		break;
	case RINGLET_EXIT_KILLED:
		run->message[sizeof(run->message) - 1] = '\0';
		if (verbose)
			fprintf(stderr, "%s\n", run->message);
		count_death(run->message);
		over = true;
		break;
	case RINGLET_EXIT_SHUTDOWN:
		count("death shutdown %u", run->shutdown.reason);
		over = true;
		break;
	}
}

/* The thread's own clock: what sleeps or spins in the guest is seen to. */
static void tick(u64 ns)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
				  .sigev_signo = SIGUSR1 };
	struct itimerspec spec = { { 0, ns }, { 0, ns } };
	timer_t timer;

	event._sigev_un._tid = gettid();
	if (!timer_create(CLOCK_MONOTONIC, &event, &timer))
		timer_settime(timer, 0, &spec, NULL);
}

static void *vcpu_main(void *arg)
{
	struct vcpu *vcpu = arg;
	unsigned int failures = 0;

	vcpu->tid = gettid();
	kcov = kcov_start();
	tick(TICK_NS);
	while (!over) {
		if (!issue(vcpu->fd, 6, 0)) {
			came_back(vcpu);
			continue;
		}
		switch (errno) {
		case EINTR:
			interrupted(vcpu);
			break;
		case ESHUTDOWN:
			over = true;
			break;
		case EFAULT: /* memory was taken away */
		case ENOMEM:
			restart(vcpu);
			if (++failures == 100)
				over = true;
			break;
		default: /* the fd was closed, or is another's */
			usleep(1000);
			if (++failures == 100)
				over = true;
		}
	}
	harvest(vcpu);
	return NULL;
}

/* ---- Chaos ---- */

static int some_fd(u64 *rng)
{
	switch (below(rng, 8)) {
	case 0:
		return device;
	case 1:
	case 2:
		return vm;
	case 3:
		return fds[below(rng, FDS)];
	case 4:
		return below(rng, 64);
	default:
		return vcpus[below(rng, nr_vcpus)].fd;
	}
}

static void keep_fd(u64 *rng, int fd)
{
	volatile int *place = &fds[below(rng, FDS)];
	int old;

	if (fd < 0)
		return;
	old = __sync_lock_test_and_set(place, fd);
	if (old > 0)
		close(old);
}

/* For what takes a pointer: one that is right, half right, or none. */
static unsigned long some_pointer(u64 *rng, void *right)
{
	switch (below(rng, 8)) {
	case 0:
		return some_address(rng);
	case 1:
		return (unsigned long)loose + LOOSE_SIZE - below(rng, 64);
	case 2:
		return 0;
	default:
		return (unsigned long)right;
	}
}

static void some_memory(u64 *rng, struct ringlet_memory *m)
{
	m->gpa = below(rng, 64) << 20;
	m->size = (1 + below(rng, 64)) << 12;
	m->hva = (uintptr_t)loose + (below(rng, 512) << 12);
	m->flags = 0;
	switch (below(rng, 12)) {
	case 0:
		m->flags = some_bits(rng);
		break;
	case 1:
		m->size = some_bits(rng);
		break;
	case 2:
		m->gpa = some_bits(rng);
		break;
	case 3:
		m->hva = some_address(rng);
		break;
	case 4:
		m->gpa = RINGLET_MAX_GPA - (below(rng, 128) << 12);
		break;
	case 5: /* more than the machine has */
		m->size = 1ULL << (34 + below(rng, 11));
		m->hva = 0x10000;
		break;
	case 6:
		m->size = 0;
		break;
	}
}

static void some_regs(u64 *rng, struct ringlet_regs *regs)
{
	unsigned int i;

	memset(regs, 0, sizeof(*regs));
	for (i = 0; i < 16; i++)
		regs->gpr[i] = some_address(rng);
	regs->rip = BOOT_BASE + IMAGE;
	regs->rflags = random64(rng);
	regs->cr2 = some_bits(rng);
	regs->cr3 = PML4;
	regs->fsbase = some_address(rng);
	regs->gsbase = some_address(rng);
	switch (below(rng, 6)) {
	case 0:
		regs->rip = some_address(rng);
		break;
	case 1:
		regs->cr3 = some_cr3(rng);
		break;
	case 2:
		regs->user_mode = some_bits(rng);
		break;
	case 3:
		regs->reserved[below(rng, 3)] = some_bits(rng);
		break;
	}
}

static void any_ioctl(u64 *rng)
{
	union {
		struct ringlet_memory memory;
		struct ringlet_regs regs;
		struct ringlet_info info;
	} arg;
	unsigned int r = below(rng, REQUESTS);
	unsigned long value = some_bits(rng);
	int fd = some_fd(rng), ret;

	/* Mostly to whom it may concern. */
	if (!one_in(rng, 4))
		fd = requests[r].on == DEVICE ? device :
		     requests[r].on == VM     ? vm :
						vcpus[below(rng, nr_vcpus)].fd;
	memset(&arg, 0, sizeof(arg));
	switch (requests[r].nr) {
	case RINGLET_SET_MEMORY:
		some_memory(rng, &arg.memory);
		value = some_pointer(rng, &arg);
		break;
	case RINGLET_SET_REGS:
		some_regs(rng, &arg.regs);
		value = some_pointer(rng, &arg);
		break;
	case RINGLET_GET_INFO:
	case RINGLET_GET_REGS:
		value = some_pointer(rng, &arg);
		/* Not over our own stack or heap. */
		if (value != (unsigned long)&arg && value < 1UL << 47)
			value = 0x1000 + below(rng, 0x1000);
		break;
	case RINGLET_CREATE_VCPU:
		value = one_in(rng, 2) ? below(rng, 66) : value;
		break;
	case RINGLET_IRQ_RAISE:
		value = one_in(rng, 2) ? below(rng, 66) : value;
		break;
	case RINGLET_CREATE_VM:
	case RINGLET_GET_API_VERSION:
	case RINGLET_RUN:
		if (!one_in(rng, 4))
			value = 0;
		break;
	}
	ret = ioctl(fd, requests[r].nr, value);
	/* Only what went to the right kind of fd is its result. */
	if (fd == device || fd == vm || fd == vcpus[0].fd)
		if (!(ret < 0 && errno == ENOTTY))
			__sync_fetch_and_add(
				&stats->requests[r][ret < 0 ? errno : 0], 1);
	if (ret > 2 && (requests[r].nr == RINGLET_CREATE_VM ||
			requests[r].nr == RINGLET_CREATE_VCPU))
		keep_fd(rng, ret);
}

static void unknown_ioctl(u64 *rng)
{
	unsigned long nr = one_in(rng, 2) ? random64(rng) :
					    requests[below(rng, REQUESTS)].nr ^
						    1UL << below(rng, 32);
	int fd = below(rng, 3) ? vm : vcpus[below(rng, nr_vcpus)].fd;

	/* The VFS knows some by itself: FIOCLEX, FIONBIO... */
	if ((u32)nr >> 8 == 0x54 || request_of((u32)nr) < REQUESTS)
		return;
	if (ioctl(fd, nr, some_bits(rng)) < 0)
		__sync_fetch_and_add(
			&stats->requests[REQUEST_UNKNOWN][errno % ERRNOS], 1);
	else
		count("unknown ioctl %#x succeeded", (u32)nr);
}

/* A VM beside the first, from nothing: what must come first, and how often. */
static void another_vm(u64 *rng)
{
	unsigned long memory_at = (unsigned long)loose;
	struct ringlet_memory m;
	int other = issue(device, 2, 0), vcpu, i;

	if (other < 0)
		return;
	if (one_in(rng, 2))
		issue(other, 5, 1 + below(rng, 47)); /* no vCPU yet */
	if (one_in(rng, 2))
		keep_fd(rng, issue(other, 4, 0)); /* no memory yet */
	for (i = 0; i < (int)below(rng, 11); i++) {
		some_memory(rng, &m);
		issue(other, 3, (unsigned long)&m);
		m = (struct ringlet_memory){ (u64)i << 16, 0x1000, memory_at,
					     0 };
		if (one_in(rng, 2))
			issue(other, 3, (unsigned long)&m);
	}
	for (i = 0; i < (int)below(rng, 4); i++) {
		vcpu = issue(other, 4, below(rng, 3));
		if (vcpu >= 0 && one_in(rng, 2))
			issue(vcpu, 6, 0); /* no code: it is killed at once */
		keep_fd(rng, vcpu);
	}
	keep_fd(rng, other);
}

/* All of the windows that a process can have, which is seldom worth the time. */
static void all_windows(u64 *rng)
{
	struct ringlet_memory m = { 0, 0x1000, (unsigned long)stable, 0 };
	int vms[9], i, n, fd;

	if (!one_in(rng, 64))
		return;
	for (n = 0; n < 9; n++) {
		vms[n] = issue(device, 2, 0);
		if (vms[n] < 0 || issue(vms[n], 3, (unsigned long)&m))
			break;
		for (i = 0; i < RINGLET_MAX_VCPUS; i++) {
			fd = issue(vms[n], 4, i);
			if (fd >= 0)
				close(fd);
		}
	}
	while (n--)
		close(vms[n]);
}

static void few_fds(u64 *rng)
{
	struct rlimit was, few = { below(rng, 24), 4096 };

	getrlimit(RLIMIT_NOFILE, &was);
	few.rlim_max = was.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	keep_fd(rng, issue(device, 2, 0));
	keep_fd(rng, issue(vm, 4, 8 + below(rng, 56)));
	setrlimit(RLIMIT_NOFILE, &was);
}

static void guest_memory(u64 *rng)
{
	static const int
		advice[] = { MADV_DONTNEED,  MADV_FREE,	    MADV_COLD,
			     MADV_PAGEOUT,   MADV_HUGEPAGE, MADV_NOHUGEPAGE,
			     MADV_MERGEABLE, MADV_WILLNEED, 25 /* COLLAPSE */ };
	static const int prots[] = { PROT_NONE, PROT_READ,
				     PROT_READ | PROT_WRITE };
	u64 first = below(rng, LOOSE_SIZE >> 12) << 12;
	u64 size = one_in(rng, 4) ? LOOSE_SIZE - first : below(rng, 16) << 12;
	u8 *at = loose + first;

	if (first + size > LOOSE_SIZE)
		size = LOOSE_SIZE - first;
	switch (below(rng, 6)) {
	case 0:
		mprotect(at, size, PICK(rng, prots));
		break;
	case 1:
		mprotect(loose, LOOSE_SIZE, PROT_READ | PROT_WRITE);
		break;
	case 2:
		if (size && one_in(rng, 4))
			munmap(at, size);
		break;
	case 3:
		if (size)
			mmap(at, size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	default:
		madvise(at, size, PICK(rng, advice));
	}
}

/* Words of guest memory, by a way that fails where there is none. */
static void scribble(u64 *rng)
{
	u64 words[8];
	struct iovec from = { words, sizeof(u64) * (1 + below(rng, 8)) }, to;
	unsigned int i, n = one_in(rng, 4) ? 64 : 4;
	bool table = one_in(rng, 2);
	u8 *at;

	while (n--) {
		for (i = 0; i < ARRAY_SIZE(words); i++)
			words[i] = table ? some_entry(rng) : some_bits(rng);
		at = loose + 8 * below(rng, LOOSE_SIZE / 8 - 8);
		if (table && one_in(rng, 2))
			at = stable +
			     (one_in(rng, 2) ? PT_LOOSE_LOW : PT_LOOSE_HIGH) +
			     8 * below(rng, 504);
		to = (struct iovec){ at, from.iov_len };
		process_vm_writev(getpid(), &from, 1, &to, 1, 0);
	}
}

/* The frames that a guest is copying: the module must look but once. */
static void change_frames(u64 *rng)
{
	struct vcpu *vcpu = &vcpus[below(rng, nr_vcpus)];
	unsigned int n = 200;

	while (n--)
		some_frame(rng, &vcpu->area->frames[below(rng, FRAMES)]);
}

static void run_page(u64 *rng)
{
	struct vcpu *vcpu = &vcpus[below(rng, nr_vcpus)];
	volatile u8 *bytes = (u8 *)vcpu->run;
	unsigned int i, n = below(rng, 64);

	if (one_in(rng, 4))
		vcpu->run->immediate_exit = some_bits(rng);
	/* Not the message: what it says of a death is counted. */
	for (i = 0; i < n; i++)
		bytes[4 + below(rng, 252)] = random64(rng);
}

static void map_fd(u64 *rng)
{
	static const int prots[] = { PROT_NONE, PROT_READ,
				     PROT_READ | PROT_WRITE,
				     PROT_READ | PROT_EXEC };
	size_t size = one_in(rng, 2) ? 0x1000 : below(rng, 8) << 12;
	off_t offset = one_in(rng, 4) ? below(rng, 8) << 12 : 0;
	int flags = one_in(rng, 3) ? MAP_PRIVATE : MAP_SHARED;
	u8 *m = mmap(NULL, size, PICK(rng, prots), flags,
		     vcpus[below(rng, nr_vcpus)].fd, offset);
	int error = m == MAP_FAILED ? errno : 0;

	__sync_fetch_and_add(&stats->requests[REQUEST_MMAP][error % ERRNOS], 1);
	if (m == MAP_FAILED)
		return;
	if (one_in(rng, 2))
		mprotect(m, size, PICK(rng, prots));
	if (one_in(rng, 4))
		madvise(m, size, below(rng, 26));
	if (one_in(rng, 4))
		m = mremap(m, size, size + 0x1000, MREMAP_MAYMOVE);
	if (m != MAP_FAILED && !one_in(rng, 16))
		munmap(m, size);
}

/* A child with our fds and a copy of the memory; threads are not its own. */
static void fork_child(u64 *rng)
{
	pid_t child = fork();
	unsigned int i;

	if (child) {
		if (child > 0 && one_in(rng, 4))
			kill(child, SIGKILL);
		while (child > 0 && waitpid(child, NULL, 0) < 0 &&
		       errno == EINTR)
			;
		return;
	}
	kcov = kcov_start();
	/* Timers are not inherited, and it might sleep in a RUN of its own. */
	tick(TICK_NS);
	for (i = 0; i < REQUESTS; i++) {
		if (requests[i].on == VM)
			issue(vm, i, 0);
		if (requests[i].on == VCPU)
			issue(vcpus[below(rng, nr_vcpus)].fd, i, 0);
	}
	scribble(rng);
	if (one_in(rng, 4))
		another_vm(rng);
	_exit(0);
}

static void poll_fd(u64 *rng)
{
	int fd = one_in(rng, 2) ? vm : vcpus[below(rng, nr_vcpus)].fd;
	char bytes[16] = "", path[64];
	int file;

	if (read(fd, bytes, sizeof(bytes)) >= 0 ||
	    write(fd, bytes, sizeof(bytes)) >= 0)
		count("unknown read or write succeeded");
	lseek(fd, below(rng, 100), SEEK_SET);
	fcntl(fd, F_SETFL, below(rng, 2) ? O_NONBLOCK : O_ASYNC);
	snprintf(path, sizeof(path), "/sys/kernel/debug/ringlet/%d-%d/counters",
		 getpid(), (int)below(rng, 8));
	file = open(path, O_RDONLY);
	while (file >= 0 && read(file, bytes, sizeof(bytes)) > 0)
		;
	if (file >= 0)
		close(file);
}

static void migrate(u64 *rng)
{
	struct vcpu *vcpu = &vcpus[below(rng, nr_vcpus)];
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(below(rng, sysconf(_SC_NPROCESSORS_ONLN)), &set);
	if (one_in(rng, 2))
		memset(&set, 0xff, sizeof(set));
	if (vcpu->tid)
		sched_setaffinity(vcpu->tid, sizeof(set), &set);
}

static void kick(u64 *rng)
{
	struct vcpu *vcpu = &vcpus[below(rng, nr_vcpus)];

	if (vcpu->tid)
		tgkill(getpid(), vcpu->tid, SIGUSR1);
}

static void drop_fd(u64 *rng)
{
	int old = __sync_lock_test_and_set(&fds[below(rng, FDS)], 0);

	if (old > 0)
		close(old);
	keep_fd(rng, dup(one_in(rng, 2) ? vm : vcpus[0].fd));
}

static void *chaos_main(void *arg)
{
	static void (*const acts[])(u64 *) = {
		any_ioctl,    any_ioctl,   any_ioctl,  unknown_ioctl,
		another_vm,   all_windows, few_fds,    guest_memory,
		guest_memory, scribble,	   scribble,   change_frames,
		run_page,     map_fd,	   fork_child, poll_fd,
		migrate,      kick,	   kick,       drop_fd,
	};
	u64 *rng = arg;

	kcov = kcov_start();
	tick(TICK_NS);
	while (!over) {
		PICK(rng, acts)(rng);
		kcov_take(kcov);
		/* In a calm episode the CPU is for the calls. */
		if (!wild || one_in(rng, 4))
			usleep(below(rng, 20000));
	}
	return NULL;
}

/* ---- Episodes ---- */

static void on_signal(int signal)
{
	(void)signal;
}

static void make_vcpu(struct vcpu *vcpu, int id, u64 seed)
{
	struct ringlet_regs regs = { .rip = BOOT_BASE + IMAGE,
				     .rflags = 2,
				     .cr3 = PML4 };

	vcpu->id = id;
	vcpu->random = seed;
	vcpu->area = (struct area *)(stable + AREAS + (id << AREA_SHIFT));
	vcpu->fd = issue(vm, 4, id);
	if (vcpu->fd < 0) {
		perror("CREATE_VCPU");
		_exit(2);
	}
	vcpu->run = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED,
			 vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		perror("mmap");
		_exit(2);
	}
	if (!id)
		issue(vcpu->fd, 8, (unsigned long)&regs);
	/* The first of its calls give it all the gates. */
	fill_records(vcpu);
	for (id = 0; id < GATES; id++) {
		struct record *r = &vcpu->area->records[id];

		*r = (struct record){ .nr = RINGLET_HC_SET_GATE,
				      .args = { gate_number(id),
						gate_address(id) },
				      .result = NO_RESULT };
		vcpu->nrs[id] = r->nr;
	}
}

/* One of the ways in which a launcher can end. */
static void end(u64 *rng, int threads)
{
	unsigned int way = below(rng, 7), i;

	count("end %u", way);
	switch (way) {
	case 0:
		kill(getpid(), SIGKILL);
		break;
	case 1:
		_exit(0);
	case 2: /* the rug */
		munmap(stable, STABLE_SIZE / 2);
		usleep(below(rng, 20000));
		_exit(0);
	case 3:
		close(vm);
		for (i = 0; i < (unsigned int)nr_vcpus; i++)
			close(vcpus[i].fd);
		usleep(below(rng, 20000));
		_exit(0);
	case 4:
		execl("/proc/self/exe", "calls", "--nothing", NULL);
		_exit(2);
	}
	over = true;
	for (i = 0; i < (unsigned int)nr_vcpus; i++)
		pthread_join(vcpus[i].thread, NULL);
	for (i = 0; i < (unsigned int)threads; i++)
		pthread_join(chaos_threads[i], NULL);
	if (way == 5)
		for (i = 3; i < 256; i++)
			close(i);
	_exit(0);
}

static void episode(u64 seed)
{
	struct sigaction action = { .sa_handler = on_signal };
	static u64 chaos[CHAOS_THREADS];
	int threads, i, ms;
	u64 rng = seed;

	sigaction(SIGUSR1, &action, NULL);
	kcov = kcov_start();
	wild = one_in(&rng, 4);
	nr_vcpus = 1 + below(&rng, VCPUS);
	threads = below(&rng, CHAOS_THREADS + 1);
	ms = 200 + below(&rng, wild ? 1000 : 6000);
	device = open("/dev/ringlet", O_RDWR);
	vm = issue(device, 2, 0);
	if (device < 0 || vm < 0) {
		perror("/dev/ringlet");
		_exit(2);
	}
	make_memory(&rng);
	for (i = 0; i < nr_vcpus; i++)
		make_vcpu(&vcpus[i], i, random64(&rng));
	for (i = 0; i < nr_vcpus; i++)
		pthread_create(&vcpus[i].thread, NULL, vcpu_main, &vcpus[i]);
	for (i = 0; i < threads; i++) {
		chaos[i] = random64(&rng);
		pthread_create(&chaos_threads[i], NULL, chaos_main, &chaos[i]);
	}
	for (i = 0; i < ms && !over; i += 2)
		usleep(2000);
	/* What dies without a word has counted before. */
	for (i = 0; i < nr_vcpus && !over; i++)
		harvest(&vcpus[i]);
	end(&rng, threads);
}

static void set(const char *file, const char *value)
{
	int fd = open(file, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		perror(file);
	close(fd);
}

/* Now and then the module alone, or with everything traced. */
static void surroundings(u64 seed)
{
	set("/sys/module/ringlet/parameters/direct", seed % 4 ? "Y" : "N");
	set("/sys/kernel/tracing/events/ringlet/enable",
	    seed % 32 == 5 ? "1" : "0");
}

/* Status 1: it did not end, or not as it should. */
static int run_episode(u64 seed, u64 number)
{
	u64 of = mix(seed * 0x1000003 + number);
	int status, waited;
	pid_t child;

	surroundings(of);
	child = fork();
	if (!child)
		episode(of);
	for (waited = 0; !waitpid(child, &status, WNOHANG); waited++) {
		if (waited == EPISODE_LIMIT * 1000) {
			printf("# episode %llu did not end\n", number);
			kill(child, SIGKILL);
		}
		if (waited >= (EPISODE_LIMIT + 30) * 1000) {
			printf("# and cannot be killed\n");
			return 1;
		}
		usleep(1000);
	}
	count("episode");
	if (waited >= EPISODE_LIMIT * 1000)
		return 1;
	if ((WIFEXITED(status) && WEXITSTATUS(status)) ||
	    (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)) {
		printf("# episode %llu ended with status %#x\n", number,
		       status);
		return 1;
	}
	return 0;
}

static const char *error_name(unsigned int error)
{
	const char *name = strerrorname_np(error);

	return error ? name ? name : "strange" : "0";
}

static void print_stats(void)
{
	unsigned int i, e;

	for (i = 0; i <= UNKNOWN_CALL; i++) {
		count_n(stats->calls[i], "calls");
		printf("count %llu call %s\n", stats->calls[i], call_names[i]);
		for (e = 1; e < ERRNOS; e++)
			if (stats->results[i][e])
				printf("count %llu result %s %s\n",
				       stats->results[i][e], call_names[i],
				       error_name(e));
	}
	for (i = 0; i < REQUESTS + 2; i++)
		for (e = 0; e < ERRNOS; e++)
			if (stats->requests[i][e])
				printf("count %llu ioctl %s %s\n",
				       stats->requests[i][e],
				       i < REQUESTS  ? requests[i].name :
				       i == REQUESTS ? "unknown" :
						       "mmap",
				       error_name(e));
	for (i = 0; i < GATES; i++)
		if (stats->events[i])
			printf("count %llu event %llu\n", stats->events[i],
			       gate_number(i));
	counts_print();
}

int main(int argc, char **argv)
{
	u64 seed = time(NULL), number = 0, only = 0;
	time_t start = time(NULL), end = 0;
	int failed = 0, i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--nothing"))
			return 0;
		if (!strcmp(argv[i], "--verbose"))
			verbose = true;
		else if (i + 1 == argc)
			break;
		else if (!strcmp(argv[i], "--seed"))
			seed = strtoull(argv[++i], NULL, 0);
		else if (!strcmp(argv[i], "--seconds"))
			end = time(NULL) + atoi(argv[++i]);
		else if (!strcmp(argv[i], "--episode"))
			only = strtoull(argv[++i], NULL, 0);
	}
	counts_init();
	stats = mmap(NULL, sizeof(*stats), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("# seed %llu\n", seed);
	do {
		number = only ? only : number + 1;
		/* The last words, if the host dies in it. */
		fprintf(stderr, "calls --seed %llu --episode %llu\n", seed,
			number);
		failed |= run_episode(seed, number);
	} while (!failed && time(NULL) < end);
	surroundings(1);
	count_n(time(NULL) - start, "seconds");
	print_stats();
	kcov_end(stdout);
	if (failed)
		printf("# again: calls --seed %llu --episode %llu\n", seed,
		       number);
	return failed;
}
