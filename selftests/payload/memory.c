// SPDX-License-Identifier: GPL-2.0
/*
 * The payload kernel's memory: pages behind its image, handed out and never
 * taken back until the next payload, and page tables made by hand.
 *
 * All guest-physical memory that the launcher's boot map has is mapped at
 * RINGLET_BOOT_MAP_BASE in every address space, supervisor and writable, by
 * tables of our own.
 */
#include <asm/bootparam.h>

#include "payload.h"
#include "runtime.h"

extern u8 image_end[];

u64 pgd;
static u64 next_page, first_page, end_of_memory, kernel_pud;

void *at(u64 gpa)
{
	return (void *)(RINGLET_BOOT_MAP_BASE + gpa);
}

u64 gpa_of(const void *address)
{
	return (u64)address - RINGLET_BOOT_MAP_BASE;
}

u64 memory_end(void)
{
	return end_of_memory;
}

/* @size bytes, zeroed, aligned to @size if that is a page of some size. */
u64 pages_alloc(u64 size)
{
	u64 gpa = (next_page + size - 1) & ~(size - 1), i;
	u64 *words = at(gpa);

	next_page = gpa + size;
	if (next_page > end_of_memory) {
		fail("out of memory");
		finish_early();
	}
	for (i = 0; i < size / sizeof(*words); i++)
		words[i] = 0;
	return gpa;
}

u64 page_alloc(void)
{
	return pages_alloc(PAGE_SIZE);
}

static unsigned int index_of(u64 va, int level)
{
	return va >> (12 + 9 * (level - 1)) & 511;
}

u64 space_new(void)
{
	u64 space = page_alloc();
	u64 *table = at(space);

	table[511] = kernel_pud | PTE_P | PTE_W;
	return space;
}

/* The entry for an address at a level, tables above it being there; or NULL. */
u64 *entry_of(u64 space, u64 va, int level)
{
	u64 *table = at(space);
	int l;

	for (l = 4; l > level; l--) {
		u64 entry = table[index_of(va, l)];

		if (!(entry & PTE_P) || (entry & PTE_PS))
			return NULL;
		table = at(entry & PTE_ADDR);
	}
	return &table[index_of(va, level)];
}

/* Tables on the way allow everything: the leaf decides. */
void map_in(u64 space, u64 va, u64 gpa, u64 flags, int level)
{
	int l;

	for (l = 4; l > level; l--) {
		u64 *entry = entry_of(space, va, l);

		if (!(*entry & PTE_P))
			*entry = page_alloc() | PTE_P | PTE_W | PTE_U;
	}
	*entry_of(space, va, level) = gpa | flags | (level > 1 ? PTE_PS : 0);
}

void map(u64 va, u64 gpa, u64 flags)
{
	map_in(pgd, va, gpa, flags, 1);
}

u64 load_cr3(u64 cr3)
{
	return hypercall(RINGLET_HC_LOAD_CR3, cr3, 0, 0);
}

void invlpg(u64 address)
{
	hypercall(RINGLET_HC_FLUSH_TLB, RINGLET_FLUSH_ADDR, address, 0);
}

void flush_all(void)
{
	hypercall(RINGLET_HC_FLUSH_TLB, RINGLET_FLUSH_ALL, 0, 0);
}

void memory_reset(void)
{
	next_page = first_page;
}

/* The largest piece of RAM below 1 GiB is the one that we were loaded into. */
void memory_init(const struct boot_params *params)
{
	u64 end, *pud, *pmd, i;
	int n;

	for (n = 0; n < params->e820_entries; n++) {
		end = params->e820_table[n].addr + params->e820_table[n].size;
		if (end > end_of_memory && end <= RINGLET_BOOT_MAP_SIZE)
			end_of_memory = end;
	}
	next_page = gpa_of(image_end);
	kernel_pud = page_alloc();
	pud = at(kernel_pud);
	pud[510] = page_alloc() | PTE_P | PTE_W;
	pmd = at(pud[510] & PTE_ADDR);
	for (i = 0; i < 512; i++)
		pmd[i] = i * LARGE_SIZE | PTE_P | PTE_W | PTE_PS;
	first_page = next_page;
}
