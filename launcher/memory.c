// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: where it lies in the launcher, and the one function that turns
 * a guest-physical address into a pointer. Every address that comes from the
 * guest goes through memory_ptr(); a NULL from it is the guest's fault.
 *
 * The guest may write to any of these bytes at any time, from a thread of this
 * process: whoever reads one reads it once and checks what was read.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"
#include "status.h"

#define HUGE_PAGE (2 * MiB)

static u64 machine_memory(void)
{
	return (u64)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}

void memory_check_size(u64 size)
{
	u64 have = machine_memory();

	if (size < 16 * MiB)
		die("--mem %lluM is too little for a Linux kernel; give at least 64M",
		    size / MiB);
	if (size > have)
		die("--mem %lluM is more than this machine has (%lluM); give less",
		    size / MiB, have / MiB);
}

/*
 * Private, anonymous, aligned and advised for huge pages: a page that the host
 * has not populated yet costs the guest an exit and a host fault, so 2 MiB at
 * a time matters at boot. MAP_NORESERVE because a guest seldom uses it all.
 */
static u8 *map_aligned(u64 size)
{
	u64 span = size + HUGE_PAGE;
	u8 *map, *start;

	map = mmap(NULL, span, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		die("cannot map %lluM of guest memory: %s; give a smaller --mem",
		    size / MiB, strerror(errno));

	start = (u8 *)ALIGN_UP((uintptr_t)map, HUGE_PAGE);
	if (start != map)
		munmap(map, start - map);
	munmap(start + size, map + span - (start + size));

	/* Advice only: a host without huge pages is slower, not wrong. */
	madvise(start, size, MADV_HUGEPAGE);
	return start;
}

void memory_alloc(struct memory *mem, u64 size)
{
	u64 low = min(size, MEMORY_LOW_END);
	u8 *hva = map_aligned(size);

	mem->size = size;
	mem->nr_slots = 1;
	mem->slot[0] = (struct memory_slot){ .size = low, .hva = hva };
	if (size > low) {
		mem->nr_slots = 2;
		mem->slot[1] = (struct memory_slot){
			.gpa = MEMORY_HIGH_START,
			.size = size - low,
			.hva = hva + low,
		};
	}
}

/* The len bytes at gpa, or NULL if they do not all lie in one slot. */
void *memory_ptr(const struct memory *mem, u64 gpa, u64 len)
{
	const struct memory_slot *slot;
	u32 i;

	for (i = 0; i < mem->nr_slots; i++) {
		slot = &mem->slot[i];
		if (gpa >= slot->gpa && gpa - slot->gpa <= slot->size &&
		    len <= slot->size - (gpa - slot->gpa))
			return slot->hva + (gpa - slot->gpa);
	}
	return NULL;
}
