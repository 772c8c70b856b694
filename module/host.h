/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Can this host carry Ringlet? Pure logic over what was read from the CPU, so
 * that KUnit can try hosts that nobody here owns.
 */
#ifndef RINGLET_HOST_H
#define RINGLET_HOST_H

#include <linux/types.h>

/**
 * struct ringlet_host - what decides whether a host can carry guests
 * @cr4: CR4
 * @efer: EFER
 * @star: STAR
 * @sfmask: SFMASK
 * @xen_pv: the host is itself a Xen PV guest
 * @confidential: the host is a TDX, SEV-ES or SEV-SNP guest
 * @encrypted: its memory is encrypted by a bit in each page table entry
 * @async_pf: KVM sends it page faults that only kvm.ko may take
 */
struct ringlet_host {
	u64 cr4;
	u64 efer;
	u64 star;
	u64 sfmask;
	bool xen_pv;
	bool confidential;
	bool encrypted;
	bool async_pf;
};

const char *ringlet_host_refusal(const struct ringlet_host *host);

#endif
