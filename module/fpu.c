// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's FPU registers.
 *
 * kernel_fpu_begin() saves the launcher's own registers once and makes the CPU
 * ours; then the guest's image is loaded, and saved again after the exit.
 * KVM's helpers that keep a guest image in the scheduler's care are closed to
 * other modules from 7.x on.
 *
 * The hardware's XCR0 is the guest's while it runs, for XGETBV and XSAVE are
 * not privileged and see the real one. AMX's tiles (8 KiB, and a trap of their
 * own, XFD) and PKRU (CR4.PKE is off in the guest) are never in it.
 *
 * Host kernel, between kernel_fpu_begin_mask() and kernel_fpu_end().
 */
#include "ringlet.h"

#include <asm/alternative.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/fpu/types.h>
#include <asm/cpufeature.h>

/* x87, SSE, AVX, AVX-512's three: what a guest may see. */
#define XCR0_ALLOWED \
	(XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM | XFEATURE_MASK_AVX512)

static bool have_xsave;
static u64 host_xcr0; /* set once at boot by the kernel, the same on all CPUs */
static u64 xcr0_mask;
static unsigned int image_order;

/**
 * ringlet_fpu_init() - find out what there is to switch
 *
 * Return: 0, or -ENODEV if the CPU's answer makes no sense.
 */
int ringlet_fpu_init(void)
{
	unsigned int size = sizeof(struct fxregs_state), eax, ecx, edx;

	have_xsave = native_read_cr4() & X86_CR4_OSXSAVE;
	xcr0_mask = XFEATURE_MASK_FPSSE;
	if (have_xsave) {
		host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
		xcr0_mask = host_xcr0 & XCR0_ALLOWED;
		/* EBX: bytes for all that the host has enabled, at least ours. */
		cpuid_count(0xd, 0, &eax, &size, &ecx, &edx);
	}
	if (size < sizeof(struct fxregs_state) || size > 64 * 1024)
		return -ENODEV;
	image_order = get_order(size);
	return 0;
}

/**
 * ringlet_fpu_xcr0_mask() - state components that a guest may enable
 *
 * Return: bits of XCR0.
 */
u64 ringlet_fpu_xcr0_mask(void)
{
	return have_xsave ? xcr0_mask : 0;
}

/**
 * ringlet_fpu_reset() - registers as after FNINIT
 * @vcpu: whose
 */
void ringlet_fpu_reset(struct ringlet_vcpu *vcpu)
{
	struct fxregs_state *fx = vcpu->fpu;

	memset(vcpu->fpu, 0, PAGE_SIZE << image_order);
	fx->cwd = 0x37f;
	fx->mxcsr = 0x1f80;
	vcpu->xcr0 = XFEATURE_MASK_FPSSE;
}

/**
 * ringlet_fpu_create() - make an image
 * @vcpu: whose
 *
 * Return: 0 or -ENOMEM.
 */
int ringlet_fpu_create(struct ringlet_vcpu *vcpu)
{
	vcpu->fpu = (void *)__get_free_pages(GFP_KERNEL_ACCOUNT, image_order);
	if (!vcpu->fpu)
		return -ENOMEM;
	ringlet_fpu_reset(vcpu);
	return 0;
}

/**
 * ringlet_fpu_destroy() - free the image
 * @vcpu: whose
 */
void ringlet_fpu_destroy(struct ringlet_vcpu *vcpu)
{
	free_pages((unsigned long)vcpu->fpu, image_order);
}

static void set_xcr0(u64 xcr0, u64 other)
{
	if (xcr0 != other)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, xcr0);
}

/*
 * Where FXRSTOR and XRSTOR load the last x87 instruction's addresses only with
 * an exception pending, those of whoever ran before would stay: they are made
 * ours, as the host's own switch does it.
 */
static void forget_x87_addresses(void)
{
	static const u32 anything;

	asm volatile("fnclex; emms; fildl %0" : : "m"(anything));
}

/**
 * ringlet_fpu_load() - make the guest's registers live
 * @vcpu: whose
 *
 * Context: interrupts off, after kernel_fpu_begin_mask(). The image was only
 * ever written by ringlet_fpu_save(), so XRSTOR finds nothing to refuse.
 */
void ringlet_fpu_load(struct ringlet_vcpu *vcpu)
{
	if (unlikely(boot_cpu_has_bug(X86_BUG_FXSAVE_LEAK)))
		forget_x87_addresses();
	if (!have_xsave) {
		asm volatile("fxrstor64 %0"
			     :
			     : "m"(*(struct fxregs_state *)vcpu->fpu));
		return;
	}
	/* Under the host's XCR0: all that we save is enabled there. */
	asm volatile("xrstor64 (%0)"
		     :
		     : "r"(vcpu->fpu), "a"((u32)xcr0_mask),
		       "d"((u32)(xcr0_mask >> 32))
		     : "memory");
	set_xcr0(vcpu->xcr0, host_xcr0);
}

/**
 * ringlet_fpu_save() - put the guest's registers away
 * @vcpu: whose
 *
 * XSAVEOPT writes only what has changed since the XRSTOR of ringlet_fpu_load().
 * The CPU knows that by the image's address and takes our word that nobody
 * wrote to the image in between, which is so: it is read nowhere else, and
 * written only while the vCPU is outside.
 *
 * Context: interrupts off, before kernel_fpu_end().
 */
void ringlet_fpu_save(struct ringlet_vcpu *vcpu)
{
	if (!have_xsave) {
		asm volatile("fxsave64 %0"
			     : "=m"(*(struct fxregs_state *)vcpu->fpu));
		return;
	}
	set_xcr0(host_xcr0, vcpu->xcr0);
	asm volatile(ALTERNATIVE("xsave64 (%0)", "xsaveopt64 (%0)",
				 X86_FEATURE_XSAVEOPT)
		     :
		     : "r"(vcpu->fpu), "a"((u32)xcr0_mask),
		       "d"((u32)(xcr0_mask >> 32))
		     : "memory");
}
