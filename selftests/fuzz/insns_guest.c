// SPDX-License-Identifier: GPL-2.0
/*
 * The guest half of the instruction fuzzer: a payload (selftests/payload) that
 * takes batches of cases from its launcher, insns.c, runs each in guest user or
 * guest kernel mode, and writes down what came of it. Guest kernel mode; the
 * payload's runtime has the gates and the contexts.
 */
#include "payload.h"

#include "insns.h"

static struct insn_batch *batch;
static u64 *data;

static void load_fpu(const u8 *image)
{
	/* FNINIT for QEMU's TCG, see insns.c. */
	asm volatile("fninit; xrstor64 (%0)"
		     :
		     : "r"(image), "a"(FPU_MASK), "d"(0)
		     : "memory");
}

static void save_fpu(u8 *image)
{
	unsigned int i;

	/* Of the header only the bits of what is saved are written. */
	for (i = 0; i < 64; i++)
		image[512 + i] = 0;
	asm volatile("xsave64 (%0)"
		     :
		     : "r"(image), "a"(FPU_MASK), "d"(0)
		     : "memory");
}

static void null_selectors(void)
{
	asm volatile("mov %0, %%ds" : : "r"(0));
	asm volatile("mov %0, %%es" : : "r"(0));
	asm volatile("mov %0, %%fs" : : "r"(0));
	asm volatile("mov %0, %%gs" : : "r"(0));
}

static bool canonical(u64 address)
{
	return (u64)((long long)(address << 16) >> 16) == address;
}

/*
 * As it is natively: a #DB that TF made, and there are steps left. TCG goes to
 * addresses that are not canonical; a guest kernel that returns there dies.
 */
static bool one_more(const struct event *e, struct context *c,
		     const struct insn_case *x, u32 steps)
{
	if (e->gate == EXC_DB && x->insist)
		c->rflags |= FLAG_TF;
	return e->gate == EXC_DB && (c->rflags & FLAG_TF) && steps < x->steps &&
	       (c->cs != RINGLET_KERNEL_CS || canonical(c->rip));
}

static struct event *run_steps(struct context *c, const struct insn_case *x,
			       struct insn_outcome *o)
{
	struct event *e;

	o->steps = 0;
	for (;;) {
		o->last = c->rip;
		e = run(c);
		o->steps++;
		if (!one_more(e, c, x, o->steps))
			return e;
		/* The bases are live, but GS's is in the shared page already. */
	}
}

static void one(const struct insn_case *x, struct insn_outcome *o)
{
	struct context c = {
		.rip = (batch->kernel ? KERNEL_CODE_VA : CODE_VA) + x->offset,
		.cs = batch->kernel ? RINGLET_KERNEL_CS : RINGLET_USER_CS,
		.ss = batch->kernel ? RINGLET_KERNEL_SS : RINGLET_USER_SS,
		.rflags = x->rflags,
	};
	struct event *e;
	unsigned int i;

	for (i = 0; i < 16; i++)
		c.gpr[i] = x->gpr[i];
	insn_fill(data, x->data);
	load_fpu(batch->fpu);
	shared()->user_gsbase = x->gsbase;
	wrfsbase(x->fsbase);
	e = run_steps(&c, x, o);
	o->selectors = selectors();
	o->fsbase = rdfsbase();
	o->gsbase = e->user_gsbase;
	save_fpu(o->fpu);
	if (o->selectors)
		null_selectors();
	wrfsbase(0);
	o->vector = e->gate;
	o->error = e->gate < RINGLET_GATE_EXCEPTIONS ? e->frame.error : 0;
	o->cr2 = e->gate == EXC_PF ? e->cr2 : 0;
	for (i = 0; i < 16; i++)
		o->gpr[i] = c.gpr[i];
	o->rip = c.rip;
	o->rflags = c.rflags;
	o->cs = c.cs;
	o->ss = c.ss;
	o->memory = insn_hash(data);
	if (e->gate == RINGLET_GATE_INTERRUPT) {
		shared()->pending = 0;
		shared()->irq_pending = 0;
	}
}

/* In a space of our own: the runtime's has pages of users' at low addresses. */
static void map_memory(void)
{
	u64 page, i;

	pgd = space_new();
	page = page_alloc();
	data = at(page);
	map(DATA_VA, page, PTE_P | PTE_W | PTE_U | PTE_NX);
	page = page_alloc();
	insn_fill(at(page), 1);
	map(DATA_VA + PAGE_SIZE, page, PTE_P | PTE_U | PTE_NX);
	for (i = 0; i < CODE_SIZE; i += PAGE_SIZE) {
		map(CODE_VA + i, CODE_GPA + i, PTE_P | PTE_U);
		map(KERNEL_CODE_VA + i, CODE_GPA + i, PTE_P);
	}
	/* An access where there is no memory is the end of most guests. */
	for (i = memory_end(); i < RINGLET_BOOT_MAP_SIZE; i += LARGE_SIZE)
		if (i % (64 * LARGE_SIZE))
			*entry_of(pgd, RINGLET_BOOT_MAP_BASE + i, 2) = 0;
	load_cr3(pgd);
	flush_all();
}

void payload_cases(void)
{
	batch = at(BATCH_GPA);
	map_memory();
	set_xcr0(batch->xcr0);
	null_selectors();
	for (;;) {
		/* The launcher has work for us when this returns. */
		hypercall(RINGLET_HC_CONSOLE, BATCH_GPA, sizeof(u64), 0);
		while (batch->done < batch->n && batch->done < CASES) {
			one(&batch->cases[batch->done],
			    &batch->outcomes[batch->done]);
			batch->done++;
		}
	}
}
