// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow page tables: a tagged software TLB in the shape of page tables.
 *
 * x86 obliges an operating system to flush what it takes away, and pv_ops shows
 * us each flush: so the guest's tables are neither write-protected nor watched.
 * A leaf is made when the guest faults for want of it, by a walk of the guest's
 * tables (walk.c), and lives until the guest flushes it or the host takes the
 * frame away (memory.c).
 *
 * The guest's virtual PCIDs tell its address spaces apart. Each has a tag, and a
 * tag has two hardware roots: one for guest kernel mode and one for guest user
 * mode. User pages hang below the split in both, in the same tables; that the
 * kernel may not execute them (SMEP) is said by NX in its root's top-level
 * entries. The upper half is the kernel's, one set of tables for all tags: a
 * guest's CR3 load leaves it alone, as global pages would natively.
 *
 *	    uroot                    kroot
 *	    lower half --- same -->  lower half | NX       tag->lower
 *	    slot                     slot                  window
 *	                             upper half            shadow->upper
 *
 * On a host with four levels a root is itself a level-4 table and its entries
 * are copies of those in tag->lower and shadow->upper. With five, a root's
 * entries 0 and 511 point to those tables.
 *
 * Tables belong to one vCPU and are touched by its own thread only, outside the
 * guest. Nothing is flushed from the hardware's TLB here: every entry to the
 * guest loads its root without NOFLUSH.
 *
 * Host kernel, process context; vcpu->mutex held.
 */
#include "ringlet.h"

#include <linux/slab.h>
#include <asm/processor-flags.h>

#include "trace.h"

/* clang-format off */
#define TABLE_FLAGS	(RINGLET_PTE_P | RINGLET_PTE_W | RINGLET_PTE_U | RINGLET_PTE_A)

#define TOP_SLOT	271	/* in the root, whatever its level */
#define CR3_PCID	0xfffULL
#define CR3_NOFLUSH	BIT_ULL(63)

/* A gigabyte of guest memory may have this many tables: 1/16 of it. */
#define TABLES_PER_GB	16384
#define TABLES_MIN	2048
/* clang-format on */

static bool host_la57(void)
{
	return native_read_cr4() & X86_CR4_LA57;
}

static u64 *new_table(void)
{
	return (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

static u64 *table_of(u64 entry)
{
	return __va(entry & RINGLET_PTE_ADDR);
}

/* Free what a table of @level (its entries' level) leads to; keep the table. */
static void clear_table(struct ringlet_shadow *shadow, u64 *table, int level)
{
	int i;

	if (level == 1) {
		memset(table, 0, PAGE_SIZE);
		return;
	}
	for (i = 0; i < 512; i++) {
		u64 entry = table[i];

		if (!entry)
			continue;
		WRITE_ONCE(table[i], 0);
		clear_table(shadow, table_of(entry), level - 1);
		free_page((unsigned long)table_of(entry));
		shadow->pages--;
	}
}

/* Bring a tag's roots up to date after an entry of a level-4 table changed. */
static void link_lower(struct ringlet_tag *tag, unsigned int index)
{
	u64 kernel = tag->split ? tag->klower[index] : tag->lower[index];

	if (host_la57())
		return; /* the roots point to the table itself */
	if (kernel && !tag->split)
		kernel |= RINGLET_PTE_NX;
	WRITE_ONCE(tag->uroot[index], tag->lower[index]);
	WRITE_ONCE(tag->kroot[index], kernel);
}

static void link_upper(struct ringlet_shadow *shadow, unsigned int index)
{
	int i;

	if (host_la57())
		return;
	for (i = 0; i < RINGLET_TAGS; i++)
		if (shadow->tags[i].live)
			WRITE_ONCE(shadow->tags[i].kroot[index],
				   shadow->upper[index]);
}

/* Point a tag's roots at its tables, wholly. */
static void link_all(struct ringlet_vcpu *vcpu, struct ringlet_tag *tag)
{
	struct ringlet_shadow *shadow = &vcpu->shadow;
	unsigned int i;

	if (host_la57()) {
		u64 *klower = tag->split ? tag->klower : tag->lower;

		tag->uroot[0] = __pa(tag->lower) | TABLE_FLAGS;
		tag->kroot[0] = __pa(klower) | TABLE_FLAGS |
				(tag->split ? 0 : RINGLET_PTE_NX);
		tag->kroot[511] = __pa(shadow->upper) | TABLE_FLAGS;
	} else {
		for (i = 0; i < 256; i++)
			link_lower(tag, i);
		for (i = 256; i < 512; i++)
			tag->kroot[i] = shadow->upper[i];
	}
	tag->uroot[TOP_SLOT] = vcpu->window.root_entry;
	tag->kroot[TOP_SLOT] = vcpu->window.root_entry;
}

static void flush_tag(struct ringlet_vcpu *vcpu, struct ringlet_tag *tag)
{
	clear_table(&vcpu->shadow, tag->lower, 4);
	if (tag->split)
		clear_table(&vcpu->shadow, tag->klower, 4);
	tag->split = false;
	link_all(vcpu, tag);
}

static void free_tag(struct ringlet_shadow *shadow, struct ringlet_tag *tag)
{
	if (tag->lower)
		clear_table(shadow, tag->lower, 4);
	if (tag->klower)
		clear_table(shadow, tag->klower, 4);
	free_page((unsigned long)tag->lower);
	free_page((unsigned long)tag->klower);
	free_page((unsigned long)tag->uroot);
	free_page((unsigned long)tag->kroot);
	memset(tag, 0, sizeof(*tag));
}

static int new_tag(struct ringlet_vcpu *vcpu, struct ringlet_tag *tag)
{
	tag->lower = new_table();
	tag->klower = new_table();
	tag->uroot = new_table();
	tag->kroot = new_table();
	if (!tag->lower || !tag->klower || !tag->uroot || !tag->kroot) {
		free_tag(&vcpu->shadow, tag);
		return -ENOMEM;
	}
	tag->live = true;
	link_all(vcpu, tag);
	return 0;
}

static struct ringlet_tag *find_tag(struct ringlet_shadow *shadow, u16 pcid)
{
	int i;

	for (i = 0; i < RINGLET_TAGS; i++)
		if (shadow->tags[i].live && shadow->tags[i].pcid == pcid)
			return &shadow->tags[i];
	return NULL;
}

/* One that is free, or the one not used for longest. */
static struct ringlet_tag *victim_tag(struct ringlet_shadow *shadow)
{
	struct ringlet_tag *victim = &shadow->tags[0];
	int i;

	for (i = 0; i < RINGLET_TAGS; i++) {
		struct ringlet_tag *tag = &shadow->tags[i];

		if (!tag->live)
			return tag;
		if (tag->used < victim->used)
			victim = tag;
	}
	return victim;
}

/**
 * ringlet_shadow_load_cr3() - the guest loads CR3
 * @vcpu: whose
 * @cr3: the value, PCID and NOFLUSH bit and all
 *
 * A tag that is kept is the guest's TLB under that PCID: without NOFLUSH its
 * user half goes, the shared upper half stays, as global entries do.
 *
 * Return: 0; -EINVAL for reserved bits; -ENOMEM, with the old CR3 in force.
 */
int ringlet_shadow_load_cr3(struct ringlet_vcpu *vcpu, u64 cr3)
{
	struct ringlet_shadow *shadow = &vcpu->shadow;
	u64 base = cr3 & ~(CR3_NOFLUSH | CR3_PCID);
	struct ringlet_tag *tag;
	int ret;

	if (base >= RINGLET_MAX_GPA)
		return -EINVAL;
	tag = find_tag(shadow, cr3 & CR3_PCID);
	if (!tag) {
		tag = victim_tag(shadow);
		if (tag->live) {
			flush_tag(vcpu, tag);
		} else {
			ret = new_tag(vcpu, tag);
			if (ret)
				return ret;
		}
		tag->pcid = cr3 & CR3_PCID;
	} else if (!(cr3 & CR3_NOFLUSH)) {
		flush_tag(vcpu, tag);
	}
	tag->cr3 = base;
	tag->used = ++shadow->clock;
	shadow->current_tag = tag;
	return 0;
}

/**
 * ringlet_shadow_flush_user() - the guest flushes its current address space
 * @vcpu: whose; the upper half stays
 */
void ringlet_shadow_flush_user(struct ringlet_vcpu *vcpu)
{
	flush_tag(vcpu, vcpu->shadow.current_tag);
}

/* The one leaf of the upper half that is not the guest's doing. */
static int map_shared_page(struct ringlet_vcpu *vcpu)
{
	struct ringlet_shadow *shadow = &vcpu->shadow;
	u64 *table = shadow->upper;
	int level;

	for (level = 4; level > 1; level--) {
		u64 *entry = &table[ringlet_index(RINGLET_SHARED_VA, level)];

		if (!*entry) {
			u64 *next = new_table();

			if (!next)
				return -ENOMEM;
			shadow->pages++;
			WRITE_ONCE(*entry, __pa(next) | TABLE_FLAGS);
			if (level == 4)
				link_upper(shadow,
					   ringlet_index(RINGLET_SHARED_VA, 4));
		}
		table = table_of(*entry);
	}
	table[ringlet_index(RINGLET_SHARED_VA, 1)] =
		__pa(vcpu->window.shared) | TABLE_FLAGS | RINGLET_PTE_D |
		RINGLET_PTE_NX | RINGLET_SPTE_FULL;
	return 0;
}

/**
 * ringlet_shadow_flush_all() - drop every leaf, of all tags and the upper half
 * @vcpu: whose
 *
 * The shared page's mapping goes too; a fault brings it back.
 */
void ringlet_shadow_flush_all(struct ringlet_vcpu *vcpu)
{
	struct ringlet_shadow *shadow = &vcpu->shadow;
	int i;

	clear_table(shadow, shadow->upper, 4);
	for (i = 0; i < RINGLET_TAGS; i++)
		if (shadow->tags[i].live)
			flush_tag(vcpu, &shadow->tags[i]);
}

/*
 * INVLPG in one level-4 table. If the leaf came from a large guest page, all
 * leaves of that page go: one INVLPG stands for the whole page (pitfalls 9).
 */
static void flush_address(struct ringlet_shadow *shadow, u64 *table, u64 gva)
{
	u64 *entry;
	int level;

	for (level = 4; level > 1; level--) {
		entry = &table[ringlet_index(gva, level)];
		if (!*entry)
			return;
		table = table_of(*entry);
		if (*entry & RINGLET_SPTE_LARGE) {
			WRITE_ONCE(*entry, *entry & ~RINGLET_SPTE_LARGE);
			clear_table(shadow, table, level - 1);
			return;
		}
	}
	WRITE_ONCE(table[ringlet_index(gva, 1)], 0);
}

/**
 * ringlet_shadow_flush_address() - INVLPG
 * @vcpu: whose
 * @gva: any address of the page
 *
 * Below the split in the current tag; above it for all tags.
 */
void ringlet_shadow_flush_address(struct ringlet_vcpu *vcpu, u64 gva)
{
	struct ringlet_shadow *shadow = &vcpu->shadow;

	if (!ringlet_canonical(gva))
		return;
	if (ringlet_upper_half(gva)) {
		flush_address(shadow, shadow->upper, gva);
		return;
	}
	flush_address(shadow, shadow->current_tag->lower, gva);
	if (shadow->current_tag->split)
		flush_address(shadow, shadow->current_tag->klower, gva);
}

/*
 * Find the place of a leaf, making tables on the way. @from is the level of the
 * guest's leaf: tables that a larger guest page fills are marked.
 */
static u64 *leaf_of(struct ringlet_vcpu *vcpu, u64 *top, u64 gva, int from)
{
	struct ringlet_shadow *shadow = &vcpu->shadow;
	u64 *table = top;
	int level;

	for (level = 4; level > 1; level--) {
		u64 *entry = &table[ringlet_index(gva, level)];

		if (!*entry) {
			u64 *next = new_table();

			if (!next)
				return NULL;
			shadow->pages++;
			WRITE_ONCE(*entry, __pa(next) | TABLE_FLAGS);
			if (top == shadow->upper && level == 4)
				link_upper(shadow, ringlet_index(gva, 4));
			else if (level == 4)
				link_lower(shadow->current_tag,
					   ringlet_index(gva, 4));
		}
		if (from == level)
			*entry |= RINGLET_SPTE_LARGE;
		table = table_of(*entry);
	}
	return &table[ringlet_index(gva, 1)];
}

/* Give the kernel root a lower half of its own: it needs a supervisor page. */
static void split_tag(struct ringlet_vcpu *vcpu, struct ringlet_tag *tag)
{
	tag->split = true;
	link_all(vcpu, tag);
}

/* Install the leaf for a walk that the guest's tables allowed. */
static enum ringlet_next fill(struct ringlet_vcpu *vcpu,
			      struct ringlet_translation *t, u32 access)
{
	struct ringlet_shadow *shadow = &vcpu->shadow;
	struct ringlet_tag *tag = shadow->current_tag;
	bool lower = !ringlet_upper_half(t->gva);
	u64 *top, *leaf, old;
	int ret;

	if (shadow->pages >= shadow->max_pages)
		ringlet_shadow_flush_all(vcpu);
	if (lower && !t->user && !tag->split)
		split_tag(vcpu, tag);
	top = lower ? tag->lower : shadow->upper;
	if (lower && tag->split && !vcpu->user_mode)
		top = tag->klower;
	leaf = leaf_of(vcpu, top, t->gva, t->level);
	if (!leaf)
		return -ENOMEM;
	old = *leaf;
	ret = ringlet_map_frame(vcpu, t, access & RINGLET_PF_W,
				lower && tag->split && top == tag->klower,
				leaf);
	if (ret < 0)
		return ret;
	ringlet_left(vcpu,
		     old == *leaf ? RINGLET_LEFT_SPURIOUS : RINGLET_LEFT_FILL);
	/*
	 * The leaf was there: the CPU used another translation, one of the
	 * host's global entries, which match under any PCID. INVLPG drops those
	 * too; the host may make it anew, and the guest come here again.
	 */
	if (old == *leaf)
		asm volatile("invlpg (%0)" : : "r"(t->gva) : "memory");
	trace_ringlet_fault(vcpu->id, t->gva, access, t->gpa, *leaf, "fill");
	return RINGLET_RESUME;
}

/* A guest user's access above the split: nothing there is ever the user's. */
static bool beyond_user(struct ringlet_vcpu *vcpu, u64 gva)
{
	return vcpu->user_mode && ringlet_upper_half(gva);
}

static bool in_hole(u64 gva)
{
	return gva >= RINGLET_HOLE_START && gva < RINGLET_HOLE_END;
}

/**
 * ringlet_shadow_fault() - a page fault ended the stay in the guest
 * @vcpu: whose
 * @gva: CR2
 * @error: the CPU's error code; its U bit is always set, for all is CPL 3
 *
 * Either a leaf is missing or narrower than the guest's entry allows: it is
 * filled in. Or the guest's own tables refuse the access: its page fault. Or
 * what is there is not memory: the launcher's.
 *
 * Return: what to do next; a negative errno if the host cannot go on.
 */
enum ringlet_next ringlet_shadow_fault(struct ringlet_vcpu *vcpu, u64 gva,
				       u32 error)
{
	struct ringlet_walker walker = {
		.cr3 = vcpu->shadow.current_tag->cr3,
		.read = ringlet_read_gpte,
		.context = vcpu->vm,
	};
	u32 access = error & (RINGLET_PF_W | RINGLET_PF_I);
	struct ringlet_translation t;
	int ret;

	if (vcpu->user_mode)
		access |= RINGLET_PF_U;
	/* On a host with 57-bit addresses: natively this is #GP (or #SS). */
	if (!ringlet_canonical(gva)) {
		ringlet_left(vcpu, RINGLET_LEFT_EXCEPTION);
		return ringlet_event_deliver(vcpu, 13, 0);
	}
	if (!vcpu->user_mode && (gva & PAGE_MASK) == RINGLET_SHARED_VA) {
		if (error & RINGLET_PF_I)
			return ringlet_kill(
				vcpu,
				"the guest kernel executed its shared page");
		ringlet_left(vcpu, RINGLET_LEFT_FILL);
		return map_shared_page(vcpu) ? -ENOMEM : RINGLET_RESUME;
	}
	if (in_hole(gva)) {
		ringlet_left(vcpu, RINGLET_LEFT_PAGE_FAULT);
		return ringlet_event_page_fault(vcpu, gva, access);
	}
	do {
		ret = ringlet_walk(&walker, gva, access, &t);
		if (!ret && beyond_user(vcpu, gva)) {
			t.error = access | RINGLET_PF_P;
			ret = 1;
		}
		if (!ret)
			ret = ringlet_mark_accessed(vcpu->vm, &t,
						    access & RINGLET_PF_W);
	} while (ret == -EAGAIN);
	if (ret == -EFAULT)
		return ringlet_kill(
			vcpu,
			"a page table of the guest (CR3 %#llx, for address %#llx) is not in its memory",
			walker.cr3, gva);
	if (ret < 0)
		return ret;
	if (ret) {
		trace_ringlet_fault(vcpu->id, gva, access, 0, t.error, "guest");
		ringlet_left(vcpu, RINGLET_LEFT_PAGE_FAULT);
		return ringlet_event_page_fault(vcpu, gva, t.error);
	}
	if (!ringlet_gpa_to_user(vcpu->vm, t.gpa, 1)) {
		trace_ringlet_fault(vcpu->id, gva, access, t.gpa, 0, "mmio");
		ringlet_left(vcpu, RINGLET_LEFT_MMIO);
		return ringlet_emulate_mmio(vcpu, t.gpa);
	}
	return fill(vcpu, &t, access);
}

/**
 * ringlet_shadow_root() - CR3 for the vCPU's current mode
 * @vcpu: whose
 *
 * Return: root, with a hardware PCID if the host uses them; never NOFLUSH.
 */
u64 ringlet_shadow_root(struct ringlet_vcpu *vcpu)
{
	struct ringlet_tag *tag = vcpu->shadow.current_tag;
	unsigned int pcid = vcpu->window.pcid;

	if (vcpu->user_mode)
		return __pa(tag->uroot) | pcid;
	return __pa(tag->kroot) | (pcid ? pcid + 1 : 0);
}

/**
 * ringlet_shadow_init() - make a vCPU's empty shadow
 * @vcpu: has its window; memory slots are known
 *
 * Return: 0 or -ENOMEM.
 */
int ringlet_shadow_init(struct ringlet_vcpu *vcpu)
{
	struct ringlet_shadow *shadow = &vcpu->shadow;
	u64 pages = 0;
	int i, ret;

	for (i = 0; i < vcpu->vm->nr_slots; i++)
		pages += vcpu->vm->slots[i].npages;
	shadow->max_pages = TABLES_MIN + (pages * TABLES_PER_GB >> 18);
	shadow->upper = new_table();
	if (!shadow->upper)
		return -ENOMEM;
	ret = ringlet_shadow_load_cr3(vcpu, 0);
	if (ret)
		ringlet_shadow_exit(vcpu);
	return ret;
}

/**
 * ringlet_shadow_exit() - free a vCPU's shadow
 * @vcpu: does not run any more
 */
void ringlet_shadow_exit(struct ringlet_vcpu *vcpu)
{
	struct ringlet_shadow *shadow = &vcpu->shadow;
	int i;

	for (i = 0; i < RINGLET_TAGS; i++)
		free_tag(shadow, &shadow->tags[i]);
	if (shadow->upper)
		clear_table(shadow, shadow->upper, 4);
	free_page((unsigned long)shadow->upper);
	shadow->upper = NULL;
}
