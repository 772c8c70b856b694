// SPDX-License-Identifier: GPL-2.0
/*
 * The slot in the hypervisor's guard hole and the windows in it.
 *
 * Linux keeps PML4 entries 256 to 271 (with five levels, PML5's) empty "for
 * hypervisors". The last of them is the slot. One entry of the launcher's own
 * top-level table, the kernel's half of it and not KPTI's user copy, leads to
 * the windows of all its vCPUs; the same entry of a vCPU's shadow roots leads
 * to that vCPU's window only. (On parts with Meltdown whatever is mapped in a
 * shadow root can be read by the guest: no vCPU shall see another's registers.)
 * In kernel roots it also leads to the VM's linear map, which is linear.c's.
 *
 * Nothing exported could map this for us: vmap() forbids execution, and no
 * function hands out an address range. The tables are therefore written by
 * hand. The kernel does not know of them: fork() copies no such entry and
 * exit_mmap() does not walk there, so the entry must be cleared, and every
 * CPU's TLB rid of it, before the tables are freed.
 *
 * Host kernel, process context.
 */
#include "ringlet.h"

#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/vmalloc.h>
#include <asm/invpcid.h>
#include <asm/desc.h>
#include <asm/tlbflush.h>
#include <asm/trapnr.h>

#include "pcid.h"

/* clang-format off */
#define SLOT_INDEX		271
#define SLOT_BASE_4LEVEL	0xffff878000000000UL
#define SLOT_BASE_5LEVEL	0xff0f000000000000UL
#define SLOT_WINDOWS		512	/* entries of the one level-2 table */

#define TABLE_FLAGS	(RINGLET_PTE_P | RINGLET_PTE_W | RINGLET_PTE_A | RINGLET_PTE_D)
#define TEXT_FLAGS	(RINGLET_PTE_P | RINGLET_PTE_A)
#define RO_FLAGS	(RINGLET_PTE_P | RINGLET_PTE_A | RINGLET_PTE_NX)
#define DATA_FLAGS	(TABLE_FLAGS | RINGLET_PTE_NX)

#define GDT_ENTRIES_USED	16
/* clang-format on */

/**
 * struct ringlet_slot - the slot of one launcher's page tables
 * @list: among all slots
 * @mm: whose; the VMs that use it hold a reference on the mm
 * @windows: number of windows; the slot goes with the last
 * @used: which indices
 * @tables: from the one that the top-level entry points to down to level 2
 * @levels: number of @tables: 2 on a host with four levels, 3 with five
 */
struct ringlet_slot {
	struct list_head list;
	struct mm_struct *mm;
	unsigned int windows;
	DECLARE_BITMAP(used, SLOT_WINDOWS);
	u64 *tables[3];
	int levels;
};

static DEFINE_MUTEX(slots_lock);
static LIST_HEAD(slots);

static bool host_la57(void)
{
	return native_read_cr4() & X86_CR4_LA57;
}

/**
 * ringlet_window_slot_base() - where the slot begins
 *
 * Return: its address, the same in all of the host's page tables.
 */
unsigned long ringlet_window_slot_base(void)
{
	return host_la57() ? SLOT_BASE_5LEVEL : SLOT_BASE_4LEVEL;
}

/**
 * ringlet_window_reaches_memory() - may roots map guest memory for the switcher?
 *
 * Not where the CPU has Meltdown: the guest kernel runs on the same root at CPL
 * 3 and could read its shadow tables there, and with them where its memory lies
 * in the host's, which Rowhammer would like to know. (Guest user mode has a root
 * without either on any CPU: it could read the guest kernel's memory.)
 *
 * Return: true if kernel roots have the linear map and the recursive entry.
 */
bool ringlet_window_reaches_memory(void)
{
	return !boot_cpu_has_bug(X86_BUG_CPU_MELTDOWN);
}

static u64 *new_table(void)
{
	return (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

static void free_tables(u64 **tables, int n)
{
	while (n--) {
		free_page((unsigned long)tables[n]);
		tables[n] = NULL;
	}
}

/* A chain of tables, each the first entry of the one before it. */
static int new_chain(u64 **tables, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		tables[i] = new_table();
		if (!tables[i]) {
			free_tables(tables, i);
			return -ENOMEM;
		}
		if (i)
			tables[i - 1][0] = __pa(tables[i]) | TABLE_FLAGS;
	}
	return 0;
}

static void flush_this_cpu(void *unused)
{
	unsigned long cr4;

	/* INVPCID type 2: all PCIDs, global entries too (SDM, INVPCID). */
	if (boot_cpu_has(X86_FEATURE_INVPCID)) {
		invpcid_flush_all();
		return;
	}
	/*
	 * A change of CR4.PGE does the same (SDM vol. 3A, 4.10.4.1). By hand:
	 * the kernel's own helpers are not for modules everywhere.
	 */
	cr4 = native_read_cr4();
	asm volatile("mov %0, %%cr4" : : "r"(cr4 ^ X86_CR4_PGE) : "memory");
	asm volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
}

/* Every CPU may have cached the slot under the launcher's PCIDs or ours. */
static void flush_everywhere(void)
{
	on_each_cpu(flush_this_cpu, NULL, 1);
}

static struct ringlet_slot *find_slot(struct mm_struct *mm)
{
	struct ringlet_slot *slot;

	list_for_each_entry(slot, &slots, list)
		if (slot->mm == mm)
			return slot;
	return NULL;
}

static struct ringlet_slot *new_slot(struct mm_struct *mm)
{
	u64 *entry = (u64 *)mm->pgd + SLOT_INDEX;
	struct ringlet_slot *slot;

	/* Somebody else's guard hole: two hypervisors cannot share it. */
	if (READ_ONCE(*entry))
		return ERR_PTR(-EBUSY);
	slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);
	if (!slot)
		return ERR_PTR(-ENOMEM);
	slot->mm = mm;
	slot->levels = host_la57() ? 3 : 2;
	if (new_chain(slot->tables, slot->levels)) {
		kfree(slot);
		return ERR_PTR(-ENOMEM);
	}
	WRITE_ONCE(*entry, __pa(slot->tables[0]) | TABLE_FLAGS);
	list_add(&slot->list, &slots);
	return slot;
}

/* Take a place in the slot of @mm, making the slot with its first window. */
static int slot_get(struct ringlet_window *window, struct mm_struct *mm)
{
	struct ringlet_slot *slot;
	int ret = 0;

	mutex_lock(&slots_lock);
	slot = find_slot(mm);
	if (!slot)
		slot = new_slot(mm);
	if (IS_ERR(slot)) {
		ret = PTR_ERR(slot);
		goto out;
	}
	window->index = find_first_zero_bit(slot->used, SLOT_WINDOWS);
	if (window->index == SLOT_WINDOWS) {
		ret = -EMFILE;
		goto out;
	}
	__set_bit(window->index, slot->used);
	slot->windows++;
	window->slot = slot;
	window->base = ringlet_window_slot_base() +
		       (unsigned long)window->index * RINGLET_WINDOW_STRIDE;
out:
	mutex_unlock(&slots_lock);
	return ret;
}

/* After this no CPU can reach the window. Its pages may be freed. */
static void slot_put(struct ringlet_window *window)
{
	struct ringlet_slot *slot = window->slot;

	mutex_lock(&slots_lock);
	WRITE_ONCE(slot->tables[slot->levels - 1][window->index], 0);
	if (slot->windows == 1)
		WRITE_ONCE(((u64 *)slot->mm->pgd)[SLOT_INDEX], 0);
	flush_everywhere();
	/* Only now may another window take the place. */
	__clear_bit(window->index, slot->used);
	if (!--slot->windows) {
		list_del(&slot->list);
		free_tables(slot->tables, slot->levels);
		kfree(slot);
	}
	mutex_unlock(&slots_lock);
}

static void fill_gdt(struct ringlet_window *window, u32 vcpu_id)
{
	u64 *gdt = (u64 *)(window->desc + RINGLET_DESC_GDT);
	u64 tss = window->base + RINGLET_WINDOW_DESC + RINGLET_DESC_TSS;

	/* Flat segments, all marked accessed: the CPU need not write here. */
	gdt[GDT_ENTRY_KERNEL32_CS] = 0x00cf9b000000ffff;
	gdt[GDT_ENTRY_KERNEL_CS] = 0x00af9b000000ffff;
	gdt[GDT_ENTRY_KERNEL_DS] = 0x00cf93000000ffff;
	gdt[GDT_ENTRY_DEFAULT_USER32_CS] = 0x00cffb000000ffff;
	gdt[GDT_ENTRY_DEFAULT_USER_DS] = 0x00cff3000000ffff;
	gdt[GDT_ENTRY_DEFAULT_USER_CS] = 0x00affb000000ffff;
	/* An available 64-bit TSS of 104 bytes: no I/O bitmap, so no port. */
	gdt[GDT_ENTRY_TSS] = 103 | (tss & 0xffffff) << 16 | 0x89ULL << 40 |
			     (tss >> 24 & 0xff) << 56;
	gdt[GDT_ENTRY_TSS + 1] = tss >> 32;
	/* User mode reads its CPU's number by LSL, as Linux's vDSO does. */
	gdt[GDT_ENTRY_CPUNODE] = 0x0040f50000000000 | vcpu_id;
}

static void fill_tss(struct ringlet_window *window)
{
	struct x86_hw_tss *tss =
		(struct x86_hw_tss *)(window->desc + RINGLET_DESC_TSS);
	u64 ist = window->base + RINGLET_WINDOW_DESC + RINGLET_DESC_IST;
	int i;

	tss->sp0 = window->base + RINGLET_WINDOW_STATE +
		   offsetofend(struct ringlet_window_state, gprs);
	for (i = 0; i < 4; i++)
		tss->ist[i] = ist + (i + 1) * RINGLET_IST_SIZE;
	tss->io_bitmap_base = sizeof(*tss);
}

static void set_gate(struct ringlet_window *window, int vector, char *stub,
		     int ist, int dpl)
{
	unsigned long address = window->base + (stub - ringlet_text_start);
	gate_desc *gate = &window->idt[vector];

	gate->offset_low = (u16)address;
	gate->offset_middle = (u16)(address >> 16);
	gate->offset_high = (u32)(address >> 32);
	gate->segment = __KERNEL_CS;
	gate->bits.ist = ist;
	gate->bits.type = GATE_INTERRUPT;
	gate->bits.dpl = dpl;
	gate->bits.p = 1;
}

static void fill_idt(struct ringlet_window *window)
{
	const gate_desc *host_idt;
	struct desc_ptr host_idtr;
	int i;

	for (i = 0; i < 256; i++)
		set_gate(window, i, ringlet_stubs + i * RINGLET_STUB_SIZE, 0,
			 0);
	/* INT n of a guest is #GP but for those that Linux gives its users. */
	window->idt[X86_TRAP_BP].bits.dpl = 3;
	window->idt[X86_TRAP_OF].bits.dpl = 3;
	store_idt(&host_idtr);
	host_idt = (const gate_desc *)host_idtr.address;
	window->idt[RINGLET_GATE_INT80].bits.dpl =
		host_idt[RINGLET_GATE_INT80].bits.dpl;
	set_gate(window, X86_TRAP_DB, ringlet_stub_db, RINGLET_IST_DB, 0);
	set_gate(window, X86_TRAP_NMI, ringlet_stub_nmi, RINGLET_IST_NMI, 0);
	set_gate(window, X86_TRAP_DF, ringlet_stub_df, RINGLET_IST_DF, 0);
	set_gate(window, X86_TRAP_MC, ringlet_stub_mce, RINGLET_IST_MCE, 0);
}

static void set_desc_ptr(struct desc_ptr *ptr, unsigned long address, u16 size)
{
	ptr->address = address;
	ptr->size = size - 1;
}

static void fill_table(struct ringlet_window *window)
{
	u64 *table = window->table;
	int i;

	for (i = 0; i < RINGLET_TEXT_PAGES; i++)
		table[i] =
			(u64)vmalloc_to_pfn(ringlet_text_start + i * PAGE_SIZE)
				<< 12 |
			TEXT_FLAGS;
	table[RINGLET_WINDOW_STATE >> 12] = __pa(window->state) | DATA_FLAGS;
	table[RINGLET_WINDOW_DESC >> 12] = __pa(window->desc) | DATA_FLAGS;
	table[RINGLET_WINDOW_IDT >> 12] = __pa(window->idt) | RO_FLAGS;
	table[RINGLET_WINDOW_SHARED >> 12] = __pa(window->shared) | DATA_FLAGS;
}

/* Pages first, so that what follows cannot fail half-way. */
static int alloc_pages_of(struct ringlet_window *window)
{
	window->state = (void *)new_table();
	window->desc = (void *)new_table();
	window->idt = (void *)new_table();
	window->shared = (void *)new_table();
	window->table = new_table();
	if (!window->state || !window->desc || !window->idt ||
	    !window->shared || !window->table)
		return -ENOMEM;
	if (new_chain(window->kernel, host_la57() ? 2 : 1))
		return -ENOMEM;
	return new_chain(window->own, host_la57() ? 3 : 2);
}

static void free_pages_of(struct ringlet_window *window)
{
	free_page((unsigned long)window->state);
	free_page((unsigned long)window->desc);
	free_page((unsigned long)window->idt);
	free_page((unsigned long)window->shared);
	free_page((unsigned long)window->table);
	free_tables(window->kernel, ARRAY_SIZE(window->kernel));
	free_tables(window->own, ARRAY_SIZE(window->own));
}

/* The vCPU's own trees: the window, and in the kernel roots' the linear map. */
static void fill_own(struct ringlet_window *window, struct ringlet_vm *vm)
{
	int levels = window->slot->levels;
	u64 *level2 = window->own[levels - 1],
	    *level3 = window->kernel[levels - 2];

	level2[window->index] = __pa(window->table) | TABLE_FLAGS;
	level3[0] = __pa(level2) | TABLE_FLAGS;
	if (ringlet_window_reaches_memory())
		ringlet_linear_link(&vm->linear, level3 + 256);
	window->root_entry = __pa(window->own[0]) | TABLE_FLAGS;
	window->kernel_entry = __pa(window->kernel[0]) | TABLE_FLAGS;
}

/* NOFLUSH needs PCIDs of our own, and INVPCID, by which all are flushed. */
static void set_pcid(struct ringlet_window *window)
{
	window->state->noflush = 0;
	if (!(native_read_cr4() & X86_CR4_PCIDE))
		return;
	window->pcid = ringlet_pcid_alloc();
	if (boot_cpu_has(X86_FEATURE_INVPCID) &&
	    !ringlet_pcid_shared(window->pcid))
		window->state->noflush = BIT_ULL(63);
}

/**
 * ringlet_window_create() - make a vCPU's window and map it in the launcher
 * @vcpu: its VM's mm is current's
 *
 * Context: process context; may sleep.
 * Return: 0; -ENOMEM; -EMFILE if the process has 512 windows; -EBUSY if
 * something else sits in the guard hole.
 */
int ringlet_window_create(struct ringlet_vcpu *vcpu)
{
	struct ringlet_window *window = &vcpu->window;
	struct ringlet_slot *slot;
	u64 *level2;
	int ret;

	BUILD_BUG_ON(sizeof(struct ringlet_window_state) > PAGE_SIZE);
	BUILD_BUG_ON(offsetofend(struct ringlet_window_state, gprs) % 16);
	BUILD_BUG_ON(RINGLET_DESC_TSS + sizeof(struct x86_hw_tss) >
		     RINGLET_DESC_IST);
	BUILD_BUG_ON(RINGLET_DESC_IST + 4 * RINGLET_IST_SIZE > PAGE_SIZE);

	ret = ringlet_memory_map(vcpu->vm);
	if (ret)
		return ret;
	ret = alloc_pages_of(window);
	if (ret)
		goto err_pages;
	ret = slot_get(window, vcpu->vm->mm);
	if (ret)
		goto err_pages;

	fill_gdt(window, vcpu->id);
	fill_tss(window);
	fill_idt(window);
	fill_table(window);
	set_desc_ptr(&window->state->guest_gdtr,
		     window->base + RINGLET_WINDOW_DESC + RINGLET_DESC_GDT,
		     GDT_ENTRIES_USED * sizeof(u64));
	set_desc_ptr(&window->state->guest_idtr,
		     window->base + RINGLET_WINDOW_IDT, PAGE_SIZE);
	window->state->verw_selector = __KERNEL_DS;
	window->state->untrain = (unsigned long)ringlet_untrain;
	set_pcid(window);

	/* The same table in all trees: the launcher's and the vCPU's own. */
	slot = window->slot;
	level2 = slot->tables[slot->levels - 1];
	WRITE_ONCE(level2[window->index], __pa(window->table) | TABLE_FLAGS);
	fill_own(window, vcpu->vm);
	return 0;

err_pages:
	free_pages_of(window);
	return ret;
}

/**
 * ringlet_window_destroy() - unmap a vCPU's window and free it
 * @vcpu: does not run any more
 *
 * Context: process context; may sleep; sends IPIs.
 */
void ringlet_window_destroy(struct ringlet_vcpu *vcpu)
{
	struct ringlet_window *window = &vcpu->window;

	slot_put(window);
	if (window->pcid)
		ringlet_pcid_free(window->pcid);
	free_pages_of(window);
}
