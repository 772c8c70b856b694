// SPDX-License-Identifier: GPL-2.0
/*
 * Counters in debugfs: ringlet/<pid>-<n>/counters, a "name value" line each.
 *
 * The sum of the exits by reason equals exits_total once the vCPUs stand still;
 * while they run the two are read at slightly different moments. What the
 * switcher served by itself is no exit: fast.c's share of that is counted apart,
 * system calls, returns and CR3 loads are not counted at all.
 */
#include "ringlet.h"

#include <linux/seq_file.h>

static struct dentry *root;
static atomic_t count = ATOMIC_INIT(0);

/* clang-format off */
#define EXIT_NAME(name, text) [RINGLET_LEFT_##name] = text,
/* clang-format on */
static const char *const exit_names[] = { RINGLET_EXITS(EXIT_NAME) };

static int counters_show(struct seq_file *m, void *unused)
{
	struct ringlet_vm *vm = m->private;
	u64 exits[RINGLET_LEFT_COUNT] = {}, total = 0, halts = 0, tables = 0;
	u64 polled = 0, waits = 0, ipis = 0, remote = 0, flush_waits = 0;
	u64 fills = 0, events = 0, flushes = 0, retries = 0;
	u64 vm_barriers = 0, launcher_barriers = 0;
	u64 limit = 0, given_back = 0;
	const struct ringlet_window_state *state;
	struct ringlet_vcpu *vcpu;
	u32 id = 0;
	int reason;

	while ((vcpu = ringlet_vm_next_vcpu(vm, &id))) {
		for (reason = 0; reason < RINGLET_LEFT_COUNT; reason++)
			exits[reason] += READ_ONCE(vcpu->exits[reason]);
		total += READ_ONCE(vcpu->total_exits);
		halts += READ_ONCE(vcpu->halts);
		polled += READ_ONCE(vcpu->halts_polled);
		waits += READ_ONCE(vcpu->waits);
		ipis += READ_ONCE(vcpu->ipis);
		remote += READ_ONCE(vcpu->remote_flushes);
		flush_waits += READ_ONCE(vcpu->flush_waits);
		vm_barriers += READ_ONCE(vcpu->vm_barriers);
		launcher_barriers += READ_ONCE(vcpu->launcher_barriers);
		tables += READ_ONCE(vcpu->shadow.pages);
		limit += READ_ONCE(vcpu->shadow.max_pages);
		given_back += READ_ONCE(vcpu->shadow.given_back);
		state = vcpu->window.state;
		fills += READ_ONCE(state->fast_filled);
		events += READ_ONCE(state->fast_delivered);
		flushes += READ_ONCE(state->fast_flushed);
		retries += READ_ONCE(state->fast_faults);
	}
	for (reason = 0; reason < RINGLET_LEFT_COUNT; reason++)
		seq_printf(m, "exits_%s %llu\n", exit_names[reason],
			   exits[reason]);
	seq_printf(m, "exits_total %llu\nhalts %llu\nshadow_tables %llu\n",
		   total, halts, tables);
	seq_printf(m, "shadow_tables_max %llu\nshadow_tables_freed %llu\n",
		   limit, given_back);
	seq_printf(
		m,
		"halts_polled %llu\nwaits %llu\nipis %llu\nremote_flushes %llu\nflush_waits %llu\n",
		polled, waits, ipis, remote, flush_waits);
	seq_printf(
		m,
		"direct_fills %llu\ndirect_events %llu\ndirect_flushes %llu\ndirect_retries %llu\n",
		fills, events, flushes, retries);
	seq_printf(m, "vm_barriers %llu\nlauncher_barriers %llu\n", vm_barriers,
		   launcher_barriers);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

/**
 * ringlet_debug_add_vm() - show a VM's counters
 * @vm: the VM; without debugfs nothing happens
 */
void ringlet_debug_add_vm(struct ringlet_vm *vm)
{
	char name[32];

	snprintf(name, sizeof(name), "%d-%d", current->tgid,
		 atomic_inc_return(&count));
	vm->debugfs = debugfs_create_dir(name, root);
	debugfs_create_file("counters", 0444, vm->debugfs, vm, &counters_fops);
}

/**
 * ringlet_debug_remove_vm() - stop showing them
 * @vm: the VM; readers have finished on return
 */
void ringlet_debug_remove_vm(struct ringlet_vm *vm)
{
	debugfs_remove_recursive(vm->debugfs);
}

/**
 * ringlet_debug_init() - make the directory
 */
void __init ringlet_debug_init(void)
{
	root = debugfs_create_dir("ringlet", NULL);
	ringlet_speculation_init(root);
}

/**
 * ringlet_debug_exit() - remove it
 */
void ringlet_debug_exit(void)
{
	debugfs_remove_recursive(root);
}
