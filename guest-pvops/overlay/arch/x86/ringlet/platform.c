// SPDX-License-Identifier: GPL-2.0
/*
 * The platform: what this machine does not have (APIC, BIOS, PCI, ACPI, legacy
 * devices) and which CPU features a kernel at CPL 3 must not use.
 *
 * Runs in guest kernel mode on the boot vCPU, interrupts off: the first half
 * before start_kernel(), the second when setup_arch() calls its hooks.
 */
#include <linux/acpi.h>
#include <linux/init.h>
#include <linux/printk.h>

#include <asm/acpi.h>
#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/hypervisor.h>
#include <asm/mtrr.h>
#include <asm/paravirt.h>
#include <asm/pci_x86.h>
#include <asm/setup.h>
#include <asm/x86_init.h>

#include "ringlet.h"

/* True from the first instruction on, if this is a Ringlet guest. */
bool ringlet_guest __ro_after_init;

/*
 * The module already hides most of these from CPUID. Said again here, they
 * hold for any module of the same ABI, and for CPUID's own side effects.
 */
static void __init ringlet_init_features(void)
{
	static const unsigned int absent[] __initconst = {
		/* Privileged, and no substitute. */
		X86_FEATURE_APIC,
		X86_FEATURE_X2APIC,
		X86_FEATURE_MTRR,
		X86_FEATURE_MWAIT,
		X86_FEATURE_WAITPKG,
		X86_FEATURE_INVPCID,
		X86_FEATURE_XSAVES,
		X86_FEATURE_LKGS,
		X86_FEATURE_FRED,
		X86_FEATURE_MCE,
		X86_FEATURE_MCA,
		X86_FEATURE_TSC_ADJUST,
		X86_FEATURE_TSC_DEADLINE_TIMER,
		X86_FEATURE_ACPI,
		X86_FEATURE_ACC,
		X86_FEATURE_DCA,
		X86_FEATURE_APERFMPERF,
		X86_FEATURE_SME,
		/* Rights by page: kernel pages are user pages to the CPU. */
		X86_FEATURE_SMAP,
		X86_FEATURE_PKU,
		X86_FEATURE_OSPKE,
		X86_FEATURE_LA57,
		X86_FEATURE_IBT,
		X86_FEATURE_SHSTK,
		/* 32-bit system calls are int $0x80. */
		X86_FEATURE_SYSENTER32,
		X86_FEATURE_SYSCALL32,
		X86_FEATURE_SEP,
	};
	unsigned int i;

	setup_force_cpu_cap(X86_FEATURE_XENPV);
	setup_force_cpu_cap(X86_FEATURE_HYPERVISOR);

	for (i = 0; i < ARRAY_SIZE(absent); i++)
		setup_clear_cpu_cap(absent[i]);
}

/* After x86_early_init_platform_quirks() has set what a PC has. */
static void __init ringlet_set_legacy_features(void)
{
	x86_platform.legacy.i8042 = X86_LEGACY_I8042_PLATFORM_ABSENT;
	x86_platform.legacy.rtc = 0;
	x86_platform.legacy.warm_reset = 0;
	x86_platform.legacy.reserve_bios_regions = 0;
	x86_platform.legacy.no_vga = 1;
	x86_platform.legacy.devices.pnpbios = 0;
}

static unsigned char ringlet_get_nmi_reason(void)
{
	return 0;
}

static void __init ringlet_arch_setup(void)
{
	disable_acpi();
#ifdef CONFIG_PCI
	pci_probe = 0;
#endif

	/* Nothing answers at any port: let no legacy driver look. */
	paravirt_disable_iospace();
}

static void __init ringlet_banner(void)
{
	pr_info("Booting on Ringlet, ABI v%u\n",
		READ_ONCE(ringlet_shared->abi));
}

/* setup_arch() has made static calls and keys usable by now. */
static void __init ringlet_init_platform(void)
{
	ringlet_init_sched_clock();
	ringlet_init_steal_clock();
	ringlet_init_smp_platform();
	guest_force_mtrr_state(NULL, 0, MTRR_TYPE_WRBACK);
}

static u32 __init ringlet_detect(void)
{
	/* Before any hypervisor that our host itself may run on. */
	return ringlet_guest ? U32_MAX : 0;
}

const struct hypervisor_x86 x86_hyper_ringlet __refconst = {
	.name = "Ringlet",
	.detect = ringlet_detect,
	.type = X86_HYPER_RINGLET,
	.init.init_platform = ringlet_init_platform,
	.ignore_nopv = true,
};

void __init ringlet_init_platform_ops(void)
{
	ringlet_init_features();

	x86_platform.set_legacy_features = ringlet_set_legacy_features;
	x86_platform.get_nmi_reason = ringlet_get_nmi_reason;
	x86_platform.realmode_reserve = x86_init_noop;
	x86_platform.realmode_init = x86_init_noop;

	x86_init.resources.probe_roms = x86_init_noop;
	x86_init.mpparse.find_mptable = x86_init_noop;
	x86_init.mpparse.early_parse_smp_cfg = x86_init_noop;
	x86_init.mpparse.parse_smp_cfg = x86_init_noop; /* UP; else smp.c */
	x86_init.oem.arch_setup = ringlet_arch_setup;
	x86_init.oem.banner = ringlet_banner;

	ringlet_init_irqs();
	ringlet_init_smp();
	ringlet_init_time();
	ringlet_init_shutdown();
}
