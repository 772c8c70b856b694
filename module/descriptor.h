/* SPDX-License-Identifier: GPL-2.0 */
/* Checks of what a guest may load into the CPU; see descriptor.c. */
#ifndef RINGLET_DESCRIPTOR_H
#define RINGLET_DESCRIPTOR_H

#include <linux/bits.h>
#include <linux/types.h>

#include "../include/uapi/ringlet.h"
#include "../switcher/window.h"

bool ringlet_tls_valid(u64 descriptor);
u16 ringlet_sane_selector(const u64 *gdt, unsigned int entries, u16 selector);
u64 ringlet_sane_dr7(u64 dr7);

/**
 * ringlet_tls_sane() - a valid TLS descriptor as it goes into the GDT
 * @descriptor: one that ringlet_tls_valid() took
 *
 * Return: the descriptor, accessed: the CPU would otherwise write the bit into
 * a GDT that it can only read.
 */
static inline u64 ringlet_tls_sane(u64 descriptor)
{
	return descriptor ? descriptor | BIT_ULL(40) : 0;
}

/**
 * ringlet_sane_rflags() - RFLAGS that the CPU may have while the guest runs
 * @rflags: what the guest asks for
 *
 * Real interrupts are always on and IOPL is 0.
 *
 * Return: the value to load.
 */
static inline u64 ringlet_sane_rflags(u64 rflags)
{
	/* IF, and the bit that is always 1. */
	return (rflags & RINGLET_RFLAGS_GUEST) | BIT_ULL(9) | BIT_ULL(1);
}

#endif
