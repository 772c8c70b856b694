# SPDX-License-Identifier: GPL-2.0
#
# Finds out what the kernel we are built for offers, by looking at its headers.
# Stable kernels move interfaces within one series, so versions say too little.
# Each probe defines RINGLET_HAVE_... for C and assembler alike; only files in
# module/compat/ may test those.

ringlet-probe = $(if $(shell grep -sF $(2) $(srctree)/$(1) && echo y),-D$(strip $(3)))

# Exported to some modules only counts as not exported.
ringlet-export = $(if $(shell grep -s '[[:space:]]$(strip $(1))[[:space:]].*module:' $(objtree)/Module.symvers),,-D$(strip $(2)))

ringlet-probes := \
	$(call ringlet-probe,arch/x86/include/asm/unwind_hints.h,'macro UNWIND_HINT_UNDEFINED',RINGLET_HAVE_UNWIND_HINT_UNDEFINED) \
	$(call ringlet-probe,include/linux/mm.h,'void vm_flags_set',RINGLET_HAVE_VM_FLAGS_SET) \
	$(call ringlet-probe,include/linux/hrtimer.h,'hrtimer_setup',RINGLET_HAVE_HRTIMER_SETUP) \
	$(call ringlet-probe,arch/x86/include/asm/smp.h,'arch_smp_send_reschedule',RINGLET_HAVE_ARCH_SEND_RESCHEDULE) \
	$(call ringlet-probe,include/linux/shrinker.h,'shrinker_alloc',RINGLET_HAVE_SHRINKER_ALLOC) \
	$(call ringlet-probe,arch/x86/include/asm/msr.h,'rdmsrq',RINGLET_HAVE_RDMSRQ) \
	$(call ringlet-probe,arch/x86/include/asm/cpuid/api.h,'cpuid_count',RINGLET_HAVE_CPUID_API) \
	$(call ringlet-probe,include/linux/mmu_notifier.h,'bool (*clear_young)',RINGLET_HAVE_BOOL_YOUNG) \
	$(call ringlet-export,handle_guest_split_lock,RINGLET_HAVE_GUEST_SPLIT_LOCK) \
	$(call ringlet-export,kvm_async_pf_task_wait_schedule,RINGLET_HAVE_ASYNC_PF)
