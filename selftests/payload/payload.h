/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a payload can use: the runtime of the tiny guest kernel that all of them
 * are linked into. Runs as a Ringlet guest, in guest kernel mode, on vCPU 0 and
 * on those that it starts, with nothing beneath it but the guest ABI.
 *
 * The heart of it is run(): it resumes a context, guest user's or guest
 * kernel's, and returns when the next event has come, whatever that is, with the
 * interrupted context in place of the old one and the event beside it. So a
 * payload reads from top to bottom: make a context, run it, look.
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "uapi/ringlet.h"

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define __printf(f, a) __attribute__((format(printf, f, a)))

/* clang-format off */
#define PAGE_SIZE	0x1000UL
#define LARGE_SIZE	0x200000UL
#define HUGE_SIZE	0x40000000UL
#define LOWER_END	0x0000800000000000UL	/* the first that is not canonical */
#define UPPER_START	0xffff800000000000UL

/* RFLAGS */
#define FLAG_FIXED	0x2UL
#define FLAG_STATUS	0x8d5UL		/* CF PF AF ZF SF OF */
#define FLAG_TF		0x100UL
#define FLAG_IF		0x200UL
#define FLAG_DF		0x400UL
#define FLAG_IOPL	0x3000UL
#define FLAG_NT		0x4000UL
#define FLAG_RF		0x10000UL
#define FLAG_VM		0x20000UL
#define FLAG_AC		0x40000UL
#define FLAG_VIF	0x80000UL
#define FLAG_VIP	0x100000UL
#define FLAG_ID		0x200000UL

/* Exceptions, where a payload names them */
#define EXC_DE	0
#define EXC_DB	1
#define EXC_NMI	2
#define EXC_BP	3
#define EXC_OF	4
#define EXC_UD	6
#define EXC_NM	7
#define EXC_SS	12
#define EXC_GP	13
#define EXC_PF	14
#define EXC_MF	16
#define EXC_AC	17
#define EXC_XF	19

/* Page-fault error codes */
#define PF_P	0x1
#define PF_W	0x2
#define PF_U	0x4
#define PF_RSVD	0x8
#define PF_I	0x10

/* Page-table entries */
#define PTE_P	0x1UL
#define PTE_W	0x2UL
#define PTE_U	0x4UL
#define PTE_A	0x20UL
#define PTE_D	0x40UL
#define PTE_PS	0x80UL
#define PTE_G	0x100UL
#define PTE_NX	(1UL << 63)
#define PTE_ADDR 0x000ffffffffff000UL

#define CR3_NOFLUSH (1UL << 63)
/* clang-format on */

/**
 * struct context - registers of guest user or guest kernel
 * @gpr: RAX RCX RDX RBX RSP RBP RSI RDI R8..R15, in the SDM's encoding order
 * @rip: instruction pointer
 * @cs: RINGLET_USER_CS, ..., or RINGLET_KERNEL_CS
 * @rflags: flags, IF is the virtual one
 * @ss: stack selector
 */
struct context {
	u64 gpr[16];
	u64 rip;
	u64 cs;
	u64 rflags;
	u64 ss;
};

enum {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R11,
	R12,
	R13,
	R14,
	R15
};

/**
 * struct event - how a run() ended
 * @gate: RINGLET_GATE_* or the exception's vector: where the kernel was entered
 * @frame: ringlet_shared.event as it was found there
 * @rflags: real RFLAGS at the gate
 * @gsbase: GS base at the gate
 * @cr2: ringlet_shared.cr2
 * @user_gsbase: ringlet_shared.user_gsbase
 * @flags: ringlet_shared.flags
 * @pending: ringlet_shared.pending
 * @busy: ringlet_shared.busy
 * @nmi_blocked: ringlet_shared.nmi_blocked
 */
struct event {
	u64 gate;
	struct ringlet_frame frame;
	u64 rflags;
	u64 gsbase;
	u64 cr2;
	u64 user_gsbase;
	u32 flags;
	u8 pending;
	u8 busy;
	u8 nmi_blocked;
};

/*
 * Code for run(): position-independent, in a section that user mode has mapped
 * at USER_TEXT, too. It ends in something that is an event.
 */
#define SNIPPET(name, text)                                        \
	asm(".pushsection .snippets, \"ax\"\n\t.balign 16\n" #name \
	    ":\n\t" text "\n\tud2\n\t.popsection");                \
	extern const u8 name[]

/* What every payload finds mapped for user mode in a fresh address space. */
/* clang-format off */
#define USER_TEXT	0x400000UL	/* the snippets, executable, read-only */
#define USER_DATA	0x800000UL	/* one page */
#define USER_STACK_END	0xa01000UL	/* one page below */
#define FREE_VA		0x20010000000UL	/* nothing is mapped from here to 4 TiB */
#define FREE_KERNEL_VA	0xffffc90000000000UL /* here neither */
/* clang-format on */

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

u64 user_address(const u8 *snippet);
struct context user_context(const u8 *snippet);
struct context kernel_context(const u8 *snippet);

struct event *run(struct context *c);
struct event *run_return_frame(struct context *c);

/* Hypercalls; the result is RAX. */
u64 hypercall(u64 nr, u64 a, u64 b, u64 c);
u64 hypercall5(u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e);
/* Those that have results in other registers, too. */
u64 try_get_dr(u64 nr, u64 *value);
u64 get_dr(u64 nr);
struct cpuid cpuid(u32 leaf, u32 subleaf);
bool has_xsave(void);
void set_gate(u64 gate, u64 address);
u64 default_gate(u64 gate);
u64 load_cr3(u64 cr3);
void invlpg(u64 address);
void flush_all(void);

static inline u64 get_xcr(u32 nr)
{
	u32 low, high;

	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(nr));
	return low | (u64)high << 32;
}

/* Carried out by the module. */
static inline void set_xcr0(u64 xcr0)
{
	asm volatile("xsetbv"
		     :
		     : "a"((u32)xcr0), "d"((u32)(xcr0 >> 32)), "c"(0));
}

/* The CPU's own word, which is not what the hypercall says. */
static inline struct cpuid native_cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid c;

	asm volatile("cpuid"
		     : "=a"(c.eax), "=b"(c.ebx), "=c"(c.ecx), "=d"(c.edx)
		     : "a"(leaf), "c"(subleaf));
	return c;
}

static inline volatile struct ringlet_shared *shared(void)
{
	return (volatile struct ringlet_shared *)RINGLET_SHARED_VA;
}

static inline u64 rdgsbase(void)
{
	u64 base;

	asm volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static inline void wrgsbase(u64 base)
{
	asm volatile("wrgsbase %0" : : "r"(base));
}

static inline u64 rdfsbase(void)
{
	u64 base;

	asm volatile("rdfsbase %0" : "=r"(base));
	return base;
}

static inline void wrfsbase(u64 base)
{
	asm volatile("wrfsbase %0" : : "r"(base));
}

/* Hypercalls' errors, as RAX has them. */
/* clang-format off */
#define ERR_NOENT	((u64)-2)
#define ERR_FAULT	((u64)-14)
#define ERR_BUSY	((u64)-16)
#define ERR_INVAL	((u64)-22)
#define ERR_NOSYS	((u64)-38)
/* clang-format on */

/* ---- Other vCPUs ---- */

#define VCPUS 8 /* that there is room for */
#define WAIT_NS 60000000000UL /* for what must come: the host may be slow */

unsigned int this_vcpu(void);
unsigned int nr_vcpus(void);
void start_vcpu(unsigned int vcpu, void (*function)(void *), void *argument);
u64 prepare_vcpu(unsigned int vcpu, void (*function)(void *), void *argument);
extern const u8 other_start[];
bool is_stopped(unsigned int vcpu);
void wait_stopped(unsigned int vcpu);
void relax(unsigned int tries);
bool wait_for_word(const volatile u64 *word, u64 value);

/* ---- Memory ---- */

extern u64 pgd; /* the current address space: guest-physical */

void *at(u64 gpa);
u64 gpa_of(const void *address);
u64 page_alloc(void);
u64 pages_alloc(u64 size);
u64 space_new(void);
void map_in(u64 space, u64 va, u64 gpa, u64 flags, int level);
void map(u64 va, u64 gpa, u64 flags);
u64 *entry_of(u64 space, u64 va, int level);
u64 memory_end(void);

/* ---- Accesses, by run() ---- */

enum access { READ, WRITE, FETCH };

/* What page_with() fills a page with: each of its words can be executed, too. */
#define CONTENT(id) ((u64)(id) << 8 | 0xcc)

u64 page_with(u64 id);
struct event *do_access(struct context *c, bool user, enum access kind, u64 va);
bool accesses(bool user, enum access kind, u64 va, u64 id);
bool faults(bool user, enum access kind, u64 va, u64 error);
bool refuses(bool user, enum access kind, u64 va);

/* ---- Words and verdicts ---- */

void say(const char *fmt, ...) __printf(1, 2);
void fail(const char *fmt, ...) __printf(1, 2);
void finish_early(void) __attribute__((noreturn));
bool in_tcg(void);
void lacks(const char *what);
bool host_has(const char *name);
const char *behind(const char *text, const char *beginning);
bool next_address(u64 *address);
bool same(const char *what, u64 got, u64 want);
bool came(const struct event *e, const struct context *c, u64 gate, u64 error,
	  u64 rip);
bool page_fault(const struct event *e, u64 cr2, u64 error);

/*
 * Made from the table: each payload's prototype, and PAYLOADS(X), which is
 * X(name, group, ends) for each.
 */
#include "table.h"

#endif
