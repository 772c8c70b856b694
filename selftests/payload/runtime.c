// SPDX-License-Identifier: GPL-2.0
/*
 * The payload kernel's C: start, gates, contexts, words. See payload.h for the
 * idea. Guest kernel mode, virtual IF clear but in contexts that set it.
 *
 * The command line says what to run: "payload=NAME" is one payload,
 * "payload=GROUP" all harmless ones of a group, of which "after=NAME" skips the
 * first ones. Each prints "ok NAME" or, with its complaints before it, "not ok
 * NAME"; after the last the guest powers off. "# untested: WORDS" before that
 * says what an emulator had not for it. "try=ADDRESS,..." is a list of
 * hexadecimal numbers for a payload that wants it, and "host=WORD,..." what the
 * host's kernel has turned on, of what the CPU does not tell.
 *
 * vCPU 0 runs the payloads. One that wants others starts them, with a function,
 * and they stop when it returns. Whatever is one's own is in its area.
 */
#include <asm/bootparam.h>

#include "payload.h"
#include "runtime.h"

struct payload {
	const char *name;
	const char *group;
	bool harmless;
	void (*function)(void);
};

#define pass true
#define killed false
#define either false
#define panic false
#define timeout false
#define restart false
#define PAYLOAD_ROW(name, group, ends) { #name, #group, ends, payload_##name },
static const struct payload payloads[] = { PAYLOADS(PAYLOAD_ROW) };
#undef PAYLOAD_ROW
#undef pass
#undef killed
#undef either
#undef panic
#undef timeout
#undef restart

/**
 * struct area - what is one vCPU's own
 * @arrival: registers at the last gate; written by start.S
 * @resumer_rsp: where resume_context() was called; written by start.S
 * @running: what run() resumed, NULL if nothing is run
 * @event: what came of it
 * @function: what start_vcpu() was given
 * @argument: same
 * @line: what it says
 * @line_len: bytes in it
 * @reserved: up to the stacks
 * @stacks: three, each growing down: the C code's, the gates', contexts'
 */
struct area {
	u64 arrival[16];
	u64 resumer_rsp;
	struct context *running;
	struct event event;
	void (*function)(void *argument);
	void *argument;
	char line[512];
	size_t line_len;
	u8 stacks[] __attribute__((aligned(4096)));
};

u8 areas[VCPUS * AREA_SIZE] __attribute__((aligned(4096)));

_Static_assert(offsetof(struct area, resumer_rsp) == AREA_RESUMER_RSP,
	       "start.S knows it");
_Static_assert(offsetof(struct area, stacks) <= AREA_STACK_END - 0x4000,
	       "start.S knows it");

static const struct payload *current;
static bool failed;

unsigned int this_vcpu(void)
{
	unsigned int limit;

	asm volatile("lsll %1, %0" : "=r"(limit) : "r"(CPU_NUMBER_SELECTOR));
	return limit & 0xfff;
}

static struct area *area_of(unsigned int vcpu)
{
	return (struct area *)&areas[vcpu * AREA_SIZE];
}

static struct area *this_area(void)
{
	return area_of(this_vcpu());
}

/* ---- Words ---- */

static void put(char c)
{
	struct area *area = this_area();

	if (area->line_len < sizeof(area->line))
		area->line[area->line_len++] = c;
}

static void put_number(u64 n, unsigned int base)
{
	char digits[24];
	int i = 0;

	do {
		digits[i++] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n);
	while (i)
		put(digits[--i]);
}

/* %s, %c, %u, %d and %x; numbers with or without ll. */
static void format(const char *fmt, va_list args)
{
	const char *s;
	bool wide;
	long long n;

	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(*fmt);
			continue;
		}
		wide = *++fmt == 'l';
		fmt += 2 * wide;
		switch (*fmt) {
		case 's':
			for (s = va_arg(args, const char *); *s; s++)
				put(*s);
			break;
		case 'c':
			put(va_arg(args, int));
			break;
		case 'd':
			n = wide ? va_arg(args, long long) : va_arg(args, int);
			if (n < 0)
				put('-');
			put_number(n < 0 ? -(u64)n : (u64)n, 10);
			break;
		case 'u':
		case 'x':
			put_number(wide ? va_arg(args, u64) :
					  va_arg(args, unsigned int),
				   *fmt == 'u' ? 10 : 16);
			break;
		}
	}
}

static void flush_line(void)
{
	struct area *area = this_area();

	hypercall(RINGLET_HC_CONSOLE, gpa_of(area->line), area->line_len, 0);
	area->line_len = 0;
}

void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	format(fmt, args);
	va_end(args);
	put('\n');
	flush_line();
}

/* A complaint. The payload goes on, and has failed. */
void fail(const char *fmt, ...)
{
	va_list args;

	failed = true;
	put('#');
	put(' ');
	va_start(args, fmt);
	format(fmt, args);
	va_end(args);
	put('\n');
	flush_line();
}

bool same(const char *what, u64 got, u64 want)
{
	if (got != want)
		fail("%s is %llx, not %llx", what, got, want);
	return got == want;
}

/* The event, its error code, and the RIP that it interrupted. */
bool came(const struct event *e, const struct context *c, u64 gate, u64 error,
	  u64 rip)
{
	if (e->gate == gate && c->rip == rip &&
	    (gate > RINGLET_GATE_INT80 || e->frame.error == error))
		return true;
	fail("gate %llx error %llx RIP %llx (CR2 %llx), not gate %llx error %llx RIP %llx",
	     e->gate, e->frame.error, c->rip, e->cr2, gate, error, rip);
	return false;
}

bool page_fault(const struct event *e, u64 cr2, u64 error)
{
	if (e->gate == EXC_PF && e->cr2 == cr2 && e->frame.error == error)
		return true;
	fail("gate %llx error %llx CR2 %llx, not a page fault of error %llx at %llx",
	     e->gate, e->frame.error, e->cr2, error, cr2);
	return false;
}

/* ---- Events ---- */

extern const u8 gates[], snippets_start[], snippets_end[];
void resume_context(const u64 *gpr, struct area *area);
void arrived(unsigned int index, u64 rflags);

static const u16 gate_numbers[] = {
	RINGLET_GATE_INT80,
	RINGLET_GATE_SYSCALL,
	RINGLET_GATE_SYSCALL32,
	RINGLET_GATE_INTERRUPT,
};

static unsigned int gate_index(u64 gate)
{
	unsigned int i;

	if (gate < RINGLET_GATE_EXCEPTIONS)
		return gate;
	for (i = 0; i < ARRAY_SIZE(gate_numbers); i++)
		if (gate_numbers[i] == gate)
			break;
	return RINGLET_GATE_EXCEPTIONS + i;
}

u64 default_gate(u64 gate)
{
	return (u64)gates + 16 * gate_index(gate);
}

u64 try_get_dr(u64 nr, u64 *value)
{
	u64 result, rdi = nr;

	asm volatile("syscall"
		     : "=a"(result), "+D"(rdi)
		     : "a"((u64)RINGLET_HC_GET_DR)
		     : "rcx", "r11", "memory");
	*value = rdi;
	return result;
}

u64 get_dr(u64 nr)
{
	u64 value;

	same("GET_DR", try_get_dr(nr, &value), 0);
	return value;
}

struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	register u64 r10 asm("r10");
	u64 rax = RINGLET_HC_CPUID, rdi = leaf, rsi = subleaf, rdx;

	asm volatile("syscall"
		     : "+a"(rax), "+D"(rdi), "+S"(rsi), "=d"(rdx), "=r"(r10)
		     :
		     : "rcx", "r11", "memory");
	same("CPUID", rax, 0);
	same("what is above 32 bits", (rdi | rsi | rdx | r10) >> 32, 0);
	return (struct cpuid){ rdi, rsi, rdx, r10 };
}

bool has_xsave(void)
{
	return cpuid(1, 0).ecx >> 27 & 1;
}

void set_gate(u64 gate, u64 address)
{
	hypercall(RINGLET_HC_SET_GATE, gate, address, 0);
}

static void set_gates(void)
{
	unsigned int i;

	for (i = 0; i < RINGLET_GATE_EXCEPTIONS; i++)
		set_gate(i, default_gate(i));
	for (i = 0; i < ARRAY_SIZE(gate_numbers); i++)
		set_gate(gate_numbers[i], default_gate(gate_numbers[i]));
}

/*
 * NMIs come in contexts only: not while busy is set, and then not until the
 * next IRET.
 */
static void copy_event(struct event *event, unsigned int index, u64 rflags)
{
	event->gate = index < RINGLET_GATE_EXCEPTIONS ?
			      index :
			      gate_numbers[index - RINGLET_GATE_EXCEPTIONS];
	event->frame = *(struct ringlet_frame *)&shared()->event;
	event->rflags = rflags;
	event->gsbase = rdgsbase();
	event->cr2 = shared()->cr2;
	event->user_gsbase = shared()->user_gsbase;
	event->flags = shared()->flags;
	event->pending = shared()->pending;
	event->busy = shared()->busy;
	event->nmi_blocked = shared()->nmi_blocked;
	shared()->nmi_blocked = 1;
	shared()->busy = 0;
}

/* Of a system call the frame has RIP, RFLAGS and RSP; the gate says the rest. */
static void copy_context(struct context *c, const struct area *area)
{
	const struct ringlet_frame *f = &area->event.frame;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(c->gpr); i++)
		c->gpr[i] = area->arrival[i];
	c->rip = f->rip;
	c->rflags = f->rflags;
	c->cs = f->cs;
	c->ss = f->ss;
	c->gpr[RCX] = f->rcx;
	c->gpr[R11] = f->r11;
	if (area->event.gate == RINGLET_GATE_SYSCALL) {
		c->cs = RINGLET_USER_CS;
		c->ss = RINGLET_USER_SS;
		c->gpr[RCX] = f->rip;
		c->gpr[R11] = f->rflags;
	}
	if (area->arrival[RSP] != f->rsp)
		fail("RSP is %llx at the gate and %llx in the frame",
		     area->arrival[RSP], f->rsp);
}

/* Called by the gates, on a stack of its own. */
void arrived(unsigned int index, u64 rflags)
{
	struct area *area = this_area();
	struct event *event = &area->event;
	struct context *c = area->running;

	copy_event(event, index, rflags);
	area->running = NULL;
	if (!c) {
		fail("vCPU %u: gate %llx error %llx CR2 %llx at RIP %llx RSP %llx, and nothing was run",
		     this_vcpu(), event->gate, event->frame.error, event->cr2,
		     event->frame.rip, event->frame.rsp);
		finish_early();
	}
	copy_context(c, area);
}

/* Resume what shared.ret says, with @c's other registers. */
struct event *run_return_frame(struct context *c)
{
	struct area *area = this_area();

	area->running = c;
	resume_context(c->gpr, area);
	return &area->event;
}

struct event *run(struct context *c)
{
	volatile struct ringlet_frame *ret = &shared()->ret;

	ret->rip = c->rip;
	ret->cs = c->cs;
	ret->rflags = c->rflags;
	ret->rsp = c->gpr[RSP];
	ret->ss = c->ss;
	ret->rax = c->gpr[RAX];
	ret->rcx = c->gpr[RCX];
	ret->r11 = c->gpr[R11];
	return run_return_frame(c);
}

u64 user_address(const u8 *snippet)
{
	return USER_TEXT + (snippet - snippets_start);
}

struct context user_context(const u8 *snippet)
{
	return (struct context){
		.rip = user_address(snippet),
		.cs = RINGLET_USER_CS,
		.rflags = FLAG_FIXED | FLAG_IF,
		.ss = RINGLET_USER_SS,
		.gpr[RSP] = USER_STACK_END,
	};
}

struct context kernel_context(const u8 *snippet)
{
	return (struct context){
		.rip = (u64)snippet,
		.cs = RINGLET_KERNEL_CS,
		.rflags = FLAG_FIXED,
		.ss = RINGLET_KERNEL_SS,
		.gpr[RSP] = (u64)this_area() + AREA_KERNEL_STACK_END,
	};
}

/* ---- Other vCPUs ---- */

unsigned int nr_vcpus(void)
{
	return shared()->nr_vcpus;
}

bool is_stopped(unsigned int vcpu)
{
	const volatile struct ringlet_status *status =
		(void *)RINGLET_STATUS_VA;

	return !(status[vcpu].state & RINGLET_VCPU_STARTED);
}

/* For loops that wait for another vCPU, which may need our CPU. */
void relax(unsigned int tries)
{
	asm volatile("pause" : : : "memory");
	if (tries % 64 == 63)
		hypercall(RINGLET_HC_YIELD, tries / 64 % nr_vcpus(), 0, 0);
}

/* False, with a complaint, if it does not come true in a long time. */
bool wait_for_word(const volatile u64 *word, u64 value)
{
	u64 end = hypercall(RINGLET_HC_CLOCK, 0, 0, 0) + WAIT_NS;
	unsigned int tries;

	for (tries = 1; *word != value; tries++) {
		relax(tries);
		if (tries % 1024 == 0 &&
		    hypercall(RINGLET_HC_CLOCK, 0, 0, 0) > end) {
			fail("a word stays %llx and does not become %llx",
			     *word, value);
			return false;
		}
	}
	return true;
}

void wait_stopped(unsigned int vcpu)
{
	u64 end = hypercall(RINGLET_HC_CLOCK, 0, 0, 0) + WAIT_NS;
	unsigned int tries;

	for (tries = 1; !is_stopped(vcpu); tries++) {
		relax(tries);
		if (tries % 1024 == 0 &&
		    hypercall(RINGLET_HC_CLOCK, 0, 0, 0) > end) {
			fail("vCPU %u does not stop", vcpu);
			finish_early();
		}
	}
}

void other_main(void)
{
	struct area *area = this_area();

	shared()->nmi_blocked = 1;
	area->function(area->argument);
	for (;;)
		hypercall(RINGLET_HC_VCPU_STOP, 0, 0, 0);
}

/* For VCPU_START: RIP and RSP with which start_vcpu()'s function is called. */
u64 prepare_vcpu(unsigned int vcpu, void (*function)(void *), void *argument)
{
	struct area *area = area_of(vcpu);

	area->running = NULL;
	area->line_len = 0;
	area->function = function;
	area->argument = argument;
	return (u64)area + AREA_STACK_END;
}

void start_vcpu(unsigned int vcpu, void (*function)(void *), void *argument)
{
	u64 rsp = prepare_vcpu(vcpu, function, argument);

	same("VCPU_START",
	     hypercall5(RINGLET_HC_VCPU_START, vcpu, (u64)other_start, rsp, 0,
			pgd),
	     0);
}

/* ---- The host ---- */

/* Is this QEMU's software CPU, which has flaws of its own? */
bool in_tcg(void)
{
	struct cpuid c = native_cpuid(0x40000000, 0);

	return c.ebx == 0x54474354 && c.ecx == 0x43544743 &&
	       c.edx == 0x47435447;
}

/*
 * The CPU has not done what CPUs do, so the payload has not shown what it is
 * for: an emulator.
 */
void lacks(const char *what)
{
	say("# untested: %s", what);
}

/* ---- Running payloads ---- */

/* As every payload finds it, whatever the last one left behind. */
static void set_up(void)
{
	u64 gpa;

	shared()->flags = 0;
	shared()->pending = 0;
	shared()->irq_pending = 0;
	shared()->busy = 0;
	shared()->nmi_blocked = 1;
	shared()->user_gsbase = 0;
	hypercall(RINGLET_HC_SET_TIMER, ~0UL, 0, 0);
	hypercall(RINGLET_HC_SET_DR, 7, 0x400, 0);
	hypercall(RINGLET_HC_SET_CR4, 0, 0, 0);
	hypercall(RINGLET_HC_LOAD_TLS, 0, 0, 0);
	wrgsbase(0);
	wrfsbase(0);
	set_gates();

	memory_reset();
	pgd = space_new();
	load_cr3(pgd);
	flush_all();
	for (gpa = 0; gpa < (u64)(snippets_end - snippets_start);
	     gpa += PAGE_SIZE)
		map(USER_TEXT + gpa, gpa_of(snippets_start) + gpa,
		    PTE_P | PTE_U);
	map(USER_DATA, page_alloc(), PTE_P | PTE_W | PTE_U);
	map(USER_STACK_END - PAGE_SIZE, page_alloc(), PTE_P | PTE_W | PTE_U);
}

static void report(void)
{
	say("%s %s", failed ? "not ok" : "ok", current->name);
}

static void run_payload(const struct payload *p)
{
	current = p;
	failed = false;
	set_up();
	p->function();
	report();
}

static void __attribute__((noreturn)) power_off(void)
{
	for (;;)
		hypercall(RINGLET_HC_SHUTDOWN, RINGLET_SHUTDOWN_POWEROFF, 0, 0);
}

/* When nothing after this can be trusted. */
void finish_early(void)
{
	report();
	power_off();
}

static bool equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* What @text has behind @beginning; NULL if it does not begin so. */
const char *behind(const char *text, const char *beginning)
{
	for (; *beginning; text++, beginning++)
		if (*text != *beginning)
			return NULL;
	return text;
}

/* The value of a word on the command line, ended there; "" if there is none. */
static const char *word(char *line, const char *key)
{
	char *value, *end;

	for (; *line; line++) {
		value = (char *)behind(line, key);
		if (!value)
			continue;
		for (end = value; *end > ' '; end++)
			;
		*end = '\0';
		return value;
	}
	return "";
}

static const char *host_words;

/* Has the host's kernel turned that on? "host=WORD,..." says so. */
bool host_has(const char *name)
{
	const char *w, *rest;

	if (!*host_words)
		fail("nothing says whether the host has %s", name);
	for (w = host_words; *w; w += *w == ',') {
		rest = behind(w, name);
		if (rest && (!*rest || *rest == ','))
			return true;
		while (*w && *w != ',')
			w++;
	}
	return false;
}

static const char *addresses_to_try;

/* The next address of "try=" on the command line; false if there is none. */
bool next_address(u64 *address)
{
	u64 digit;

	if (!*addresses_to_try)
		return false;
	*address = 0;
	for (; *addresses_to_try && *addresses_to_try != ',';
	     addresses_to_try++) {
		digit = *addresses_to_try;
		digit = digit <= '9' ? digit - '0' : digit - 'a' + 10;
		*address = *address << 4 | digit;
	}
	if (*addresses_to_try)
		addresses_to_try++;
	return true;
}

void start(u64 zero_page)
{
	struct boot_params *params = at(zero_page);
	char *command_line = at(params->hdr.cmd_line_ptr);
	/* Each ends the line behind it: the last first. */
	const char *addresses = word(command_line, "try=");
	const char *host = word(command_line, "host=");
	const char *after = word(command_line, "after=");
	const char *what = word(command_line, "payload=");
	bool skipping = *after;
	unsigned int i, done = 0;

	addresses_to_try = addresses;
	host_words = host;
	memory_init(params);
	for (i = 0; i < ARRAY_SIZE(payloads); i++) {
		const struct payload *p = &payloads[i];

		if ((equal(p->group, what) && p->harmless && !skipping) ||
		    equal(p->name, what)) {
			run_payload(p);
			done++;
		}
		if (equal(p->name, after))
			skipping = false;
	}
	if (!done)
		say("no payload is called '%s'", what);
	power_off();
}
