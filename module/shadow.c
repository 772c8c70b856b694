// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow page tables: a tagged software TLB in the shape of page tables. Here
 * is what makes leaves; the tables themselves are in tags.c.
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
 * Kernel roots have two things more, for the switcher alone (window.h): the VM's
 * linear map, in the slot, and an entry that leads to the root itself.
 *
 * Tables belong to one vCPU. Its own thread touches them outside the guest, and
 * the switcher inside it, on the same vCPU's behalf: never both at once.
 *
 * What must be flushed from the hardware's TLB (SDM vol. 3A, 4.10.4). Each tag
 * has two hardware PCIDs, and its roots are loaded with NOFLUSH while what the
 * CPU has cached under them is true. Whatever takes away or narrows something
 * marks the tag as stale, and the next load of each of its two roots is without
 * NOFLUSH: that drops all translations and paging-structure caches of the PCID.
 * One load does not do for the other: a user page is cached under both.
 *
 *	flush of a tag, INVLPG below the split	that tag
 *	a lower half is split in two, or joined	that tag
 *	INVLPG above the split, flush of all	all tags: all have the upper half
 *	a table is freed			as the flush that frees it
 *	the host takes a frame away		flush of all
 *	the vCPU comes to another CPU		all tags: what that CPU knows is old
 *
 * Nothing need be done where something is added: a CPU caches no entry that is
 * not present (4.10.2.1, 4.10.3), and one that caches less rights than a leaf
 * has by now takes a fault at worst, which itself drops that translation
 * (4.10.4.1). It counts as spurious and marks the tag, so it cannot come twice.
 *
 * Host kernel, process context; vcpu->mutex held.
 */
#include "ringlet.h"

#include <asm/processor-flags.h>

#include <asm/trapnr.h>

#include "pcid.h"
#include "trace.h"

/* clang-format off */
/* Leaves made together; as many guest entries as fill a cache line. */
#define NEIGHBOURS	8
/* Faults in a row that find their leaf in place; two are normal. */
#define SPURIOUS_MAX	1000
/* clang-format on */

static_assert(RINGLET_TAGS == RINGLET_ROOTS);
static_assert(2 * RINGLET_TAGS <= RINGLET_PCID_GROUP);
/* What a flush keeps must be less than what makes us flush. */
static_assert(RINGLET_KEEP_UPPER +
		      RINGLET_TAGS * (RINGLET_KEEP_LOWER + RINGLET_KEEP_SPLIT) <
	      RINGLET_TABLES_PER_VCPU);

/*
 * Make room for tables. What is at its limit gives back a quarter, so that not
 * every table more costs one. Context: vcpu->mutex held, not in the guest.
 */
static void make_room(struct ringlet_shadow *shadow)
{
	unsigned long max = READ_ONCE(shadow->max_pages);

	if (shadow->pages >= max)
		ringlet_tags_give_back(shadow, shadow->pages - max + max / 4);
}

/*
 * There was no memory for a table. All tables are given back, and those of the
 * other vCPUs are asked for: they may have taken what was just freed. When that
 * has not helped for long the next one is asked for in earnest, and if there is
 * none then, the launcher is told. Returns false if so.
 */
static bool gave_way(struct ringlet_vcpu *vcpu)
{
	struct ringlet_shadow *shadow = &vcpu->shadow;

	if (!ringlet_tags_may_give_way(shadow))
		return false;
	ringlet_tags_give_back(shadow, ULONG_MAX);
	ringlet_shrinker_ask_others(vcpu);
	return true;
}

/* What comes of a leaf that was to be made: @ret is 0 if it was, or an errno. */
static enum ringlet_next filled(struct ringlet_vcpu *vcpu, int ret)
{
	ringlet_left(vcpu, RINGLET_LEFT_FILL);
	if (!ret) {
		ringlet_tags_filled(&vcpu->shadow);
		return RINGLET_RESUME;
	}
	/* The host is at it, or short of memory: let the guest fault again. */
	if (ret == -EAGAIN || (ret == -ENOMEM && gave_way(vcpu)))
		return RINGLET_RESUME;
	return ret;
}

/* The two leaves of the upper half that are not the guest's doing. */
static int map_own_page(struct ringlet_vcpu *vcpu, u64 gva)
{
	struct ringlet_shadow *shadow = &vcpu->shadow;
	u64 *leaf = ringlet_tags_leaf(shadow, &shadow->upper, gva, 1);
	u64 flags = RINGLET_TABLE_FLAGS | RINGLET_PTE_D | RINGLET_PTE_NX |
		    RINGLET_SPTE_FULL;

	if (!leaf)
		return -ENOMEM;
	if (gva == RINGLET_SHARED_VA)
		*leaf = __pa(vcpu->window.shared) | flags;
	else
		*leaf = __pa(vcpu->vm->status) | (flags & ~RINGLET_PTE_W);
	return 0;
}

/* The shared page or the status page. */
static enum ringlet_next own_page_fault(struct ringlet_vcpu *vcpu, u64 gva,
					u32 access)
{
	u64 page = gva & PAGE_MASK;

	if (access & RINGLET_PF_I)
		return ringlet_kill(
			vcpu, "the guest kernel executed its %s page",
			page == RINGLET_SHARED_VA ? "shared" : "status");
	if (page == RINGLET_STATUS_VA && (access & RINGLET_PF_W)) {
		ringlet_left(vcpu, RINGLET_LEFT_PAGE_FAULT);
		return ringlet_event_page_fault(vcpu, gva,
						access | RINGLET_PF_P);
	}
	return filled(vcpu, map_own_page(vcpu, page));
}

/*
 * The leaf was there: the CPU used another translation. One that it had cached
 * before the leaf got its rights goes with the fault; one of the host's global
 * entries, which match under any PCID, with INVLPG. But the host makes it anew
 * before the guest gets anywhere if it is for code or data that is used on this
 * very path: after two such faults in a row the next stay is without global
 * pages (switch.c). Another fault is then a bug.
 */
static enum ringlet_next spurious(struct ringlet_vcpu *vcpu, u64 gva)
{
	ringlet_left(vcpu, RINGLET_LEFT_SPURIOUS);
	if (++vcpu->spurious > SPURIOUS_MAX)
		return ringlet_kill(
			vcpu,
			"address %#llx faults although nothing is missing there: a bug of Ringlet, please report it",
			gva);
	asm volatile("invlpg (%0)" : : "r"(gva) : "memory");
	ringlet_tags_mark_current(&vcpu->shadow);
	return RINGLET_RESUME;
}

/*
 * Leaves for the pages around one that was just made, where the guest's entries
 * have A set: such the CPU may cache without an access, and so may we.
 */
static void make_neighbours(struct ringlet_vcpu *vcpu,
			    struct ringlet_half *half,
			    const struct ringlet_translation *t)
{
	bool private_nx = half == &vcpu->shadow.current_tag->klower;
	u64 gva = t->gva & ~(NEIGHBOURS * PAGE_SIZE - 1);
	u64 gptes[NEIGHBOURS] = {};
	struct ringlet_translation n;
	u64 *leaf;
	int i;

	leaf = ringlet_tags_leaf(&vcpu->shadow, half, gva, t->level);
	if (!leaf)
		return;
	if (t->level == 1 &&
	    ringlet_read_gptes(vcpu->vm, t->entry_gpa[1] & ~(sizeof(gptes) - 1),
			       gptes, NEIGHBOURS))
		return;
	for (i = 0; i < NEIGHBOURS; i++, gva += PAGE_SIZE) {
		if (leaf[i] || gva == RINGLET_SHARED_VA ||
		    gva == RINGLET_STATUS_VA ||
		    !ringlet_walk_neighbour(t, gva, gptes[i], &n) ||
		    n.user != t->user)
			continue;
		/* What is not memory, or not known yet, waits for its fault. */
		ringlet_map_frame(vcpu->vm, &n, false, private_nx, false,
				  &leaf[i]);
	}
}

/* Make the leaf for a walk that the guest's tables allowed. */
static int make_leaf(struct ringlet_vcpu *vcpu, struct ringlet_half *half,
		     const struct ringlet_translation *t, u32 access)
{
	bool private_nx = half == &vcpu->shadow.current_tag->klower;
	struct ringlet_shadow *shadow = &vcpu->shadow;
	bool large;
	u64 *leaf, old;
	int ret;

	ret = ringlet_know_frame(vcpu->vm, t->gpa, access & RINGLET_PF_W);
	if (ret)
		return ret;
	large = t->level > 1 && ringlet_frames_large(vcpu->vm, t->gpa);
	leaf = large ? ringlet_tags_large_leaf(shadow, half, t->gva, t->level) :
		       ringlet_tags_leaf(shadow, half, t->gva, t->level);
	if (!leaf)
		return -ENOMEM;
	old = *leaf;
	ret = ringlet_map_frame(vcpu->vm, t, access & RINGLET_PF_W, private_nx,
				large, leaf);
	if (ret)
		return ret;
	trace_ringlet_fault(vcpu->id, t->gva, access, t->gpa, *leaf, "fill");
	if (!large)
		make_neighbours(vcpu, half, t);
	return old == *leaf;
}

static enum ringlet_next fill(struct ringlet_vcpu *vcpu,
			      const struct ringlet_translation *t, u32 access)
{
	struct ringlet_shadow *shadow = &vcpu->shadow;
	struct ringlet_tag *tag = shadow->current_tag;
	struct ringlet_half *half = &shadow->upper;
	int ret;

	make_room(shadow);
	if (!ringlet_upper_half(t->gva)) {
		if (!t->user && !tag->split)
			ringlet_tags_split(shadow);
		half = &tag->lower;
		if (tag->split && !ringlet_user_mode(vcpu))
			half = &tag->klower;
	}
	ret = make_leaf(vcpu, half, t, access);
	return ret == 1 ? spurious(vcpu, t->gva) : filled(vcpu, ret);
}

/* A guest user's access above the split: nothing there is ever the user's. */
static bool beyond_user(struct ringlet_vcpu *vcpu, u64 gva)
{
	return ringlet_user_mode(vcpu) && ringlet_upper_half(gva);
}

/* ringlet_walk(), and A and D as the guest's CPU would set them. */
static int walk(struct ringlet_vcpu *vcpu, u64 gva, u32 access,
		struct ringlet_translation *t)
{
	int ret;

	ret = ringlet_walk_guest(vcpu, gva, access, t);
	if (ret)
		return ret;
	if (beyond_user(vcpu, gva)) {
		t->error = access | RINGLET_PF_P;
		return 1;
	}
	return ringlet_mark_accessed(vcpu->vm, t, access);
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
	u32 access = error & (RINGLET_PF_W | RINGLET_PF_I);
	struct ringlet_translation t;
	int ret;

	if (ringlet_user_mode(vcpu))
		access |= RINGLET_PF_U;
	/* On a host with 57-bit addresses: natively this is #GP (or #SS). */
	if (!ringlet_canonical(gva)) {
		ringlet_left(vcpu, RINGLET_LEFT_EXCEPTION);
		return ringlet_event_deliver(vcpu, X86_TRAP_GP, 0);
	}
	if (!ringlet_user_mode(vcpu) &&
	    ((gva & PAGE_MASK) == RINGLET_SHARED_VA ||
	     (gva & PAGE_MASK) == RINGLET_STATUS_VA))
		return own_page_fault(vcpu, gva, access);
	if (in_hole(gva)) {
		ringlet_left(vcpu, RINGLET_LEFT_PAGE_FAULT);
		return ringlet_event_page_fault(vcpu, gva, access);
	}
	ret = walk(vcpu, gva, access, &t);
	/* The guest's other CPUs are at its tables: let it fault again. */
	if (ret == -EAGAIN) {
		ringlet_left(vcpu, RINGLET_LEFT_FILL);
		return RINGLET_RESUME;
	}
	if (ret == -EFAULT)
		return ringlet_kill(
			vcpu,
			"a page table of the guest, for address %#llx, is not in its memory",
			gva);
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

static void write_root(struct ringlet_vcpu *vcpu, int index)
{
	struct ringlet_shadow *shadow = &vcpu->shadow;
	struct ringlet_tag *tag = &shadow->tags[index];
	struct ringlet_window_state *state = vcpu->window.state;
	struct ringlet_root *root = &state->roots[index];
	u64 kept = tag->stale ? 0 : state->noflush;

	tag->stale = false;
	if (!tag->live) {
		*root = (struct ringlet_root){ .cr3 = ~0ULL };
		return;
	}
	root->cr3 = tag->cr3 | tag->pcid;
	root->kroot = ringlet_tags_root(shadow, tag, false) |
		      (root->kroot & kept);
	root->uroot = ringlet_tags_root(shadow, tag, true) |
		      (root->uroot & kept);
	root->split = tag->split;
}

/**
 * ringlet_shadow_enter() - tell the switcher what to load
 * @vcpu: about to enter the guest on this CPU
 *
 * From here on what is stale is known by bit 63 in the window's roots, which the
 * switcher sets when it has loaded one. Of the current tag both are flushed at
 * entry, so that it can change the guest's mode without looking.
 *
 * Context: interrupts off.
 */
void ringlet_shadow_enter(struct ringlet_vcpu *vcpu)
{
	struct ringlet_shadow *shadow = &vcpu->shadow;
	struct ringlet_window_state *state = vcpu->window.state;
	struct ringlet_root *root;
	u64 other;
	int i;

	if (vcpu->last_cpu != smp_processor_id()) {
		ringlet_tags_mark_all(shadow);
		vcpu->last_cpu = smp_processor_id();
	}
	if (shadow->changed) {
		for (i = 0; i < RINGLET_TAGS; i++)
			write_root(vcpu, i);
		shadow->changed = false;
	}
	state->current_root = shadow->current_tag - shadow->tags;
	root = &state->roots[state->current_root];
	state->guest_cr3 = ringlet_user_mode(vcpu) ? root->uroot : root->kroot;
	other = ringlet_user_mode(vcpu) ? root->kroot : root->uroot;
	/* Without NOFLUSH at all every load flushes, when it comes. */
	state->first_cr3 = ~other & state->noflush ? other : 0;
	root->kroot |= state->noflush;
	root->uroot |= state->noflush;
	state->kroot = root->kroot;
	state->uroot = root->uroot;
}

/**
 * ringlet_shadow_leave() - see what the switcher made of the roots
 * @vcpu: just left the guest
 */
void ringlet_shadow_leave(struct ringlet_vcpu *vcpu)
{
	struct ringlet_shadow *shadow = &vcpu->shadow;
	struct ringlet_window_state *state = vcpu->window.state;
	struct ringlet_tag *tag;

	tag = &shadow->tags[state->current_root % RINGLET_TAGS];
	if (!WARN_ON_ONCE(!tag->live))
		shadow->current_tag = tag;
	/* The loads that ringlet_shadow_enter() counted on may not have been. */
	if (state->gprs.vector == RINGLET_VECTOR_ABORTED)
		ringlet_tags_mark_current(shadow);
}

/*
 * Where the switcher finds its vCPU's tables. Entry number @recursive of a root
 * leads to the root itself: the CPU then takes the root for a table of the next
 * level, and so on down, and what it takes for a page is a table of level 1.
 */
static void say_where(struct ringlet_vcpu *vcpu)
{
	struct ringlet_window_state *state = vcpu->window.state;
	struct ringlet_shadow *shadow = &vcpu->shadow;
	unsigned int bits = shadow->la57 ? 57 : 48;
	u64 mask = BIT_ULL(bits) - 1;

	state->linear = ringlet_window_slot_base() + RINGLET_LINEAR;
	state->leaves = ((u64)RINGLET_RECURSIVE << (bits - 9)) | ~mask;
	state->frames = state->leaves + ((state->linear & mask) >> 12 << 3);
	state->va_mask = mask;
	state->async_pf_end = ringlet_asyncpf_end();
	state->nr_frames = shadow->recursive ? vcpu->vm->linear.nr_frames : 0;
}

/**
 * ringlet_shadow_divide() - tell each vCPU how many tables it may have
 * @vm: with its lock held; a vCPU has joined it
 *
 * One that has more gives them back when it next wants one.
 */
void ringlet_shadow_divide(struct ringlet_vm *vm)
{
	unsigned long limit =
		ringlet_tags_limit(ringlet_vm_pages(vm), vm->nr_vcpus);
	struct ringlet_vcpu *vcpu;
	u32 id = 0;

	while ((vcpu = ringlet_vm_next_vcpu(vm, &id)))
		WRITE_ONCE(vcpu->shadow.max_pages, limit);
}

/**
 * ringlet_shadow_reclaim() - give back what the host has asked for
 * @vcpu: whose; its thread, or one that holds its mutex
 *
 * Return: how many tables were freed.
 */
unsigned long ringlet_shadow_reclaim(struct ringlet_vcpu *vcpu)
{
	return ringlet_tags_give_back(&vcpu->shadow,
				      atomic_long_xchg(&vcpu->reclaim, 0));
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

	vcpu->last_cpu = -1;
	shadow->slot = vcpu->window.root_entry;
	shadow->kernel_slot = vcpu->window.kernel_entry;
	shadow->pcid = vcpu->window.pcid;
	shadow->la57 = native_read_cr4() & X86_CR4_LA57;
	if (ringlet_window_reaches_memory())
		shadow->recursive = RINGLET_RECURSIVE;
	say_where(vcpu);
	return ringlet_tags_init(shadow);
}
