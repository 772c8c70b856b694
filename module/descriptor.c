// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest may put into segment registers, its GDT's TLS entries and
 * RFLAGS: pure checks. The switcher loads selectors and executes IRETQ at CPL
 * 0; what these functions let through must not fault there, and must not raise
 * the guest above CPL 3.
 */
#include <linux/bits.h>
#include <linux/nospec.h>
#include "paging.h"
#include "../include/uapi/ringlet.h"
#include "../switcher/window.h"
#include "descriptor.h"

/* clang-format off */
/* A code or data descriptor: S = 1 in the access byte at bits 47:40. */
#define DESC_CODE	BIT_ULL(43)
#define DESC_S		BIT_ULL(44)
#define DESC_DPL	GENMASK_ULL(46, 45)
#define DESC_P		BIT_ULL(47)
#define DESC_L		BIT_ULL(53)
#define DESC_D		BIT_ULL(54)
/* clang-format on */

/**
 * ringlet_tls_valid() - may the guest have this descriptor in a TLS entry?
 * @descriptor: the eight bytes
 *
 * Empty, or a present 32-bit data segment at DPL 3.
 *
 * Return: true if so.
 */
bool ringlet_tls_valid(u64 descriptor)
{
	u64 must = DESC_P | DESC_S | DESC_DPL | DESC_D;

	if (!descriptor)
		return true;
	return (descriptor & must) == must &&
	       !(descriptor & (DESC_CODE | DESC_L));
}

/**
 * ringlet_sane_selector() - a data selector that can be loaded without a fault
 * @gdt: the window's GDT
 * @entries: of it
 * @selector: what the guest had
 *
 * Return: @selector if it is null or names a present DPL-3 segment of the GDT
 * that can be read, with whatever RPL; else 0.
 */
u16 ringlet_sane_selector(const u64 *gdt, unsigned int entries, u16 selector)
{
	u64 must = DESC_P | DESC_S | DESC_DPL;
	u64 descriptor;

	if (selector < 4)
		return selector;
	if ((selector & 4) || selector >> 3 >= entries)
		return 0;
	descriptor = gdt[array_index_nospec(selector >> 3, entries)];
	if ((descriptor & must) != must)
		return 0;
	/* Code must be readable, which bit 41 says. */
	if ((descriptor & DESC_CODE) && !(descriptor & BIT_ULL(41)))
		return 0;
	return selector;
}

/**
 * ringlet_sane_dr7() - DR7 that the CPU may have while the guest runs
 * @dr7: what the guest asks for
 *
 * No general detect (bit 13: a fault on our own accesses), no I/O breakpoints
 * (R/W = 10b), reserved bits as the SDM wants them.
 *
 * Return: the value to load; 0x400 if nothing is enabled.
 */
u64 ringlet_sane_dr7(u64 dr7)
{
	u64 sane = dr7 & 0xffff03ffULL;
	int i;

	for (i = 0; i < 4; i++)
		if ((dr7 >> (16 + 4 * i) & 3) == 2)
			sane &= ~(3ULL << (2 * i));
	return sane | BIT_ULL(10);
}
