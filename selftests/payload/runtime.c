// SPDX-License-Identifier: GPL-2.0
/*
 * The payload kernel's C: start, gates, contexts, words. See payload.h for the
 * idea. Guest kernel mode, virtual IF clear but in contexts that set it.
 *
 * The command line says what to run: "payload=NAME" is one payload,
 * "payload=GROUP" all harmless ones of a group, of which "after=NAME" skips the
 * first ones. Each prints "ok NAME" or, with its complaints before it, "not ok
 * NAME"; after the last the guest powers off.
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
#define PAYLOAD_ROW(name, group, ends) { #name, #group, ends, payload_##name },
static const struct payload payloads[] = { PAYLOADS(PAYLOAD_ROW) };
#undef PAYLOAD_ROW
#undef pass
#undef killed
#undef either

static const struct payload *current;
static bool failed;

/* ---- Words ---- */

static char line[512];
static size_t line_len;

static void put(char c)
{
	if (line_len < sizeof(line))
		line[line_len++] = c;
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
	hypercall(RINGLET_HC_CONSOLE, gpa_of(line), line_len, 0);
	line_len = 0;
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

extern u64 arrival[16];
extern const u8 gates[], kernel_stack_end[], snippets_start[], snippets_end[];
void resume_context(const u64 *gpr);
void arrived(unsigned int index, u64 rflags);

static const u16 gate_numbers[] = {
	RINGLET_GATE_INT80,
	RINGLET_GATE_SYSCALL,
	RINGLET_GATE_SYSCALL32,
	RINGLET_GATE_INTERRUPT,
};

static struct context *running;
static struct event event;

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

static void copy_event(unsigned int index, u64 rflags)
{
	event.gate = index < RINGLET_GATE_EXCEPTIONS ?
			     index :
			     gate_numbers[index - RINGLET_GATE_EXCEPTIONS];
	event.frame = *(struct ringlet_frame *)&shared()->event;
	event.rflags = rflags;
	event.gsbase = rdgsbase();
	event.cr2 = shared()->cr2;
	event.user_gsbase = shared()->user_gsbase;
	event.flags = shared()->flags;
	event.pending = shared()->pending;
	event.busy = shared()->busy;
	shared()->busy = 0;
}

/* Of a system call the frame has RIP, RFLAGS and RSP; the gate says the rest. */
static void copy_context(struct context *c)
{
	const struct ringlet_frame *f = &event.frame;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(c->gpr); i++)
		c->gpr[i] = arrival[i];
	c->rip = f->rip;
	c->rflags = f->rflags;
	c->cs = f->cs;
	c->ss = f->ss;
	c->gpr[RCX] = f->rcx;
	c->gpr[R11] = f->r11;
	if (event.gate == RINGLET_GATE_SYSCALL) {
		c->cs = RINGLET_USER_CS;
		c->ss = RINGLET_USER_SS;
		c->gpr[RCX] = f->rip;
		c->gpr[R11] = f->rflags;
	}
	if (arrival[RSP] != f->rsp)
		fail("RSP is %llx at the gate and %llx in the frame",
		     arrival[RSP], f->rsp);
}

/* Called by the gates, on a stack of its own. */
void arrived(unsigned int index, u64 rflags)
{
	struct context *c = running;

	copy_event(index, rflags);
	running = NULL;
	if (!c) {
		fail("gate %llx error %llx CR2 %llx at RIP %llx RSP %llx, and nothing was run",
		     event.gate, event.frame.error, event.cr2, event.frame.rip,
		     event.frame.rsp);
		finish_early();
	}
	copy_context(c);
}

/* Resume what shared.ret says, with @c's other registers. */
struct event *run_return_frame(struct context *c)
{
	running = c;
	resume_context(c->gpr);
	return &event;
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
		.gpr[RSP] = (u64)kernel_stack_end,
	};
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
	shared()->user_gsbase = 0;
	hypercall(RINGLET_HC_SET_TIMER, ~0UL, 0, 0);
	hypercall(RINGLET_HC_SET_DR, 7, 0x400, 0);
	hypercall(RINGLET_HC_SET_CR4, 0, 0, 0);
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

/* The value of a word on the command line, ended there; "" if there is none. */
static const char *word(char *line, const char *key)
{
	size_t i;
	char *end;

	for (; *line; line++) {
		for (i = 0; key[i] && line[i] == key[i]; i++)
			;
		if (key[i])
			continue;
		for (end = line + i; *end > ' '; end++)
			;
		*end = '\0';
		return line + i;
	}
	return "";
}

void start(u64 zero_page)
{
	struct boot_params *params = at(zero_page);
	char *command_line = at(params->hdr.cmd_line_ptr);
	const char *after = word(command_line, "after=");
	const char *what = word(command_line, "payload=");
	bool skipping = *after;
	unsigned int i, done = 0;

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
