// SPDX-License-Identifier: GPL-2.0
/*
 * The FPU: each state component by itself and all of them together, over exits
 * of every kind and interrupts at any moment; and the instructions that show or
 * move them, which are not privileged and obey the guest's XCR0.
 *
 * The C code here is compiled without vector registers, and so is the runtime:
 * what a payload has loaded stays until the next one.
 */
#include "payload.h"

SNIPPET(fpu_int3, "int3\n\tint3");
SNIPPET(fpu_syscall, "syscall\n\tint3");
SNIPPET(fpu_spin, "1: pause\n\tjmp 1b");
SNIPPET(fpu_read, "mov (%rdi), %rax\n\tint3");

#define AREA 4096

static u8 image[AREA] __attribute__((aligned(64)));
static u8 result[AREA] __attribute__((aligned(64)));

/* All components that a guest may have; and as its kernel, by XSETBV. */
static u64 all_components(void)
{
	struct cpuid c = cpuid(0xd, 0);

	return c.eax | (u64)c.edx << 32;
}

/* What the CPU has, whatever CPUID tells the guest kernel. */
static u32 native_xsave_features(void)
{
	u32 eax = 0xd, ebx, ecx = 1, edx;

	asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return eax;
}

static void xsave(void *to, u64 mask)
{
	asm volatile("xsave64 (%0)"
		     :
		     : "r"(to), "a"((u32)mask), "d"((u32)(mask >> 32))
		     : "memory");
}

static void xrstor(const void *from, u64 mask)
{
	asm volatile("xrstor64 (%0)"
		     :
		     : "r"(from), "a"((u32)mask), "d"((u32)(mask >> 32))
		     : "memory");
}

static void clear(u8 *area)
{
	unsigned int i;

	for (i = 0; i < AREA; i++)
		area[i] = 0;
}

/* ---- Exits ---- */

static void forget(void)
{
	shared()->pending = 0;
	shared()->irq_pending = 0;
}

/* Everything that leaves the guest, and what the switcher serves. */
static void leave(unsigned int i)
{
	struct context c = user_context(fpu_int3);

	switch (i % 6) {
	case 0:
		run(&c);
		break;
	case 1:
		c = user_context(fpu_syscall);
		run(&c);
		break;
	case 2:
		hypercall(RINGLET_HC_CLOCK, 0, 0, 0);
		hypercall(RINGLET_HC_SEND_IPI, 0, 0, 0);
		break;
	case 3: /* at a moment that nobody chose */
		c = user_context(fpu_spin);
		hypercall(RINGLET_HC_SET_TIMER, 300000, 0, 0);
		run(&c);
		forget();
		break;
	case 4: /* and one for which the thread sleeps */
		hypercall(RINGLET_HC_SET_TIMER, 500000, 0, 0);
		c = kernel_context(fpu_syscall);
		c.gpr[RAX] = RINGLET_HC_HALT;
		run(&c);
		hypercall(RINGLET_HC_SET_TIMER, ~0UL, 0, 0);
		forget();
		break;
	default:
		flush_all();
		c = user_context(fpu_read);
		c.gpr[RDI] = USER_DATA;
		run(&c);
	}
}

static void leave_often(void)
{
	unsigned int i;

	for (i = 0; i < 30; i++)
		leave(i);
}

static void same_bytes(const char *what, unsigned int from, unsigned int n)
{
	unsigned int i;

	for (i = from; i < from + n; i++)
		if (image[i] != result[i]) {
			fail("%s: byte %u is %x, not %x", what, i - from,
			     result[i], image[i]);
			return;
		}
}

/* ---- By FXSAVE: what every CPU has ---- */

static void fxsave_pattern(void)
{
	unsigned int i;

	clear(image);
	*(u16 *)image = 0x27f; /* precision: double */
	*(u16 *)(image + 2) = 0x3800; /* TOP 7 */
	image[4] = 0xff; /* all eight are in use */
	*(u32 *)(image + 24) = 0x5fa0; /* MXCSR: round up, FTZ off, one flag */
	for (i = 32; i < 160; i++)
		image[i] = i % 16 < 10 ? i * 7 : 0;
	for (i = 160; i < 416; i++)
		image[i] = i * 13 + 5;
}

void payload_fpu_fxsave(void)
{
	unsigned int i;

	fxsave_pattern();
	asm volatile("fxrstor64 %0" : : "m"(image));
	for (i = 0; i < 60; i++) {
		leave(i);
		clear(result);
		asm volatile("fxsave64 %0" : "=m"(result));
		same_bytes("control and status words", 0, 5);
		same_bytes("MXCSR", 24, 4);
		same_bytes("x87 registers", 32, 128);
		same_bytes("SSE registers", 160, 256);
	}
	asm volatile("fninit");
}

/* A user's registers are what the kernel loaded: there is one set. */
SNIPPET(fpu_user, "movq %xmm3, %rax\n\tmovq %rbx, %xmm3\n\tint3");

void payload_fpu_one_set(void)
{
	struct context c = user_context(fpu_user);
	u64 value = 0x123456789abcdef;

	asm volatile("movq %0, %%xmm3" : : "r"(value));
	c.gpr[RBX] = ~value;
	same("gate", run(&c)->gate, EXC_BP);
	same("what the user found", c.gpr[RAX], value);
	asm volatile("movq %%xmm3, %0" : "=r"(value));
	same("what the user left", value, ~0x123456789abcdef);
}

/* ---- XSAVE's components ---- */

/* Where a component is in the standard format, and how long; false: nowhere. */
static bool place(unsigned int n, unsigned int *offset, unsigned int *size)
{
	struct cpuid c;

	*offset = n ? 160 : 32;
	*size = n ? 256 : 128;
	if (n < 2)
		return true;
	c = cpuid(0xd, n);
	*offset = c.ebx;
	*size = c.eax;
	return c.eax && c.ebx + c.eax <= AREA;
}

static void fill(unsigned int n, unsigned int offset, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < size; i++)
		image[offset + i] = n || i % 16 < 10 ? i * 11 + n + 1 : 0;
	if (!n) {
		*(u16 *)image = 0x37f;
		image[4] = 0xff;
	}
	*(u32 *)(image + 24) = 0x1f80;
	*(u64 *)(image + 512) |= 1UL << n;
}

static void try_components(u64 mask)
{
	unsigned int n, offset, size;

	clear(image);
	for (n = 0; n < 63; n++)
		if ((mask >> n & 1) && place(n, &offset, &size))
			fill(n, offset, size);
	xrstor(image, ~0UL);
	leave_often();
	clear(result);
	xsave(result, ~0UL);
	same("XINUSE", (result[512] & mask), mask & 0xff);
	for (n = 0; n < 63; n++)
		if ((mask >> n & 1) && place(n, &offset, &size))
			same_bytes("a component", offset, size);
}

void payload_fpu_components(void)
{
	u64 all, one;

	if (!has_xsave())
		return;
	all = all_components();
	set_xcr0(all);
	for (one = 1; one & ~(1UL << 62); one <<= 1)
		if (all & one)
			try_components(one);
	try_components(all);
	/* In use for one exit, and not for the next. */
	clear(image);
	*(u32 *)(image + 24) = 0x1f80;
	xrstor(image, ~0UL);
	leave_often();
	clear(result);
	xsave(result, ~0UL);
	same_bytes("registers that were cleared", 160, 256);
	same_bytes("components that were cleared", 576, AREA - 576);
	set_xcr0(3);
}

SNIPPET(fpu_vaddps, "vaddps %ymm0, %ymm1, %ymm2\n\tint3");
SNIPPET(fpu_xgetbv, "xgetbv\n\tint3");

/* XGETBV and CPUID's sizes show the guest's XCR0; AVX is #UD without its bit. */
void payload_fpu_xcr0(void)
{
	const u64 values[] = { 1, 3, 7, 0xe7 };
	unsigned int i, k;
	u64 all;

	if (!has_xsave())
		return;
	all = all_components();
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		if (values[i] & ~all)
			continue;
		set_xcr0(values[i]);
		same("XCR0", get_xcr(0), values[i]);
		for (k = 0; k < 2; k++) {
			struct context c = k ? user_context(fpu_vaddps) :
					       kernel_context(fpu_vaddps);
			u64 rip = c.rip;
			struct event *e = run(&c);

			if (values[i] & 4)
				came(e, &c, EXC_BP, 0, rip + 5);
			else
				came(e, &c, EXC_UD, 0, rip);
			c = k ? user_context(fpu_xgetbv) :
				kernel_context(fpu_xgetbv);
			same("gate", run(&c)->gate, EXC_BP);
			same("XCR0", (u32)c.gpr[RAX], values[i]);
		}
		leave_often();
		same("XCR0", get_xcr(0), values[i]);
	}
	/* SSE does not ask XCR0, and is kept without its bit. */
	set_xcr0(1);
	asm volatile("movq %0, %%xmm7" : : "r"(0x1122334455667788));
	leave_often();
	asm volatile("movq %%xmm7, %0" : "=r"(all));
	same("an SSE register with XCR0 = 1", all, 0x1122334455667788);
	set_xcr0(3);
}

SNIPPET(fpu_xsave, "xsave64 (%rdi)\n\tint3");
SNIPPET(fpu_xrstor, "xrstor64 (%rdi)\n\tint3");
SNIPPET(fpu_xsaveopt, "xsaveopt64 (%rdi)\n\tint3");
SNIPPET(fpu_xsavec, "xsavec64 (%rdi)\n\tint3");
SNIPPET(fpu_xgetbv1, "mov $1, %ecx\n\txgetbv\n\tint3");

static struct event *with_area(struct context *c, const u8 *snippet, bool user,
			       u64 offset, u64 mask)
{
	*c = user ? user_context(snippet) : kernel_context(snippet);
	c->gpr[RDI] = USER_DATA + offset;
	c->gpr[RAX] = (u32)mask;
	c->gpr[RDX] = mask >> 32;
	return run(c);
}

/*
 * Each instruction in either mode: only what XCR0 has is written; an area that
 * is not aligned, or that is not one, is #GP, and nothing was loaded.
 */
void payload_fpu_instructions(void)
{
	u64 *area = at(*entry_of(pgd, USER_DATA, 1) & PTE_ADDR), all, xmm;
	unsigned int i, user;
	struct context c;
	struct event *e;

	if (!has_xsave())
		return;
	all = all_components();
	set_xcr0(all);
	for (user = 0; user < 2; user++) {
		static const u8 *const saves[] = { fpu_xsave, fpu_xsaveopt,
						   fpu_xsavec };

		for (i = 0; i < ARRAY_SIZE(saves); i++) {
			unsigned int k;

			/* Not every CPU has XSAVEOPT, or XSAVEC. */
			if (i && !(native_xsave_features() >> (i - 1) & 1))
				continue;
			for (k = 0; k < PAGE_SIZE / 8; k++)
				area[k] = 0;
			asm volatile("movq %0, %%xmm0" : : "r"(0x4444444444));
			e = with_area(&c, saves[i], user, 0, ~0UL);
			same("gate", e->gate, EXC_BP);
			same("components beyond XCR0", area[64] & ~all, 0);
			same("SSE in use", area[64] & 2, 2);
			same("what was saved", area[20], 0x4444444444);
			e = with_area(&c, saves[i], user, 8, ~0UL);
			same("gate of a bad area", e->gate, EXC_GP);
			for (k = 0; k < PAGE_SIZE / 8; k++)
				area[k] = 0;
			e = with_area(&c, saves[i], user, 0, 1);
			same("gate", e->gate, EXC_BP);
			same("SSE that was not asked for", area[20], 0);
		}
		for (i = 0; i < PAGE_SIZE / 8; i++)
			area[i] = 0;
		*(u32 *)(area + 3) = 0x1f80;
		area[64] = 2;
		area[20] = 0x77;
		same("gate", with_area(&c, fpu_xrstor, user, 0, ~0UL)->gate,
		     EXC_BP);
		asm volatile("movq %%xmm0, %0" : "=r"(xmm));
		same("what was loaded", xmm, 0x77);
		area[20] = 0x88;
		same("gate of a bad area",
		     with_area(&c, fpu_xrstor, user, 8, ~0UL)->gate, EXC_GP);
		area[64] = 2 | 1UL << 62;
		same("gate of components beyond XCR0",
		     with_area(&c, fpu_xrstor, user, 0, ~0UL)->gate, EXC_GP);
		area[64] = 2;
		area[65] = 1; /* XCOMP_BV without bit 63 */
		same("gate of a bad header",
		     with_area(&c, fpu_xrstor, user, 0, ~0UL)->gate, EXC_GP);
		area[65] = 0;
		asm volatile("movq %%xmm0, %0" : "=r"(xmm));
		same("what was not loaded", xmm, 0x77);
		/* XGETBV(1), where there is: a part of XCR0. */
		e = with_area(&c, fpu_xgetbv1, user, 0, 0);
		if (e->gate == EXC_BP)
			same("XINUSE", (u32)c.gpr[RAX] & ~all, 0);
		else
			same("gate", e->gate, EXC_GP);
	}
	set_xcr0(3);
}

/* An area on two pages of which the second is not there: #PF, then it goes on. */
void payload_fpu_page_fault(void)
{
	struct context c;
	struct event *e;
	u64 offset = PAGE_SIZE - 256, xmm;
	unsigned int user;

	for (user = 0; user < 2; user++) {
		u64 next = FREE_VA + PAGE_SIZE;

		map(FREE_VA, page_alloc(), PTE_P | PTE_W | PTE_U);
		map(next, 0, 0);
		invlpg(next);
		asm volatile("movq %0, %%xmm5" : : "r"(0x5555UL));
		c = user ? user_context(fpu_xsave) : kernel_context(fpu_xsave);
		c.gpr[RDI] = FREE_VA + offset;
		c.gpr[RAX] = 3;
		if (!has_xsave())
			return;
		e = run(&c);
		same("gate", e->gate, EXC_PF);
		same("the page", e->cr2 & ~0xfffUL, next);
		map(next, page_alloc(), PTE_P | PTE_W | PTE_U);
		same("gate", run(&c)->gate, EXC_BP);
		asm volatile("movq %%xmm5, %0" : "=r"(xmm));
		same("a register", xmm, 0x5555);
	}
}
