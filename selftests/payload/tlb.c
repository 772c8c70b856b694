// SPDX-License-Identifier: GPL-2.0
/*
 * Address spaces and what is cached of them. A translation that the guest took
 * away may be used until it flushes, as on any CPU, and never after; what it
 * did not take away and did not flush is right at all times.
 */
#include "payload.h"

#define FULL (PTE_P | PTE_W | PTE_U)
#define SPACES 10 /* more than the module keeps */
#define PLACE FREE_VA

static u64 somewhere(bool upper)
{
	return upper ? FREE_KERNEL_VA : FREE_VA;
}

/* A space that shares the tables of the lowest 512 GiB, and has page @id at PLACE. */
static u64 space_with(u64 id)
{
	u64 space = space_new();

	*(u64 *)at(space) = *(u64 *)at(pgd);
	map_in(space, PLACE, page_with(id), FULL, 1);
	return space;
}

/* Ten spaces under ten PCIDs, round and round, with and without NOFLUSH. */
void payload_tlb_pcids(void)
{
	u64 spaces[SPACES];
	unsigned int i, round;

	for (i = 0; i < SPACES; i++)
		spaces[i] = space_with(i) | (i + 1);
	for (round = 0; round < 6; round++)
		for (i = 0; i < SPACES; i++) {
			unsigned int n = round & 1 ? i : SPACES - 1 - i;

			load_cr3(spaces[n] | (round < 3 ? CR3_NOFLUSH : 0));
			accesses(true, READ, PLACE, n);
			accesses(false, READ, PLACE, n);
			accesses(round & 1, WRITE, PLACE, n);
		}
	/* Three in turns, which stay cached: loads that never leave. */
	for (round = 0; round < 30; round++) {
		i = round % 3;
		load_cr3(spaces[i] | CR3_NOFLUSH);
		accesses(true, READ, PLACE, i);
		accesses(true, WRITE, PLACE, i);
		accesses(false, READ, PLACE, i);
	}
}

/* PCIDs that share their low bits are still different ones. */
void payload_tlb_pcid_collide(void)
{
	const u16 pcids[] = { 0, 8, 16, 0xff8, 0xfff, 7 };
	u64 spaces[ARRAY_SIZE(pcids)];
	unsigned int i, round;

	for (i = 0; i < ARRAY_SIZE(pcids); i++)
		spaces[i] = space_with(i + 30) | pcids[i];
	for (round = 0; round < 4; round++)
		for (i = 0; i < ARRAY_SIZE(pcids); i++) {
			load_cr3(spaces[i] | CR3_NOFLUSH);
			accesses(true, READ, PLACE, i + 30);
			accesses(false, READ, PLACE, i + 30);
		}
}

/* Another root under the same PCID is new after a load without NOFLUSH. */
void payload_tlb_same_pcid(void)
{
	u64 a = space_with(1), b = space_with(2);
	unsigned int i;

	for (i = 0; i < 8; i++) {
		load_cr3((i & 1 ? b : a) | 3);
		accesses(true, READ, PLACE, i & 1 ? 2 : 1);
		accesses(false, READ, PLACE, i & 1 ? 2 : 1);
		/* In between a third, and back without a flush. */
		load_cr3(pgd | (i & 2 ? CR3_NOFLUSH : 0));
		load_cr3((i & 1 ? b : a) | 3 | CR3_NOFLUSH);
		accesses(true, READ, PLACE, i & 1 ? 2 : 1);
	}
}

enum flush { BY_ADDRESS, BY_LOAD, BY_USER, BY_ALL, BY_OTHER_LOAD, FLUSHES };

/* Flush what is cached of PLACE in the current space, one way or another. */
static void flush_by(enum flush how, u64 space, u64 va)
{
	switch (how) {
	case BY_ADDRESS:
		invlpg(va + 0x123);
		break;
	case BY_LOAD:
		load_cr3(space);
		break;
	case BY_USER:
		hypercall(RINGLET_HC_FLUSH_TLB, RINGLET_FLUSH_USER, 0, 0);
		break;
	case BY_OTHER_LOAD:
		load_cr3(pgd | 99);
		load_cr3(space);
		break;
	default:
		flush_all();
	}
}

/* An access that may see the old page or the new, or what is between. */
static void touch(u64 va)
{
	struct context c = { 0 };

	do_access(&c, true, READ, va);
	do_access(&c, false, READ, va);
}

/*
 * What is taken away: the page, its rights, the page for another. Each flush
 * makes it so, for both modes and all accesses.
 */
void payload_tlb_stale(void)
{
	u64 space = space_with(1) | 4, va = PLACE, *entry;
	enum flush how;

	load_cr3(space);
	entry = entry_of(space & PTE_ADDR, va, 1);
	for (how = 0; how < FLUSHES; how++) {
		u64 a = page_with(1), b = page_with(2);

		*entry = a | FULL;
		flush_by(how, space, va);
		accesses(true, WRITE, va, 1);
		accesses(false, WRITE, va, 1);
		accesses(true, FETCH, va, 1);

		*entry = b | FULL;
		touch(va);
		flush_by(how, space, va);
		accesses(true, READ, va, 2);
		accesses(false, READ, va, 2);
		accesses(true, WRITE, va, 2);
		same("the old page", *(u64 *)at(a), CONTENT(1));

		*entry = b | PTE_P | PTE_U; /* read-only */
		touch(va);
		flush_by(how, space, va);
		faults(true, WRITE, va, PF_P);
		faults(false, WRITE, va, PF_P);
		accesses(true, FETCH, va, 2);

		*entry = b | FULL | PTE_NX;
		flush_by(how, space, va);
		faults(true, FETCH, va, PF_P);
		accesses(true, WRITE, va, 2);

		*entry = b | PTE_P | PTE_W; /* the kernel's */
		touch(va);
		flush_by(how, space, va);
		faults(true, READ, va, PF_P);
		accesses(false, FETCH, va, 2);

		*entry = b | FULL; /* and the user's again: SMEP */
		touch(va);
		flush_by(how, space, va);
		faults(false, FETCH, va, PF_P);
		accesses(true, FETCH, va, 2);
		faults(false, FETCH, va, PF_P);

		*entry = 0;
		touch(va);
		flush_by(how, space, va);
		faults(true, READ, va, 0);
		faults(false, WRITE, va, 0);
	}
}

/* The same, changed while another space is current. */
void payload_tlb_stale_elsewhere(void)
{
	u64 space = space_with(1) | 4, *entry;
	unsigned int i;

	entry = entry_of(space & PTE_ADDR, PLACE, 1);
	for (i = 0; i < 8; i++) {
		load_cr3(space);
		accesses(true, READ, PLACE, i + 1);
		accesses(false, READ, PLACE, i + 1);
		load_cr3(pgd | 5 | CR3_NOFLUSH);
		*entry = page_with(i + 2) | FULL;
		if (i & 1)
			flush_all();
		/* Not flushed: old or new. */
		load_cr3(space | CR3_NOFLUSH);
		if (i & 1)
			accesses(true, READ, PLACE, i + 2);
		else
			touch(PLACE);
	}
}

/* INVLPG is for the current space alone: the others keep what is theirs. */
void payload_tlb_other_spaces(void)
{
	u64 a = space_with(1) | 1, b = space_with(2) | 2;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		load_cr3(a | CR3_NOFLUSH);
		accesses(true, READ, PLACE, 1);
		invlpg(PLACE);
		accesses(false, READ, PLACE, 1);
		load_cr3(b | CR3_NOFLUSH);
		accesses(true, READ, PLACE, 2);
		if (i & 1)
			hypercall(RINGLET_HC_FLUSH_TLB, RINGLET_FLUSH_USER, 0,
				  0);
		accesses(false, READ, PLACE, 2);
	}
}

/* One INVLPG anywhere in a large page stands for all of it. */
void payload_tlb_large(void)
{
	u64 offsets[] = { 0, 0x1000, 0x123000, LARGE_SIZE - 0x1000 };
	u64 pages[2] = { pages_alloc(LARGE_SIZE), pages_alloc(LARGE_SIZE) };
	unsigned int i, j, n;

	for (n = 0; n < 2; n++)
		for (i = 0; i < ARRAY_SIZE(offsets); i++)
			*(u64 *)at(pages[n] + offsets[i]) = CONTENT(16 * n + i);
	for (n = 0; n < 4; n++) {
		bool upper = n & 1, user = !upper && (n & 2);
		u64 va = (somewhere(upper) + 2 * HUGE_SIZE) & ~(HUGE_SIZE - 1);

		for (j = 0; j < 8; j++) {
			map_in(pgd, va, pages[j & 1], FULL, 2);
			invlpg(va + offsets[j % ARRAY_SIZE(offsets)] + 0xabc);
			for (i = 0; i < ARRAY_SIZE(offsets); i++)
				accesses(user, READ, va + offsets[i],
					 16 * (j & 1) + i);
		}
		*entry_of(pgd, va, 2) = 0;
		invlpg(va);
		for (i = 0; i < ARRAY_SIZE(offsets); i++)
			faults(user, READ, va + offsets[i], 0);
	}
}

/* A 1 GiB page goes by one INVLPG, too. */
void payload_tlb_huge(void)
{
	u64 gpa = page_with(40), other = page_with(41);
	unsigned int n;

	for (n = 0; n < 2; n++) {
		u64 va = (somewhere(n) + 4 * HUGE_SIZE) & ~(HUGE_SIZE - 1);

		map_in(pgd, va, 0, FULL, 3);
		invlpg(va);
		accesses(false, READ, va + gpa, 40);
		accesses(false, WRITE, va + other, 41);
		*entry_of(pgd, va, 3) = 0;
		invlpg(va + 0x3ffff000);
		faults(false, READ, va + gpa, 0);
		faults(false, READ, va + other, 0);
	}
}

/* A large page is cut into small ones, and the small ones made one again. */
void payload_tlb_split(void)
{
	u64 large = pages_alloc(LARGE_SIZE), table = page_alloc();
	u64 *words = at(table), va = FREE_VA + 4 * HUGE_SIZE, i;
	unsigned int n;

	for (i = 0; i < 512; i++)
		*(u64 *)at(large + i * PAGE_SIZE) = CONTENT(i);
	for (n = 0; n < 4; n++) {
		bool user = n & 1;

		map_in(pgd, va, large, FULL, 2);
		invlpg(va);
		for (i = 0; i < 8; i++)
			accesses(user, WRITE, va + i * PAGE_SIZE, i);
		for (i = 0; i < 512; i++)
			words[i] = (large + i * PAGE_SIZE) | FULL;
		words[3] = page_with(1000) | FULL;
		words[4] = (large + 4 * PAGE_SIZE) | PTE_P | PTE_U;
		words[5] = 0;
		*entry_of(pgd, va, 2) = table | FULL;
		invlpg(va + 7 * PAGE_SIZE);
		accesses(user, READ, va, 0);
		accesses(user, READ, va + 3 * PAGE_SIZE, 1000);
		faults(user, WRITE, va + 4 * PAGE_SIZE, PF_P);
		faults(user, READ, va + 5 * PAGE_SIZE, 0);
		/* Small pages: an INVLPG for one. */
		words[0] = page_with(1001) | FULL;
		invlpg(va);
		accesses(user, READ, va, 1001);
		accesses(user, READ, va + 3 * PAGE_SIZE, 1000);
		/* Not flushed one by one: the whole by CR3. */
		map_in(pgd, va, large, FULL, 2);
		load_cr3(pgd);
		accesses(user, READ, va + 3 * PAGE_SIZE, 3);
		accesses(user, READ, va + 5 * PAGE_SIZE, 5);
	}
}

/* The upper half is one for all: its INVLPG counts under every PCID. */
void payload_tlb_upper(void)
{
	u64 va = FREE_KERNEL_VA, spaces[3], *entry;
	unsigned int i, n;

	map(va, page_with(50), PTE_P | PTE_W);
	entry = entry_of(pgd, va, 1);
	for (i = 0; i < 3; i++) {
		spaces[i] = space_with(i) | (i + 1);
		((u64 *)at(spaces[i] & PTE_ADDR))[va >> 39 & 511] =
			((u64 *)at(pgd))[va >> 39 & 511];
	}
	for (n = 0; n < 12; n++) {
		for (i = 0; i < 3; i++) {
			load_cr3(spaces[i] | CR3_NOFLUSH);
			accesses(false, n & 1 ? READ : WRITE, va, 50 + n);
			accesses(false, FETCH, va, 50 + n);
			faults(true, READ, va, PF_P);
			/* The lower half is not concerned. */
			accesses(true, READ, PLACE, i);
		}
		load_cr3(spaces[n % 3] | CR3_NOFLUSH);
		*entry = page_with(51 + n) | PTE_P | PTE_W;
		if (n & 4)
			flush_all();
		else
			invlpg(va);
	}
}

/* Addresses that no INVLPG can mean anything by, and those of the hole. */
void payload_tlb_odd_addresses(void)
{
	const u64 odd[] = { LOWER_END,
			    UPPER_START - 1,
			    0x4000000000000000,
			    UPPER_START,
			    0xffff878000000000,
			    0xffff878000003000,
			    0xffff870000000000,
			    0xffff87c000000000,
			    RINGLET_SHARED_VA,
			    ~0UL,
			    0,
			    0xffff880000000000 };
	unsigned int i;

	map(PLACE, page_with(60), FULL);
	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		same("INVLPG",
		     hypercall(RINGLET_HC_FLUSH_TLB, RINGLET_FLUSH_ADDR, odd[i],
			       0),
		     0);
		accesses(true, READ, PLACE, 60);
		accesses(false, READ, PLACE, 60);
		same("ABI", shared()->abi, RINGLET_ABI_VERSION);
	}
	for (i = 3; i < 10; i++)
		same("no such flush",
		     hypercall(RINGLET_HC_FLUSH_TLB, i, PLACE, 0), (u64)-22);
	same("no such flush", hypercall(RINGLET_HC_FLUSH_TLB, ~0UL, PLACE, 0),
	     (u64)-22);
}

/* Random changes of sixteen pages under four PCIDs, with a model of what may be seen. */
struct model {
	u64 space;
	u64 now[16]; /* page id in the tables, 0: none */
	u64 cached[16]; /* id that may still be used, 0: none */
};

static u64 seed = 4711;

static u64 random(u64 n)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (seed >> 33) % n;
}

static void look(struct model *m, unsigned int page)
{
	struct context c = { 0 };
	bool user = random(2);
	struct event *e;
	u64 id;

	e = do_access(&c, user, READ, PLACE + page * PAGE_SIZE);
	id = e->gate == EXC_BP ? c.gpr[RAX] >> 8 : 0;
	if (id == m->now[page] || (id && id == m->cached[page]))
		goto out;
	fail("page %u is %llu, and may be %llu or %llu", page, id, m->now[page],
	     m->cached[page]);
out:
	/* A CPU may cache what the tables say at any time. */
	if (!m->cached[page])
		m->cached[page] = m->now[page];
}

void payload_tlb_random(void)
{
	static struct model models[4];
	struct model *m = models;
	u64 ids[8], i, n;

	for (i = 0; i < ARRAY_SIZE(ids); i++)
		ids[i] = page_with(i + 1);
	for (i = 0; i < ARRAY_SIZE(models); i++) {
		models[i] = (struct model){ .space = space_with(1) | (i + 1) };
		map_in(models[i].space & PTE_ADDR, PLACE, 0, 0, 1);
		load_cr3(models[i].space);
	}
	load_cr3(m->space);
	for (n = 0; n < 4000; n++) {
		unsigned int page = random(16);

		switch (random(8)) {
		case 0: /* another page, no flush */
			i = random(ARRAY_SIZE(ids) + 1);
			map_in(m->space & PTE_ADDR, PLACE + page * PAGE_SIZE,
			       i ? ids[i - 1] : 0, i ? FULL : 0, 1);
			/* More than one may be cached; the model keeps one. */
			if (m->cached[page] && m->cached[page] != m->now[page])
				invlpg(PLACE + page * PAGE_SIZE);
			m->cached[page] = m->now[page];
			m->now[page] = i;
			break;
		case 1:
			invlpg(PLACE + page * PAGE_SIZE);
			m->cached[page] = 0;
			break;
		case 2:
			m = &models[random(ARRAY_SIZE(models))];
			load_cr3(m->space | CR3_NOFLUSH);
			break;
		case 3:
			if (random(8))
				break;
			m = &models[random(ARRAY_SIZE(models))];
			load_cr3(m->space);
			for (i = 0; i < 16; i++)
				m->cached[i] = 0;
			break;
		default:
			look(m, page);
		}
	}
}
