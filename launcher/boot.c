// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest finds in its memory beside the kernel: boot page tables,
 * boot_params ("zero page") with the memory map, the command line, the initrd
 * and a seed for its random number generator. The guest ABI's "How a guest
 * starts" in ringlet.h says which of it is promise; the rest is Linux's x86
 * boot protocol.
 *
 * Writes guest memory before the first vCPU runs. Faults end in die().
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "../include/uapi/ringlet.h"
#include "boot.h"
#include "initramfs.h"
#include "kernel-image.h"
#include "memory.h"
#include "status.h"

/* The PC's holes: EBDA and BIOS. Linux never uses the first page. */
#define LOW_RAM_END 0x9fc00ULL
#define HIGH_RAM_START 0x100000ULL

#define E820_RAM 1

#ifndef SETUP_RNG_SEED
#define SETUP_RNG_SEED 9
#endif
#define RNG_SEED_BYTES 32

/* clang-format off */
#define PTE_PRESENT	0x1ULL
#define PTE_RW		0x2ULL
#define PTE_LARGE	0x80ULL
#define PTRS_PER_TABLE	512
#define PGD_INDEX(va)	(((va) >> 39) & 511)
#define PUD_INDEX(va)	(((va) >> 30) & 511)
/* clang-format on */

_Static_assert(PTRS_PER_TABLE * 2 * MiB == RINGLET_BOOT_MAP_SIZE,
	       "one page of 2 MiB entries is the whole boot map");

/* These addresses are low and fixed; memory_check_size() made room. */
static void *low(const struct memory *mem, u64 gpa)
{
	return memory_ptr(mem, gpa, PAGE_SIZE);
}

static void set_page_tables(const struct memory *mem)
{
	u64 *pgd = low(mem, BOOT_PGD);
	u64 *pud = low(mem, BOOT_PUD);
	u64 *pmd = low(mem, BOOT_PMD);
	u64 i;

	pgd[PGD_INDEX(RINGLET_BOOT_MAP_BASE)] = BOOT_PUD | PTE_PRESENT | PTE_RW;
	pud[PUD_INDEX(RINGLET_BOOT_MAP_BASE)] = BOOT_PMD | PTE_PRESENT | PTE_RW;
	for (i = 0; i < PTRS_PER_TABLE; i++)
		pmd[i] = i * 2 * MiB | PTE_PRESENT | PTE_RW | PTE_LARGE;
}

static void add_e820(struct boot_params *params, u64 start, u64 end)
{
	struct boot_e820_entry *entry;

	if (start >= end)
		return;
	entry = &params->e820_table[params->e820_entries++];
	entry->addr = start;
	entry->size = end - start;
	entry->type = E820_RAM;
}

static void set_memory_map(struct boot_params *params, const struct memory *mem)
{
	u32 i;

	add_e820(params, 0, LOW_RAM_END);
	add_e820(params, HIGH_RAM_START, mem->slot[0].size);
	for (i = 1; i < mem->nr_slots; i++)
		add_e820(params, mem->slot[i].gpa,
			 mem->slot[i].gpa + mem->slot[i].size);
}

static void set_cmdline(struct boot_params *params, const struct memory *mem,
			const char *cmdline)
{
	size_t max = params->hdr.cmdline_size;

	/* An old header has none; the kernel's own limit was always this. */
	if (!max)
		max = 255;
	if (max > PAGE_SIZE - 1)
		max = PAGE_SIZE - 1;
	if (strlen(cmdline) > max)
		die("the kernel command line has %zu characters of %zu possible; shorten --append",
		    strlen(cmdline), max);
	memcpy(low(mem, BOOT_CMDLINE), cmdline, strlen(cmdline) + 1);
	params->hdr.cmd_line_ptr = BOOT_CMDLINE;
}

/*
 * Without this a guest's random numbers would be the same at every start: it
 * has no other source of entropy this early. The guest wipes it when read.
 */
static void set_rng_seed(struct boot_params *params, const struct memory *mem)
{
	struct setup_data *data = low(mem, BOOT_RNG_SEED);

	data->next = params->hdr.setup_data;
	data->type = SETUP_RNG_SEED;
	data->len = RNG_SEED_BYTES;
	if (getrandom(data->data, RNG_SEED_BYTES, 0) != RNG_SEED_BYTES)
		die("cannot get random numbers from the host: %s",
		    strerror(errno));
	params->hdr.setup_data = BOOT_RNG_SEED;
}

/* As high as the kernel allows: low memory is where it wants to unpack to. */
static void place_initrd(struct boot_params *params, const struct memory *mem,
			 const struct kernel_image *image,
			 const struct initramfs *initramfs)
{
	u64 size = initramfs_size(initramfs);
	u64 top = mem->slot[0].size;
	u64 start;

	if (!size)
		return;
	if (params->hdr.initrd_addr_max)
		top = min(top, (u64)params->hdr.initrd_addr_max + 1);
	top = ALIGN_DOWN(top, PAGE_SIZE);

	start = size < top ? ALIGN_DOWN(top - size, PAGE_SIZE) : 0;
	if (start < image->end)
		die("kernel (to %lluM) and initrd (%lluM) do not fit into %lluM; give more --mem",
		    ALIGN_UP(image->end, MiB) / MiB, ALIGN_UP(size, MiB) / MiB,
		    mem->size / MiB);
	initramfs_copy(initramfs, memory_ptr(mem, start, size));
	params->hdr.ramdisk_image = start;
	params->hdr.ramdisk_size = size;
}

void boot_set_up(const struct memory *mem, const struct kernel_image *image,
		 const struct initramfs *initramfs, const char *cmdline)
{
	struct boot_params *params = low(mem, BOOT_ZERO_PAGE);

	params->hdr = image->header;
	params->hdr.type_of_loader = 0xff; /* a loader without a number */
	params->hdr.setup_data = 0;
	set_memory_map(params, mem);
	set_cmdline(params, mem, cmdline);
	set_rng_seed(params, mem);
	place_initrd(params, mem, image, initramfs);
	set_page_tables(mem);
}
