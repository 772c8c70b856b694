// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest kernel is told about its CPU: the host's CPUID through a
 * whitelist. It is the one place that decides; guest user mode executes CPUID
 * itself and sees the host's answer (Documentation/abi.md says so).
 *
 * Listed is what works at CPL 3 on our tables. Left out: what needs ring 0 and
 * has no pv_op (VMX, SVM, MONITOR, PKU, SMAP, CET), what would have the guest
 * manage hardware (MTRR, MCE, APIC, PMU, power), what we do not switch (AMX,
 * supervisor XSAVE states) and what our tables do not have (57-bit addresses).
 * UMIP as well: to emulate SGDT for a user the kernel executes it itself.
 */
#include "ringlet.h"

#include <linux/kernel.h>
#include <linux/log2.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include <asm/tsc.h>

/* clang-format off */
#define F(bit) BIT(bit)

/* CPUID.1:ECX: SSE3 .. RDRAND; OSXSAVE and PCID are set by hand. */
#define LEAF1_ECX	(F(0) | F(1) | F(9) | F(12) | F(13) | F(19) | F(20) | F(22) | \
			 F(23) | F(25) | F(26) | F(28) | F(29) | F(30))
/* CPUID.1:EDX: FPU PSE TSC MSR PAE CX8 PGE CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 SS */
#define LEAF1_EDX	(F(0) | F(3) | F(4) | F(5) | F(6) | F(8) | F(13) | F(15) | \
			 F(16) | F(17) | F(19) | F(23) | F(24) | F(25) | F(26) | F(27))
#define LEAF1_ECX_PCID		F(17)
#define LEAF1_ECX_XSAVE		(F(26) | F(27))
#define LEAF1_ECX_HYPERVISOR	F(31)
#define LEAF1_EDX_HTT		F(28)	/* EBX counts logical CPUs */

/* CPUID.7.0:EBX: FSGSBASE BMI1 AVX2 SMEP BMI2 ERMS RDSEED ADX CLFLUSHOPT CLWB SHA AVX512* */
#define LEAF7_EBX	(F(0) | F(3) | F(5) | F(7) | F(8) | F(9) | F(16) | F(17) | \
			 F(18) | F(19) | F(21) | F(23) | F(24) | F(28) | F(29) | F(30) | F(31))
/* VBMI VBMI2 GFNI VAES VPCLMULQDQ VNNI BITALG VPOPCNTDQ RDPID CLDEMOTE MOVDIRI MOVDIR64B */
#define LEAF7_ECX	(F(1) | F(6) | F(8) | F(9) | F(10) | F(11) | F(12) | F(14) | \
			 F(22) | F(25) | F(27) | F(28))
/* 4VNNIW 4FMAPS FSRM VP2INTERSECT SERIALIZE AVX512_FP16 */
#define LEAF7_EDX	(F(2) | F(3) | F(4) | F(8) | F(14) | F(23))
/* CPUID.7.1:EAX: AVX_VNNI AVX512_BF16 FZRM FSRS FSRC AVX_IFMA */
#define LEAF7_1_EAX	(F(4) | F(5) | F(10) | F(11) | F(12) | F(23))

/* 80000001: LAHF ABM SSE4A MISALIGNSSE 3DNOWPREFETCH XOP FMA4 TBM */
#define EXT1_ECX	(F(0) | F(5) | F(6) | F(7) | F(8) | F(11) | F(16) | F(21))
/* SYSCALL NX MMXEXT FXSR_OPT PDPE1GB RDTSCP LM 3DNOWEXT 3DNOW and leaf 1's twins */
#define EXT1_EDX	(LEAF1_EDX | F(11) | F(20) | F(22) | F(25) | F(26) | F(27) | \
			 F(29) | F(30) | F(31))
/* 80000008:EBX: CLZERO XSAVEERPTR */
#define EXT8_EBX	(F(0) | F(2))
/* clang-format on */

#define GUEST_PHYS_BITS 46

/*
 * The guest is one package: a core with one thread for each vCPU, APIC ID = its
 * number, and one last-level cache for all of them. The scheduler looks for an
 * idle CPU among those that share one; a package for each vCPU would leave a
 * waker nowhere to look.
 */
#define LEAF4_TYPE 0x1f
#define LEAF4_LEVEL(eax) ((eax) >> 5 & 7)
#define LEAFB_SMT 1
#define LEAFB_CORE 2

static unsigned int apic_id_bits(struct ringlet_vcpu *vcpu)
{
	return order_base_2(vcpu->vm->nr_guest_vcpus);
}

static void leaf4(struct ringlet_vcpu *vcpu, u32 out[4])
{
	u32 cpus = vcpu->vm->nr_guest_vcpus;

	out[0] &= 0x3fff;
	if (!(out[0] & LEAF4_TYPE))
		return;
	out[0] |= (cpus - 1) << 26;
	if (LEAF4_LEVEL(out[0]) >= 3)
		out[0] |= ((1U << apic_id_bits(vcpu)) - 1) << 14;
}

static void leaf_topology(struct ringlet_vcpu *vcpu, u32 subleaf, u32 out[4])
{
	memset(out, 0, 4 * sizeof(u32));
	out[2] = subleaf & 0xff;
	out[3] = vcpu->id;
	if (subleaf == 0) {
		out[1] = 1;
		out[2] |= LEAFB_SMT << 8;
	} else if (subleaf == 1) {
		out[0] = apic_id_bits(vcpu);
		out[1] = vcpu->vm->nr_guest_vcpus;
		out[2] |= LEAFB_CORE << 8;
	}
}

static void leaf1(struct ringlet_vcpu *vcpu, u32 out[4])
{
	u64 xcr0 = ringlet_fpu_xcr0_mask();

	/* CLFLUSH line kept. */
	out[1] = (out[1] & 0xff00) | vcpu->vm->nr_guest_vcpus << 16 |
		 vcpu->id << 24;
	out[2] &= LEAF1_ECX;
	if (!(xcr0 & XFEATURE_MASK_YMM))
		out[2] &= ~(F(12) | F(28) | F(29));
	out[2] |= LEAF1_ECX_PCID | LEAF1_ECX_HYPERVISOR;
	if (xcr0)
		out[2] |= LEAF1_ECX_XSAVE;
	else
		out[2] &= ~LEAF1_ECX_XSAVE;
	out[3] &= LEAF1_EDX;
	if (vcpu->vm->nr_guest_vcpus > 1)
		out[3] |= LEAF1_EDX_HTT;
}

static void leaf7(u32 subleaf, u32 out[4])
{
	u64 xcr0 = ringlet_fpu_xcr0_mask();

	if (subleaf == 1) {
		out[0] &= LEAF7_1_EAX;
		out[1] = 0;
		out[2] = 0;
		out[3] = 0;
	} else if (subleaf == 0) {
		out[0] = min(out[0], 1U);
		out[1] &= LEAF7_EBX;
		out[2] &= LEAF7_ECX;
		out[3] &= LEAF7_EDX;
		if (!(xcr0 & XFEATURE_MASK_AVX512))
			out[1] &= ~(F(16) | F(17) | F(21) | F(28) | F(30) |
				    F(31));
		if (!(xcr0 & XFEATURE_MASK_YMM))
			out[1] &= ~F(5);
	} else {
		memset(out, 0, 4 * sizeof(u32));
	}
}

/* XSAVE: sizes and components, cut down to what is switched; no XSAVES. */
static void leaf_xsave(struct ringlet_vcpu *vcpu, u32 subleaf, u32 out[4])
{
	u64 mask = ringlet_fpu_xcr0_mask();
	u32 size = 576, eax, ebx, ecx, edx;
	int i;

	if (subleaf == 1) {
		out[0] &= F(0) | F(2); /* XSAVEOPT, XGETBV(1) */
		out[1] = 0;
		out[2] = 0;
		out[3] = 0;
		return;
	}
	if (subleaf > 1) {
		if (subleaf > 63 || !(mask & BIT_ULL(subleaf)))
			memset(out, 0, 4 * sizeof(u32));
		return;
	}
	out[0] = mask;
	out[3] = mask >> 32;
	out[1] = 576;
	for (i = 2; i < 63; i++) {
		if (!(mask & BIT_ULL(i)))
			continue;
		cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
		size = max(size, eax + ebx);
		if (vcpu->xcr0 & BIT_ULL(i))
			out[1] = max(out[1], eax + ebx);
	}
	out[2] = size;
}

static void leaf_hypervisor(u32 leaf, u32 out[4])
{
	memset(out, 0, 4 * sizeof(u32));
	if (leaf != 0x40000000)
		return;
	out[0] = 0x40000000;
	memcpy(&out[1], "RingletRinglet", 12);
}

static bool basic_leaf(struct ringlet_vcpu *vcpu, u32 leaf, u32 subleaf,
		       u32 out[4])
{
	switch (leaf) {
	case 0:
		out[0] = min(out[0], 0x16U);
		return true;
	case 1:
		leaf1(vcpu, out);
		return true;
	case 7:
		leaf7(subleaf, out);
		return true;
	case 0xd:
		if (!ringlet_fpu_xcr0_mask())
			return false;
		leaf_xsave(vcpu, subleaf, out);
		return true;
	case 0x2:
	case 0x15:
	case 0x16:
		return true;
	case 0x4:
		leaf4(vcpu, out);
		return true;
	case 0xb:
		leaf_topology(vcpu, subleaf, out);
		return true;
	}
	return false;
}

static bool extended_leaf(u32 leaf, u32 out[4])
{
	switch (leaf) {
	case 0x80000000:
		out[0] = min(out[0], 0x80000008U);
		return true;
	case 0x80000001:
		out[2] &= EXT1_ECX;
		out[3] &= EXT1_EDX;
		return true;
	case 0x80000002 ... 0x80000006:
		return true;
	case 0x80000007:
		out[0] = 0;
		out[1] = 0;
		out[2] = 0;
		out[3] &= F(8); /* invariant TSC */
		return true;
	case 0x80000008:
		out[0] = min(out[0] & 0xffU, (u32)GUEST_PHYS_BITS) | 48 << 8;
		out[1] &= EXT8_EBX;
		out[2] = 0;
		out[3] = 0;
		return true;
	}
	return false;
}

/**
 * ringlet_cpuid() - the CPUID hypercall
 * @vcpu: whose
 * @leaf: EAX
 * @subleaf: ECX
 * @out: receives EAX, EBX, ECX, EDX; zeroes for a leaf that is not listed
 */
void ringlet_cpuid(struct ringlet_vcpu *vcpu, u32 leaf, u32 subleaf, u32 out[4])
{
	bool known;

	if (leaf >> 16 == 0x4000) {
		leaf_hypervisor(leaf, out);
		return;
	}
	cpuid_count(leaf, subleaf, &out[0], &out[1], &out[2], &out[3]);
	if (leaf & BIT(31))
		known = extended_leaf(leaf, out);
	else
		known = basic_leaf(vcpu, leaf, subleaf, out);
	if (!known)
		memset(out, 0, 4 * sizeof(u32));
}
