// SPDX-License-Identifier: GPL-2.0
/*
 * Counts what a guest would have to tell its hypervisor if page tables were
 * notified, as Xen PV's are, and into how few calls that could be put at best.
 *
 * Guest kernel mode, in a kernel that selftests/bench/notices/measure builds for
 * this alone; never in a guest that is shipped. Nothing is told to anybody:
 * pv_ops' page-table operations do what they do natively, and count. One vCPU:
 * the counters are plain. With "count_notices" on its command line only, which
 * is read before pv_ops are patched into the code. /proc/notices shows them.
 *
 * What is counted is Xen's scheme at its best. A page table is *dormant* until
 * its address space is first used (enter_mmap) and again from its end on
 * (exit_mmap): what is written to it then is nobody's business. To begin and to
 * end that is one call each, however many tables there are. Otherwise each
 * change of an entry that is present, before or after, is a notice, and so is
 * each table that comes or goes. All notices in one section of lazy MMU mode
 * are one call; each outside is a call of its own.
 */
#include <linux/bitmap.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

#include <asm/paravirt.h>
#include <asm/pgtable.h>

/* Frames of guest memory that can be told apart: 4 GiB. */
#define FRAMES BIT(20)

static DECLARE_BITMAP(dormant, FRAMES);
static bool counting, lazy, section_used, told;

static struct {
	unsigned long added;	/* entries that became present */
	unsigned long changed;	/* present before and after */
	unsigned long removed;
	unsigned long dormant;	/* of no interest: nobody uses that table */
	unsigned long tables;	/* page tables that came or went */
	unsigned long begun;	/* address spaces first used, */
	unsigned long ended;	/* and gone */
	unsigned long sections;	/* of lazy MMU mode, with notices */
	unsigned long single;	/* notices outside of them */
	unsigned long returns;	/* to user mode, with notices since the last */
} count;

static bool is_dormant(unsigned long pfn)
{
	return pfn < FRAMES && test_bit(pfn, dormant);
}

static unsigned long frame_of(const void *table)
{
	return __pa(table) >> PAGE_SHIFT;
}

static void notice(void)
{
	told = true;
	if (lazy)
		section_used = true;
	else
		count.single++;
}

/* An entry that is about to have another value. */
void ringlet_notice(void *entry, unsigned long value)
{
	unsigned long old = READ_ONCE(*(unsigned long *)entry);

	if (!counting || old == value || !((old | value) & _PAGE_PRESENT))
		return;
	if (is_dormant(frame_of(entry))) {
		count.dormant++;
		return;
	}
	if (!(old & _PAGE_PRESENT))
		count.added++;
	else if (value & _PAGE_PRESENT)
		count.changed++;
	else
		count.removed++;
	notice();
}

void ringlet_notices_return(void)
{
	count.returns += told;
	told = false;
}

/* ---- Entries ---- */

static void count_set_pte(pte_t *ptep, pte_t pte)
{
	ringlet_notice(ptep, pte.pte);
	native_set_pte(ptep, pte);
}

static void count_set_pmd(pmd_t *pmdp, pmd_t pmd)
{
	ringlet_notice(pmdp, pmd.pmd);
	native_set_pmd(pmdp, pmd);
}

static void count_set_pud(pud_t *pudp, pud_t pud)
{
	ringlet_notice(pudp, native_pud_val(pud));
	native_set_pud(pudp, pud);
}

static void count_set_p4d(p4d_t *p4dp, p4d_t p4d)
{
	ringlet_notice(p4dp, native_p4d_val(p4d));
	native_set_p4d(p4dp, p4d);
}

/* A transaction is one change: its beginning is not told. */
static pte_t count_modify_start(struct vm_area_struct *vma, unsigned long addr,
				pte_t *ptep)
{
	return (pte_t) { .pte = xchg(&ptep->pte, 0) };
}

static void count_modify_commit(struct vm_area_struct *vma, unsigned long addr,
				pte_t *ptep, pte_t pte)
{
	if (is_dormant(frame_of(ptep))) {
		count.dormant++;
	} else {
		count.changed++;
		notice();
	}
	native_set_pte(ptep, pte);
}

/* ---- Tables ---- */

static void count_alloc(struct mm_struct *mm, unsigned long pfn)
{
	if (is_dormant(frame_of(mm->pgd))) {
		if (pfn < FRAMES)
			set_bit(pfn, dormant);
		return;
	}
	count.tables++;
	notice();
}

static void count_release(unsigned long pfn)
{
	if (is_dormant(pfn)) {
		clear_bit(pfn, dormant);
		return;
	}
	count.tables++;
	notice();
}

static int count_pgd_alloc(struct mm_struct *mm)
{
	set_bit(frame_of(mm->pgd), dormant);
	return 0;
}

static void count_pgd_free(struct mm_struct *mm, pgd_t *pgd)
{
	clear_bit(frame_of(pgd), dormant);
}

/* All tables below one, with itself: the user's half of an address space. */
static void mark(unsigned long *table, int level, bool to)
{
	int entries = level == 4 ? PTRS_PER_PGD / 2 : PTRS_PER_PTE;

	assign_bit(frame_of(table), dormant, to);
	if (level == 1)
		return;
	for (int i = 0; i < entries; i++)
		if ((table[i] & (_PAGE_PRESENT | _PAGE_PSE)) == _PAGE_PRESENT)
			mark(__va(table[i] & PTE_PFN_MASK), level - 1, to);
}

static void count_enter_mmap(struct mm_struct *mm)
{
	if (!is_dormant(frame_of(mm->pgd)))
		return;
	mark((unsigned long *)mm->pgd, 4, false);
	count.begun++;
	notice();
}

static void count_exit_mmap(struct mm_struct *mm)
{
	if (is_dormant(frame_of(mm->pgd)))
		return;
	mark((unsigned long *)mm->pgd, 4, true);
	count.ended++;
	notice();
}

/* ---- Sections ---- */

static void end_section(void)
{
	count.sections += section_used;
	section_used = false;
}

static void count_enter_lazy(void)
{
	lazy = true;
}

static void count_leave_lazy(void)
{
	end_section();
	lazy = false;
}

static int __init count_notices(char *unused)
{
	pv_ops.mmu.set_pte = count_set_pte;
	pv_ops.mmu.set_pmd = count_set_pmd;
	pv_ops.mmu.set_pud = count_set_pud;
	pv_ops.mmu.set_p4d = count_set_p4d;
	pv_ops.mmu.ptep_modify_prot_start = count_modify_start;
	pv_ops.mmu.ptep_modify_prot_commit = count_modify_commit;
	pv_ops.mmu.alloc_pte = count_alloc;
	pv_ops.mmu.alloc_pmd = count_alloc;
	pv_ops.mmu.alloc_pud = count_alloc;
	pv_ops.mmu.release_pte = count_release;
	pv_ops.mmu.release_pmd = count_release;
	pv_ops.mmu.release_pud = count_release;
	pv_ops.mmu.pgd_alloc = count_pgd_alloc;
	pv_ops.mmu.pgd_free = count_pgd_free;
	pv_ops.mmu.enter_mmap = count_enter_mmap;
	pv_ops.mmu.exit_mmap = count_exit_mmap;
	pv_ops.mmu.lazy_mode.enter = count_enter_lazy;
	pv_ops.mmu.lazy_mode.leave = count_leave_lazy;
	pv_ops.mmu.lazy_mode.flush = end_section;
	counting = true;
	return 0;
}
early_param("count_notices", count_notices);

static int show_notices(struct seq_file *m, void *unused)
{
	seq_printf(m, "added %lu\nchanged %lu\nremoved %lu\n", count.added,
		   count.changed, count.removed);
	seq_printf(m, "dormant %lu\ntables %lu\nbegun %lu\nended %lu\n",
		   count.dormant, count.tables, count.begun, count.ended);
	seq_printf(m, "sections %lu\nsingle %lu\nreturns %lu\n", count.sections,
		   count.single, count.returns);
	return 0;
}

static int __init show_notices_init(void)
{
	proc_create_single("notices", 0444, NULL, show_notices);
	return 0;
}
late_initcall(show_notices_init);
