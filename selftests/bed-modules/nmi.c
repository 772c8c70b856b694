// SPDX-License-Identifier: GPL-2.0
/*
 * NMIs at random, as a file: a number written to /proc/nmis sends so many, one
 * after the other, to random CPUs at random moments, and returns when the last
 * has been counted. Reading says how it went. A number below 0 is a storm of so
 * many: the next without waiting for the last, from as many writers as there are.
 *
 * QEMU's TCG has no performance counters and its monitor's NMI reaches CPU 0
 * alone; an IPI with NMI delivery reaches any. The handler only counts: a print
 * would be the test's own load. The next NMI is sent only when the count of the
 * one before has moved, so one that is lost is seen, and by which CPU.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/nmi.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <asm/apic.h>
#include <asm/nmi.h>
#include <asm/trapnr.h>

#define INT_INSN 0xcd

static DEFINE_PER_CPU(atomic_t, expected);
static atomic_t passed_on, arrived, by_int, storms;
static unsigned long sent, lost;
static DEFINE_MUTEX(lock); /* sent, lost */

/*
 * An NMI that came in a guest is sent to the CPU again by the module, before it
 * takes the flag off that makes ticks a guest's. Few come at that place by
 * themselves.
 */
static bool passed_on_here(struct pt_regs *regs)
{
	return !user_mode(regs) && (current->flags & PF_VCPU);
}

/* INT 2 blocks no further NMIs, as an NMI does: nobody may pass one on so. */
static bool after_int(struct pt_regs *regs)
{
	u8 insn[2];

	if (user_mode(regs) ||
	    copy_from_kernel_nofault(insn, (void *)regs->ip - 2, 2))
		return false;
	return insn[0] == INT_INSN && insn[1] == X86_TRAP_NMI;
}

static int count(unsigned int type, struct pt_regs *regs)
{
	if (after_int(regs))
		atomic_inc(&by_int);
	if (atomic_read(this_cpu_ptr(&expected)) != 1)
		return atomic_read(&storms) ? NMI_HANDLED : NMI_DONE;
	if (passed_on_here(regs))
		atomic_inc(&passed_on);
	atomic_inc(&arrived);
	atomic_set(this_cpu_ptr(&expected), 0);
	return NMI_HANDLED;
}

static unsigned int any_cpu(void)
{
	unsigned int cpu;

	cpu = cpumask_next(get_random_u32() % nr_cpu_ids, cpu_online_mask);
	return cpu < nr_cpu_ids ? cpu : cpumask_first(cpu_online_mask);
}

static void storm(unsigned long n)
{
	atomic_inc(&storms);
	while (n-- && !signal_pending(current)) {
		udelay(get_random_u32() % 20);
		cpus_read_lock();
		apic->send_IPI_mask(cpumask_of(any_cpu()), NMI_VECTOR);
		cpus_read_unlock();
		cond_resched();
	}
	/* The last is on its way. */
	msleep(50);
	atomic_dec(&storms);
}

static void send_one(void)
{
	unsigned int cpu, tries;

	udelay(get_random_u32() % 200);
	cpus_read_lock();
	cpu = any_cpu();
	atomic_set(per_cpu_ptr(&expected, cpu), 1);
	apic->send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
	for (tries = 0; tries < 5000; tries++) {
		if (!atomic_read(per_cpu_ptr(&expected, cpu)))
			break;
		usleep_range(20, 200);
	}
	sent++;
	if (atomic_xchg(per_cpu_ptr(&expected, cpu), 0))
		lost++;
	cpus_read_unlock();
}

static ssize_t nmis_write(struct file *file, const char __user *from,
			  size_t size, loff_t *pos)
{
	long n;
	int ret;

	ret = kstrtol_from_user(from, size, 0, &n);
	if (ret)
		return ret;
	if (n < 0) {
		storm(-n);
		return size;
	}
	mutex_lock(&lock);
	while (n-- && !signal_pending(current)) {
		send_one();
		cond_resched();
	}
	mutex_unlock(&lock);
	return size;
}

static int nmis_show(struct seq_file *m, void *v)
{
	seq_printf(m,
		   "sent %lu\nlost %lu\narrived %d\npassed_on %d\nby_int %d\n",
		   sent, lost, atomic_read(&arrived), atomic_read(&passed_on),
		   atomic_read(&by_int));
	return 0;
}

static int nmis_open(struct inode *inode, struct file *file)
{
	return single_open(file, nmis_show, NULL);
}

static const struct proc_ops nmis_ops = {
	.proc_open = nmis_open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
	.proc_write = nmis_write,
};

static int __init nmi_init(void)
{
	int ret = register_nmi_handler(NMI_LOCAL, count, 0, "ringlet_bed");

	if (ret)
		return ret;
	if (!proc_create("nmis", 0600, NULL, &nmis_ops)) {
		unregister_nmi_handler(NMI_LOCAL, "ringlet_bed");
		return -ENOMEM;
	}
	return 0;
}
module_init(nmi_init);

static void __exit nmi_exit(void)
{
	remove_proc_entry("nmis", NULL);
	unregister_nmi_handler(NMI_LOCAL, "ringlet_bed");
}
module_exit(nmi_exit);

MODULE_DESCRIPTION("Ringlet's test bed: NMIs at random");
MODULE_LICENSE("GPL");
