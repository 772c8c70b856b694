// SPDX-License-Identifier: GPL-2.0
/*
 * ringlet.ko: a hypervisor for pv_ops guests at CPL 3 on a stock Linux host.
 *
 * This file is the table of contents: each part's start and, in reverse, its
 * end. To read the module, follow a guest: device.c (the ioctls), vm.c and
 * memory.c (its memory), vcpu.c (the run loop), window.c and switch.c with
 * ../switcher/switch.S (the world switch), shadow.c and walk.c (page tables),
 * event.c and hypercall.c (the guest ABI).
 */
#include "ringlet.h"

#include <linux/cc_platform.h>
#include <linux/module.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>

#include "host.h"

static void __init read_host(struct ringlet_host *host)
{
	memset(host, 0, sizeof(*host));
	host->cr4 = native_read_cr4();
	rdmsrq(MSR_EFER, host->efer);
	rdmsrq(MSR_STAR, host->star);
	rdmsrq(MSR_SYSCALL_MASK, host->sfmask);
	host->xen_pv = boot_cpu_has(X86_FEATURE_XENPV);
	host->confidential = cc_platform_has(CC_ATTR_GUEST_STATE_ENCRYPT) ||
			     boot_cpu_has(X86_FEATURE_TDX_GUEST);
	host->encrypted = cc_platform_has(CC_ATTR_MEM_ENCRYPT);
	host->async_pf = !ringlet_asyncpf_init();
}

static int __init ringlet_init(void)
{
	struct ringlet_host host;
	const char *refusal;
	int ret;

	read_host(&host);
	refusal = ringlet_host_refusal(&host);
	if (refusal) {
		pr_err("ringlet: cannot run guests here: %s\n", refusal);
		return -ENODEV;
	}
	/* fast.c has outgrown its page, or shrunk to nothing. */
	if (ringlet_text_end - ringlet_text_start !=
	    RINGLET_TEXT_PAGES * PAGE_SIZE) {
		pr_err("ringlet: the switcher's text is not what its window has room for: a bug of Ringlet, please report it\n");
		return -ENOEXEC;
	}
	ret = ringlet_fpu_init();
	if (ret) {
		pr_err("ringlet: cannot run guests here: CPUID describes no FPU state that makes sense; report this CPU\n");
		return ret;
	}
	ringlet_switch_init();
	ringlet_sched_init();
	ringlet_debug_init();
	ret = ringlet_shrinker_init();
	if (ret)
		goto err_debug;
	ret = ringlet_device_init();
	if (ret)
		goto err_shrinker;
	pr_info("ringlet: version " RINGLET_MODULE_VERSION ", guest ABI %d\n",
		RINGLET_ABI_VERSION);
	return 0;

err_shrinker:
	ringlet_shrinker_exit();
err_debug:
	ringlet_debug_exit();
	ringlet_sched_exit();
	return ret;
}

static void __exit ringlet_exit(void)
{
	ringlet_device_exit();
	ringlet_shrinker_exit();
	ringlet_debug_exit();
	ringlet_sched_exit();
}

module_init(ringlet_init);
module_exit(ringlet_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION(
	"Ringlet: pv_ops guests at CPL 3, without virtualization hardware");
MODULE_VERSION(RINGLET_MODULE_VERSION);
