// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest must not reach: the switcher's window, other windows, whatever
 * else lies in the hypervisor's hole, and the host's own addresses, mapped or
 * not. Reading, writing and executing them is a fault in either mode, and the
 * register that was to be read keeps its value.
 */
#include "payload.h"

#define FULL (PTE_P | PTE_W | PTE_U)

struct range {
	u64 start;
	u64 step;
	unsigned int n;
};

#define RECURSIVE(n) \
	(0xffff000000000000UL | (n) << 39 | (n) << 30 | (n) << 21 | (n) << 12)

/* clang-format off */
/* The hole's own: window 0 page by page, other windows, what hangs in the slot. */
static const struct range hole[] = {
	{ 0xffff878000000000, 0x1000, 12 },
	{ 0xffff878000200000, 0x200000, 16 },
	{ 0xffff878000203000, 0x200000, 4 },
	{ 0xffff87803fe00000, 0x1000, 8 },
	{ 0xffff87c000000000, 0x1000, 8 },		/* the linear map */
	{ 0xffff87c000000000, 0x40000000, 32 },
	{ 0xffff87c001000000, 0x1000, 8 },
	{ 0xffff870000000000, 0x1000, 8 },		/* tables by themselves */
	{ 0xffff870000000000, 0x200000000, 32 },
	{ RECURSIVE(270UL), 8 * 16, 32 },
	{ RECURSIVE(271UL), 8 * 16, 32 },
	{ RECURSIVE(256UL), 8 * 16, 32 },
	{ 0xffff800000000000, 0x8000000000, 16 },
	{ 0xffff87fffffff000, 0x1000, 1 },
};

/* The host's, at the addresses that it has without KASLR. */
static const struct range host[] = {
	{ 0xffff880000000000, 0x1000, 4 },		/* LDT, with KPTI */
	{ 0xffff888000000000, 0x1000, 4 },		/* all memory */
	{ 0xffff888000000000, 0x10000000, 16 },
	{ 0xffffc90000000000, 0x1000, 16 },		/* vmalloc */
	{ 0xffffea0000000000, 0x1000, 4 },		/* struct pages */
	{ 0xfffffe0000000000, 0x1000, 64 },		/* IDT, GDT, TSS, stacks */
	{ 0xffffff0000000000, 0x1000, 4 },		/* espfix */
	{ 0xffffffef00000000, 0x1000, 4 },		/* EFI */
	{ 0xffffffff00000000, 0x10000000, 8 },
	{ 0xffffffffc0000000, 0x1000, 32 },		/* modules */
	{ 0xffffffffc0000000, 0x400000, 100 },
	{ 0xfffffffffe000000, 0x100000, 16 },
	{ 0xffffffffff000000, 0x20000, 64 },		/* fixmap */
	{ 0xffffffffff5fb000, 0x1000, 8 },		/* APIC, vsyscall */
	{ 0xffffffffffffb000, 0x1000, 1 },
	{ 0xfffffffffffff000, 0x1000, 1 },
};

/* The same on a host with five levels: beyond a guest's 48 bits. */
static const struct range not_canonical[] = {
	{ 0xff0f000000000000, 0x1000, 12 },
	{ 0xff0f000000200000, 0x200000, 4 },
	{ 0xff0f000000203000, 0x200000, 4 },
	{ 0xff0f004000000000, 0x1000, 4 },
	{ 0xff0f004000000000, 0x40000000, 32 },
	{ 0xff0e000000000000, 0x1000, 4 },
	{ 0xff0e000000000000, 0x20000000000, 32 },
	{ 0xff10000000000000, 0x1000, 4 },
	{ 0xff11000000000000, 0x1000, 4 },
	{ 0xffa0000000000000, 0x1000, 4 },
	{ 0xffd4000000000000, 0x1000, 4 },
	{ 0x0000800000000000, 0x1000, 2 },
	{ 0x00ffffffffffe000, 0x1000, 2 },
	{ 0xff00000000000000, 0x1000, 2 },
};
/* clang-format on */

static void no_access(const struct range *ranges, unsigned int n)
{
	unsigned int i, j, k;

	for (i = 0; i < n; i++)
		for (j = 0; j < ranges[i].n; j++)
			for (k = 0; k < 6; k++)
				faults(k & 1, k / 2,
				       ranges[i].start + j * ranges[i].step, 0);
}

void payload_contain_hole(void)
{
	no_access(hole, ARRAY_SIZE(hole));
}

/* The guest's own tables do not open the hole. */
void payload_contain_hole_mapped(void)
{
	u64 table = page_alloc(), *words = at(table), page = page_with(1);
	u64 *top = at(pgd);
	unsigned int i;

	/* One table for level 3 and, by 1 GiB and 4 KiB entries, for all. */
	for (i = 0; i < 512; i++)
		words[i] = table | FULL;
	words[0] = page | FULL;
	for (i = 256; i <= 271; i++)
		top[i] = table | FULL;
	flush_all();
	no_access(hole, ARRAY_SIZE(hole));
	for (i = 256; i <= 271; i++)
		top[i] = FULL | PTE_G | PTE_A | PTE_D;
	load_cr3(pgd);
	no_access(hole, ARRAY_SIZE(hole));
	/* All goes on as before. */
	map(FREE_VA, page_with(2), FULL);
	accesses(true, READ, FREE_VA, 2);
}

void payload_contain_host(void)
{
	no_access(host, ARRAY_SIZE(host));
}

/*
 * Anywhere: with KASLR that is where the host's memory is, and below the split
 * its launcher's.
 */
void payload_contain_random(void)
{
	static const struct {
		u64 start, end;
	} regions[] = {
		{ RINGLET_HOLE_START, RINGLET_HOLE_END },
		{ RINGLET_HOLE_END, 0xffffffff00000000 },
		{ 0x100000000, LOWER_END },
	};
	u64 x = 0x2545f4914f6cdd1d, va;
	unsigned int i;

	for (i = 0; i < 6000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		va = regions[i % 3].start +
		     x % (regions[i % 3].end - regions[i % 3].start);
		if (!faults(x >> 20 & 1, (x >> 24) % 3, va & ~7UL, 0)) {
			fail("that was address number %u", i);
			return;
		}
	}
}

/*
 * The host's kernel text and data are where the guest's are: without the boot
 * map there is only the guest's own image.
 */
void payload_contain_text(void)
{
	extern u8 image_end[];
	u64 space = page_alloc(), pud = page_alloc(), pmd = page_alloc();
	u64 *to = at(space), va;
	unsigned int i, k;

	*to = *(u64 *)at(pgd);
	to[511] = pud | PTE_P | PTE_W;
	((u64 *)at(pud))[510] = pmd | PTE_P | PTE_W;
	/* Ours, and the pages behind it for this payload's tables. */
	for (i = 8; i * LARGE_SIZE <= gpa_of(image_end) + LARGE_SIZE; i++)
		((u64 *)at(pmd))[i] = i * LARGE_SIZE | PTE_P | PTE_W | PTE_PS;
	load_cr3(space);
	flush_all();
	for (; i < 512; i++) {
		va = RINGLET_BOOT_MAP_BASE + i * LARGE_SIZE;
		for (k = 0; k < 6; k++)
			faults(k & 1, k / 2, va, 0);
	}
	for (k = 0; k < 6; k++)
		faults(k & 1, k / 2, RINGLET_BOOT_MAP_BASE, 0);
	load_cr3(pgd);
	flush_all();
}

/* Natively #GP: what is not canonical for a guest has no page fault. */
void payload_contain_not_canonical(void)
{
	unsigned int i, j, k;

	for (i = 0; i < ARRAY_SIZE(not_canonical); i++)
		for (j = 0; j < not_canonical[i].n; j++)
			for (k = 0; k < 6; k++)
				refuses(k & 1, k / 2,
					not_canonical[i].start +
						j * not_canonical[i].step);
}

/* The shared page is the kernel's alone, and nothing lies around it. */
void payload_contain_shared(void)
{
	unsigned int k;

	for (k = 0; k < 3; k++)
		faults(true, k, RINGLET_SHARED_VA + 64 * k, 0);
	for (k = sizeof(struct ringlet_shared); k < PAGE_SIZE; k++)
		same("a byte behind what is shared",
		     ((volatile u8 *)shared())[k], 0);
}

/* The VM's status page: the kernel's to read, nobody's to write. */
void payload_contain_status(void)
{
	struct context c = { 0 };
	unsigned int k;
	u64 va;

	for (va = RINGLET_STATUS_VA; va < RINGLET_STATUS_VA + PAGE_SIZE;
	     va += 0x7f8) {
		same("gate", do_access(&c, false, READ, va)->gate, EXC_BP);
		faults(false, WRITE, va, PF_P);
		for (k = 0; k < 3; k++)
			faults(true, k, va, 0);
		invlpg(va);
	}
	/* The guest's own entry counts for nothing. */
	map(RINGLET_STATUS_VA, page_with(30), FULL);
	flush_all();
	same("gate", do_access(&c, false, READ, RINGLET_STATUS_VA)->gate,
	     EXC_BP);
	if (c.gpr[RAX] == CONTENT(30))
		fail("the status page is the guest's");
	faults(false, WRITE, RINGLET_STATUS_VA, PF_P);
	faults(true, WRITE, RINGLET_STATUS_VA, PF_P);
}

/* Addresses that hypercalls take are guest-physical, and all in one slot. */
void payload_contain_console(void)
{
	u64 end = memory_end(), efault = (u64)-14;
	const struct {
		u64 gpa, len;
	} bad[] = {
		{ end, 1 },
		{ end - 1, 2 },
		{ 0, end + 1 },
		{ ~0UL, 1 },
		{ ~0UL, 2 },
		{ 1, ~0UL },
		{ end - 16, ~0UL },
		{ 1UL << 46, 1 },
		{ 0xd8000000, 16 },
		{ 0xffff888000000000, 16 },
		{ (u64)&shared()->abi, 4 },
		{ 1UL << 63, 16 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		same("CONSOLE",
		     hypercall(RINGLET_HC_CONSOLE, bad[i].gpa, bad[i].len, 0),
		     efault);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		same("CONSOLE of nothing",
		     hypercall(RINGLET_HC_CONSOLE, bad[i].gpa, 0, 0), 0);
	same("SHUTDOWN for no reason",
	     hypercall(RINGLET_HC_SHUTDOWN, 3, end, 1), (u64)-22);
	same("SHUTDOWN for no reason",
	     hypercall(RINGLET_HC_SHUTDOWN, ~0UL, ~0UL, ~0UL), (u64)-22);
	/* Numbers past the last hypercall. */
	for (i = RINGLET_HC_COUNT + 16; i < 300; i++)
		same("no hypercall", hypercall(i, 1, 2, 3), (u64)-38);
	same("no hypercall", hypercall(1UL << 32, 0, 0, 0), (u64)-38);
	same("no hypercall", hypercall(~0UL, 0, 0, 0), (u64)-38);
	same("no hypercall",
	     hypercall(1UL << 63 | RINGLET_HC_LOAD_CR3, 0, 0, 0), (u64)-38);
}

/* Nothing of anybody's in the registers that a guest begins with. */
void payload_contain_start(void)
{
	extern u64 initial[];
	unsigned int i;

	for (i = 0; i < 16; i++)
		if (i != RSI && i != RSP)
			same("a register at the start", initial[i], 0);
	for (i = 16; i < 48; i++)
		same("a vector register at the start", initial[i], 0);
	same("MXCSR", (u32)initial[48], 0x1f80);
	same("FS base", initial[49], 0);
	same("GS base", initial[50], 0);
}

SNIPPET(contain_string, "rep movsb\n\tint3");

/* A string that runs into the hole stops there, and what it read was ours. */
void payload_contain_string(void)
{
	u64 edge = RINGLET_HOLE_END; /* mapped here; the hole is below */
	struct context c;
	unsigned int i;

	map(edge, page_with(7), FULL);
	for (i = 0; i < 2; i++) {
		c = kernel_context(contain_string);
		c.gpr[RSI] = i ? USER_DATA : edge + 15;
		c.gpr[RDI] = i ? edge + 15 : USER_DATA + 15;
		c.gpr[RCX] = 64;
		c.rflags |= FLAG_DF;
		if (i)
			c.gpr[RSI] += 64;
		page_fault(run(&c), edge - 1, i ? PF_W : 0);
		same("what is left", c.gpr[RCX], 48);
	}
}
