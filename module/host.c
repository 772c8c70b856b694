// SPDX-License-Identifier: GPL-2.0
/*
 * The decision whether a host can carry Ringlet: a pure function of what the
 * CPU says, tried over a table of hosts in KUnit. Each refusal is one sentence
 * that says why and what to do.
 */
#include <linux/bits.h>
#include <linux/kernel.h>
#include "host.h"

/* clang-format off */
#define CR4_FSGSBASE	BIT_ULL(16)
#define CR4_PCIDE	BIT_ULL(17)
#define CR4_PGE		BIT_ULL(7)
#define CR4_FRED	BIT_ULL(32)
#define EFER_SCE	BIT_ULL(0)
#define EFER_NXE	BIT_ULL(11)
#define RFLAGS_IF	BIT_ULL(9)
#define RFLAGS_DF	BIT_ULL(10)
#define RFLAGS_TF	BIT_ULL(8)
#define RFLAGS_AC	BIT_ULL(18)
/* clang-format on */

/* STAR as Linux sets it: SYSRET's base 0x23, SYSCALL's 0x10. */
#define LINUX_STAR (0x23ULL << 48 | 0x10ULL << 32)

struct refusal {
	bool (*applies)(const struct ringlet_host *host);
	const char *sentence;
};

static bool is_xen_pv(const struct ringlet_host *host)
{
	return host->xen_pv;
}

static bool is_confidential(const struct ringlet_host *host)
{
	return host->confidential;
}

static bool has_encryption(const struct ringlet_host *host)
{
	return host->encrypted;
}

static bool has_async_pf(const struct ringlet_host *host)
{
	return host->async_pf;
}

static bool has_fred(const struct ringlet_host *host)
{
	return host->cr4 & CR4_FRED;
}

static bool lacks_fsgsbase(const struct ringlet_host *host)
{
	return !(host->cr4 & CR4_FSGSBASE);
}

static bool lacks_nx(const struct ringlet_host *host)
{
	return !(host->efer & EFER_NXE);
}

static bool lacks_syscall(const struct ringlet_host *host)
{
	u64 needed = RFLAGS_IF | RFLAGS_DF | RFLAGS_TF | RFLAGS_AC;

	return !(host->efer & EFER_SCE) ||
	       (host->star & ~0xffffffffULL) != LINUX_STAR ||
	       (host->sfmask & needed) != needed;
}

static bool lacks_pge(const struct ringlet_host *host)
{
	return (host->cr4 & CR4_PCIDE) && !(host->cr4 & CR4_PGE);
}

/* clang-format off */

static const struct refusal refusals[] = {
	{ is_xen_pv,
	  "this kernel is itself a Xen PV guest and does not own its page tables; boot it in an HVM or PVH domain",
	},
	{ is_confidential,
	  "this machine is a confidential VM (TDX, SEV-ES or SEV-SNP) whose exceptions a module cannot take over; use an ordinary VM",
	},
	{ has_encryption,
	  "memory encryption (SME or SEV) is on, and our page tables do not have its bit; boot with mem_encrypt=off, or use an ordinary VM",
	},
	{ has_async_pf,
	  "this VM's hypervisor sends asynchronous page faults (KVM), which this kernel lets only kvm.ko take; boot with no-kvmapf",
	},
	{ has_fred,
	  "the CPU delivers events by FRED, which ignores the IDT that guests need; boot this machine with fred=off",
	},
	{ lacks_fsgsbase,
	  "the FSGSBASE instructions are missing or off; use a CPU model that has them (Intel since 2012, AMD since 2019) and boot without nofsgsbase",
	},
	{ lacks_nx,
	  "no-execute pages are off; boot without noexec=off on a CPU that has NX",
	},
	{ lacks_syscall,
	  "SYSCALL is not set up as Linux does it; Ringlet needs an ordinary x86-64 Linux",
	},
	{ lacks_pge,
	  "PCIDs are in use without global pages; boot with nopcid",
	},
};

/* clang-format on */

/**
 * ringlet_host_refusal() - why this host cannot carry guests
 * @host: what was read from the CPU
 *
 * Return: NULL if it can; else one sentence: the reason and what to do.
 */
const char *ringlet_host_refusal(const struct ringlet_host *host)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(refusals); i++)
		if (refusals[i].applies(host))
			return refusals[i].sentence;
	return NULL;
}
