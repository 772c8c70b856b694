// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that a guest cannot execute at CPL 3 and that no pv_op replaces:
 * what the guest kernel's #GP was about, and accesses to addresses that are not
 * memory, which the launcher serves.
 *
 * Ports read as all ones and swallow what is written, as where no device
 * answers: a kernel that probes for legacy hardware finds none.
 *
 * Host kernel, process context; vcpu->mutex held.
 */
#include "ringlet.h"

#include <asm/fpu/types.h>
#include <asm/page_types.h>
#include <asm/processor-flags.h>

#include "insn.h"

/**
 * ringlet_gpr() - a guest register by its number
 * @vcpu: whose
 * @reg: 0 to 15, SDM encoding order
 *
 * Return: where it is.
 */
u64 *ringlet_gpr(struct ringlet_vcpu *vcpu, unsigned int reg)
{
	struct ringlet_gprs *g = ringlet_gprs(vcpu);
	u64 *const gprs[16] = {
		&g->rax, &g->rcx, &g->rdx, &g->rbx, &g->rsp, &g->rbp,
		&g->rsi, &g->rdi, &g->r8,  &g->r9,  &g->r10, &g->r11,
		&g->r12, &g->r13, &g->r14, &g->r15,
	};

	return gprs[reg & 15];
}

/* The instruction at RIP, of which the end may lie in a page that is not there. */
static bool fetch(struct ringlet_vcpu *vcpu, struct ringlet_insn *insn)
{
	u64 rip = ringlet_gprs(vcpu)->rip;
	u8 bytes[RINGLET_INSN_MAX];
	unsigned int n = sizeof(bytes);

	if (ringlet_read_guest(vcpu, rip, bytes, n)) {
		n = min_t(unsigned int, n, PAGE_SIZE - offset_in_page(rip));
		if (ringlet_read_guest(vcpu, rip, bytes, n))
			return false;
	}
	return ringlet_decode(bytes, n, insn);
}

static void skip(struct ringlet_vcpu *vcpu, const struct ringlet_insn *insn)
{
	ringlet_gprs(vcpu)->rip += insn->length;
}

/* Write the low @size bytes of a register, as the CPU would. */
static void write_reg(struct ringlet_vcpu *vcpu, unsigned int reg,
		      unsigned int size, bool zero_extend, u64 value)
{
	u64 mask = size == 8 ? ~0ULL : (1ULL << (8 * size)) - 1;
	u64 *gpr = ringlet_gpr(vcpu, reg);

	*gpr = (value & mask) | (zero_extend ? 0 : *gpr & ~mask);
}

/* XCR0's rules, SDM vol. 1, 13.3: x87 always; AVX on SSE; AVX-512 whole, on AVX. */
static bool xcr0_valid(u64 xcr0)
{
	if (!(xcr0 & XFEATURE_MASK_FP) || (xcr0 & ~ringlet_fpu_xcr0_mask()))
		return false;
	if ((xcr0 & XFEATURE_MASK_YMM) && !(xcr0 & XFEATURE_MASK_SSE))
		return false;
	if (!(xcr0 & XFEATURE_MASK_AVX512))
		return true;
	return (xcr0 & XFEATURE_MASK_AVX512) == XFEATURE_MASK_AVX512 &&
	       (xcr0 & XFEATURE_MASK_YMM);
}

static bool emulate_xsetbv(struct ringlet_vcpu *vcpu)
{
	struct ringlet_gprs *gprs = ringlet_gprs(vcpu);
	u64 xcr0 = (gprs->rdx << 32) | (u32)gprs->rax;

	if ((u32)gprs->rcx || !xcr0_valid(xcr0))
		return false;
	vcpu->xcr0 = xcr0;
	return true;
}

/**
 * ringlet_emulate() - was this #GP an instruction that we carry out?
 * @vcpu: whose; in guest kernel mode
 * @next: receives what to do next if so
 *
 * Return: true if the instruction was carried out; else the #GP is the guest's.
 */
bool ringlet_emulate(struct ringlet_vcpu *vcpu, enum ringlet_next *next)
{
	struct ringlet_insn insn;

	*next = RINGLET_RESUME;
	if (!fetch(vcpu, &insn))
		return false;
	switch (insn.kind) {
	case RINGLET_INSN_IN:
		write_reg(vcpu, 0, insn.size, insn.size == 4, ~0ULL);
		break;
	case RINGLET_INSN_OUT:
		break;
	case RINGLET_INSN_XSETBV:
		if (!emulate_xsetbv(vcpu))
			return false;
		break;
	case RINGLET_INSN_CLI:
		WRITE_ONCE(ringlet_shared(vcpu)->flags, 0);
		break;
	case RINGLET_INSN_STI:
		WRITE_ONCE(ringlet_shared(vcpu)->flags, X86_EFLAGS_IF);
		break;
	case RINGLET_INSN_HLT:
		skip(vcpu, &insn);
		*next = ringlet_sched_halt(vcpu);
		return true;
	default:
		return false;
	}
	skip(vcpu, &insn);
	return true;
}

/**
 * ringlet_emulate_mmio() - the guest accessed an address that is not memory
 * @vcpu: whose
 * @gpa: the address
 *
 * Return: RINGLET_TO_LAUNCHER with the access in the run page, or the guest is
 * dead because it used an instruction that we do not know.
 */
enum ringlet_next ringlet_emulate_mmio(struct ringlet_vcpu *vcpu, u64 gpa)
{
	struct ringlet_run *run = vcpu->run;
	struct ringlet_insn insn;
	u64 value;

	if (!fetch(vcpu, &insn) || insn.kind > RINGLET_INSN_STORE_IMM)
		return ringlet_kill(
			vcpu,
			"an access to guest-physical %#llx, which is not memory, by an instruction other than MOV",
			gpa);
	vcpu->mmio.pending = true;
	vcpu->mmio.is_write = insn.kind != RINGLET_INSN_LOAD;
	vcpu->mmio.len = insn.size;
	vcpu->mmio.reg = insn.reg;
	vcpu->mmio.zero_extend = insn.zero_extend;
	skip(vcpu, &insn);
	value = insn.kind == RINGLET_INSN_STORE ? *ringlet_gpr(vcpu, insn.reg) :
						  insn.imm;

	run->exit_reason = RINGLET_EXIT_MMIO;
	run->mmio.gpa = gpa;
	run->mmio.len = insn.size;
	run->mmio.is_write = vcpu->mmio.is_write;
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	if (vcpu->mmio.is_write)
		memcpy(run->mmio.data, &value, insn.size);
	return RINGLET_TO_LAUNCHER;
}

/**
 * ringlet_emulate_mmio_done() - the launcher has served the access
 * @vcpu: whose
 */
void ringlet_emulate_mmio_done(struct ringlet_vcpu *vcpu)
{
	u64 value = 0;

	vcpu->mmio.pending = false;
	if (vcpu->mmio.is_write)
		return;
	memcpy(&value, vcpu->run->mmio.data, vcpu->mmio.len);
	write_reg(vcpu, vcpu->mmio.reg, vcpu->mmio.len, vcpu->mmio.zero_extend,
		  value);
}
