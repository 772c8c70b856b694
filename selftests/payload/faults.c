// SPDX-License-Identifier: GPL-2.0
/*
 * Page faults: each kind of access by each mode through each kind of entry
 * either succeeds, with A and D set, or is a fault with the error code of the
 * SDM (vol. 3A, 4.7) for CR0.WP = 1, EFER.NXE = 1, CR4.SMEP = 1, CR4.SMAP = 0.
 */
#include "payload.h"

#define FULL (PTE_P | PTE_W | PTE_U)

/* Half of the address space: two places that nothing else uses. */
static u64 somewhere(bool upper)
{
	return upper ? FREE_KERNEL_VA : FREE_VA;
}

/*
 * The error code's bits that the tables decide, or -1 if they allow the access.
 * Above the split nothing is ever the user's (memory.md).
 */
static int verdict(u64 flags, bool user, enum access kind, bool upper)
{
	bool allowed = true;

	if (!(flags & PTE_P))
		return 0;
	if (user && (upper || !(flags & PTE_U)))
		allowed = false;
	if (kind == WRITE && !(flags & PTE_W))
		allowed = false;
	if (kind == FETCH && ((flags & PTE_NX) || (!user && (flags & PTE_U))))
		allowed = false;
	return allowed ? -1 : PF_P;
}

/* A on every level, D on the leaf if it was written. */
static void accessed(u64 va, int leaf, enum access kind)
{
	u64 a_d = kind == WRITE ? PTE_A | PTE_D : PTE_A;
	int level;

	for (level = 4; level > leaf; level--)
		same("A of a table", *entry_of(pgd, va, level) & PTE_A, PTE_A);
	same("A and D of a page", *entry_of(pgd, va, leaf) & (PTE_A | PTE_D),
	     a_d);
}

static void clear_accessed(u64 va, int leaf)
{
	int level;

	for (level = 4; level >= leaf; level--)
		*entry_of(pgd, va, level) &= ~(PTE_A | PTE_D);
	invlpg(va);
}

/*
 * All accesses to one address through one kind of entry. First each by itself
 * after a flush, so that the tables decide; then all after each other, so that
 * what one of them has left in the shadow decides about the next.
 */
static void all_accesses(u64 va, u64 flags, int leaf, u64 id)
{
	bool upper = va >> 63;
	int i;

	for (i = 0; i < 3 * 6; i++) {
		bool user = i & 1, cold = i < 6;
		enum access kind = i / 2 % 3;
		int error = verdict(flags, user, kind, upper);
		bool right;

		if (cold)
			clear_accessed(va, leaf);
		if (error >= 0)
			right = faults(user, kind, va, error);
		else
			right = accesses(user, kind, va, id);
		if (!right)
			fail("flags were %llx, %s", flags,
			     cold ? "after a flush" : "without a flush");
		if (cold && error < 0)
			accessed(va, leaf, kind);
	}
}

/* Every combination of P, W, U and NX in the leaf, in both halves. */
void payload_pf_leaf(void)
{
	u64 gpa = page_with(1);
	unsigned int i;

	for (i = 0; i < 32; i++) {
		u64 va = somewhere(i & 16);
		u64 flags = (i & 1 ? PTE_P : 0) | (i & 2 ? PTE_W : 0) |
			    (i & 4 ? PTE_U : 0) | (i & 8 ? PTE_NX : 0);

		map(va, gpa, flags);
		all_accesses(va, flags, 1, 1);
	}
}

/* One right taken away at one level, the others giving all. */
void payload_pf_levels(void)
{
	const u64 rights[] = { PTE_P, PTE_W, PTE_U };
	unsigned int i, r;
	int level;

	for (i = 0; i < 2; i++) {
		u64 va = somewhere(i);

		map(va, page_with(2), FULL);
		for (level = 4; level >= 1; level--) {
			u64 *entry = entry_of(pgd, va, level), was = *entry;

			for (r = 0; r < ARRAY_SIZE(rights); r++) {
				*entry = was & ~rights[r];
				invlpg(va);
				if (rights[r] != PTE_P) {
					all_accesses(va, FULL & ~rights[r], 1,
						     2);
				} else {
					faults(false, READ, va, 0);
					faults(false, WRITE, va, 0);
					faults(true, FETCH, va, 0);
				}
			}
			*entry = was | PTE_NX;
			invlpg(va);
			all_accesses(va, FULL | PTE_NX, 1, 2);
			*entry = was;
			invlpg(va);
		}
		all_accesses(va, FULL, 1, 2);
	}
}

/* Guest memory ends at 46 bits; PS at level 4; addresses in large pages. */
void payload_pf_reserved(void)
{
	unsigned int i, bit;
	int level;

	for (i = 0; i < 2; i++) {
		u64 va = somewhere(i);

		map(va, page_with(3), FULL);
		for (level = 4; level >= 1; level--) {
			u64 *entry = entry_of(pgd, va, level), was = *entry;

			for (bit = 46; bit <= 51; bit++) {
				*entry = was | 1UL << bit;
				invlpg(va);
				faults(false, READ, va, PF_P | PF_RSVD);
				faults(false, WRITE, va, PF_P | PF_RSVD);
				faults(true, FETCH, va, PF_P | PF_RSVD);
				/* What is not present reserves nothing. */
				*entry &= ~PTE_P;
				invlpg(va);
				faults(false, READ, va, 0);
			}
			*entry = was;
			invlpg(va);
			accesses(false, READ, va, 3);
		}
		*entry_of(pgd, va, 4) |= PTE_PS;
		invlpg(va);
		faults(false, READ, va, PF_P | PF_RSVD);
		*entry_of(pgd, va, 4) &= ~PTE_PS;
		for (level = 2; level <= 3; level++) {
			u64 *entry = entry_of(pgd, va, level), was = *entry;

			for (bit = 13; bit < (level == 2 ? 21 : 30); bit++) {
				*entry = 1UL << bit | FULL | PTE_PS;
				invlpg(va);
				faults(false, READ, va, PF_P | PF_RSVD);
			}
			*entry = was;
			invlpg(va);
		}
	}
}

/* 2 MiB and 1 GiB pages, by their first, a middle and their last address. */
void payload_pf_large(void)
{
	u64 gpa = pages_alloc(LARGE_SIZE), offset;
	unsigned int i, r;

	for (offset = 0; offset < LARGE_SIZE; offset += 8)
		*(u64 *)at(gpa + offset) = CONTENT(4);
	for (i = 0; i < 4; i++) {
		bool huge = i & 1;
		u64 flags[] = { FULL, PTE_P | PTE_U, PTE_P | PTE_W,
				FULL | PTE_NX };
		u64 va = somewhere(i & 2) + HUGE_SIZE * (i + 1);
		int level = huge ? 3 : 2;

		va &= ~(HUGE_SIZE - 1);
		for (r = 0; r < ARRAY_SIZE(flags); r++) {
			u64 start = va + (huge ? gpa : 0);

			map_in(pgd, va, huge ? 0 : gpa, flags[r], level);
			all_accesses(start, flags[r], level, 4);
			all_accesses(start + 0x1000, flags[r], level, 4);
			all_accesses(start + 0xff000, flags[r], level, 4);
			all_accesses(start + LARGE_SIZE - 8, flags[r], level,
				     4);
		}
		*entry_of(pgd, va, level) = 0;
		invlpg(va);
	}
}

/* An access or an instruction over two pages faults at the second's address. */
void payload_pf_crossing(void)
{
	u64 gpa = page_with(5);
	u64 va = FREE_VA, next = va + PAGE_SIZE;
	u8 *code = at(gpa);
	struct context c = { 0 };
	unsigned int i;

	map(va, gpa, FULL);
	for (i = 0; i < 2; i++) {
		bool user = i;
		u64 u = user ? PF_U : 0;

		map(next, page_with(6), 0);
		invlpg(next);
		page_fault(do_access(&c, user, READ, next - 4), next, u);
		page_fault(do_access(&c, user, WRITE, next - 4), next,
			   u | PF_W);
		map(next, page_with(6), PTE_P | PTE_U);
		invlpg(next);
		page_fault(do_access(&c, user, WRITE, next - 4), next,
			   u | PF_W | PF_P);
		/* 0x48, and the rest of a MOV on a page that is not there. */
		map(va, gpa, user ? FULL : PTE_P | PTE_W);
		invlpg(va);
		code[0xfff] = 0x48;
		map(next, page_with(6), 0);
		invlpg(next);
		page_fault(do_access(&c, user, FETCH, next - 1), next,
			   u | PF_I);
		same("RIP", c.rip, next - 1);
		map(next, page_with(6), FULL | PTE_NX);
		invlpg(next);
		page_fault(do_access(&c, user, FETCH, next - 1), next,
			   u | PF_I | PF_P);
		map(va, gpa, FULL);
		invlpg(va);
		code[0xfff] = 0xcc;
	}
}

/* D by the first write and no other access, again after it was cleared. */
void payload_pf_dirty(void)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		bool user = i & 1, large = i & 2, upper = i & 4;
		u64 gpa = large ? pages_alloc(LARGE_SIZE) : page_alloc();
		u64 va = (somewhere(upper) + HUGE_SIZE * (i + 1)) &
			 ~(HUGE_SIZE - 1);
		int level = large ? 2 : 1, round;

		if (user && upper)
			continue;
		*(u64 *)at(gpa) = CONTENT(7);
		map_in(pgd, va, gpa, FULL, level);
		for (round = 0; round < 2; round++) {
			accesses(user, READ, va, 7);
			accesses(!user && !upper, READ, va, 7);
			accessed(va, level, READ);
			accesses(user, WRITE, va, 7);
			accessed(va, level, WRITE);
			accesses(user, READ, va, 7);
			clear_accessed(va, level);
		}
	}
}

/*
 * What is added needs no flush: a page that was not there is there, one that
 * could not be written can.
 */
void payload_pf_added(void)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		bool user = i & 1, upper = i & 2;
		u64 va = somewhere(upper) + LARGE_SIZE * (i + 1);
		u64 gpa = page_with(8);

		if (user && upper)
			continue;
		map(va, gpa, 0);
		faults(user, READ, va, 0);
		map(va, gpa, PTE_P | PTE_U | PTE_NX);
		accesses(user, READ, va, 8);
		faults(user, WRITE, va, PF_P);
		map(va, gpa, FULL | PTE_NX);
		accesses(user, WRITE, va, 8);
		/* The kernel's may be a user's page: SMEP. */
		map(va, gpa, user ? FULL : PTE_P | PTE_W);
		accesses(user, FETCH, va, 8);
	}
}

/*
 * Supervisor pages below the split: the kernel's alone, beside user pages that
 * both have and that the kernel may still not execute.
 */
void payload_pf_supervisor_below(void)
{
	u64 s = FREE_VA, u = FREE_VA + PAGE_SIZE, late = FREE_VA + LARGE_SIZE;
	unsigned int round;

	for (round = 0; round < 3; round++) {
		map(s, page_with(9), PTE_P | PTE_W);
		map(u, page_with(10), FULL);
		map(late, page_with(11), FULL);
		flush_all();
		/* User tables first in two rounds, the supervisor's in one. */
		if (round) {
			accesses(true, READ, u, 10);
			accesses(true, WRITE, late, 11);
		}
		accesses(false, READ, s, 9);
		accesses(false, WRITE, s, 9);
		accesses(false, FETCH, s, 9);
		faults(true, READ, s, PF_P);
		faults(true, FETCH, s, PF_P);
		accesses(true, WRITE, u, 10);
		accesses(false, READ, u, 10);
		accesses(false, WRITE, u, 10);
		faults(false, FETCH, u, PF_P);
		accesses(true, FETCH, u, 10);
		faults(false, FETCH, late, PF_P);
		accesses(false, WRITE, late, 11);

		/* Both copies go. */
		map(u, page_with(12), FULL);
		invlpg(u);
		accesses(false, READ, u, 12);
		accesses(true, READ, u, 12);
		map(s, page_with(13), FULL);
		invlpg(s);
		accesses(true, READ, s, 13);
		faults(false, FETCH, s, PF_P);
		map(late, 0, 0);
		if (round == 2)
			load_cr3(pgd);
		else
			invlpg(late);
		faults(true, READ, late, 0);
		faults(false, READ, late, 0);
	}
}

/* More places than a vCPU has tables for: all is dropped and begins anew. */
void payload_pf_many_tables(void)
{
	u64 table = page_alloc(), *words = at(table), *level3;
	unsigned int i, n = 5000;

	map(FREE_VA, page_with(14), FULL);
	/* One guest table for all of them, on three levels. */
	for (i = 0; i < 512; i++)
		words[i] = *entry_of(pgd, FREE_VA, 2);
	level3 = entry_of(pgd, FREE_VA, 3);
	for (i = 1; i < 16; i++)
		level3[i] = table | FULL;
	for (i = 0; i < n; i++)
		if (!accesses(i & 1, i & 2 ? READ : WRITE,
			      FREE_VA + HUGE_SIZE + i * LARGE_SIZE, 14))
			return;
}

/* ---- What is not memory ---- */

#define NO_MEMORY 0xd8000000UL /* between RAM and 4 GiB, no device */

/* Reads as all ones and swallows what is written, in either mode. */
void payload_pf_not_memory(void)
{
	struct context c = { 0 };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		u64 va = somewhere(i & 2);

		if (i == 3)
			continue;
		map(va, NO_MEMORY, FULL);
		invlpg(va);
		c.gpr[RAX] = 1;
		same("gate", do_access(&c, i & 1, READ, va)->gate, EXC_BP);
		same("what is read", c.gpr[RAX], ~0UL);
		same("gate", do_access(&c, i & 1, WRITE, va)->gate, EXC_BP);
	}
}

SNIPPET(faults_mov8, "mov (%rdi), %al\n\tint3");
SNIPPET(faults_mov16, "mov (%rdi), %ax\n\tint3");
SNIPPET(faults_mov32, "mov (%rdi), %eax\n\tint3");
SNIPPET(faults_mov64, "mov (%rdi), %rax\n\tint3");
SNIPPET(faults_movzx8, "movzbq (%rdi), %rax\n\tint3");
SNIPPET(faults_movzx16, "movzwl (%rdi), %eax\n\tint3");

/* Of the register a load changes what a load from memory would. */
void payload_pf_not_memory_widths(void)
{
	static const struct {
		const u8 *snippet;
		u64 rax;
	} cases[] = {
		{ faults_mov8, 0x11223344556677ff },
		{ faults_mov16, 0x112233445566ffff },
		{ faults_mov32, 0xffffffff },
		{ faults_mov64, ~0UL },
		{ faults_movzx8, 0xff },
		{ faults_movzx16, 0xffff },
	};
	unsigned int i;

	map(FREE_VA, NO_MEMORY, FULL);
	for (i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		const u8 *snippet = cases[i / 2].snippet;
		struct context c = i & 1 ? user_context(snippet) :
					   kernel_context(snippet);

		c.gpr[RAX] = 0x1122334455667788;
		c.gpr[RDI] = FREE_VA;
		same("gate", run(&c)->gate, EXC_BP);
		if (!same("RAX", c.gpr[RAX], cases[i / 2].rax))
			fail("that was case %u", i / 2);
	}
}

SNIPPET(faults_or, "orl $1, (%rdi)\n\tint3");

static void access_no_memory(bool user, const u8 *snippet)
{
	struct context c = user ? user_context(snippet) :
				  kernel_context(snippet);
	struct event *e;

	map(FREE_VA, NO_MEMORY, FULL);
	c.gpr[RDI] = FREE_VA;
	e = run(&c);
	fail("still alive: gate %llx RIP %llx", e->gate, c.rip);
}

void payload_dead_no_memory_kernel(void)
{
	access_no_memory(false, faults_or);
}

void payload_dead_no_memory_user(void)
{
	access_no_memory(true, faults_or);
}

void payload_dead_no_memory_fetch(void)
{
	struct context c = { 0 };

	map(FREE_VA, NO_MEMORY, FULL);
	do_access(&c, true, FETCH, FREE_VA);
	fail("still alive");
}

/* ---- Strange tables ---- */

static u64 sign_extend(u64 va)
{
	return (u64)((long long)(va << 16) >> 16);
}

/*
 * A top-level entry that leads to its own table: all tables appear as pages,
 * the user's if the guest says so, and what is written there counts.
 */
void payload_pf_recursive(void)
{
	u64 slots[] = { 100, 400 }, *top = at(pgd);
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(slots); i++) {
		u64 n4 = slots[i] << 39, n3 = n4 | slots[i] << 30;
		u64 n2 = n3 | slots[i] << 21, self = n2 | slots[i] << 12;
		u64 leaf = sign_extend(n4 | (FREE_VA >> 12) * 8);
		struct context c = { 0 };

		self = sign_extend(self);
		top[slots[i]] = pgd | (i ? PTE_P | PTE_W : FULL);
		map(FREE_VA, page_with(20), FULL);
		invlpg(FREE_VA);
		accesses(true, READ, FREE_VA, 20);
		for (n = 0; n < 512; n += n == 271 ? 100 : 1) {
			same("gate",
			     do_access(&c, !i, READ, self + 8 * n)->gate,
			     EXC_BP);
			/* A and D come while we look. */
			same("an entry", c.gpr[RAX] & ~(PTE_A | PTE_D),
			     top[n] & ~(PTE_A | PTE_D));
		}
		c.gpr[RAX] = page_with(21) | FULL;
		same("gate", do_access(&c, !i, WRITE, leaf)->gate, EXC_BP);
		invlpg(FREE_VA);
		accesses(true, READ, FREE_VA, 21);
		/* The user's own doing: away with the page. */
		c.gpr[RAX] = 0;
		same("gate", do_access(&c, !i, WRITE, leaf)->gate, EXC_BP);
		invlpg(FREE_VA);
		faults(true, READ, FREE_VA, 0);
		top[slots[i]] = 0;
		invlpg(self);
	}
}

/* A table that is its own at every level, and one that is data, too. */
void payload_pf_tables_as_data(void)
{
	u64 table = page_alloc(), *words = at(table);
	u64 va = 101UL << 39, leaf = FREE_VA + LARGE_SIZE;
	struct context c = { 0 };
	unsigned int i;

	for (i = 0; i < 512; i++)
		words[i] = table | FULL;
	*entry_of(pgd, va, 4) = table | FULL;
	for (i = 0; i < 6; i++) {
		if (i < 4)
			same("gate",
			     do_access(&c, i & 1, i / 2, va + i * 0x40201000UL)
				     ->gate,
			     EXC_BP);
		c.gpr[RAX] = table | FULL;
	}
	/* Its level-1 table is mapped right beside the page it maps. */
	map(leaf, page_with(22), FULL);
	map(leaf + PAGE_SIZE, *entry_of(pgd, leaf, 2) & PTE_ADDR, FULL);
	accesses(true, READ, leaf, 22);
	c.gpr[RAX] = page_with(23) | FULL;
	same("gate", do_access(&c, true, WRITE, leaf + PAGE_SIZE)->gate,
	     EXC_BP);
	invlpg(leaf);
	accesses(true, READ, leaf, 23);
}

/* The guest's own entry for the shared page's address counts for nothing. */
void payload_pf_shared_page(void)
{
	struct context c = { 0 };

	map(RINGLET_SHARED_VA, page_with(24), FULL);
	flush_all();
	same("gate",
	     do_access(&c, false, READ, RINGLET_SHARED_VA + RINGLET_SHARED_ABI)
		     ->gate,
	     EXC_BP);
	same("ABI", (u32)c.gpr[RAX], RINGLET_ABI_VERSION);
	faults(true, READ, RINGLET_SHARED_VA, PF_P);
	faults(true, WRITE, RINGLET_SHARED_VA, PF_P);
	faults(true, FETCH, RINGLET_SHARED_VA, PF_P);
	invlpg(RINGLET_SHARED_VA);
	same("ABI", shared()->abi, RINGLET_ABI_VERSION);
	*entry_of(pgd, RINGLET_SHARED_VA, 1) = 0;
	flush_all();
	same("ABI", shared()->abi, RINGLET_ABI_VERSION);
	faults(true, READ, RINGLET_SHARED_VA, 0);
}
